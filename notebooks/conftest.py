"""How `pytest --nbval notebooks` runs the lessons."""

import os


def pytest_configure(config):
    if config.getoption("nbval", False):
        config.option.nbval_current_env = True  # this environment's kernel, whatever "python3" means to Jupyter
        config.option.nbval_cell_timeout = 300  # seconds; a kernel that died is only noticed after it
        os.environ.pop("MPLBACKEND", None)  # figures belong into the notebook
