"""The margin-mode explorer of chapter 05: the same two positions, isolated and in cross margin."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from ipywidgets import BoundedFloatText, FloatSlider
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from leverage.contracts import LONG, SHORT
from leverage.lessons.canvas import BlitCanvas, Label
from leverage.lessons.explorers.artists import new_bar, new_title
from leverage.lessons.explorers.controls import control_look, leverage_slider, side_choice
from leverage.lessons.explorers.explorer import Explorer, alert, check_within, status
from leverage.lessons.figures import (
    COLOURS,
    FILLS,
    course_style,
    finish_axes,
    line_style,
    new_figure,
)
from leverage.lessons.wording import format_amount, format_percent, format_price
from leverage.margin import equity, initial_margin, liquidation_price, maintenance_margin
from leverage.portfolio import (
    Positions,
    cross_liquidation_prices,
    portfolio_equity,
    portfolio_requirement,
)
from leverage.tiers import TierTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LARGEST_LEVERAGE = 125
SMALLEST_AMOUNT = 10.0
LARGEST_AMOUNT = 1_000_000.0
LARGEST_MOVE_PCT = 50.0

_LOWEST_PCT, _HIGHEST_PCT = -30.0, 160.0
_FARTHEST_PCT = 60.0
_WHITE = "#FFFFFF"
_WIDTH, _HEIGHT = 7.0, 5.0
_CELL = 'style="text-align:right;padding:0 0 0 1.5em"'
_NAME = 'scope="row" style="text-align:left;font-weight:normal"'


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

    names: tuple[str, str]
    moves: tuple[float, float]
    balance: float
    margins: tuple[float, float]
    pnl: tuple[float, float]
    equities: tuple[float, float]
    requirements: tuple[float, float]
    isolated: tuple[_Backed, _Backed]
    cross_equity: float
    cross_requirement: float
    cross: tuple[_Backed, _Backed]

    @classmethod
    def of(
        cls,
        names: tuple[str, str],
        entry_prices: tuple[float, float],
        rate: float,
        values: Mapping[str, Any],
    ) -> _Account:
        sides = (values["first_side"], values["second_side"])
        notionals = (values["first_value"], values["second_value"])
        moves = (values["first_move"] / 100, values["second_move"] / 100)
        balance = values["balance"]
        quantities = [value / price for value, price in zip(notionals, entry_prices, strict=True)]
        marks = [price * (1 + move) for price, move in zip(entry_prices, moves, strict=True)]
        margins = [float(initial_margin(value, values["leverage"])) for value in notionals]
        basics = list(zip(sides, entry_prices, quantities, margins, strict=True))
        equities = [
            float(equity(side, entry, mark, quantity, margin))
            for (side, entry, quantity, margin), mark in zip(basics, marks, strict=True)
        ]
        requirements = [
            float(maintenance_margin(quantity * mark, rate))
            for quantity, mark in zip(quantities, marks, strict=True)
        ]
        alone = [float(liquidation_price(*basic, rate)) for basic in basics]
        book = Positions(sides, entry_prices, quantities, TierTable.flat(rate))
        together = [float(price) for price in cross_liquidation_prices(book, marks, balance)]
        cross_equity = float(portfolio_equity(book, marks, balance))
        cross_requirement = float(portfolio_requirement(book, marks))
        ended = cross_equity <= cross_requirement
        first, second = (
            _Backed(side, mark, price, own <= need)
            for side, mark, price, own, need in zip(
                sides, marks, alone, equities, requirements, strict=True
            )
        )
        return cls(
            names=names,
            moves=moves,
            balance=balance,
            margins=(margins[0], margins[1]),
            pnl=(equities[0] - margins[0], equities[1] - margins[1]),
            equities=(equities[0], equities[1]),
            requirements=(requirements[0], requirements[1]),
            isolated=(first, second),
            cross_equity=cross_equity,
            cross_requirement=cross_requirement,
            cross=(
                _Backed(sides[0], marks[0], together[0], ended),
                _Backed(sides[1], marks[1], together[1], ended),
            ),
        )

    @property
    def free(self) -> float:
        """What the account holds outside both isolated margins."""
        return self.balance - sum(self.margins)

    @property
    def is_refused(self) -> bool:
        """Whether the balance does not cover both initial margins."""
        return self.free < -1e-9 * self.balance

    @property
    def cross_is_liquidated(self) -> bool:
        return self.cross[0].is_liquidated

    @property
    def isolated_left(self) -> tuple[float, float]:
        """What each isolated margin still is; a liquidated one counts as lost in full."""
        first, second = (
            0.0 if at.is_liquidated else own
            for at, own in zip(self.isolated, self.equities, strict=True)
        )
        return first, second

    @property
    def isolated_total(self) -> float:
        return self.free + sum(self.isolated_left)

    @property
    def cross_total(self) -> float:
        return 0.0 if self.cross_is_liquidated else self.cross_equity


class MarginModeExplorer(Explorer):
    """Shock one of two positions and watch the other, in isolated and in cross margin.

    The upper picture has what is left of the account as bars, per cent of the balance: two isolated
    margins, the free money and their sum, and the one pot of cross margin. The lower one has how
    far each price may still move against its position.

    Parameters
    ----------
    balance : float, default 3000
        Money in the account before the trades, in quote currency.
    first_side, second_side : {1, -1}, default 1
        1 for a long position, -1 for a short position.
    first_value, second_value : float, default 10000
        Notional of each position at entry, in quote currency.
    leverage : int, default 10
        Chosen leverage of both, 1 to 125; it sets the two isolated margins.
    first_move, second_move : float, default 0
        Move of each mark price from entry, in per cent, -50 to 50.
    names : tuple of str, default ("BTC", "ETH")
        Names of the two coins.
    entry_prices : tuple of float, default (50000, 2500)
        Entry prices, in quote currency per coin.
    maintenance_margin_rate : float, default 0.004
        Maintenance margin divided by notional of both, as a decimal.
    quote : str, default "USDT"
        Name of the settlement currency.

    Notes
    -----
    A liquidated margin counts as lost in full. Fees and funding are left out.

    Examples
    --------
    >>> explorer = MarginModeExplorer(second_move=-25)
    >>> explorer.liquidated
    ('ETH isolated',)
    >>> explorer.first_move.value = -5
    >>> explorer.liquidated
    ('ETH isolated', 'cross')
    """

    def __init__(
        self,
        *,
        balance: float = 3_000.0,
        first_side: int = LONG,
        second_side: int = LONG,
        first_value: float = 10_000.0,
        second_value: float = 10_000.0,
        leverage: int = 10,
        first_move: float = 0.0,
        second_move: float = 0.0,
        names: tuple[str, str] = ("BTC", "ETH"),
        entry_prices: tuple[float, float] = (50_000.0, 2_500.0),
        maintenance_margin_rate: float = 0.004,
        quote: str = "USDT",
    ) -> None:
        for name, side in (("first_side", first_side), ("second_side", second_side)):
            if side not in (LONG, SHORT):
                raise ValueError(f"{name} must be 1 (long) or -1 (short), was {side!r}")
        check_within("balance", balance, SMALLEST_AMOUNT, LARGEST_AMOUNT)
        check_within("first_value", first_value, SMALLEST_AMOUNT, LARGEST_AMOUNT)
        check_within("second_value", second_value, SMALLEST_AMOUNT, LARGEST_AMOUNT)
        check_within("leverage", leverage, 1, LARGEST_LEVERAGE)
        check_within("first_move", first_move, -LARGEST_MOVE_PCT, LARGEST_MOVE_PCT)
        check_within("second_move", second_move, -LARGEST_MOVE_PCT, LARGEST_MOVE_PCT)
        if not 0 <= maintenance_margin_rate < 1:
            raise ValueError(
                "maintenance_margin_rate must be from 0 to below 1, was "
                f"{maintenance_margin_rate!r}; give 0.004 for 0.4 %"
            )
        self.names, self.entry_prices, self.quote = names, entry_prices, quote
        self.maintenance_margin_rate = maintenance_margin_rate
        first, second = names
        look = control_look("9.5em", "345px")
        self.balance = _amount_box(f"Account ({quote})", balance, "Money before the trades", look)
        self.leverage = leverage_slider(
            leverage,
            look,
            most=LARGEST_LEVERAGE,
            meaning="Of both positions; it sets the isolated margins",
        )
        self.first_side, self.second_side = (
            side_choice(first_side, look, label=f"{first} side"),
            side_choice(second_side, look, label=f"{second} side"),
        )
        self.first_value = _amount_box(
            f"{first} value ({quote})",
            first_value,
            f"Notional of the {first} position at entry",
            look,
        )
        self.second_value = _amount_box(
            f"{second} value ({quote})",
            second_value,
            f"Notional of the {second} position at entry",
            look,
        )
        self.first_move = _move_slider(first, first_move, look)
        self.second_move = _move_slider(second, second_move, look)
        self._picture = _ModesPicture(names)
        super().__init__(
            {
                "balance": self.balance,
                "leverage": self.leverage,
                "first_side": self.first_side,
                "second_side": self.second_side,
                "first_value": self.first_value,
                "second_value": self.second_value,
                "first_move": self.first_move,
                "second_move": self.second_move,
            },
            BlitCanvas(self._picture.figure, self._picture.artists),
        )

    @property
    def liquidated(self) -> tuple[str, ...]:
        """What is liquidated at these prices: a position in isolated mode, or the cross account."""
        at = self._account
        if at.is_refused:
            return ()
        ended = [
            f"{name} isolated"
            for name, position in zip(at.names, at.isolated, strict=True)
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
        for number, name in enumerate(at.names):
            rows[f"{name}: profit or loss"] = (self._money(at.pnl[number], signed=True),) * 2
        for number, name in enumerate(at.names):
            rows[f"Behind {name}, before profit or loss"] = (
                self._money(at.margins[number]),
                self._money(at.balance),
            )
        rows["Requirement"] = (
            " and ".join(format_amount(need) for need in at.requirements) + f" {self.quote}",
            self._money(at.cross_requirement),
        )
        for number, name in enumerate(at.names):
            rows[f"{name}: liquidation price"] = (
                self._end(at.isolated[number]),
                self._end(at.cross[number]),
            )
        rows["Left of the account"] = (
            self._money(at.isolated_total),
            self._money(at.cross_total),
        )
        return rows

    def _show(self, values: Mapping[str, Any]) -> str:
        self._account = _Account.of(
            self.names, self.entry_prices, self.maintenance_margin_rate, values
        )
        self._picture.show(self._account)
        loud, *others = self._sentences()
        if self._account.is_refused:
            return alert(loud, " ".join(others))
        words = alert(loud, " ".join(others)) if self.liquidated else status(self.sentence)
        return words + self._table()

    def _sentences(self) -> list[str]:
        at = self._account
        if at.is_refused:
            needed = self._money(sum(at.margins))
            return [
                "Not opened.",
                f"The two positions need {needed} of initial margin in either mode, and the "
                f"account has {self._money(at.balance)}. Raise the leverage or the account, or "
                "make a position smaller.",
            ]
        moved = " and ".join(
            f"{name} {format_percent(move, signed=True)}"
            for name, move in zip(at.names, at.moves, strict=True)
        )
        left = (
            f"With prices at {moved} from entry, {self._money(at.isolated_total)} are left in "
            f"isolated margin and {self._money(at.cross_total)} in cross margin."
        )
        loud = [f"Liquidated: {', '.join(self.liquidated)}."] if self.liquidated else []
        return [*loud, left, self._reach()]

    def _reach(self) -> str:
        at = self._account
        name = at.names[0]
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

    def _table(self) -> str:
        head = "".join(
            f'<th scope="col" {_CELL}>{mode}</th>' for mode in ("Isolated margin", "Cross margin")
        )
        body = "".join(
            f"<tr><th {_NAME}>{escape(name)}</th><td {_CELL}>{escape(alone)}</td>"
            f"<td {_CELL}>{escape(together)}</td></tr>"
            for name, (alone, together) in self.rows.items()
        )
        return (
            '<table style="border-collapse:collapse;line-height:1.5">'
            '<caption style="text-align:left;font-style:italic">The account at these prices</caption>'
            f"<tr><td></td>{head}</tr>{body}</table>"
        )

    def _money(self, amount: float, *, signed: bool = False) -> str:
        return f"{format_amount(amount, signed=signed)} {self.quote}"


class _ModesPicture:
    """The explorer's figure and the artists that move in it."""

    def __init__(self, names: tuple[str, str]) -> None:
        self.figure: Figure = new_figure(width=_WIDTH, height=_HEIGHT)
        with course_style():
            self._make(names)
        self.artists = [
            *self._bars,
            *self._needs,
            *self._reaches,
            *self._bar_texts,
            *self._reach_texts,
            *self._alarms,
            self._title,
        ]

    def _make(self, names: tuple[str, str]) -> None:
        self.figure.set_layout_engine("none")
        grid = {"left": 0.155, "right": 0.985, "top": 0.875, "bottom": 0.095, "hspace": 0.36}
        upper, lower = self.figure.subplots(2, 1, height_ratios=[1.35, 1], gridspec_kw=grid)
        self._make_bars(upper, names)
        self._make_reaches(lower, names)
        self._title = new_title(self.figure)

    def _make_bars(self, axes: Axes, names: tuple[str, str]) -> None:
        finish_axes(axes, x_label="", y_label="Left (% of account)", zero_line=True)
        axes.set(xlim=(-0.6, 5.1), ylim=(_LOWEST_PCT, _HIGHEST_PCT))
        self._places = (0.0, 1.0, 2.0, 3.0, 4.5)
        axes.set_xticks(self._places, [*names, "Free", "Together", "Whole account"])
        axes.tick_params(axis="x", length=0)
        axes.axvline(3.75, color=COLOURS["grid"], linewidth=1)
        for x, text in ((1.5, "Isolated margin"), (4.5, "Cross margin")):
            axes.text(x, _HIGHEST_PCT * 1.02, text, ha="center", va="bottom", weight="bold")
        key = "dotted line: maintenance margin; grey bar: less than at entry"
        axes.text(-0.55, _LOWEST_PCT / 2, key, va="center", fontsize=8.5)
        self._bars = [new_bar(x, edgecolor=COLOURS["text"]) for x in self._places]
        for bar in self._bars:
            axes.add_patch(bar)
        self._needs = [axes.add_line(Line2D([], [], **line_style("liquidation"))) for _ in range(3)]
        self._bar_texts = [
            Label(self.figure, axes.transData, position=(x, 0), align="center", ground=_WHITE)
            for x in self._places
        ]
        self._alarms = [
            Label(
                self.figure,
                axes.transData,
                position=(x, 135),
                align="center",
                vertical="center",
                size=9,
                bold=True,
                ground=_WHITE,
                edge=COLOURS["loss"],
            )
            for x in (0.0, 1.0, 4.5)
        ]

    def _make_reaches(self, axes: Axes, names: tuple[str, str]) -> None:
        finish_axes(axes, x_label="Room to liquidation (% of the mark price)", y_label="")
        axes.set(xlim=(0, _FARTHEST_PCT), ylim=(3.6, -0.6))
        axes.set_yticks(
            range(4), [f"{name} {mode}" for name in names for mode in ("isolated", "cross")]
        )
        axes.tick_params(axis="y", length=0)
        axes.grid(visible=False, axis="y")
        self._reaches = [
            Rectangle(
                (0, row - 0.33),
                0,
                0.66,
                facecolor=FILLS["sky" if row % 2 == 0 else "orange"],
                edgecolor=COLOURS["text"],
                linewidth=1,
            )
            for row in range(4)
        ]
        for bar in self._reaches:
            axes.add_patch(bar)
        self._reach_texts = [
            Label(self.figure, axes.transData, position=(0, row), vertical="center", ground=_WHITE)
            for row in range(4)
        ]

    def show(self, at: _Account) -> None:
        """Move every artist to where it belongs for the account."""
        moved = ", ".join(
            f"{name} {format_percent(move, signed=True)}"
            for name, move in zip(at.names, at.moves, strict=True)
        )
        self._title.text = "Not opened: too little margin" if at.is_refused else f"Prices: {moved}"
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
            _label_bar(text, self._places[number], share)
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


def _amount_box(
    description: str, value: float, tooltip: str, look: Mapping[str, Any]
) -> BoundedFloatText:
    return BoundedFloatText(
        value=value,
        min=SMALLEST_AMOUNT,
        max=LARGEST_AMOUNT,
        step=100,
        description=description,
        tooltip=f"{tooltip}, 10 to 1 000 000",
        **look,
    )


def _move_slider(name: str, value: float, look: Mapping[str, Any]) -> FloatSlider:
    return FloatSlider(
        value=value,
        min=-LARGEST_MOVE_PCT,
        max=LARGEST_MOVE_PCT,
        step=0.5,
        readout_format=".1f",
        description=f"{name} move (%)",
        tooltip=f"How far the {name} price is from its entry, −50 to 50 per cent",
        **look,
    )


def _label_bar(label: Label, x: float, height: float) -> None:
    shown = max(0.0, min(_HIGHEST_PCT - 30, height))
    arrow = " ↑" if height > shown else " ↓" if height < _LOWEST_PCT else ""
    label.position = (x, shown + 3)
    label.text = format_percent(height / 100, 0 if abs(height) >= 10 else 1) + arrow


def _distance_words(at: _Backed) -> str:
    if at.is_liquidated:
        return "nothing"
    if math.isinf(at.distance):
        return "any amount"
    return format_percent(at.distance, 2)
