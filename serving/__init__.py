"""From trained models to what is served."""

from transforms import library_setup as library_setup
