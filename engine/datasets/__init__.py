"""The data sets lessons train on, and where they come from."""
