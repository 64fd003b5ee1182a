"""Drawings of recorded experiments: every run shown, and the mean of each arm."""
from course_lib.plots import COLOURS, subplots


def runs_by_arm(runs, key, title, ylabel, groups=None):
    """Draw every run of a recorded experiment as a dot, and each arm's mean as a bar across its dots.

    `groups` maps a label to the arms that belong to it, drawn in one colour and joined by a line from mean to mean;
    the arms' names then lose what the label says.
    """
    fig, ax = subplots(height=3.4)
    groups = groups or {"": list(runs.arms)}
    for number, (label, arms) in enumerate(groups.items()):
        colour, marker = COLOURS[(0, 4, 1)[number]], "os^"[number]
        offset = 0 if len(groups) == 1 else 0.14 * (number - (len(groups) - 1) / 2)
        places = [i + offset for i in range(len(arms))]
        for x, arm in zip(places, arms):
            values = runs.final(arm, key)
            spread = [x + 0.05 * (i - (len(values) - 1) / 2) for i in range(len(values))]
            ax.plot(spread, values, marker, color=colour, alpha=0.7, markersize=6, linestyle="none")
            ax.hlines(runs.mean(arm, key), x - 0.18, x + 0.18, color=colour, linewidth=2.5)
        if len(groups) > 1:
            ax.plot(places, [runs.mean(arm, key) for arm in arms], color=colour, linewidth=1, linestyle=":",
                    label=label, marker=marker, markersize=4)
    names = [arm.removesuffix(f", {label}") for label, arms in groups.items() for arm in arms][:len(places)]
    ax.set_xticks(range(len(names)), [name.replace(", ", ",\n") for name in names])
    ax.set(title=title, ylabel=ylabel, xlim=(-0.5, len(names) - 0.5))
    ax.grid(axis="x", visible=False)
    if len(groups) > 1:
        ax.legend()
    return fig
