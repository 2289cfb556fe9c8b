# make run    makes the environment and starts Torchroom (HOST and PORT are honoured)
# make test   everything needed, a browser included, then every check and test
.PHONY: help env dev browser run dev-run test check bench firsts shots new data clean
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BESIDE := -n auto --maxprocesses 8 --dist loadfile --durations 15

help:
	@sed -n 's/^# //p' Makefile
	@echo "env · dev · browser · check · bench NAME=live · firsts · shots · new NAME=lesson · data · clean"

env: $(VENV)/.runtime $(VENV)/.native
dev: $(VENV)/.dev $(VENV)/.native

$(VENV)/.runtime: requirements.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

$(VENV)/.dev: requirements-dev.txt requirements-ray.txt $(VENV)/.runtime
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

$(VENV)/.native: engine/models/kernels/build.py $(wildcard engine/models/kernels/*.cpp) $(VENV)/.runtime
	$(BIN)/python -m engine.models.kernels.build
	touch $@

run: env
	exec $(BIN)/python app.py

# the same with Streamlit's file watcher on: an edited page shows at once
dev-run: env
	STREAMLIT_SERVER_FILE_WATCHER_TYPE=auto exec $(BIN)/streamlit run app.py

browser:
	sh tests/browser/install.sh

check: dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# first what only computes, then processes and browsers: those wait more than they work, and would wait for the others
test: check browser
	$(BIN)/python -m pytest $(BESIDE) tests/unit tests/lessons tests/pages
	$(BIN)/python -m pytest $(BESIDE) tests/engine tests/web tests/browser

bench: dev
	$(BIN)/python -m tests.bench $(NAME)

firsts: env
	$(BIN)/python -m lessons.recordings

shots: dev browser
	$(BIN)/python -m tests.browser.shots

# fetches CIFAR-10 into ./data, as the page does
data: env
	$(BIN)/python -m engine.datasets.cifar10

new: env
	$(BIN)/python -m lessons.new $(NAME)

clean:
	rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache .hypothesis
