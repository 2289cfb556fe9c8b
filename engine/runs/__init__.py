"""Runs as pages see them: submitted, shared, watched, commanded, asked, copied, kept."""
