"""The models, without TFX and Beam."""

from transforms import library_setup as library_setup
