"""Trials of models of clicks: what Table 3 and the figures beside it are made from."""
