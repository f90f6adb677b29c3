"""Replays the Dockerfile's steps in plain Debian roots, where no container engine runs, and tries what came of it."""
