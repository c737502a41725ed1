# Every command a developer, an operator trying the product, or the build server needs.
# Nothing is installed outside .venv, except the database servers that `make test` asks for.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

PYTHON ?= python3
ARGS ?=
BIN := .venv/bin
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check --no-input
SOURCES := server sync geo clients conformance demo tests bench tools
PURE_TESTS := tests/sync tests/geo tests/style
UV_LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-annotate --no-header

.PHONY: help run test check format bench faults openapi lock migrate clean lint types services coverage simulate mutants nightly disclosure

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' Makefile

run: .venv/.runtime ## Install if needed and run the demonstration, e.g. make run ARGS="--exit"
	@$(BIN)/jingwei demo $(ARGS)

test: services lint types coverage ## Everything: formatting, lint, architecture, types, all tests on both stores

check: lint types ## The quick half: formatting, lint, architecture, types, tests without any service
	$(BIN)/python -m pytest $(ARGS) $(wildcard $(PURE_TESTS))

format: .venv/.dev ## Rewrite the sources in the house format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: .venv/.dev ## Measure the hot paths beside their ceilings, as JSON
	$(BIN)/python -m bench.run $(ARGS)

simulate: .venv/.dev ## Simulate phones, networks, crashes by seed, e.g. make simulate ARGS="--seeds 0:300"
	$(BIN)/python -m tests.simulation $(ARGS)

mutants: .venv/.dev ## Change sync/ and see whether tests notice, e.g. make mutants ARGS="merge lifecycle"
	$(BIN)/python -m tools.mutants $(ARGS)

nightly: .venv/.dev ## Ten thousand seeds on every core, then the properties with many examples
	$(BIN)/python -m tests.simulation --seeds 0:10000 --jobs 0
	HYPOTHESIS_PROFILE=nightly $(BIN)/python -m pytest $(ARGS) tests/sync
	$(MAKE) disclosure

disclosure: services .venv/.dev ## Ask everything of the API and look for what lies outside of a scope
	DISCLOSURE_QUESTIONS=10000 DISCLOSURE_SEED=$$$$ \
		$(BIN)/python -m pytest $(ARGS) tests/disclosure

faults: services .venv/.dev ## Break the real server on purpose and count, e.g. make faults ARGS="--class kills"
	$(BIN)/python -m tests.faults $(ARGS)

openapi: .venv/.dev ## Regenerate openapi.yaml and the pages made from the code
	$(BIN)/jingwei openapi > openapi.yaml.new
	mv openapi.yaml.new openapi.yaml
	$(BIN)/python -m tools.reference
	$(BIN)/python -m tools.vectors

lock: .venv/.dev ## Resolve the dependencies again and rewrite both lock files
	$(UV_LOCK) --upgrade pyproject.toml --group build --output-file requirements.lock
	$(UV_LOCK) --upgrade pyproject.toml --group dev --constraint requirements.lock \
		--output-file requirements-dev.lock

migrate: .venv/.runtime ## Bring the database of JINGWEI_DATABASE_URL to the newest schema
	$(BIN)/jingwei migrate $(ARGS)

clean: ## Remove the environment, caches and the demonstration's store
	rm -rf .venv var dist mutants .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage htmlcov

# A worker has a PostgreSQL of its own, so many of them would cost more memory than they save time.
IN_PARALLEL := --numprocesses=logical --maxprocesses=4

# --- pieces of `make test` ---------------------------------------------------------------------

services:
	bash tools/install-test-services.sh

lint: .venv/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-logo

types: .venv/.dev
	$(BIN)/mypy $(wildcard $(SOURCES))

coverage: .venv/.dev
	$(BIN)/python -m pytest $(IN_PARALLEL) --cov --cov-report= $(ARGS)
	$(BIN)/coverage report --include='sync/*,geo/*' --fail-under=100
	$(BIN)/coverage report --include='server/*' --fail-under=95

# --- the environment: stamp files make a second run start at once ---------------------------------
# A lock names everything, so pip has nothing to resolve (--no-deps). Left to resolve, older versions of pip
# look past the pin for a requirement with an extra, and fail as soon as a newer release exists.

.venv/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "jingwei needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>&1 || true)." >&2; \
		echo "Name another one: make PYTHON=python3.12 run" >&2; exit 1; }
	@$(PYTHON) -m venv .venv || { \
		echo "Python could not make an environment; on Debian and Ubuntu install python3-venv." >&2; \
		rm -rf .venv; exit 1; }
	@touch $@

.venv/.runtime: .venv/.created requirements.lock pyproject.toml
	@echo "Installing the pinned dependencies into .venv ..."
	@$(PIP) --require-hashes --no-deps --requirement requirements.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.dev: .venv/.runtime requirements-dev.lock
	@$(PIP) --require-hashes --no-deps --requirement requirements-dev.lock
	@touch $@
