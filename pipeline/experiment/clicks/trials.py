"""What the parts that train models of clicks have in common."""

# Where the trials of these parts are kept; a model that two of them need is trained once.
TRIALS = "clicks"

# Epochs of figures 3 and 6c.
EPOCHS = 6
