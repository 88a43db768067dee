# Everything a person types. Each target sets up by itself what it needs: `make demo` from a fresh clone is enough.
#
#   make PYTHON=python3.12 test     another interpreter (3.10 or newer), before .venv is made or after `make clean`
#   make demo GPU=0                 train on the first GPU

PYTHON ?= $(shell command -v python3.11 || command -v python3)
GPU ?= -1
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
BENCHMARKS := $(filter-out benchmarks/check_claims.py,$(sort $(wildcard benchmarks/*.py)))

.DEFAULT_GOAL := help
.PHONY: demo test browser screenshot check docs bench clean help

help:  ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## */  make \1\t/' | expand -t 16

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "Python 3.10 or newer is needed; name one: make PYTHON=python3.11"; exit 1; }
	@echo "== Setting up $(VENV) with $$($(PYTHON) --version): several minutes and about 2 GB the first time"
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --constraint constraints.txt --editable ".[demo,dev]"
	@touch $@

demo: $(STAMP)  ## convert, train, calibrate, evaluate, package and try the joint pipeline on the corpus in assets/
	@start=$$(date +%s) && \
	$(BIN)/python -m spacy project run all . --vars.gpu_id $(GPU) && \
	seconds=$$(( $$(date +%s) - start )) && \
	echo && \
	echo "Done in $$(( seconds / 60 )) min $$(( seconds % 60 )) s." && \
	echo "  trained pipeline   training/joint/calibrated" && \
	echo "  calibration        metrics/joint_calibration" && \
	echo "  model card         training/joint/release/README.md" && \
	echo "  wheel              $$(ls packages/*/dist/*.whl | tail -n 1)" && \
	echo "A step that has nothing new to do is skipped the next time; make clean forgets all of them." && \
	echo && \
	echo "How good it is, and where it errs: metrics/joint/index.html"

test: $(STAMP)  ## all tests, with the network blocked
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 $(ARGS)

browser: $(STAMP)  ## the tests of HTML pages, in headless Chromium: needs the Debian packages chromium and chromium-driver
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m browser $(ARGS)

screenshot: $(STAMP)  ## make docs/images/report.png again, with the same Chromium
	$(BIN)/python tests/evaluation/chromium.py docs/images/report.png

check: $(STAMP)  ## lint, format, types, layering, and the figures that the documentation quotes
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_layering.py
	$(BIN)/python benchmarks/check_claims.py

docs: $(STAMP)  ## build the documentation into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "Open site/index.html"

bench: $(STAMP)  ## run every benchmark (ARGS=--quick only sees that they run, and keeps nothing)
	@for script in $(BENCHMARKS); do echo "== $$script $(ARGS)"; $(BIN)/python $$script $(ARGS) || exit 1; done

clean:  ## remove everything that the other targets have made, the environment included
	rm -rf $(VENV) .venv-tf5 .venv-peers benchmarks/work corpus training metrics packages site build test-artefacts *.egg-info project.lock
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
