"""The crash replay of chapter 08: an event, a side, a leverage, a mode and a stop, hour by hour."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from ipywidgets import Dropdown, FloatSlider, IntSlider
from matplotlib.patches import Polygon

from leverage.contracts import LONG
from leverage.crashes import MAINTENANCE_RATE, Replay, Stake, crash_bars, replay
from leverage.crashes import survivable_leverage as largest_leverage
from leverage.history import crash_windows, load_hourly_window
from leverage.lessons.canvas import BlitCanvas, Label
from leverage.lessons.explorers.artists import new_line, new_title
from leverage.lessons.explorers.controls import control_look, leverage_slider, side_choice
from leverage.lessons.explorers.explorer import (
    Explorer,
    alert,
    check_side,
    check_within,
    status,
    table,
)
from leverage.lessons.figures import COLOURS, course_style, finish_axes, line_style, new_figure
from leverage.lessons.wording import format_amount, format_percent, format_price
from leverage.margin import liquidation_price

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

BALANCE = 10_000.0
MARGIN = 1_000.0
LARGEST_LEVERAGE = 125
LARGEST_STOP_PCT = 30.0
LARGEST_SHIFT = 24
MODES = ("isolated", "cross")
EVENTS = tuple(
    (window.date, symbol) for window in crash_windows() for symbol in window.symbols
)  # fmt: skip

_TITLES = {window.date: window.title for window in crash_windows()}
_FIRST_HOUR, _LAST_HOUR = -24, 72
# Few limits, so that drawn axes are found again.
_PRICE_LIMITS_PCT = ((-18.0, 14.0), (-36.0, 28.0), (-62.0, 28.0), (-62.0, 82.0))
_MONEY_LIMITS = ((-1_300.0, 1_600.0), (-11_500.0, 14_000.0), (-11_500.0, 85_000.0))
_HOURS_TOLD = 6


@dataclass(frozen=True)
class _Told:
    """One replay with its levels; for a stop also the harsh one, in which prices jump."""

    bars: pd.DataFrame
    stake: Stake
    mode: str
    smooth: Replay
    harsh: Replay | None
    entry_price: float
    liquidation_price: float
    stop_price: float | None
    limit: float

    @property
    def outcome(self) -> str:
        return self.smooth.endings["asset"].outcome

    @property
    def ending_bar(self) -> int:
        """Number of the bar in which it ended; the last one if it is open."""
        return int(self.bars.index.searchsorted(self.smooth.endings["asset"].time))

    @property
    def behind(self) -> float:
        """Money that the position can lose."""
        return MARGIN if self.mode == "isolated" else BALANCE


@lru_cache(maxsize=64)
def _window(date: str, symbol: str) -> pd.DataFrame:
    return load_hourly_window(date, symbol)


@lru_cache(maxsize=64)
def _bars(date: str, symbol: str, entry_hour: int) -> pd.DataFrame:
    return crash_bars(date, symbol, entry_hour=entry_hour)


def _tell(values: Mapping[str, Any]) -> _Told:
    date, symbol = values["event"]
    side, mode = values["side"], values["mode"]
    bars = _bars(date, symbol, values["entry_hour"])
    stop = values["stop_pct"] / 100 or None
    stake = Stake(side, MARGIN * values["leverage"], values["leverage"], stop)
    played = partial(replay, {"asset": bars}, {"asset": stake}, balance=BALANCE, mode=mode)
    smooth = played()
    # Liquidation takes the same money on both paths; only a stop's price depends on the path.
    harsh = played(jumps=True) if smooth.endings["asset"].outcome == "stopped" else None
    entry = float(bars["open"].iloc[0])
    behind = MARGIN if mode == "isolated" else BALANCE
    quantity = stake.value / entry
    worst = float(bars["low"].min() if side == LONG else bars["high"].max())
    return _Told(
        bars=bars,
        stake=stake,
        mode=mode,
        smooth=smooth,
        harsh=harsh,
        entry_price=entry,
        liquidation_price=float(liquidation_price(side, entry, quantity, behind, MAINTENANCE_RATE)),
        stop_price=None if stop is None else entry * (1 - side * stop),
        limit=float(largest_leverage(side, entry, worst)) * behind / MARGIN,
    )


class CrashReplay(Explorer):
    """Open a position before a crash, and see hour by hour what became of it.

    An account of 10 000 USDT opens a position with 1 000 USDT of margin. In isolated margin only
    these can be lost, in cross margin all of it. Maintenance 0.4 %, no fees, no funding; prices of
    Binance's spot market.

    Parameters
    ----------
    date : str, default "2020-03-12"
        Day of the crash, as `leverage.history.crash_windows` lists them.
    symbol : {"BTC", "ETH"}, default "BTC"
        ETH for the crashes of 2024 only.
    side : {1, -1}, default 1
        1 for a long position, -1 for a short position.
    leverage : int, default 10
        1 to 125.
    mode : {"isolated", "cross"}, default "isolated"
        What the position can lose.
    stop_pct : float, default 0
        Distance of a stop-loss from the entry in per cent, 0 to 30; 0 is none.
    entry_hour : int, default 0
        Hours from 00:00 UTC of the day of the crash to the entry, -24 to 24.

    Attributes
    ----------
    event, side, leverage, mode, stop_pct, entry_hour : widget
        The controls. Setting their `value` in code works as well as by hand.

    Examples
    --------
    >>> explorer = CrashReplay(leverage=2)
    >>> explorer.rows["Outcome"]
    'liquidated'
    >>> explorer.mode.value = "cross"
    >>> explorer.rows["Outcome"]
    'open'
    """

    def __init__(
        self,
        *,
        date: str = "2020-03-12",
        symbol: str = "BTC",
        side: int = LONG,
        leverage: int = 10,
        mode: str = "isolated",
        stop_pct: float = 0.0,
        entry_hour: int = 0,
    ) -> None:
        if (date, symbol) not in EVENTS:
            known = ", ".join(f"{day} {name}" for day, name in EVENTS)
            raise ValueError(
                f"date and symbol must name a bundled crash, were {date!r} and {symbol!r}; "
                f"give one of {known}"
            )
        check_side(side)
        check_within("leverage", leverage, 1, LARGEST_LEVERAGE)
        if mode not in MODES:
            raise ValueError(f"mode must be 'isolated' or 'cross', was {mode!r}; give one of them")
        check_within("stop_pct", stop_pct, 0, LARGEST_STOP_PCT)
        check_within("entry_hour", entry_hour, -LARGEST_SHIFT, LARGEST_SHIFT)
        look = control_look()
        self.event = Dropdown(
            options=[(f"{day} {name}, {_TITLES[day]}", (day, name)) for day, name in EVENTS],
            value=(date, symbol),
            description="Crash",
            tooltip="Which days are replayed, and in which coin",
            **look,
        )
        self.side = side_choice(side, look)
        self.leverage = leverage_slider(leverage, look, most=LARGEST_LEVERAGE)
        self.mode = Dropdown(
            options=[("Isolated: 1 000 USDT behind it", "isolated"),
                     ("Cross: 10 000 USDT behind it", "cross")],
            value=mode,
            description="Margin mode",
            tooltip="What the position can lose",
            **look,
        )  # fmt: skip
        self.stop_pct = FloatSlider(
            value=stop_pct,
            min=0,
            max=LARGEST_STOP_PCT,
            step=0.5,
            readout_format=".1f",
            description="Stop (%)",
            tooltip="Distance of the stop-loss from the entry, 0 to 30 per cent; 0 is no stop",
            **look,
        )
        self.entry_hour = IntSlider(
            value=entry_hour,
            min=-LARGEST_SHIFT,
            max=LARGEST_SHIFT,
            description="Entry (hour)",
            tooltip="Hours from 00:00 UTC of the day of the crash to the entry, −24 to 24",
            **look,
        )
        self._picture = _ReplayPicture()
        super().__init__(
            {
                "event": self.event,
                "side": self.side,
                "leverage": self.leverage,
                "mode": self.mode,
                "stop_pct": self.stop_pct,
                "entry_hour": self.entry_hour,
            },
            BlitCanvas(self._picture.figure, self._picture.artists),
        )

    @property
    def description(self) -> str:
        """What the picture shows, in words."""
        return (
            "Two charts over the hours around a crash. Above, the price as per cent from the "
            "entry, with the range of every hour, liquidation price and stop; below, what the "
            f"account has gained or lost. {self.sentence}"
        )

    @property
    def rows(self) -> dict[str, str]:
        """The table below the picture."""
        at = self._told
        low = float(at.smooth.table["equity"].min())
        stop = "none" if at.stop_price is None else format_price(at.stop_price)
        has_end = 0 < at.liquidation_price < math.inf
        return {
            "Outcome": at.outcome,
            "Entry price (USDT, spot)": format_price(at.entry_price),
            "Position value": _money(at.stake.value),
            "Money behind it": _money(at.behind),
            "Liquidation price": format_price(at.liquidation_price) if has_end else "none",
            "Stop price": stop,
            "Hours from entry to its end": str(at.ending_bar + 1),
            "Account at the end": _money(at.smooth.equity),
            "Account at the end, if prices jumped": _money((at.harsh or at.smooth).equity),
            "Lowest equity at the end of an hour": _money(low),
            f"Lived below a leverage of ({at.mode}, no stop)": _times(at.limit),
        }

    @property
    def hours(self) -> dict[str, str]:
        """The last hours of the position, one row each."""
        at = self._told
        last = at.ending_bar + 1
        shown = slice(max(0, last - _HOURS_TOLD), last)
        columns = [at.bars[name].to_numpy()[shown] for name in ("low", "high", "close")]
        equity = at.smooth.table["equity"].to_numpy()[shown]
        return {
            f"{time:%d %b %H:%M}": (
                f"{format_price(low)} to {format_price(high)}, close {format_price(close)}, "
                f"equity {_money(left)}"
            )
            for time, low, high, close, left in zip(
                at.bars.index[shown], *columns, equity, strict=True
            )
        }

    def _show(self, values: Mapping[str, Any]) -> str:
        self._told = _tell(values)
        date, symbol = values["event"]
        self._picture.show(self._told, _window(date, symbol), date, symbol)
        loud, *after = self._sentences()
        words = (
            alert(loud, " ".join(after))
            if self._told.outcome == "liquidated"
            else status(" ".join([loud, *after]))
        )
        return (
            words
            + table("The position and its end", self.rows)
            + table("Its last hours (UTC): range, close, equity of the account", self.hours)
        )

    def _sentences(self) -> list[str]:
        at = self._told
        (date, symbol), ending = self.event.value, at.smooth.endings["asset"]
        word = "long" if at.stake.side == LONG else "short"
        opening = (
            f"A {self.leverage.value}× {word} of {symbol} with {_money(MARGIN)} of margin, "
            f"{at.mode}, was opened on {at.bars.index[0]:%d %B %Y, %H:%M} UTC at "
            f"{format_price(at.entry_price)} USDT ({_TITLES[date]})."
        ).replace(" on 0", " on ")
        hour = f"in the hour from {at.bars.index[at.ending_bar]:%d %B, %H:%M} UTC".replace(
            "from 0", "from "
        )
        if at.outcome == "liquidated":
            lost = BALANCE - at.smooth.equity
            return [
                "Liquidated.",
                opening,
                f"It ended {hour}, at {format_price(ending.price)}, "
                f"{format_percent(ending.price / at.entry_price - 1, signed=True)} from the entry. "
                f"{_money(lost)} of {_money(BALANCE)} were lost.",
            ]
        change = format_amount(at.smooth.equity - BALANCE, 0, signed=True)
        if at.harsh is None:
            return [
                opening,
                f"It lived to the end of the window, {len(at.bars)} hourly bars later. "
                f"Result at the last price, {format_price(ending.price)}: {change} USDT.",
            ]
        harsh = at.harsh.endings["asset"]
        late = (
            f"had the price jumped, the stop would have been too late: liquidated, "
            f"{format_amount(at.harsh.equity - BALANCE, 0, signed=True)} USDT."
            if harsh.outcome == "liquidated"
            else f"had the price jumped, the fill could have been as bad as "
            f"{format_price(harsh.price)}, "
            f"{format_amount(at.harsh.equity - BALANCE, 0, signed=True)} USDT."
        )
        return [
            opening,
            f"Its stop filled {hour}, at {format_price(ending.price)} if the price passed every "
            f"value on its way, {change} USDT;",
            late,
        ]


class _ReplayPicture:
    """Price above, money below; both over the hours from 00:00 UTC of the day of the crash."""

    def __init__(self) -> None:
        self.figure: Figure = new_figure(panels=2, height=5.6)
        with course_style():
            self.figure.set_layout_engine("none")
            grid = {"left": 0.115, "right": 0.975, "top": 0.93, "bottom": 0.09, "hspace": 0.16}
            self._prices, self._money = self.figure.subplots(
                2, 1, sharex=True, height_ratios=[1.7, 1], gridspec_kw=grid
            )
            self._make()
        self.artists = [
            self._range,
            self._close,
            *self._levels.values(),
            self._entry,
            self._end,
            self._result,
            *self._labels.values(),
            self._title,
        ]

    def _make(self) -> None:
        finish_axes(self._prices, x_label="", y_label="Price from entry (%)", zero_line=True)
        finish_axes(
            self._money,
            x_label="Hours from 00:00 UTC of the day of the crash",
            y_label="Profit or loss (USDT)",
            zero_line=True,
        )
        self._prices.set(xlim=(_FIRST_HOUR, _LAST_HOUR), ylim=_PRICE_LIMITS_PCT[-1])
        self._prices.set_xticks(range(_FIRST_HOUR, _LAST_HOUR + 1, 24))
        self._money.set_ylim(_MONEY_LIMITS[0])
        self._range = self._prices.add_patch(
            Polygon([(0, 0)], closed=True, color=COLOURS["mark"], alpha=0.25, linewidth=0)
        )
        self._close = new_line(self._prices, **line_style("mark") | {"linewidth": 1.6})
        self._levels = {
            "liquidation": new_line(self._prices, **line_style("liquidation")),
            "stop": new_line(self._prices, **line_style("loss") | {"linewidth": 1.6}),
        }
        self._entry = new_line(
            self._prices, marker="o", color=COLOURS["text"], markersize=6, linestyle="none"
        )
        self._end = new_line(
            self._prices, marker="X", color=COLOURS["loss"], markersize=10, linestyle="none"
        )
        self._result = new_line(self._money, **line_style("gain"))
        self._labels = {
            name: Label(self.figure, self._prices.transData, ground="#FFFFFF")
            for name in self._levels
        }
        self._title = new_title(self.figure)

    def show(self, at: _Told, window: pd.DataFrame, date: str, symbol: str) -> None:
        """Move everything to a replay."""
        hours = _hours(window, date)
        percent = {
            name: (window[name].to_numpy(dtype=float) / at.entry_price - 1) * 100
            for name in ("low", "high", "close")
        }
        limits = _first_around(_PRICE_LIMITS_PCT, percent["low"].min(), percent["high"].max())
        self._prices.set_ylim(limits)
        steps = np.repeat(hours, 2)
        steps[1::2] += 1
        upper, lower = (np.repeat(percent[name], 2) for name in ("high", "low"))
        self._range.set_xy(np.column_stack([np.r_[steps, steps[::-1]], np.r_[upper, lower[::-1]]]))
        self._close.set_data(hours + 1, percent["close"])
        held = _hours(at.bars, date)
        self._place_level("liquidation", at.liquidation_price, at, held, limits)
        self._place_level("stop", at.stop_price, at, held, limits)
        self._entry.set_data([held[0]], [0.0])
        ending = at.smooth.endings["asset"]
        ended = at.outcome != "open"
        place = (ending.price / at.entry_price - 1) * 100
        self._end.set_data([held[at.ending_bar] + 0.5] if ended else [], [place] if ended else [])
        made = np.r_[0.0, at.smooth.table["equity"].to_numpy(dtype=float) - BALANCE]
        self._money.set_ylim(_first_around(_MONEY_LIMITS, made.min(), made.max()))
        self._result.set_data(np.r_[held[0], held + 1], made)
        word = "long" if at.stake.side == LONG else "short"
        self._title.text = (
            f"{_TITLES[date]}, {symbol}: a {at.stake.leverage:g}× {word} in {at.mode} margin, "
            f"{at.outcome}"
        )

    def _place_level(
        self,
        name: str,
        price: float | None,
        at: _Told,
        held: npt.NDArray[np.float64],
        limits: tuple[float, float],
    ) -> None:
        line, label = self._levels[name], self._labels[name]
        percent = math.inf if price is None else (price / at.entry_price - 1) * 100
        if price is None or not limits[0] < percent < limits[1]:
            line.set_data([], [])
            label.text = ""
            return
        line.set_data([held[0], _LAST_HOUR], [percent, percent])
        label.text = f"{name} {format_price(price)}"
        label.align, label.position = "right", (_LAST_HOUR - 1, percent)
        # The stop is the nearer level: its label stands on the side of the entry.
        below = (name == "liquidation") == (at.stake.side == LONG)
        label.vertical = "top" if below else "bottom"


def _first_around(
    offered: Sequence[tuple[float, float]], low: float, high: float
) -> tuple[float, float]:
    """Return the first limits that hold both values, or the last ones."""
    return next(((a, b) for a, b in offered if a < low and high < b), offered[-1])


def _hours(bars: pd.DataFrame, date: str) -> npt.NDArray[np.float64]:
    start = np.datetime64(date, "ns").astype(np.int64)
    seconds = pd.DatetimeIndex(bars.index).as_unit("ns").asi8 - start
    return np.asarray(seconds / 3.6e12)


def _money(value: float) -> str:
    return f"{format_amount(value, 0)} USDT"


def _times(value: float) -> str:
    return "no limit" if math.isinf(value) else f"{format_amount(value, 2)}×"
