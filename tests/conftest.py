"""Settings for every test: one thread a process (two processes share two cores), figures without a window."""

import os

import pytest

# Before anything imports torch; the scripts and kernels that tests start inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

collect_ignore = ["conftest.py"]  # it holds no doctest, and notebooks/ has a module of the same name


@pytest.fixture(autouse=True)
def no_window(monkeypatch):
    # For these tests only: lessons checked in the same run need the notebook's own backend.
    monkeypatch.setenv("MPLBACKEND", "Agg")
