"""Optimizers for models with large ID tables."""
