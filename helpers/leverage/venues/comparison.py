"""The same trade on every venue: what it costs, where it is closed, and what would be refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from math import inf, isnan, nan
from typing import cast

from leverage import costs
from leverage._validate import checked_choice, shown
from leverage.venues.access import CLOSED, all_of, law_answer, rules_for, venue_answer
from leverage.venues.law import LEGAL_PRODUCTS, LegalRule, place_rules, places, with_wider
from leverage.venues.loader import chosen, load_venue
from leverage.venues.provenance import weakest
from leverage.venues.records import (
    NOT_APPLICABLE,
    UNKNOWN,
    PlaceRule,
    Product,
    TierData,
    UnknownFactError,
    Venue,
)
from leverage.venues.rules import (
    beyond_table,
    check_single,
    contract_of,
    liquidation_price_at,
    liquidation_rule,
    week_cost,
)

_KINDS = {"linear": ("linear", "spot margin", "cfd"), "inverse": ("inverse",)}


@dataclass(frozen=True)
class ComparedTrade:
    """The trade to compare, in quote currency and units of base currency."""

    side: float
    entry_price: float
    exit_price: float
    quantity: float
    leverage: float
    margin: float
    asset: str
    funding_rate: float | None

    @property
    def notional(self) -> float:
        """Value at entry in quote currency."""
        return self.quantity * self.entry_price


@dataclass(frozen=True)
class TradeAtVenue:
    """What a venue makes of a trade. Amounts are in quote currency; NaN where nothing is known.

    Attributes
    ----------
    venue, product, symbol : str
        Keys of venue and product, and the symbol of the tier table used (empty if none).
    margin_mode, rule : str
        The mode that the numbers are for, and the liquidation rule by name.
    max_leverage : float
        Largest leverage for a trade of this size and coin; NaN where the size up to which a
        stated maximum holds is unknown.
    max_notional : float
        Largest trade at this leverage; ``inf`` if the table states no end.
    liquidation_price, liquidation_move : float
        Price at which the position is closed, and the decimal move from entry to it; NaN too
        where the trade would be refused for its size, leverage or margin.
    opening_fee, closing_fee : float
        Taker fees at the entry and the exit price.
    week_cost : float
        Funding of a week at the entry price, or the fees for borrowing; positive when the trader
        pays. NaN for a perpetual if no funding rate is given.
    access : str
        What venue and law together say to somebody who lives at the residence, one of
        :data:`leverage.jurisdictions.ANSWERS`; ``"unknown"`` too if no residence is given.
    refusals : tuple of str
        Why the trade would be refused; empty if nothing known stands against it.
    unknown : tuple of str
        Facts that are missing, one for each number that is NaN for want of them.
    conditions : tuple of str
        What to look up before trading there.
    confidence : str
        Least confidence of the facts that the liquidation price rests on.
    """

    venue: str
    product: str
    symbol: str
    margin_mode: str
    rule: str
    max_leverage: float
    max_notional: float
    liquidation_price: float
    liquidation_move: float
    opening_fee: float
    closing_fee: float
    week_cost: float
    access: str
    refusals: tuple[str, ...]
    unknown: tuple[str, ...]
    conditions: tuple[str, ...]
    confidence: str


def compare(
    side: float,
    entry_price: float,
    *,
    leverage: float,
    quantity: float | None = None,
    notional: float | None = None,
    margin: float | None = None,
    exit_price: float | None = None,
    asset: str = "BTC",
    contract: str = "linear",
    funding_rate: float | None = None,
    residence: str | None = None,
    client: str = "retail",
    venues: Iterable[str] | str | None = None,
    on: date | str | None = None,
    live: bool = False,
) -> list[TradeAtVenue]:
    """Take the same trade to every venue.

    Each product of each venue that fits is tried with nothing else in the account. Where a venue
    has isolated margin, the numbers are for isolated margin.

    Parameters
    ----------
    side : {1, -1}
        1 for a long position, -1 for a short position.
    entry_price : float
        Entry price in quote currency per unit of base currency. Positive.
    leverage : float
        Leverage to set. At least 1.
    quantity, notional : float, optional
        Size in base currency, or value at entry in quote currency: exactly one of the two.
    margin : float, optional
        Collateral behind the trade in quote currency; the initial margin if left out.
    exit_price : float, optional
        Price for the closing fee; the entry price if left out.
    asset : str, default "BTC"
        Coin that is traded.
    contract : {"linear", "inverse"}, default "linear"
        Settled in the quote currency (futures, spot margin, CFD) or in the coin. For an inverse
        product the number of contracts and the margin in coin follow from the entry price.
    funding_rate : float, optional
        Funding for eight hours as a decimal, taken to be the same everywhere. Without it the
        week's cost of a perpetual stays NaN.
    residence : str, optional
        Where the trader lives, one of :func:`places`; checked against venue and law. Where a venue
        has margins of its own for the place, those are taken.
    client : {"retail", "professional"}, default "retail"
        Kind of client in the eyes of the law.
    venues : str or iterable of str, optional
        Names from :func:`venue_names`; all if left out.
    on : datetime.date or str, optional
        Day whose rules are wanted, of venues and of law; the newest if left out.
    live : bool, default False
        Use facts that were fetched, as in :func:`load_venue`; a condition says which.

    Returns
    -------
    list of TradeAtVenue
        One for each product, in the order of the venues; ``pandas.DataFrame`` takes the list
        as it is.

    Raises
    ------
    ValueError
        If an argument breaks its rule. What a venue refuses or does not tell is no error here: it
        stands in `refusals` and `unknown`.

    Examples
    --------
    >>> for row in compare(1, 100_000, notional=500_000, leverage=100,
    ...                    venues=["binance", "bitget"]):
    ...     print(row.venue, row.product, row.max_leverage, round(row.liquidation_price, 2))
    ...     print(*row.refusals)
    binance usdt_futures 100.0 99437.19
    <BLANKLINE>
    binance cross_margin nan nan
    leverage 100 is above 5, the most that cross_margin offers
    bitget usdt_futures 100.0 nan
    <BLANKLINE>
    """
    checked_choice("contract", contract, list(_KINDS))
    checked_choice("client", client, ["retail", "professional"])
    if residence is not None:
        checked_choice("residence", residence, list(places()))
    trade = _trade(
        side, entry_price, leverage, quantity, notional, margin, exit_price, asset, funding_rate
    )
    return [
        _offer_of(trade, venue, product, residence, client)
        for venue in (
            load_venue(name, on=on, place=residence or "", live=live) for name in chosen(venues)
        )
        for product in venue.products
        if product.fact("contract").value in _KINDS[contract]
    ]


def _trade(
    side: float,
    entry_price: float,
    leverage: float,
    quantity: float | None,
    notional: float | None,
    margin: float | None,
    exit_price: float | None,
    asset: str,
    funding_rate: float | None,
) -> ComparedTrade:
    if (quantity is None) == (notional is None):
        raise ValueError(
            f"quantity or notional must be given, one of the two, were {quantity!r} and "
            f"{notional!r}; give the size in base currency or its value in quote currency"
        )
    check_single(side=side, entry_price=entry_price, leverage=leverage)
    if quantity is None:
        assert notional is not None
        check_single(notional=notional)
        quantity = notional / entry_price
    margin = quantity * entry_price / leverage if margin is None else margin
    exit_price = entry_price if exit_price is None else exit_price
    check_single(quantity=quantity, margin=margin, exit_price=exit_price)
    if funding_rate is not None:
        check_single(funding_rate=funding_rate)
    return ComparedTrade(
        side, entry_price, exit_price, quantity, leverage, margin, asset, funding_rate
    )


@dataclass
class _Findings:
    """What trying a trade brings to light."""

    refusals: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    conditions: list[str] = field(default_factory=list)

    def number(self, compute: Callable[[], float]) -> float:
        """Return a number, or NaN and note the fact that is missing."""
        try:
            return compute()
        except UnknownFactError as error:
            self.miss(error)
            return nan

    def miss(self, error: UnknownFactError) -> None:
        if error.fact not in self.unknown:
            self.unknown.append(error.fact)


def _offer_of(
    trade: ComparedTrade, venue: Venue, product: Product, residence: str | None, client: str
) -> TradeAtVenue:
    found = _Findings()
    symbol, max_leverage, max_notional = _limits(trade, product, found)
    _check_initial_margin(trade, found)
    in_scope = f"{product.id}.asset_scope" not in found.unknown
    price = opening_fee = closing_fee = carrying = nan
    if in_scope and not found.refusals:
        price = found.number(lambda: _liquidation_price(trade, product))
    _check_life(trade, price, found)
    access = UNKNOWN
    if residence is not None:
        access = _check_access(trade, venue, product, residence, client, found)
    if in_scope:
        opening_fee = found.number(lambda: _fee(trade, product, trade.entry_price))
        closing_fee = found.number(lambda: _fee(trade, product, trade.exit_price))
        carrying = found.number(lambda: _week_cost(trade, product))
        _check_opening_leverage(trade, product, found)
        _note_origins(trade, product, price, found)
    modes = product.fact("margin_modes").value
    return TradeAtVenue(
        venue=venue.id,
        product=product.id,
        symbol=symbol,
        margin_mode=modes[0] if isinstance(modes, tuple) else str(modes),
        rule=str(product.fact("liquidation_rule").value),
        max_leverage=max_leverage,
        max_notional=max_notional,
        liquidation_price=price,
        liquidation_move=(price - trade.entry_price) / trade.entry_price,
        opening_fee=opening_fee,
        closing_fee=closing_fee,
        week_cost=carrying,
        access=access,
        refusals=tuple(found.refusals),
        unknown=tuple(found.unknown),
        conditions=tuple(found.conditions),
        confidence=UNKNOWN if isnan(price) else _confidence(trade, product),
    )


# ---- numbers


def _liquidation_price(trade: ComparedTrade, product: Product) -> float:
    quantity, margin = trade.quantity, trade.margin
    contract = contract_of(product)
    if contract:
        quantity = trade.notional / contract["contract_size"]
        margin = trade.margin / trade.entry_price
    return liquidation_price_at(
        product,
        trade.side,
        trade.entry_price,
        quantity,
        margin,
        leverage=trade.leverage,
        asset=trade.asset,
    )


def _confidence(trade: ComparedTrade, product: Product) -> str:
    confidence = liquidation_rule(product).confidence(product, trade.asset)
    scope = product.facts.get("asset_scope")
    return confidence if scope is None else weakest(confidence, scope.confidence)


def _fee(trade: ComparedTrade, product: Product, price: float) -> float:
    fee = costs.trading_fee(trade.quantity * price, product.fact("taker_fee_rate").number())
    return cast(float, fee)


def _week_cost(trade: ComparedTrade, product: Product) -> float:
    if trade.funding_rate is None and product.fact("carrying_cost").value == "funding":
        return nan
    return week_cost(
        product,
        trade.side,
        trade.entry_price,
        trade.quantity,
        trade.margin,
        funding_rate=trade.funding_rate,
    )


# ---- what the venue's limits refuse


def _limits(trade: ComparedTrade, product: Product, found: _Findings) -> tuple[str, float, float]:
    """Find symbol, largest leverage for the size and largest size for the leverage."""
    if product.fact("tier_method").value == NOT_APPLICABLE:
        if not _covers(product, trade.asset):
            found.miss(_out_of_scope(trade, product))
            return "", nan, nan
        return "", *_product_limits(trade, product, found)
    try:
        data = product.tiers(trade.asset)
    except UnknownFactError as error:
        found.miss(error)
        return "", *_product_limits(trade, product, found)
    if data.note:
        found.conditions.append(f"tiers of {data.symbol}, {data.as_of}: {data.note.rstrip('.')}")
    unit_price = trade.entry_price if data.unit == data.base else 1.0
    table = data.table("whole")  # the leverage of a tier does not depend on the reading
    size = trade.notional / unit_price
    if not data.states_leverage:
        found.unknown.append(f"{product.id}.tiers.{data.symbol}.max_leverage")
        return data.symbol, nan, nan
    largest = _largest_size(data, trade.leverage)
    if isnan(largest):
        found.unknown.append(f"{product.id}.tiers.{data.symbol}")
    if size > data.cap:
        _note_size(data, size, found)
        return data.symbol, nan, largest * unit_price
    max_leverage = cast(float, table.max_leverage(size))
    if trade.leverage > max_leverage:
        words = f"{shown(size)} {data.unit} of {data.symbol}"
        found.refusals.append(
            f"leverage {shown(trade.leverage)} is above {shown(max_leverage)}, the maximum for "
            f"{words}"
        )
    return data.symbol, max_leverage, largest * unit_price


def _product_limits(
    trade: ComparedTrade, product: Product, found: _Findings
) -> tuple[float, float]:
    """Find largest leverage and size without tiers; one coin's facts say nothing of another."""
    most = found.number(product.fact("max_leverage").number)
    if not _covers(product, trade.asset):
        if product.fact("taker_fee_rate").is_known:
            found.conditions.append(
                f"fees of {product.id} were not read for {trade.asset} in particular"
            )
        return nan, nan
    if trade.leverage > most:
        found.refusals.append(
            f"leverage {shown(trade.leverage)} is above {shown(most)}, the most that {product.id} "
            "offers"
        )
    end = product.fact("max_leverage_holds_to")
    unit_price = trade.entry_price if end.unit == trade.asset else 1.0
    holds_to = found.number(end.number) * unit_price
    if trade.notional > holds_to:
        found.unknown.append(f"{product.id}.max_leverage")
    return most if trade.notional <= holds_to else nan, holds_to


def _covers(product: Product, asset: str) -> bool:
    """Whether what is known of a product without a tier table for a coin is about that coin."""
    scope = product.facts.get("asset_scope")
    return scope is not None and isinstance(scope.value, tuple) and asset in scope.value


def _out_of_scope(trade: ComparedTrade, product: Product) -> UnknownFactError:
    note = f"nothing is known of {trade.asset}"
    return UnknownFactError(product.venue, f"{product.id}.asset_scope", note)


def _largest_size(data: TierData, leverage: float) -> float:
    """Largest size that may be held at a leverage, in the unit of the table; NaN if unknown."""
    allowed = [t.upper for t in data.tiers if t.max_leverage and t.max_leverage >= leverage]
    if not data.complete and len(allowed) == len(data.tiers):
        last = data.tiers[-1].max_leverage or inf
        return data.cap if leverage == last else nan
    return max(allowed, default=0.0)


def _note_size(data: TierData, size: float, found: _Findings) -> None:
    error = beyond_table(data, size)
    if isinstance(error, UnknownFactError):
        found.miss(error)
    else:
        found.refusals.append(
            f"size {shown(size)} {data.unit} is above {shown(data.cap)}, the end of the tiers of "
            f"{data.symbol}"
        )


def _check_initial_margin(trade: ComparedTrade, found: _Findings) -> None:
    needed = trade.notional / trade.leverage
    if trade.margin < needed * (1 - 1e-12):
        found.refusals.append(
            f"margin {shown(trade.margin)} is below {shown(needed)}, the initial margin at "
            f"leverage {shown(trade.leverage)}"
        )


_OPENING_LEVERAGE = {
    "new_account_max_leverage": "the most for a new account",
    "default_leverage": "the setting that an account starts with",
}
_WEEK_FACTS = {
    "rollover": (
        "rollover_fee_rate_{way}",
        "opening_fee_rate_{way}",
        "rollover_interval_hours",
    ),
    "interest": ("interest_rate",),
}


def _check_opening_leverage(trade: ComparedTrade, product: Product, found: _Findings) -> None:
    for name, words in _OPENING_LEVERAGE.items():
        fact = product.facts.get(name)
        if fact is None or not fact.is_known or trade.leverage <= fact.number():
            continue
        note = f": {fact.note.rstrip('.')}" if fact.note else ""
        found.conditions.append(
            f"leverage {shown(trade.leverage)} is above {shown(fact.number())}, {words}{note} "
            f"({fact.confidence}: {fact.source}, {fact.as_of})"
        )


def _note_origins(trade: ComparedTrade, product: Product, price: float, found: _Findings) -> None:
    """Name the facts that a number rests on and that were fetched, or read in no source."""
    way = "long" if trade.side > 0 else "short"
    carrying = product.fact("carrying_cost")
    names = ["taker_fee_rate", "carrying_cost"]
    names += [name.format(way=way) for name in _WEEK_FACTS.get(str(carrying.value), ())]
    if not isnan(price):
        names += ["liquidation_rule", *liquidation_rule(product).facts]
    for name in dict.fromkeys([*names, "asset_scope"]):
        fact = product.facts.get(name)
        if fact is None or not fact.is_known:
            continue
        if fact.confidence == "fetched":
            found.conditions.append(f"{fact.name} was fetched: {fact.source}")
        if fact.confidence == "background":
            how = "read for later days only" if fact.sources else "not read in a source"
            found.conditions.append(f"{fact.name} is background knowledge, {how}")


def _check_life(trade: ComparedTrade, price: float, found: _Findings) -> None:
    if trade.side * (price - trade.entry_price) >= 0:
        found.conditions.append(
            f"closed at once: margin {shown(trade.margin)} leaves nothing above the close-out level"
        )


# ---- what the place refuses


def _check_access(
    trade: ComparedTrade,
    venue: Venue,
    product: Product,
    residence: str,
    client: str,
    found: _Findings,
) -> str:
    """Ask venue and law whether they leave the trade open; note why not, or on what condition."""
    for rule in place_rules(venue, product, residence, client):
        _note_venue_rule(trade, venue, rule, found)
    own = venue_answer(venue, product, residence, trade.leverage, client=client)
    if own.value == UNKNOWN:
        found.conditions.append(f"unknown whether it is open to you; ask {own.questions[0]}")
    kind = LEGAL_PRODUCTS[product.fact("contract").words()]
    _check_law(trade, kind, residence, client, venue.on, found)
    law = law_answer(residence, kind, trade.leverage, client=client, on=venue.on)
    return all_of(own.value, law.value)


def _check_law(
    trade: ComparedTrade,
    kind: str,
    residence: str,
    client: str,
    on: date | None,
    found: _Findings,
) -> None:
    rules = rules_for(residence, kind, client=client, on=on)
    for place in with_wider(residence):
        known = [rule for rule in rules if rule.place == place and rule.is_known]
        if not known and place == residence:
            found.conditions.append(f"no rule of {place} on {kind} is known for {client} clients")
        # One open way is enough: the others may be for other products of the same kind.
        barred = all(_forbids(rule, trade.leverage) for rule in known)
        listing = found.refusals if known and barred else found.conditions
        listing.extend(_in_words(rule) for rule in known)
        if on is not None:
            found.conditions.extend(
                f"{rule.place}: whether this held on {on} is unknown, its first day was not found: "
                f"{rule.product} for {rule.clients} {rule.status}"
                for rule in known
                if rule.first_day is None
            )


def _forbids(rule: LegalRule, leverage: float) -> bool:
    return rule.status == "banned" or leverage > rule.max_leverage


def _in_words(rule: LegalRule) -> str:
    cap = f" at most {shown(rule.max_leverage)}x" if rule.max_leverage < inf else ""
    if isnan(rule.max_leverage):
        cap = " with a cap whose number is unknown"
    return (
        f"{rule.place}: {rule.product} for {rule.clients} {rule.status}{cap} "
        f"({rule.confidence}: {rule.source}, {rule.as_of})"
    )


_CLOSED_WORDS = {
    "refused": "{venue} does not serve {place}",
    "suspended": "{venue} has suspended its service in {place}",
    "not authorised": "{venue} is not authorised in {place}",
}


def _note_venue_rule(trade: ComparedTrade, venue: Venue, rule: PlaceRule, found: _Findings) -> None:
    provenance = f"({rule.fact.confidence}: {rule.fact.source}, {rule.fact.as_of})"
    note = f": {rule.fact.note.rstrip('.')}" if rule.fact.note else ""
    if rule.fact.value in CLOSED:
        words = _CLOSED_WORDS[str(rule.fact.value)].format(venue=venue.name, place=rule.place)
        found.refusals.append(f"{words} {provenance}{note}")
    elif trade.leverage > rule.max_leverage:
        found.refusals.append(
            f"{venue.name} caps {rule.place} at {shown(rule.max_leverage)}x {provenance}{note}"
        )
    else:
        found.conditions.append(
            f"{venue.name} in {rule.place}: {rule.fact.value} {provenance}{note}"
        )
