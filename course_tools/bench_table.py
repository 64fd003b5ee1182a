"""The bench's targets, and its figures as a table in the terminal."""

import statistics

TARGETS = {  # figure: (at least or at most, how much); a list counts by its mean
    "time_to_92.seconds": ("≤", 35),
    "time_to_92.test_accuracy": ("≥", 0.92),
    "same_work.ratio": ("≥", 0.97),
    "data.224.ratio": ("≥", 4),
    "data.first_load.ours": ("≤", 0.6),
    "trace.VGG-E.ratio": ("≤", 1 / 3),
    "trace.VGG-E.megabytes": ("≤", 30),
    "trace.AlexNet.ratio": ("≤", 1 / 3),
    "trace.AlexNet.megabytes": ("≤", 30),
    "import.ratio": ("≤", 1.05),
    "processes.ratio": ("≥", 0.85),
}


def print_table(figures):
    """Print every figure, and beside those that have a target whether it is met."""
    from rich.console import Console
    from rich.table import Table

    table = Table("figure", "measured", "target", title="bench")
    for name, value in figures.items():
        met = ""
        if limit := TARGETS.get(name):
            mean = statistics.mean(value if isinstance(value, list) else [value])
            good = mean >= limit[1] if limit[0] == "≥" else mean <= limit[1]
            met = f"{limit[0]} {limit[1]:.3g}, {'met' if good else 'missed'}"
        table.add_row(name, _tell(value), met)
    Console().print(table)


def _tell(value):
    if isinstance(value, list):
        return f"{_tell(statistics.mean(value))} ({_tell(min(value))} to {_tell(max(value))})"
    return f"{value:,.0f}" if value >= 100 else f"{value:.4g}"
