"""The MakeTrainer component."""
