"""The index that brings the nearest items by inner product."""
