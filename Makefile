# Short names for lines of venv and pip; README.md shows the lines themselves.
# One environment, .venv or VENV, holds both sets: requirements-dev.txt contains requirements.txt.

PYTHON ?= python3
VENV ?= .venv
ARGS ?=
LENGTH ?= 6
MINUTES ?= 20
ROUNDS ?= 200
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip --disable-pip-version-check install --quiet --require-hashes
# A pin lists the extras that packages request: without them pip 23 picks a newer release.
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-strip-extras \
	--generate-hashes --no-emit-index-url --no-header $(ARGS)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo run test bench soak kill seams sdk-table explore diagram lint types lock clean

help: ## show this list
	@echo 'make TARGET [ARGS="..."] [PYTHON=python3.12]'
	@sed -n 's/^\([a-z-]*\):.*## /  \1\t/p' $(MAKEFILE_LIST)

demo: $(VENV)/.runtime ## stream through the proxy while its upstream is cut, and compare
	$(BIN)/python -m gemproxy demo $(ARGS)

run: $(VENV)/.runtime ## serve on 127.0.0.1:8000
	$(BIN)/python run.py $(ARGS)

test: $(VENV)/.dev ## run the tests on every core (ARGS="-n 0" on one, to see their output)
	$(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)

bench: $(VENV)/.runtime ## compare with other proxies, after bench/setup (ARGS="--only S1b")
	$(BIN)/python bench/compare.py $(ARGS)

soak: $(VENV)/.runtime ## serve for MINUTES=20 under all kinds of faults, and measure growth
	$(BIN)/python bench/soak.py --minutes $(MINUTES) $(ARGS)

seams: $(VENV)/.runtime build/bench/seams/.done ## run a small real model behind gemproxy, and judge the seams
	$(BIN)/python -m bench.seams.real $(ARGS)

sdk-table: $(VENV)/.dev ## run the SDKs' tests, write docs/sdks.md and docs/openai-conformance.md
	GEMPROXY_SDK_TABLE=1 $(BIN)/python -m pytest tests/sdk --deselect tests/sdk/test_table.py

kill: $(VENV)/.runtime ## kill the proxy ROUNDS=200 times in the middle of its work, and check the ledger
	$(BIN)/python -m bench.kill --rounds $(ROUNDS) $(ARGS)

explore: $(VENV)/.dev ## explore the machines deeper than the tests do (LENGTH=6)
	GEMPROXY_EXPLORE=$(LENGTH) $(BIN)/python -m pytest -s --timeout 0 tests/core/repair/test_exploration.py \
		tests/core/interactions/test_exploration.py

diagram: $(VENV)/.dev ## draw the machines' states into ARCHITECTURE.md
	$(BIN)/python docs/state_diagram.py --write

lint: $(VENV)/.dev ## check style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev ## check types
	$(BIN)/mypy

lock: $(VENV)/.dev ## pin the dependencies anew (ARGS=--upgrade takes later versions)
	$(COMPILE) pyproject.toml --group dev --output-file requirements-dev.txt
	$(COMPILE) pyproject.toml --extra postgres --constraint requirements-dev.txt \
		--output-file requirements.txt
	$(COMPILE) tests/sdk/langchain.in --output-file tests/sdk/langchain.txt
	$(COMPILE) tests/sdk/chat/clients.in --output-file tests/sdk/chat/clients.txt

clean: ## remove what these commands made
	rm -rf .venv .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache
	rm -rf build dist tests/sdk/node_modules tests/browser/node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# venv installs pip last, so an environment without pip is created again.
$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
	"gemproxy needs Python 3.11 or later: make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements.txt | $(BIN)/pip
	$(INSTALL) -r $<
	@touch $@

$(VENV)/.dev: requirements-dev.txt | $(BIN)/pip
	$(INSTALL) -r $<
	@touch $@

# llama.cpp is compiled: about 5 minutes on two cores, with a C++ compiler.
build/bench/seams/.done: bench/seams/real/requirements.txt
	$(PYTHON) -m venv build/bench/seams
	build/bench/seams/bin/python -m pip --disable-pip-version-check install --quiet \
		--require-hashes -r $<
	@touch $@
