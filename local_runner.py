"""The pipeline for `tfx --engine local`, which runs a stage at a time (docs/tfx_command.md)."""

import sys

from pipeline.runner_settings import run_from_environment

if __name__ == "__main__":
    sys.exit(run_from_environment("local"))
