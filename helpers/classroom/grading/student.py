"""The process in which a student's code runs: it holds no test, no solution and no verdict.

It runs cells and calls functions when the judge asks, and sends back plain values. Whatever the
code does to this interpreter, it can change its own answers only.
"""

from __future__ import annotations

import fcntl
import io
import linecache
import os
import signal
import socket
import sys
import time
import types
import warnings
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout, suppress
from typing import Any

from classroom.grading import linux, throwaway
from classroom.grading.channel import Channel, ClosedError, ProtocolError
from classroom.grading.codec import TooLargeError
from classroom.grading.dialogue import Dialogue
from classroom.grading.integrity import Integrity, Watched
from classroom.grading.runner import Notebook, RunnerShell

PRINT_LIMIT = 4_000
PATIENCE = 10
# References of our own: what a student's code replaces in these modules does not reach them.
_sleep = time.sleep
_socketpair, _connection, _ask = socket.socketpair, socket.socket, fcntl.fcntl
_fork, _exit, _waitpid, _getpid, _getppid = os.fork, os._exit, os.waitpid, os.getpid, os.getppid
_settle, _clone, _listdir = throwaway.settle_copy, linux.clone, os.listdir


class _FirstPrinted(io.StringIO):
    """Keeps the first part of what a function prints."""

    def write(self, text: str, /) -> int:
        room = PRINT_LIMIT - self.tell()
        if room > 0:
            super().write(text[:room])
        return len(text)


class StudentServer:
    """Serves the judge's requests."""

    def __init__(
        self,
        channel: Channel,
        shell: RunnerShell,
        output_bytes: int,
        watched: Watched,
        raw: int,
        folder: str,
    ) -> None:
        self.shell = shell
        self.notebook = Notebook(shell, output_bytes, raw)
        self.dialogue = Dialogue(channel, self.serve, self.stand_in)
        self.integrity = Integrity(
            shell, watched, lambda what: self.dialogue.channel.send({"report": what})
        )
        self.notebook.mend = self.integrity.mend
        self._running = False
        self._folder = folder
        self._handlers: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "run": self._run_cell,
            "names": self._names,
            "get": self._get,
            "call": self._call,
            "call_each": self._call_each,
            "next": self._next,
            "attribute": self._attribute,
            "stop": self._stop,
            "imported": self._imported,
            "snapshot": self._snapshot,
            "look": self._look,
            "settle": self._settle,
        }

    def loop(self) -> None:
        """Serve until the judge hangs up."""
        signal.signal(signal.SIGINT, self._interrupted)
        while True:
            try:
                request = self.dialogue.channel.receive()
                self.dialogue.answer(request)
            except (ClosedError, ProtocolError):
                return
            except (KeyboardInterrupt, _AnsweredError):
                continue

    def _interrupted(self, number: int, frame: object) -> None:
        if self._running:
            raise KeyboardInterrupt

    def serve(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer one request."""
        before, self._running = self._running, True
        try:
            return self._handlers[request["op"]](request)
        except KeyboardInterrupt as stopped:
            return {"error": self._error_data(stopped)}
        finally:
            self._running = before

    def stand_in(self, data: dict[str, Any]) -> object:
        """Return a function that asks the judge to call one of its own."""
        number = data["i"]

        def function(*args: Any, **kwargs: Any) -> Any:
            answer = self.dialogue.ask(
                {
                    "op": "call",
                    "i": number,
                    "a": self.dialogue.encode(args),
                    "k": self.dialogue.encode(kwargs),
                }
            )
            if "error" in answer:
                raise RuntimeError(str(answer["error"]))
            return self.dialogue.decode(answer["value"])

        function.__name__ = str(data.get("n", "function"))
        return function

    def _run_cell(self, request: dict[str, Any]) -> dict[str, Any]:
        ran = self.notebook.run(request["source"], request["id"], draws=request["draws"])
        return {**ran, "notes": self.notebook.notes}

    def _look(self, request: dict[str, Any]) -> dict[str, Any]:
        self.integrity.look()
        return {}

    def _names(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"names": [name for name in list(self.shell.user_ns) if type(name) is str]}

    def _get(self, request: dict[str, Any]) -> dict[str, Any]:
        names = self.shell.user_ns
        if request["name"] not in names:
            return {"missing": True}
        return self._value(names[request["name"]])

    def _value(self, value: object) -> dict[str, Any]:
        try:
            return {"value": self.dialogue.encode(value)}
        except TooLargeError as problem:
            said, kind = str(problem), type.__getattribute__(type(value), "__name__")
        except KeyboardInterrupt:
            raise
        except BaseException:  # an object whose class raises whatever it is asked
            said, kind = "an object that cannot be looked at", "object"
        return {"value": {"t": "ob", "n": str(kind), "m": "", "r": f"<{said}>", "own": []}}

    def _call(self, request: dict[str, Any]) -> dict[str, Any]:
        function: Any = self.dialogue.exported[request["i"]]
        args, kwargs = self.dialogue.decode(request["a"]), self.dialogue.decode(request["k"])
        printed = _FirstPrinted()
        reply: dict[str, Any]
        try:
            with warnings.catch_warnings(), redirect_stdout(printed), redirect_stderr(printed):
                warnings.simplefilter("ignore")
                value = self.notebook.call(function, *args, **kwargs)
            reply = self._value(value)
        except BaseException as error:
            self.integrity.mend()
            reply = {"error": self._error_data(error)}
        self.integrity.mend()
        try:
            changed = self.dialogue.encode(args)
            if changed != request["a"]:
                reply["changed"] = changed
        except TooLargeError:
            pass
        return {**reply, "printed": io.StringIO.getvalue(printed)}

    def _call_each(self, request: dict[str, Any]) -> dict[str, Any]:
        """Call a function many times; an answer that never came is told by its absence."""
        function: Any = self.dialogue.exported[request["i"]]
        printed = _FirstPrinted()
        each: list[dict[str, Any]] = []
        with warnings.catch_warnings(), redirect_stdout(printed), redirect_stderr(printed):
            warnings.simplefilter("ignore")
            for case in request["a"]:
                fixed = type(case) is list  # as it is: no function can change what is in it
                args = case if fixed else self.dialogue.decode(case)
                try:
                    reply = self._value(self.notebook.call(function, *args))
                except BaseException as error:
                    reply = {"error": self._error_data(error)}
                with suppress(TooLargeError):
                    reply["changed"] = not fixed and self.dialogue.encode(args) != case
                each.append(reply)
                if "error" in reply and reply["error"]["kinds"][0][1] == "KeyboardInterrupt":
                    break
        self.integrity.mend()
        return {"each": each, "printed": io.StringIO.getvalue(printed)}

    def _next(self, request: dict[str, Any]) -> dict[str, Any]:
        iterator: Any = self.dialogue.exported[request["i"]]
        if not hasattr(iterator, "__next__"):
            iterator = self.dialogue.exported[request["i"]] = iter(iterator)
        try:
            return self._value(next(iterator))
        except StopIteration:
            return {"over": True}
        except BaseException as error:
            return {"error": self._error_data(error)}

    def _attribute(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            return self._value(getattr(self.dialogue.exported[request["i"]], request["name"]))
        except BaseException as error:
            return {"error": self._error_data(error)}

    def _error_data(self, error: BaseException) -> dict[str, Any]:
        try:
            text = str(error)
        except BaseException:
            text = ""
        kinds = [[str(k.__module__), str(k.__qualname__)] for k in type(error).__mro__]
        line, source, name = self._place(error)
        return {
            "kinds": kinds[:-1],
            "text": text[:20_000],
            "name": str(getattr(error, "name", "") or "") if isinstance(error, NameError) else "",
            "line": line,
            "source": source,
            "file": name,
        }

    def _place(self, error: BaseException) -> tuple[int, str, str]:
        """Say where in the student's own code an error arose."""
        trace, own = error.__traceback__, None
        while trace is not None:
            if trace.tb_frame.f_globals is self.shell.user_ns:
                own = trace
            trace = trace.tb_next
        if own is None:
            return 0, "", ""
        name = own.tb_frame.f_code.co_filename
        return own.tb_lineno, linecache.getline(name, own.tb_lineno).strip()[:300], name

    def _watch(self) -> Any:
        cells: Any = sys.modules.get("leverage.lessons.cells")
        return cells.watch() if isinstance(cells, types.ModuleType) else None

    def _stop(self, request: dict[str, Any]) -> dict[str, Any]:
        watch = self._watch()
        if watch is None:
            return {"stop": None}
        stop = (watch.last_stop if request["last"] else watch.stop_of)(request["name"])
        if stop is None:
            return {"stop": None}
        return {"stop": [stop.error, bool(stop.stub), stop.source, list(stop.names)]}

    def _imported(self, request: dict[str, Any]) -> dict[str, Any]:
        watch = self._watch()
        return {"imported": bool(watch is not None and watch.is_imported(request["name"]))}

    def _snapshot(self, request: dict[str, Any]) -> dict[str, Any]:
        """Go on in a copy of this process; what the copy does is thrown away with it.

        The copy is the keeper's child, so that not even how it ends is told here.
        """
        had = throwaway.shared()
        child = _sibling() if len(_listdir("/proc/self/task")) == 1 else _orphan()
        if child > 0:
            raise _AnsweredError
        if child < 0:
            return {"refused": True}
        try:
            self._move(request["ask"])
            self._had = had
        except BaseException:
            _exit(1)
        raise _AnsweredError

    def _move(self, number: int) -> None:
        """Talk to the judge over a connection of one's own: no thread of the original has it."""
        home = self.dialogue.channel
        mine, judges = _socketpair()
        home.send_socket({"answer": number}, judges)
        # A student's code may have closed 0 to 2, which will be put in their places again.
        above = _ask(mine.fileno(), fcntl.F_DUPFD_CLOEXEC, 3)
        self.dialogue.channel = Channel(_connection(fileno=above))
        for connection in (mine, judges, home):
            connection.close()

    def _settle(self, request: dict[str, Any]) -> dict[str, Any]:
        """Share nothing with the original any more; only ever asked of a copy."""
        _settle(self.dialogue.channel.fileno(), self._had, self._folder)
        self.notebook.begin_loop()
        return {}


def _with_patience(fork: Callable[[], int]) -> int:
    """Fork; a neighbour may hold what the user may have, for a moment."""
    for _ in range(PATIENCE):
        with suppress(OSError):
            return fork()
        _sleep(0.1)
    return -1


def _sibling() -> int:
    """Fork a child of this process' parent."""
    return _with_patience(lambda: _clone(linux.SIBLING))


def _orphan() -> int:
    """Fork a child that goes to the keeper, where a fork must be the C library's."""
    child = _with_patience(_fork)
    if child > 0:
        return -1 if _waitpid(child, 0)[1] else child
    middle = _getpid()
    if child == 0:
        child = _with_patience(_fork)
        if child:
            _exit(child < 0)
        while _getppid() == middle:
            _sleep(0.0002)
    return child


class _AnsweredError(Exception):
    """The answer to this request has been given by another process."""
