"""The course's commands, `python -m course_tools COMMAND` (`make COMMAND` sets up and calls these):

  lessons   run every lesson here and now, into build/lessons/
  lab       open the lessons in JupyterLab
  test      unit tests, notebook checks, and the lessons compared with their stored outputs
  exercises make the students' notebooks from the solutions
  grade     grade a class's exercises with nbgrader, each in a sandbox
  preflight everything that a class needs, tried on this machine, and one report of it
  doctor    what is here, what will run how fast, what is missing and how to get it
  bench     measure speed and memory on this machine
  breaks    break course_lib on purpose and see whether the lessons notice
  site      build the pages from the stored outputs, into build/site/
  colab     copies of the lessons for Colab, into build/colab/

`python -m course_tools COMMAND --help` lists a command's options.
"""

import argparse
import importlib
import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
COMMANDS = ["lessons", "lab", "test", "exercises", "grade", "preflight", "doctor", "bench", "breaks", "site", "colab"]
INSTALL = f'{sys.executable} -m pip install -c constraints.txt -e ".[lessons,tests]"'


def main(argv: list[str]) -> int:
    """Runs the command in `argv` and returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m course_tools", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND")
    command = parser.parse_args(argv[:1]).command
    options = argv[1:]
    # Read by torch when it is first imported: activations in large pages of memory, where Linux has them.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    try:
        if command in ("lab", "test"):
            return {"lab": lab, "test": test}[command](options)
        # Imported only when asked for, so that doctor starts where everything else is missing.
        module = importlib.import_module(f"course_tools.{command}")
        command_parser = argparse.ArgumentParser(
            prog=f"python -m course_tools {command}",
            description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command_parser)
        return module.main(command_parser.parse_args(options)) or 0
    except ModuleNotFoundError as error:
        if error.name.partition(".")[0] in ("course_lib", "course_tools"):
            raise
        print(f"{error.name} is missing. In {REPOSITORY}:\n  {INSTALL}", file=sys.stderr)
    except ValueError as error:
        print(f"python -m course_tools {command}: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("stopped by hand", file=sys.stderr)
    return 1


def lab(options: list[str]) -> int:
    """JupyterLab on notebooks/; `options` are its own, such as --no-browser."""
    importlib.import_module("jupyterlab")
    return subprocess.call([sys.executable, "-m", "jupyterlab", "notebooks", *options], cwd=REPOSITORY)


def test(options: list[str]) -> int:
    """Everything in one pytest run; `options` are pytest's own, such as -k or -x."""
    for module in ("pytest", "nbval", "xdist"):
        importlib.import_module(module)
    everything = ["tests", "course_lib", "course_tools", "notebooks"]
    # Two processes of one thread each beat one of two; a notebook stays in one process.
    split = ["-n", "2", "--dist", "loadscope"]
    return subprocess.call(
        [sys.executable, "-m", "pytest", "--nbval", *split, "--ignore=tests/browser", *everything, *options],
        cwd=REPOSITORY,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
