"""Wiring, presets and the command line."""

from transforms import library_setup as library_setup
