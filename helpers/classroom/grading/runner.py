"""Runs a notebook's cells as a kernel would, without a kernel: magics, rich display, figures.

The shell is IPython's own; what it shows is collected instead of being sent to a front end.
"""

from __future__ import annotations

import asyncio
import base64
import builtins
import io
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Coroutine, Mapping
from contextlib import nullcontext, suppress
from typing import Any

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.error import StdinNotImplementedError
from IPython.core.interactiveshell import InteractiveShell
from traitlets import Type
from traitlets.config import Config

from leverage.lessons.figures import without_pictures

MOST_OUTPUTS = 2_000
TASKS_SECONDS = 0.1
"""How long tasks go on after a cell that has ended."""
CUT = "\n… the rest of this cell's output was cut\n"
_NO_INPUT = "raw_input was called, but this frontend does not support input requests."


class Recorder:
    """Collects the outputs of one cell, as nbformat writes them, up to a number of bytes."""

    def __init__(self, room: int) -> None:
        self.outputs: list[dict[str, Any]] = []
        self.room = room
        self.cut = False
        self._displays: dict[str, list[dict[str, Any]]] = {}

    def stream(self, name: str, text: str) -> None:
        """Add text to a stream; neighbouring texts become one output."""
        if not text or self.cut:
            return
        if len(text) > self.room:
            text = text[: max(self.room, 0)] + CUT
            self.cut = True
        self.room -= len(text)
        if self.outputs and self.outputs[-1].get("name") == name:
            self.outputs[-1]["text"].append(text)
        else:
            self._append({"output_type": "stream", "name": name, "text": [text]})

    def _append(self, output: dict[str, Any]) -> None:
        if len(self.outputs) >= MOST_OUTPUTS:
            self.cut = True
        else:
            self.outputs.append(output)

    def rich(
        self, kind: str, data: Mapping[str, Any], metadata: Mapping[str, Any], **more: Any
    ) -> dict[str, Any] | None:
        """Add a display or a result."""
        plain = plain_bundle(data)
        size = sum(
            len(part) if isinstance(part, str) else len(repr(part)) for part in plain.values()
        )
        if self.cut or size > self.room:
            if not self.cut:
                self.stream("stdout", CUT)
                self.cut = True
            return None
        self.room -= size
        output = {"output_type": kind, "data": plain, "metadata": dict(metadata), **more}
        self._append(output)
        return output

    def error(self, name: str, message: str, lines: list[str]) -> None:
        """Add an error; it is always kept, shortened where needed."""
        lines = [line[:20_000] for line in lines[:200]]
        self.outputs.append(
            {
                "output_type": "error",
                "ename": name[:200],
                "evalue": message[:20_000],
                "traceback": lines,
            }
        )

    def take(self) -> list[dict[str, Any]]:
        """Return what was collected as nbformat data."""
        for output in self.outputs:
            if output["output_type"] == "stream" and isinstance(output["text"], list):
                output["text"] = "".join(output["text"])
        return self.outputs


def plain_bundle(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a MIME bundle with bytes as base64 texts, as a kernel sends it."""
    plain: dict[str, Any] = {}
    for mime, part in data.items():
        if isinstance(part, bytes):
            plain[str(mime)] = base64.b64encode(part).decode("ascii") + "\n"
        else:
            plain[str(mime)] = part
    return plain


class Stream(io.TextIOBase):
    """`sys.stdout` or `sys.stderr` of a notebook."""

    encoding = "UTF-8"
    errors = "strict"

    def __init__(self, shell: RunnerShell, name: str) -> None:
        self._shell, self._name = shell, name
        self.name = f"<{name}>"

    def write(self, text: str) -> int:
        """Add text to the output of the running cell."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self._shell.recorder.stream(self._name, str.__str__(text))
        return len(text)

    def writable(self) -> bool:
        """Tell that it can be written."""
        return True

    def isatty(self) -> bool:
        """Tell that this is no terminal."""
        return False

    def close(self) -> None:
        """Stay open: what a cell closes must not silence the cells that follow."""


class _Publisher(DisplayPublisher):  # type: ignore[misc]  # IPython has no types
    def publish(
        self,
        data: Mapping[str, Any],
        metadata: Mapping[str, Any] | None = None,
        source: object = None,
        *,
        transient: Mapping[str, Any] | None = None,
        update: bool = False,
        **more: Any,
    ) -> None:
        recorder = self.shell.recorder
        handle = (transient or {}).get("display_id")
        if update and handle is not None:
            for output in self.shell.displayed.get(handle, []):
                output["data"], output["metadata"] = plain_bundle(data), dict(metadata or {})
            return
        output = recorder.rich("display_data", data, metadata or {})
        if handle is not None and output is not None:
            self.shell.displayed.setdefault(handle, []).append(output)

    def clear_output(self, wait: bool = False) -> None:
        self.shell.recorder.outputs.clear()


class _Hook(DisplayHook):  # type: ignore[misc]  # IPython has no types
    def write_output_prompt(self) -> None:
        pass

    def write_format_data(self, format_dict: Any, md_dict: Any = None) -> None:
        self.shell.recorder.rich(
            "execute_result", format_dict, md_dict or {}, execution_count=self.prompt_count
        )

    def finish_displayhook(self) -> None:
        pass


class _Kernel:
    """What libraries look for to learn that they are in a notebook and may show pictures."""


class RunnerShell(InteractiveShell):  # type: ignore[misc]  # IPython has no types
    """IPython's shell with its outputs collected."""

    kernel = _Kernel()
    displayhook_class = Type(_Hook)
    display_pub_class = Type(_Publisher)

    def __init__(self, **options: Any) -> None:
        self.recorder = Recorder(0)
        self.displayed: dict[str, list[dict[str, Any]]] = {}
        super().__init__(**options)

    def init_virtualenv(self) -> None:
        """Leave `sys.path` as it is."""

    def _showtraceback(self, etype: type, evalue: BaseException, stb: list[str]) -> None:
        try:
            message = str(evalue)
        except BaseException:
            message = "<unprintable error>"
        self.recorder.error(etype.__name__, message, [str(line) for line in stb])
        self._last_traceback = stb

    def showtraceback(self, exc_tuple: Any = None, *args: Any, **options: Any) -> None:
        """Show an error; of an endless recursion only the last calls, all of them take seconds."""
        kind, error, trace = self._get_exc_info(exc_tuple)
        if isinstance(error, RecursionError):
            lines = traceback.format_exception(kind, error, trace, limit=-3)
            self._showtraceback(kind, error, lines)
        else:
            super().showtraceback(exc_tuple, *args, **options)

    def _format_exception_for_storage(
        self, exception: BaseException, *args: Any, **options: Any
    ) -> dict[str, Any]:
        """Leave the history's copy of an error out; formatting it costs as much as showing it."""
        return {"ename": type(exception).__name__, "evalue": _text_of(exception), "traceback": []}

    def enable_gui(self, gui: Any = None) -> None:
        """Accept `%matplotlib inline`; there is no event loop to join."""

    def ask_exit(self) -> None:
        """Go on: `exit` ends a session at a keyboard, not a notebook that is run."""

    def system_piped(self, cmd: str) -> None:
        """Run a shell command and show what it prints."""
        if cmd.rstrip().endswith("&"):
            raise OSError("Background processes not supported.")
        ended = subprocess.run(
            ["/bin/sh", "-c", self.var_expand(cmd, depth=1)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        self.recorder.stream("stdout", ended.stdout.decode("utf-8", "replace"))
        self.user_ns["_exit_code"] = ended.returncode

    system = system_piped


def no_input(prompt: object = "", /) -> str:
    """Refuse `input()`, as a kernel without a keyboard does."""
    raise StdinNotImplementedError(_NO_INPUT)


def make_shell() -> RunnerShell:
    """Return the one shell of this process."""
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "linux"
    config.InteractiveShell.xmode = "Context"
    shell: RunnerShell = RunnerShell.instance(config=config)
    with suppress(ImportError):
        from matplotlib_inline.backend_inline import configure_inline_support

        configure_inline_support(shell, "module://matplotlib_inline.backend_inline")
    return shell


class Notebook:
    """Runs the cells of one notebook in a shell, one after the other."""

    def __init__(self, shell: RunnerShell, output_bytes: int, raw: int | None = None) -> None:
        self.shell = shell
        self._left = output_bytes
        self._most = output_bytes // 2
        self._streams = {name: Stream(shell, name) for name in ("stdout", "stderr")}
        self._raw = os.memfd_create("outputs") if raw is None else raw
        self._seen = 0
        self.notes: list[str] = []
        builtins.input = no_input
        self.mend: Callable[[], None] = lambda: None
        """Puts back what this process itself needs, after each cell."""
        self._run_cell, self._run_cell_async = shell.run_cell, shell.run_cell_async
        self.begin_loop()

    def redirect_descriptors(self) -> None:
        """Catch what programs and C code write to the descriptors 1 and 2."""
        flags = os.O_WRONLY | os.O_APPEND
        target = os.open(f"/proc/self/fd/{self._raw}", flags)
        for descriptor in (1, 2):
            os.dup2(target, descriptor)
        os.close(target)

    def begin(self) -> None:
        """Put the streams in place."""
        for name, stream in self._streams.items():
            setattr(sys, name, stream)
        self.shell.recorder = Recorder(min(self._left, self._most))

    def run(
        self, source: str, cell_id: str, *, count: bool = True, draws: bool = True
    ) -> dict[str, Any]:
        """Run one cell; whatever it does, its outputs come back.

        A cell that does not draw shows the descriptions of the course's figures alone.
        """
        self.begin()
        error = ""
        try:
            try:
                with nullcontext() if draws else without_pictures():
                    result = self._until_done(self._cell(source, count, cell_id))
                    self._go_on()
            finally:
                self.mend()
            raised = result.error_before_exec or result.error_in_exec
            error = type(raised).__name__ if raised is not None else ""
        except BaseException as escaped:
            error = type(escaped).__name__
            lines = traceback.format_exception_only(type(escaped), escaped)
            self.shell.recorder.error(error, _text_of(escaped), lines)
        return {"outputs": self.collect(), "error": error, "count": self.shell.execution_count - 1}

    # the event loop, which runs while a cell runs, as in a kernel

    def begin_loop(self) -> None:
        """Begin an event loop; the one before it is left alone."""
        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)

    def _until_done(self, work: Coroutine[Any, Any, Any]) -> Any:
        if self.loop.is_closed():
            self.begin_loop()
        task = self.loop.create_task(work)
        while not (task.done() or self.loop.is_closed()):
            with suppress(RuntimeError):  # a cell has stopped the loop
                self.loop.run_until_complete(task)
        return task.result()

    async def _cell(self, source: str, count: bool, cell_id: str) -> Any:
        """Run a cell as a kernel does: one that awaits in the loop, any other while it runs."""
        shell = self.shell
        options: dict[str, Any] = {"store_history": count, "silent": False, "cell_id": cell_id}
        problem, code = None, source
        try:
            code = shell.transform_cell(source)
        except Exception:
            problem = sys.exc_info()
        waits = {"transformed_cell": code, "preprocessing_exc_tuple": problem}
        if not shell.should_run_async(source, **waits):
            return self._run_cell(source, **options)
        try:
            result = await self._run_cell_async(source, **options, **waits)
        finally:
            shell.events.trigger("post_execute")
        shell.events.trigger("post_run_cell", result)
        return result

    def _go_on(self) -> None:
        """Let tasks that a cell began go on for a moment, as they would until the next cell."""
        tasks = asyncio.all_tasks(self.loop)
        if tasks:
            self._until_done(asyncio.wait(tasks, timeout=TASKS_SECONDS))

    def call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call a function while the loop runs, as a cell would."""
        if self.loop.is_running():
            return function(*args, **kwargs)

        async def called() -> tuple[Any, BaseException | None]:
            try:
                return function(*args, **kwargs), None
            except BaseException as error:
                return None, error

        value, error = self._until_done(called())
        if error is not None:
            raise error
        return value

    def collect(self) -> list[dict[str, Any]]:
        """Return the outputs of the cell that has run."""
        recorder = self.shell.recorder
        for name in self._streams:
            current = getattr(sys, name)
            if current is not self._streams[name]:
                self._note(f"replaced sys.{name}")
        for name, stream in self._streams.items():
            setattr(sys, name, stream)
        with suppress(OSError):
            size = os.fstat(self._raw).st_size
            if size:
                raw = os.pread(self._raw, min(size, max(recorder.room, 0) * 4 + 1), 0)
                os.ftruncate(self._raw, 0)
                recorder.stream("stdout", raw.decode("utf-8", "replace"))
        if recorder.cut:
            self._note("an output was too long and was cut")
        outputs = recorder.take()
        self._left -= min(self._left, self._most) - max(recorder.room, 0)
        self._left = max(self._left, 1_000)
        return outputs

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException:
        return "<unprintable error>"
