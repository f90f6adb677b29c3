"""The click-through-rate model: configuration, model, data set and trainer."""
