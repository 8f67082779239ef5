"""The crash replay of chapter 08: an event, a side, a leverage, a mode and a stop, hour by hour."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.patches import Polygon

from leverage.contracts import LONG
from leverage.crashes import MAINTENANCE_RATE, Replay, Stake, crash_bars, replay
from leverage.crashes import survivable_leverage as largest_leverage
from leverage.history import crash_windows, load_hourly_window
from leverage.lessons.explorers.controls import choice, leverage_slider, side_choice, slider
from leverage.lessons.explorers.explorer import Explorer, result_table
from leverage.lessons.explorers.picture import Picture
from leverage.lessons.figures import COLOURS, finish_axes, hours_since, line_style
from leverage.lessons.wording import (
    format_amount,
    format_date,
    format_percent,
    format_price,
    format_whole,
)
from leverage.margin import liquidation_price

BALANCE = 10_000.0
MARGIN = 1_000.0
EVENTS = tuple((window.date, symbol) for window in crash_windows() for symbol in window.symbols)

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


class CrashReplay(Explorer):
    """Open a position before a crash, and see hour by hour what became of it.

    An account of 10 000 USDT opens a position with 1 000 USDT of margin. In isolated margin only
    these can be lost, in cross margin all of it. Maintenance 0.4 %, no fees, no funding; prices of
    Binance's spot market.

    Examples
    --------
    >>> explorer = CrashReplay(leverage=2)
    >>> explorer.rows["Outcome"]
    'liquidated'
    >>> explorer.mode.value = "cross"
    >>> explorer.rows["Outcome"]
    'open'
    """

    event = choice(
        "Crash",
        ("2020-03-12", "BTC"),
        {f"{day} {name}, {_TITLES[day]}": (day, name) for day, name in EVENTS},
        meaning="Which days are replayed, and in which coin",
    )
    side = side_choice()
    leverage = leverage_slider()
    mode = choice(
        "Margin mode",
        "isolated",
        {"Isolated: 1 000 USDT behind it": "isolated", "Cross: 10 000 USDT behind it": "cross"},
        meaning="What the position can lose",
    )
    stop_pct = slider(
        "Stop (%)",
        0.0,
        low=0.0,
        high=30.0,
        step=0.5,
        decimals=1,
        meaning="Distance of the stop-loss from the entry, 0 to 30 per cent; 0 is no stop",
    )
    entry_hour = slider(
        "Entry (hour)",
        0,
        low=-24,
        high=24,
        meaning="Hours from 00:00 UTC of the day of the crash to the entry, −24 to 24",
    )
    _picture: _ReplayPicture

    def _new_picture(self) -> _ReplayPicture:
        return _ReplayPicture()

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
            "Position value": format_whole(at.stake.value),
            "Money behind it": format_whole(at.behind),
            "Liquidation price": format_price(at.liquidation_price) if has_end else "none",
            "Stop price": stop,
            "Hours from entry to its end": str(at.ending_bar + 1),
            "Account at the end": format_whole(at.smooth.equity),
            "Account at the end, if prices jumped": format_whole((at.harsh or at.smooth).equity),
            "Lowest equity at the end of an hour": format_whole(low),
            f"Lived below a leverage of ({at.mode}, no stop)": "no limit"
            if math.isinf(at.limit)
            else f"{format_amount(at.limit)}×",
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
                f"equity {format_whole(left)}"
            )
            for time, low, high, close, left in zip(
                at.bars.index[shown], *columns, equity, strict=True
            )
        }

    @property
    def _is_loud(self) -> bool:
        return self._told.outcome == "liquidated"

    def _follow(self) -> None:
        self._told = self._tell()
        date, symbol = self.event.value
        self._picture.show(self._told, _window(date, symbol), date, symbol)

    def _tell(self) -> _Told:
        date, symbol = self.event.value
        side, mode, leverage = self.side.value, self.mode.value, self.leverage.value
        bars = _bars(date, symbol, self.entry_hour.value)
        stop = self.stop_pct.value / 100 or None
        stake = Stake(side, MARGIN * leverage, leverage, stop)
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
            liquidation_price=float(
                liquidation_price(side, entry, quantity, behind, MAINTENANCE_RATE)
            ),
            stop_price=None if stop is None else entry * (1 - side * stop),
            limit=float(largest_leverage(side, entry, worst)) * behind / MARGIN,
        )

    def _tables(self) -> str:
        hours = "Its last hours (UTC): range, close, equity of the account"
        return result_table("The position and its end", self.rows) + result_table(hours, self.hours)

    def _sentences(self) -> list[str]:
        at = self._told
        (date, symbol), ending = self.event.value, at.smooth.endings["asset"]
        word = "long" if at.stake.side == LONG else "short"
        opening = (
            f"A {self.leverage.value}× {word} of {symbol} with {format_whole(MARGIN)} of margin, "
            f"{at.mode}, was opened on {format_date(at.bars.index[0], clock=True)} at "
            f"{format_price(at.entry_price)} USDT ({_TITLES[date]})."
        )
        end = at.bars.index[at.ending_bar]
        hour = f"in the hour from {end.day} {end:%B, %H:%M} UTC"
        if at.outcome == "liquidated":
            lost = BALANCE - at.smooth.equity
            return [
                "Liquidated.",
                opening,
                f"It ended {hour}, at {format_price(ending.price)}, "
                f"{format_percent(ending.price / at.entry_price - 1, signed=True)} from the entry. "
                f"{format_whole(lost)} of {format_whole(BALANCE)} were lost.",
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


class _ReplayPicture(Picture):
    """Price above, money below; both over the hours from 00:00 UTC of the day of the crash."""

    height = 5.6

    def _make(self) -> None:
        self._prices, self._money = self.panels(
            2, 1, (0.115, 0.975, 0.09, 0.93), hspace=0.16, height_ratios=[1.7, 1], sharex=True
        )
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
        shade = {"color": COLOURS["mark"], "alpha": 0.25, "linewidth": 0}
        self._range = self.patch(self._prices, Polygon([(0, 0)], closed=True, **shade))
        self._close = self.line(self._prices, **line_style("mark") | {"linewidth": 1.6})
        self._levels = {
            "liquidation": self.line(self._prices, **line_style("liquidation")),
            "stop": self.line(self._prices, **line_style("loss") | {"linewidth": 1.6}),
        }
        self._entry = self.line(
            self._prices, marker="o", color=COLOURS["text"], markersize=6, linestyle="none"
        )
        self._end = self.line(
            self._prices, marker="X", color=COLOURS["loss"], markersize=10, linestyle="none"
        )
        self._result = self.line(self._money, **line_style("gain"))
        self._level_texts = {name: self.label(self._prices.transData) for name in self._levels}

    def show(self, at: _Told, window: pd.DataFrame, date: str, symbol: str) -> None:
        """Move everything to a replay."""
        start = pd.Timestamp(date, tz="UTC")
        hours = hours_since(window.index, start)
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
        held = hours_since(at.bars.index, start)
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
        self.title.text = (
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
        line, label = self._levels[name], self._level_texts[name]
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
