"""nbgrader's step that runs a notebook, with the kernel in a sandbox and the checks judged outside it.

A cell that kills the kernel or does not end costs its own points and no others: the notebook is run again without it.
"""

import ast
import contextlib
import queue
import re
import tempfile
import time
from pathlib import Path

import zmq.asyncio
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbclient.util import run_sync
from nbformat.v4 import new_output
from nbgrader.preprocessors import Execute
from nbgrader.utils import is_grade
from traitlets import Bool, Instance

from course_tools.checks.exercise import WrongAnswer
from course_tools.grading.remote import judge
from course_tools.grading.sandbox import Limits, Watchdog, environment, wrapped

STRING = re.compile(r"""(['"])(?:(?!\1)[^\\\n]|\\.)*+\1""")  # one, as repr writes it
ATTEMPTS = 6  # so many runs of one notebook, each without the cells that ended those before


class SandboxedKernel(AsyncKernelManager):
    """A kernel behind `bwrap`, which can be reached through sockets in the folder `shared` only."""

    def __init__(self, shared: Path, limits: Limits, unsafe: bool, **options):
        context = zmq.asyncio.Context()
        context.setsockopt(zmq.MAXMSGSIZE, limits.output)
        context.setsockopt(zmq.RCVHWM, 16)  # so many messages wait in this process, the rest in the kernel's
        super().__init__(context=context, kernel_name="python3", **options)
        self.kernel_spec_manager = KernelSpecManager(kernel_dirs=[])  # ipykernel's own "python3": this interpreter
        self.transport, self.ip, self.connection_file = "ipc", str(shared / "k"), str(shared / "kernel.json")
        self.shared, self.limits, self.unsafe = shared, limits, unsafe

    def format_kernel_cmd(self, extra_arguments=None):
        command = super().format_kernel_cmd(extra_arguments)
        return command if self.unsafe else wrapped(command, self.shared, self.limits)


class SandboxedExecute(Execute):
    """Runs the students' cells in a sandboxed kernel and gives each check's cell the judge's verdict as its output."""

    limits = Instance(Limits, args=()).tag(config=True)
    unsafe = Bool(False, help="run students' code without a sandbox").tag(config=True)

    def preprocess(self, nb, resources=None, km=None):
        self.timeout, self.interrupt_on_timeout = self.limits.cell_seconds, False
        ended, began = {}, time.monotonic()  # cell's index → why the kernel ended there
        for _ in range(ATTEMPTS):
            self.skip, self.at, self.watchdog, self.printed = ended, -1, None, 0
            reason = self._attempt(nb, resources)
            if reason is None:
                return nb, resources
            ended[self.at] = reason
            if time.monotonic() - began > self.limits.seconds:
                break
        for index, cell in enumerate(nb.cells):
            if cell.cell_type == "code" and is_grade(cell) and (index in ended or index >= self.at):
                cell.outputs = [_error("Ended", ended.get(index, f"not reached: {reason}"))]
        return nb, resources

    def _attempt(self, nb, resources) -> str | None:
        """Runs the notebook once, without the cells in `skip`; returns why it ended early, or None."""
        with tempfile.TemporaryDirectory(prefix="kernel-", dir="/tmp") as folder:
            self.shared = Path(folder)
            try:
                super().preprocess(nb, resources)
            except CellTimeoutError:
                return f"this cell ran for more than {self.limits.cell_seconds} seconds"
            except DeadKernelError as error:
                reason = self.watchdog.reason if self.watchdog and self.watchdog.reason else str(error)
                return f"the kernel ended here: {reason}"
            finally:
                if self.watchdog:
                    self.watchdog.kill("")
                    self.watchdog.stop()
        return None

    def create_kernel_manager(self):
        self.km = SandboxedKernel(self.shared, self.limits, self.unsafe, config=self.config)
        return self.km

    async def async_start_new_kernel(self, **options):
        self.extra_arguments = ["--log-level=ERROR"]
        await super().async_start_new_kernel(**options, env=environment())

    def preprocess_cell(self, cell, resources, index):
        if self.watchdog is None:
            self.watchdog = Watchdog(self.km.provisioner.pid, self.shared, self.limits)
        self.at = index
        if index in self.skip:
            cell.outputs = [_error("Ended", self.skip[index])]
        elif cell.cell_type == "code" and is_grade(cell):
            cell.execution_count = None
            try:
                praise = judge(cell.source, self._evaluate)
                cell.outputs = [new_output("stream", name="stdout", text=f"✓ {praise}\n")]
            except WrongAnswer as wrong:
                cell.outputs = [_error("WrongAnswer", wrong.hint, str(wrong))]
        else:
            cell, resources = super().preprocess_cell(cell, resources, index)
        return cell, resources

    def output(self, outs, msg, display_id, cell_index):
        self._count(msg)
        return super().output(outs, msg, display_id, cell_index)

    def _count(self, message):
        self.printed += len(str(message["content"]))
        if self.printed > self.limits.output:
            self.watchdog.kill(f"it printed more than {self.limits.output // 2**20} MiB")

    def _evaluate(self, expression: str) -> str:
        """The string that `expression` gives in the kernel; ValueError where it gives none."""
        return run_sync(self._async_evaluate)(expression)

    async def _async_evaluate(self, expression: str) -> str:
        asked = self.kc.execute("", silent=True, store_history=False, user_expressions={"reply": expression})
        until = time.monotonic() + self.limits.cell_seconds
        while True:
            await self._drop_printed()
            try:
                message = await self.kc.get_shell_msg(timeout=0.1)
            except queue.Empty:
                await self._async_check_alive()
                if time.monotonic() > until:
                    raise CellTimeoutError("the answer did not come back") from None
                continue
            if message["parent_header"].get("msg_id") == asked:
                break
        await self._drop_printed(asked)
        if self.watchdog.reason:  # else the next cell would be blamed
            raise DeadKernelError(self.watchdog.reason)
        reply = message["content"].get("user_expressions", {}).get("reply", {})
        if reply.get("status") != "ok":
            raise ValueError(f"{reply.get('ename')}: {reply.get('evalue')}"[:300])
        return written(reply["data"].get("text/plain"))

    async def _drop_printed(self, asked=None):
        """Takes what the answer has printed so far out of the queue, and counts it; all of it, if it has been `asked`."""
        with contextlib.suppress(queue.Empty):
            while self.watchdog.reason is None:
                message = await self.kc.get_iopub_msg(timeout=1 if asked else 0)
                self._count(message)
                idle = message["content"].get("execution_state") == "idle"
                if asked and idle and message["parent_header"].get("msg_id") == asked:
                    break


def written(text) -> str:
    """The string whose `repr` is `text`. Raises ValueError for anything else, before Python's parser sees it.

    >>> written("'a'")
    'a'
    """
    if not isinstance(text, str) or not STRING.fullmatch(text):
        raise ValueError("the kernel gave something else than text")
    try:
        return ast.literal_eval(text)
    except SyntaxError as error:  # a \\x without its number, say
        raise ValueError("the kernel gave something else than text") from error


def _error(kind: str, hint: str, text: str | None = None):
    """An error output, which costs the cell its points."""
    return new_output("error", ename=kind, evalue=hint, traceback=(text or f"{kind}: {hint}").splitlines())
