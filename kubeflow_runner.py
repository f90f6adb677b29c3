"""The pipeline for Kubeflow Pipelines v2 (docs/kubeflow.md): with the flags of `adlens compile`, writes its YAML."""

import sys

from pipeline.cli import main

if __name__ == "__main__":
    sys.exit(main(["compile", *sys.argv[1:]]))
