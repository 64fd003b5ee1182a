"""Makes notebooks/exercises/ from notebooks/solutions/: nbgrader's own steps, so that nbgrader can grade them.

    python -m course_tools exercises            write the students' notebooks
    python -m course_tools exercises --check    only say which of them differ from what the solutions give

What stands between BEGIN SOLUTION and END SOLUTION becomes YOUR CODE HERE or YOUR ANSWER HERE, checks are locked,
outputs are left out. Needs nbgrader: `pip install -c constraints.txt -e ".[grading]"`.
"""

from pathlib import Path

from course_tools.normalise import write

REPOSITORY = Path(__file__).parents[1]
SOLUTIONS = REPOSITORY / "notebooks" / "solutions"
EXERCISES = REPOSITORY / "notebooks" / "exercises"


def add_arguments(parser) -> None:
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 if a notebook is out of step")


def main(arguments, solutions: Path = SOLUTIONS, exercises: Path = EXERCISES) -> int:
    """Writes or compares the students' notebooks and returns the exit code."""
    import nbformat

    made = {path.name: student_version(nbformat.read(path, as_version=4)) for path in sorted(solutions.glob("*.ipynb"))}
    if not made:
        raise ValueError(f"no solutions (*.ipynb) in {solutions}")
    exercises.mkdir(exist_ok=True)
    there = {path.name: nbformat.read(path, as_version=4) for path in exercises.glob("*.ipynb")}
    changed = [name for name in sorted(made.keys() | there.keys()) if made.get(name) != there.get(name)]
    for name in changed:
        print(
            f"{name}: {'out of step with its solution' if arguments.check else 'made anew' if name in made else 'removed'}"
        )
        if not arguments.check and name in made:
            write(made[name], exercises / name)
        elif not arguments.check:
            (exercises / name).unlink()
    print(
        f"{len(made) - len([name for name in changed if name in made])} of {len(made)} were as the solutions give them"
    )
    return int(arguments.check and bool(changed))


def student_version(notebook):
    """A copy of the solved `notebook`, as nbgrader hands it out.

    Raises RuntimeError where a solution has no end, and nbgrader's ValidationError for cells whose metadata contradict
    themselves.
    """
    import copy

    from nbgrader.preprocessors import CheckCellMetadata, ClearOutput, ClearSolutions, ComputeChecksums, LockCells

    notebook, resources = copy.deepcopy(notebook), {}
    for step in (LockCells, ClearSolutions, ClearOutput, CheckCellMetadata, ComputeChecksums):
        notebook, resources = step().preprocess(notebook, resources)
    for cell in notebook.cells:
        for key in ("execution", "mystnb"):
            cell.metadata.pop(key, None)
    return notebook
