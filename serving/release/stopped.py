"""Ends a publication that was asked to stop."""


class Stopped(Exception):
    """It was asked to stop before everything was in; what was served still is."""
