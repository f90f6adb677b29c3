# `make demo` runs the whole pipeline over a simulated marketplace, `make test` checks the project.
# PYTHON=/path/to/python3.12 chooses the interpreter of the environment.

ADLENS := .venv/bin/adlens
DEMO := runs/demo

.PHONY: env demo try-serving test check deploy-check image-replay clean
.DEFAULT_GOAL := demo

env:
	@PYTHON="$(PYTHON)" scripts/make_env.sh

# The logs are made once, and moved to their place when they are whole: a killed `simulate` leaves none.
demo: env
	@test -d $(DEMO)/logs || { rm -rf $(DEMO)/partial $(DEMO)/logs_truth \
	  && $(ADLENS) simulate --preset demo --out $(DEMO)/partial/logs \
	  && mv $(DEMO)/partial/logs_truth $(DEMO)/partial/logs $(DEMO)/ && rmdir $(DEMO)/partial; }
	@$(ADLENS) run --logs $(DEMO)/logs --root $(DEMO)/root --preset demo

# The serving section of README.md, word for word, over what the demo has pushed.
try-serving: env
	@.venv/bin/python -m scripts.try_serving --root $(DEMO)/root

check: env
	@scripts/check.sh

# Renders deploy/ and checks it, without a cluster or Docker.
deploy-check: env
	@.venv/bin/python -m scripts.check_deploy

# Replays the Dockerfile on plain Debian and tries the image, without Docker. As root; many minutes, 20 GB for a while.
image-replay: env
	@.venv/bin/python -m scripts.replay_image

test: check
# Two processes, a file at a time in the order of the folders: the whole pipeline runs beside all else.
	@.venv/bin/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

clean:
	rm -rf $(DEMO) build .mypy_cache .pytest_cache .ruff_cache .hypothesis
