"""The ways in which embeddings enter the click-through-rate model."""
