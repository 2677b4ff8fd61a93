# Everything here sets itself up first, in .venv: a Debian or Ubuntu machine with Python 3.11 or newer is enough.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo gui test test-qt6 lint bench screenshots clean develop

# What a Qt window needs of the system, and what shows it where there is no screen.
WINDOW := libegl1 libgl1 libgl1-mesa-dri libglib2.0-0 libfontconfig1 fonts-dejavu-core libdbus-1-3 \
	libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4 libxcb-keysyms1 libxcb-shape0 libxcb-xkb1 libxcb-xinerama0
SCREEN := xvfb xauth

export PYTHON

help: ## Say what can be made
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1	/p' $(MAKEFILE_LIST) | expand -t 12

demo: ## Train and pick on the sample micrographs, and take a tour of the window; results in demo-output/
	-@.ci/need $(WINDOW) $(SCREEN)
	@.ci/setup .venv -e '.[gui]'
	-@.ci/on-screen .venv/bin/python -m cryopick_napari.gui.tour demo-output/window
	.venv/bin/cryopick demo --output demo-output

gui: ## Open the window
	@.ci/need $(WINDOW)
	@.ci/setup .venv -e '.[gui]'
	.venv/bin/cryopick gui

screenshots: develop ## Take the pictures of the README and the docs in the real window
	@.ci/need $(WINDOW) $(SCREEN)
	.ci/on-screen .venv/bin/python -m cryopick_napari.gui.tour docs/images/window

test: lint ## Lint, test, then build the package and use it in clean environments
	@.ci/need $(WINDOW) $(SCREEN)
	.venv/bin/python -m pytest -n 2
	.ci/test-built

test-qt6: ## Test the window with Qt 6 (PySide6, in .venv-qt6)
	@.ci/need $(WINDOW) $(SCREEN)
	@.ci/setup .venv-qt6 -e '.[gui-qt6,test]'
	QT_API=pyside6 PYTEST_QT_API=pyside6 .venv-qt6/bin/python -m pytest -n 2 tests/gui

lint: develop ## Check style and types
	.venv/bin/python -m ruff check
	.venv/bin/python -m ruff format --check
	.venv/bin/python -m mypy

bench: develop ## Measure on real micrographs and in the window; tables in benchmarks/results/
	.venv/bin/python -m benchmarks.real
	.venv/bin/python -m benchmarks.throughput
	.ci/on-screen .venv/bin/python -m benchmarks.responsiveness

clean: ## Remove what was made, except the environments (.venv, .venv-qt6)
	rm -rf build dist demo-output .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find cryopick_napari tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

develop:
	@.ci/setup .venv -e '.[gui,test,baselines,simulate]'
