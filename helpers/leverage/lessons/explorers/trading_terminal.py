"""The trading terminal of chapter 03: a replayed market, an order ticket and the books.

It drives a `leverage.paper.PaperExchange`. Time passes only when the learner lets it: by the play
button, one hour or one tick at a time, or to the next thing that happens to the account.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from ipywidgets import Box, Button, Dropdown, Layout, Play
from matplotlib.collections import LineCollection
from matplotlib.patches import Rectangle

from leverage.lessons.explorers.controls import Tick, choice, number_box, slider
from leverage.lessons.explorers.explorer import Explorer, alert, result_table, status
from leverage.lessons.explorers.picture import Picture
from leverage.lessons.figures import COLOURS, FILLS, finish_axes, line_style
from leverage.lessons.wording import (
    format_amount,
    format_date,
    format_money,
    format_percent,
    format_price,
)
from leverage.paper import exchange_errors

if TYPE_CHECKING:
    from leverage.paper import PaperExchange

_KINDS = {
    "market": "Market: now",
    "limit": "Limit: at my price",
    "stop": "Stop-loss: if worse",
    "target": "Take-profit: if better",
    "trailing": "Trailing stop: follows",
}
_PRICE_LABELS = {
    "market": "Price",
    "limit": "Limit price",
    "stop": "Trigger price",
    "target": "Trigger price",
    "trailing": "Distance (%)",
}
_TRAILING_PCT = 3.0
_LOOKS = {"Stop-loss": "loss", "Trailing stop": "loss", "Take-profit": "gain", "Limit": "cost"}
_SPEEDS_MS = {"slow": 1_000, "medium": 400, "fast": 120}
_LEVELS_SHOWN = 4
_LEDGER_ROWS = 6
_HOUR_MS = 3_600_000


class TradingTerminal(Explorer):
    """Trade a replayed market by hand: chart, ticket with preview, orders, position, ledger.

    Parameters
    ----------
    exchange : PaperExchange
        An account that may trade; its clock is moved by the terminal.
    symbol : str
        Market to trade, as in ``exchange.symbols``.

    Raises
    ------
    ValueError
        If the exchange does not have the symbol.

    Notes
    -----
    Every control can be reached by Tab and worked by the keyboard. A sentence says after every
    change what has happened, and tables hold all that the chart shows.

    Examples
    --------
    >>> from leverage.paper import PaperExchange
    >>> hour = 3_600_000
    >>> bars = [[i * hour, 100 + i, 101 + i, 99 + i, 100 + i, 1] for i in range(5)]
    >>> terminal = TradingTerminal(PaperExchange(bars, venue="binance", balance=1_000))
    >>> terminal.amount.value = 2
    >>> terminal.send()
    >>> terminal.step_bars(2)
    >>> terminal.exchange.fetch_position(terminal.symbol)["contracts"]
    2.0
    """

    label_width = "130px"
    control_width = "330px"
    side = choice("Side", "buy", {"Buy": "buy", "Sell": "sell"}, meaning="Which way to trade")
    kind = choice(
        "Order",
        "market",
        {text: kind for kind, text in _KINDS.items()},
        meaning="When and at which price the order is to fill",
    )
    amount = number_box("Amount ({self.unit})", 0.001, meaning="How much to trade")
    price = number_box(
        "Price", 0.0, meaning="Limit, trigger or distance, as the kind of order asks"
    )
    leverage = slider(
        "Leverage (×)",
        3,
        low=1,
        high=125,
        meaning="The leverage to set, as far as the venue offers it",
    )
    stop_price = number_box(
        "Stop-loss or 0", 0.0, meaning="Trigger of a stop-loss sent with the order"
    )
    target_price = number_box(
        "Take-profit or 0", 0.0, meaning="Trigger of a take-profit sent with the order"
    )
    reduce_only = Tick("Reduce-only", False, "Whether the order may only make a position smaller")
    unit = "BTC"
    _picture: _TerminalPicture

    def __init__(self, exchange: PaperExchange, symbol: str | None = None, **start: Any) -> None:
        markets = list(exchange.load_markets())
        if symbol is not None and symbol not in markets:
            raise ValueError(
                f"symbol must be a market of the exchange, was {symbol!r}; "
                f"give one of {', '.join(markets)}"
            )
        self.exchange = exchange
        self.symbol = symbol or markets[0]
        market = exchange.market(self.symbol)
        self._base, self._currency = market["base"], market["settle"] or market["quote"]
        self._quote = market["quote"]
        self.unit = self._base if market["linear"] else "contracts"
        self._news: tuple[str, str] = ("", "")
        self._seen = max((event["id"] for event in exchange.events()), default=0)
        self._trades_seen = len(exchange.fetch_my_trades(self.symbol))
        smallest = market["limits"]["amount"]["min"] or 0.001
        largest = max(
            1, int(min(type(self).leverage.high, market["limits"]["leverage"]["max"] or 1))
        )
        last = round(exchange.last_price(self.symbol), 2)
        super().__init__(**{"amount": smallest, "price": last, "leverage": min(3, largest)} | start)
        controls = self._controls
        controls["amount"].step = smallest
        controls["leverage"].max, controls["leverage"].continuous_update = largest, False
        self.price.disabled = self.kind.value == "market"
        controls["kind"].observe(self._on_kind, names="value")
        self._make_clock()
        ticket, image, result = self.widget.children
        width = Layout(display="flex", flex_flow="row wrap", max_width=image.layout.max_width)
        clock = Box([self.play, self.speed, *self._clock_buttons], layout=width)
        acts = Box(self._ticket_buttons, layout=width)
        self.widget.children = (clock, image, ticket, acts, result)

    def _new_picture(self) -> _TerminalPicture:
        return _TerminalPicture(self.exchange, self.symbol, self._base, self._quote)

    # ---- the clock and the buttons

    def _make_clock(self) -> None:
        self.play = Play(
            value=0, min=0, max=1_000_000, step=1, interval=_SPEEDS_MS["medium"], description="Play"
        )
        self.play.observe(self._on_play, names="value")
        self.speed = Dropdown(
            options=list(_SPEEDS_MS.items()),
            value=_SPEEDS_MS["medium"],
            description="Speed",
            layout=Layout(width="190px"),
        )
        self.speed.observe(lambda change: setattr(self.play, "interval", change["new"]), "value")
        self._clock_buttons = [
            _button("Step 1 hour", "Let one hour pass", lambda: self.step_bars(1)),
            _button("Step 1 tick", "Let the price take one step", self.step_tick),
            _button("Next event", "Until an order fills or something happens", self.next_event),
        ]
        self._ticket_buttons = [
            _button("Send order", "Send what the ticket says", self.send, style="primary"),
            _button("Close position", "Close at the market price", self.close_position),
            _button("Cancel all orders", "Cancel every waiting order", self.cancel_all),
        ]

    def _on_kind(self, change: Mapping[str, Any]) -> None:
        old, new = change["old"], change["new"]
        self.price.description, self.price.disabled = _PRICE_LABELS[new], new == "market"
        if "trailing" in (old, new):  # a distance in per cent is no price, and the reverse
            last = round(self.exchange.last_price(self.symbol), 2)
            self.price.value = _TRAILING_PCT if new == "trailing" else last

    # ---- what the buttons do

    def step_bars(self, count: int) -> None:
        """Let whole bars pass."""
        self._pass_time(lambda: self.exchange.step(count, unit="bar"))

    def step_tick(self) -> None:
        """Let the price take one step."""
        self._pass_time(lambda: self.exchange.step(1))

    def _on_play(self, change: Mapping[str, Any]) -> None:
        if change["new"] > change["old"]:  # stopping puts the player back to its start
            self.step_bars(1)

    def next_event(self) -> None:
        """Let bars pass until something happens to the account, or the replay ends."""

        def go() -> int:
            passed, before = 0, self._state()
            while not self.exchange.is_finished and self._state() == before:
                passed += self.exchange.step(1, unit="bar")
            return passed

        self._pass_time(go)

    def send(self) -> None:
        """Send the order that the ticket describes."""

        def act() -> str:
            order = self.exchange.create_order(self.symbol, *self._order())
            done = f"{order['side']} {_short(order['amount'])} {self._base}"
            if order["status"] == "closed" and order["average"]:
                fee = (order["fee"] or {}).get("cost") or 0.0
                return (
                    f"Filled: {done} at {format_price(order['average'])}, "
                    f"fee {format_amount(fee, 4)} {self._currency}."
                )
            return f"Waiting: {done}, order {order['id']}."

        self._do(act)

    def close_position(self) -> None:
        """Close the position at the market price."""

        def act() -> str:
            position = self._position()
            if position is None:
                return "There is no position to close."
            side = "sell" if position["side"] == "long" else "buy"
            order = self.exchange.create_order(
                self.symbol, "market", side, position["contracts"], None, {"reduceOnly": True}
            )
            return f"Closed at {format_price(order['average'] or order['price'])}."

        self._do(act)

    def cancel_all(self) -> None:
        """Cancel every waiting order."""

        def act() -> str:
            count = len(self.exchange.fetch_open_orders(self.symbol))
            self.exchange.cancel_all_orders(self.symbol)
            return f"{count} {'order' if count == 1 else 'orders'} cancelled."

        self._do(act)

    def _do(self, act: Callable[[], str]) -> None:
        try:
            self._news = ("", act())
        except exchange_errors.BaseError as error:
            self._news = ("Refused.", str(error))
        self._new_fills()
        self._redraw()

    def _pass_time(self, go: Callable[[], int]) -> None:
        passed = go()
        events = self._new_fills()
        events += [
            f"{event['kind'].capitalize()}. {event['message']}" for event in self._new_events()
        ]
        if self.exchange.is_finished:
            self.play.playing = False
        if not passed:
            self._news = ("", "The replay is over: there are no more prices.")
        elif events:
            self._news = ("It happened:", " ".join(events))
        else:
            self._news = ("", "")
        self._redraw()

    def _new_events(self) -> list[dict[str, Any]]:
        events = list(self.exchange.events(self._seen))
        self._seen = max((event["id"] for event in events), default=self._seen)
        return events

    def _new_fills(self) -> list[str]:
        trades = self.exchange.fetch_my_trades(self.symbol)
        new, self._trades_seen = trades[self._trades_seen :], len(trades)
        return [
            f"Filled: {trade['side']} {_short(trade['amount'])} {self._base} "
            f"at {format_price(trade['price'])}."
            for trade in new
            if trade["info"]["kind"] == "fill"
        ]

    def _redraw(self) -> None:
        self._shown = None
        self._refresh()

    def _state(self) -> tuple[object, ...]:
        orders = self.exchange.fetch_open_orders(self.symbol)
        position = self._position()
        contracts = position["contracts"] if position else 0.0
        return len(orders), contracts, len(self.exchange.events(self._seen))

    # ---- what is shown

    def _order(self) -> tuple[str, str, float, float | None, dict[str, Any]]:
        """Give type, side, amount, price and parameters of the ticket as `create_order` wants."""
        kind = self.kind.value
        params: dict[str, Any] = {}
        if kind in ("stop", "target"):
            params["stopLossPrice" if kind == "stop" else "takeProfitPrice"] = self.price.value
        if kind == "trailing":
            params["trailingPercent"] = self.price.value
        if kind in ("stop", "target", "trailing") or self.reduce_only.value:
            params["reduceOnly"] = True
        if kind in ("market", "limit"):
            for name, control in (("stopLoss", self.stop_price), ("takeProfit", self.target_price)):
                if control.value:
                    params[name] = {"triggerPrice": control.value}
        order_type = "limit" if kind == "limit" else "market"
        price = self.price.value if kind == "limit" else None
        return order_type, self.side.value, self.amount.value, price, params

    def _position(self) -> Mapping[str, Any] | None:
        position = self.exchange.fetch_position(self.symbol)
        return position if position and position["contracts"] else None

    def _ratio(self) -> float:
        """Give requirement over equity: of the position if it is isolated, else of the wallet."""
        position = self._position()
        if position is not None and position["marginMode"] == "isolated":
            return float(position["marginRatio"] or 0.0)
        return self.exchange.margin_ratio()

    def _set_leverage(self) -> str:
        wanted = self.leverage.value
        now = self.exchange.fetch_leverage(self.symbol)["longLeverage"]
        if now == wanted:
            return ""
        try:
            self.exchange.set_leverage(wanted, self.symbol)
        except exchange_errors.BaseError as error:
            return str(error)
        return ""

    def _sentences(self) -> list[str]:
        when = datetime.fromtimestamp(self.exchange.now / 1_000, UTC)
        last = format_price(self.exchange.last_price(self.symbol))
        words = [f"{format_date(when, clock=True)}: the price is {last} {self._quote}."]
        if not self.exchange.is_open(self.symbol):
            words.append("The market is closed by an outage.")
        position = self._position()
        equity = f"Equity {self._money(self.exchange.equity(self._currency))}."
        if position is None:
            return [*words, "You hold no position.", equity]
        gain = position["unrealizedPnl"]
        liquidation = position["liquidationPrice"]
        end = (
            f"It is liquidated at {format_price(liquidation)}."
            if liquidation and math.isfinite(liquidation)
            else "No price above zero liquidates it."
        )
        return [
            *words,
            f"You are {position['side']} {_short(position['contracts'])} {self._base} from "
            f"{format_price(position['entryPrice'])}, with {self._money(gain, signed=True)} of "
            "unrealised profit or loss.",
            end,
            equity,
        ]

    @property
    def description(self) -> str:
        """What the picture shows, in words."""
        return (
            f"Trading terminal: a chart of the price so far with the levels of the position and its "
            f"orders, and a bar for the part of the equity that the requirement takes. {self.sentence}"
        )

    @property
    def rows(self) -> dict[str, str]:
        """Balance and position, as the table shows them."""
        balance = self.exchange.fetch_balance()[self._currency]
        ratio = self._ratio()
        rows = {
            "Total, without open profit": self._money(balance["total"]),
            "Used": self._money(balance["used"]),
            "Free": self._money(balance["free"]),
            "Requirement / equity": format_percent(ratio) if math.isfinite(ratio) else "no equity",
        }
        position = self._position()
        if position is not None:
            rows |= {
                "Mark price": format_price(position["markPrice"]),
                "Notional": self._money(position["notional"]),
                "Margin of the position": self._money(position["initialMargin"]),
                "Leverage set": f"{_short(position['leverage'])}×",
            }
        return rows

    def _follow(self) -> None:
        self._refused = self._set_leverage()
        orders = self.exchange.fetch_open_orders(self.symbol)
        self._picture.show(self._position(), orders, self._ratio())

    def _words(self) -> str:
        loud, words = self._news
        parts = [status(self.sentence)]
        if loud:
            parts.insert(0, alert(loud, words))
        elif words:
            parts.insert(0, f'<p style="margin:0.3em 0"><strong>{escape(words)}</strong></p>')
        if self._refused:
            parts.insert(0, alert("Leverage not changed.", self._refused))
        parts += [self._preview(), result_table("Your account", self.rows)]
        parts += [self._order_table(), self._ledger_table()]
        return "".join(parts)

    def _preview(self) -> str:
        order_type, side, amount, price, params = self._order()
        try:
            seen = self.exchange.preview_order(self.symbol, order_type, side, amount, price, params)
        except exchange_errors.BaseError as error:
            return alert("This order would be refused.", str(error))
        refusals = [refusal["message"] for refusal in seen["refusals"]]
        if refusals:
            return alert("This order would be refused.", " ".join(refusals))
        rows = {
            "Price": format_price(seen["price"]),
            "Notional": self._money(seen["notional"]),
            "Margin": self._money(seen["margin"]),
            "Fee": self._money(seen["fee"], decimals=4),
            "Takes from what is free": self._money(seen["cost"]),
            "Liquidation price afterwards": _price_or_none(seen["liquidation_price"]),
        }
        caption = f"Before you send it: {side} {_short(amount)} {self._base}"
        return result_table(caption, rows)

    def _order_table(self) -> str:
        rows = {}
        for order in self.exchange.fetch_open_orders(self.symbol):
            level = order.get("triggerPrice") or order.get("stopPrice") or order["price"]
            where = f"at {format_price(level)}" if level else "following the price"
            only = ", reduce-only" if order["reduceOnly"] else ""
            rows[f"{_order_name(order)}, order {order['id']}"] = (
                f"{order['side']} {_short(order['amount'])} {where}{only}"
            )
        return result_table("Waiting orders", rows or {"none": ""})

    def _ledger_table(self) -> str:
        entries = self.exchange.fetch_ledger(self._currency)[-_LEDGER_ROWS:]
        rows = {}
        for entry in reversed(entries):
            signed = entry["amount"] * (1 if entry["direction"] == "in" else -1)
            when = str(entry["datetime"])[5:16].replace("T", " ")
            rows[f"{when} {entry['type']} ({entry['id']})"] = self._money(
                signed, signed=True, decimals=4
            )
        return result_table("Ledger, newest first", rows or {"none": ""})

    def _money(self, amount: float, *, signed: bool = False, decimals: int = 2) -> str:
        return format_money(amount, self._currency, decimals, signed=signed)


class _TerminalPicture(Picture):
    """The chart and the margin bar."""

    def __init__(self, exchange: PaperExchange, symbol: str, base: str, quote: str) -> None:
        self._exchange, self._symbol = exchange, symbol
        self._price_label = f"Price ({quote} per {base})"
        self._timeframe = next(iter(exchange.timeframes))
        self._start = exchange.fetch_ohlcv(symbol, self._timeframe)[0][0]
        super().__init__()

    def _make(self) -> None:
        chart, bar = self.panels(1, 2, (0.115, 0.955, 0.13, 0.9), wspace=0.2, width_ratios=[9, 1])
        self._chart = chart
        finish_axes(chart, x_label="Hours since the start", y_label=self._price_label)
        hours = (self._exchange.end - self._start) / _HOUR_MS
        chart.set_xlim(0, max(hours, 1.0))
        ranges = LineCollection([], colors=COLOURS["index"], linewidths=3, alpha=0.5)
        chart.add_collection(ranges)
        self._ranges = self.shape(ranges)
        self._closes = self.line(
            chart, marker="o", markersize=6, markevery=[-1], **line_style("mark")
        )
        looks = {"entry": "entry", "liquidation": "liquidation"}
        looks |= {f"order {number}": "cost" for number in range(_LEVELS_SHOWN)}
        self._lines = {name: self.line(chart, **line_style(look)) for name, look in looks.items()}
        self._texts = [
            self.label(chart.transData, vertical="center", align="right") for _ in self._lines
        ]
        finish_axes(bar, x_label="", y_label="")
        bar.set(xlim=(-0.5, 0.5), ylim=(0, 105))
        bar.set_xticks([0], ["Requirement\n(% of equity)"])
        bar.add_patch(
            Rectangle((-0.3, 0), 0.6, 100, facecolor=FILLS["neutral"], edgecolor=COLOURS["entry"])
        )
        self._ratio_bar = self.patch(
            bar, Rectangle((-0.3, 0), 0.6, 0, facecolor=COLOURS["liquidation"])
        )
        self._ratio_text = self.label(bar.transData, align="center")

    def show(
        self,
        position: Mapping[str, Any] | None,
        orders: Sequence[Mapping[str, Any]],
        margin_ratio: float,
    ) -> None:
        """Move every artist to where it belongs."""
        bars = np.array(self._exchange.fetch_ohlcv(self._symbol, self._timeframe), dtype=np.float64)
        hours = (bars[:, 0] - self._start) / _HOUR_MS
        now = (self._exchange.now - self._start) / _HOUR_MS
        self._ranges.set_segments(
            [
                [(x, low), (x, high)]
                for x, low, high in zip(hours, bars[:, 3], bars[:, 2], strict=True)
            ]
        )
        last = self._exchange.last_price(self._symbol)
        self._closes.set_data([hours[0], *hours[1:], now], [bars[0, 1], *bars[:-1, 4], last])
        levels = self._levels(position, orders)
        self._fit(
            [bars[:, 3].min(), bars[:, 2].max(), *(price for price, _ in levels.values())], last
        )
        self._show_levels(levels)
        share = min(100.0, margin_ratio * 100) if math.isfinite(margin_ratio) else 100.0
        self._ratio_bar.set_height(share)
        self._ratio_text.text = format_percent(share / 100, 0 if share >= 10 else 1)
        self._ratio_text.position = (0.0, min(share + 2, 92.0))
        self.title.text = f"{self._symbol}: {format_price(last)}"

    def _levels(
        self, position: Mapping[str, Any] | None, orders: Sequence[Mapping[str, Any]]
    ) -> dict[str, tuple[float, str]]:
        levels: dict[str, tuple[float, str]] = {}
        if position is not None:
            levels["entry"] = position["entryPrice"], "Entry"
            if position["liquidationPrice"] and math.isfinite(position["liquidationPrice"]):
                levels["liquidation"] = position["liquidationPrice"], "Liquidation"
        for number, order in enumerate(orders[:_LEVELS_SHOWN]):
            price = order.get("triggerPrice") or order.get("stopPrice") or order["price"]
            if price:
                levels[f"order {number}"] = price, _order_name(order)
        return levels

    def _fit(self, prices: Sequence[float], last: float) -> None:
        """Choose limits in large steps, so that the background seldom changes.

        Levels far away from the market stay outside the chart and are named at its edge.
        """
        near = [price for price in prices if abs(price - last) <= 0.2 * last]
        step = 0.05 * last
        unit = 10 ** math.floor(math.log10(step))
        step = math.ceil(step / unit) * unit
        low = math.floor((min(near) - 0.2 * step) / step) * step
        high = math.ceil((max(near) + 0.2 * step) / step) * step
        old_low, old_high = self._chart.get_ylim()
        if not (old_low <= low and high <= old_high and old_high - old_low <= 2 * (high - low)):
            self._chart.set_ylim(low, high)

    def _show_levels(self, levels: Mapping[str, tuple[float, str]]) -> None:
        low, high = self._chart.get_ylim()
        right = self._chart.get_xlim()[1]
        for (name, line), text in zip(self._lines.items(), self._texts, strict=True):
            price, words = levels.get(name, (math.nan, ""))
            shown = name in levels
            line.set_visible(shown and low <= price <= high)
            text.text = ""
            if shown:
                line.set_data([0, right], [price, price])
                if words in _LOOKS:
                    line.set(**line_style(_LOOKS[words]))
                away = " ↓" if price < low else " ↑" if price > high else ""
                text.text = f"{words} {format_price(price)}{away}"
                inside = min(max(price, low + 0.03 * (high - low)), high - 0.03 * (high - low))
                text.position = (right * 0.99, inside)


def _button(name: str, tooltip: str, act: Callable[[], None], style: str = "") -> Button:
    button = Button(
        description=name, tooltip=tooltip, button_style=style, layout=Layout(width="150px")
    )
    button.on_click(lambda _button: act())
    return button


def _order_name(order: Mapping[str, Any]) -> str:
    """Name a waiting order by what it does: a sell below the market is a stop, one above a target."""
    info = order["info"]
    if not order["triggerPrice"]:
        return "Limit"
    if info["trailingPercent"] or info["trailingAmount"]:
        return "Trailing stop"
    falling = info["triggerWay"] < 0
    return "Stop-loss" if falling == (order["side"] == "sell") else "Take-profit"


def _short(value: float) -> str:
    return f"{value:g}"


def _price_or_none(price: float | None) -> str:
    return format_price(price) if price and math.isfinite(price) else "none"
