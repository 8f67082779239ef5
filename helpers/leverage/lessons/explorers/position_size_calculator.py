"""The position-size calculator of chapter 04: loss first, then size, then leverage."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ipywidgets import BoundedFloatText, FloatSlider
from matplotlib.patches import Rectangle

from leverage.contracts import LONG, pnl
from leverage.costs import round_trip_cost
from leverage.lessons.canvas import BlitCanvas, Label
from leverage.lessons.explorers.artists import new_bar, new_line, new_title, place_beside
from leverage.lessons.explorers.controls import control_look, leverage_slider, side_choice
from leverage.lessons.explorers.explorer import (
    Explorer,
    alert,
    check_side,
    check_within,
    status,
    table,
)
from leverage.lessons.figures import (
    COLOURS,
    FILLS,
    course_style,
    finish_axes,
    line_style,
    new_figure,
)
from leverage.lessons.wording import format_amount, format_percent, format_price
from leverage.margin import liquidation_price
from leverage.sizing import leverage_for_stop, quantity_for_risk, reward_to_risk

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LARGEST_LEVERAGE = 125
LARGEST_AMOUNT = 1_000_000.0
SMALLEST_ACCOUNT = 1.0
SMALLEST_PRICE = 0.000001
SMALLEST_RISK_PCT, LARGEST_RISK_PCT = 0.1, 100.0
SMALLEST_DISTANCE_PCT, LARGEST_DISTANCE_PCT = 0.1, 90.0
LARGEST_FEE_PCT = 0.5
COSTS_LEFT_OUT = "funding, slippage, tiers, and rounding to the venue's smallest step"

_CHART_RANGES_PCT = (1, 2, 5, 10, 25, 50, 100)
_LOWEST_R, _HIGHEST_R = -2.2, 4.4
_HIGHEST_SHARE_PCT = 120.0
_GROUND = "#FFFFFF"


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
    maintenance_margin_rate: float
    risk_amount: float
    quantity: float
    fees_at_stop: float
    largest_leverage: float
    liquidation_price: float
    reward_to_risk: float

    @classmethod
    def made(
        cls,
        *,
        side: int,
        account: float,
        risk_rate: float,
        entry_price: float,
        stop_distance: float,
        target_distance: float,
        leverage: int,
        fee_rate: float,
        maintenance_margin_rate: float,
    ) -> _Plan:
        stop_price = entry_price * (1 - side * stop_distance)
        target_price = entry_price * (1 + side * target_distance)
        risk_amount = account * risk_rate
        quantity = float(
            quantity_for_risk(side, entry_price, stop_price, risk_amount, fee_rate=fee_rate)
        )
        margin = quantity * entry_price / leverage
        return cls(
            side=side,
            account=account,
            risk_rate=risk_rate,
            entry_price=entry_price,
            stop_price=stop_price,
            target_price=target_price,
            leverage=leverage,
            fee_rate=fee_rate,
            maintenance_margin_rate=maintenance_margin_rate,
            risk_amount=risk_amount,
            quantity=quantity,
            fees_at_stop=float(round_trip_cost(entry_price, stop_price, quantity, fee_rate)),
            largest_leverage=float(
                leverage_for_stop(side, entry_price, stop_price, maintenance_margin_rate)
            ),
            liquidation_price=float(
                liquidation_price(side, entry_price, quantity, margin, maintenance_margin_rate)
            ),
            reward_to_risk=float(
                reward_to_risk(side, entry_price, stop_price, target_price, fee_rate=fee_rate)
            ),
        )

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


class PositionSizeCalculator(Explorer):
    """Plan a trade from its loss: quantity from the stop, then what leverage may and may not do.

    The picture has the notional, the margin and the loss at the stop as bars, in per cent of the
    account, and the result after fees over the move of the price, in multiples of the risk. When
    the position would be liquidated before its stop, picture and words say so loudly.

    Parameters
    ----------
    side : {1, -1}, default 1
        1 for a long position, -1 for a short position.
    account : float, default 10000
        Money in the account, in quote currency.
    risk_pct : float, default 1
        Loss you accept, in per cent of the account, 0.1 to 100.
    entry_price : float, default 50000
        Planned entry price, in quote currency per unit of base currency.
    stop_pct : float, default 4
        Distance from entry to stop, in per cent of the entry price, 0.1 to 90.
    target_pct : float, default 8
        Distance from entry to target, in per cent of the entry price, 0.1 to 90.
    leverage : int, default 10
        Chosen leverage, 1 to 125.
    fee_pct : float, default 0.05
        Fee of each trade, in per cent of its notional, 0 to 0.5.
    maintenance_margin_rate : float, default 0.004
        Maintenance margin divided by notional, as a decimal.
    base, quote : str
        Names of the currencies.

    Attributes
    ----------
    side, account, risk_pct, entry_price, stop_pct, target_pct, leverage, fee_pct : widget
        The controls. Setting their `value` in code works as well as by hand.

    Examples
    --------
    >>> calculator = PositionSizeCalculator(leverage=25)
    >>> calculator.sentence.partition(".")[0]
    'Liquidated before the stop'
    >>> calculator.leverage.value = 10
    >>> calculator.is_liquidated_first
    False
    """

    def __init__(
        self,
        *,
        side: int = LONG,
        account: float = 10_000.0,
        risk_pct: float = 1.0,
        entry_price: float = 50_000.0,
        stop_pct: float = 4.0,
        target_pct: float = 8.0,
        leverage: int = 10,
        fee_pct: float = 0.05,
        maintenance_margin_rate: float = 0.004,
        base: str = "BTC",
        quote: str = "USDT",
    ) -> None:
        check_side(side)
        check_within("account", account, SMALLEST_ACCOUNT, LARGEST_AMOUNT)
        check_within("risk_pct", risk_pct, SMALLEST_RISK_PCT, LARGEST_RISK_PCT)
        check_within("entry_price", entry_price, SMALLEST_PRICE, LARGEST_AMOUNT)
        check_within("stop_pct", stop_pct, SMALLEST_DISTANCE_PCT, LARGEST_DISTANCE_PCT)
        check_within("target_pct", target_pct, SMALLEST_DISTANCE_PCT, LARGEST_DISTANCE_PCT)
        check_within("leverage", leverage, 1, LARGEST_LEVERAGE)
        check_within("fee_pct", fee_pct, 0, LARGEST_FEE_PCT)
        if not 0 <= maintenance_margin_rate < 1:
            raise ValueError(
                "maintenance_margin_rate must be from 0 to below 1, was "
                f"{maintenance_margin_rate!r}; give 0.004 for 0.4 %"
            )
        self.maintenance_margin_rate = maintenance_margin_rate
        self.base, self.quote = base, quote
        look = control_look()
        self.side = side_choice(side, look)
        self.account = BoundedFloatText(
            value=account,
            min=SMALLEST_ACCOUNT,
            max=LARGEST_AMOUNT,
            step=100,
            description=f"Account ({quote})",
            tooltip="All your money at the venue, 1 to 1 000 000",
            **look,
        )
        self.risk_pct = BoundedFloatText(
            value=risk_pct,
            min=SMALLEST_RISK_PCT,
            max=LARGEST_RISK_PCT,
            step=0.1,
            description="Risk (%)",
            tooltip="The loss you accept at the stop, 0.1 to 100 per cent of the account",
            **look,
        )
        self.entry_price = BoundedFloatText(
            value=entry_price,
            min=SMALLEST_PRICE,
            max=LARGEST_AMOUNT,
            step=100,
            description="Entry price",
            tooltip=f"Planned entry price, in {quote} per {base}",
            **look,
        )
        self.stop_pct = _distance("Stop away (%)", stop_pct, "against you", look)
        self.target_pct = _distance("Target away (%)", target_pct, "your way", look)
        self.leverage = leverage_slider(leverage, look, most=LARGEST_LEVERAGE)
        self.fee_pct = BoundedFloatText(
            value=fee_pct,
            min=0,
            max=LARGEST_FEE_PCT,
            step=0.01,
            description="Each fee (%)",
            tooltip="Fee on opening and again on closing, 0 to 0.5 per cent of the notional",
            **look,
        )
        self._picture = _PlanPicture()
        names = "side account risk_pct entry_price stop_pct target_pct leverage fee_pct"
        super().__init__(
            {name: getattr(self, name) for name in names.split()},
            BlitCanvas(self._picture.figure, self._picture.artists),
        )

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
                f"{format_amount(plan.account)} × {format_percent(plan.risk_rate, 2)} = "
                f"{risk} {self.quote}"
            ),
            "Loss of one coin at the stop": f"|{entry} − {stop}| = {format_price(distance)}",
            "Fees of one coin": (
                f"{format_percent(plan.fee_rate, 3)} × ({entry} + {stop}) = "
                f"{format_price(fees_of_one)}"
            ),
            "Quantity = risk / (loss + fees)": (
                f"{risk} / ({format_price(distance)} + {format_price(fees_of_one)}) = "
                f"{quantity} {self.base}"
            ),
            "Notional = quantity × entry": f"{quantity} × {entry} = {notional} {self.quote}",
            "Margin = notional / leverage": (
                f"{notional} / {plan.leverage} = {format_amount(plan.margin)} {self.quote}"
            ),
            "Liquidation price": (
                f"{format_price(plan.liquidation_price)} {self.quote} per {self.base}"
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

    def _show(self, values: Mapping[str, Any]) -> str:
        self._plan = _Plan.made(
            side=values["side"],
            account=values["account"],
            risk_rate=values["risk_pct"] / 100,
            entry_price=values["entry_price"],
            stop_distance=values["stop_pct"] / 100,
            target_distance=values["target_pct"] / 100,
            leverage=values["leverage"],
            fee_rate=values["fee_pct"] / 100,
            maintenance_margin_rate=self.maintenance_margin_rate,
        )
        self._picture.show(self._plan)
        loud, *words_after = self._sentences()
        if self._plan.is_liquidated_first or not self._plan.is_affordable:
            words = alert(loud, " ".join(words_after))
        else:
            words = status(self.sentence)
        return words + table("The working, with your numbers put in", self.rows)

    def _sentences(self) -> list[str]:
        plan = self._plan
        size = (
            f"{'Buying' if plan.side == LONG else 'Selling'} {_significant(plan.quantity)} "
            f"{self.base} loses {self._money(plan.risk_amount)}, "
            f"{format_percent(plan.risk_rate, 2)} of the account, if the stop at "
            f"{format_price(plan.stop_price)} fills at its price."
        )
        needs = f"At {plan.leverage}× that takes {self._money(plan.margin)} of margin"
        if plan.is_liquidated_first:
            limit = f"At most {format_amount(plan.largest_leverage)}× reaches this stop."
            if plan.largest_leverage < 1:
                limit = "Not even 1× reaches this stop."
            return [
                "Liquidated before the stop.",
                f"{needs}, and the venue closes the position at "
                f"{format_price(plan.liquidation_price)}: the stop at "
                f"{format_price(plan.stop_price)} never acts.",
                limit,
            ]
        if not plan.is_affordable:
            least = plan.notional / plan.account
            return [
                "Not enough money.",
                f"{needs}, more than the account of {self._money(plan.account)}.",
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

    def _money(self, amount: float) -> str:
        return f"{format_amount(amount)} {self.quote}"


class _PlanPicture:
    """The calculator's figure and the artists that move in it."""

    def __init__(self) -> None:
        self.figure: Figure = new_figure()
        with course_style():
            self._make()
        self.artists = [
            *self._bars,
            self._loss_zone,
            self._gain_zone,
            self._dead_line,
            self._result_line,
            *self._lines.values(),
            *self._bar_texts,
            *self._texts.values(),
            self._title,
            self._alarm,
        ]

    def _make(self) -> None:
        # Fixed places: a layout worked out from tick labels would differ between chart ranges.
        self.figure.set_layout_engine("none")
        grid = {"left": 0.085, "right": 0.975, "top": 0.9, "bottom": 0.13, "wspace": 0.2}
        bars, chart = self.figure.subplots(1, 2, width_ratios=[1, 2], gridspec_kw=grid)
        self._make_bars(bars)
        self._make_chart(chart)
        self._title = new_title(self.figure)

    def _make_bars(self, axes: Axes) -> None:
        finish_axes(axes, x_label="", y_label="Share of the account (%)", zero_line=True)
        axes.set(xlim=(-0.6, 2.6), ylim=(0, _HIGHEST_SHARE_PCT))
        axes.set_xticks([0, 1, 2], ["Notional", "Margin", "Loss at\nthe stop"])
        axes.tick_params(axis="x", length=0)
        self._bars = [
            new_bar(0, facecolor=FILLS["neutral"], edgecolor=COLOURS["entry"]),
            new_bar(1, facecolor=FILLS["sky"], edgecolor=COLOURS["text"]),
            new_bar(2, facecolor="white", edgecolor=COLOURS["loss"], linestyle="--"),
        ]
        for bar in self._bars:
            axes.add_patch(bar)
        self._bar_texts = [
            Label(self.figure, axes.transData, position=(x, 0), align="center", ground=_GROUND)
            for x in range(3)
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
        self._loss_zone = _zone(FILLS["orange"])
        self._gain_zone = _zone(FILLS["sky"])
        for zone in (self._loss_zone, self._gain_zone):
            axes.add_patch(zone)
        self._dead_line = new_line(axes, color=COLOURS["index"], linestyle="--", linewidth=1)
        self._result_line = new_line(axes)
        self._lines = {
            "entry": new_line(axes, **line_style("entry")),
            "stop": new_line(axes, **line_style("loss")),
            "target": new_line(axes, **line_style("gain")),
            "liquidation": new_line(axes, **line_style("liquidation")),
        }
        self._texts = {
            name: Label(self.figure, axes.transData, vertical="top", ground=_GROUND)
            for name in ("stop", "target", "liquidation")
        }
        self._alarm = Label(
            self.figure,
            axes.transAxes,
            position=(0.5, 0.13),
            align="center",
            vertical="center",
            size=13,
            bold=True,
            ground=_GROUND,
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
        self._title.text = (
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


def _zone(colour: str) -> Rectangle:
    return Rectangle((0, 0), 0, 0, facecolor=colour, edgecolor="none", alpha=0.25)


def _distance(description: str, value: float, way: str, look: Mapping[str, Any]) -> FloatSlider:
    return FloatSlider(
        value=value,
        min=SMALLEST_DISTANCE_PCT,
        max=LARGEST_DISTANCE_PCT,
        step=0.1,
        readout_format=".1f",
        description=description,
        tooltip=f"How far the price moves {way} before you are out, in per cent of the entry price",
        **look,
    )


def _significant(value: float) -> str:
    """Write a quantity with six significant digits, at least two decimals."""
    if value == 0:
        return "0"
    decimals = max(2, 5 - math.floor(math.log10(abs(value))))
    return format_amount(value, decimals)
