"""Building blocks that several lessons share."""
