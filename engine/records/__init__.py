"""Recorded runs: one append-only file each, readable without torch, never unpickled."""
