# Every target does the set-up it needs: Python >= 3.11, make and a package index are enough.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
MEMBERS := contracts libs/chassis libs/pricing services/webhook-gateway services/booking services/audit services/reconciler deploy/local tools
RUN_MEMBERS := $(filter-out tools,$(MEMBERS))
STAMP := .venv/.installed
RUN_STAMP := .venv/.can-run
PYTEST := $(BIN)/python -m pytest
BROKERLESS := tests/unit tests/contract tests/mutation tests/test_tidy.py
# Each worker of `make test` has a Kafka and a PostgreSQL of its own, and waits for a third of the time.
WORKERS ?= 3
ROWS := tests/faults/test_rows.py
# `make check` runs these, and tests/contract, tests/mutation and tests/test_tidy.py.
OF_CHECK := tests/unit/chassis/auth/test_access.py tests/unit/booking/test_domain_coverage.py tests/unit/deploy/test_sbom.py
KAFKA_CLASSES = $(if $(filter containers external,$(INFRA)),,PYTHONPATH=tests $(BIN)/python -m harness.kafka_classes)
ON_CONTAINERS := tests/e2e $(addprefix tests/integration/,system/test_infra.py system/test_failover.py \
	system/test_replicas.py webhook_gateway/test_ack.py booking/test_payments.py audit/test_delivery.py \
	reconciler/test_runs.py chassis/relay/test_relay.py chassis/postgres/test_migrations.py)

# The certificates of the system, or of SSL_CERT_FILE, which uv prefers: a company's authority is known there.
SYSTEM_CERTS := --system-certs
# pip has certificates of its own. These are where Linux and macOS keep the system's.
CERT_FILES := $(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem)
PIP_CERTS := $(addprefix --cert ,$(firstword $(SSL_CERT_FILE) $(PIP_CERT) $(CERT_FILES)))
NOT_INSTALLED := the packages were not installed; behind a company's certificate authority set SSL_CERT_FILE to its certificates (PEM)

# What a caller's Python path holds is none of ours; recipes that need one set their own.
unexport PYTHONPATH PYTHONHOME
# Without bytecode each worker of the tests compiles all sources and rewrites all assertions: 10 s of CPU each.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test test-fast simulate simulate-faults mutants constant-time test-containers faults up down reset check clean lock contracts format setup sbom

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

setup: $(STAMP) ## create .venv from requirements.lock (every other target does what it needs by itself)

$(STAMP): requirements.lock $(MEMBERS:%=%/pyproject.toml)
	@$(MAKE) --no-print-directory .python
	@echo "setup: installing all packages of requirements.lock into .venv"
	@$(BIN)/uv pip install $(SYSTEM_CERTS) --python $(BIN)/python --require-hashes --requirement requirements.lock \
	  || { echo "setup: $(NOT_INSTALLED)" >&2; exit 2; }
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps $(MEMBERS:%=--editable %)
	@touch $(RUN_STAMP) $@

# What the stack and the demo need: 60 % of all. The digests of the lock are checked here too.
$(RUN_STAMP): requirements.lock $(RUN_MEMBERS:%=%/pyproject.toml)
	@$(MAKE) --no-print-directory .python
	@echo "setup: installing what the stack needs into .venv; \`make setup\` installs what developers need too"
	@$(BIN)/uv pip install $(SYSTEM_CERTS) --python $(BIN)/python --constraint requirements.lock $(RUN_MEMBERS:%=--editable %) \
	  || { echo "setup: $(NOT_INSTALLED)" >&2; exit 2; }
	@touch $@

.PHONY: .python
.python:
	@command -v $(PYTHON) >/dev/null || { echo "setup: $(PYTHON) is not installed; Python >= 3.11 is needed" >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "setup: $$($(PYTHON) --version) is too old; Python >= 3.11 is needed (set PYTHON=...)" >&2; exit 2; }
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_CERTS) "$$(grep -oE '^uv==[0-9.]+' requirements.lock)" \
	  || { echo "setup: uv was not installed; behind a company's certificate authority set SSL_CERT_FILE to its certificates (PEM)" >&2; exit 2; }
	@! test -e .venv/lib/python3.11/site-packages/setuptools || $(BIN)/uv pip uninstall --quiet --python $(BIN)/python setuptools

demo: $(RUN_STAMP) ## a business day through the front doors, then the tables: the main job (KEEP=1 leaves it running)
	@$(BIN)/plumbline demo $(if $(KEEP),--keep)

test-fast: $(STAMP) ## all that needs no broker and no database, a few examples of what explores: the loop to work in
	@EXPLORE=quick $(PYTEST) -q -n auto --dist worksteal -m "not slow" $(BROKERLESS) $(ARGS)

test: $(STAMP) ## every test but those of `make check` and the fault rows, on real Kafka and PostgreSQL (ARGS="tests/unit -k pricing" some)
ifdef ARGS
	@$(PYTEST) $(ARGS)
else
	@$(KAFKA_CLASSES)
	@$(PYTEST) -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(addprefix --ignore=,$(ROWS) $(OF_CHECK)) \
	  tests/e2e tests/faults tests/integration tests/unit
endif

test-containers: $(STAMP) ## what containers can break: one pass of each service on them, and the compose stack
	@INFRA=containers PROCESSES=new $(PYTEST) $(ON_CONTAINERS) $(ARGS)

faults: $(STAMP) ## every row of the fault table at full size (SHORT=1 small, ROW=F4 one, SEED=… again, LONG=1 a million)
ifdef SHORT
	@$(KAFKA_CLASSES)
	@ROW="$(ROW)" SEED="$(SEED)" $(PYTEST) -n $(WORKERS) --dist load --maxschedchunk 1 $(ROWS) $(ARGS)
else
	@$(if $(ROW),,$(MAKE) --no-print-directory simulate ARGS="--random 20000")
	@$(if $(ROW),,EXPLORE=whole MUTATED_DELIVERIES=5000000 $(PYTEST) -q -n auto -m explores tests/unit)
	@$(if $(ROW),,EXPLORE=whole $(PYTEST) -q -m explores tests/integration)
	@PYTHONPATH=tests ROW="$(ROW)" SEED="$(SEED)" LONG="$(LONG)" $(BIN)/python -m faults
endif

simulate: $(STAMP) ## the simulation of consuming: SEED=n one with its trace, SEEDS=n so many (docs/simulation.md)
	@cd tests && ../$(BIN)/python -m simulation $(if $(SEED),--seed $(SEED) --trace,--seeds $(or $(SEEDS),10000)) $(if $(SECONDS_MAX),--seconds-max $(SECONDS_MAX)) $(ARGS)

simulate-faults: $(STAMP) ## plant faults in what the simulation drives: a seed must show each (ID=sim-key some)
	@PYTHONPATH=tests ID="$(ID)" $(BIN)/python -m mutation.simulated

bench: $(STAMP) ## side by side with its peers, on the same servers (ROW=B3 one, ROUNDS=5, QUICK=1 short)
	@PYTHONPATH=tests:benchmarks ROW="$(ROW)" ROUNDS="$(ROUNDS)" QUICK="$(QUICK)" $(BIN)/python -m bench

bench-page: $(STAMP) ## docs/performance.md from the last full results
	@PYTHONPATH=tests:benchmarks $(BIN)/python -m bench.page

mutants: $(STAMP) ## take each safety line away in turn and see a test notice (ID=relay some)
	@PYTHONPATH=tests ID="$(ID)" $(BIN)/python -m mutation

constant-time: $(STAMP) ## does the time of a verdict tell what is right of a forged signature? (MEASUREMENTS=, RUNS=, SEED=)
	@PYTHONPATH=tests:benchmarks MEASUREMENTS="$(MEASUREMENTS)" RUNS="$(RUNS)" SEED="$(SEED)" $(BIN)/python -m constant_time

up: $(RUN_STAMP) ## start the whole system (DETACH=1 returns when it is ready)
	@$(BIN)/plumbline up $(if $(DETACH),--detach)

down: $(RUN_STAMP) ## stop it; data is kept
	@$(BIN)/plumbline down

reset: $(RUN_STAMP) ## delete the data of a stopped stack, after saying what is lost (YES=1 does not ask)
	@$(BIN)/plumbline reset $(if $(YES),--yes)

check: $(STAMP) ## format, lint, types, import walls, contracts and their tests: no broker; every step runs
	@$(BIN)/python -m contract_tools.check

contracts: $(STAMP) ## write JSON Schemas, AsyncAPI and OpenAPI documents; refuses what breaks a consumer
	@$(BIN)/python -m contract_tools.migration_digests
	@$(BIN)/python -m contract_tools

format: $(STAMP) ## rewrite the code in the house format
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lock: $(STAMP) ## resolve requirements.lock anew from the pyproject files
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url --no-emit-find-links \
	  --no-emit-package plumbline-contracts --no-emit-package plumbline-chassis --no-emit-package plumbline-pricing \
	  --python-version 3.11 --group dev $(MEMBERS:%=%/pyproject.toml) --output-file requirements.lock

sbom: $(STAMP) ## write var/sbom.cdx.json: everything that is pinned, as CycloneDX
	@$(BIN)/python deploy/sbom.py var/sbom.cdx.json

clean: ## remove caches and benchmark results; data of a stack stay (`make reset` deletes them)
	@test ! -e "$${PLUMBLINE_STATE:-var}/processes.json" || { echo "clean: a stack runs here: stop it with \`make down\` first" >&2; exit 2; }
	@rm -rf .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -not -path './.venv/*' -prune -exec rm -rf {} +
