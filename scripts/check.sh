#!/usr/bin/env bash
# Format, lint and types: the one check that `make check`, CI and the pre-commit hook share.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

.venv/bin/ruff format --check --quiet . || { echo "not formatted: .venv/bin/ruff format . mends it" >&2; exit 1; }
.venv/bin/ruff check --quiet .
.venv/bin/mypy
