"""Figure 6c of Sheng et al. 2024: what pre-training MAKE for longer brings."""
