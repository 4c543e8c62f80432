# Two commands do everything on a fresh machine with Python and git: `make repro` and `make test`.
# `make` alone says what else there is: of every target, what follows its ##.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help setup hooks repro test smoke docs ui methods transfer continual mfcad

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1\t\2/p' Makefile | expand -t 12

setup: $(VENV)/.ready  ## the environment in .venv, with this package and all that it needs

hooks: setup  ## git asks ruff, mypy and the import contract before every commit
	pre-commit install

$(VENV)/.ready: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info < (3, 14) else "Python 3.11 to 3.13 is needed; run: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable '.[dev]'
	$(BIN)/python -m brep_mae.brep.workers.system
	touch $@

# DVC runs one stage at a time, and a small network keeps one core busy: so two lots of trainings run at once, a thread
# each, which share no stage, after mae_images, which some of the second learn from. So do few-shot learning and what
# else looks at the encoders. What they could not finish the last command does, or says why.
LOT := OMP_NUM_THREADS=1 dvc --wait-for-lock repro --single-item --glob
repro: setup  ## the default graph, from generated parts to the report
	dvc repro render label pretrain@mae_images
	$(LOT) 'pretrain@[!m]*' 'pretrain@mi*' 'guided@*' & $(LOT) 'pretrain@m[!i]*' 'evolve*' 'distill@*' 'blend@*'; wait
	$(LOT) fewshot & $(LOT) probe claims continual policy; wait
	dvc repro
	@test ! -f mlflow.db || (echo "make ui serves these pages:" && brep-mae ui --links)

test: setup  ## lint, types, import contract and tests
	ruff check .
	ruff format --check .
	mypy brep_mae pipelines
	lint-imports
	pytest -n logical --dist loadfile

# The whole graph with small numbers, from nothing, and the wheel in an environment of its own; about five minutes.
smoke: setup  ## the whole graph with small numbers, and the wheel in an environment of its own
	.ci/smoke

docs: setup  ## docs/ as pages in site/, after what is drawn from the code
	python -m docs.draw_imports
	python -m docs.draw_methods
	mkdocs build --strict --quiet

ui: setup  ## the runs of this folder in MLflow's pages
	brep-mae ui

# The study of methods: what `make repro` shows in short, with more solids, larger frames, steps enough and three seeds;
# hours. A stage that was cut off goes on where it was. Its results are studies/methods/tables.md and metrics.json.
methods: setup  ## the study of methods
	dvc repro studies/methods/dvc.yaml

# The transfer study: data sets, encoders, every table; its results are studies/transfer/tables.md and metrics.json.
transfer: setup  ## the transfer study
	dvc repro studies/transfer/dvc.yaml

# The continual study; needs the data and the encoder of the transfer study, and models/m3ae of `make repro`.
continual: setup  ## the continual study, after the transfer study
	dvc repro studies/continual/dvc.yaml

# The same graph on MFCAD, as an experiment on top of params.yaml; the results replace those in data/, models/ and
# results/ until `git checkout params.yaml dvc.lock && dvc checkout`.
MFCAD ?= ../shared/data/mfcad.tar.xz
mfcad: setup  ## the default graph on MFCAD
	dvc exp run --force --name mfcad \
	    -S dataset.name=mfcad -S dataset.path=$(MFCAD) -S dataset.limit=2000 -S split.test=0.15 \
	    -S methods.mae_faces.steps=300 -S methods.hybrid.steps=300 -S methods.mae_images.steps=300 \
	    -S 'fewshot.shots=[10,100]' fewshot
