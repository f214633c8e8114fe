# Two commands do everything from a clean clone: `make demo` and `make test`.
SHELL := /bin/bash
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# On Linux without a GPU, TORCH_INDEX=https://download.pytorch.org/whl/cpu keeps the CUDA libraries away.
TORCH_INDEX ?=
DEMO ?= demo
# Models may lie in folders beside the checkout; otherwise they are fetched, and always verified.
export CUEFLOW_MODEL_SOURCES ?= $(wildcard ../shared/models)

.PHONY: help demo test check quality style install models lock hashes clean

help:  ## Show the targets
	@grep -E '^[a-z]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

demo: models  ## Simulate a cohort, process it, train a fusion model, open the tables, write a page
	$(BIN)/python -m cueflow.cli.demo $(DEMO)

test: models check  ## Lint, types and every test
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "slow or real" --ignore=tests/flows --durations=10
	$(BIN)/python -m pytest -q -m "slow or real" tests/flows --durations=10  # servers and workers: one at a time

check: install  ## Lint, format, types and the fast tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "not slow and not real" --durations=10

style: install  ## Format the code and apply safe fixes
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

install: $(VENV)/.installed .types/cueflow  ## Virtual environment with the versions of requirements.lock

$(VENV)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "cueflow needs Python 3.11 or newer: make PYTHON=python3.12 …")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the pinned packages into $(VENV) (about 2 GB, once) …"
	$(BIN)/python -m pip install -qq --disable-pip-version-check $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) -r requirements.lock
	$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# The packages live at the root of the checkout; the link lets the type checker see them under their name.
.types/cueflow:
	@mkdir -p .types && ln -sfn .. $@

models: install  ## Fetch the pretrained weights and verify their hashes
	$(BIN)/cueflow models pull

lock:  ## Resolve pyproject.toml anew and rewrite requirements.lock
	rm -rf .lock && $(PYTHON) -m venv .lock
	.lock/bin/python -m pip install --quiet ".[dev]"
	.lock/bin/python -m pip freeze --all --exclude cueflow --exclude pip | sed -E 's/^([A-Za-z0-9_.-]+) @ .*\/\1-([0-9][^-+]*)[^\/]*$$/\1==\2/' > requirements.lock
	rm -rf .lock
	$(MAKE) hashes

# Of torch the build of the CPU index, too (TORCH_INDEX): it is what the image takes. The image for a GPU takes PyPI's,
# and what that brings along.
hashes:  ## Write the hashes of the files behind requirements.lock to deploy/requirements*.hashes
	rm -rf .lock && $(PYTHON) -m venv .lock
	.lock/bin/python -m pip install --quiet --disable-pip-version-check uv
	.lock/bin/uv pip compile --quiet --no-config --no-deps --generate-hashes --no-annotate --no-header requirements.lock -o .lock/hashes
	.lock/bin/python -m pip download --quiet --no-deps -d .lock/torch $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) $$(grep '^torch==' requirements.lock)
	echo '# Versions of requirements.lock with the SHA-256 of their files (`make hashes`); of torch also the CPU build for Python 3.11.' > deploy/requirements.hashes
	sed "/^torch==/a\    --hash=sha256:$$(sha256sum .lock/torch/torch-*.whl | cut -d' ' -f1) \\\\" .lock/hashes >> deploy/requirements.hashes
	grep '^torch==' requirements.lock | .lock/bin/uv pip compile --quiet --no-config --generate-hashes --no-annotate --no-header --python-version 3.11 --python-platform x86_64-manylinux_2_28 --constraint requirements.lock - -o .lock/gpu
	echo '# What torch needs beside requirements.hashes to use a GPU of NVIDIA, on Linux (`make hashes`).' > deploy/requirements-gpu.hashes
	awk '/^[a-z]/ {take = /^(cuda|nvidia|triton)/} take' .lock/gpu >> deploy/requirements-gpu.hashes
	rm -rf .lock

clean:  ## Remove what the targets made (not the virtual environment)
	rm -rf $(DEMO) build .pytest_cache .mypy_cache .ruff_cache
