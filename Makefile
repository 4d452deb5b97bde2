# Mooring. `make` alone lists what there is to do.
# PYTHON picks the interpreter (3.11 or newer); every MOORING_* variable reaches the program,
# from the environment or from the command line: make serve MOORING_PORT=5001

PYTHON ?=
VENV := .venv
BIN := $(VENV)/bin
TOOLS := $(if $(MOORING_TOOLS),$(MOORING_TOOLS),$(CURDIR)/.tools)
CODE := $(wildcard src tests bench deploy)

export $(filter MOORING_%,$(.VARIABLES))
tools unit replicas faults faults-quick conformance kubernetes image bench bench-quick bench-growth bench-memory bench-sizing: export MOORING_TOOLS := $(TOOLS)
tools unit replicas faults faults-quick conformance kubernetes image bench bench-quick bench-growth bench-memory bench-sizing: export PATH := $(TOOLS)/bin:$(PATH)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install serve test tools lint types unit replicas faults faults-quick conformance kubernetes image bench bench-quick bench-growth bench-memory bench-sizing format lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(VENV)/.serve ## set up .venv with what the registry needs to run

serve: install ## run the registry on http://127.0.0.1:5000, data under ./data
	@exec $(BIN)/mooring serve

test: lint types tools unit ## set up what the tests need, then lint, types and tests

lint: $(VENV)/.test ## check style and likely mistakes
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)

types: $(VENV)/.test ## check types, strictly
	$(BIN)/mypy $(CODE)

tools: ## get the programs that tests drive: Debian's by apt when root, Go's when go is there
	@tests/tools/debian.sh
	@tests/tools/go.sh
	@tests/deploy/loader.sh
	@tests/tools/swift.sh

unit: $(VENV)/.test ## run every test but those of their own targets (ARGS="-k name" narrows)
	$(BIN)/python -m pytest -n 2 -m "not replicas and not conformance and not kubernetes and not image" $(ARGS)

replicas: $(VENV)/.test tools ## run the tests of several replicas on PostgreSQL and S3 behind a load balancer (minutes)
	$(BIN)/python -m pytest -m replicas $(ARGS)

faults: $(VENV)/.test tools ## push and pull through three replicas while everything goes wrong; writes docs/faults.md (20 minutes)
	$(BIN)/python -m tests.faults $(or $(ARGS),--write docs/faults.md)

faults-quick: $(VENV)/.test tools ## the same, all faults within four minutes, writing nothing
	$(BIN)/python -m tests.faults --quick $(ARGS)

conformance: $(VENV)/.test ## run the OCI conformance suite, both versions
	$(BIN)/python -m pytest -m "conformance and not replicas" $(ARGS)

kubernetes: $(VENV)/.test tools ## install the chart on a real API server, built once (minutes)
	@tests/kubernetes/build.sh
	$(BIN)/python -m pytest -m kubernetes $(ARGS)

image: $(VENV)/.test tools ## build the container image on a base of Debian's, and run it (root; minutes)
	@tests/deploy/base.sh
	$(BIN)/python -m pytest -m image $(ARGS)

bench: $(VENV)/.test ## compare speed with other registries on this machine (minutes)
	$(BIN)/python -m bench $(ARGS)

bench-quick: $(VENV)/.test ## the same, small and short
	$(BIN)/python -m bench --quick $(ARGS)

bench-growth: $(VENV)/.test tools ## measure with up to a million manifests; writes docs/growth.md (20 minutes, 10 GB)
	$(BIN)/python -m bench.growth $(ARGS)

bench-memory: $(VENV)/.test tools ## watch a worker's memory under 100 uploads of 1 GiB at once (5 minutes, 8 GB)
	$(BIN)/python -m bench.memory $(ARGS)

bench-sizing: $(VENV)/.test tools ## measure what a request costs and compute many replicas; writes docs/sizing.md (3 minutes)
	$(BIN)/python -m bench.sizing $(or $(ARGS),--write)

format: $(VENV)/.test ## rewrite the code in the project's style
	$(BIN)/ruff check --fix-only $(CODE)
	$(BIN)/ruff format $(CODE)

lock: $(BIN)/uv ## resolve the dependencies anew (UPGRADE=1 takes the newest)
	@requirements/lock $(if $(UPGRADE),--upgrade)

clean: ## remove what was built or fetched; leaves ./data alone
	rm -rf $(VENV) .tools .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +

# --- the virtual environment: pinned and hashed, nothing built from source but Mooring itself ---

INSTALL := $(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python

$(BIN)/python:
	@python=$$(requirements/python $(PYTHON)) && echo "Setting up $(VENV) with $$python" && "$$python" -m venv --clear $(VENV) || { rm -rf $(VENV); exit 1; }

$(BIN)/uv: requirements/uv.txt | $(BIN)/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r $<
	@touch $@

$(VENV)/.serve: requirements/serve.txt pyproject.toml src/mooring/__init__.py $(BIN)/uv
	@$(INSTALL) --require-hashes --no-build -r $<
	@$(INSTALL) --offline --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q src
	@touch $@

$(VENV)/.test: requirements/test.txt $(VENV)/.serve
	@$(INSTALL) --require-hashes --no-build -r $<
	@touch $@
