"""Compiled operations and their wrappers; torch does the same where they are missing."""
