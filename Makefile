# The locks name every package, so that pip resolves nothing (--no-deps).
# `make run` and `make test` need nothing but python3 of 3.11 to 3.13; everything else is installed into .venv.
PYTHON ?= python3
BIN := .venv/bin
TRENDS := $(BIN)/trends
ROOMS := services warehouse ingest simulator forecasting engine exports explorer orchestration
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes

# In words of any Python 3: pip would only say "No matching distribution". The range is that of pyproject.toml.
define IS_SUPPORTED
import sys
if not (3, 11) <= sys.version_info[:2] <= (3, 13):
    sys.exit("Python 3.11, 3.12 or 3.13 is needed, and %s is %s. Where another one is installed, name it: make run"
             " PYTHON=python3.13 (dagster-dbt does not support 3.14 yet)." % (sys.argv[1], sys.version.split()[0]))
endef
export IS_SUPPORTED

.PHONY: help run test test-all test-fast test-next lint layers ruff mypy sqlfluff ui explore bench spark test-spark spark-demo demo-delivery drill drill-builds drill-upgrade drill-rebuild drill-polls drill-spark drill-kills pictures lock clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

.venv/.installed: requirements.lock pyproject.toml
	@python=$$(test -x $(BIN)/python && echo $(BIN)/python || echo $(PYTHON)); $$python -c "$$IS_SUPPORTED" $$python
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing the locked packages into .venv"
	@$(PIP) --no-compile -r requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@# On both cores, which pip does on one, and not at all where PYTHONDONTWRITEBYTECODE is set: 5 s at every start.
	@$(BIN)/python -m compileall -q -j 2 .venv/lib $(ROOMS) >/dev/null || true
	@touch $@

.venv/.installed-dev: requirements-dev.lock .venv/.installed
	@$(PIP) --no-compile -r requirements-dev.lock
	@$(BIN)/python -m compileall -q -j 2 .venv/lib >/dev/null || true
	@touch $@

run: .venv/.installed ## set up and run the daily job on the bundled sample
	$(TRENDS) run --source sample

# In the order of the folders: the whole runs of tests/e2e first, so that none of them is left alone at the end. A worker
# that dies ends the run: the end of one that takes its place was waited for without end.
PYTEST := $(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder --max-worker-restart 0

.venv/.installed-next: .venv/.installed-dev
	@# The newest DuckDB beside everything else of the lock, in a folder that only this target looks into.
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --upgrade --target .venv/next duckdb
	@touch $@

test-next: .venv/.installed-next ## all tests on the newest DuckDB (TESTS=path: some of them)
	@rm -f .venv/.installed-next
	@PYTHONPATH=.venv/next $(BIN)/python -c 'import duckdb; print("DuckDB", duckdb.__version__)'
	PYTHONPATH=.venv/next $(PYTEST) $(TESTS)

# What the C library of Linux gives back to the system between two statements of DuckDB, it asks for again.
test test-all: export MALLOC_TRIM_THRESHOLD_ := 268435456
test test-all: export MALLOC_MMAP_THRESHOLD_ := 268435456

test: .venv/.installed-dev lint ## lint, types, and the tests that every change must pass: ten minutes on two cores
	$(PYTEST) -m "not slow" --durations=40

test-all: .venv/.installed-dev lint ## all tests, the slow ones too: every night, and before a release
	$(PYTEST) --durations=40

test-fast: .venv/.installed-dev ## the tests of single modules: no models, no services, under a minute on two idle cores
	$(BIN)/python -m pytest -q -n 2 tests/unit

lint: .venv/.installed-dev ## ruff, mypy, sqlfluff, the layers of the rooms
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target mypy sqlfluff ruff layers

layers:
	$(BIN)/lint-imports --no-cache

ruff:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

mypy:
	$(BIN)/mypy $(ROOMS) tests benchmarks examples

sqlfluff:
	$(BIN)/sqlfluff lint --processes 2 models examples

.venv/.installed-explore: requirements-explore.lock .venv/.installed
	@echo "installing the explorer's packages into .venv"
	@$(PIP) --no-compile -r requirements-explore.lock
	@touch $@

explore: .venv/.installed-explore ## the published marts in the browser: lists, histories, forecasts against actual
	$(TRENDS) explore

.venv/.installed-spark: requirements-spark.lock orchestration/dbt_trends/dbt_trends.py .venv/.installed
	@echo "installing the packages of the models on Spark into .venv"
	@$(PIP) --no-compile -r requirements-spark.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation ./orchestration/dbt_trends
	@# What pip built lies beside the source: linters would take it for ours.
	@rm -rf orchestration/dbt_trends/build orchestration/dbt_trends/*.egg-info
	@touch $@

spark: .venv/.installed-spark ## install what the models need to run on Spark (Java 17 or newer must be there)

ui: .venv/.installed ## the Dagster UI with its daemon, on http://localhost:3000
	$(TRENDS) ui

.venv/.installed-bench: requirements-bench.lock .venv/.installed-dev
	@$(PIP) --upgrade --target .venv/bench -r requirements-bench.lock
	@$(BIN)/python -m compileall -q .venv/bench || true
	@touch $@

test-spark: .venv/.installed-spark .venv/.installed-dev ## on Spark all models give the rows that they give on DuckDB
	$(BIN)/python -m pytest -v -m spark -k 'not connect' tests/integration/test_spark.py

spark-demo: .venv/.installed-spark .venv/.installed-dev ## the sample on DuckDB and on a Spark cluster of this machine, models compared
	$(BIN)/python -m tests.service.spark_demo

bench: .venv/.installed-bench ## benchmarks (all, or BENCH=name), written to benchmarks/RESULTS.md
	$(BIN)/python -m benchmarks $(BENCH)

demo-delivery: .venv/.installed-dev ## a daily run delivered into a local service; prints what arrived
	$(BIN)/python -m tests.service.demo

drill: .venv/.installed-dev ## kill -9 twice at every request of a delivery, run again: everything is there once
	DRILL_STEP=1 $(BIN)/python -m pytest -q -n 2 tests/e2e/test_delivery.py -k 'so_many_requests or killed_anywhere'

drill-builds: .venv/.installed-dev ## build homes of full size 20 times each: all tables come out the same
	DRILL_BUILDS=1 $(BIN)/python -m pytest -q tests/integration/test_repeated_builds.py -k again_and_again

drill-upgrade: .venv/.installed-dev ## homes that earlier commits made and delivered, brought along by one run (some minutes)
	$(BIN)/python -m tests.service.upgrade_drill

drill-rebuild: .venv/.installed-dev ## a formula, a column, a mart, a threshold changed: seconds until all dates have it
	$(BIN)/python -m tests.service.rebuild_drill

drill-polls: .venv/.installed-dev ## a thousand polls in a row: seconds, memory and files after each hundred (an hour)
	$(BIN)/python -m tests.service.polls_drill

drill-spark: .venv/.installed-spark .venv/.installed-dev ## all tests on Spark: faults, a Connect server, dbt by hand (ten minutes)
	$(BIN)/python -m pytest -v -m spark tests

drill-kills: .venv/.installed-dev ## kill -9 at 200 random moments of run, backfill, poll and rebuild (DRILL_SEED=n: others)
	DRILL_KILLS=50 $(BIN)/python -m pytest -q -n 2 tests/e2e/test_random_kills.py tests/integration/test_rebuild.py

pictures: .venv/.installed-dev ## README's pictures of report and message, of the sample that make run made
	$(BIN)/python -m tests.service.pictures --home home

lock: ## compile the locks from requirements*.in (needs uv)
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-strip-extras requirements.in -o requirements.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-strip-extras -c requirements.lock requirements-explore.in -o requirements-explore.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-strip-extras -c requirements.lock -c requirements-explore.lock requirements-dev.in -o requirements-dev.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-strip-extras -c requirements.lock requirements-spark.in -o requirements-spark.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-strip-extras -c requirements.lock requirements-bench.in -o requirements-bench.lock

clean: ## remove the environment and parsed models; warehouse and outputs stay
	rm -rf .venv .compiled target .mypy_cache .ruff_cache .pytest_cache *.egg-info
