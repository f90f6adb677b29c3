"""Embeddings of items: read, found by item, handed to models."""
