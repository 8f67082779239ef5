"""The liquidation map of chapter 05: one trade on all venues, and why each closes it where it does."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, cast

from leverage.contracts import LONG
from leverage.lessons.canvas import Label
from leverage.lessons.explorers.controls import choice, leverage_slider, number_box, side_choice
from leverage.lessons.explorers.explorer import Explorer
from leverage.lessons.explorers.picture import Picture
from leverage.lessons.figures import COLOURS, finish_axes, line_style
from leverage.lessons.wording import format_amount, format_money, format_percent, format_price
from leverage.venues import Product, TradeAtVenue, Venue, compare, facts_in_use, load_venue

if TYPE_CHECKING:
    from matplotlib.lines import Line2D

_RANGES_PCT = (2, 5, 10, 20, 50, 110)
_KINDS = {"linear": "futures", "spot margin": "spot margin", "cfd": "CFD margin"}
_MARKERS = {
    "maintenance at mark": "o",
    "closing fee inside": "s",
    "margin level": "D",
    "stop-out at used margin": "^",
    "assets over debt": "v",
}
_SYMBOLS = {"o": "●", "s": "■", "D": "◆", "^": "▲", "v": "▼"}
_CELL = 'style="text-align:left;vertical-align:top;padding:0.1em 1.2em 0.1em 0"'


@dataclass(frozen=True)
class MappedTrade:
    """What one product makes of the trade, and why, in words.

    Attributes
    ----------
    name : str
        Venue and kind of product.
    price, move : float
        Liquidation price and decimal move to it; NaN where unknown or refused.
    at_once : bool
        Whether the trade is closed as soon as it is opened: its margin is below the requirement.
    reason : str
        Why the price lies there, or why there is none.
    marker : str
        Matplotlib's name of the point's shape, one for each rule.
    source, as_of, confidence : str
        Of the rule; `confidence` is the least of all that the price rests on.
    """

    name: str
    price: float
    move: float
    at_once: bool
    reason: str
    marker: str
    source: str
    as_of: str
    confidence: str

    @property
    def is_known(self) -> bool:
        """Whether a price could be computed."""
        return not math.isnan(self.price)

    @property
    def has_price(self) -> bool:
        """Whether there is a price above zero and below infinity that closes the trade."""
        return 0 < self.price < math.inf


def map_trade(
    side: int,
    entry_price: float,
    *,
    notional: float,
    leverage: float,
    margin: float | None = None,
    asset: str = "BTC",
    live: bool = False,
) -> list[MappedTrade]:
    """Take one trade to every linear product of every venue, and say why each closes it there.

    Parameters
    ----------
    side : {1, -1}
        1 for a long position, -1 for a short position.
    entry_price : float
        Entry price, in quote currency per unit of base currency. Positive.
    notional : float
        Value at entry, in quote currency. Positive.
    leverage : float
        Leverage to set. At least 1.
    margin : float, optional
        Collateral behind the trade in quote currency; the initial margin if left out.
    asset : str, default "BTC"
        Coin that is traded.
    live : bool, default False
        Use facts that were fetched, as in :func:`leverage.venues.load_venue`.

    Returns
    -------
    list of MappedTrade
        In the order of the venues.

    Examples
    --------
    >>> at = map_trade(1, 98_000, notional=98_000, leverage=10)[-3]
    >>> at.name, round(at.price, 2)
    ('MEXC futures', 88367.9)
    >>> print(at.reason.replace("\u202f", " "))
    maintenance of 0.15 % and a closing fee of 0.04 % at the mark price
    """
    rows = compare(
        side,
        entry_price,
        notional=notional,
        leverage=leverage,
        margin=margin,
        asset=asset,
        live=live,
    )
    venues = {name: load_venue(name, live=live) for name in {row.venue for row in rows}}
    quantity, used_margin = notional / entry_price, notional / leverage
    return [_mapped(row, venues[row.venue], side, quantity, used_margin) for row in rows]


def _mapped(
    row: TradeAtVenue, venue: Venue, side: int, quantity: float, used_margin: float
) -> MappedTrade:
    product = venue.product(row.product)
    rule = product.fact("liquidation_rule")
    at_once = side * row.liquidation_move >= 0
    if math.isnan(row.liquidation_price):
        reason = _why_none(row, product)
    else:
        reason = _why_there(row, product, quantity, used_margin)
        if at_once:
            reason += "; closed at once, as the margin does not exceed that"
    return MappedTrade(
        name=f"{venue.name} {_KINDS[product.fact('contract').words()]}",
        price=row.liquidation_price,
        move=row.liquidation_move,
        at_once=at_once,
        reason=reason,
        marker=_MARKERS.get(row.rule, "o"),
        source=rule.source,
        as_of=rule.as_of,
        confidence=row.confidence,
    )


def _why_none(row: TradeAtVenue, product: Product) -> str:
    if row.refusals:
        return f"refused: {row.refusals[0].replace(product.id, 'this product')}"
    if row.rule == "account limit unknown":
        return "unknown: one limit for the account, whose size was not found"
    if not product.fact("liquidation_rule").is_known:
        return "unknown: a price is shown, its formula was not found"
    missing = row.unknown[0].partition(".")[2].replace("_", " ") if row.unknown else "a fact"
    if missing == "tier method":
        return "unknown: its tier table can be read in two ways, which differ here"
    return f"unknown: {missing.replace('tiers.', 'tiers of ')}"


def _why_there(row: TradeAtVenue, product: Product, quantity: float, used_margin: float) -> str:
    if row.rule in ("maintenance at mark", "closing fee inside"):
        share = format_percent(_rate(row, product, quantity), 2)
        if row.rule == "maintenance at mark":
            return f"maintenance of {share} at the mark price"
        fee = format_percent(product.fact("taker_fee_rate").number(), 2)
        return f"maintenance of {share} and a closing fee of {fee} at the mark price"
    level = format_percent(product.fact("close_out_level").number(), 0)
    is_short = row.liquidation_move > 0
    if row.rule == "assets over debt":
        return f"assets fall to {level} of {'the coins owed' if is_short else 'the debt'}"
    what = f"equity falls to {level} of the used margin, {format_amount(used_margin)} at entry"
    return (
        f"{what}, which grows with the price" if row.rule == "margin level" and is_short else what
    )


def _rate(row: TradeAtVenue, product: Product, quantity: float) -> float:
    """Maintenance margin rate of the tier at the liquidation price."""
    data = product.tiers(row.symbol)
    size = quantity
    if data.bounds == "notional":
        price = row.liquidation_price if math.isfinite(row.liquidation_price) else 0.0
        size = quantity * price
    return cast(float, data.table("whole").maintenance_margin_rate(size))


class LiquidationMap(Explorer):
    """Take one trade to every venue and see where each closes it, and why.

    The picture has one row for each product and a point at the move from entry to liquidation; the
    table below it gives price, reason, date and confidence. What is unknown or refused says so.

    Parameters
    ----------
    live : bool, default False
        Use facts that were fetched, as in :func:`leverage.venues.load_venue`, and say which.

    Examples
    --------
    >>> explorer = LiquidationMap(leverage=5, backing="account")
    >>> first = explorer.sentence
    >>> explorer.leverage.value = 2
    >>> explorer.sentence == first
    False
    """

    side = side_choice()
    leverage = leverage_slider(meaning="The leverage to set")
    entry_price = number_box(
        "Entry price",
        98_000.0,
        low=0.000001,
        high=1_000_000.0,
        step=1_000.0,
        meaning="In USDT per BTC, up to 1 000 000",
    )
    notional = number_box(
        "Value (USDT)",
        98_000.0,
        low=10.0,
        high=1_000_000_000.0,
        step=10_000.0,
        meaning="Notional at entry, 10 to 1 000 000 000",
    )
    backing = choice(
        "Behind it",
        "initial",
        {"Initial margin only": "initial", "A whole account": "account"},
        meaning="What a loss can reach: the initial margin, or all money of the account",
    )
    account = number_box(
        "Account (USDT)",
        49_000.0,
        low=10.0,
        high=1_000_000_000.0,
        step=1_000.0,
        meaning="Counts when a whole account stands behind the trade",
    )
    _picture: _MapPicture

    def __init__(self, *, live: bool = False, **start: Any) -> None:
        self._live = live
        super().__init__(**start)

    def _new_picture(self) -> _MapPicture:
        return _MapPicture()

    @property
    def trades(self) -> tuple[MappedTrade, ...]:
        """The trade on every product, as it is now."""
        return self._trades

    @property
    def description(self) -> str:
        """What the picture shows, in words."""
        return (
            "Dot chart. One row for each product of each venue, with a point at the price move "
            f"from entry to liquidation, in per cent. {self.sentence}"
        )

    @property
    def _is_loud(self) -> bool:
        return not any(at.is_known for at in self._trades)

    def _follow(self) -> None:
        side, notional, leverage = self.side.value, self.notional.value, self.leverage.value
        whole = self.backing.value == "account"
        self._margin = self.account.value if whole else notional / leverage
        self._trades = tuple(
            map_trade(
                side,
                self.entry_price.value,
                notional=notional,
                leverage=leverage,
                margin=self._margin if whole else None,
                live=self._live,
            )
        )
        self._picture.show(self._trades, side, self._margin / notional)

    def _tables(self) -> str:
        return _reasons(self._trades)

    def _sentences(self) -> list[str]:
        way = "long" if self.side.value == LONG else "short"
        trade = (
            f"A {self.leverage.value}× {way} of {format_money(self.notional.value)} "
            f"from {format_price(self.entry_price.value)}, with "
            f"{format_money(self._margin)} behind it."
        )
        known = [at for at in self._trades if at.has_price]
        count = len(self._trades)
        refused = sum(at.reason.startswith("refused") for at in self._trades)
        unknown = sum(at.reason.startswith("unknown") for at in self._trades)
        rest = (
            f"Of {count} products, {refused} would refuse it, and for {unknown} a fact is missing."
        )
        if self._live:
            rest += f" {facts_in_use()}"
        if not known:
            return [trade, "No price that closes it can be given.", rest]
        first, last = min(known, key=_room), max(known, key=_room)
        if first is last:
            span = f"Only {first.name} has a price: {_price_words(first)}."
        else:
            span = (
                f"The first to close it is {first.name}, at {_price_words(first)}; the last is "
                f"{last.name}, at {_price_words(last)}."
            )
        return [trade, span, rest]


class _MapPicture(Picture):
    """The map's figure and the artists that move in it."""

    height = 4.8

    def _make(self) -> None:
        names = [at.name for at in map_trade(LONG, 98_000, notional=98_000, leverage=2)]
        self._axes = axes = self.panels(1, 1, (0.225, 0.965, 0.115, 0.905))
        finish_axes(axes, x_label="Move of the price against the trade, from entry (%)", y_label="")
        axes.set(ylim=(len(names) - 0.2, -0.8), xlim=(0, 20))
        axes.set_yticks(range(len(names)), names)
        axes.tick_params(axis="y", length=0, pad=6)
        axes.grid(visible=False, axis="x")
        self._bankruptcy = self.line(axes, **line_style("bankruptcy"))
        self._points = [
            self.line(
                axes,
                linestyle="none",
                marker="o",
                markersize=9,
                markerfacecolor=COLOURS["liquidation"],
                markeredgecolor=COLOURS["text"],
                clip_on=False,
            )
            for _ in names
        ]
        self._texts = [self.label(axes.transData, vertical="center") for _ in names]
        self._note = self.label(axes.transData, vertical="bottom")

    def show(self, trades: Sequence[MappedTrade], side: int, backing: float) -> None:
        """Move every artist to where it belongs for the trades."""
        moves = [_room(at) * 100 for at in trades if at.has_price]
        end = backing * 100
        limit = next((top for top in _RANGES_PCT if top >= 1.5 * max([*moves, end, 0])), 110)
        edge = float(limit)
        if self._axes.get_xlim()[1] != edge:
            self._axes.set_xlim(0, edge)
        in_view = end <= edge
        self._bankruptcy.set_data([end, end], [len(trades) - 0.2, -0.8])
        self._bankruptcy.set_visible(in_view)
        self._note.text = f"equity zero: {format_percent(backing)}"
        self._note.set_visible(in_view)
        self._note.align = "right" if end > edge * 0.6 else "left"
        self._note.position = (
            end + edge * (-0.01 if end > edge * 0.6 else 0.01),
            len(trades) - 0.3,
        )
        for row, (at, point, text) in enumerate(
            zip(trades, self._points, self._texts, strict=True)
        ):
            self._show_row(row, at, point, text)
        way = "long" if side == LONG else "short"
        self.title.text = f"Where each venue closes the same {way}"

    def _show_row(self, row: int, at: MappedTrade, point: Line2D, text: Label) -> None:
        edge = self._axes.get_xlim()[1]
        point.set_visible(at.has_price)
        if not at.has_price:
            text.position, text.align = (edge * 0.01, row), "left"
            if at.is_known:
                text.text = "no price closes it"
            else:
                text.text = _fitting(at.reason)
            return
        move = _room(at) * 100
        shown = min(move, edge)
        point.set_data([shown], [row])
        point.set_marker(at.marker if move <= edge else ">")
        inside = shown > edge * 0.6
        text.align = "right" if inside else "left"
        text.position = (shown + edge * (-0.025 if inside else 0.025), row)
        text.text = _price_words(at)


def _room(at: MappedTrade) -> float:
    """Move that the trade survives, without its sign."""
    return 0.0 if at.at_once else abs(at.move)


def _price_words(at: MappedTrade) -> str:
    if at.at_once:
        return f"{format_price(at.price)} (at once)"
    return f"{format_price(at.price)} ({format_percent(at.move, 2, signed=True)})"


def _fitting(reason: str, length: int = 62) -> str:
    """Leave the last clauses or words out where a row has no room; the table has all of them."""
    if len(reason) <= length:
        return reason
    head = reason[:length]
    return head.rpartition(", ")[0] or head.rpartition(" ")[0] + "…"


def _reasons(trades: Sequence[MappedTrade]) -> str:
    head = "".join(
        f'<th scope="col" {_CELL}>{name}</th>'
        for name in ("Product", "Liquidation price", "Why there", "Rule as of", "Confidence")
    )
    body = "".join(
        f'<tr><th scope="row" {_CELL}>{_symbol(at)}{escape(at.name)}</th>'
        f"<td {_CELL}>{escape(_price_cell(at))}</td><td {_CELL}>{escape(at.reason)}</td>"
        f'<td {_CELL} title="{escape(at.source)}">{escape(at.as_of)}</td>'
        f"<td {_CELL}>{escape(at.confidence)}</td></tr>"
        for at in trades
    )
    return (
        '<table style="border-collapse:collapse;line-height:1.4">'
        '<caption style="text-align:left;font-style:italic">The same trade on every venue</caption>'
        f"<tr>{head}</tr>{body}</table>"
    )


def _symbol(at: MappedTrade) -> str:
    """Give the point's shape, to find it in the picture; nothing to be read out."""
    return f'<span aria-hidden="true">{_SYMBOLS[at.marker]} </span>' if at.has_price else ""


def _price_cell(at: MappedTrade) -> str:
    if not at.is_known:
        return "–"
    return _price_words(at) if at.has_price else "none"
