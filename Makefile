# All targets work on a machine that has only Python 3.11 or newer, Go, git and make: scripts/bootstrap fetches the rest into .tools and .venv,
# and the control plane for tests is built once into ${XDG_CACHE_HOME:-~/.cache}/ecs-release-operator.
MAKEFLAGS += --no-builtin-rules --warn-undefined-variables
SHELL := /bin/sh
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

# The interpreter that .venv is made of; empty: the one that it has, else the first that fits.
PYTHON ?=
# Workers of pytest: the tests mostly wait, for two cores four are about right.
WORKERS ?= 4
# Benchmarks to run; empty: all.
BENCH ?=
# The tag that is released, such as v1.2.3; empty: only what always has to agree.
TAG ?=
# How long each of make soak's long parts takes, and from which seed; empty: by chance.
MINUTES ?= 20
SEED ?=
# More arguments for pytest: make test PYTEST_ARGS='-k drift'.
PYTEST_ARGS ?=

export PYTHON TAG
# A user's activated environment is not ours.
unexport VIRTUAL_ENV
# pytest rewrites the asserts of 500 modules: kept beside them, as bootstrap keeps bytecode, or each worker does so in each run.
unexport PYTHONDONTWRITEBYTECODE

RUN := .venv/bin/python -m
BIN := .venv/bin
SUITES = $(wildcard tests/unit tests/model tests/fuzz tests/contract tests/apiserver tests/chart tests/attacks tests/e2e)

##@ Try it
.PHONY: demo
demo: control-plane ## A release, a rollback, drift, a race of builds: two and a half minutes on a real API server and a simulated AWS
	@$(RUN) tests.demo

.PHONY: playground
playground: control-plane ## The demo's bed, left running: prints the KUBECONFIG and AWS endpoint to use
	@$(RUN) tests.playground

.PHONY: playground-down
playground-down: bootstrap ## End the playground
	@$(RUN) tests.playground down

##@ Before a pull request
.PHONY: test
test: check control-plane chart-tools browser ## All that CI runs: check, then unit, model, fuzz, contract, apiserver, chart, attack and e2e tests, and whether all rights were used
	@echo "test: $(SUITES) with $(WORKERS) workers" >&2
	@rm -rf build/used
	@ECS_RELEASE_TEST_USED=$(CURDIR)/build/used $(RUN) pytest $(SUITES) --numprocesses=$(WORKERS) --dist=loadgroup $(PYTEST_ARGS)
	@$(if $(strip $(PYTEST_ARGS)),echo "test: PYTEST_ARGS may leave tests out: rights are not compared with their use" >&2,$(RUN) tests.proof build/used > build/rights.txt)

.PHONY: test-fast
test-fast: lint ## Ruff and the unit tests without those marked slow: two minutes on two cores
	@echo "test-fast: tests/unit with $(WORKERS) workers" >&2
	@$(RUN) pytest tests/unit -m "not slow" --numprocesses=$(WORKERS) --dist=loadgroup $(PYTEST_ARGS)

.PHONY: check
check: lint types imports verify docs ## All checks that run nothing: lint, types, imports, generated files, the documentation's site

.PHONY: lint
lint: bootstrap ## Ruff: rules and format
	@echo "lint: ruff" >&2
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check . || { echo "lint: files need formatting: run make format" >&2; exit 1; }

.PHONY: types
types: bootstrap ## mypy, strict, over operator/
	@echo "types: mypy" >&2
	@$(BIN)/mypy --no-error-summary

.PHONY: imports
imports: bootstrap ## import-linter: the rooms import one way
	@echo "imports: import-linter" >&2
	@$(BIN)/lint-imports --no-cache > build/imports.log || { cat build/imports.log; exit 1; }

.PHONY: verify
verify: bootstrap ## Generated files are what make generate writes
	@echo "verify: generated files" >&2
	@rm -rf build/crds && $(RUN) ecs_release.api.generate build/crds
	@diff -ru crds build/crds || { echo "verify: crds/ is not what the models say: run make generate" >&2; exit 1; }
	@$(RUN) tests.chart.generate --check
	@$(RUN) tests.documentation.reference --check
	@$(RUN) tests.documentation.diagrams --check

.PHONY: docs
docs: bootstrap ## The documentation as a site in build/site; no link in it may be broken, nothing may be loaded from elsewhere
	@echo "docs: mkdocs" >&2
	@# Not --quiet: mkdocs counts no warning that it does not tell, and so would find nothing.
	@NO_MKDOCS_2_WARNING=1 $(RUN) mkdocs build --strict > build/docs.log 2>&1 || { cat build/docs.log; exit 1; }

##@ Release the project
.PHONY: release-check
release-check: verify ## Version, changelog, chart and CRDs agree; with TAG=v1.2.3 all that a release needs
	@# By the environment, which make passes on as it is: the name of a tag may hold what make or a shell would run.
	@$(RUN) tests.release check --tag "$$TAG"

.PHONY: audit
audit: bootstrap ## Known vulnerabilities of what uv.lock pins (needs the network)
	@mkdir -p build
	@.tools/uv-* export --frozen --quiet --all-groups --no-emit-project --output-file build/requirements.txt
	@# Strict: what could not be looked up is no pass. An environment of its own: .venv stays as it is.
	@UV_PROJECT_ENVIRONMENT=build/audit .tools/uv-* run --frozen --only-group audit pip-audit --strict --requirement build/requirements.txt --require-hashes --disable-pip

.PHONY: release-keep
release-keep: bootstrap ## After a release: the next one is compared with it
	@$(RUN) tests.release keep

.PHONY: base-image
base-image: ## Pin the image's base by today's digest (needs a container registry)
	@scripts/base-image --pin

.PHONY: test-kind
test-kind: bootstrap ## The e2e suite on the chart, installed in a kind cluster; 75 without kind, Helm and an engine
	@$(RUN) tests.kind

##@ While developing
.PHONY: format
format: bootstrap ## Format, and mend what Ruff can mend
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

.PHONY: generate
generate: bootstrap ## Write crds/ from the models, the chart's copies, the reference's pages of API and IAM, the pictures of the architecture, and examples/argo-cd/argocd-cm.yaml from the Lua beside it
	@$(RUN) ecs_release.api.generate
	@$(RUN) tests.argo_cd_page
	@$(RUN) tests.chart.generate
	@$(RUN) tests.documentation.reference
	@$(RUN) tests.documentation.diagrams

.PHONY: bench
bench: control-plane ## The benchmarks (BENCH='release sets sinks ledger large commits board scrape tenants fleet'): a table, and build/bench.json
	@$(RUN) tests.benchmarks $(BENCH)

.PHONY: bench-page
bench-page: bootstrap ## Write what bench has measured into docs/benchmarks.md
	@$(RUN) tests.benchmarks.page

.PHONY: soak
soak: control-plane ## An hour and more: made-up histories of the model, mended mistakes made again, made-up inputs, crash points, bad wires, disturbances, upgrades, restarts (MINUTES=20 for the longest part; SEED=... of one that was ended goes on with it)
	@$(RUN) tests.reliability.parts --minutes $(MINUTES) $(if $(strip $(SEED)),--seed $(SEED))

.PHONY: reliability-page
reliability-page: bootstrap ## Write what make soak has done into docs/explanation/reliability.md
	@$(RUN) tests.reliability.page

.PHONY: control-plane
control-plane: bootstrap ## Build the control plane for tests, unless it is there
	@$(RUN) tests.control_plane build > /dev/null

.PHONY: chart-tools
chart-tools: bootstrap ## Build helm and kubeconform for tests, unless they are there
	@$(RUN) tests.chart.programs

.PHONY: browser
browser: bootstrap ## Have a Chromium for the tests of the board, unless there is one
	@$(RUN) tests.browser

.PHONY: bootstrap
bootstrap: ## Make .venv ready
	@scripts/bootstrap
	@$(RUN) compileall -q operator tests
	@mkdir -p build

.PHONY: clean
clean: ## Remove .venv, .tools and build; the cache of the control plane stays
	rm -rf .venv .tools build .mypy_cache .ruff_cache .hypothesis

.PHONY: help
help: ## Print this
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@/ { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { sub(":.*", "", $$1); printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
