# redcell. Two commands do everything: `make demo` and `make test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet
OWN := $(UV) --no-deps --no-build-isolation --editable . && $(BIN)/python -m compileall -q src
CODE := src tests benchmarks tools
TESTS := $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
AT := 2026-11-22T09:00:00Z
SECONDS ?= 1800
MUTANTS ?= 400

.PHONY: help demo setup test check format bench bench-model bench-service bench-population bench-spark bench-demand torture fuzz mutation trust-report sbom validation lock clean

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1	\2/p' Makefile

demo: $(VENV)/.demo  ## install, print one assessed patient, serve a clinic of invented people
	@$(BIN)/redcell assess demo::okafor --at $(AT)
	@echo
	@$(BIN)/redcell demo

setup: $(VENV)/.dev  ## .venv with the product, every extra and the test tools

test: $(VENV)/.dev  ## everything that proves the product
	@sh tools/system.sh
	$(TESTS)

check: $(VENV)/.dev  ## format, lint, types, layers, tests with branch coverage
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(TESTS) --cov --cov-report=json:out/coverage.json --cov-report=term
	$(BIN)/python tools/coverage_floor.py out/coverage.json

format: $(VENV)/.dev  ## format and mend what can be mended
	$(BIN)/ruff check --fix-only --quiet $(CODE)
	$(BIN)/ruff format $(CODE)

bench: $(VENV)/.dev  ## speed, as medians and ratios in one run
	$(BIN)/python benchmarks/run.py

bench-model: $(VENV)/.dev  ## the red-cell model against other ways to fit it
	$(BIN)/python benchmarks/model.py

torture: $(VENV)/.dev  ## long runs, hours: kills, power loss, damage, orders, malformed input, load, soak
	@sh tools/system.sh
	$(BIN)/python tests/operation/kill.py --kills 200 --store sqlite
	$(BIN)/python tests/operation/kill.py --kills 200 --store postgresql
	$(BIN)/python tests/operation/described.py --cases 5000
	$(BIN)/python tests/operation/power.py --images 1000
	$(BIN)/python tests/operation/damage.py --flips 1000
	$(BIN)/python tests/operation/tamper.py --edits 1000
	$(BIN)/python tests/operation/orders.py --events 8
	$(BIN)/python tests/operation/swaps.py --swaps 10000
	$(BIN)/python tests/operation/malformed.py --number 10000
	$(BIN)/python tests/operation/agree.py --inputs 10000
	$(BIN)/python tests/operation/backups.py --backups 50
	$(BIN)/python tests/operation/gaps.py --tries 200
	$(BIN)/python tests/operation/idle.py --sockets 10000
	$(BIN)/python tests/operation/large.py --entries 1000000 --megabytes 1000
	$(BIN)/python tests/operation/overload.py --seconds 60
	$(BIN)/python tests/operation/soak.py --minutes 60
	REDCELL_EVERY_LOOK=1 $(BIN)/python -m pytest tests/pages/test_today_access.py tests/pages/test_states.py
	$(MAKE) fuzz mutation trust-report

fuzz: $(VENV)/.dev  ## coverage-guided fuzzing of every reader: make fuzz SECONDS=1800
	$(BIN)/python tests/fuzz/run.py --seconds $(SECONDS)

mutation: $(VENV)/.dev  ## mutants of units, record, rules, authorization and audit, and who lives
	$(BIN)/python tools/mutation.py --sample $(MUTANTS)

trust-report: $(VENV)/.dev  ## docs/trust-report.md and docs/safety/ from what runs left in out/
	$(BIN)/python tools/safety.py
	$(BIN)/python tools/trust_report.py

sbom: $(VENV)/.dev  ## out/sbom.json: CycloneDX of what is locked
	@mkdir -p out
	$(BIN)/cyclonedx-py requirements requirements/base.txt --output-reproducible --of JSON -o out/sbom.json

bench-service: $(VENV)/.dev  ## the service: start, latency, feeds, pages, CDS calls beside a raw floor
	$(BIN)/python benchmarks/service.py
	$(BIN)/python benchmarks/mllp.py
	$(BIN)/python benchmarks/pages.py
	$(BIN)/python benchmarks/cds.py

bench-population: $(VENV)/.dev  ## many patients beside orjson, DuckDB and FHIR libraries: FOLDER=a folder of NDJSON
	$(BIN)/python benchmarks/population.py $(FOLDER)

bench-demand: $(VENV)/.dev  ## is demand right at large clinics, and at small ones: hours
	$(BIN)/python benchmarks/demand.py

bench-spark: $(VENV)/.dev  ## a cohort on Spark, beside one process and the plain way
	$(BIN)/python benchmarks/spark.py

validation: $(VENV)/.dev  ## how good forecasts are: the acceptance table and docs/validation.md
	$(BIN)/python tests/model/validation.py

lock: $(VENV)/.uv  ## renew the locked versions and their hashes
	sh tools/lock.sh

clean:  ## remove what was installed and written
	rm -rf $(VENV) out

$(VENV)/.uv: requirements/uv.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(VENV)/.demo: $(VENV)/.uv requirements/base.txt pyproject.toml
	@if [ -e $(VENV)/.dev ]; then true; else \
	$(UV) --require-hashes -r requirements/base.txt && $(OWN); fi
	@touch $@

$(VENV)/.dev: $(VENV)/.uv requirements/dev.txt pyproject.toml
	$(UV) --require-hashes -r requirements/dev.txt
	$(OWN)
	@touch $@
