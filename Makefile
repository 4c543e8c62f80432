# Two commands do everything on a fresh machine with Python and git: `make repro` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: setup repro test smoke ui mfcad transfer continual

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info < (3, 14) else "Python 3.11 to 3.13 is needed; run: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable '.[dev]'
	$(BIN)/python -m brep_mae.brep.workers.system
	touch $@

repro: setup
	dvc repro

test: setup
	ruff check .
	ruff format --check .
	mypy brep_mae pipelines
	lint-imports
	pytest -n logical --dist loadfile

# The whole graph with small numbers, from nothing, and the wheel in an environment of its own; about five minutes.
smoke: setup
	.ci/smoke

ui: setup
	brep-mae ui

# The transfer study: data sets, encoders, every table; its results are studies/transfer/tables.md and metrics.json.
transfer: setup
	dvc repro studies/transfer/dvc.yaml

# The continual study; needs the data and the encoder of the transfer study, and models/m3ae of `make repro`.
continual: setup
	dvc repro studies/continual/dvc.yaml

# The same graph on MFCAD, as an experiment on top of params.yaml; the results replace those in data/, models/ and
# results/ until `git checkout params.yaml dvc.lock && dvc checkout`.
MFCAD ?= ../shared/data/mfcad.tar.xz
mfcad: setup
	dvc exp run --force --name mfcad \
	    -S dataset.name=mfcad -S dataset.path=$(MFCAD) -S dataset.limit=2000 -S split.test=0.15 \
	    -S methods.mae_faces.steps=300 -S methods.hybrid.steps=300 -S methods.mae_images.steps=300 \
	    -S 'fewshot.shots=[10,100]' fewshot
