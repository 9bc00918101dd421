# digitclf: every target sets up what it needs, once.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
export PIP_DISABLE_PIP_VERSION_CHECK = 1
# an absolute path, since notebooks run in their own folder
DIGITCLF_CHINESE ?= $(wildcard ../shared/data/chinese-mnist.zip)
override export DIGITCLF_CHINESE := $(abspath $(DIGITCLF_CHINESE))
PORT ?= 3000

.DEFAULT_GOAL := help
.PHONY: help setup train test check lab docs docs-serve docs-test walkthroughs bench seeds recipe transfer chinese readme clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | awk -F'|' '{printf "%-20s %s\n", $$1, $$2}'

setup: $(READY) ## make .venv with the package and all that it needs (5 GB, minutes; once)

$(READY): settings.ini setup.py
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 10) else "digitclf needs Python 3.10 or newer, this is " + sys.version.split()[0] + "; try: make PYTHON=python3.12 …")'
	@$(PYTHON) -m venv $(VENV) || { echo "could not make $(VENV): is the venv module there? (Debian: apt install python3-venv)"; exit 1; }
	@echo "installing into $(VENV) (PyTorch is large: some minutes the first time)"
	@$(BIN)/pip install -q -e '.[dev]'
	@$(BIN)/pip install -q --no-deps --upgrade --target $(VENV)/fastcore-oldest 'fastcore==1.12.*'
	@$(BIN)/pip install -q --no-deps --upgrade --target $(VENV)/fastcore-newest 'fastcore>=2'
	@touch $@

train: $(READY) ## train the default net on MNIST and write runs/mnist/report.html
	$(BIN)/digitclf_train --data mnist --out runs/mnist

test: $(READY) ## run the tests: the notebooks, the project's files, the commands
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist worksteal --ignore tests/test_site.py --ignore tests/test_lab.py tests

check: $(READY) ## the quick part of the tests: notebooks and modules agree, notebooks are clean, imports work
	$(BIN)/python -m pytest -q tests/test_project.py

lab: $(READY) ## open JupyterLab on the notebooks
	$(BIN)/jupyter lab nbs

docs: $(READY) ## build the documentation's site in _docs (trains the two nets of its drawing page, once)
	$(BIN)/python tools/live.py runs/live
	$(BIN)/python tools/docs.py

docs-serve: $(READY) ## show the site that `make docs` built
	@test -f _docs/index.html || { echo "there is no site yet: make docs"; exit 1; }
	@echo "http://127.0.0.1:$(PORT) (Ctrl-C ends it; make docs-serve PORT=… takes another)"
	@$(BIN)/python -m http.server --bind 127.0.0.1 --directory _docs $(PORT)

docs-test: docs ## build the site, then read it and JupyterLab in a real browser (Debian: apt install chromium chromium-driver)
	$(BIN)/python -m pytest -q -rs -n 2 --dist loadfile tests/test_site.py tests/test_lab.py

walkthroughs: $(READY) ## re-run the walkthroughs in full and store their outputs (DIGITCLF_CHINESE=… names the archive of Chinese MNIST)
	$(BIN)/python tools/run_notebooks.py nbs/2*.ipynb nbs/3*.ipynb

bench: $(READY) ## measure speed against hand-written loops; results under bench/
	$(BIN)/python bench/speed.py

seeds: $(READY) ## measure the default net's accuracy over three seeds; results under bench/
	$(BIN)/python bench/accuracy.py

recipe: $(READY) ## choose the default net's recipe on validation digits; results under bench/
	$(BIN)/python bench/recipe.py

transfer: $(READY) ## measure what a body that knows digits is worth for Chinese characters; results under bench/
	$(BIN)/python bench/transfer.py

chinese: $(READY) ## measure the small net on Chinese numerals, writers by lot and apart; results under bench/
	$(BIN)/python bench/chinese.py

readme: $(READY) ## make README.md from nbs/index.ipynb
	$(BIN)/python tools/make_readme.py

clean: ## remove what was built (not .venv, not runs)
	rm -rf build dist *.egg-info _proc _docs _docs.new _docs.old .pytest_cache
