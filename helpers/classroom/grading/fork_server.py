"""The warmed server: everything is imported once, and each submission gets a fork.

Started as a program with a clean environment and one socket. It never sees a release, a solution
or a submission: those go to its forks over sockets of their own.
"""

from __future__ import annotations

import gc
import importlib
import os
import pkgutil
import random
import signal
import socket
import sys
import traceback
from contextlib import suppress
from typing import Any

from classroom.grading import linux, sandbox
from classroom.grading.channel import (
    Channel,
    ClosedError,
    receive_with_descriptors,
    send_with_descriptors,
)
from classroom.grading.keeper import end_children
from classroom.grading.model import Limits
from classroom.grading.semaphores import use_events

WARM = (
    "asyncio",
    "decimal",
    "fractions",
    "numpy",
    "numpy.testing",
    "pandas",
    "pandas.testing",
    "matplotlib",
    "matplotlib.pyplot",
    "matplotlib.ticker",
    "ipywidgets",
    "IPython.display",
    "leverage",
    "leverage.lessons",
    "leverage.venues",
)
REHEARSAL = (
    """
import numpy as np, pandas as pd, matplotlib.pyplot as plt
figure, axes = plt.subplots()
axes.plot([1, 2], [3, 4], label="a"); axes.legend(); axes.set_title("A b")
pd.DataFrame({"a": [1.0, 2.5], "b": ["x", "y"]}).groupby("b").a.mean()
""",
    "pd.DataFrame({'a': [1.0], 'b': ['x']}).describe()",
    """
from leverage.lessons import LeverageExplorer, describe
from leverage.lessons.charts.basic_charts import plot_equity
describe(
    plot_equity(1, entry_price=50_000, quantity=0.2, margin=1_000, maintenance_margin_rate=0.004),
    "Line chart of equity against price, drawn once before anyone asks: it falls with the price.",
)
""",
    "LeverageExplorer(quote='USD')",
    "1 / 0",
    "plt.close('all')",
)


class ForkServer:
    """Forks a process for each request that comes over the control socket."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._shell: Any = None
        self._watched: Any = None
        self._known: set[int] = set()

    def warm(self) -> None:
        """Import and use once what notebooks need, so that forks find it ready."""
        sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]  # 1.2 s for one rare format
        sys.modules["debugpy"] = None  # type: ignore[assignment]  # not needed, 90 ms
        import matplotlib

        matplotlib.use("module://matplotlib_inline.backend_inline")
        from classroom.grading import judge, runner, student
        from classroom.grading.integrity import Watched

        self._modules = (judge, runner, student)
        self._shell = runner.make_shell()
        for name in WARM:
            # pandas asks a built-in name whether it is in a notebook, or at a terminal
            with suppress(ImportError), self._shell.builtin_trap:
                importlib.import_module(name)
        for module in pkgutil.walk_packages(sys.modules["leverage"].__path__, "leverage."):
            if not module.name.endswith("__main__"):
                with suppress(ImportError):
                    importlib.import_module(module.name)
        notebook = runner.Notebook(self._shell, 1_000_000)
        for source in REHEARSAL:
            notebook.run(source, "rehearsal", count=False)
        self._shell.reset()
        self._shell.execution_count = 1
        self._watched = Watched(self._shell)
        sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
        linux.prepare_filters()
        gc.collect()
        gc.freeze()

    def loop(self) -> None:
        """Serve until the other side hangs up."""
        while True:
            try:
                request, descriptors = receive_with_descriptors(self._control)
            except (ClosedError, OSError):
                return
            self._reap()
            reply = self._fork(request, descriptors)
            for descriptor in descriptors:
                os.close(descriptor)
            send_with_descriptors(self._control, reply)

    def _reap(self) -> None:
        """Take note of forks that have ended, and end what they left behind."""
        with suppress(ChildProcessError):
            while pid := os.waitpid(-1, os.WNOHANG)[0]:
                self._known.discard(pid)
        end_children(self._known)

    def _fork(self, request: dict[str, Any], descriptors: list[int]) -> dict[str, Any]:
        parent = os.getpid()
        is_student = request["op"] == "student"
        child = sandbox.fork_submission(request["level"]) if is_student else os.fork()
        if child:
            self._known.add(child)
            return {"pid": child}
        try:
            linux.die_with_parent(parent)
            self._control.close()
            random.seed()
            (self._student if is_student else self._judge_server)(request, descriptors)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)

    def _student(self, request: dict[str, Any], descriptors: list[int]) -> None:
        import numpy as np

        limits = Limits.from_json(request["limits"])
        connection, files, judge = descriptors
        raw = os.memfd_create("outputs")  # inside it would be refused
        folder = sandbox.confine(request["level"], limits, files, request["folder"], judge)
        np.random.seed()
        if request["level"] == "landlock":
            use_events()
        from classroom.grading.student import StudentServer

        channel = Channel(socket.socket(fileno=connection))
        side = StudentServer(
            channel,
            self._shell,
            limits.output_bytes,
            self._watched,
            raw,
            folder,
        )
        side.notebook.redirect_descriptors()
        side.loop()

    def _judge_server(self, request: dict[str, Any], descriptors: list[int]) -> None:
        from classroom.grading.judge_server import JudgeServer

        JudgeServer(socket.socket(fileno=descriptors[0]), self._shell).loop()


def serve(control: int) -> None:
    """Run the server on the control socket."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    server = ForkServer(socket.socket(fileno=control))
    linux.adopt_orphans()
    server.warm()
    send_with_descriptors(server._control, {"ready": True})
    server.loop()
