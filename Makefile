# redcell: two commands do everything: `make demo` and `make test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO_STAMP := $(VENV)/.demo

.PHONY: demo test check setup format lock bench clean

demo: $(DEMO_STAMP)  ## install, print one assessed patient, write its HTML report
	@mkdir -p out
	@$(BIN)/redcell assess demo::okafor --at 2026-11-22T09:00:00Z
	@$(BIN)/redcell assess demo::okafor --at 2026-11-22T09:00:00Z --format html > out/okafor.html
	@$(BIN)/redcell assess demo::okafor --at 2026-11-22T09:00:00Z --format html --for patient > out/okafor-letter.html
	@echo "The same as a page to print: out/okafor.html. As a letter to the patient: out/okafor-letter.html."

setup: $(STAMP)  ## .venv with the product, every extra and the test tools

test: $(STAMP)  ## everything that proves the product, on a new machine too
	@sh tools/install-chromium.sh
	$(BIN)/python -m pytest

check: $(STAMP)  ## format, lint, types, layers, tests with branch coverage
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest --cov --cov-report=term
	$(BIN)/python tools/coverage_floor.py

format: $(STAMP)
	$(BIN)/ruff check --fix-only src tests benchmarks
	$(BIN)/ruff format src tests benchmarks

bench: $(STAMP)  ## speed figures, medians and ratios in one run
	$(BIN)/python benchmarks/run.py

lock: $(STAMP)  ## renew the locked versions with their hashes
	sh tools/lock.sh

$(BIN)/uv: requirements/uv.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt

$(DEMO_STAMP): $(BIN)/uv requirements/base.txt pyproject.toml
	@if [ ! -f $(STAMP) ]; then VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --require-hashes -r requirements/base.txt; \
	VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --no-deps --no-build-isolation -e .; fi
	@touch $@

$(STAMP): $(BIN)/uv requirements/dev.txt pyproject.toml
	VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --require-hashes -r requirements/dev.txt
	VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

clean:
	rm -rf $(VENV) out
