"""Keeps the pictures of a release's given cells, which are the same in every submission.

A picture is drawn once, where no student's code runs. In a student's process a figure with the same
content gets the same bytes without being drawn. What is kept there is a copy of this process' own:
it can show itself another picture, and nobody else.
"""

from __future__ import annotations

import base64
import functools
import gc
import hashlib
import importlib
import io
import locale
import pickle
import sys
import types
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from classroom.grading.names import Names

GUARDED = (
    "PIL.Image",
    "PIL.ImageDraw",
    "PIL.ImageFile",
    "PIL.ImageFont",
    "PIL.PngImagePlugin",
    "cycler",
    "leverage.lessons.canvas",
    "leverage.lessons.figures",
    "leverage.lessons.ticks",
    "leverage.lessons.wording",
    "matplotlib",
    "mpl_toolkits",
    "numpy",
    "numpy._core",
    "numpy._core._multiarray_umath",
    "numpy._core.fromnumeric",
    "numpy._core.multiarray",
    "numpy._core.numeric",
    "numpy._core.umath",
    "numpy.linalg",
    "numpy.ma",
    "numpy.ma.core",
)
"""Modules that take part in drawing: where a name of theirs means something else, all is drawn."""
WHOLE = ("leverage.lessons.explorers.", "matplotlib.", "mpl_toolkits.")
"""Packages of which all modules take part."""
PLAIN = ("_codecs", "builtins", "collections", "copyreg", "datetime", "functools", "itertools")
"""What a figure may refer to besides: nothing of it decides how something is drawn."""
ROOM = 20_000_000
"""Most bytes of all pictures kept."""
_LARGEST_TABLE = 2_000
_DESCRIBING = frozenset(
    [
        "__all__",
        "__annotations__",
        "__builtins__",
        "__cached__",
        "__dict__",
        "__doc__",
        "__file__",
        "__loader__",
        "__match_args__",
        "__module__",
        "__name__",
        "__package__",
        "__qualname__",
        "__slots__",
        "__spec__",
        "__weakref__",
    ]
)
_NAMED = (type, types.FunctionType, types.BuiltinFunctionType)


class _UnknownError(Exception):
    """The figure holds something whose effect on the picture is not known."""


class Pictures:
    """Knows pictures by the content of their figure; made after everything has been imported.

    From then on the course's `describe` asks here for its pictures.
    """

    def __init__(self) -> None:
        from matplotlib.font_manager import fontManager

        from leverage.lessons import canvas, figures

        importlib.import_module("leverage.lessons.ticks")  # watched like the others

        self.unchanged: Callable[[], bool] = lambda: True
        """Says whether all functions still have their own code."""
        self._kept: dict[bytes, bytes] = {}
        self._drawn: list[tuple[bytes, bytes, Callable[[], object]]] = []
        self._learning = False
        self._room = ROOM
        self._fonts = fontManager.ttflist
        figures.kept, canvas.kept = self.of, self.of_canvas
        self._names = Names(_names())

    def of(self, figure: Any, draw: Callable[[Any], bytes]) -> bytes:
        """Return the picture of a figure: the one that is kept, or else the one that `draw` makes."""
        return self._of(figure, lambda: draw(figure), weakref.ref(figure))

    def of_canvas(self, parts: tuple[object, ...], draw: Callable[[], bytes]) -> bytes:
        """Return the picture of a figure that an explorer draws again whenever it changes.

        The explorer itself draws what it needs first, so nothing is lost where it stays in use.
        """
        return self._of(parts, draw, lambda: None)

    def _of(self, content: object, draw: Callable[[], bytes], user: Callable[[], object]) -> bytes:
        key = self.key(content) if self._kept or self._learning else None
        picture = self._kept.get(key) if key is not None else None
        if picture is None:
            picture = draw()
            if self._learning and key is not None:
                self._drawn.append((key, picture, user))
        return picture

    def key(self, content: object) -> bytes | None:
        """Return a hash of all that decides the picture; None where that cannot be told.

        How often the figure's parts are in use counts too: where a name holds one of them, later
        code could see that the figure has not been drawn.
        """
        import matplotlib

        if not self.unchanged() or not self.is_as_it_was():
            return None
        settings: Any = matplotlib.rcParams
        written = io.BytesIO()
        writer = _Writer(written, protocol=5)
        try:
            writer.dump(content)
            writer.dump(dict.copy(settings))
            writer.dump([len(self._fonts), locale.setlocale(locale.LC_ALL), writer.uses])
        except Exception:  # what cannot be written is drawn
            return None
        return hashlib.sha256(written.getbuffer()).digest()

    def is_as_it_was(self) -> bool:
        """Tell whether every name that takes part in drawing means what it did."""
        return not self._names.differing()

    def learn(self) -> None:
        """Take note of what the next statement draws."""
        self._learning = True
        self._drawn = []

    def end_of_statement(self) -> None:
        """Learn the pictures that were drawn and whose figures nothing can reach any more."""
        self._learning = False
        if self._drawn:
            gc.collect()
        for key, picture, user in self._drawn:
            if user() is None and self._room >= len(picture):
                self._room -= len(picture)
                self._kept[key] = picture
        self._drawn = []

    def learnt(self) -> dict[str, str]:
        """Return the pictures that are kept as plain data."""
        return {
            key.hex(): base64.b64encode(picture).decode("ascii")
            for key, picture in self._kept.items()
        }

    def keep(self, learnt: Mapping[str, str]) -> None:
        """Use these pictures from now on."""
        self._kept = {bytes.fromhex(key): base64.b64decode(text) for key, text in learnt.items()}


class _Writer(pickle.Pickler):
    """Writes a figure's content, without what differs between two figures that look the same."""

    def __init__(self, file: io.BytesIO, protocol: int) -> None:
        super().__init__(file, protocol)
        from matplotlib.artist import Artist
        from matplotlib.cbook import CallbackRegistry
        from matplotlib.transforms import TransformNode

        self._artist, self._node, self._callbacks = Artist, TransformNode, CallbackRegistry
        self.uses: list[int] = []

    def reducer_override(self, part: Any) -> Any:
        """Say how to write what is neither a number nor a text nor a plain container."""
        if isinstance(part, _NAMED):
            _check_name(part)
        elif isinstance(part, self._artist):
            self.uses.append(sys.getrefcount(part))
        elif isinstance(part, self._node):
            self.uses.append(sys.getrefcount(part))
            state = dict(vars(part))
            state.pop("_parents", None)  # by address; they are the other way round in the children
            return _made_of, (type(part),), state
        elif isinstance(part, self._callbacks):
            return _made_of, (type(part),), list(_called(part))
        return NotImplemented


def _made_of(*parts: object) -> None:
    """Stand for a way to make a part again: what is written is never read."""


def _called(registry: Any) -> Iterator[tuple[str, str]]:
    """Yield what a registry calls and when."""
    for signal, proxies in registry.callbacks.items():
        for proxy in proxies.values():
            function = proxy()
            while isinstance(function, functools.partial):
                function = function.func
            if function is not None:
                _check_name(function)
                yield signal, f"{function.__module__}.{function.__qualname__}"


def _check_name(part: Any) -> None:
    """Refuse what is written by its name alone, unless its code is known not to have changed."""
    module = str(getattr(part, "__module__", None) or "builtins")
    if not is_guarded(module) and module.partition(".")[0] not in PLAIN:
        raise _UnknownError(f"{part!r}"[:100])


def is_guarded(module: str) -> bool:
    """Tell whether a module takes part in drawing.

    >>> is_guarded("matplotlib.lines"), is_guarded("__main__")
    (True, False)
    """
    return module in (*GUARDED, __name__) or module.startswith(WHOLE)


def _names() -> Iterator[tuple[Any, Any]]:
    """Yield the names of the modules that draw, of their classes, and of the tables in these."""
    from matplotlib import RcParams

    spaces: dict[int, Any] = {}
    for module_name, module in list(sys.modules.items()):
        if not (is_guarded(module_name) and isinstance(module, types.ModuleType)):
            continue
        own: list[Any] = [vars(module)]
        for value in vars(module).values():
            if isinstance(value, type) and value.__module__ == module_name:
                own.append(vars(value))
        if not module_name.startswith(("PIL.", "numpy")):
            for space in tuple(own):
                own += [
                    value
                    for name, value in space.items()
                    if isinstance(value, dict)
                    and name not in _DESCRIBING
                    and not isinstance(value, RcParams)  # part of the key
                    and len(value) < _LARGEST_TABLE
                ]
        spaces |= {id(space): space for space in own}
    for space in spaces.values():
        for name in tuple(space):
            if name not in _DESCRIBING:
                yield space, name
