# Every target stands alone on a fresh machine: what it needs, it installs into .venv first.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
PYTEST := $(BIN)/pytest --numprocesses auto --dist loadgroup --no-loadscope-reorder
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-annotate

# Tests start some hundred processes: none is to compile the same modules again.
test screenshots: export PYTHONDONTWRITEBYTECODE :=

.PHONY: help run test soak replicas screenshots setup check serve cloud bench docs openapi lock format

help: ## print this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: .venv/installed ## create .venv, install all requirements and the command ec2-orchestrator

.venv/installed: requirements-dev.txt setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 setup" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { rm -rf .venv; echo "The venv module is missing. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@echo "Installing into .venv ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.9
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python requirements-dev.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

lock: ## pin anew what requirements/*.in need
	$(LOCK) requirements/runtime.in -o requirements.txt
	$(LOCK) requirements/runtime.in requirements/simulator.in -o requirements-simulator.txt
	$(LOCK) requirements/runtime.in requirements/simulator.in requirements/dev.in -o requirements-dev.txt

IDE ?= page
PORT ?= 9092
CLOUD_PORT ?= 9093

run: setup ## start the simulated cloud and the service on http://localhost:9092; IDE=code-server for real editors
ifeq ($(IDE),code-server)
	@app/simulator/install_code_server.sh
endif
	@exec $(BIN)/python -m app.simulator.trial --port $(PORT) --cloud-port $(CLOUD_PORT) --worker $(IDE)

serve: setup ## the service under gunicorn, with the environment's settings and .env: for a real AWS account
	@exec $(BIN)/gunicorn wsgi:app

cloud: setup ## the simulated cloud alone
	@exec $(BIN)/python -m app.simulator --bind 127.0.0.1:$(CLOUD_PORT) --worker $(IDE)

test: setup ## run the whole test suite, real PostgreSQL and a real Chromium included
	@$(BIN)/python -m tests.browser.chromium
	@$(PYTEST)

SOAK_MINUTES ?= 10
SOAK_SEED ?=
SOAK_DATABASE ?= sqlite

soak: setup ## ten minutes of faults and kill -9, one table; SOAK_MINUTES=3 SOAK_SEED=7 SOAK_DATABASE=postgresql
	@$(BIN)/python -m tests.e2e.soak --minutes $(SOAK_MINUTES) --seed "$(SOAK_SEED)" --database $(SOAK_DATABASE)

REPLICAS_MINUTES ?= 5
REPLICAS_SEED ?=

replicas: setup ## three replicas on PostgreSQL for five minutes, leaders killed, network cut; REPLICAS_MINUTES=3 REPLICAS_SEED=7
	@$(BIN)/python -m tests.e2e.replicas --minutes $(REPLICAS_MINUTES) --seed "$(REPLICAS_SEED)"

screenshots: setup ## the browser tests, and a picture of each state of the dashboard in var/screenshots
	@$(BIN)/python -m tests.browser.chromium
	@SCREENSHOTS=var/screenshots $(PYTEST) tests/browser

check: setup ## what CI runs: format, lint, types, import layers, all tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(MAKE) --no-print-directory test

openapi: setup ## write docs/reference/openapi.json anew from the code
	@PYTHONPATH=. $(BIN)/python docs/openapi.py

docs: setup ## write docs/reference anew from the code
	@PYTHONPATH=. $(BIN)/python docs/generate.py

BENCH ?=

bench: setup ## the benchmarks: one table, and bench/results.json; BENCH=--quick, BENCH='--only sqlite_p99'
	@$(BIN)/python -m bench $(BENCH)

format: setup ## put the code into its one format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
