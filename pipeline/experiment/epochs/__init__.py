"""Figure 3 of Sheng et al. 2024: what further epochs do to models of IDs and of embeddings."""
