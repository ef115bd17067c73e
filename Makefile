# make setup | serve | test | soak | lint | bench | lock
#
# PYTHON chooses the interpreter (3.11 or newer). ARGS is handed on: make serve ARGS="--port 9000",
# make test ARGS="tests/wire -q", make soak ARGS="--kills 50", make bench ARGS=--quick, make lock ARGS=--upgrade.

PYTHON ?= python3
ARGS ?=

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := setup
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: setup serve test soak lint bench lock

BIN := .venv/bin
PIP := $(PYTHON) -m pip --python .venv --disable-pip-version-check --quiet
APT := DEBIAN_FRONTEND=noninteractive apt-get --quiet=2 --option=Dpkg::Use-Pty=0

# $(call debian,CHECK,PACKAGES): where CHECK fails, root on Debian gets PACKAGES and others are told.
define debian
@if ! { $(1); } >/dev/null 2>&1; then \
	if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
		echo "make $(MAKECMDGOALS): please install $(2) (on Debian: apt-get install $(2)), then run it again" >&2; \
		exit 1; \
	fi; \
	echo "installing $(2)"; \
	$(APT) install --yes --no-install-recommends $(2) >/dev/null 2>&1 || \
		{ $(APT) update && $(APT) install --yes --no-install-recommends $(2) >/dev/null; }; \
fi
endef

setup: .venv/.setup
	@:

# The environment is made without pip, which Debian splits off; the interpreter's own pip fills it.
.venv/.setup: requirements/serve.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed: make $(MAKECMDGOALS) PYTHON=/path/to/python3" >&2; exit 1; }
	$(call debian,$(PYTHON) -m pip --version,python3-pip)
	@$(PYTHON) -m venv --without-pip .venv
	@echo "installing requirements/serve.txt"
	@$(PIP) install --require-hashes --requirement requirements/serve.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.test: requirements/test.txt .venv/.setup
	@echo "installing requirements/test.txt"
	@$(PIP) install --require-hashes --requirement requirements/test.txt
	@touch $@

serve: setup
	@exec $(BIN)/writingmate serve $(ARGS)

lint: .venv/.test
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/mypy

POSTGRESQL := command -v initdb || compgen -G '/usr/lib/postgresql/*/bin/initdb'

# The tests start a PostgreSQL of their own; its programs are all they need.
test: lint
	$(call debian,$(POSTGRESQL),postgresql)
	@$(BIN)/pytest --numprocesses=2 $(ARGS)

# Two hours: the books drawn a thousand times, each codec fuzzed for ten minutes (FUZZ_SECONDS), then a thousand
# kills of real gateways under load.
soak: .venv/.test
	$(call debian,$(POSTGRESQL),postgresql)
	@BOOKS_EXAMPLES=$${BOOKS_EXAMPLES:-1000} $(BIN)/pytest --quiet --numprocesses=2 tests/metering/test_books.py
	@$(BIN)/python -m tests.fuzz
	@$(BIN)/python -m tests.soak $(ARGS)

bench: setup
	$(call debian,PATH="$$PATH:/usr/sbin" command -v nginx && command -v cc,nginx-light gcc libc6-dev)
	@$(BIN)/python -m bench $(ARGS)

lock:
	@requirements/compile.sh $(ARGS)
