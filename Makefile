# Sets up .venv once and hands over to `python -m course_tools`, which does the work and needs no make.
#
#   make lessons               run every lesson here and now, into build/lessons/
#   make lab                   open the lessons in JupyterLab
#   make test                  unit tests, notebook checks, lessons compared with their stored outputs
#   make experiments           repeat the recorded experiments (long)
#   make bench                 measure speed and memory on this machine
#   make lessons CPU=1         with PyTorch's much smaller builds for CPUs
#   make lessons PYTHON=python3.12

PYTHON ?= python3
CPU ?=
TOOLS = .venv/bin/python -m course_tools

lessons lab test bench: .venv/installed
	$(TOOLS) $@

experiments: .venv/installed
	@status=0; for script in experiments/*.py; do .venv/bin/python "$$script" || status=1; done; exit $$status

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

.PHONY: lessons lab test bench experiments
