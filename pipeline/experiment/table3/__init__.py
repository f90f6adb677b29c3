"""Table 3 of Sheng et al. 2024: click prediction by how embeddings are integrated."""
