# Commands, each of which does all of its own set-up in .venv and is quick the second time:
#
#   make demo   restores the bundled samples into demo-output/
#   make test   runs the tests, in a virtual display where there is none
#   make check  runs ruff, mypy and the contracts between rooms
#   make docs   builds the site into docs/_build/html; a warning is an error
#
# Another Python: make demo PYTHON=python3.12. Only some tests: make test PYTEST_ARGS="tests/model -x".

PYTHON ?= python3
VENV ?= .venv
PYTEST_ARGS ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# A Linux machine without a screen gets a virtual one; macOS never sets DISPLAY and needs none.
# Looked up when the tests start, since `display` may have installed it.
HEADLESS = $(if $(filter Linux,$(shell uname -s)),$(if $(DISPLAY)$(WAYLAND_DISPLAY),,$(if $(shell command -v xvfb-run 2>/dev/null),xvfb-run -a)))

.PHONY: help demo test quick coverage check lint types imports docs display clean

help:
	@echo "make demo    restore the bundled samples into demo-output/"
	@echo "make test    run the tests"
	@echo "make quick   run those of them that are not marked as slow, on all cores"
	@echo "make coverage  run all tests and tell which lines and branches they reach; rooms keep their floors"
	@echo "make check   run the linter, the formatter, the type checker and the contracts between rooms"
	@echo "make docs    build the site into docs/_build/html"
	@echo "make clean   remove $(VENV), demo-output/ and the built site"

demo: $(VENV)/package.stamp
	$(BIN)/anyir demo --output demo-output

test: $(VENV)/test.stamp display
	$(HEADLESS) $(BIN)/python .ci/run_tests.py $(PYTEST_ARGS)

# All but the tests that are marked as slow, in as many processes as there are cores, of one thread each.
quick: $(VENV)/test.stamp display
	OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 $(HEADLESS) $(BIN)/python .ci/run_tests.py -m "not slow" -n auto --maxprocesses 8 --dist loadfile $(PYTEST_ARGS)

# Lines and branches of all tests; a tenth to a fifth more time than the tests alone.
coverage: $(VENV)/test.stamp display
	$(HEADLESS) $(BIN)/python .ci/check_coverage.py $(PYTEST_ARGS)

check: lint imports types

lint: $(VENV)/check.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

imports: $(VENV)/check.stamp
	$(BIN)/python .ci/check_imports.py

types: $(VENV)/check.stamp
	$(BIN)/python .ci/check_types.py

# Strict: a link that leads nowhere, a page that nobody finds and a docstring that cannot be read are errors.
docs: $(VENV)/docs.stamp
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet --builder html docs docs/_build/html
	@echo "The site is docs/_build/html/index.html"

# Installs the system packages that a window needs, as root or where sudo asks nothing; otherwise names them,
# and the tests that need a window are skipped.
display: $(VENV)/pyvenv.cfg
	@$(BIN)/python .ci/system_packages.py window --install

$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "This needs Python 3.11 or newer, and '$(PYTHON)' is not: name another, as in 'make demo PYTHON=python3.11'." >&2; exit 1; }
	@$(PYTHON) .ci/system_packages.py venv --install
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --upgrade "pip>=25.1"

# Torch first and alone: see constraints.txt.
$(VENV)/torch.stamp: constraints.txt | $(VENV)/pyvenv.cfg
	$(PIP) install --constraint constraints.txt torch
	@touch $@

$(VENV)/package.stamp: pyproject.toml $(VENV)/torch.stamp
	$(PIP) install --constraint constraints.txt --editable ".[all]"
	@touch $@

$(VENV)/test.stamp: pyproject.toml $(VENV)/package.stamp
	$(PIP) install --constraint constraints.txt --group test
	@touch $@

$(VENV)/check.stamp: pyproject.toml $(VENV)/package.stamp
	$(PIP) install --constraint constraints.txt --group lint --group types
	@touch $@

# The reference reads the docstrings of training/ as well, which the test group brings the packages for.
$(VENV)/docs.stamp: pyproject.toml $(VENV)/package.stamp
	$(PIP) install --constraint constraints.txt --group docs
	@touch $@

clean:
	rm -rf $(VENV) demo-output docs/_build docs/_generated
