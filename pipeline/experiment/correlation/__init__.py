"""Figure 6a of Sheng et al. 2024: whether better encoders make better click prediction."""
