"""What hostile students put into their notebooks, in bounded amounts, and how it gets there."""

import copy

import nbformat

from course_tools.exercises import SOLUTIONS

from .conftest import LESSON, cell

FORGERIES = {  # put in front of an unsolved notebook: none may earn a point
    "overwrites-check": "check = lambda *ignored: print('all right')",
    "patches-course-tools": "import course_tools, course_tools.checks\ncourse_tools.checks.check = course_tools.check = print",
    "patches-judge": (
        "import course_tools.checks.exercise as e\ne.agree = lambda *ignored: True\n"
        "e.Exercise.judge = lambda *ignored, **more: 'right'"
    ),
    "patches-torch": "import torch\ntorch.equal = torch.allclose = lambda *ignored, **more: True",
    "rewrites-cells": "get_ipython().input_transformers_cleanup.append(lambda lines: ['print(1)\\n'])",
    "swallows-errors": "get_ipython().set_custom_exc((BaseException,), lambda *ignored, **more: None)",
    "forged-replies": (
        "import course_tools.checks.wire as w\nw.put = lambda *ignored: '[]'\nw.encode = lambda value: '\"right\"'"
    ),
    "gives-right-answers": (
        "import course_tools.checks.wire as w\nfrom course_tools.checks import find\n"
        "def put(name, answer, questions):\n"
        "    return w.encode(w.replies(name, find(name).right, [tuple(each) for each in w.decode(questions)]))\n"
        "w.put = put"
    ),
    "minuses-for-a-reply": (
        "formatter = get_ipython().display_formatter.formatters['text/plain']\n"
        "formatter.for_type(str, lambda value, printer, cycle: printer.text('-' * 100000))"
    ),
    "unset-variable": "import os\nos.environ.pop('NBGRADER_EXECUTION', None)",
    "agrees-with-all": (
        "class Yes:\n    def __eq__(self, other): return True\n    def __call__(self, *ignored): return self\n"
        "corr2d = output_size = conv_by_matmul = max_pool2d = shift_kernel = Yes()"
    ),
}

HOSTILE = {  # put in front of a solved notebook, as cells that print SUCCEEDED where they do
    "reads-neighbour": "import glob, os\nfound = [p for p in glob.glob('{submissions}/*/*') if open(p).read()]",
    "reads-solutions": "found = open('{solutions}').read()",
    "reads-passwords": "found = open('/etc/passwd').read()",
    "reads-gradebook": "found = open('{out}/gradebook.db', 'rb').read()",
    "writes-outside": "found = open('{out}/written.txt', 'w').write('x')",
    "writes-course": "import course_lib\nfound = open(course_lib.__file__, 'a').write('x')",
    "opens-socket": "import socket\nsocket.create_connection(('127.0.0.1', {port}), timeout=3)\nfound = 1",
    "sees-processes": "import os\nfound = [p for p in os.listdir('/proc') if p.isdigit() and int(p) > 40]",
    "overwrites-gradebook": "found = open('{out}/gradebook.db', 'wb')",
    "finds-answers": (
        "import sysconfig, course_tools\nfrom pathlib import Path\n"
        "places = [*course_tools.__path__, sysconfig.get_path('purelib') + '/course_tools']\n"
        "hint = b'this is a true conv' + b'olution'  # of corr2d\n"
        "found = [p for place in places for p in Path(place).rglob('*') if p.is_file() and hint in p.read_bytes()]"
    ),
    "hides-memory": "import os\nfound = os.memfd_create('hidden')",
    "shares-memory": "import ctypes\nfound = ctypes.CDLL(None).shmget(0, 4096, 0o1600) >= 0",
    "mounts-memory": (
        "import os, subprocess\nos.mkdir('/tmp/own')\n"
        "command = ['unshare', '-Urm', 'mount', '-t', 'tmpfs', '-o', 'size=1m', 'none', '/tmp/own']\n"
        "found = subprocess.run(command).returncode == 0"
    ),
    "fills-disk": (
        "for name in ('/tmp/one', '/tmp/two'):\n"
        "    with open(name, 'wb') as file:\n        for _ in range(40): file.write(bytes(2**20))\nfound = True"
    ),
}
HARMLESS = [  # of these, those that may also be run without a sandbox
    "reads-neighbour", "reads-solutions", "reads-passwords", "reads-gradebook", "writes-outside", "opens-socket",
    "sees-processes", "finds-answers", "hides-memory", "fills-disk"]  # fmt: skip

ENDINGS = {  # in front of a solved notebook: the cell ends the kernel, for this reason; all else keeps its points
    "exits": ("import os\nos._exit(1)", "Kernel died"),
    "loops": ("while True:\n    pass", "more than 6 seconds"),
    "loops-and-holds": (
        "while True:\n    try:\n        while True: pass\n    except BaseException: continue",
        "more than 6 seconds",
    ),
    "many-processes": (
        "import subprocess\nmore = [subprocess.Popen(['sleep', '60']) for _ in range(300)]\nimport time; time.sleep(5)",
        "more than 16 processes",
    ),
    "fills-memory": (
        "hoard = []\nfor _ in range(40):\n    hoard.append(bytearray(b'x' * (50 * 2**20)))\nimport time; time.sleep(5)",
        "more than 1200 MiB of memory",
    ),
    "floods": ("for _ in range(10**6): print('x' * 1000)", "printed more than 1 MiB"),
    "fills-disk-unseen": (
        "import ipykernel, os, time\n"
        "path = os.path.dirname(ipykernel.get_connection_file()) + '/unseen'\n"
        "file = open(path, 'wb')\nos.unlink(path)\nfor _ in range(40): file.write(bytes(2**20))\ntime.sleep(5)",
        "wrote into the folder",
    ),
}


def with_code(notebook, code, before="corr2d"):
    """`notebook` with a cell of `code` in front of the exercise `before`."""
    notebook = copy.deepcopy(notebook)
    notebook.cells.insert(notebook.cells.index(cell(notebook, before)), nbformat.v4.new_code_cell(code))
    return notebook


def replaced(notebook, **sources):
    notebook = copy.deepcopy(notebook)
    for grade_id, source in sources.items():
        cell(notebook, grade_id.replace("_check", "-check")).source = source
    return notebook


def without(notebook, *grade_ids):
    notebook = copy.deepcopy(notebook)
    for grade_id in grade_ids:
        notebook.cells.remove(cell(notebook, grade_id))
    return notebook


def hostile(name, places):
    """The code of a hostile cell, with the names of `places` filled in; where it does what it tries, it says so."""
    code = HOSTILE[name]
    for place, path in places.items():
        code = code.replace(f"{{{place}}}", str(path))
    return f"{code}\nif found: print('{name} SUC' + 'CEEDED')"


def where(room, port):
    """What hostile cells would like to reach."""
    return {
        "submissions": room.submissions,
        "solutions": SOLUTIONS / f"{LESSON}.ipynb",
        "out": room.out,
        "port": port,
    }
