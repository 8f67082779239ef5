# Everyday commands; `make` or `make help` lists them.
# Everything runs in .venv, which is made from the pinned locks when it is first needed.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
COURSE_READY := $(VENV)/.course-ready
TOOLS_READY := $(VENV)/.tools-ready
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help: ## list these commands
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ---- for learners

.PHONY: lab
lab: $(COURSE_READY) ## open the course in JupyterLab (PORT=8888 CHAPTER=01_basics)
	@$(BIN)/classroom lab $(CHAPTER) $(if $(PORT),--port $(PORT))

.PHONY: score
score: $(COURSE_READY) ## score your own notebooks, hidden tests included (CHAPTER=01_basics)
	@$(BIN)/classroom score $(CHAPTER)

.PHONY: update
update: $(COURSE_READY) ## fetch a newer course and keep every answer
	@$(BIN)/classroom update

.PHONY: doctor
doctor: $(COURSE_READY) ## say what is installed, what is missing and how to get it
	@$(BIN)/classroom doctor

# ---- for authors and instructors

.PHONY: build
build: $(COURSE_READY) ## make the notebooks from the texts in solutions/
	@$(BIN)/classroom build $(CHAPTER)

.PHONY: check
check: $(COURSE_READY) ## list everything in the course that is not in order
	@$(BIN)/classroom check $(CHAPTER)

.PHONY: site
site: $(TOOLS_READY) ## make the book and the course for the browser in _site/
	@$(BIN)/classroom site

.PHONY: mutants
mutants: $(COURSE_READY) ## list small mistakes in solutions that no test would notice (CHAPTER=01_basics)
	@$(BIN)/classroom mutants $(CHAPTER)

.PHONY: grade
grade: $(COURSE_READY) ## grade a class: sandboxed, resumable (CHAPTER=01_basics, ARGS="--student ada")
	@$(BIN)/classroom grade $(if $(CHAPTER),$(CHAPTER),$(error say which chapter: make grade CHAPTER=01_basics)) $(ARGS)

.PHONY: demo
demo: $(COURSE_READY) ## grade a made class from end to end and compare with what is expected
	@$(BIN)/classroom demo $(CHAPTER)

# ---- for contributors

.PHONY: test
test: $(TOOLS_READY) ## run everything that CI runs
	@PATH="$(CURDIR)/$(BIN):$$PATH" bash tests/run.sh

.PHONY: quick
quick: $(TOOLS_READY) ## run the tests of a minute: of the code, or of a chapter (CHAPTER=01_basics)
	@PATH="$(CURDIR)/$(BIN):$$PATH" bash tests/run.sh quick $(CHAPTER)

.PHONY: lint
lint: $(TOOLS_READY) ## format, lint, types and spelling only
	@PATH="$(CURDIR)/$(BIN):$$PATH" bash tests/run.sh lint

.PHONY: bench
bench: $(TOOLS_READY) ## measure speed, as ratios in one run
	@for script in benchmarks/*.py; do $(BIN)/python $$script || exit 1; done

.PHONY: mutate
mutate: $(TOOLS_READY) ## try small mistakes on the core's tests, twenty minutes (MODULE=rounding)
	@$(BIN)/python tests/mutation.py $(MODULE)

.PHONY: history
history: $(TOOLS_READY) ## make the bundled prices and the hourly cache from their pinned sources
	@$(BIN)/python -m classroom.upkeep.history

.PHONY: lock
lock: $(TOOLS_READY) ## renew the pinned versions from pyproject.toml
	@$(BIN)/python -m classroom.upkeep.lock

# ---- the environment

.PHONY: install
install: $(TOOLS_READY) ## make .venv with everything, without running anything

.PHONY: clean
clean: ## remove the environment and all caches (never your notebooks)
	rm -rf $(VENV) .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 14) else "The course needs Python 3.11, 3.12, 3.13 or 3.14; %s is %d.%d. Give another: make PYTHON=python3.12 ..." % ((sys.executable,) + v))'
	@echo "Making the environment in $(VENV) (once; a few minutes) ..."
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "Python's venv module is incomplete. On Debian or Ubuntu: apt-get install python3-venv"; exit 1; }

$(COURSE_READY): binder/requirements.txt pyproject.toml | $(VENV)/bin/python
	@$(BIN)/python -m pip install --quiet --require-hashes -r binder/requirements.txt
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q helpers
	@touch $@

$(TOOLS_READY): $(COURSE_READY) tests/requirements.txt
	@$(BIN)/python -m pip install --quiet --require-hashes -r tests/requirements.txt
	@touch $@
