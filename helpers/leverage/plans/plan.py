"""The plan itself: who, where, what, how much, and when to stop; and everything wrong with it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from numbers import Real
from types import MappingProxyType
from typing import Any

from leverage import sizing
from leverage.contracts import LONG, SHORT
from leverage.paper.market_rules import Rules, venue_rules
from leverage.venues import (
    Product,
    UnknownFactError,
    compare,
    liquidation_price_at,
    load_venue,
    venue_names,
)

COIN_PRICES: Mapping[str, float] = MappingProxyType({"BTC": 60_000.0, "ETH": 3_000.0})
"""Prices at which a plan is checked before it has met a market, in USDT."""

DIRECTIONS: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {"long": (LONG,), "both": (LONG, SHORT)}
)
FUNDING_HOURS = 8
LARGEST_RISK = 0.02
LARGEST_LOSS = 0.30
LONGEST_AVERAGE = 100
LEAST_WORDS = 8
LEAST_DIFFERENT = 6
LONGEST_SHOWN = 60


@dataclass(frozen=True)
class Persona:
    """A person with a plan.

    Attributes
    ----------
    name : str
        As in chapter 02.
    residence, client : str
        Where the person lives and what the law takes them for, as `leverage.venues.compare` asks.
    balance : float
        Money that this person can lose, in USDT.
    """

    name: str
    residence: str
    client: str
    balance: float


PERSONAS: Mapping[str, Persona] = MappingProxyType(
    {
        person.name: person
        for person in (
            Persona("Ida", "EU/EEA", "retail", 1_000.0),
            Persona("Jon", "New York", "retail", 1_000.0),
            Persona("Kei", "Switzerland", "professional", 1_000_000.0),
            Persona("Lea", "UAE (Dubai)", "retail", 5_000.0),
        )
    }
)


@dataclass(frozen=True)
class Plan:
    """A plan for following a trend with a leveraged position.

    Parameters
    ----------
    persona : str
        One of `PERSONAS`: decides balance, residence and kind of client.
    venue, product : str
        Keys of `leverage.venues`; a product that is settled in the quote currency.
    coin : {"BTC", "ETH"}
        What is traded.
    margin_mode : {"isolated", "cross"}
        What collateral a loss can reach.
    direction : {"long", "both"}
        Long or out, or long or short.
    fast, slow : int
        Bars in the two averages of closes; above the slow one is up.
    risk_per_trade : float
        Loss at the stop, fees included, as a decimal of the equity; at most 0.02.
    stop_distance : float
        Distance of the stop from the entry, as a decimal of the price.
    leverage : float
        Leverage set at the venue: it decides the margin, not the size.
    max_exposure : float
        Limit for notional / equity at any time.
    daily_loss_limit, total_loss_limit : float
        Loss within a UTC day, and from the highest equity, as decimals.
    stop_when : str
        What else ends the plan, in words.

    Raises
    ------
    ValueError
        If anything is wrong with it; the message lists everything, each line with its field.

    Examples
    --------
    >>> from dataclasses import replace
    >>> SOUND_PLAN.exposure
    0.125
    >>> replace(SOUND_PLAN, risk_per_trade=1)
    Traceback (most recent call last):
    ValueError: risk_per_trade must be above 0 and at most 0.02, was 1; write per cent as a \
decimal: 0.01 is 1 %
    """

    persona: str
    venue: str
    product: str
    coin: str
    margin_mode: str
    direction: str
    fast: int
    slow: int
    risk_per_trade: float
    stop_distance: float
    leverage: float
    max_exposure: float
    daily_loss_limit: float
    total_loss_limit: float
    stop_when: str

    def __post_init__(self) -> None:
        problems = _problems(asdict(self))
        if problems:
            raise ValueError("\n".join(problems))

    @property
    def person(self) -> Persona:
        """Whose plan it is."""
        return PERSONAS[self.persona]

    @property
    def sides(self) -> tuple[int, ...]:
        """Sides that the plan may take: 1 long, -1 short."""
        return DIRECTIONS[self.direction]

    @property
    def exposure(self) -> float:
        """Notional / equity of a new position before fees: risk / stop distance."""
        return self.risk_per_trade / self.stop_distance

    @property
    def traded(self) -> Product:
        """The product's facts."""
        return load_venue(self.venue, place=self.person.residence).product(self.product)

    @property
    def rules(self) -> Rules:
        """The product's rules on the paper exchange."""
        return _paper_rules(self.traded, self.coin, self.person.residence)

    def quantity(self, side: int, price: float, equity: float) -> float:
        """Return the coins that lose the planned share at the stop, fees included, not rounded.

        Parameters
        ----------
        side : {1, -1}
            1 for a long position, -1 for a short position.
        price : float
            Entry price in quote currency.
        equity : float
            Equity before the trade, in quote currency.
        """
        found = sizing.quantity_for_risk(
            side,
            price,
            self.stop_price(side, price),
            self.risk_per_trade * equity,
            fee_rate=self.traded.fact("taker_fee_rate").number(),
        )
        return float(found)

    def stop_price(self, side: int, price: float) -> float:
        """Return the stop for a position from a price, in quote currency."""
        return price * (1 - side * self.stop_distance)

    def margin_behind(self, side: int, price: float, equity: float) -> float:
        """Return the money that a new position can reach: its margin, or all of it in cross."""
        if self.margin_mode == "cross":
            return equity
        return self.quantity(side, price, equity) * price / self.leverage

    def liquidation_price(self, side: int, price: float, equity: float) -> float:
        """Return where the venue closes a new position, in quote currency."""
        return liquidation_price_at(
            self.traded,
            side,
            price,
            self.quantity(side, price, equity),
            self.margin_behind(side, price, equity),
            leverage=self.leverage,
            asset=self.coin,
        )


PLACE = ("persona", "venue", "product", "coin")
_SPELLED: Mapping[str, Callable[[str], str]] = MappingProxyType(
    {"persona": str.title, "coin": str.upper}
    | dict.fromkeys(("venue", "product", "margin_mode", "direction"), str.lower)
)
_NAMES = tuple(field.name for field in fields(Plan))
_RANGES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "risk_per_trade": (0.0, LARGEST_RISK),
        "stop_distance": (0.0, 0.5),
        "daily_loss_limit": (0.0, LARGEST_LOSS),
        "total_loss_limit": (0.0, LARGEST_LOSS),
    }
)


def _spelled(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a plan's data with its words as the facts spell them: 'Bybit' is 'bybit'."""
    return {
        name: _SPELLED[name](value.strip())
        if name in _SPELLED and isinstance(value, str)
        else value
        for name, value in data.items()
    }


def plan_problems(data: object) -> tuple[str, ...]:
    """Say everything that is wrong with a plan given as a dictionary; nothing if it is valid.

    Parameters
    ----------
    data : mapping of str to value
        The fields of `Plan`.

    Examples
    --------
    >>> for problem in plan_problems(asdict(SOUND_PLAN) | {"persona": "Jon"}):
    ...     print(problem)
    venue is closed to Jon: Kraken does not serve United States (federal) (verified: Kraken \
support 360023786632; CCN, guide to perpetuals of Kraken in the US, 2026): Another company, Kraken \
Derivatives US, offers CME futures to retail clients and, since 2026, perpetuals (CCN, 2026, \
second-hand); they are not in this file; choose another venue, or another person where all are \
closed
    """
    if not isinstance(data, Mapping):
        return (f"plan must be a dictionary with the fields of a plan, was {_shortened(data)}",)
    missing = [name for name in _NAMES if name not in data or data[name] is Ellipsis]
    strange = [str(name) for name in data if name not in _NAMES]
    problems = [f"{name} is missing; give it a value" for name in missing]
    problems += [f"{name} is no field of a plan; the fields are {', '.join(_NAMES)}" for name in strange]  # fmt: skip
    return tuple(problems) or _problems(_spelled(data))


def plan_from(data: Mapping[str, Any]) -> Plan:
    """Return the plan of a dictionary; `ValueError` lists everything that is wrong with it.

    Examples
    --------
    >>> plan_from(asdict(SOUND_PLAN)) == SOUND_PLAN
    True
    """
    problems = plan_problems(data)
    if problems:
        raise ValueError("\n".join(problems))
    return Plan(**{**_spelled(data), "fast": int(data["fast"]), "slow": int(data["slow"])})


def usable_plan(names: Mapping[str, Any]) -> Plan:
    """Return the plan in the variables ``my_choice`` and ``my_rules``, or the course's own.

    Parameters
    ----------
    names : mapping of str to value
        The names of a notebook: ``globals()``.

    Examples
    --------
    >>> usable_plan({}) == SOUND_PLAN
    The plan of the course is used: yours is not complete yet.
    True
    """
    place, rules = names.get("my_choice"), names.get("my_rules")
    if isinstance(place, Mapping) and isinstance(rules, Mapping):
        problems = place_problems(place) or rule_problems(place, rules)
        if not problems:
            print("Your plan is used.")
            return plan_from({**place, **rules})
    else:
        problems = ()
    missing = all(" is missing" in problem for problem in problems)
    reason = "yours is not complete yet." if missing else f"in yours, {problems[0]}."
    print(f"The plan of the course is used: {reason}")
    return SOUND_PLAN


def place_problems(data: object) -> tuple[str, ...]:
    """Say what speaks against a persona, venue, product and coin, before any rule is chosen.

    Parameters
    ----------
    data : mapping of str to str
        With the keys of `PLACE`.

    Examples
    --------
    >>> choice = {"persona": "Lea", "coin": "BTC"}
    >>> place_problems(choice | {"venue": "kraken", "product": "futures_linear"})
    ()
    >>> place_problems(choice | {"venue": "gemini", "product": "perpetual"})
    ('product is not known well enough: perpetual.maintenance_limit of gemini is unknown; I do \
not know what becomes of a plan there, so choose a product that tells',)
    """
    if not isinstance(data, Mapping):
        return (f"the choice must be a dictionary with {', '.join(PLACE)}, was {_shortened(data)}",)
    strange = [str(name) for name in data if name not in PLACE]
    if strange:
        return (f"{strange[0]} is no part of this choice; it has {', '.join(PLACE)}",)
    careful = asdict(SOUND_PLAN) | dict.fromkeys(PLACE, ...) | _spelled(data)
    if careful["venue"] in venue_names():
        products = {p.id: p for p in load_venue(str(careful["venue"])).products}
        product = products.get(str(careful["product"]))
        if product is not None:
            careful["margin_mode"] = product.fact("margin_modes").words().partition(", ")[0]
    return plan_problems(careful)


def rule_problems(
    place: Mapping[str, Any],
    rules: object,
    judge: Callable[[Mapping[str, Any]], tuple[str, ...]] | None = None,
) -> tuple[str, ...]:
    """Say what is wrong with rules that were written for a place already chosen.

    Parameters
    ----------
    place : mapping of str to str
        The fields in `PLACE`, without a problem.
    rules : mapping of str to value
        All other fields of `Plan`. They cannot change the place, and are not those of `SOUND_PLAN`.
    judge : callable, optional
        What else to ask of a plan without problems, such as `run_problems`.

    Examples
    --------
    >>> place = {"persona": "Ida", "venue": "kraken", "product": "futures_linear", "coin": "BTC"}
    >>> rules = {key: value for key, value in asdict(SOUND_PLAN).items() if key not in place}
    >>> rule_problems(place, rules | {"slow": 50})
    ()
    >>> rule_problems(place, rules | {"slow": 50, "persona": "Kei"})
    ('persona belongs to the choice of who, where and what; take it out of the rules',)
    """
    if not isinstance(rules, Mapping):
        return (
            f"the rules must be a dictionary, was {_shortened(rules)}; write name: value pairs",
        )
    twice = [name for name in PLACE if name in rules]
    if twice:
        return (
            f"{twice[0]} belongs to the choice of who, where and what; take it out of the rules",
        )
    data = {**place, **rules}
    problems = plan_problems(data)
    if problems:
        return problems
    if _written(plan_from(data)) == _written(SOUND_PLAN):
        return (
            "these are the rules of the worked example, number for number; write your own, and "
            "have a reason for each",
        )
    return judge(data) if judge else ()


def _written(plan: Plan) -> dict[str, Any]:
    """Return the rules that are numbers or one word."""
    return {
        name: value for name, value in asdict(plan).items() if name not in (*PLACE, "stop_when")
    }


def _problems(data: Mapping[str, Any]) -> tuple[str, ...]:
    """Judge the fields one by one; then, if each is possible, what they make together."""
    return tuple(_single(data)) or tuple(_together(data))


def _single(data: Mapping[str, Any]) -> Iterator[str]:
    yield from _one_of(data, "persona", PERSONAS)
    yield from _one_of(data, "coin", COIN_PRICES)
    yield from _one_of(data, "direction", DIRECTIONS)
    yield from _one_of(data, "margin_mode", ("isolated", "cross"))
    unknown_venue = list(_one_of(data, "venue", venue_names()))
    yield from unknown_venue
    if not unknown_venue:
        products = load_venue(data["venue"]).products
        linear = [p.id for p in products if p.fact("contract").value != "inverse"]
        if data["product"] in [p.id for p in products if p.id not in linear]:
            yield (
                f"product must be settled in the quote currency, was {_shortened(data['product'])}, "
                f"which is settled in the coin; choose one of {', '.join(linear)}"
            )
        else:
            yield from _one_of(data, "product", linear)
    for name, (low, high) in _RANGES.items():
        value = data[name]
        if not (_is_finite(value) and low < value <= high):
            yield (
                f"{name} must be above {low:g} and at most {high:g}, was {_shortened(value)}; write per cent "
                f"as a decimal: 0.01 is 1 %"
            )
    for name in ("leverage", "max_exposure"):
        value = data[name]
        least = 1 if name == "leverage" else 0
        if not (_is_finite(value) and value >= least and value > 0):
            rule = "1 or more" if least else "above 0"
            yield f"{name} must be a number, {rule}, was {_shortened(value)}; 2 means 2x"
    fast, slow = data["fast"], data["slow"]
    whole = all(_is_finite(n) and float(n).is_integer() for n in (fast, slow))
    if not (whole and 0 < fast < slow <= LONGEST_AVERAGE):
        yield (
            f"fast and slow must be whole numbers with 0 < fast < slow <= {LONGEST_AVERAGE}, were "
            f"{_shortened(fast)} and {_shortened(slow)}; give numbers of bars"
        )
    words = data["stop_when"].split() if isinstance(data["stop_when"], str) else []
    different = {word.casefold() for word in words if len(word) > 1}
    if len(words) < LEAST_WORDS or len(different) < LEAST_DIFFERENT:
        yield (
            f"stop_when must say in at least {LEAST_WORDS} words, {LEAST_DIFFERENT} of them "
            f"different, what would make you stop, has {len(words)}, {len(different)} of them "
            "different; name something that you can observe"
        )


def _one_of(data: Mapping[str, Any], name: str, allowed: Any) -> Iterator[str]:
    value = data[name]
    if not (isinstance(value, str) and value in allowed):
        yield f"{name} must be one of {', '.join(allowed)}, was {_shortened(value)}; write it as a text"


def _shortened(value: object) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 1] + "…"


def _is_finite(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def _together(data: Mapping[str, Any]) -> Iterator[str]:
    risk, stop = data["risk_per_trade"], data["stop_distance"]
    exposure, leverage = risk / stop, data["leverage"]
    if exposure > data["max_exposure"]:
        yield (
            f"max_exposure must be at least risk_per_trade / stop_distance = {exposure:.3g}, was "
            f"{data['max_exposure']!r}; risk less, put the stop further away, or allow more"
        )
    if data["max_exposure"] > leverage:
        yield (
            f"max_exposure must be at most leverage = {leverage!r}, was {data['max_exposure']!r}; "
            "more than that cannot be opened"
        )
    if data["daily_loss_limit"] < risk:
        yield (
            f"daily_loss_limit must be at least risk_per_trade = {risk!r}, was "
            f"{data['daily_loss_limit']!r}; otherwise the first loss breaks it"
        )
    if data["total_loss_limit"] < data["daily_loss_limit"]:
        yield (
            f"total_loss_limit must be at least daily_loss_limit = {data['daily_loss_limit']!r}, "
            f"was {data['total_loss_limit']!r}; one bad day would end the plan"
        )
    try:
        yield from _at_the_venue(data)
    except UnknownFactError as error:
        yield (
            f"product is not known well enough: {error.fact} of {error.venue} is unknown; "
            "I do not know what becomes of a plan there, so choose a product that tells"
        )


def _at_the_venue(data: Mapping[str, Any]) -> Iterator[str]:
    """Ask venue and law, and whether the stop comes before the liquidation price."""
    person, price = PERSONAS[data["persona"]], COIN_PRICES[data["coin"]]
    product = load_venue(data["venue"], place=person.residence).product(data["product"])
    modes = product.fact("margin_modes").words()
    if data["margin_mode"] not in modes:
        yield f"margin_mode must be one that the product has ({modes}), was {data['margin_mode']!r}"
        return
    quantity = data["risk_per_trade"] / data["stop_distance"] * person.balance / price
    trade: dict[str, Any] = {"quantity": quantity, "asset": data["coin"], "venues": [data["venue"]]}
    who: dict[str, Any] = {"residence": person.residence, "client": person.client}
    refused, closed = (
        offer.refusals
        for leverage in (data["leverage"], 1)
        for offer in compare(LONG, price, leverage=leverage, **trade, **who)
        if offer.product == data["product"]
    )
    if refused:
        what = "venue is closed to" if closed else "leverage is refused for"
        advice = (
            "choose another venue, or another person where all are closed"
            if closed
            else "choose a lower one"
        )
        yield f"{what} {person.name}: {(closed or refused)[0]}; {advice}"
        return
    _paper_rules(product, data["coin"], person.residence)
    for side in DIRECTIONS[data["direction"]]:
        initial = quantity * price / data["leverage"]
        margin = person.balance if data["margin_mode"] == "cross" else initial
        end = liquidation_price_at(
            product, side, price, quantity, margin, leverage=data["leverage"], asset=data["coin"]
        )
        at_stop = price * (1 - side * data["stop_distance"])
        if side * (at_stop - end) <= 0:
            way = "long" if side > 0 else "short"
            yield (
                f"stop_distance puts the stop of a {way} from {price:,.0f} at {at_stop:,.0f}, "
                f"behind the liquidation price {end:,.0f}; choose a lower leverage or a nearer stop"
            )


def access_of(place: Mapping[str, str]) -> str:
    """Return the word that venue and law have for a persona, venue and product, at no leverage.

    Parameters
    ----------
    place : mapping of str to str
        With the keys of `PLACE`.

    Returns
    -------
    str
        One of :data:`leverage.jurisdictions.ANSWERS`.

    Examples
    --------
    >>> kraken = {"venue": "kraken", "product": "futures_linear", "coin": "BTC"}
    >>> access_of(kraken | {"persona": "Ida"}), access_of(kraken | {"persona": " lea"})
    ('not refused', 'unknown')
    """
    place = _spelled(place)
    person, price = PERSONAS[place["persona"]], COIN_PRICES[place["coin"]]
    offers = compare(
        LONG,
        price,
        leverage=1,
        quantity=1,
        asset=place["coin"],
        residence=person.residence,
        client=person.client,
        venues=[place["venue"]],
    )
    return next(offer.access for offer in offers if offer.product == place["product"])


def _paper_rules(product: Product, coin: str, place: str) -> Rules:
    """Return the rules of a product; a funding interval that is unknown is taken as eight hours."""
    funded = product.fact("carrying_cost").value == "funding"
    hidden = funded and not product.fact("funding_interval_hours").is_known
    return venue_rules(
        product.venue,
        product.id,
        place=place,
        assets=(coin,),
        overrides={"funding_interval_hours": FUNDING_HOURS} if hidden else None,
        needs_interval=funded,
    )


SOUND_PLAN = Plan(
    persona="Ida",
    venue="kraken",
    product="futures_linear",
    coin="BTC",
    margin_mode="isolated",
    direction="long",
    fast=5,
    slow=20,
    risk_per_trade=0.01,
    stop_distance=0.08,
    leverage=2.0,
    max_exposure=0.5,
    daily_loss_limit=0.03,
    total_loss_limit=0.10,
    stop_when=(
        "I stop for good at the total loss limit, after one order that I cannot explain, "
        "or when the venue changes a rule that the plan rests on."
    ),
)
"""A plan that later cells of the course use. It is careful; it promises nothing."""
