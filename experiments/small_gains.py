"""Are label smoothing and Nesterov's momentum worth nothing in recipe 92, or less than three seeds can show?

Arms of `recipe_choices.py`, on the same pictures, with ten seeds in place of three.
"""
from recipe_choices import ARMS, SETTINGS, trained

from course_lib import evaluate
from course_tools.recorded import experiment

NAMES = ("recipe 92", "no label smoothing", "no Nesterov momentum")


def run(arm, seed, *, validation_images):
    net, valid, _ = trained(arm, seed, validation_images)
    return {"valid_accuracy": evaluate(net, valid)[1]}


if __name__ == "__main__":
    raise SystemExit(experiment("small_gains", __doc__, {name: ARMS[name] for name in NAMES}, range(10), run, SETTINGS,
                                "valid_accuracy"))
