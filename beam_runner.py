"""The pipeline for `tfx --engine beam`, which runs the stages as a Beam pipeline (docs/tfx_command.md)."""

import sys

from pipeline.runner_settings import run_from_environment

if __name__ == "__main__":
    sys.exit(run_from_environment("beam"))
