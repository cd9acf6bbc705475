# Every way to run zbench from a clone; `make help` lists them. GNU make 4.
#
# All tools live in .venv, which the first target that needs it makes. What was installed is remembered by the text of
# what it was installed from, not by file times, so that a second run asks for nothing and works without a network.

PYTHON ?= python3

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
MAKEFLAGS += --no-builtin-rules

ifeq ($(wildcard asv.conf.json),)
$(error Targets run in the folder of this Makefile, which holds asv.conf.json. Use: make -C FOLDER TARGET)
endif

# Real volumes beside the clone are used without being asked for.
ifndef ZBENCH_DATA_MIRROR
ifneq ($(wildcard ../shared/corpus/catalog.json),)
export ZBENCH_DATA_MIRROR := $(CURDIR)/../shared/corpus
endif
endif

# Where this is set every import compiles its source anew, in every process of every benchmark and test.
unexport PYTHONDONTWRITEBYTECODE

# uv would answer a missing interpreter with a download.
export UV_PYTHON_DOWNLOADS := never

BIN := .venv/bin
# Made in this folder by this interpreter: a folder that was moved has programs that point to where it was.
MADE := .venv/.made-$(shell { pwd; echo '$(PYTHON)'; } | sha256sum | cut -c1-12)
WANTED := $(shell cat pyproject.toml zbench/__init__.py requirements/constraints-*.txt | sha256sum | cut -c1-12)
INSTALLED := .venv/.installed-$(WANTED)
INSTALLED_TEST := .venv/.installed-test-$(WANTED)
INSTALLED_LINT := .venv/.installed-lint-$(WANTED)
INSTALLED_DOCS := .venv/.installed-docs-$(WANTED)
WEB := web/node_modules/.made-$(shell sha256sum web/package.json | cut -c1-12)
PACKAGE_FILES = $$(find zbench -name '*.py')
ISSUE_FORMS = $$(find .github/ISSUE_TEMPLATE -name '*.yml' ! -name config.yml)

# $(call install,WHAT,ARGUMENTS) leaves the stamp $@.
define install
	@constraints=$$($(BIN)/python -c 'import sys; print("requirements/constraints-py{}{}.txt".format(*sys.version_info))')
	if [ -f "$$constraints" ]; then
		set -- --constraints "$$constraints"
	else
		echo "There is no $$constraints: the newest releases are installed."
		set --
	fi
	echo "Installing $(1) into .venv"
	$(BIN)/uv pip install --quiet --python .venv "$$@" --editable '.[all]' $(2)
	touch $@
endef
.ONESHELL:

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-20s %s\n", $$1, $$2 }' Makefile

.PHONY: install
install: $(INSTALLED) ## Install zbench with all its extras into .venv

.PHONY: bench
bench: $(INSTALLED) repository ## Benchmark this commit with asv (quick preset), publish the dashboard, print a summary
	@if [ -n "$$(git status --porcelain)" ]; then
		echo "asv measures commits: uncommitted changes are not in what follows, which is of $$(git log -1 --format='%h %s')"
	fi
	if ! $(BIN)/python -c 'from asv.machine import Machine, MachineCollection as known; \
		known.load(Machine.get_unique_machine_name())' 2>/dev/null; then
		echo "Telling asv about this machine, in ~/.asv-machine.json"
		$(BIN)/asv machine --yes >/dev/null
	fi
	# 2: a benchmark failed. What the others found is still published; the status is kept.
	status=0
	$(BIN)/asv run --record-samples --launch-method forkserver 'HEAD^!' || status=$$?
	[ "$$status" -eq 0 ] || [ "$$status" -eq 2 ] || exit "$$status"
	$(BIN)/asv publish
	$(BIN)/zbench summary
	exit "$$status"

.PHONY: preview
preview: $(INSTALLED) ## Serve the dashboard that `make bench` made, until Ctrl-C
	@$(BIN)/asv preview

.PHONY: bench-full
bench-full: $(INSTALLED) ## Measure the full preset on six volumes and write docs/results/lossless.md (hours; goes on where it stopped)
	@$(BIN)/zbench study lossless

.PHONY: overhead
overhead: $(INSTALLED) ## Measure what zbench adds around a timed call
	@$(BIN)/zbench study overhead

.PHONY: phantom-calibration
phantom-calibration: $(INSTALLED) ## Hold the cryoET phantom against published ratios and real tomograms
	@$(BIN)/zbench study phantom

.PHONY: amplification
amplification: $(INSTALLED) ## Count requests of real reads and hold them against the formula
	@$(BIN)/zbench study amplification

.PHONY: study-steps
study-steps: $(INSTALLED) ## Find known steps in generated histories, beside asv's own detection
	@$(BIN)/zbench study steps

.PHONY: study-gate
study-gate: $(INSTALLED) ## Find known slowdowns with the gate, beside asv, pytest-benchmark and pyperf (an hour; goes on where it stopped)
	@$(BIN)/zbench study gate

.PHONY: study-publish
study-publish: $(INSTALLED_TEST) browser ## Publish generated histories beside asv publish, and visit the site in a browser
	@$(BIN)/zbench study publish

# What the recorded sweep holds: releases that were withdrawn from the index too, and those that are timed.
WITHDRAWN := 3.0.0 3.0.1 3.0.2 3.0.3 3.0.4 3.0.5 3.0.6 3.0.7
TIMED := 2.16.1 2.17.2 2.18.7 3.0.0 3.0.6 3.0.10 3.1.0 3.1.6 3.2.0 3.2.1 3.3.0 3.4.0 3.4.2

.PHONY: sweep
sweep: $(INSTALLED) ## Count and time the releases of zarr and write docs/results/zarr-requests.md and zarr-sweep.md
	@$(BIN)/zbench sweep zarr --since 2.16 $(WITHDRAWN:%=--also %) $(TIMED:%=--time %) --output docs/results

# Each process takes whole files, whose tests share what they set up; three, for some tests wait more than they compute.
IN_PROCESSES := --numprocesses 3 --dist loadfile -m 'not long and not network'

.PHONY: test
test: $(INSTALLED_TEST) browser ## Run the tests, then the engine contract in every asv environment
	@$(BIN)/python -m pytest $(IN_PROCESSES)
	$(BIN)/python .ci/contract.py

.PHONY: coverage
coverage: $(INSTALLED_TEST) browser ## Run the tests, and tell which lines and branches they went through
	@$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest $(IN_PROCESSES)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

.PHONY: test-long
test-long: $(INSTALLED_TEST) browser ## Whole studies in small; a run killed at 30 moments; 512 MiB within 3 GiB, 4 GiB within 1 GiB (an hour)
	@$(BIN)/python -m pytest -m long
	ZBENCH_KILLS=30 $(BIN)/python -m pytest --timeout 3600 -k killed tests/integration/test_cryoet.py
	ZBENCH_LARGE=1 $(BIN)/python -m pytest -s tests/integration/test_large.py

.PHONY: lint
lint: $(INSTALLED_LINT) ## Check style, types, floors, docstrings, spelling, workflows, scripts and the Dockerfile
	@step() { echo "== $$1"; shift; "$$@"; }
	step ruff $(BIN)/ruff check .
	step 'ruff format' $(BIN)/ruff format --check .
	step mypy $(BIN)/mypy
	step import-linter $(BIN)/lint-imports
	step numpydoc $(BIN)/numpydoc lint $(PACKAGE_FILES)
	step codespell $(BIN)/codespell
	step workflows $(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	step dependabot $(BIN)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	step 'issue forms' $(BIN)/check-jsonschema --builtin-schema vendor.github-issue-forms $(ISSUE_FORMS)
	step 'issue chooser' $(BIN)/check-jsonschema --builtin-schema vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	step citation $(BIN)/check-jsonschema --builtin-schema vendor.citation-file-format --default-filetype yaml CITATION.cff
	step zizmor $(BIN)/zizmor --offline --quiet .github action.yml
	step action $(BIN)/check-jsonschema --builtin-schema vendor.github-actions action.yml
	step pre-commit $(BIN)/pre-commit validate-config .pre-commit-config.yaml
	step shellcheck $(BIN)/shellcheck .ci/run
	step hadolint $(BIN)/hadolint Dockerfile
	if command -v npm >/dev/null; then
		step 'types of the dashboard' $(MAKE) --no-print-directory web-types
	else
		echo '== types of the dashboard: npm is MISSING, they were not checked. On Debian: apt-get install npm' >&2
	fi

.PHONY: format
format: $(INSTALLED_LINT) ## Format the code and mend what ruff can mend
	@$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: dev
dev: $(INSTALLED_TEST) $(INSTALLED_LINT) repository ## Install all a developer needs, and the pre-commit hook
	@$(BIN)/pre-commit install

.PHONY: dist
dist: $(INSTALLED_LINT) ## Build the source distribution and the wheel, and check them
	@rm -rf dist
	$(BIN)/uv build --quiet --python .venv --out-dir dist
	$(BIN)/twine check --strict dist/*.whl dist/*.tar.gz

.PHONY: constraints
constraints: $(MADE) ## Resolve requirements/ anew to the newest releases
	@for version in 3.11 3.12 3.13; do
		$(BIN)/uv pip compile --quiet --upgrade --python-version "$$version" --no-annotate --no-emit-index-url \
			--no-emit-find-links --custom-compile-command 'make constraints' --all-extras --group dev \
			--output-file "requirements/constraints-py$${version/./}.txt" pyproject.toml
	done

.PHONY: web
web: $(WEB) ## Build the pages of the dashboard from web/ into zbench/report/site/assets, with Node
	@cd web && npm run --silent build

.PHONY: web-types
web-types: $(WEB) ## Check the types of the dashboard's pages, with Node
	@cd web && npm run --silent check

.PHONY: readme
readme: $(INSTALLED_LINT) ## Put into README.md and docs/reference what zbench prints, after make bench
	@$(BIN)/cog -r -I docs README.md docs/reference/grid.md docs/reference/results.md

.PHONY: docs
docs: $(INSTALLED_DOCS) ## Build the documentation site into .zbench/site
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict
	echo "file://$(CURDIR)/.zbench/site/index.html"

.PHONY: clean
clean: ## Remove caches and what was built
	@rm -rf build dist .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find benchmarks tests zbench -name __pycache__ -prune -exec rm -rf {} +

.PHONY: distclean
distclean: clean ## Remove the environments and all results too
	@rm -rf .venv .venv-contract .asv .zbench

.PHONY: repository
repository:
	@if ! command -v git >/dev/null; then
		echo "asv measures commits of a git repository, and git is not installed. Install it, on Debian: apt-get install git" >&2
		exit 2
	fi
	if ! prefix=$$(git rev-parse --show-prefix) || [ -n "$$prefix" ]; then
		echo "asv measures commits, and this folder is not the top of a git repository. Clone the repository" \
			"instead of unpacking an archive of it." >&2
		exit 2
	fi
	if ! git rev-parse --quiet --verify HEAD >/dev/null; then
		echo "asv measures commits, and this repository has none yet. Commit first." >&2
		exit 2
	fi

# Debian's Chromium, for the tests that open the dashboard; without it they are skipped, each with this reason.
.PHONY: browser
browser:
	@if command -v chromium >/dev/null; then
		exit 0
	elif [ "$$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
		echo "Installing Chromium"
		apt-get update --quiet=2
		DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --yes --no-install-recommends chromium >/dev/null
	else
		echo "chromium is MISSING: the browser tests will be skipped. On Debian, as root: apt-get install chromium" >&2
	fi

$(MADE):
	@if ! command -v '$(PYTHON)' >/dev/null; then
		echo "zbench needs Python 3.11 or newer, and there is no '$(PYTHON)'. Install one, or name it: make PYTHON=python3.12" >&2
		exit 2
	fi
	if ! '$(PYTHON)' -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
		echo "zbench needs Python 3.11 or newer: '$(PYTHON)' is $$('$(PYTHON)' --version 2>&1). Name another: make PYTHON=python3.12" >&2
		exit 2
	fi
	echo "Making .venv with $$('$(PYTHON)' --version)"
	'$(PYTHON)' -m venv --clear .venv
	constraints=$$($(BIN)/python -c 'import sys; print("requirements/constraints-py{}{}.txt".format(*sys.version_info))')
	[ -f "$$constraints" ] || constraints=/dev/null
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint "$$constraints" uv
	touch $@

$(WEB):
	@if ! command -v npm >/dev/null; then
		echo "The pages are built with Node 20 or newer, and there is no npm. On Debian, as root: apt-get install npm" >&2
		exit 2
	fi
	# Without a lock file: it would name the registry of whoever wrote it. Versions are exact in package.json.
	cd web
	npm install --silent --no-package-lock --no-audit --no-fund
	touch $(@F:%=node_modules/%)

$(INSTALLED): $(MADE)
	$(call install,zbench,)

$(INSTALLED_TEST): $(MADE)
	$(call install,zbench and what its tests need,--group test)

$(INSTALLED_LINT): $(MADE)
	$(call install,zbench and its checkers,--group lint)

$(INSTALLED_DOCS): $(MADE)
	$(call install,zbench and what builds its documentation,--group docs)
