"""The bench's targets, and its figures as a table in the terminal."""

import statistics

TARGETS = {  # figure: (at least or at most, how much); a list counts by its mean
    "time_to_92.test_accuracy": ("≥", 0.92),
    "time_to_92.fp32_test_accuracy": ("≥", 0.92),
    "time_to_93.test_accuracy": ("≥", 0.93),
    "time_to_93.fp32_test_accuracy": ("≥", 0.93),
    "time_to_94.test_accuracy": ("≥", 0.94),
    "time_to_92.share_of_book": ("≤", 1 / 700),
    "time_to_93.share_of_book": ("≤", 1 / 200),
    "time_to_94.share_of_book": ("≤", 1 / 50),
    "same_work.ratio": ("≥", 0.97),
    "same_work.ratio_to_d2l": ("≥", 1),
    "same_work.ratio_to_lightning": ("≥", 1),
    "data.224.ratio": ("≥", 4),
    "first_load.warm": ("≤", 0.6),
    "trace.classic_ratio_to_torchinfo": ("≤", 1 / 3),
    "trace.nets_right": ("≥", 1),
    "import.ratio": ("≤", 1.05),
    "processes.ratio": ("≥", 0.85),
}


def mean(value):
    """Return the mean of a list, and any other figure as it is."""
    return statistics.mean(value) if isinstance(value, list) else value


def with_shares(figures):
    """Add each recipe's seconds as a share of the book's projected ones, where both were measured.

    >>> with_shares({"time_to_92.seconds": [9, 11], "book.projected_seconds": 10_000})["time_to_92.share_of_book"]
    0.001
    """
    shares = {key.replace(".seconds", ".share_of_book"): mean(value) / figures["book.projected_seconds"]
              for key, value in figures.items()
              if "book.projected_seconds" in figures and key.startswith("time_to_") and key.endswith(".seconds")}
    return figures | shares


def met(name, value):
    """Whether a figure meets its target; None where it has none."""
    if name not in TARGETS:
        return None
    sign, limit = TARGETS[name]
    return mean(value) >= limit if sign == "≥" else mean(value) <= limit


def print_table(figures, judged=True):
    """Print every figure, and, if `judged`, beside those that have a target whether it is met."""
    from rich.console import Console
    from rich.table import Table

    table = Table("figure", "measured", "target", title="bench")
    for name, value in figures.items():
        target = ""
        if judged and name in TARGETS:
            sign, limit = TARGETS[name]
            target = f"{sign} {limit:.3g}, {'met' if met(name, value) else 'missed'}"
        table.add_row(name, tell(value), target)
    Console().print(table)


def tell(value):
    """Return a figure as text: a list as its mean and range.

    >>> tell([0.92, 0.93]), tell(12345.6), tell(True)
    ('0.925 (0.92 to 0.93)', '12,346', 'yes')
    """
    if isinstance(value, list):
        return f"{tell(statistics.mean(value))} ({tell(min(value))} to {tell(max(value))})"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.4g}"
