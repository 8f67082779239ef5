"""The rules of a market: a venue's data brought into one record, or rules of your own.

The engine knows no venue. It reads a requirement by name, levels, fees, tiers and what happens when
a position is closed by force from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from math import inf
from typing import Any, cast

from leverage._validate import LIQUIDATION, checked_choice, shown, warn_of_per_cent
from leverage.paper.exchange_errors import BadRequest
from leverage.tiers import TierTable
from leverage.venues import load_venue
from leverage.venues.records import UNKNOWN, Product, TierData, UnknownFactError
from leverage.venues.rules import Reading

REQUIREMENTS = (
    "maintenance at mark",
    "maintenance at entry",
    "closing fee inside",
    "margin level",
    "stop-out at used margin",
    "assets over debt",
)
ON_TIERS = REQUIREMENTS[:3]
CONTRACTS = ("linear", "inverse", "spot margin", "cfd")
MODES = ("cross", "isolated")
RESTING = ("reserved", "checked at fill")


@dataclass(frozen=True)
class Rules:
    """What holds for every position on a market.

    Attributes
    ----------
    requirement : str
        Equity that a position must keep. ``"maintenance at mark"``, ``"maintenance at entry"`` and
        ``"closing fee inside"`` read the tiers; ``"margin level"`` and ``"stop-out at used
        margin"`` take `close_out_level` times the used margin, which for the first follows the
        mark of a short; ``"assets over debt"`` keeps assets at `close_out_level` times the debt.
    taker_fee_rate, maker_fee_rate : float
        Decimal of the notional.
    tiers : mapping of str to TierTable
        By asset; ``""`` stands for any other one.
    tier_unit : {"notional", "quantity"}
        What the bounds of the tiers count.
    max_leverage : float
        Where the tiers name none.
    close_out_level : float
        Level for the last three requirements: 0.4 is 40 %.
    call_level : float, optional
        Level of a margin call, in the same measure; for requirements on tiers a margin ratio below
        1. None if there is no call.
    contract : {"linear", "inverse", "spot margin", "cfd"}
        What is traded.
    contract_size : float
        What one contract stands for: base currency, or quote currency if inverse.
    settlement : str
        Quote currency, ``"USDT"``; the coin settles an inverse contract.
    margin_modes, position_modes : tuple of str
        ``"cross"``, ``"isolated"``; ``"one-way"``, ``"hedge"``.
    initial_margin_price : {"entry", "mark"}
        Price that values the initial margin of an open cross position.
    resting_order_margin : {"reserved", "checked at fill"}
        What becomes of an accepted limit order when open losses have eaten free margin: it fills
        with the margin reserved for it, or it is checked again and cancelled.
    liquidation_fee_rate : float
        Decimal of the notional closed by force; goes to the insurance fund.
    partial_liquidation : bool
        Whether a position above the first tier is first cut down, tier by tier.
    takeover : {"bankruptcy", "market"}
        Who keeps what is left of the margin: the insurance fund, or the trader.
    insurance_fund, auto_deleveraging, negative_balance_protection : bool
        Who pays when a margin does not cover its loss, in this order.
    carrying_cost : {"funding", "rollover", "interest", "none"}
        What holding a position costs.
    funding_interval_hours : float, optional
        Hours between two settlements of funding, or two rollovers.
    reduce_only_excess : {"refused", "trimmed"}
        What becomes of a reduce-only order that is larger than its position.
    reduce_only_rest : {"cancelled", "trimmed"}
        What becomes of the rest of one whose position has become smaller since: the order ends
        cancelled in part, or is cut to what it could close and ends filled.
    reduce_only_together : bool
        Whether resting reduce-only orders may not be larger than the position together.
    isolated_leverage_change : {"any", "raise", "none"}
        How the leverage of an open isolated position may change.
    margin_netting : bool
        Whether of cross positions in one coin the larger side alone requires margin.
    opening_fee_rates, carrying_rates : tuple of float
        For long and short: of the position cost, when it is opened and for each rollover. For
        interest, the rate per hour of what is borrowed.
    name : str
        What the rules are called.
    assumptions : tuple of str
        What is not known and what is done instead.

    Examples
    --------
    >>> Rules.retail(max_leverage=2, close_out_level=0.5).requirement
    'stop-out at used margin'
    """

    requirement: str = "maintenance at mark"
    taker_fee_rate: float = 0.0
    maker_fee_rate: float = 0.0
    tiers: Mapping[str, TierTable] = field(default_factory=dict)
    tier_unit: str = "notional"
    max_leverage: float = 100.0
    close_out_level: float = 1.0
    call_level: float | None = None
    contract: str = "linear"
    contract_size: float = 1.0
    settlement: str = "USDT"
    margin_modes: tuple[str, ...] = MODES
    position_modes: tuple[str, ...] = ("one-way", "hedge")
    initial_margin_price: str = "entry"
    resting_order_margin: str = "reserved"
    liquidation_fee_rate: float = 0.0
    partial_liquidation: bool = True
    takeover: str = "bankruptcy"
    insurance_fund: bool = True
    auto_deleveraging: bool = True
    negative_balance_protection: bool = True
    carrying_cost: str = "funding"
    funding_interval_hours: float | None = 8.0
    reduce_only_excess: str = "refused"
    reduce_only_rest: str = "cancelled"
    reduce_only_together: bool = False
    isolated_leverage_change: str = "any"
    margin_netting: bool = False
    opening_fee_rates: tuple[float, float] = (0.0, 0.0)
    carrying_rates: tuple[float, float] = (0.0, 0.0)
    name: str = "custom"
    assumptions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if isinstance(self.tiers, TierTable):
            object.__setattr__(self, "tiers", {"": self.tiers})
        try:
            self._check()
        except ValueError as error:
            raise BadRequest(f"rules: {error}") from None

    def _check(self) -> None:
        checked_choice("requirement", self.requirement, REQUIREMENTS)
        checked_choice("contract", self.contract, CONTRACTS)
        checked_choice("tier_unit", self.tier_unit, ("notional", "quantity"))
        checked_choice("initial_margin_price", self.initial_margin_price, ("entry", "mark"))
        checked_choice("resting_order_margin", self.resting_order_margin, RESTING)
        checked_choice("takeover", self.takeover, ("bankruptcy", "market"))
        checked_choice(
            "carrying_cost", self.carrying_cost, ("funding", "rollover", "interest", "none")
        )
        checked_choice("reduce_only_excess", self.reduce_only_excess, ("refused", "trimmed"))
        checked_choice("reduce_only_rest", self.reduce_only_rest, ("cancelled", "trimmed"))
        checked_choice(
            "isolated_leverage_change", self.isolated_leverage_change, ("any", "raise", "none")
        )
        for mode in self.margin_modes:
            checked_choice("margin_modes", mode, MODES)
        for mode in self.position_modes:
            checked_choice("position_modes", mode, ("one-way", "hedge"))
        for name in ("taker_fee_rate", "maker_fee_rate", "liquidation_fee_rate"):
            _check_between(name, getattr(self, name), -0.5, 0.5)
        for name in ("taker_fee_rate", "maker_fee_rate"):
            warn_of_per_cent(name, getattr(self, name))
        warn_of_per_cent("liquidation_fee_rate", self.liquidation_fee_rate, LIQUIDATION)
        _check_between("max_leverage", self.max_leverage, 1, inf)
        _check_between("contract_size", self.contract_size, 1e-12, 1e12)
        _check_between("close_out_level", self.close_out_level, 1e-6, 10)
        if self.liquidation_fee_rate < 0:
            raise ValueError("liquidation_fee_rate must be zero or more; it is not a rebate")
        if self.funding_interval_hours is not None:
            _check_between("funding_interval_hours", self.funding_interval_hours, 1 / 60, 8760)
        if self.requirement in ON_TIERS and not self.tiers:
            raise ValueError(
                f"tiers must be given for {self.requirement!r}, were empty; give a TierTable"
            )
        if self.call_factor < 1:
            raise ValueError(
                f"call_level must be met before the close-out, was {shown(self.call_level or 0)} "
                f"with a close-out at {shown(self.close_out_level)}"
            )

    @classmethod
    def retail(cls, max_leverage: float = 2.0, close_out_level: float = 0.5) -> Rules:
        """Rules as for retail clients of CFDs: a leverage cap and a close-out, no debts.

        Parameters
        ----------
        max_leverage : float, default 2.0
            Cap on the leverage.
        close_out_level : float, default 0.5
            Positions are closed when equity falls to this share of their initial margin.

        Returns
        -------
        Rules
            In US dollars, without fees, with negative balance protection and without funding.

        References
        ----------
        ESMA decision (EU) 2018/796 (2018-05-22): 2:1 for cryptocurrencies, close-out at 50 % of
        the initial margin of the account, negative balance protection. It expired on 2019-07-31;
        national rules on the same lines hold since, in Germany BaFin's of 2019-07-23.
        """
        return cls(
            requirement="stop-out at used margin",
            max_leverage=max_leverage,
            close_out_level=close_out_level,
            contract="cfd",
            settlement="USD",
            margin_modes=("cross",),
            position_modes=("one-way",),
            partial_liquidation=False,
            takeover="market",
            insurance_fund=False,
            auto_deleveraging=False,
            negative_balance_protection=True,
            carrying_cost="none",
            name="retail",
        )

    @property
    def is_inverse(self) -> bool:
        """Whether contracts are settled in the base currency."""
        return self.contract == "inverse"

    @property
    def trading_wallet(self) -> str:
        """Name of the wallet that backs positions."""
        return "margin" if self.contract == "spot margin" else "swap"

    @property
    def call_factor(self) -> float:
        """How many times the requirement the equity is worth at a margin call; 1 for no call."""
        if self.call_level is None:
            return 1.0
        if self.requirement in ON_TIERS:
            return 1 / self.call_level
        if self.requirement == "assets over debt":
            return (self.call_level - 1) / (self.close_out_level - 1)
        return self.call_level / self.close_out_level

    def table(self, asset: str) -> TierTable | None:
        """Tier table of an asset; None if the requirement needs none."""
        return self.tiers.get(asset, self.tiers.get(""))


def venue_rules(
    venue: str,
    product: str | None = None,
    *,
    on: Any = None,
    place: str = "",
    assets: tuple[str, ...] = ("BTC",),
    overrides: Mapping[str, Any] | None = None,
    needs_interval: bool = False,
) -> Rules:
    """Rules of a venue's product, from its data.

    Parameters
    ----------
    venue : str
        As in :func:`leverage.venues.load_venue`.
    product : str, optional
        Key of the product; the venue's main one if left out.
    on : date or str, optional
        Day whose rules are wanted.
    place : str, optional
        Residence whose rules are wanted, where the venue has some of its own.
    assets : tuple of str, default ("BTC",)
        Coins to trade, which need tiers.
    overrides : mapping of str to value, optional
        Facts to take instead of the venue's, by their names in its data or in :class:`Rules`.
    needs_interval : bool, default False
        Whether the funding interval must be known.

    Returns
    -------
    Rules
        With what is not known and not needed in `assumptions`.

    Raises
    ------
    UnknownFactError
        If a fact that the exchange cannot do without is unknown and not overridden.

    Examples
    --------
    >>> rules = venue_rules("kraken", "spot_margin", overrides={"maker_fee_rate": 0.0025})
    >>> rules.requirement, rules.call_level, rules.close_out_level, rules.call_factor
    ('margin level', 0.8, 0.4, 2.0)
    """
    data = load_venue(venue, on=on, place=place)
    traded = data.product(product or data.main_product)
    return _FactReader(traded, overrides or {}).rules(assets, needs_interval)


class _Overrides(dict[str, Any]):
    """Facts given instead of the venue's, which remember what was asked for."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        super().__init__(given)
        self.asked: set[object] = set()

    def __contains__(self, name: object) -> bool:
        self.asked.add(name)
        return super().__contains__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self.asked.add(name)
        return super().get(name, default)


# Facts that another carrying cost than the product's own would need.
_CARRYING = (
    "interest_rate",
    "rollover_interval_hours",
    *(f"{kind}_fee_rate_{way}" for kind in ("opening", "rollover") for way in ("long", "short")),
)


class _FactReader:
    """Takes facts from a product, or from what overrides them, and keeps book of assumptions."""

    def __init__(self, product: Product, overrides: Mapping[str, Any]) -> None:
        self.product = product
        self.given = _Overrides(overrides)
        self.assumed: list[str] = []
        self.missing: list[str] = []
        known = {*product.facts, *(item.name for item in fields(Rules)), "tiers", *_CARRYING}
        strange = sorted(set(overrides) - known)
        if strange:
            raise BadRequest(
                f"overrides must name facts of {product.id} or fields of Rules, had "
                f"{', '.join(strange)}; see load_venue({product.venue!r})"
            )

    def number(self, name: str) -> float:
        if name in self.given:
            return float(self.given[name])
        try:
            fact = self.product.facts.get(name)
            if fact is not None:
                return fact.number()
        except UnknownFactError:
            pass
        self.missing.append(name)
        return 1.0

    def word(self, name: str) -> str:
        if name in self.given:
            return str(self.given[name])
        return self.product.fact(name).words()

    def assumed_value(self, name: str, default: Any, words: str) -> Any:
        """Take a fact, or the default where it is unknown; then say so."""
        if name in self.given:
            return self.given[name]
        fact = self.product.facts.get(name)
        if fact is not None and fact.is_known:
            return fact.value
        if fact is None or fact.value == UNKNOWN:
            self.assumed.append(f"{self.product.id}.{name} is unknown: {words}")
        return default

    def rules(self, assets: tuple[str, ...], needs_interval: bool) -> Rules:
        requirement = self._requirement()
        contract = self.word("contract")
        on_tiers = requirement in ON_TIERS
        tiers, unit = self._tiers(assets) if on_tiers else ({}, "notional")
        states = bool(tiers) and all(t.max_leverages is not None for t in tiers.values())
        carrying = str(self.assumed_value("carrying_cost", "none", "holding costs nothing"))
        has_fund = bool(
            self.assumed_value("insurance_fund", False, "no fund takes or pays anything")
        )
        adl = self.assumed_value(
            "auto_deleveraging", False, "no position is closed to cover another's loss"
        )
        values: dict[str, Any] = {
            "requirement": requirement,
            "taker_fee_rate": self.number("taker_fee_rate"),
            "maker_fee_rate": self.number("maker_fee_rate"),
            "tiers": tiers,
            "tier_unit": unit,
            "max_leverage": max(
                (max(t.max_leverages or (1.0,)) for t in tiers.values()), default=1.0
            )
            if states
            else self.number("max_leverage"),
            "close_out_level": 1.0 if on_tiers else self.number("close_out_level"),
            "call_level": self._call_level(),
            "contract": contract,
            "contract_size": self.number("contract_size") if contract == "inverse" else 1.0,
            "settlement": self._settlement(contract),
            "margin_modes": tuple(m for m in self._words("margin_modes", MODES) if m in MODES),
            "position_modes": self._position_modes(),
            "initial_margin_price": self._initial_margin_price(),
            "resting_order_margin": self.assumed_value(
                "resting_order_margin",
                "reserved",
                "an accepted limit order fills with the margin reserved for it",
            ),
            "liquidation_fee_rate": float(
                self.assumed_value("liquidation_fee", 0.0, "closing by force costs the taker fee")
            ),
            "partial_liquidation": on_tiers,
            "takeover": "bankruptcy" if has_fund else "market",
            "insurance_fund": has_fund,
            "auto_deleveraging": adl is True,
            "negative_balance_protection": bool(
                self.assumed_value(
                    "negative_balance_protection",
                    True,
                    "the venue bears a loss beyond the account's money",
                )
            ),
            "carrying_cost": carrying,
            "funding_interval_hours": self._interval(carrying, needs_interval),
            "name": f"{self.product.venue} {self.product.id}",
        }
        values |= self._carrying_rates(carrying)
        values |= self._order_rules(contract)
        own = {item.name for item in fields(Rules)} - {"tiers", "close_out_level"}
        values |= {name: value for name, value in self.given.items() if name in own}
        self._refuse(own)
        return Rules(**values, assumptions=tuple(self.assumed))

    def _order_rules(self, contract: str) -> dict[str, Any]:
        """Take what the venue does with reduce-only orders and open isolated positions."""
        if contract not in ("linear", "inverse"):
            return {}
        said = {
            "reduce_only_excess": ("refused", "one larger than its position is refused"),
            "reduce_only_rest": ("cancelled", "what is left of one is cancelled"),
            "reduce_only_together": (False, "each may be as large as the position"),
            "isolated_leverage_change": ("any", "it may be raised and lowered"),
            "margin_netting": (False, "both sides of a hedge require margin"),
        }
        return {name: self.assumed_value(name, *row) for name, row in said.items()}

    def _requirement(self) -> str:
        for name in ("requirement", "liquidation_rule"):
            if name in self.given:
                return str(self.given[name])
        fact = self.product.fact("liquidation_rule")
        if fact.is_known and fact.value in REQUIREMENTS:
            return fact.words()
        self.missing.append("liquidation_rule")
        return REQUIREMENTS[0]

    def _refuse(self, own: set[str]) -> None:
        """Refuse what is needed and unknown, all at once, and what was given for nothing."""
        if self.missing:
            how = {
                "liquidation_rule": '"maintenance at mark"',
                "tiers": "TierTable.flat(0.005)",
            }
            rule = self.product.fact("liquidation_rule").value
            first = self.missing[0]
            if first == "liquidation_rule" and rule == "account limit unknown":
                first = "maintenance_limit"
            given = ", ".join(f'"{name}": {how.get(name, "...")}' for name in self.missing)
            raise UnknownFactError(
                self.product.venue,
                f"{self.product.id}.{first}",
                f"or give overrides={{{given}}} to trade with values of your own",
            )
        unused = sorted(set(self.given) - self.given.asked - own)
        if unused:
            raise BadRequest(
                f"overrides must be facts that {self.product.id} of {self.product.venue} is traded "
                f"by, had {', '.join(unused)}, which nothing reads under its liquidation rule; "
                "leave them out"
            )

    def _words(self, name: str, default: tuple[str, ...]) -> tuple[str, ...]:
        value = self.given.get(name)
        if value is None:
            value = self.product.fact(name).known()
        return (value,) if isinstance(value, str) else tuple(cast(tuple[str, ...], value))

    def _position_modes(self) -> tuple[str, ...]:
        named = {"netting": "one-way", "hedging": "hedge"}
        default = (
            ("one-way", "hedge")
            if self.product.facts["contract"].value in ("linear", "inverse")
            else ("one-way",)
        )
        modes = self.assumed_value("position_modes", default, f"{' and '.join(default)}")
        return tuple(named.get(mode, mode) for mode in modes)

    def _initial_margin_price(self) -> str:
        word = self.assumed_value("initial_margin_price", "entry", "valued at the entry price")
        return str(word) if word in ("entry", "mark") else "entry"

    def _call_level(self) -> float | None:
        value = self.given.get("call_level")
        if value is None:
            fact = self.product.facts.get("call_level")
            value = fact.number() if fact is not None and fact.is_known else None
        return None if value is None else float(value)

    def _settlement(self, contract: str) -> str:
        words = str(self.given.get("settlement", self.product.fact("settlement").value))
        return words if words.isupper() else ("USD" if contract != "linear" else "USDT")

    def _interval(self, carrying: str, needed: bool) -> float | None:
        if carrying == "rollover":
            return self.number("rollover_interval_hours")
        if carrying == "interest":
            return 1.0
        if carrying != "funding":
            return None
        fact = self.product.facts.get("funding_interval_hours")
        if needed or "funding_interval_hours" in self.given or (fact and fact.is_known):
            return self.number("funding_interval_hours")
        return None

    def _carrying_rates(self, carrying: str) -> dict[str, Any]:
        if carrying == "rollover":
            ways = ("long", "short")
            return {
                "opening_fee_rates": tuple(self.number(f"opening_fee_rate_{way}") for way in ways),
                "carrying_rates": tuple(self.number(f"rollover_fee_rate_{way}") for way in ways),
            }
        if carrying == "interest":
            rate = self.number("interest_rate")
            return {"carrying_rates": (rate, rate)}
        return {}

    def _tiers(self, assets: tuple[str, ...]) -> tuple[dict[str, TierTable], str]:
        given = self.given.get("tiers")
        if isinstance(given, TierTable):
            return {"": self._capped(given)}, str(self.given.get("tier_unit", "notional"))
        tables: dict[str, TierTable] = dict(given or {})
        units = set()
        for asset in assets:
            if asset in tables or "" in tables:
                continue
            try:
                data = self.product.tiers(asset)
            except UnknownFactError:
                self.missing.append("tiers")
                return {}, "notional"
            units.add(data.bounds)
            tables[asset] = data.table(self._reading(data))
            if not data.complete:
                self.assumed.append(
                    f"{self.product.id}.tiers.{asset} is known up to {shown(data.cap)} "
                    f"{data.unit}: nothing larger may be opened"
                )
        if len(units) > 1:
            raise BadRequest("all assets of one exchange must have tiers in the same unit")
        tables = {asset: self._capped(table) for asset, table in tables.items()}
        return tables, units.pop() if units else str(self.given.get("tier_unit", "notional"))

    def _capped(self, table: TierTable) -> TierTable:
        """Cap the leverages of a table where a largest one is given."""
        cap = self.given.get("max_leverage")
        if cap is None or table.max_leverages is None:
            return table
        leverages = [min(leverage, float(cap)) for leverage in table.max_leverages]
        return TierTable(
            table.bounds, table.maintenance_margin_rates, leverages, table.maintenance_amounts
        )

    def _reading(self, data: TierData) -> Reading:
        method = self.given.get("tier_method", self.product.fact("tier_method").value)
        if method == UNKNOWN:
            if len(data.tiers) > 1:
                self.assumed.append(
                    f"{self.product.id}.tier_method is unknown: the rate of a tier is applied to "
                    "the whole position, which asks for more"
                )
            return "whole"
        if method == "maintenance amount":
            return "given" if data.states_amounts else "marginal"
        return "marginal" if method == "each bracket" else "whole"


def _check_between(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name} must be from {shown(low)} to {shown(high)}, was {shown(value)}")
