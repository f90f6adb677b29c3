# `make demo` runs the whole pipeline over a simulated marketplace, `make test` checks the project.
# PYTHON=/path/to/python3.12 chooses the interpreter of the environment.

ADLENS := .venv/bin/adlens
DEMO := runs/demo

.PHONY: env demo test check clean
.DEFAULT_GOAL := demo

env:
	@PYTHON="$(PYTHON)" scripts/make_env.sh

# The logs are made once; `simulate` writes into a folder of its own, so what is half done is not taken.
demo: env
	@test -d $(DEMO)/logs || $(ADLENS) simulate --preset demo --out $(DEMO)/logs
	@$(ADLENS) run --logs $(DEMO)/logs --root $(DEMO)/root --preset demo

check: env
	@scripts/check.sh

test: check
	@.venv/bin/python -m pytest

clean:
	rm -rf runs build .mypy_cache .pytest_cache .ruff_cache .hypothesis
