# The locks name every package, so that pip resolves nothing (--no-deps).
# `make run` and `make test` need nothing but python3 >= 3.11; everything else is installed into .venv.
PYTHON ?= python3
BIN := .venv/bin
TRENDS := $(BIN)/trends
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes

.PHONY: help run test test-next lint ruff mypy sqlfluff ui bench demo-delivery drill lock clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

.venv/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("python 3.11 or newer is needed, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing the locked packages into .venv"
	@$(PIP) --no-compile -r requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@# On both cores, which pip does on one, and not at all where PYTHONDONTWRITEBYTECODE is set: 5 s at every start.
	@$(BIN)/python -m compileall -q -j 2 .venv/lib ingest warehouse exports orchestration >/dev/null || true
	@touch $@

.venv/.installed-dev: requirements-dev.lock .venv/.installed
	@$(PIP) --no-compile -r requirements-dev.lock
	@$(BIN)/python -m compileall -q -j 2 .venv/lib >/dev/null || true
	@touch $@

run: .venv/.installed ## set up and run the daily job on the bundled sample
	$(TRENDS) run --source sample

.venv/.installed-next: .venv/.installed-dev
	@# The newest DuckDB beside everything else of the lock, in a folder that only this target looks into.
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --upgrade --target .venv/next duckdb
	@touch $@

test-next: .venv/.installed-next ## all tests on the newest DuckDB (TESTS=path: some of them)
	@rm -f .venv/.installed-next
	@PYTHONPATH=.venv/next $(BIN)/python -c 'import duckdb; print("DuckDB", duckdb.__version__)'
	PYTHONPATH=.venv/next $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(TESTS)

test: .venv/.installed-dev lint ## lint, types, all tests
	@# In the order of the folders: the whole runs of tests/e2e first, so that none of them is left alone at the end.
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder --durations=40

lint: .venv/.installed-dev ## ruff, mypy, sqlfluff
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target mypy sqlfluff ruff

ruff:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

mypy:
	$(BIN)/mypy ingest warehouse exports orchestration tests benchmarks

sqlfluff:
	$(BIN)/sqlfluff lint --processes 2 models

ui: .venv/.installed ## the Dagster UI with its daemon, on http://localhost:3000
	$(TRENDS) ui

.venv/.installed-bench: requirements-bench.lock .venv/.installed-dev
	@$(PIP) --upgrade --target .venv/bench -r requirements-bench.lock
	@$(BIN)/python -m compileall -q .venv/bench || true
	@touch $@

bench: .venv/.installed-bench ## benchmarks (all, or BENCH=name), written to benchmarks/RESULTS.md
	$(BIN)/python -m benchmarks $(BENCH)

demo-delivery: .venv/.installed-dev ## a daily run delivered into a local service; prints what arrived
	$(BIN)/python -m tests.service.demo

drill: .venv/.installed-dev ## kill -9 twice at every request of a delivery, run again: everything is there once
	DRILL_STEP=1 $(BIN)/python -m pytest -q -n 2 tests/e2e/test_delivery.py -k 'so_many_requests or killed_anywhere'

lock: ## compile the locks from requirements*.in (needs uv)
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-strip-extras requirements.in -o requirements.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-strip-extras -c requirements.lock requirements-dev.in -o requirements-dev.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-strip-extras -c requirements.lock requirements-bench.in -o requirements-bench.lock

clean: ## remove the environment and parsed models; warehouse and outputs stay
	rm -rf .venv target .mypy_cache .ruff_cache .pytest_cache *.egg-info
