"""Answers who asks for ads and similar items, and takes new items."""
