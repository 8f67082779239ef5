"""The margin-mode explorer of chapter 05: the same two positions, isolated and in cross margin."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.patches import Rectangle

from leverage.lessons.explorers.controls import (
    Number,
    Slider,
    leverage_slider,
    number_box,
    side_choice,
    slider,
)
from leverage.lessons.explorers.explorer import MAINTENANCE_MARGIN_RATE, Explorer, result_table
from leverage.lessons.explorers.picture import Picture, label_bar
from leverage.lessons.figures import COLOURS, FILLS, finish_axes, line_style
from leverage.lessons.wording import format_amount, format_money, format_percent, format_price
from leverage.margin import equity, initial_margin, liquidation_price, maintenance_margin
from leverage.portfolio import (
    Positions,
    cross_liquidation_prices,
    portfolio_equity,
    portfolio_requirement,
)
from leverage.tiers import TierTable

if TYPE_CHECKING:
    import numpy.typing as npt
    from matplotlib.axes import Axes

NAMES = ("BTC", "ETH")
ENTRY_PRICES = (50_000.0, 2_500.0)

_LOWEST_PCT, _HIGHEST_PCT = -30.0, 160.0
_FARTHEST_PCT = 60.0


@dataclass(frozen=True)
class _Backed:
    """One position at its mark price, in one margin mode. Amounts in quote currency."""

    side: int
    mark_price: float
    liquidation_price: float
    is_liquidated: bool

    @property
    def distance(self) -> float:
        """How far the price may still move against the position; infinite if without end."""
        if not 0 < self.liquidation_price < math.inf:
            # A short whose account is lost at every price has the price 0.
            return 0.0 if self.is_liquidated else math.inf
        return max(0.0, self.side * (1 - self.liquidation_price / self.mark_price))


@dataclass(frozen=True)
class _Account:
    """Two positions of one account at one moment, taken in both modes."""

    sides: tuple[int, int]
    notionals: tuple[float, float]
    moves: tuple[float, float]
    leverage: int
    balance: float

    @cached_property
    def quantities(self) -> npt.NDArray[np.float64]:
        return np.asarray(np.array(self.notionals) / np.array(ENTRY_PRICES))

    @cached_property
    def marks(self) -> npt.NDArray[np.float64]:
        return np.asarray(np.array(ENTRY_PRICES) * (1 + np.array(self.moves)))

    @cached_property
    def margins(self) -> npt.NDArray[np.float64]:
        return np.asarray(initial_margin(np.array(self.notionals), self.leverage))

    @cached_property
    def equities(self) -> npt.NDArray[np.float64]:
        """Of the isolated positions."""
        at = np.array(self.sides), np.array(ENTRY_PRICES), self.marks
        return np.asarray(equity(*at, self.quantities, self.margins))

    @property
    def pnl(self) -> npt.NDArray[np.float64]:
        return self.equities - self.margins

    @cached_property
    def requirements(self) -> npt.NDArray[np.float64]:
        return np.asarray(maintenance_margin(self.quantities * self.marks, MAINTENANCE_MARGIN_RATE))

    @cached_property
    def isolated(self) -> tuple[_Backed, ...]:
        basics = np.array(self.sides), np.array(ENTRY_PRICES), self.quantities, self.margins
        prices = np.asarray(liquidation_price(*basics, MAINTENANCE_MARGIN_RATE))
        return self._backed(prices, self.equities <= self.requirements)

    @cached_property
    def _book(self) -> Positions:
        rate = TierTable.flat(MAINTENANCE_MARGIN_RATE)
        return Positions(self.sides, ENTRY_PRICES, self.quantities, rate, coin=NAMES)

    @cached_property
    def cross_equity(self) -> float:
        return float(portfolio_equity(self._book, self.marks, self.balance))

    @cached_property
    def cross_requirement(self) -> float:
        return float(portfolio_requirement(self._book, self.marks))

    @cached_property
    def cross(self) -> tuple[_Backed, ...]:
        prices = cross_liquidation_prices(self._book, self.marks, self.balance)
        ended = self.cross_equity <= self.cross_requirement
        return self._backed(prices, np.array([ended, ended]))

    def _backed(
        self, prices: npt.NDArray[np.float64], ended: npt.NDArray[np.bool_]
    ) -> tuple[_Backed, ...]:
        rows = zip(self.sides, self.marks, prices, ended, strict=True)
        return tuple(_Backed(side, float(m), float(p), bool(e)) for side, m, p, e in rows)

    @cached_property
    def free(self) -> float:
        """What the account holds outside both isolated margins."""
        return self.balance - float(sum(self.margins))

    @property
    def is_refused(self) -> bool:
        """Whether the balance does not cover both initial margins."""
        return self.free < -1e-9 * self.balance

    @property
    def cross_is_liquidated(self) -> bool:
        return self.cross[0].is_liquidated

    @property
    def isolated_left(self) -> tuple[float, ...]:
        """What each isolated margin still is; a liquidated one counts as lost in full."""
        rows = zip(self.isolated, self.equities, strict=True)
        return tuple(0.0 if at.is_liquidated else float(own) for at, own in rows)

    @property
    def isolated_total(self) -> float:
        return self.free + sum(self.isolated_left)

    @property
    def cross_total(self) -> float:
        return 0.0 if self.cross_is_liquidated else self.cross_equity


def _amount(label: str, start: float, meaning: str) -> Number:
    ends = {"low": 10.0, "high": 1_000_000.0, "step": 100.0}
    return number_box(label, start, meaning=f"{meaning}, 10 to 1 000 000", **ends)


def _move(name: str) -> Slider[float]:
    return slider(
        f"{name} move (%)",
        0.0,
        low=-50.0,
        high=50.0,
        step=0.5,
        decimals=1,
        meaning=f"How far the {name} price is from its entry, −50 to 50 per cent",
    )


class MarginModeExplorer(Explorer):
    """Shock one of two positions and watch the other, in isolated and in cross margin.

    The upper picture has what is left of the account as bars, per cent of the balance: two isolated
    margins, the free money and their sum, and the one pot of cross margin. The lower one has how
    far each price may still move against its position.

    Notes
    -----
    Positions were opened at 50 000 USDT per BTC and 2 500 per ETH. A liquidated margin counts as
    lost in full. Fees and funding are left out.

    Examples
    --------
    >>> explorer = MarginModeExplorer(second_move=-25)
    >>> explorer.liquidated
    ('ETH isolated',)
    >>> explorer.first_move.value = -5
    >>> explorer.liquidated
    ('ETH isolated', 'cross')
    """

    label_width = "9.5em"
    control_width = "345px"
    balance = _amount("Account (USDT)", 3_000.0, "Money before the trades")
    leverage = leverage_slider(meaning="Of both positions; it sets the isolated margins")
    first_side = side_choice("BTC side")
    second_side = side_choice("ETH side")
    first_value = _amount("BTC value (USDT)", 10_000.0, "Notional of the BTC position at entry")
    second_value = _amount("ETH value (USDT)", 10_000.0, "Notional of the ETH position at entry")
    first_move = _move("BTC")
    second_move = _move("ETH")
    _picture: _ModesPicture

    def _new_picture(self) -> _ModesPicture:
        return _ModesPicture()

    @property
    def liquidated(self) -> tuple[str, ...]:
        """What is liquidated at these prices: a position in isolated mode, or the cross account."""
        at = self._account
        if at.is_refused:
            return ()
        ended = [
            f"{name} isolated"
            for name, position in zip(NAMES, at.isolated, strict=True)
            if position.is_liquidated
        ]
        return (*ended, *(["cross"] if at.cross_is_liquidated else []))

    @property
    def description(self) -> str:
        """What the picture shows, in words."""
        return (
            "Bars of what is left in isolated and in cross margin, as per cent of the account, and "
            f"bars of how far each price may still move against its position. {self.sentence}"
        )

    @property
    def rows(self) -> dict[str, tuple[str, str]]:
        """The table below the picture: what is shown, isolated, and in cross margin."""
        at = self._account
        rows: dict[str, tuple[str, str]] = {}
        for number, name in enumerate(NAMES):
            rows[f"{name}: profit or loss"] = (format_money(at.pnl[number], signed=True),) * 2
        for number, name in enumerate(NAMES):
            rows[f"Behind {name}, before profit or loss"] = (
                format_money(at.margins[number]),
                format_money(at.balance),
            )
        rows["Requirement"] = (
            " and ".join(format_amount(need) for need in at.requirements) + " USDT",
            format_money(at.cross_requirement),
        )
        for number, name in enumerate(NAMES):
            rows[f"{name}: liquidation price"] = (
                self._end(at.isolated[number]),
                self._end(at.cross[number]),
            )
        rows["Left of the account"] = (
            format_money(at.isolated_total),
            format_money(at.cross_total),
        )
        return rows

    @property
    def _is_loud(self) -> bool:
        return self._account.is_refused or bool(self.liquidated)

    def _follow(self) -> None:
        self._account = _Account(
            sides=(self.first_side.value, self.second_side.value),
            notionals=(self.first_value.value, self.second_value.value),
            moves=(self.first_move.value / 100, self.second_move.value / 100),
            leverage=self.leverage.value,
            balance=self.balance.value,
        )
        self._picture.show(self._account)

    def _tables(self) -> str:
        if self._account.is_refused:
            return ""
        heads = "Isolated margin", "Cross margin"
        return result_table("The account at these prices", self.rows, heads)

    def _sentences(self) -> list[str]:
        at = self._account
        if at.is_refused:
            needed = format_money(sum(at.margins))
            return [
                "Not opened.",
                f"The two positions need {needed} of initial margin in either mode, and the "
                f"account has {format_money(at.balance)}. Raise the leverage or the account, or "
                "make a position smaller.",
            ]
        moved = " and ".join(
            f"{name} {format_percent(move, signed=True)}"
            for name, move in zip(NAMES, at.moves, strict=True)
        )
        left = (
            f"With prices at {moved} from entry, {format_money(at.isolated_total)} are left in "
            f"isolated margin and {format_money(at.cross_total)} in cross margin."
        )
        loud = [f"Liquidated: {', '.join(self.liquidated)}."] if self.liquidated else []
        return [*loud, left, self._reach()]

    def _reach(self) -> str:
        at = self._account
        name = NAMES[0]
        alone, together = at.isolated[0], at.cross[0]
        return (
            f"{name} may still move against its position by {_distance_words(alone)} in isolated "
            f"margin and by {_distance_words(together)} in cross margin."
        )

    def _end(self, at: _Backed) -> str:
        if at.is_liquidated:
            return "passed"
        if not 0 < at.liquidation_price < math.inf:
            return "none"
        return f"{format_price(at.liquidation_price)} ({_distance_words(at)} away)"


class _ModesPicture(Picture):
    """The explorer's figure and the artists that move in it."""

    height = 5.0

    def _make(self) -> None:
        upper, lower = self.panels(
            2, 1, (0.155, 0.985, 0.095, 0.875), hspace=0.36, height_ratios=[1.35, 1]
        )
        self._make_bars(upper)
        self._make_reaches(lower)

    def _make_bars(self, axes: Axes) -> None:
        finish_axes(axes, x_label="", y_label="Left (% of account)", zero_line=True)
        axes.set(xlim=(-0.6, 5.1), ylim=(_LOWEST_PCT, _HIGHEST_PCT))
        self._places = (0.0, 1.0, 2.0, 3.0, 4.5)
        axes.set_xticks(self._places, [*NAMES, "Free", "Together", "Whole account"])
        axes.tick_params(axis="x", length=0)
        axes.axvline(3.75, color=COLOURS["grid"], linewidth=1)
        for x, text in ((1.5, "Isolated margin"), (4.5, "Cross margin")):
            axes.text(x, _HIGHEST_PCT * 1.02, text, ha="center", va="bottom", weight="bold")
        key = "dotted line: maintenance margin; grey bar: less than at entry"
        axes.text(-0.55, _LOWEST_PCT / 2, key, va="center", fontsize=8.5)
        self._bars = [self.bar(axes, x, edgecolor=COLOURS["text"]) for x in self._places]
        self._needs = [self.line(axes, **line_style("liquidation")) for _ in range(3)]
        self._bar_texts = [
            self.label(axes.transData, position=(x, 0), align="center") for x in self._places
        ]
        self._alarms = [
            self.label(
                axes.transData,
                position=(x, 135),
                align="center",
                vertical="center",
                size=9,
                bold=True,
                edge=COLOURS["loss"],
            )
            for x in (0.0, 1.0, 4.5)
        ]

    def _make_reaches(self, axes: Axes) -> None:
        finish_axes(axes, x_label="Room to liquidation (% of the mark price)", y_label="")
        axes.set(xlim=(0, _FARTHEST_PCT), ylim=(3.6, -0.6))
        axes.set_yticks(
            range(4), [f"{name} {mode}" for name in NAMES for mode in ("isolated", "cross")]
        )
        axes.tick_params(axis="y", length=0)
        axes.grid(visible=False, axis="y")
        self._reaches = [
            self.patch(
                axes,
                Rectangle(
                    (0, row - 0.33),
                    0,
                    0.66,
                    facecolor=FILLS["sky" if row % 2 == 0 else "orange"],
                    edgecolor=COLOURS["text"],
                    linewidth=1,
                ),
            )
            for row in range(4)
        ]
        self._reach_texts = [
            self.label(axes.transData, position=(0, row), vertical="center") for row in range(4)
        ]

    def show(self, at: _Account) -> None:
        """Move every artist to where it belongs for the account."""
        moved = ", ".join(
            f"{name} {format_percent(move, signed=True)}"
            for name, move in zip(NAMES, at.moves, strict=True)
        )
        self.title.text = "Not opened: too little margin" if at.is_refused else f"Prices: {moved}"
        self._show_bars(at)
        self._show_reaches(at)

    def _show_bars(self, at: _Account) -> None:
        amounts = [*at.isolated_left, at.free, at.isolated_total, at.cross_total]
        starts = [*at.margins, at.free, at.balance, at.balance]
        dead = [*(p.is_liquidated for p in at.isolated), False, False, at.cross_is_liquidated]
        for number, (bar, text) in enumerate(zip(self._bars, self._bar_texts, strict=True)):
            share = 0.0 if at.is_refused else amounts[number] / at.balance * 100
            bar.set_height(share)
            gained = amounts[number] >= starts[number]
            bar.set_facecolor(COLOURS["gain"] if gained else FILLS["neutral"])
            bar.set_linestyle("-" if gained else "--")
            label_bar(text, share, low=_LOWEST_PCT, top=_HIGHEST_PCT - 30)
            text.set_visible(not dead[number])
        for number, label in enumerate(self._alarms):
            ended = (*(p.is_liquidated for p in at.isolated), at.cross_is_liquidated)[number]
            label.text = "LIQUIDATED" if number == 2 else "GONE"
            label.set_visible(ended and not at.is_refused)
            label.position = (label.position[0], 40.0)
        needs = (*at.requirements, at.cross_requirement)
        for number, line in enumerate(self._needs):
            x = self._places[(0, 1, 4)[number]]
            height = needs[number] / at.balance * 100
            line.set_data([x - 0.42, x + 0.42], [height, height])
            line.set_visible(not at.is_refused and height <= _HIGHEST_PCT)

    def _show_reaches(self, at: _Account) -> None:
        rows = [at.isolated[0], at.cross[0], at.isolated[1], at.cross[1]]
        for row, (position, bar, text) in enumerate(
            zip(rows, self._reaches, self._reach_texts, strict=True)
        ):
            distance = position.distance * 100
            ended = position.is_liquidated or at.is_refused
            width = 0.0 if ended else min(distance, _FARTHEST_PCT)
            bar.set_width(width)
            bar.set_linestyle("-" if distance <= _FARTHEST_PCT else "--")
            if at.is_refused:
                text.text = ""
            elif position.is_liquidated:
                text.text = "liquidated"
            elif math.isinf(distance):
                text.text = "no price liquidates it"
            else:
                arrow = " →" if distance > _FARTHEST_PCT else ""
                price = format_price(position.liquidation_price)
                text.text = f"{format_percent(position.distance)}, at {price}{arrow}"
            inside = width > _FARTHEST_PCT * 0.6
            text.align = "right" if inside else "left"
            text.position = (width - 0.6 if inside else width + 0.6, row)


def _distance_words(at: _Backed) -> str:
    if at.is_liquidated:
        return "nothing"
    if math.isinf(at.distance):
        return "any amount"
    return format_percent(at.distance, 2)
