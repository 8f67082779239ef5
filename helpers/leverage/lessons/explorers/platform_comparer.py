"""The platform comparer of chapter 02: weights make a ranking, and a weight turns it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from matplotlib.collections import PolyCollection
from matplotlib.patches import Rectangle

from leverage.lessons.explorers.controls import Slider, choice, slider
from leverage.lessons.explorers.explorer import Explorer, result_table
from leverage.lessons.explorers.picture import Picture
from leverage.lessons.figures import COLOURS, FILLS, finish_axes
from leverage.lessons.wording import format_money
from leverage.venues import (
    LOWER_IS_BETTER,
    UNKNOWN,
    TradeAtVenue,
    TurningPoint,
    compare,
    facts_in_use,
    load_venue,
    places,
    platform_factors,
    scaled_scores,
    turning_points,
    venue_names,
    weighted_scores,
)

LARGEST_WEIGHT = 10
NOT_CHECKED = "Not checked"
REFERENCE_PRICE = 50_000.0

_NARROWEST_LETTER = 0.035
_NAMES = tuple(load_venue(name).name for name in venue_names())


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
def _factors(notional: int, fetched: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Values by venue and factor; NaN where unknown. `fetched` says what was fetched, if anything."""
    columns = [factor.column for factor in _FACTORS]
    table = platform_factors(notional=notional, entry_price=REFERENCE_PRICE, live=bool(fetched))
    return table[columns].to_numpy(float)


@cache
def _offers(residence: str) -> dict[str, TradeAtVenue]:
    """Return what each venue's main product is to a retail client of a place."""
    if residence == NOT_CHECKED:
        return {}
    offers = compare(1, REFERENCE_PRICE, notional=1_000, leverage=1, residence=residence)
    mains = {name: load_venue(name).main_product for name in venue_names()}
    return {offer.venue: offer for offer in offers if offer.product == mains[offer.venue]}


def _refusals(residence: str) -> dict[str, str]:
    """Say for each venue that is closed to retail clients of a place why it is."""
    return {
        name: offer.refusals[0].partition(" (")[0]
        for name, offer in _offers(residence).items()
        if offer.refusals
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
        cls,
        values: np.ndarray[Any, np.dtype[np.float64]],
        unknown_score: float,
        weights: tuple[int, ...],
        out: frozenset[str],
    ) -> _Ranking:
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


def _weight(factor: _Factor, meaning: str) -> Slider[int]:
    return slider(factor.name, 5, low=0, high=LARGEST_WEIGHT, meaning=f"{meaning}, 0 to 10")


class PlatformComparer(Explorer):
    """Weigh four factors, see the venues ranked, and what change of weight turns the ranking.

    Factors come from the venues' data (`leverage.venues.platform_factors`). Where a venue may not
    be used at all, no weight helps: a place of residence takes venues out.

    Parameters
    ----------
    live : bool, default False
        Use facts that were fetched, as in :func:`leverage.venues.load_venue`, and say which.

    Examples
    --------
    >>> explorer = PlatformComparer()
    >>> explorer.ranking[0]
    'Binance'
    >>> explorer.fees.value, explorer.leverage.value = 0, 0
    >>> explorer.ranking[0]
    'Bybit'
    """

    label_width = "10.5em"
    fees = _weight(_FACTORS[0], "How much a low fee for an order filled at once counts")
    leverage = _weight(_FACTORS[1], "How much a high maximum leverage at your size counts")
    facts = _weight(_FACTORS[2], "How much it counts that facts about the venue could be found")
    record = _weight(_FACTORS[3], "How much it counts that few incidents are on the list")
    notional = choice(
        "Size of position",
        100_000,
        {format_money(10**power, decimals=0): 10**power for power in range(4, 8)},
        meaning="The leverage that a venue offers depends on the size",
    )
    residence = choice(
        "Residence",
        NOT_CHECKED,
        {place: place for place in (NOT_CHECKED, *places())},
        meaning="Venues known to be closed to private clients of this place are taken out",
    )
    unknown_score = choice(
        "Unknown counts as",
        0.0,
        {"worst (0)": 0.0, "middle (0.5)": 0.5, "best (1)": 1.0},
        meaning="What a value scores that could not be found",
    )
    _picture: _RankingPicture

    def __init__(self, *, live: bool = False, **start: Any) -> None:
        self._fetched = facts_in_use() if live else ""
        super().__init__(**start)

    def _new_picture(self) -> _RankingPicture:
        return _RankingPicture()

    @property
    def ranking(self) -> list[str]:
        """Names of the venues that are left, the best first."""
        return [_NAMES[number] for number in self._at.order]

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
            if self._access:
                words += f"; open there: {self._access[venue_names()[number]]}"
            rows[f"{place}. {_NAMES[number]}"] = words
        for name, reason in self._out.items():
            rows[load_venue(name).name] = f"out: {reason}"
        return rows

    @property
    def _is_loud(self) -> bool:
        return not self._at.order or not sum(self._at.weights)

    def _follow(self) -> None:
        weights = (self.fees.value, self.leverage.value, self.facts.value, self.record.value)
        self._out = _refusals(self.residence.value)
        offers = _offers(self.residence.value)
        self._access = {name: offer.access for name, offer in offers.items()}
        self._at = _Ranking.of(
            _factors(self.notional.value, self._fetched),
            self.unknown_score.value,
            weights,
            frozenset(self._out),
        )
        self._picture.show(self._at, set(self._out))

    def _tables(self) -> str:
        return result_table("Weighted scores, 0 is worst and 1 is best", self.rows)

    def _sentences(self) -> list[str]:
        at = self._at
        count = len(self._out)
        out = f"Out: {count} of {len(_NAMES)} venues." if count else ""
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
        first = _NAMES[at.order[0]]
        words = [f"{first} leads with {at.total(at.order[0]):.3f}"]
        if len(at.order) > 1:
            second = _NAMES[at.order[1]]
            gap = "level with" if at.tied else f"{at.margin:.3f} ahead of"
            words = [f"{words[0]}, {gap} {second}."]
        else:
            words = [f"{words[0]}: the only venue left."]
        words.append(self._turning_sentence())
        if self._access and self._access[venue_names()[at.order[0]]] == UNKNOWN:
            words.append(f"Whether {first} is open there is unknown.")
        return [*filter(None, [*words, out, self._fetched])]

    def _turning_sentence(self) -> str:
        at = self._at
        if at.tied:
            return "Weight on a factor in which they differ decides between them."
        if not at.turns:
            return "No change of a single weight turns that." if len(at.order) > 1 else ""
        turn = at.turns[0]
        now = at.weights[turn.factor]
        rival = _NAMES[turn.rival]
        way = "above" if turn.weight > now else "below"
        return (
            f"Smallest change that turns it: a weight of {_FACTORS[turn.factor].name.lower()} "
            f"{way} {turn.weight:.2f} instead of {now} puts {rival} first."
        )


class _RankingPicture(Picture):
    """The comparer's figure: one row of stacked parts for each venue."""

    height = 4.3

    def _make(self) -> None:
        self._axes = axes = self.panels(1, 1, (0.13, 0.985, 0.125, 0.82))
        finish_axes(axes, x_label="Weighted score (0 is worst, 1 is best)", y_label="")
        rows = len(_NAMES)
        axes.set(xlim=(0, 1.12), ylim=(rows - 0.4, -0.6))
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "0.25", "0.5", "0.75", "1"])
        axes.set_yticks([])
        axes.grid(visible=True, axis="x")
        # One artist for the parts of a factor in all rows: fewer to draw than single bars.
        self._bars = [
            self.shape(
                PolyCollection([], facecolor=f.fill, edgecolor=COLOURS["text"], linewidth=0.9)
            )
            for f in _FACTORS
        ]
        for bars in self._bars:
            axes.add_collection(bars, autolim=False)
        self._letters = [
            [
                self.label(axes.transData, ground=None, align="center", vertical="center", size=8.5)
                for _ in _FACTORS
            ]
            for _ in range(rows)
        ]
        self._name_texts = [
            self.label(axes.transData, ground=None, align="right", vertical="center", size=9.5)
            for _ in range(rows)
        ]
        self._totals = [self.label(axes.transData, vertical="center") for _ in range(rows)]
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
            self._name_texts[row].text = _NAMES[number]
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
        self.title.text = self._title_of(at)

    def _title_of(self, at: _Ranking) -> str:
        if not at.order:
            return "No venue is left"
        if not sum(at.weights):
            return "All weights are zero: nothing is compared"
        first = _NAMES[at.order[0]]
        if len(at.order) == 1:
            return f"{first} is the only venue left"
        second = _NAMES[at.order[1]]
        if at.tied:
            return f"{first} and {second} are level"
        return f"{first} leads {second} by {at.margin:.2f}     (? some values are unknown)"


def _box(left: float, row: int, width: float) -> list[tuple[float, float]]:
    """Corners of one part of a bar."""
    right, top, bottom = left + width, row - 0.34, row + 0.34
    return [(left, top), (right, top), (right, bottom), (left, bottom)]
