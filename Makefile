# `make help` lists what can be done. `make demo` and `make test` need nothing prepared.
.DEFAULT_GOAL := help
.PHONY: help setup demo demo-stop test test-unit test-slow test-bed test-cluster vagrant-lxc lint format docs lock clean \
        simulate chaos chaos-down bench-failover bench-calm bench-idle bench-files bench-rest bench-install \
        bench-resume bench-workflows

python := .venv/bin/python
ARGS ?=
JOBS ?= 2
STEPS ?= 1000000
SEED ?= 1
MINUTES ?= 5
SCENARIO ?=
MUTATION ?=

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install what is missing on this machine, and make .venv
	@scripts/install-packages.sh
	@scripts/make-venv.sh

demo: setup ## three managers and a failover, left running (ARGS=--no-failover, --no-cluster, "--nodes 5")
	@$(python) -m demo up $(ARGS)

demo-stop: ## take the demo down
	@[ ! -x $(python) ] || $(python) -m demo down

test: setup ## all the tests: unit, simulation, integration, cluster (JOBS=2: in how many processes)
	@.venv/bin/pytest tests -m "not slow and not bed and not vagrant" --numprocesses $(JOBS) $(ARGS)

test-slow: setup ## random faults on real nodes, for minutes (ROUNDS=50 SEEDS="1 2 3")
	@.venv/bin/pytest tests -m slow $(ARGS)

test-bed: setup ## the bed of machines with systemd itself (as root; apt-get install mmdebstrap systemd-container nftables)
	@.venv/bin/pytest tests -m bed $(ARGS)

test-cluster: setup ## the stories of a cluster on machines with systemd (as root, with what test-bed needs)
	@.venv/bin/pytest tests/cluster/machines -m bed $(ARGS)

vagrant-lxc: setup ## the Vagrantfile itself, with LXC (as root; apt-get install vagrant vagrant-lxc lxc dnsmasq-base)
	@$(python) -m tests.cluster.bed prepare >/dev/null
	@unshare --net --mount --pid --fork --kill-child --mount-proc .venv/bin/pytest tests/cluster/vagrant -m vagrant $(ARGS)

test-unit: setup ## the tests that start no server
	@.venv/bin/pytest tests/unit tests/simulation $(ARGS)

simulate: setup ## random histories against the real rules (STEPS=5000000 SEED=1)
	@$(python) -m tests.simulation.run --steps $(STEPS) --seed $(SEED) $(ARGS)

chaos: setup ## everything that can happen to a cluster of separate hosts (as root, with what test-bed needs; SEED=1 MINUTES=30, or SCENARIO=cut_leader, all; MUTATION=detach_left_out)
	@$(python) -m tests.chaos run --seed $(SEED) --minutes $(MINUTES) $(SCENARIO:%=--scenario %) $(MUTATION:%=--mutation %) $(ARGS)

chaos-down: setup ## remove what a killed run has left
	@$(python) -m tests.chaos down

bench-failover: setup ## how long writing is interrupted by each fault
	@$(python) -m benchmarks.failover $(ARGS)

bench-calm: setup ## that load alone causes no failover
	@$(python) -m benchmarks.calm $(ARGS)

bench-idle: setup ## what an idle node costs
	@$(python) -m benchmarks.idle $(ARGS)

bench-files: setup ## mirroring files beside plain rsync, and how soon an upload is acknowledged
	@$(python) -m benchmarks.files $(ARGS)

bench-rest: setup ## how fast reads are answered, alone and in a cluster, and what the lease gate costs
	@$(python) -m benchmarks.rest $(ARGS)

bench-install: setup ## from nothing to a cluster of three machines with systemd (as root, with what test-bed needs)
	@$(python) -m benchmarks.install $(ARGS)

bench-workflows: setup ## operations per second of the engine, beside a bare Celery group
	@$(python) -m benchmarks.workflows $(ARGS)

bench-resume: setup ## how soon a thousand interrupted executions go on, or have failed
	@$(python) -m benchmarks.resume $(ARGS)

lint: setup ## style, types and import contracts
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/lint-imports --no-logo

format: setup ## put the code into shape
	.venv/bin/ruff check --fix
	.venv/bin/ruff format

docs: setup ## build the documentation into site/
	@NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --strict

lock: setup ## lock the versions anew (ARGS=--upgrade takes newer ones)
	.venv/bin/uv pip compile --quiet --universal --python-version 3.11 --extra test --extra dev \
		--custom-compile-command 'make lock' --output-file requirements.lock $(ARGS) pyproject.toml

clean: ## remove what the tools made; a running demo stays
	rm -rf .venv build site *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
