"""TFX components."""

from transforms import library_setup as library_setup
