"""What every face of the exchange is made of: the world behind it, its account, and ccxt's names."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from math import isfinite
from typing import Any, TypeAlias

from leverage._grid import down_to, nearest_to
from leverage.bars import length_of, timeframe_of
from leverage.paper import ledger, order_desk
from leverage.paper.engine import Engine
from leverage.paper.exchange_errors import (
    ArgumentsRequired,
    AuthenticationError,
    BadRequest,
    BadSymbol,
    InsufficientFunds,
    InvalidOrder,
    NoSuchMethod,
    NotSupported,
)
from leverage.paper.formats import amounts, as_milliseconds, decimal_text, iso
from leverage.paper.replies import currency_dict, features_dict, market_dict
from leverage.paper.state import SPOT, Account
from leverage.paper.world import World

Params: TypeAlias = Mapping[str, Any] | None

TIMEFRAMES = (
    "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w",
)  # fmt: skip
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800, "M": 2_592_000, "y": 31_536_000}
_FIAT = ("USD", "EUR", "GBP", "GUSD")
# What the names of ccxt's unified methods begin with.
_VERBS = (
    "add_", "borrow_", "cancel_", "close_", "create_", "deposit", "edit_", "fetch_", "load_",
    "reduce_", "repay_", "set_", "sign_in", "transfer", "un_watch_", "watch_", "withdraw",
)  # fmt: skip
_CANNOT = (
    "future",
    "option",
    "prediction",
    "sandbox",
    "createOrders",
    "CORS",
    "fetchBidsAsks",
    "fetchOrderBooks",
)


class _Has(dict[str, Any]):
    """What the exchange can do; None for anything that is not named."""

    def __missing__(self, name: str) -> None:
        return None


class Face:
    """One account's view of a world, under the names that code written for ccxt expects."""

    id = "paper"
    precisionMode = 4  # noqa: N815 - ccxt's name; precisions are steps, ccxt's TICK_SIZE
    # What programs read or set on every exchange of ccxt; nothing is connected to, so nothing waits.
    version, countries = "paper", ()
    rateLimit, enableRateLimit, timeout, verbose, pro = 0, True, 10_000, False, False  # noqa: N815 - ccxt's names
    apiKey, secret, password, uid = "", "", "", ""  # noqa: N815 - ccxt's names
    _parts: tuple[type, ...]
    _world: World
    _engine: Engine
    _name: str

    def _bind(self, world: World, engine: Engine, name: str) -> None:
        rules = world.rules
        self._world, self._engine, self._name = world, engine, name
        self.name = f"Paper exchange ({rules.name})"
        self.options: dict[str, Any] = {"defaultType": world.wallet}
        self.has = _Has(
            dict.fromkeys(_ccxt_methods(self._parts), True)
            | dict.fromkeys(_CANNOT, False)
            | {
                "spot": world.wallet == "margin",
                "margin": world.wallet == "margin",
                "swap": world.wallet == "swap",
            }
        )
        self.features: dict[str, Any] = features_dict(world)
        instruments = world.instruments.values()
        self.markets = {
            one.symbol: market_dict(one, rules.taker_fee_rate, rules.maker_fee_rate)
            for one in instruments
        }
        codes = dict.fromkeys(
            code for one in instruments for code in (one.settle, one.quote, one.base)
        )
        self.currencies = {code: currency_dict(code, code in _FIAT) for code in codes}
        self.timeframes = {name: name for name in _timeframes(world.tape.length)}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._world.rules.name!r}, account {self._name!r})"

    def __getattr__(self, name: str) -> Any:
        """Find a method by its camelCase name."""
        snake = _snake_case(name)
        if snake != name and not name.startswith("_") and hasattr(type(self), snake):
            return getattr(self, snake)
        if snake.startswith(_VERBS):
            raise NoSuchMethod(f"{name} is not supported here; see has for what is")
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __getitem__(self, name: str) -> Any:
        """Give an attribute or method by its name in either style."""
        return getattr(self, name)

    # ---- what ccxt's base class offers everywhere

    @property
    def symbols(self) -> list[str]:
        """Symbols that are traded."""
        return list(self.markets)

    @property
    def codes(self) -> list[str]:
        """Codes of the currencies."""
        return list(self.currencies)

    @property
    def markets_by_id(self) -> dict[str, list[dict[str, Any]]]:
        """Markets by their ids."""
        return {market["id"]: [market] for market in self.markets.values()}

    @property
    def currencies_by_id(self) -> dict[str, dict[str, Any]]:
        """Currencies by their ids."""
        return {currency["id"]: currency for currency in self.currencies.values()}

    @property
    def fees(self) -> dict[str, Any]:
        """Fee rates of all markets, as decimals."""
        rules = self._world.rules
        rates = {"maker": rules.maker_fee_rate, "taker": rules.taker_fee_rate}
        return {"trading": {"percentage": True, "tierBased": False, **rates}, "funding": {}}

    def calculate_fee(
        self,
        symbol: str,
        type: str,
        side: str,
        amount: float,
        price: float,
        takerOrMaker: str = "taker",  # noqa: N803 - ccxt's name
        params: Params = None,
    ) -> dict[str, Any]:
        """Fee that an order would cost; a post-only order is a maker's."""
        instrument = self._world.instruments[str(self.market(symbol)["symbol"])]
        kind = "maker" if (params or {}).get("postOnly") else takerOrMaker
        rate = self.fees["trading"][kind]
        cost = instrument.value(amount, price) * rate
        return {"type": kind, "currency": instrument.settle, "rate": rate, "cost": cost}

    def check_required_credentials(self, error: bool = True) -> bool:
        """Tell whether there is an account; there is no key to check."""
        if error:
            self._account()
        return self._name in self._world.state.accounts

    def set_sandbox_mode(self, enabled: bool) -> None:
        """Do nothing: all of it is paper.

        Raises
        ------
        NotSupported
            If a live exchange is asked for.
        """
        if not enabled:
            raise NotSupported("there is no live exchange behind this one; it trades on paper")

    def load_markets(self, reload: bool = False, params: Params = None) -> dict[str, Any]:
        """Markets by symbol."""
        return self.markets

    def milliseconds(self) -> int:
        """Time on the exchange, in milliseconds."""
        return self._world.state.now

    def microseconds(self) -> int:
        """Time on the exchange, in microseconds."""
        return self.milliseconds() * 1000

    def seconds(self) -> int:
        """Time on the exchange, in whole seconds."""
        return self.milliseconds() // 1000

    @staticmethod
    def iso8601(timestamp: Any) -> str | None:
        """Write a time in ISO form."""
        return None if timestamp is None else iso(int(timestamp))

    @staticmethod
    def parse8601(timestamp: Any) -> int | None:
        """Read a time in ISO form, in milliseconds."""
        return None if timestamp is None else as_milliseconds(str(timestamp))

    parse_date = parse8601

    @staticmethod
    def parse_timeframe(timeframe: str) -> int:
        """Give the seconds of a timeframe, 3600 for ``"1h"``."""
        return int(timeframe[:-1]) * _SECONDS[timeframe[-1]]

    def market(self, symbol: str) -> dict[str, Any]:
        """Market structure of a symbol or of a market's id.

        Raises
        ------
        BadSymbol
            If there is no such market.
        """
        found = self.markets.get(symbol) or self.markets_by_id.get(symbol, [None])[0]
        if found is None:
            raise BadSymbol(
                f"symbol must be one of {', '.join(self.markets)}, was {symbol!r}; see symbols"
            )
        return found

    def market_id(self, symbol: str) -> str:
        """Id of a symbol's market."""
        return str(self.market(symbol)["id"])

    def currency(self, code: str) -> dict[str, Any]:
        """Currency structure of a code."""
        if code in self.currencies:
            return self.currencies[code]
        raise BadSymbol(f"code must be one of {', '.join(self.currencies)}, was {code!r}")

    def price_to_precision(self, symbol: str, price: Any) -> str:
        """Round a price to the tick."""
        return decimal_text(nearest_to(float(price), self.market(symbol)["precision"]["price"]))

    def amount_to_precision(self, symbol: str, amount: Any) -> str:
        """Cut an amount to the lot.

        Raises
        ------
        InvalidOrder
            If nothing is left of it.
        """
        lot = self.market(symbol)["precision"]["amount"]
        cut = down_to(float(amount), lot)
        if cut == 0:
            raise InvalidOrder(
                f"amount must be at least {decimal_text(lot)} of {symbol}, was {amount}"
            )
        return decimal_text(cut)

    def cost_to_precision(self, symbol: str, cost: Any) -> str:
        """Cut a cost to the step of its currency."""
        return decimal_text(down_to(float(cost), self.market(symbol)["precision"]["cost"]))

    # ---- what the methods of an account share

    def _account(self) -> Account:
        account = self._world.state.accounts.get(self._name)
        if account is None or not account.signed_up:
            raise AuthenticationError(f"{self._name!r} has no account here; call sign_up() first")
        return account

    def _ready(self) -> Account:
        return order_desk.require_ready(self._world.state.accounts.get(self._name), self._name)

    def _symbol(self, symbol: str | None) -> str:
        if symbol is None:
            raise ArgumentsRequired("symbol must be given; see symbols")
        return str(self.market(symbol)["symbol"])

    def _symbol_or_all(self, symbol: str | None) -> str | None:
        return None if symbol is None else self._symbol(symbol)

    def _money(self, code: str, amount: Any) -> float:
        if code not in self.currencies:
            raise BadRequest(f"code must be one of {', '.join(self.currencies)}, was {code!r}")
        try:
            value = float(amount)
        except (TypeError, ValueError):
            raise BadRequest(f"amount must be a number, was {amount!r}") from None
        if isinstance(amount, bool) or not isfinite(value) or value <= 0:
            raise BadRequest(f"amount must be positive and finite, was {amount!r}")
        return value

    def _wallet(self, name: Any) -> str:
        if name in (SPOT, "funding", "main"):
            return SPOT
        if name in (self._world.wallet, "trading", "swap", "future", "margin", "derivatives"):
            return self._world.wallet
        raise BadRequest(f"wallet must be 'spot' or {self._world.wallet!r}, was {name!r}")

    def _require_free(self, account: Account, code: str, amount: float, wallet: str) -> None:
        world = self._world
        if wallet == SPOT:
            there = ledger.balance(world.state, world.pot(account, SPOT), code)
        else:
            there = world.withdrawable(account, code)
        if amount > there + 1e-12 * max(there, 1.0):
            asked, held = amounts(code, amount, max(there, 0.0))
            raise InsufficientFunds(
                f"{asked} are asked for, {held} are free in the {wallet} wallet"
            )


@cache
def _timeframes(length: int) -> tuple[str, ...]:
    """Name the timeframes into which bars of a length can be merged, their own one first."""
    longer = (name for name in TIMEFRAMES if length_of(name) % length == 0)
    return (timeframe_of(length), *longer)


def _snake_case(name: str) -> str:
    """Write a method's name as Python does: ``fetch_ohlcv`` for ``fetchOHLCV``."""
    snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
    return snake.replace("_o_h_l_c_v", "_ohlcv")


def _camel_case(name: str) -> str:
    """Write a method's name as ccxt's manual does: ``fetchOHLCV`` for ``fetch_ohlcv``."""
    first, *rest = name.replace("ohlcv", "o_h_l_c_v").split("_")
    return first + "".join(part.capitalize() for part in rest)


@cache
def _ccxt_methods(parts: tuple[type, ...]) -> tuple[str, ...]:
    """Name ccxt's methods that a face has: those that its parts define."""
    names = [_camel_case(name) for part in parts for name in vars(part) if not name.startswith("_")]
    return tuple(names)
