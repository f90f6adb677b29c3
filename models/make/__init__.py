"""MAKE: the multimodal knowledge extractor, trained alone over several epochs."""
