"""Figure 6b of Sheng et al. 2024: what embeddings bring by how often items were shown."""
