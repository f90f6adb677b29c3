"""Encoders of pictures and texts, trained by semantic-aware contrastive learning."""
