"""Checks deploy/ without a cluster: `python -m scripts.check_deploy`."""
