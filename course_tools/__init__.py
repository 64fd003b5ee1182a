"""What runs the course. `check`, for exercises, is loaded when it is asked for: `doctor` starts without torch."""


def __getattr__(name):
    if name == "check":
        from course_tools.checks import check

        return check
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
