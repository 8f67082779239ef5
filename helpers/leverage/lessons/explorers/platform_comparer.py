"""The platform comparer of chapter 02: weights make a ranking, and a weight turns it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from ipywidgets import Dropdown, IntSlider
from matplotlib.collections import PolyCollection
from matplotlib.patches import Rectangle

from leverage.lessons.canvas import BlitCanvas, Label
from leverage.lessons.explorers.artists import new_title
from leverage.lessons.explorers.controls import control_look
from leverage.lessons.explorers.explorer import Explorer, alert, check_within, status, table
from leverage.lessons.figures import COLOURS, FILLS, course_style, finish_axes, new_figure
from leverage.lessons.wording import format_amount
from leverage.venues import (
    LOWER_IS_BETTER,
    TurningPoint,
    compare,
    load_venue,
    places,
    platform_factors,
    scaled_scores,
    turning_points,
    venue_names,
    weighted_scores,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LARGEST_WEIGHT = 10
SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
UNKNOWN_SCORES = (0.0, 0.5, 1.0)
NOT_CHECKED = "Not checked"
REFERENCE_PRICE = 50_000.0

_GROUND = "#FFFFFF"
_NARROWEST_LETTER = 0.035


@dataclass(frozen=True)
class _Factor:
    """One thing to weigh: its column in the data, its name, and how it looks."""

    column: str
    name: str
    letter: str
    fill: str


_FACTORS = (
    _Factor("taker_fee_rate", "Low fees", "F", FILLS["sky"]),
    _Factor("max_leverage", "Leverage at size", "L", FILLS["orange"]),
    _Factor("known_share", "Facts found", "K", FILLS["yellow"]),
    _Factor("incidents", "Few incidents", "R", FILLS["neutral"]),
)


@cache
def _factors(notional: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Values by venue and factor; NaN where unknown."""
    columns = [factor.column for factor in _FACTORS]
    return platform_factors(notional=notional, entry_price=REFERENCE_PRICE)[columns].to_numpy(float)


@cache
def _refusals(residence: str) -> dict[str, str]:
    """Say for each venue that is closed to retail clients of a place why it is."""
    if residence == NOT_CHECKED:
        return {}
    offers = compare(1, REFERENCE_PRICE, notional=1_000, leverage=1, residence=residence)
    mains = {name: load_venue(name).main_product for name in venue_names()}
    return {
        offer.venue: offer.refusals[0].partition(" (")[0]
        for offer in offers
        if offer.product == mains[offer.venue] and offer.refusals
    }


@dataclass(frozen=True)
class _Ranking:
    """Venues in order, and what turns it. Indexes are those of `venue_names`."""

    order: tuple[int, ...]
    parts: np.ndarray[Any, np.dtype[np.float64]]
    unknown: np.ndarray[Any, np.dtype[np.bool_]]
    turns: tuple[TurningPoint, ...]
    weights: tuple[int, ...]

    @classmethod
    def of(
        cls, notional: int, unknown_score: float, weights: tuple[int, ...], out: frozenset[str]
    ) -> _Ranking:
        values = _factors(notional)
        names = venue_names()
        scores = np.column_stack(
            [
                scaled_scores(
                    values[:, place],
                    best="lowest" if factor.column in LOWER_IS_BETTER else "highest",
                    unknown=unknown_score,
                )
                for place, factor in enumerate(_FACTORS)
            ]
        )
        kept = [number for number, name in enumerate(names) if name not in out]
        parts = np.zeros_like(scores)
        turns: tuple[TurningPoint, ...] = ()
        order = tuple(kept)
        if sum(weights):
            parts = scores * np.array(weights) / sum(weights)
            totals = weighted_scores(scores, weights)
            order = tuple(sorted(kept, key=lambda number: -round(float(totals[number]), 12)))
            if kept:
                found = turning_points(scores[kept], weights, largest=LARGEST_WEIGHT)
                turns = tuple(
                    TurningPoint(t.factor, t.weight, kept[t.leader], kept[t.rival]) for t in found
                )
        return cls(order, parts, np.isnan(values), turns, weights)

    def total(self, number: int) -> float:
        return float(self.parts[number].sum())

    @property
    def tied(self) -> bool:
        """Whether the first two have the same score."""
        return len(self.order) > 1 and abs(self.margin) < 5e-4

    @property
    def margin(self) -> float:
        return self.total(self.order[0]) - self.total(self.order[1])


class PlatformComparer(Explorer):
    """Weigh four factors, see the venues ranked, and what change of weight turns the ranking.

    Factors come from the venues' data (`leverage.venues.platform_factors`). Where a venue may not
    be used at all, no weight helps: a place of residence takes venues out.

    Parameters
    ----------
    fees, leverage, facts, record : int
        Weights from 0 to 10: low taker fee; leverage offered at this size; share of the
        looked-up facts that were found; few incidents on the list.
    notional : {10000, 100000, 1000000, 10000000}, default 100000
        Size of the position, in quote currency.
    residence : str, default "Not checked"
        Where the trader lives, one of `leverage.venues.places()`.
    unknown_score : {0.0, 0.5, 1.0}, default 0.0
        What an unknown value scores.

    Attributes
    ----------
    fees, leverage, facts, record, notional, residence, unknown_score : widget
        The controls. Setting their `value` in code works as well as by hand.

    Examples
    --------
    >>> explorer = PlatformComparer()
    >>> explorer.ranking[0]
    'MEXC'
    >>> explorer.fees.value, explorer.leverage.value = 0, 0
    >>> explorer.ranking[0]
    'Bybit'
    """

    def __init__(
        self,
        *,
        fees: int = 5,
        leverage: int = 5,
        facts: int = 5,
        record: int = 5,
        notional: int = 100_000,
        residence: str = NOT_CHECKED,
        unknown_score: float = 0.0,
    ) -> None:
        weights = {"fees": fees, "leverage": leverage, "facts": facts, "record": record}
        for name, weight in weights.items():
            check_within(name, weight, 0, LARGEST_WEIGHT)
        homes = (NOT_CHECKED, *places())
        for name, value, offered in (
            ("notional", notional, SIZES),
            ("residence", residence, homes),
            ("unknown_score", unknown_score, UNKNOWN_SCORES),
        ):
            if value not in offered:
                words = ", ".join(map(str, offered))
                raise ValueError(f"{name} must be one of {words}, was {value!r}; choose one")
        self._names = [load_venue(name).name for name in venue_names()]
        look = control_look("10.5em")
        tooltips = (
            "How much a low fee for an order filled at once counts, 0 to 10",
            "How much a high maximum leverage at your size counts, 0 to 10",
            "How much it counts that facts about the venue could be found, 0 to 10",
            "How much it counts that few incidents are on the list, 0 to 10",
        )
        self.fees, self.leverage, self.facts, self.record = (
            IntSlider(
                value=weight,
                min=0,
                max=LARGEST_WEIGHT,
                description=factor.name,
                tooltip=tooltip,
                **look,
            )
            for weight, factor, tooltip in zip(weights.values(), _FACTORS, tooltips, strict=True)
        )
        self.notional = Dropdown(
            options=[(f"{format_amount(size, 0)} USDT", size) for size in SIZES],
            value=notional,
            description="Size of position",
            tooltip="The leverage that a venue offers depends on the size",
            **look,
        )
        self.residence = Dropdown(
            options=homes,
            value=residence,
            description="Residence",
            tooltip="Venues known to be closed to private clients of this place are taken out",
            **look,
        )
        self.unknown_score = Dropdown(
            options=list(
                zip(("worst (0)", "middle (0.5)", "best (1)"), UNKNOWN_SCORES, strict=True)
            ),
            value=unknown_score,
            description="Unknown counts as",
            tooltip="What a value scores that could not be found",
            **look,
        )
        self._picture = _RankingPicture(self._names)
        super().__init__(
            {
                "fees": self.fees,
                "leverage": self.leverage,
                "facts": self.facts,
                "record": self.record,
                "notional": self.notional,
                "residence": self.residence,
                "unknown_score": self.unknown_score,
            },
            BlitCanvas(self._picture.figure, self._picture.artists),
        )

    @property
    def ranking(self) -> list[str]:
        """Names of the venues that are left, the best first."""
        return [self._names[number] for number in self._at.order]

    @property
    def description(self) -> str:
        """What the picture shows, in words."""
        return (
            "Bars of the weighted scores of the venues from 0 to 1, the best on top, each bar "
            f"put together from its factors. {self.sentence}"
        )

    @property
    def rows(self) -> dict[str, str]:
        """The table below the picture: each venue with its score, or why it is out."""
        at = self._at
        rows = {}
        for place, number in enumerate(at.order, 1):
            words = f"{at.total(number):.3f}"
            missing = [
                factor.name.lower().removeprefix("low ")
                for factor, unknown in zip(_FACTORS, at.unknown[number], strict=True)
                if unknown
            ]
            if missing:
                words += f" (unknown: {', '.join(missing)})"
            rows[f"{place}. {self._names[number]}"] = words
        for name, reason in self._out.items():
            rows[load_venue(name).name] = f"out: {reason}"
        return rows

    def _show(self, values: Mapping[str, Any]) -> str:
        weights = (values["fees"], values["leverage"], values["facts"], values["record"])
        self._out = _refusals(values["residence"])
        self._at = _Ranking.of(
            values["notional"], values["unknown_score"], weights, frozenset(self._out)
        )
        self._picture.show(self._at, set(self._out))
        if not self._at.order or not sum(weights):
            loud, *rest = self._sentences()
            words = alert(loud, " ".join(rest))
        else:
            words = status(self.sentence)
        return words + table("Weighted scores, 0 is worst and 1 is best", self.rows)

    def _sentences(self) -> list[str]:
        at = self._at
        count = len(self._out)
        out = f"Out: {count} of {len(self._names)} venues." if count else ""
        if not at.order:
            return [
                "No venue is left.",
                "By our facts every one is closed to private clients there.",
            ]
        if not sum(at.weights):
            return [
                "All weights are zero.",
                "Give at least one factor a weight.",
                *filter(None, [out]),
            ]
        first = self._names[at.order[0]]
        words = [f"{first} leads with {at.total(at.order[0]):.3f}"]
        if len(at.order) > 1:
            second = self._names[at.order[1]]
            gap = "level with" if at.tied else f"{at.margin:.3f} ahead of"
            words = [f"{words[0]}, {gap} {second}."]
        else:
            words = [f"{words[0]}: the only venue left."]
        words.append(self._turning_sentence())
        return [*filter(None, [*words, out])]

    def _turning_sentence(self) -> str:
        at = self._at
        if at.tied:
            return "Weight on a factor in which they differ decides between them."
        if not at.turns:
            return "No change of a single weight turns that." if len(at.order) > 1 else ""
        turn = at.turns[0]
        now = at.weights[turn.factor]
        rival = self._names[turn.rival]
        way = "above" if turn.weight > now else "below"
        return (
            f"Smallest change that turns it: a weight of {_FACTORS[turn.factor].name.lower()} "
            f"{way} {turn.weight:.2f} instead of {now} puts {rival} first."
        )


class _RankingPicture:
    """The comparer's figure: one row of stacked parts for each venue."""

    def __init__(self, names: list[str]) -> None:
        self._names = names
        self.figure: Figure = new_figure(height=4.3)
        with course_style():
            self._make()
        self.artists = [
            *self._bars,
            *(letter for row in self._letters for letter in row),
            *self._name_texts,
            *self._totals,
            self._title,
        ]

    def _make(self) -> None:
        self.figure.set_layout_engine("none")
        axes = self.figure.subplots(
            gridspec_kw={"left": 0.13, "right": 0.985, "top": 0.82, "bottom": 0.125}
        )
        finish_axes(axes, x_label="Weighted score (0 is worst, 1 is best)", y_label="")
        rows = len(self._names)
        axes.set(xlim=(0, 1.12), ylim=(rows - 0.4, -0.6))
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "0.25", "0.5", "0.75", "1"])
        axes.set_yticks([])
        axes.grid(visible=True, axis="x")
        self._axes = axes
        # One artist for the parts of a factor in all rows: fewer to draw than single bars.
        self._bars = [
            PolyCollection([], facecolor=f.fill, edgecolor=COLOURS["text"], linewidth=0.9)
            for f in _FACTORS
        ]
        for bars in self._bars:
            axes.add_collection(bars, autolim=False)
        self._letters = [
            [
                Label(self.figure, axes.transData, align="center", vertical="center", size=8.5)
                for _ in _FACTORS
            ]
            for _ in range(rows)
        ]
        self._name_texts = [
            Label(self.figure, axes.transData, align="right", vertical="center", size=9.5)
            for _ in range(rows)
        ]
        self._totals = [
            Label(self.figure, axes.transData, vertical="center", ground=_GROUND)
            for _ in range(rows)
        ]
        self._title = new_title(self.figure)
        self._make_legend()

    def _make_legend(self) -> None:
        """Draw the legend once: it belongs to the background."""
        x = 0.13
        for factor in _FACTORS:
            self.figure.patches.append(
                Rectangle(
                    (x, 0.855),
                    0.022,
                    0.036,
                    transform=self.figure.transSubfigure,
                    facecolor=factor.fill,
                    edgecolor=COLOURS["text"],
                    linewidth=0.9,
                    figure=self.figure,
                )
            )
            text = f"{factor.letter}  {factor.name}"
            self.figure.text(x + 0.028, 0.873, text, fontsize=9, va="center")
            x += 0.075 + 0.0115 * len(factor.name)

    def show(self, at: _Ranking, out: set[str]) -> None:
        """Move every part to where it belongs for the ranking."""
        ids = venue_names()
        rest = [number for number, name in enumerate(ids) if name in out]
        shapes: list[list[list[tuple[float, float]]]] = [[] for _ in _FACTORS]
        for row, number in enumerate([*at.order, *rest]):
            is_out = ids[number] in out
            self._name_texts[row].text = self._names[number]
            self._name_texts[row].position = (-0.012, row)
            left = 0.0
            for place, factor in enumerate(_FACTORS):
                width = 0.0 if is_out else float(at.parts[number, place])
                if width > 0:
                    shapes[place].append(_box(left, row, width))
                letter = self._letters[row][place]
                letter.text = factor.letter if width >= _NARROWEST_LETTER else ""
                letter.position = (left + width / 2, row)
                left += width
            unknown = " ?" if at.unknown[number].any() else ""
            self._totals[row].text = "out" if is_out else f"{left:.2f}{unknown}"
            self._totals[row].position = (left + 0.012, row)
        for bars, boxes in zip(self._bars, shapes, strict=True):
            bars.set_verts(boxes)
        self._title.text = self._title_of(at)

    def _title_of(self, at: _Ranking) -> str:
        if not at.order:
            return "No venue is left"
        if not sum(at.weights):
            return "All weights are zero: nothing is compared"
        first = self._names[at.order[0]]
        if len(at.order) == 1:
            return f"{first} is the only venue left"
        second = self._names[at.order[1]]
        if at.tied:
            return f"{first} and {second} are level"
        return f"{first} leads {second} by {at.margin:.2f}     (? some values are unknown)"


def _box(left: float, row: int, width: float) -> list[tuple[float, float]]:
    """Corners of one part of a bar."""
    right, top, bottom = left + width, row - 0.34, row + 0.34
    return [(left, top), (right, top), (right, bottom), (left, bottom)]
