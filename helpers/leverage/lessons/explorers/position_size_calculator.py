"""The position-size calculator of chapter 04: loss first, then size, then leverage."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from matplotlib.patches import Rectangle

from leverage.contracts import LONG, pnl
from leverage.costs import round_trip_cost
from leverage.lessons.explorers.controls import (
    Slider,
    leverage_slider,
    number_box,
    side_choice,
    slider,
)
from leverage.lessons.explorers.explorer import MAINTENANCE_MARGIN_RATE, Explorer, result_table
from leverage.lessons.explorers.picture import Picture, place_beside
from leverage.lessons.figures import COLOURS, FILLS, finish_axes, line_style
from leverage.lessons.wording import format_amount, format_money, format_percent, format_price
from leverage.margin import liquidation_price
from leverage.sizing import leverage_for_stop, quantity_for_risk, reward_to_risk

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COSTS_LEFT_OUT = "funding, slippage, tiers, and rounding to the venue's smallest step"

_CHART_RANGES_PCT = (1, 2, 5, 10, 25, 50, 100)
_LOWEST_R, _HIGHEST_R = -2.2, 4.4
_HIGHEST_SHARE_PCT = 120.0


@dataclass(frozen=True)
class _Plan:
    """A trade planned from its loss, and all that follows, in quote currency."""

    side: int
    account: float
    risk_rate: float
    entry_price: float
    stop_price: float
    target_price: float
    leverage: int
    fee_rate: float

    @cached_property
    def risk_amount(self) -> float:
        return self.account * self.risk_rate

    @cached_property
    def quantity(self) -> float:
        levels = self.entry_price, self.stop_price
        return float(
            quantity_for_risk(self.side, *levels, self.risk_amount, fee_rate=self.fee_rate)
        )

    @cached_property
    def fees_at_stop(self) -> float:
        levels = self.entry_price, self.stop_price
        return float(round_trip_cost(*levels, self.quantity, self.fee_rate))

    @cached_property
    def largest_leverage(self) -> float:
        levels = self.entry_price, self.stop_price
        return float(leverage_for_stop(self.side, *levels, MAINTENANCE_MARGIN_RATE))

    @cached_property
    def liquidation_price(self) -> float:
        at = self.side, self.entry_price, self.quantity, self.margin
        return float(liquidation_price(*at, MAINTENANCE_MARGIN_RATE))

    @cached_property
    def reward_to_risk(self) -> float:
        levels = self.entry_price, self.stop_price, self.target_price
        return float(reward_to_risk(self.side, *levels, fee_rate=self.fee_rate))

    @property
    def notional(self) -> float:
        return self.quantity * self.entry_price

    @property
    def margin(self) -> float:
        return self.notional / self.leverage

    @property
    def is_liquidated_first(self) -> bool:
        """Whether liquidation comes at the stop or before it."""
        return self.side * (self.stop_price - self.liquidation_price) <= 0

    @property
    def is_affordable(self) -> bool:
        return self.margin <= self.account

    @property
    def has_liquidation_price(self) -> bool:
        return 0 < self.liquidation_price < math.inf

    @property
    def room(self) -> float:
        """Move from the stop to liquidation, as a decimal of the entry price; below 0 if passed."""
        if not self.has_liquidation_price:
            return math.inf
        return self.side * (self.stop_price - self.liquidation_price) / self.entry_price

    def move_pct(self, price: float) -> float:
        """Return the move from the entry price to a price, in per cent."""
        return (price / self.entry_price - 1) * 100

    def result_in_r(self, price: float) -> float:
        """Return the result at an exit price after fees, as a multiple of the risk."""
        gross = float(pnl(self.side, self.entry_price, price, self.quantity))
        fees = float(round_trip_cost(self.entry_price, price, self.quantity, self.fee_rate))
        return (gross - fees) / self.risk_amount


def _distance(label: str, start: float, way: str) -> Slider[float]:
    return slider(
        label,
        start,
        low=0.1,
        high=90.0,
        step=0.1,
        decimals=1,
        meaning=f"How far the price moves {way} before you are out, in per cent of the entry price",
    )


class PositionSizeCalculator(Explorer):
    """Plan a trade from its loss: quantity from the stop, then what leverage may and may not do.

    The picture has the notional, the margin and the loss at the stop as bars, in per cent of the
    account, and the result after fees over the move of the price, in multiples of the risk. When
    the position would be liquidated before its stop, picture and words say so loudly.

    Examples
    --------
    >>> calculator = PositionSizeCalculator(leverage=25)
    >>> calculator.sentence.partition(".")[0]
    'Liquidated before the stop'
    >>> calculator.leverage.value = 10
    >>> calculator.is_liquidated_first
    False
    """

    side = side_choice()
    account = number_box(
        "Account (USDT)",
        10_000.0,
        low=1.0,
        high=1_000_000.0,
        step=100.0,
        meaning="All your money at the venue, 1 to 1 000 000",
    )
    risk_pct = number_box(
        "Risk (%)",
        1.0,
        low=0.1,
        high=100.0,
        step=0.1,
        meaning="The loss you accept at the stop, 0.1 to 100 per cent of the account",
    )
    entry_price = number_box(
        "Entry price",
        50_000.0,
        low=0.000001,
        high=1_000_000.0,
        step=100.0,
        meaning="Planned entry price, in USDT per BTC",
    )
    stop_pct = _distance("Stop away (%)", 4.0, "against you")
    target_pct = _distance("Target away (%)", 8.0, "your way")
    leverage = leverage_slider()
    fee_pct = number_box(
        "Each fee (%)",
        0.05,
        low=0.0,
        high=0.5,
        step=0.01,
        meaning="Fee on opening and again on closing, 0 to 0.5 per cent of the notional",
    )
    _picture: _PlanPicture

    def _new_picture(self) -> _PlanPicture:
        return _PlanPicture()

    @property
    def is_liquidated_first(self) -> bool:
        """Whether the position is liquidated at its stop or before it."""
        return self._plan.is_liquidated_first

    @property
    def description(self) -> str:
        """What the picture shows, in words."""
        return (
            "Bars of notional, margin and loss at the stop as per cent of the account, and a line "
            "of the result after fees, in multiples of the risk, against the move of the price. "
            f"{self.sentence}"
        )

    @property
    def rows(self) -> dict[str, str]:
        """The working below the picture: each step with the numbers put in."""
        plan = self._plan
        entry, stop = format_price(plan.entry_price), format_price(plan.stop_price)
        fees_of_one = plan.fees_at_stop / plan.quantity
        distance = abs(plan.entry_price - plan.stop_price)
        risk = format_amount(plan.risk_amount)
        quantity, notional = _significant(plan.quantity), format_amount(plan.notional)
        room = format_percent(plan.room, 2) if math.isfinite(plan.room) else "no liquidation price"
        if plan.is_liquidated_first:
            room = f"{room}: the stop lies beyond liquidation"
        win_rate = 1 / (1 + plan.reward_to_risk) if plan.reward_to_risk > 0 else math.inf
        return {
            "Risk amount = account × risk": (
                f"{format_amount(plan.account)} × {format_percent(plan.risk_rate, 2)} = {risk} USDT"
            ),
            "Loss of one coin at the stop": f"|{entry} − {stop}| = {format_price(distance)}",
            "Fees of one coin": (
                f"{format_percent(plan.fee_rate, 3)} × ({entry} + {stop}) = "
                f"{format_price(fees_of_one)}"
            ),
            "Quantity = risk / (loss + fees)": (
                f"{risk} / ({format_price(distance)} + {format_price(fees_of_one)}) = "
                f"{quantity} BTC"
            ),
            "Notional = quantity × entry": f"{quantity} × {entry} = {notional} USDT",
            "Margin = notional / leverage": (
                f"{notional} / {plan.leverage} = {format_amount(plan.margin)} USDT"
            ),
            "Liquidation price": (
                f"{format_price(plan.liquidation_price)} USDT per BTC"
                if plan.has_liquidation_price
                else "none"
            ),
            "Largest leverage for this stop": f"{format_amount(plan.largest_leverage)}×",
            "From stop to liquidation, % of entry": room,
            "Reward to risk after fees": format_amount(plan.reward_to_risk),
            "Win rate at which that breaks even": (
                format_percent(win_rate) if win_rate <= 1 else "none: the fees take the reward"
            ),
            "Left out": COSTS_LEFT_OUT,
        }

    @property
    def _is_loud(self) -> bool:
        return self.is_liquidated_first or not self._plan.is_affordable

    def _follow(self) -> None:
        side, entry_price = self.side.value, self.entry_price.value
        self._plan = _Plan(
            side=side,
            account=self.account.value,
            risk_rate=self.risk_pct.value / 100,
            entry_price=entry_price,
            stop_price=entry_price * (1 - side * (self.stop_pct.value / 100)),
            target_price=entry_price * (1 + side * (self.target_pct.value / 100)),
            leverage=self.leverage.value,
            fee_rate=self.fee_pct.value / 100,
        )
        self._picture.show(self._plan)

    def _tables(self) -> str:
        return result_table("The working, with your numbers put in", self.rows)

    def _sentences(self) -> list[str]:
        plan = self._plan
        size = (
            f"{'Buying' if plan.side == LONG else 'Selling'} {_significant(plan.quantity)} "
            f"BTC loses {format_money(plan.risk_amount)}, "
            f"{format_percent(plan.risk_rate, 2)} of the account, if the stop at "
            f"{format_price(plan.stop_price)} fills at its price."
        )
        needs = f"At {plan.leverage}× that takes {format_money(plan.margin)} of margin"
        if plan.is_liquidated_first:
            return [
                "Liquidated before the stop.",
                f"{needs}, and the venue closes the position at "
                f"{format_price(plan.liquidation_price)}: the stop at "
                f"{format_price(plan.stop_price)} never acts.",
                f"At most {format_amount(plan.largest_leverage)}× reaches this stop.",
            ]
        if not plan.is_affordable:
            least = plan.notional / plan.account
            return [
                "Not enough money.",
                f"{needs}, more than the account of {format_money(plan.account)}.",
                f"Take {format_amount(math.ceil(least * 100) / 100)}× or more, risk less, or place "
                "the stop further away.",
            ]
        ending = (
            f"and liquidation at {format_price(plan.liquidation_price)} lies "
            f"{format_percent(plan.room, 2)} of the entry price beyond the stop."
            if plan.has_liquidation_price
            else "and no price above zero liquidates it."
        )
        return [size, f"{needs}, {ending}"]


class _PlanPicture(Picture):
    """The calculator's figure and the artists that move in it."""

    def _make(self) -> None:
        bars, chart = self.panels(1, 2, (0.085, 0.975, 0.13, 0.9), wspace=0.2, width_ratios=[1, 2])
        self._make_bars(bars)
        self._make_chart(chart)

    def _make_bars(self, axes: Axes) -> None:
        finish_axes(axes, x_label="", y_label="Share of the account (%)", zero_line=True)
        axes.set(xlim=(-0.6, 2.6), ylim=(0, _HIGHEST_SHARE_PCT))
        axes.set_xticks([0, 1, 2], ["Notional", "Margin", "Loss at\nthe stop"])
        axes.tick_params(axis="x", length=0)
        self._bars = [
            self.bar(axes, 0, facecolor=FILLS["neutral"], edgecolor=COLOURS["entry"]),
            self.bar(axes, 1, facecolor=FILLS["sky"], edgecolor=COLOURS["text"]),
            self.bar(axes, 2, facecolor="white", edgecolor=COLOURS["loss"], linestyle="--"),
        ]
        self._bar_texts = [
            self.label(axes.transData, position=(x, 0), align="center") for x in range(3)
        ]

    def _make_chart(self, axes: Axes) -> None:
        self._chart = axes
        finish_axes(
            axes,
            x_label="Move of the price from entry (%)",
            y_label="Result after fees (multiples of the risk)",
            zero_line=True,
        )
        axes.set_ylim(_LOWEST_R, _HIGHEST_R)
        self._loss_zone, self._gain_zone = (
            self.patch(axes, Rectangle((0, 0), 0, 0, facecolor=fill, edgecolor="none", alpha=0.25))
            for fill in (FILLS["orange"], FILLS["sky"])
        )
        self._dead_line = self.line(axes, color=COLOURS["index"], linestyle="--", linewidth=1)
        self._result_line = self.line(axes)
        self._lines = {
            "entry": self.line(axes, **line_style("entry")),
            "stop": self.line(axes, **line_style("loss")),
            "target": self.line(axes, **line_style("gain")),
            "liquidation": self.line(axes, **line_style("liquidation")),
        }
        self._texts = {
            name: self.label(axes.transData, vertical="top")
            for name in ("stop", "target", "liquidation")
        }
        self._alarm = self.label(
            axes.transAxes,
            position=(0.5, 0.13),
            align="center",
            vertical="center",
            size=13,
            bold=True,
            edge=COLOURS["loss"],
        )
        self._alarm.text = "LIQUIDATED BEFORE THE STOP"

    def show(self, plan: _Plan) -> None:
        """Move every artist to where it belongs for the plan."""
        self._show_bars(plan)
        self._show_chart(plan)
        self._alarm.set_visible(plan.is_liquidated_first)
        name = f"{plan.leverage}× {'long' if plan.side == LONG else 'short'}"
        first = "liquidation" if plan.is_liquidated_first else "the stop"
        self.title.text = (
            f"{name}: {first} comes first; leverage may be at most "
            f"{format_amount(plan.largest_leverage, 1)}× for this stop"
        )

    def _show_bars(self, plan: _Plan) -> None:
        amounts = (plan.notional, plan.margin, plan.risk_amount)
        for bar, label, amount in zip(self._bars, self._bar_texts, amounts, strict=True):
            share = amount / plan.account * 100
            height = min(share, _HIGHEST_SHARE_PCT - 12)
            bar.set_height(height)
            label.position = (label.position[0], height + 1.5)
            arrow = " ↑" if share > height else ""
            label.text = format_percent(share / 100, 0 if share >= 100 else 1) + arrow

    def _show_chart(self, plan: _Plan) -> None:
        stop, target = plan.move_pct(plan.stop_price), plan.move_pct(plan.target_price)
        liquidation = (
            plan.move_pct(plan.liquidation_price)
            if plan.has_liquidation_price
            else -plan.side * math.inf
        )
        limit = self._range(plan, stop, target, liquidation)
        self._chart.set_xlim(-limit, limit)
        end = max(-limit, min(limit, liquidation))
        worst, best = -plan.side * limit, plan.side * limit
        gone = abs(liquidation) <= limit
        self._dead_line.set_visible(gone)
        self._dead_line.set_data(*self._along(plan, [worst, end]))
        self._result_line.set_data(*self._along(plan, [end, best]))
        self._result_line.set(**line_style("long" if plan.side == LONG else "short"))
        self._loss_zone.set_bounds(min(0, stop), _LOWEST_R, abs(stop), -_LOWEST_R)
        self._gain_zone.set_bounds(min(0, target), 0, abs(target), _HIGHEST_R)
        places = {"entry": 0.0, "stop": stop, "target": target, "liquidation": liquidation}
        for name, move in places.items():
            self._lines[name].set_visible(abs(move) <= limit)
            self._lines[name].set_data([move, move], [_LOWEST_R, _HIGHEST_R])
        self._show_texts(plan, places, limit)

    def _show_texts(self, plan: _Plan, places: Mapping[str, float], limit: float) -> None:
        at_target = format_amount(plan.reward_to_risk, signed=True)
        texts = {
            "stop": f"Stop\n{format_price(plan.stop_price)}\n{format_amount(-1)} R",
            "target": f"Target\n{format_price(plan.target_price)}\n{at_target} R",
            "liquidation": f"Liquidation\n{format_price(plan.liquidation_price)}",
        }
        heights = {"stop": 4.2, "target": 4.2, "liquidation": 2.6}
        if not plan.has_liquidation_price:
            texts["liquidation"] = "No liquidation price"
        elif abs(places["liquidation"]) > limit:
            texts["liquidation"] += "\noutside this chart"
        for name, label in self._texts.items():
            label.text = texts[name]
            place = max(-limit, min(limit, places[name]))
            outwards = plan.side if name == "target" else -plan.side
            inside = name == "liquidation" and plan.is_liquidated_first
            prefer = -outwards if inside else outwards
            place_beside(label, self._chart, place, heights[name], prefer=prefer)

    def _range(self, plan: _Plan, stop: float, target: float, liquidation: float) -> float:
        needed = max(abs(stop), abs(target)) * 1.1
        if plan.is_liquidated_first or abs(liquidation) <= 3 * abs(stop):
            needed = max(needed, abs(liquidation) * 1.1)
        return next((limit for limit in _CHART_RANGES_PCT if needed <= limit), 100)

    def _along(self, plan: _Plan, moves: list[float]) -> tuple[list[float], list[float]]:
        prices = [plan.entry_price * max(1 + move / 100, 0.0) for move in moves]
        return moves, [plan.result_in_r(max(price, plan.entry_price * 1e-9)) for price in prices]


def _significant(value: float) -> str:
    """Write a quantity with six significant digits, at least two decimals."""
    if value == 0:
        return "0"
    decimals = max(2, 5 - math.floor(math.log10(abs(value))))
    return format_amount(value, decimals)
