"""Table 2 of Sheng et al. 2024: how well encoders find what was bought, by how they were trained."""
