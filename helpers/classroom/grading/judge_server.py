"""Holds one release: its tests and given names; a fork of it judges one submission."""

from __future__ import annotations

import ast
import gc
import json
import os
import socket
import sys
import time
import traceback
import types
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from classroom.grading import sandbox
from classroom.grading.channel import (
    Channel,
    ClosedError,
    receive_with_descriptors,
    send_with_descriptors,
)
from classroom.grading.judge import (
    StudentClient,
    StudentEndedError,
    TestRun,
    TestRunner,
    drawn_inputs,
    programs,
)
from classroom.grading.model import NOT_REACHED, PASSED, Limits, Release
from classroom.grading.reading import learner_names, own_statements, shown_at_the_end
from classroom.grading.repair import bound_names, is_flat
from classroom.grading.runner import Notebook, RunnerShell

MORE_OUTPUT = 1_000_000
MOST_NOTES = 20
DEEPEST = 50
"""Levels of JSON data that an output may show."""


class JudgeServer:
    """Serves requests to judge submissions of one release."""

    def __init__(self, control: socket.socket, shell: RunnerShell) -> None:
        self._control, self._shell = control, shell
        message = Channel(control).receive()
        self.release = Release.from_json(message["release"])
        self.partial = bool(message["partial"])
        self.learner = learner_names(self.release.cells)
        refuse_what_is_empty()
        shown: dict[str, list[dict[str, Any]]] = {}
        self.own = self._given_names(shown)
        self.shows = self._shows(shown)
        self.programs = programs(self.release.tests, shell.transform_cell)
        self.drawn = drawn_inputs(self.release.tests, self.programs, self.own)
        gc.collect()
        gc.freeze()

    def _given_names(self, shown: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
        """Run the given code that does not depend on answers; keep its names and what it shows."""
        os.environ["NBGRADER_EXECUTION"] = "autograde"
        notebook = Notebook(self._shell, 1_000_000)
        for statement in own_statements(self.release.cells, self.learner):
            ran = notebook.run(statement, "given", count=False, draws=False)
            if not ran["error"]:
                shown[statement] = ran["outputs"]
        with suppress(ImportError):
            import matplotlib.pyplot as plt

            plt.close("all")
        sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
        hidden = self._shell.user_ns_hidden
        return {
            name: value
            for name, value in self._shell.user_ns.items()
            if name not in hidden or name in ("__name__", "__builtins__")
        }

    def _shows(
        self, shown: Mapping[str, list[dict[str, Any]]]
    ) -> dict[str, tuple[str, list[dict[str, Any]]]]:
        """Return what runs of given cells that end by showing, and what they show to everybody.

        Nothing but plain data may go into that: an object might be another one afterwards.
        """
        made = {}
        for source, (rest, last) in shown_at_the_end(self.release.cells).items():
            read = {node.id for node in ast.walk(last) if isinstance(node, ast.Name)}
            values = [self.own[name] for name in read if name in self.own]
            text = ast.unparse(last)
            if text in shown and all(map(_changes_nothing, values)):
                made[source] = rest if rest.strip() else "pass", shown[text]
        return made

    def loop(self) -> None:
        """Serve until the other side hangs up."""
        send_with_descriptors(self._control, {"ready": True})
        while True:
            try:
                request, descriptors = receive_with_descriptors(self._control)
            except (ClosedError, OSError):
                return
            with suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            child = os.fork()
            if child == 0:
                try:
                    self._control.close()
                    self._judge(request, descriptors)
                except BaseException:
                    traceback.print_exc()
                finally:
                    os._exit(0)
            for descriptor in descriptors:
                os.close(descriptor)
            send_with_descriptors(self._control, {"pid": child})

    def _judge(self, request: Mapping[str, Any], descriptors: list[int]) -> None:
        student, grader, keeper = (
            Channel(socket.socket(fileno=number), takes_sockets=not place)
            for place, number in enumerate(descriptors)
        )
        limits = Limits.from_json(request["limits"])
        sandbox.limit_memory_and_time(limits)  # an answer may be small here and endless in use
        Conductor(self, grader, StudentClient(student, keeper, limits), limits).run()


class Conductor:
    """Takes one submission through its notebook: cells in one process, tests in this one."""

    def __init__(
        self,
        server: JudgeServer,
        grader: Channel,
        session: StudentClient,
        limits: Limits,
    ) -> None:
        self._server, self._grader, self._session = server, grader, session
        self._runner = TestRunner(
            self._session,
            server._shell,
            server.own,
            server.learner,
            server.programs,
            server.drawn,
            partial_credit=server.partial,
        )
        self._limits = limits
        self._seconds = {"cells": 0.0, "tests": 0.0}
        self._room = 2 * limits.output_bytes + MORE_OUTPUT
        """Characters of outputs that a forged message may still bring; the student's side has cut
        them already."""

    def run(self) -> None:
        """Run what the grader sends, and send back what happened to each cell as it happens."""
        plan = self._grader.receive()["plan"]
        tests = {cell.grade_id: cell for cell in self._server.release.tests}
        session = self._session
        for position, step in enumerate(plan):
            if step["do"] == "run":
                began = time.monotonic()
                self._grader.send({"cell": step["cell"], **self._run_cell(step)})
                self._seconds["cells"] += time.monotonic() - began
            else:
                test = tests[step["grade_id"]]
                run = TestRun(test.grade_id)
                if not session.ended:
                    session.hides = test.has_hidden_part
                    run = self._runner.run(test)
                    if run.state != PASSED:
                        run.sentence += defined_later(self._runner.missing, plan[position:])
                    self._seconds["tests"] += run.seconds
                session.leave_copy()
                self._grader.send({"cell": step["cell"], "test": test_data(run)})
        session.look()
        self._grader.send(
            {
                "over": True,
                "ended": session.ended,
                "timed_out": session.timed_out,
                "struck": session.struck,
                "tampering": session.tampering,
                "notes": session.notes,
                "seconds": self._seconds,
            }
        )

    def _run_cell(self, step: Mapping[str, Any]) -> dict[str, Any]:
        session = self._session
        if session.ended:
            return {"outputs": [], "state": NOT_REACHED}
        source = step["source"]
        shown: list[dict[str, Any]] = []
        if step["given"]:  # what nobody is graded on was made once for all
            source, shown = self._server.shows.get(source, (source, shown))
        try:
            answer = session.run(source, step["id"], draws=not step["given"])
        except StudentEndedError:
            return {"outputs": [], "state": "ended", "late": session.timed_out}
        for note in list(answer.get("notes") or [])[:MOST_NOTES]:
            if note not in session.notes and len(session.notes) < MOST_NOTES:
                session.notes.append(str(note)[:200])
        count = answer.get("count")
        outputs = plain_outputs([*list(answer.get("outputs") or []), *shown], self._room)
        self._room -= sum(len(json.dumps(output)) for output in outputs)
        return {
            "outputs": outputs,
            "count": count if isinstance(count, int) and 0 <= count < 1_000_000 else None,
            "state": "late" if session.timed_out else "run",
        }


def _changes_nothing(value: object) -> bool:
    """Tell whether a value of the notebook is plain data, or a function or class of the course."""
    if isinstance(value, types.FunctionType | type):
        return str(value.__module__).startswith(("leverage", "builtins"))
    if isinstance(value, list | tuple | set | dict):
        parts = [*value, *value.values()] if isinstance(value, dict) else value
        return all(map(_changes_nothing, parts))
    return type(value).__module__ in (
        "builtins",
        "numpy",
        "pandas.core.frame",
        "pandas.core.series",
    )


def defined_later(missing: frozenset[str], plan: Sequence[Mapping[str, Any]]) -> str:
    """Say where a name that a test did not find is defined further down."""
    for step in plan:
        for name in sorted(missing & bound_names(step["source"])) if step["do"] == "run" else ():
            return f" {name} is defined later, in cell {step['cell'] + 1}: move it above its test."
    return ""


def plain_outputs(outputs: Any, room: int) -> list[dict[str, Any]]:
    """Return a cell's outputs as nbformat has them; what is no output is left out."""
    kept: list[dict[str, Any]] = []
    for output in outputs if isinstance(outputs, list) else []:
        if not isinstance(output, dict):
            continue
        kind = output.get("output_type")
        made: dict[str, Any] = {"output_type": kind}
        if kind == "stream":
            name = "stderr" if output.get("name") == "stderr" else "stdout"
            made |= {"name": name, "text": str(output.get("text", ""))}
        elif kind in ("display_data", "execute_result"):
            data = output.get("data")
            made |= {"data": shown_data(data), "metadata": {}}
            if isinstance(output.get("metadata"), dict):
                made["metadata"] = output["metadata"]
            if kind == "execute_result":
                made["execution_count"] = None
        elif kind == "error":
            lines = output.get("traceback")
            texts = [str(line) for line in lines] if isinstance(lines, list) else []
            made |= {"ename": str(output.get("ename", "")), "evalue": str(output.get("evalue", ""))}
            made["traceback"] = texts
        else:
            continue
        try:
            size = len(json.dumps(made, allow_nan=False))
        except ValueError:  # not a number, which is no JSON
            continue
        room -= size
        if room < 0:
            break
        if is_flat(made, DEEPEST):
            kept.append(made)
    return kept


def shown_data(data: Any) -> dict[str, Any]:
    """Return a display's data as nbformat has it: texts, and JSON where the type says so."""
    return {
        kind: part if kind.endswith("json") else str(part)
        for kind, part in (data.items() if isinstance(data, dict) else ())
    }


def refuse_what_is_empty() -> None:
    """Let NumPy's assertions refuse empty and masked answers, which equal any number for them."""
    import numpy as np
    import numpy.testing._private.utils as utils

    compare: Any = utils.assert_array_compare

    def strict(comparison: Any, x: Any, y: Any, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        with suppress(ValueError, TypeError):
            if (np.size(x) == 0) != (np.size(y) == 0):
                raise AssertionError("one side is empty and the other is not")
        if np.any(np.ma.getmaskarray(x)) != np.any(np.ma.getmaskarray(y)):
            raise AssertionError("one side has masked values and the other has none")
        return compare(comparison, x, y, *args, **kwargs)

    utils.assert_array_compare = strict


def test_data(run: TestRun) -> dict[str, Any]:
    """Return what a test said as plain data."""
    data = {**run.__dict__}
    data["checks"] = [check.__dict__ for check in run.checks]
    return data


test_data.__test__ = False  # type: ignore[attr-defined]  # pytest: this is no test
