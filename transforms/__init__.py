"""Beam transforms over logs, and preprocessing functions."""

from transforms import library_setup as library_setup
