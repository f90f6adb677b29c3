#!/usr/bin/env bash
# Makes requirements-cpu.lock and requirements-gpu.lock, what the images install, from setup.py. Versions are those
# of requirements.lock: they never differ from what was tested. To be run after it has changed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# What an image has beside setup.py's own: Debian 13's Python and glibc, and no dev packages.
lock() {
  local variant=$1
  shift
  .venv/bin/uv pip compile --quiet setup.py "$@" --extra kubeflow --extra pretrained --extra redis \
    --override scripts/overrides.txt --constraint requirements.lock --python-version 3.13 \
    --python-platform x86_64-manylinux_2_40 --no-python-downloads --generate-hashes --no-header --no-annotate \
    --output-file "requirements-$variant.lock" >/dev/null
}

lock cpu
lock gpu - <<<'tensorflow[and-cuda]'
