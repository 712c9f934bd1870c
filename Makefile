# Two commands do everything: `make gate` and `make test`. Each sets up .venv by itself.
STAGE ?= stage_b
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# schemathesis registers with pytest and doubles what each of its processes costs, so it has an environment of its own.
OPENAPI := $(VENV)/openapi
# Tests that hear, time or kill real processes have the machine to themselves; all others share its cores. Whole gates
# run as users run them, without the coverage that would slow down every process of theirs.
ALONE := tests/sandbox tests/faults
GATES := tests/suites
# No test takes a quarter of an hour. One that hangs is killed and shown, and does not eat the machine's time.
PYTEST := pytest --timeout=900 --timeout-method=thread
CHECKED := $(BIN)/coverage run -m $(PYTEST)
# What failed is run once more with the machine to itself: a defect fails again. A test that does not has a defect of
# its own, so its first failure stays in the output, and these words with it. Nothing to repeat is a failure too.
AGAIN := { echo "These failed (above); once more, alone, to tell a busy machine from a defect."; \
  $(BIN)/$(PYTEST) tests --last-failed --last-failed-no-failures=none; }

.DEFAULT_GOAL := gate
.PHONY: gate test openapi faults fuzz lint check-python clean

gate: $(READY) ## run a stage on the embedded sandbox, seal the bundle, say what it means
	$(BIN)/pytest -m $(STAGE) --spiral-evidence

test: $(READY) $(OPENAPI)/.ready ## linters, types, layers, then every test with branch coverage
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/coverage erase
	rm -rf .pytest_cache
	$(CHECKED) tests $(patsubst %,--ignore=%,$(ALONE) $(GATES)) -n auto --maxprocesses=4 --dist=loadfile || $(AGAIN)
	$(CHECKED) $(ALONE) || $(AGAIN)
	$(BIN)/$(PYTEST) $(GATES) || $(AGAIN)
	$(BIN)/python tools/drop_unbegun_coverage.py
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --fail-under=90

openapi: $(OPENAPI)/.ready ## what the OpenAPI document allows and forbids, asked of the servers
	$(BIN)/pytest tests/openapi

faults: $(READY) ## every point of the fault injections, and 100 random kills; needs strace for the former
	FAULTS=1 KILLS=100 $(BIN)/pytest tests/faults

fuzz: $(READY) ## every parser, guided by coverage, SECONDS each (default 20); needs atheris (pip install '.[fuzz]')
	$(BIN)/python tests/fuzz/fuzz.py --seconds $(or $(SECONDS),20)

check-python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "pytest-spiral needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1). Remedy: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 2; }

$(READY): pyproject.toml | check-python
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv module is missing. Remedy: install python3-venv, then run make again."; exit 2; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]' || \
	  { echo "The packages could not be installed into $(VENV). Remedy: check the network or the package index, then run make again."; exit 2; }
	@touch $(READY)

# An environment beside the first, which it borrows from: schemathesis would slow down every start of pytest.
$(OPENAPI)/.ready: $(READY)
	@$(BIN)/python -m venv --without-pip $(OPENAPI)
	@$(OPENAPI)/bin/python -c 'import pathlib, sys, sysconfig; pathlib.Path(sysconfig.get_path("purelib"), "borrowed.pth").write_text(f"import site; site.addsitedir({sys.argv[1]!r})\n")' \
	  "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
	@$(OPENAPI)/bin/python -m pip install --quiet --disable-pip-version-check 'pytest-spiral[openapi]' && touch $@ || \
	  echo "schemathesis could not be installed into $(OPENAPI); its tests are environment-limited. Remedy: check the network or the package index, then run make again."

clean: ## remove the environment and everything that tools left behind
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .coverage .coverage.* build dist *.egg-info
