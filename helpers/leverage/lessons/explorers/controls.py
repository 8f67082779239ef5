"""An explorer's controls: each is declared once, and is checked, built and documented from that.

    class LeverageExplorer(Explorer):
        leverage = slider("Leverage (×)", 10, low=1, high=125, meaning="Position value divided …")

Read from an explorer, a declared control is its widget, whose `value` has the declared type; read
from the class, it is the declaration with its limits. Words may name attributes of the explorer:
``"Margin ({self.quote})"``.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar, overload

import ipywidgets

from leverage.contracts import LONG, SHORT

T = TypeVar("T")
N = TypeVar("N", int, float)

_MOST_LISTED = 4


class Widget(Protocol[T]):
    """What an explorer uses of a built control."""

    value: T
    description: str
    tooltip: str
    disabled: bool


class Panel(Protocol):
    """What has controls: an explorer."""

    label_width: ClassVar[str]
    control_width: ClassVar[str]
    _controls: dict[str, Any]


@dataclass(frozen=True)
class Control(ABC, Generic[T]):
    """A control as a class declares it: label, value at the start, and what it means."""

    label: str
    start: T
    meaning: str
    name: str = field(default="", init=False)

    def __set_name__(self, owner: type, name: str) -> None:
        object.__setattr__(self, "name", name)

    @overload
    def __get__(self, explorer: None, owner: type) -> Self: ...
    @overload
    def __get__(self, explorer: Panel, owner: type) -> Widget[T]: ...
    def __get__(self, explorer: Panel | None, owner: type) -> Any:
        return self if explorer is None else explorer._controls[self.name]

    def __set__(self, explorer: Panel, value: object) -> None:
        raise AttributeError(f"{self.name} is a control; set its value: .{self.name}.value = …")

    def build(self, start: object, explorer: Panel) -> Any:
        """Check a value to start with and return the widget that has it."""
        problem = self._problem(start)
        if problem:
            raise ValueError(f"{self.name} must be {problem}")
        return self._widget(
            value=start,
            description=self.label.format(self=explorer),
            tooltip=self.meaning.format(self=explorer),
            style={"description_width": explorer.label_width},
            layout=ipywidgets.Layout(width=explorer.control_width),
        )

    def documentation(self, explorer: type) -> str:
        """Return the control's lines of the section *Parameters*."""
        meaning = self.meaning.format(self=explorer)
        return f"{self.name} : {self._kind}, default {self.start!r}\n        {meaning}."

    @property
    def _kind(self) -> str:
        return type(self.start).__name__

    @abstractmethod
    def _problem(self, start: object) -> str:
        """Say what a value to start with must be, what it was and what to do; "" if it is fine."""

    @abstractmethod
    def _widget(self, **look: Any) -> Any:
        """Return the widget; `look` holds what all kinds of widgets take."""


@dataclass(frozen=True)
class Range(Control[N]):
    """A number between two limits."""

    low: N
    high: N
    step: N | None

    def _problem(self, start: object) -> str:
        whole = isinstance(self.start, int)
        fits = isinstance(start, int if whole else int | float) and not isinstance(start, bool)
        if fits and self.low <= start <= self.high:  # type: ignore[operator]  # a number by now
            return ""
        return (
            f"a {'whole ' if whole else ''}number from {self.low:g} to {self.high:g}, "
            f"was {start!r}; choose a value in this range"
        )


@dataclass(frozen=True)
class Slider(Range[N]):
    """A number that is dragged; with `decades`, equal ways are equal ratios."""

    decimals: int
    decades: bool

    def _widget(self, **look: Any) -> Any:
        if isinstance(self.start, int):
            return ipywidgets.IntSlider(min=self.low, max=self.high, step=self.step, **look)
        look["readout_format"] = f",.{self.decimals}f" if self.decades else f".{self.decimals}f"
        if not self.decades:
            return ipywidgets.FloatSlider(min=self.low, max=self.high, step=self.step, **look)
        ends = {"min": math.log10(self.low), "max": math.log10(self.high)}
        return ipywidgets.FloatLogSlider(base=10, step=self.step, **ends, **look)


@dataclass(frozen=True)
class Number(Range[float]):
    """A number that is typed."""

    def _widget(self, **look: Any) -> Any:
        if math.isinf(self.high):
            return ipywidgets.FloatText(step=self.step, **look)
        return ipywidgets.BoundedFloatText(min=self.low, max=self.high, step=self.step, **look)


@dataclass(frozen=True)
class Choice(Control[T]):
    """One of several values, each with its words in the list."""

    options: Mapping[str, T]

    @property
    def _kind(self) -> str:
        values = list(self.options.values())
        listed = f"{{{', '.join(map(repr, values))}}}"
        return listed if len(values) <= _MOST_LISTED else super()._kind

    def _problem(self, start: object) -> str:
        if start in self.options.values():
            return ""
        offered = ", ".join(
            repr(value) if str(value) in words else f"{value!r} ({words})"
            for words, value in self.options.items()
        )
        return f"one of {offered}, was {start!r}; choose one"

    def _widget(self, **look: Any) -> Any:
        return ipywidgets.Dropdown(options=list(self.options.items()), **look)


@dataclass(frozen=True)
class Tick(Control[bool]):
    """Yes or no."""

    def _problem(self, start: object) -> str:
        return "" if isinstance(start, bool) else f"True or False, was {start!r}; choose one"

    def _widget(self, **look: Any) -> Any:
        return ipywidgets.Checkbox(indent=True, **look)


def slider(
    label: str,
    start: N,
    *,
    low: N,
    high: N,
    meaning: str,
    step: N | None = None,
    decimals: int = 0,
    decades: bool = False,
) -> Slider[N]:
    """Declare a slider; whole numbers if `start` is an `int`."""
    return Slider(
        label,
        start,
        meaning,
        low,
        high,
        type(start)(1) if step is None else step,
        decimals,
        decades,
    )


def number_box(
    label: str,
    start: float,
    *,
    meaning: str,
    low: float = -math.inf,
    high: float = math.inf,
    step: float | None = None,
) -> Number:
    """Declare a number box; without limits it takes any number."""
    return Number(label, start, meaning, low, high, step)


def choice(label: str, start: T, options: Mapping[str, T], *, meaning: str) -> Choice[T]:
    """Declare a list to choose from; `options` maps the words to the values."""
    return Choice(label, start, meaning, options)


def side_choice(
    label: str = "Side", meaning: str = "A long gains when the price rises, a short when it falls"
) -> Choice[int]:
    """Declare the choice between long and short."""
    return choice(label, LONG, {"Long": LONG, "Short": SHORT}, meaning=meaning)


def leverage_slider(
    start: int = 10, *, high: int = 125, meaning: str = "Position value divided by margin"
) -> Slider[int]:
    """Declare the slider of the leverage, from 1 on; `meaning` says what it sets."""
    return slider("Leverage (×)", start, low=1, high=high, meaning=f"{meaning}, 1 to {high}")
