# Sets up .venv once and hands over to `python -m course_tools`, which does the work and needs no make.
#
#   make lessons               run every lesson here and now, into build/lessons/
#   make lab                   open the lessons in JupyterLab
#   make test                  unit tests, notebook checks, lessons compared with their stored outputs
#   make exercises             make notebooks/exercises/ from notebooks/solutions/
#   make grade SUBMISSIONS=…   grade a class, each notebook in a sandbox; needs bubblewrap
#   make preflight             the evening before class: try everything here, write one report
#   make site                  build the pages from the stored outputs, into build/site/
#   make colab                 copies of the lessons for Colab, into build/colab/
#   make test-pages            the pages and JupyterLab in a real browser; needs Chromium
#   make test-grading          a class of students, honest and hostile, is graded; needs bubblewrap
#   make test-all              make test, test-pages and test-grading, then break the library on purpose and see that lessons notice
#   make experiments           repeat the recorded experiments (long)
#   make bench                 measure speed and memory on this machine, and show it in README and on the site (long)
#   make lessons CPU=1         with PyTorch's much smaller builds for CPUs
#   make lessons PYTHON=python3.12

PYTHON ?= python3
CPU ?=
TOOLS = .venv/bin/python -m course_tools

lessons lab test preflight: .venv/installed
	$(TOOLS) $@

site colab: .venv/site
	$(TOOLS) $@

test-pages: site
	.venv/bin/python -m pytest tests/browser

bench: .venv/bench
	$(TOOLS) bench --json data/bench.json

exercises: .venv/grading
	$(TOOLS) exercises

grade: .venv/grading
	@[ -n "$(SUBMISSIONS)" ] || { echo "Name the folder: make grade SUBMISSIONS=folder"; exit 1; }
	$(TOOLS) grade "$(SUBMISSIONS)" $(GRADE)

test-grading: .venv/grading
	$(TOOLS) exercises --check
	.venv/bin/python -m pytest tests/grading course_tools/grading

test-all: test test-pages test-grading
	$(TOOLS) breaks

# Two at a time with one thread each, which for nets this small is faster than one after the other with two; those
# that compare times run alone.
ALONE = experiments/three_hours.py experiments/recipe_choices.py
experiments: .venv/installed
	@ls $(filter-out $(ALONE),$(wildcard experiments/*.py)) | OMP_NUM_THREADS=1 xargs -P 2 -n 1 .venv/bin/python
	@for script in $(ALONE); do .venv/bin/python $$script || exit 1; done

# `installing` stands in a new .venv until every step is done, so that what an interrupted set-up left is
# thrown away. A finished .venv is only added to: without a network the lessons still run after a failed update.
.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" || { \
	  echo "Python 3.11 or newer is needed, and '$(PYTHON)' is not: name one, as in 'make lessons PYTHON=python3.12'."; exit 1; }
	@$(PYTHON) -c "import ensurepip, venv" 2>/dev/null || { \
	  echo "'$(PYTHON)' cannot make virtual environments: install its venv module (Debian, Ubuntu: apt install python3-venv)."; exit 1; }
	@if [ -f .venv/installing ]; then rm -rf .venv; fi
	@echo "Installing into .venv: some minutes and up to 6 GB the first time."
	@mkdir -p .venv && [ -f .venv/installed ] || touch .venv/installing
	@[ -x .venv/bin/python ] || $(PYTHON) -m venv .venv
	cpu="$(CPU)"; .venv/bin/python -m pip install -c constraints.txt \
	  $${cpu:+--extra-index-url https://download.pytorch.org/whl/cpu} -e ".[lessons,tests]"
	.venv/bin/python -m pip install --no-deps d2l==1.0.3
	@rm -f .venv/installing && touch .venv/installed

.venv/site: .venv/installed pyproject.toml constraints.txt
	.venv/bin/python -m pip install -c constraints.txt -e ".[site]"
	@touch .venv/site

.venv/grading: .venv/installed pyproject.toml constraints.txt
	.venv/bin/python -m pip install -c constraints.txt -e ".[grading]"
	@touch .venv/grading

.venv/bench: .venv/installed pyproject.toml constraints.txt
	.venv/bin/python -m pip install -c constraints.txt -e ".[bench]"
	@touch .venv/bench

.PHONY: lessons lab test exercises grade test-grading preflight site colab test-pages test-all bench experiments
