"""The recall model."""
