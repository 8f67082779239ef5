"""Notices what a student's code does to the interpreter, and names it for the instructor.

The verdict does not depend on this: tests are decided in another process. What is noticed here is
sent at once, so that it cannot be taken back.
"""

from __future__ import annotations

import builtins
import os
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

WATCHED_MODULES = (
    "builtins",
    "math",
    "cmath",
    "operator",
    "time",
    "json",
    "random",
    "inspect",
    "ast",
    "traceback",
    "unittest.case",
    "numpy",
    "numpy.testing",
    "numpy.testing._private.utils",
    "pandas",
    "pandas.testing",
    "IPython",
    "IPython.display",
)
WATCHED_PACKAGES = ("leverage", "classroom")
_CALLS = {
    "sys._getframe": "looked at the call stack (sys._getframe)",
    "sys._current_frames": "looked at the call stack (sys._current_frames)",
    "sys._current_exceptions": "looked at the call stack (sys._current_exceptions)",
    "gc.get_objects": "searched the memory (gc.get_objects)",
    "gc.get_referrers": "searched the memory (gc.get_referrers)",
    "gc.get_referents": "searched the memory (gc.get_referents)",
    "sys.settrace": "set a trace function (sys.settrace)",
    "sys.addaudithook": "added an audit hook (sys.addaudithook)",
    "ctypes.dlopen": "loaded a C library (ctypes)",
    "ctypes.dlsym": "called C code (ctypes)",
    "ctypes.dlsym/handle": "called C code (ctypes)",
    "ctypes.string_at": "read memory (ctypes)",
    "ctypes.cdata": "read memory (ctypes)",
    "ctypes.cdata/buffer": "read memory (ctypes)",
    "code.__new__": "made a code object by hand",
}
_OPENERS = ("IPython.core.interactiveshell", "io", "pathlib")
MOST_AIMED = 100
_waitid, _getppid = os.waitid, os.getppid
_SECRET_FILES = ("mem", "maps", "environ", "fd", "fdinfo", "root", "cwd", "pagemap", "syscall")


class Watched:
    """What stays as it is while a student's code runs: functions, classes and their methods.

    It is taken once, before processes are forked for students. There are some thousands of names,
    looked at once, when the notebook has run.
    """

    def __init__(self, shell: Any) -> None:
        self._rows = tuple(_attributes(shell))

    def changed(self, *, codes: bool) -> list[str]:
        """Return the names of what is no longer what it was; `codes` compares functions' code too.

        Python raises an audit event for each look at a function's code, which makes that slow.
        """
        return [
            f"{owner}.{name}"
            for owner, space, name, value, code in self._rows
            if (now := space.get(name)) is not value
            or (codes and getattr(now, "__code__", None) is not code)
        ]


class Integrity:
    """Watches the interpreter of one submission.

    Parameters
    ----------
    shell : object
        The IPython shell.
    watched : Watched
        What must stay as it is.
    report : callable
        Told each finding, once.
    """

    def __init__(self, shell: Any, watched: Watched, report: Callable[[str], None]) -> None:
        self._shell, self._report = shell, report
        self._said: set[str] = set()
        self._names = shell.user_ns
        self._watched = watched
        self._hooks = self._hooks_now()
        self._space = vars(builtins)
        self._builtins = tuple(self._space.items())
        self._mended: tuple[str, ...] = ()
        self._code_set = False
        """Somebody has set the code of a function since the last look."""
        self._aimed: set[int] = set()
        """Processes that got a signal and are no children of this one."""
        self._limit, self._set_limit = sys.getrecursionlimit(), sys.setrecursionlimit
        sys.addaudithook(self._audit)

    def say(self, what: str) -> None:
        """Report a finding, unless it was reported before."""
        if what not in self._said and len(self._said) < 200:
            self._said.add(what)
            self._report(what)

    def look(self) -> None:
        """Compare the interpreter with what it was before the student's code ran."""
        for name in self._mended:
            self.say(f"replaced builtins.{name}")
        self._mended = ()
        codes, self._code_set = self._code_set, False
        for name in self._watched.changed(codes=codes):
            self.say(f"replaced {name}")
        hooks = self._hooks_now()
        for label, before in self._hooks.items():
            if hooks[label] != before:
                self.say(f"changed {label}")
                self._hooks = hooks
                break

    def mend(self) -> None:
        """Put back the builtins and the recursion limit, which this process needs itself.

        It uses no builtin function: they may all have been replaced.
        """
        self._set_limit(self._limit)
        for name, value in self._builtins:
            if self._space.get(name) is not value:
                self._space[name] = value
                self._mended += (name,)

    def _hooks_now(self) -> dict[str, Any]:
        shell = self._shell
        own = {name for name in vars(shell) if callable(getattr(type(shell), name, None))}
        return {
            "the shell's methods": own,
            "the shell's code transformers": (
                [id(part) for part in shell.ast_transformers],
                [id(part) for part in shell.input_transformer_manager.cleanup_transforms],
                [id(part) for part in shell.input_transformer_manager.token_transformers],
                [id(part) for part in shell.input_transformers_post],
            ),
            "the shell's exception handlers": shell.custom_exceptions,
            "sys.excepthook": id(sys.excepthook),
            "sys.unraisablehook": id(sys.unraisablehook),
            "the trace function": id(sys.gettrace()),
            "the profile function": id(sys.getprofile()),
        }

    def _audit(self, event: str, args: tuple[Any, ...]) -> None:
        said = _CALLS.get(event)
        if said is not None:
            if self._from_student("ctypes"):
                self.say(said)
        elif event == "open":
            self._opened(args[0])
        elif event == "import":
            if str(args[0]).partition(".")[0] == "classroom" and self._from_student():
                self.say(f"imported {args[0]}")
        elif event in ("os.kill", "os.killpg"):
            if self._from_student():
                self._signalled(abs(args[0]))
        elif event == "object.__setattr__":
            self._code_set = self._code_set or args[1] == "__code__"
            if args[1] in ("__code__", "__defaults__", "__closure__") and self._from_student():
                name = getattr(args[0], "__qualname__", "")
                if getattr(args[0], "__globals__", None) is not self._names:
                    self.say(f"replaced the code of {str(name)[:80]}")
        elif event == "socket.connect" and self._from_student():
            self.say("tried to reach the network")

    def _signalled(self, target: int) -> None:
        """Name a signal to the keeper, and signals to whatever there may be; not those to children."""
        try:
            _waitid(os.P_PID, target, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except OSError:
            self._aimed.add(target)
        if target in (1, _getppid()) or len(self._aimed) > MOST_AIMED:
            self.say("sent a signal to a process")

    def _opened(self, path: object) -> None:
        if isinstance(path, bytes):
            path = path.decode("utf-8", "replace")
        if not isinstance(path, str) or not path.startswith(("/proc/", "/dev/fd/")):
            return
        parts = path.split("/")
        if any(part in _SECRET_FILES for part in parts[2:]) and self._from_student(*_OPENERS):
            self.say(f"opened {path[:80]}")

    def _from_student(self, *helpers: str) -> bool:
        """Tell whether the student's own code is what called, itself or through a helper module.

        Anything else is no proof: IPython and pandas look at the call stack on their own account.
        """
        frame = _calling_frame()
        while frame is not None and frame.f_globals.get("__name__") in helpers:
            frame = frame.f_back
        return frame is not None and frame.f_globals is self._names


def _calling_frame() -> Any:
    """Return the frame that caused an audit event, without causing another one."""
    try:
        raise LookupError
    except LookupError as error:
        frame: Any = error.__traceback__.tb_frame if error.__traceback__ is not None else None
    home = frame.f_globals
    while frame is not None and frame.f_globals is home:
        frame = frame.f_back
    return frame


def _attributes(shell: Any) -> Iterator[tuple[str, Any, str, object, object]]:
    """Yield what must stay as it is: functions and classes, and the methods of some classes."""
    names = [*WATCHED_MODULES]
    names += [n for n in sys.modules if n.partition(".")[0] in WATCHED_PACKAGES]
    for module_name in names:
        module = sys.modules.get(module_name)
        if not isinstance(module, types.ModuleType):
            continue
        for name, value in list(vars(module).items()):
            if not name.startswith("__") or name in ("__import__", "__build_class__"):
                if callable(value):
                    code = getattr(value, "__code__", None)
                    yield module_name, vars(module), name, value, code
                own = isinstance(value, type) and value.__module__ == module_name
                if own and module_name.partition(".")[0] in (*WATCHED_PACKAGES, "unittest"):
                    yield from _methods(value)
    for kind in type(shell).__mro__[:-1]:
        yield from _methods(kind)


def _methods(kind: type) -> Iterator[tuple[str, Any, str, object, object]]:
    owner = f"{kind.__module__}.{kind.__qualname__}"
    for name, value in list(vars(kind).items()):
        if isinstance(value, types.FunctionType):
            yield owner, vars(kind), name, value, value.__code__
