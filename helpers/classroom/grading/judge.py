"""Decides the tests, in a process that never runs a student's code.

The test cells, hidden parts included, exist only here. A name that a test uses for the student's
answer is fetched from the student's process as a plain copy; a function becomes a stand-in that
asks that process to call it. Everything else a test uses (the checks, numpy, the numbers of the
given cells) is this process's own.
"""

from __future__ import annotations

import ast
import builtins
import io
import linecache
import signal
import sys
import time
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from classroom.grading.channel import Channel, ClosedError, DeadlineError, ProtocolError
from classroom.grading.codec import CodecError, is_trusted, signature_from
from classroom.grading.dialogue import Dialogue, DiedError, after
from classroom.grading.model import (
    FAILED,
    NOT_REACHED,
    PARTIAL,
    PASSED,
    STUDENT_ENDED,
    TIMED_OUT,
    CheckResult,
    Limits,
    ReleaseCell,
)
from classroom.grading.repair import bound_names
from classroom.grading.runner import Recorder, RunnerShell
from classroom.markers import hidden_lines
from leverage.lessons import checks
from leverage.lessons.agreement import Drawn
from leverage.lessons.calls import CallResult, is_fixed
from leverage.lessons.cells import StoppedCell
from leverage.lessons.rehearsal import rehearse

INTERRUPTS = 8
BETWEEN_INTERRUPTS = 0.25
HIDDEN_FAILED = "A hidden check did not pass."
LONGEST_ERROR = 20_000
KEEPER_SECONDS = 10.0
KILLED: dict[str, Any] = {"gone": -signal.SIGKILL}
"""What a keeper says that was killed."""


RUNS_CODE = ("call", "call_each", "next", "attribute")
"""What the student's process is asked that runs the student's functions."""
_NUMBER = "_number"
"""Where a stand-in of a student's function keeps the number by which it is called."""
NO_ROOM = "This test could not be run: your notebook left no room for another process."


class StudentEndedError(BaseException):
    """The student's process has ended; nothing more can be asked of it."""


class NoRoomError(BaseException):
    """A hidden line needs a copy of the student's process, and there can be none."""


@dataclass
class TestRun:
    """What one test said."""

    grade_id: str
    state: str = NOT_REACHED
    points: float = 0.0
    checks: list[CheckResult] = field(default_factory=list)
    sentence: str = ""
    detail: str = ""
    outputs: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0

    __test__ = False


def hints_in(source: str) -> list[str]:
    r"""Return the texts that a test has for students: messages of `assert`, and hints.

    >>> hints_in("assert f(2) == 4, 'Double it.'\ncheck.value('x', 1, hint='Look.')")
    ['Double it.', 'Look.']
    """
    with suppress(SyntaxError):
        nodes = list(ast.walk(ast.parse(source)))
        texts = [node.msg for node in nodes if isinstance(node, ast.Assert)]
        texts += [
            node.value for node in nodes if isinstance(node, ast.keyword) and node.arg == "hint"
        ]
        return [
            text.value
            for text in texts
            if isinstance(text, ast.Constant) and isinstance(text.value, str) and text.value
        ]
    return []


@dataclass(frozen=True)
class Program:
    """A test ready to run: its statements, and its last expression apart from them."""

    statements: types.CodeType
    last: types.CodeType | None


def name_of_file(cell: ReleaseCell) -> str:
    """Return the name under which the lines of a test appear in tracebacks."""
    return f"<test {cell.grade_id}>"


def program(cell: ReleaseCell, transform: Callable[[str], str]) -> Program:
    """Compile a test; raises `SyntaxError` where it is no Python."""
    name = name_of_file(cell)
    tree = ast.parse(transform(cell.source), name)
    value = None
    if tree.body and isinstance(last := tree.body[-1], ast.Expr):
        del tree.body[-1]
        value = compile(ast.Expression(last.value), name, "eval")
    return Program(compile(tree, name, "exec"), value)


def programs(cells: Iterable[ReleaseCell], transform: Callable[[str], str]) -> dict[str, Program]:
    """Compile the tests of a release, once for all submissions; what cannot be is left out."""
    made = {}
    for cell in cells:
        with suppress(SyntaxError, ValueError, RecursionError, MemoryError):
            made[cell.grade_id] = program(cell, transform)
    return made


def drawn_inputs(
    cells: Iterable[ReleaseCell], ready: Mapping[str, Program], names: Mapping[str, Any]
) -> dict[str, list[Drawn]]:
    """Draw the inputs of all comparisons, once for all submissions; what cannot be waits."""
    made = {}
    for name in (cell.grade_id for cell in cells if "check.compare(" in cell.source):
        with suppress(Exception), redirect_stdout(io.StringIO()):
            run = partial(exec, ready[name].statements)
            made[name] = [found.drawn for found in rehearse(name, names, run)]
    return made


class TestNames(dict[str, Any]):
    """The names that a test sees: the judge's own, and the student's where they are answers."""

    def __init__(
        self, own: Mapping[str, Any], session: StudentClient, learner: frozenset[str]
    ) -> None:
        super().__init__(own)
        self._session, self._learner = session, learner
        self.missing: set[str] = set()

    def __missing__(self, name: str) -> Any:
        if hasattr(builtins, name) and name not in self._learner:
            raise KeyError(name)  # a student's own `abs` or `all` is none of the test's
        found, value = self._session.fetch(name)
        if not found:
            self.missing.add(name)
            raise KeyError(name)
        self[name] = value
        return value

    def __contains__(self, name: object) -> bool:
        return dict.__contains__(self, name) or (isinstance(name, str) and self._has(name))

    def _has(self, name: str) -> bool:
        try:
            self[name]  # a test that asks whether it is there goes on to use it
        except KeyError:
            return False
        return True

    def __iter__(self) -> Iterator[str]:
        yield from list(dict.__iter__(self))
        known = set(dict.__iter__(self))
        yield from [name for name in self._session.student_names() if name not in known]

    def get(self, name: str, default: Any = None) -> Any:
        """Return a value, or the default where there is none."""
        try:
            return self[name]
        except KeyError:
            return default

    def items(self) -> Any:
        """Return all names with their values."""
        return [(name, self[name]) for name in self]

    def keys(self) -> Any:
        """Return all names."""
        return list(self)


class _Remote:
    """An object of the student's process of which only its description is here."""

    def __init__(self, session: StudentClient, data: Mapping[str, Any]) -> None:
        self.__dict__["_session"], self.__dict__["_data"] = session, data

    def __repr__(self) -> str:
        return str(self.__dict__["_data"]["r"])[:200]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        session, data = self.__dict__["_session"], self.__dict__["_data"]
        if "i" not in data:
            raise AttributeError(name)
        return session.attribute(data["i"], name)


class _RemoteCallable(_Remote):
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        session, data = self.__dict__["_session"], self.__dict__["_data"]
        return session.call(data["i"], args, kwargs)


class RemoteWatch:
    """What became of the student's cells, asked of the student's process."""

    def __init__(self, session: StudentClient) -> None:
        self._session = session

    def started_check(self) -> None:
        """Do nothing: a test is no cell of the student's process."""

    def _ask(self, name: str, *, last: bool) -> StoppedCell | None:
        fields = self._session.ask({"op": "stop", "name": name, "last": last}).get("stop")
        if fields is None:
            return None
        error, stub, source, names = fields
        return StoppedCell(str(error), bool(stub), str(source), tuple(map(str, names)))

    def stop_of(self, name: str) -> StoppedCell | None:
        """Return the stop that kept `name` from being stored."""
        if name in self._session.unstopped:  # and no cell has run since
            return None
        stop = self._ask(name, last=False)
        if stop is None:
            self._session.unstopped.add(name)
        return stop

    def last_stop(self, name: str) -> StoppedCell | None:
        """Return the stop of the cell run last."""
        return self._ask(name, last=True)

    def source_of(self, name: str) -> str:
        """Return the text of the student's cell that bound `name` last."""
        found = (cell for cell in reversed(self._session.sources) if name in bound_names(cell))
        return next(found, "")

    def is_imported(self, name: str) -> bool:
        """Tell whether the notebook got `name` by an import."""
        return bool(self._session.ask({"op": "imported", "name": name}).get("imported"))


class StudentClient:
    """The judge's side of one submission."""

    def __init__(self, channel: Channel, keeper: Channel, limits: Limits) -> None:
        self._dialogue = Dialogue(channel, self._serve, self._stand_in)
        self._dialogue.report = self._reported
        self._home, self._keeper = channel, keeper
        self._limits = limits
        self._deadline = 0.0
        self._tries = 0
        self.timed_out = False
        self.ended = ""
        self.hides = False
        """The running test has hidden parts, so that a copy of the student's process is asked."""
        self._copied = False
        self.refused = False
        """There could be no copy, and so a hidden line was not asked."""
        self._copy_died = False
        self.struck = False
        """A process was killed; by whom cannot be told."""
        self.names: TestNames | None = None
        self._undo: list[Callable[[], None]] = []
        self._student_names: tuple[str, ...] | None = None
        self.unstopped: set[str] = set()
        """Names of which the student's process said that no cell's stop kept them from being stored."""
        self._quiet: Callable[[], bool] = lambda: False
        self.tampering: list[str] = []
        self.notes: list[str] = []
        self.sources: list[str] = []
        """The student's cells that have run."""

    def _reported(self, what: str) -> None:
        if what not in self.tampering and len(self.tampering) < 100:
            self.tampering.append(what)

    # asking

    def begin(self) -> None:
        """Start the clock of a cell or a test."""
        self._deadline = after(self._limits.cell_seconds)
        self._tries = 0
        self.timed_out = self.refused = False
        self._copy_died = False
        self._student_names = None
        self.unstopped.clear()

    def _late(self) -> float:
        self.timed_out = True
        self._tries += 1
        if self._tries > INTERRUPTS and self._copied:
            raise DiedError  # the copy is thrown away
        if self._tries > INTERRUPTS:
            self._end("it ran too long and could not be interrupted")
            raise StudentEndedError
        self._ask_keeper("interrupt")
        return after(BETWEEN_INTERRUPTS if self._tries > 1 else 4 * BETWEEN_INTERRUPTS)

    def _end(self, why: str) -> None:
        """Let the keeper end the submission, which it does when nobody asks it any more."""
        self.ended = why
        self._keeper.close()

    def _ask_keeper(self, what: str) -> dict[str, Any]:
        """Ask the keeper, or learn from it that the student's process has ended."""
        answer: dict[str, Any] = KILLED
        with suppress(ClosedError, DeadlineError, ProtocolError):
            self._keeper.send({"op": what})
            answer = self._keeper.receive(after(KEEPER_SECONDS))
        if "gone" in answer:
            self._note_end(answer)
            raise StudentEndedError
        return answer

    def _note_end(self, answer: dict[str, Any]) -> None:
        """Note that the student's process has ended, by itself or killed by something else."""
        self.ended = self.ended or STUDENT_ENDED
        code, seconds = answer.get("gone"), answer.get("cpu", 0.0)
        self.struck |= code == -signal.SIGKILL and seconds < 0.9 * self._limits.cpu_seconds

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Ask the student's process; raises `StudentEndedError` where there is no answer.

        Tests with hidden lines ask a copy of it, which forgets what it was asked and may end
        without harm. The copy is made when a hidden line asks, or a function is to be called:
        many tests end before that, because an answer is missing.
        """
        due = self.hides and not self._copied and not self._copy_died
        if due and (request["op"] in RUNS_CODE or self._quiet()):
            self._snapshot()
            if not self._copied:
                self.refused = True
                raise NoRoomError
        return self._send(request)

    def _send(
        self,
        request: dict[str, Any],
        deadline: float | None = None,
        late: Callable[[], float] | None = None,
    ) -> dict[str, Any]:
        if self.ended:
            raise StudentEndedError
        if self._copy_died:
            raise DiedError
        try:
            return self._dialogue.ask(request, deadline or self._deadline, late or self._late)
        except ClosedError:
            if self._copied:
                self._copy_died = True
                raise DiedError from None
            self.ended = STUDENT_ENDED
            answer = KILLED
            with suppress(ClosedError, ProtocolError):
                answer = self._keeper.receive(after(KEEPER_SECONDS))
            self._note_end(answer)
        except DiedError:
            self._copy_died = True
            raise
        except DeadlineError:
            pass  # it hung up, and goes on
        except (ProtocolError, CodecError) as problem:
            self.tampering.append(f"forged a message to the judge ({problem})")
            self._end("it broke the connection to the judge")
        raise StudentEndedError

    def run(self, source: str, cell_id: str, *, draws: bool) -> dict[str, Any]:
        """Run one of the student's cells; `draws` is False where nobody looks at its pictures."""
        self.begin()
        self.sources.append(source)
        return self.ask({"op": "run", "source": source, "id": cell_id, "draws": draws})

    def look(self) -> None:
        """Let the student's process report what its code replaced."""
        self.begin()
        with suppress(StudentEndedError):
            self.ask({"op": "look"})

    # names

    def student_names(self) -> tuple[str, ...]:
        """Return the names in the student's notebook."""
        if self._student_names is None:
            answer = self.ask({"op": "names"})
            self._student_names = tuple(map(str, answer.get("names", ())))
        return self._student_names

    def fetch(self, name: str) -> tuple[bool, Any]:
        """Return whether the student has this name, and a copy of its value."""
        answer = self.ask({"op": "get", "name": name})
        if "value" not in answer:
            return False, None
        return True, self.decode(answer["value"])

    def decode(self, data: Any) -> Any:
        """Return the value of an answer; what is no value ends the conversation."""
        try:
            return self._dialogue.decode(data)
        except CodecError as problem:
            self.tampering.append(f"forged a value ({problem})")
            self._end("it sent a value that is none")
            raise StudentEndedError from None

    def attribute(self, number: int, name: str) -> Any:
        """Return an attribute of an object of the student."""
        answer = self.ask({"op": "attribute", "i": number, "name": name})
        if "error" in answer:
            raise self._error(answer["error"])
        return self.decode(answer["value"])

    def call(
        self, number: int, args: Sequence[Any], kwargs: Mapping[str, Any], name: str = ""
    ) -> Any:
        """Call a function of the student and return a copy of its result.

        Its name goes with the error that it may raise.
        """
        request = {
            "op": "call",
            "i": number,
            "a": self._dialogue.encode(tuple(args)),
            "k": self._dialogue.encode(dict(kwargs)),
        }
        try:
            answer = self.ask(request)
        except DiedError:
            raise RuntimeError("the process ended while your function ran") from None
        printed = answer.get("printed", "")
        if printed and isinstance(printed, str) and not self._quiet():
            sys.stdout.write(printed)
        if "changed" in answer:
            for mine, new in zip(args, self.decode(answer["changed"]), strict=False):
                undo = _change(mine, new)
                if undo is not None:
                    self._undo.append(undo)
        if "error" in answer:
            self._raise({**answer["error"], "function": name})
        return self.decode(answer["value"])

    def call_each(self, number: int, cases: Sequence[tuple[Any, ...]]) -> list[CallResult]:
        """Call a function of the student once for each tuple of arguments, in one message."""
        request = {
            "op": "call_each",
            "i": number,
            "a": [list(case) if is_fixed(case) else self._dialogue.encode(case) for case in cases],
        }
        try:
            answer = self.ask(request)
        except DiedError:
            ended = RuntimeError("the process ended while your function ran")
            return [CallResult(error=ended)] * len(cases)
        printed = str(answer.get("printed", ""))
        errors: dict[str, BaseException] = {}
        results = [
            self._result(data, printed, errors) for data in list(answer["each"])[: len(cases)]
        ]
        missing = RuntimeError("your function was stopped before it had answered every time")
        return results + [CallResult(error=missing)] * (len(cases) - len(results))

    def _result(
        self, data: Mapping[str, Any], printed: str, errors: dict[str, BaseException]
    ) -> CallResult:
        """Return what one call did; errors that say the same are one, which costs less."""
        changed = bool(data.get("changed"))
        if "error" not in data:
            return CallResult(self.decode(data["value"]), printed, changed=changed)
        said = repr(data["error"])
        if said not in errors:
            errors[said] = self._error(data["error"])
        return CallResult(error=errors[said], changed=changed)

    def undo_changes(self) -> None:
        """Put back what the student's functions changed of a test's own data.

        A test sees such changes; what later tests compute from the data must not depend on them.
        """
        while self._undo:
            self._undo.pop()()

    def pull(self, number: int) -> Iterator[Any]:
        """Yield the values of an iterator of the student."""
        while True:
            answer = self.ask({"op": "next", "i": number})
            if "error" in answer:
                self._raise(answer["error"])
            if "value" not in answer:
                return
            yield self.decode(answer["value"])

    def _raise(self, data: Mapping[str, Any]) -> None:
        """Raise the error as if it arose in the student's line, so that messages can name it."""
        error = self._error(data)
        line = data.get("line")
        if self._quiet() or self.names is None or not (type(line) is int and 0 < line < 100_000):
            raise error
        name, source = "<your notebook>", str(data.get("source", ""))
        linecache.cache[name] = (1, None, ["\n"] * (line - 1) + [source + "\n"], name)
        code = compile("\n" * (line - 1) + "raise __error__", name, "exec")
        exec(code, self.names, {"__error__": error})  # noqa: S102 - our own text

    def _error(self, data: Mapping[str, Any]) -> BaseException:
        """Make the error that a student's function raised."""
        known: type[BaseException] = Exception
        kinds = [(str(module)[:200], str(name)[:200]) for module, name in data["kinds"][:50]]
        for module, name in kinds:
            found = getattr(sys.modules.get(module), name, None) if is_trusted(module) else None
            if isinstance(found, type) and issubclass(found, BaseException):
                known = found
                break
        text, name = (
            str(data["text"])[:LONGEST_ERROR],
            kinds[0][1].rpartition(".")[2] if kinds else "Exception",
        )
        if self._quiet():
            name = known.__name__  # a name of the student's making could tell what was asked

        def init(self: BaseException, *args: Any) -> None:
            pass

        def new(kind: Any, *args: Any) -> Any:
            for maker in (BaseException.__new__, known.__new__):
                with suppress(TypeError):
                    return maker(kind, text)
            raise TypeError

        parts = {
            "__init__": init,
            "__new__": new,
            "__str__": lambda self: text,
            "__module__": known.__module__,
            "_of_the_student": str(data.get("function", "")),
        }
        try:
            error: BaseException = type(name, (known,), parts)()
        except TypeError:  # one that needs more than a text, such as ExceptionGroup
            error = type(name, (Exception,), parts | {"__new__": Exception.__new__})()
        if isinstance(error, NameError):
            error.name = str(data.get("name", ""))
        return error

    # stand-ins

    def _serve(self, request: dict[str, Any]) -> dict[str, Any]:
        """Call a function of the test that was handed to the student."""
        if request.get("op") != "call":
            raise ProtocolError("a request that only the judge may make")
        function = self._dialogue.exported.get(request.get("i", 0))
        if not isinstance(
            function, types.FunctionType | types.BuiltinFunctionType | types.MethodType
        ):
            raise ProtocolError("a call of something that was never handed over")
        try:
            args = self._dialogue.decode(request["a"])
            value = function(*args, **self._dialogue.decode(request["k"]))
            return {"value": self._dialogue.encode(value)}
        except Exception as error:
            return {"error": type(error).__name__}

    def _stand_in(self, data: dict[str, Any]) -> object:
        tag = data["t"]
        if tag == "fn":
            return self._function(data)
        if tag == "it":
            return _lazy(str(data["k"]), self.pull(data["i"]))
        if tag == "mo":
            return types.ModuleType(str(data["n"]))
        if tag == "co":
            return _coroutine()
        if tag == "ob":
            if data["own"]:
                methods = ", ".join(map(str, data["own"]))
                self._reported(
                    f"an answer is an object that decides its own comparisons"
                    f" (class {str(data['n'])[:80]}: {methods})"[:300]
                )
            base = _RemoteCallable if data.get("call") else _Remote
            name, home = str(data["n"])[:80], str(data["m"])[:80]
            if self._quiet() and not hasattr(sys.modules.get(home), name):
                name = "object"
            kind = type(name, (base,), {"__module__": home})
            return kind(self, data)
        raise CodecError(f"a value of kind {tag!r}")

    def _function(self, data: Mapping[str, Any]) -> object:
        session, number = self, data["i"]
        if not isinstance(number, int):
            raise CodecError("a function without a number")

        def function(*args: Any, **kwargs: Any) -> Any:
            return session.call(number, args, kwargs, str(data["n"]))

        home = data.get("m") in ("__main__", "", "builtins")
        space = self.names if home and self.names is not None else {}
        made = types.FunctionType(
            function.__code__, space, str(data["n"]), None, function.__closure__
        )
        made.__kwdefaults__ = None
        made.__module__ = str(data.get("m") or "__main__")
        vars(made)[_NUMBER] = number
        signature = signature_from(data.get("s"))
        if signature is not None:
            # inspect reads it from there; the type of functions does not know the attribute.
            vars(made)["__signature__"] = signature
        return made

    # tests

    def _snapshot(self) -> None:
        """Go on with a copy of the student's process, which works on a duplicate of the files."""
        if self._ask_keeper("prepare").get("refused"):
            return
        answer = self._send({"op": "snapshot"}, after(BETWEEN_INTERRUPTS), self._await_copy)
        if "refused" in answer or "error" in answer:
            self._ask_keeper("drop")
            return
        copy = Channel(self._home.taken_socket())
        if self._ask_keeper_for_copy("swap").get("refused"):
            copy.close()
            return
        self._copied, self._dialogue.channel = True, copy
        with suppress(DiedError):
            if "error" in self._send({"op": "settle"}):
                self._copy_died = True

    def _await_copy(self) -> float:
        """Go on waiting for a copy that does not answer yet, unless it was killed before it could."""
        self._ask_keeper_for_copy("miss")
        return after(BETWEEN_INTERRUPTS) if time.monotonic() < self._deadline else self._late()

    def _ask_keeper_for_copy(self, what: str) -> dict[str, Any]:
        """Ask the keeper about a copy that nothing of the student's has run in yet."""
        answer = self._ask_keeper(what)
        if answer.get("lost"):
            self.struck = True
            self._end(STUDENT_ENDED)
            raise StudentEndedError
        return answer

    def leave_copy(self) -> None:
        """Throw the copy away, if there is one, and go on with the process itself."""
        if self._copied and not self.ended:
            self._dialogue.channel.close()
            self._dialogue.channel = self._home
            with suppress(StudentEndedError):
                died = self._copy_died and not self.timed_out
                code = self._ask_keeper("bury" if died else "drop").get("code")
                self.struck |= died and code == -signal.SIGKILL
        self.hides = self._copied = self._copy_died = False


def _coroutine() -> object:
    async def nothing() -> None:
        """Do nothing."""

    return nothing()


def _itself(value: Any) -> Any:
    return value


def _lazy(kind: str, values: Iterator[Any]) -> object:
    """Return an iterator of the kind that the student gave."""
    if kind == "map":
        return map(_itself, values)
    if kind == "filter":
        return filter(lambda value: True, values)
    if kind == "zip":
        return zip(*zip(*values, strict=False), strict=False)
    if kind == "enumerate":
        return enumerate(value for _, value in values)
    if kind in ("dict_values", "dict_keys", "dict_items"):
        parts = list(values)
        if kind == "dict_items":
            return dict(parts).items()
        return (
            dict(enumerate(parts)).values()
            if kind == "dict_values"
            else dict.fromkeys(parts).keys()
        )
    return values


def _change(mine: Any, new: Any) -> Callable[[], None] | None:
    """Let an argument change here as the student's function changed its copy; return the way back."""
    kind = type(mine)
    if kind is not type(new):
        return None
    if kind is list:
        before = list(mine)
        mine[:] = new
        return partial(mine.__setitem__, slice(None), before)
    if kind in (dict, set):
        return _refill(mine, new)
    if kind.__module__ == "numpy" and kind.__name__ == "ndarray" and mine.shape == new.shape:
        old = mine.copy()
        with suppress(ValueError):
            mine[...] = new
            return partial(mine.__setitem__, ..., old)
    if hasattr(mine, "_update_inplace"):
        frame = mine.copy()
        mine._update_inplace(new)
        return partial(mine._update_inplace, frame)
    return None


def _refill(mine: Any, new: Any) -> Callable[[], None]:
    """Give a dictionary or a set another content, and return the way back."""
    before = mine.copy()
    mine.clear()
    mine.update(new)

    def undo() -> None:
        mine.clear()
        mine.update(before)

    return undo


class _TestOutput(io.TextIOBase):
    """What a test prints; lines printed by hidden parts are dropped."""

    def __init__(self, recorder: Recorder, quiet: Callable[[], bool]) -> None:
        self._recorder, self._quiet = recorder, quiet

    def write(self, text: str) -> int:
        """Add text to the test's output."""
        if not self._quiet():
            self._recorder.stream("stdout", text)
        return len(text)

    def writable(self) -> bool:
        """Tell that it can be written."""
        return True


class TestRunner:
    """Runs the tests of one submission."""

    __test__ = False

    def __init__(
        self,
        session: StudentClient,
        shell: RunnerShell,
        own: Mapping[str, Any],
        learner: frozenset[str],
        ready: Mapping[str, Program],
        drawn: Mapping[str, Sequence[Drawn]],
        *,
        partial_credit: bool = False,
    ) -> None:
        self._session, self._shell = session, shell
        self._ready, self._drawn = ready, drawn
        self._own = {name: value for name, value in own.items() if name not in learner}
        self._learner = learner
        self._partial = partial_credit
        self.cells = RemoteWatch(session)
        self._checks: list[CheckResult] = []
        self._hidden: frozenset[int] = frozenset()
        self._reached = False
        """A hidden line of this test has run."""
        self._file = self._source = ""
        self.missing: frozenset[str] = frozenset()
        """Names that the last test asked for in vain."""
        session._quiet = self.in_hidden_part
        checks.observe(self)

    # what the course's own checks tell

    def passed(self, *, hidden: bool) -> None:
        """Record a check that passed."""
        self._checks.append(CheckResult(True, hidden, ""))

    def failed(self, failure: checks.CheckFailed, *, hidden: bool) -> bool:
        """Record a check that did not pass; with partial credit the next ones are asked too."""
        self._checks.append(CheckResult(False, hidden, str(failure)))
        return self._partial

    def call_each(
        self, function: object, cases: Sequence[tuple[Any, ...]]
    ) -> list[CallResult] | None:
        """Call a student's function in its own process; other functions are called here."""
        own = vars(function) if isinstance(function, types.FunctionType | _RemoteCallable) else {}
        number = own["_data"]["i"] if "_data" in own else own.get(_NUMBER)
        return None if number is None else self._session.call_each(number, cases)

    def drawn(self, item_id: str, number: int) -> Drawn | None:
        """Return the inputs of a comparison, which were drawn once for all submissions."""
        return next(iter(self._drawn.get(item_id, ())[number : number + 1]), None)

    def in_hidden_part(self) -> bool:
        """Tell whether the running line of the test is one that students do not get.

        A given function that a hidden line calls counts, and so does all that runs after it.
        """
        frame: Any = sys._getframe(1) if self._hidden and not self._reached else None
        while frame is not None:
            if frame.f_code.co_filename == self._file and self._is_hidden(frame.f_lineno):
                self._reached = True
            frame = frame.f_back
        return self._reached

    def _is_hidden(self, line: int) -> bool:
        """Tell whether a line is hidden or comes after one, so that it could tell what that asked."""
        return self._reached or (bool(self._hidden) and line >= min(self._hidden))

    def run(self, cell: ReleaseCell) -> TestRun:
        """Run one test; whatever happens, it ends with a state."""
        began = time.monotonic()
        run = TestRun(cell.grade_id)
        recorder = Recorder(500_000)
        session = self._session
        session.begin()
        self._checks = []
        self._hidden, self._reached = hidden_lines(cell.source), False
        self._file, self._source = name_of_file(cell), cell.source
        self._shell.recorder = recorder
        output = _TestOutput(recorder, self.in_hidden_part)
        score: Any = None
        error: BaseException | None = None
        try:
            with redirect_stdout(output), redirect_stderr(output):
                session.names = names = TestNames(self._own, session, self._learner)
                score = self._execute(cell, names)
        except BaseException as raised:
            error = raised
        finally:
            self.missing = frozenset(session.names.missing if session.names is not None else ())
            session.names = None
            session.undo_changes()
        self._decide(run, cell, score, error, recorder)
        run.checks = self._checks
        run.outputs = recorder.take()
        run.seconds = time.monotonic() - began
        return run

    def _execute(self, cell: ReleaseCell, names: TestNames) -> Any:
        """Run the test's statements; return the value of its last expression."""
        source = cell.source
        made = self._ready.get(cell.grade_id) or program(cell, self._shell.transform_cell)
        linecache.cache[self._file] = (
            len(source),
            None,
            [line + "\n" for line in source.split("\n")],
            self._file,
        )
        exec(made.statements, names, names)  # noqa: S102 - the instructor's text
        if made.last is None:
            return None
        value = eval(made.last, names, names)  # noqa: S307 - as above
        return None if source.rstrip().endswith(";") else value

    def _decide(
        self,
        run: TestRun,
        cell: ReleaseCell,
        score: Any,
        error: BaseException | None,
        recorder: Recorder,
    ) -> None:
        session = self._session
        if session.refused:
            error = NoRoomError()  # also where the test itself passed over it
        if session.ended:
            run.state = TIMED_OUT if session.timed_out else FAILED
            run.sentence = (
                "Your function ran too long and was stopped."
                if session.timed_out
                else f"This test could not be finished: {session.ended}."
            )
        elif error is not None:
            run.state = TIMED_OUT if session.timed_out else FAILED
            self._word(run, error)
        elif any(not check.passed for check in self._checks):
            self._share(run, cell, recorder)
            return
        else:
            self._score(run, cell, score, recorder)
            return
        kind = type(error).__name__ if error is not None else "Ended"
        if hasattr(type(error), "_of_the_student"):
            kind = next(k.__name__ for k in type(error).__mro__ if k.__module__ == "builtins")
        if session.timed_out:
            kind = "CellTimeoutError"
        recorder.outputs = [part for part in recorder.outputs if part["output_type"] == "stream"]
        recorder.error(kind, run.sentence, run.sentence.splitlines())
        recorder.outputs.insert(0, recorder.outputs.pop())

    def _share(self, run: TestRun, cell: ReleaseCell, recorder: Recorder) -> None:
        """Give points for the checks that passed, where the instructor wants that."""
        passed = sum(check.passed for check in self._checks)
        run.points = round(cell.points * passed / len(self._checks), 6)
        run.state = PARTIAL if run.points else FAILED
        run.sentence = "\n".join(check.sentence for check in self._checks if not check.passed)
        recorder.outputs.clear()
        recorder.stream("stdout", run.sentence + "\n")
        _show_score(recorder, run.points)

    def _score(self, run: TestRun, cell: ReleaseCell, score: Any, recorder: Recorder) -> None:
        """Take a test that ended well; a number at its end is its score, as nbgrader has it."""
        run.state, run.points = PASSED, cell.points
        if score is None:
            return
        try:
            number = float(repr(score))
        except (ValueError, TypeError):
            return
        run.points = min(max(number, 0.0), cell.points) if number == number else 0.0
        if run.points != number:
            run.detail = f"the test gave the score {number:g} of {cell.points:g}"
        if run.points < cell.points:
            run.state = PARTIAL if run.points else FAILED
            run.sentence = f"This test gave {run.points:g} of {cell.points:g} points."
        _show_score(recorder, run.points)

    def _word(self, run: TestRun, error: BaseException) -> None:
        """Put the error that ended a test into a sentence that gives no hidden value away."""
        name, line = type(error).__name__, self._line_of(error)
        if isinstance(error, NoRoomError):
            run.sentence = NO_ROOM
            return
        if self._session.timed_out:
            run.sentence = "Your function ran too long and was stopped."
            run.detail = f"{name}: {error}"
            self._checks.append(CheckResult(False, self._is_hidden(line), run.sentence))
            return
        hidden = self._is_hidden(line)
        theirs = hasattr(type(error), "_of_the_student")
        if hidden and theirs and not isinstance(error, AssertionError):
            name = next(k.__name__ for k in type(error).__mro__ if k.__module__ == "builtins")
        source = linecache.getline(self._file, line).strip() if line else ""
        run.detail = f"{name}: {error}" + (f" (line {line}: {source})" if source else "")
        if isinstance(error, checks.CheckFailed) and not theirs:
            run.sentence = str(error)
            return
        if isinstance(error, checks.AuthorError):
            run.sentence = "This test has a mistake of its own; your instructor is told."
        elif isinstance(error, AssertionError):
            message = str(error)
            if hidden:
                run.sentence = self._hint_of(message, theirs) or HIDDEN_FAILED
            else:
                run.sentence = message or f"This check did not pass: {source}"
        elif hidden:
            function = getattr(error, "_of_the_student", "")
            who = function if function and function in self._source else "it"
            run.sentence = f"A hidden check did not pass: {who} stopped with {name}."
        else:
            run.sentence = f"The test stopped with {name}: {error}"
        self._checks.append(CheckResult(False, hidden, run.sentence))

    def _hint_of(self, message: str, theirs: bool) -> str:
        """Return the message of a hidden check where it quotes nothing of the hidden part.

        What comes from the student's process counts only as far as the test itself says it.
        """
        if theirs:
            said = [hint for hint in hints_in(self._source) if hint in message]
            message = max(said, key=len, default="")
        return message if message and not any(map(str.isdigit, message)) else ""

    def _line_of(self, error: BaseException) -> int:
        trace, line = error.__traceback__, 0
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == self._file:
                line = trace.tb_lineno
            trace = trace.tb_next
        return line


def _show_score(recorder: Recorder, points: float) -> None:
    recorder.outputs.append(
        {
            "output_type": "execute_result",
            "data": {"text/plain": f"{points!r}"},
            "metadata": {},
            "execution_count": None,
        }
    )
