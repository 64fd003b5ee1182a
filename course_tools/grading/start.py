"""The first program in a sandbox: it gives up, for good, what would escape the watchdog, and becomes the kernel.

`sandbox.py` passes the text of this file to Python, with the bytes of the largest file and the kernel's command.
"""

import ctypes
import os
import platform
import resource
import struct
import sys

# System calls by their numbers on each machine. What they hold is counted for no process, and a student's kernel needs
# none of them: memory behind a descriptor or a key, queues of messages, file systems of one's own.
NUMBERS = {  # machine: its name for seccomp, and the calls
    "x86_64": (0xC000003E, {"memfd_create": 319, "memfd_secret": 447, "shmget": 29, "msgget": 68, "io_uring_setup": 425,
                            "mount": 165, "fsopen": 430, "unshare": 272, "setns": 308}),
    "aarch64": (0xC00000B7, {"memfd_create": 279, "memfd_secret": 447, "shmget": 194, "msgget": 186,
                             "io_uring_setup": 425, "mount": 40, "fsopen": 430, "unshare": 97, "setns": 268}),
}  # fmt: skip
LOAD, EQUAL, AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06  # of the filters that Linux takes, as linux/filter.h has them
ALLOW, NOT_THERE = 0x7FFF0000, 0x00050000 | 38  # 38: ENOSYS, "Function not implemented"
OTHER_NUMBERS = 0x40000000  # from here on x86_64 has the same calls a second time


def program(machine: str) -> bytes:
    """The filter that answers the calls above, and those of another machine's numbering, as if they did not exist."""
    if machine not in NUMBERS:
        raise OSError(f"system calls can be forbidden on {' and '.join(NUMBERS)}; this machine is {machine}")
    architecture, calls = NUMBERS[machine]
    count = len(calls)
    steps = [(LOAD, 0, 0, 4), (EQUAL, 0, count + 3, architecture), (LOAD, 0, 0, 0), (AT_LEAST, count + 1, 0, OTHER_NUMBERS)]
    steps += [(EQUAL, count - place, 0, number) for place, number in enumerate(calls.values())]
    return b"".join(struct.pack("HBBI", *step) for step in [*steps, (RETURN, 0, 0, ALLOW), (RETURN, 0, 0, NOT_THERE)])


def forbid() -> None:
    """Puts the filter in place for this process and all that it becomes or starts."""
    steps = program(platform.machine())
    text = ctypes.create_string_buffer(steps, len(steps))

    class Filter(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("steps", ctypes.c_void_p)]

    prctl = ctypes.CDLL(None, use_errno=True).prctl
    no_new_privileges, set_filter, by_program = 38, 22, 2
    filter = Filter(len(steps) // 8, ctypes.addressof(text))
    if prctl(no_new_privileges, 1, 0, 0, 0) or prctl(set_filter, by_program, ctypes.byref(filter), 0, 0):
        raise OSError(ctypes.get_errno(), "this system takes no filter of system calls (seccomp)")


def main(disk: str, *command: str) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(disk), int(disk)))  # hard limits cannot be raised again
    forbid()
    for stream in 1, 2:  # what is printed past the notebook's outputs goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    os.execv(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
