"""Answers of venues' public interfaces, read as facts: every unit is checked before it is believed.

A venue's reader knows the documented shape of one answer. What has another shape, another unit, or
tiers that do not rise is refused in a sentence; nothing of it is used.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from math import inf, isclose
from pathlib import Path
from types import MappingProxyType
from typing import Any

BRACKETS = "freqtrade/exchange/binance_leverage_tiers.json"


class FetchError(ValueError):
    """A venue could not be asked, or its answer cannot be believed; the bundled facts stay."""


@dataclass(frozen=True)
class FetchedTiers:
    """A tier table as an interface gave it.

    Attributes
    ----------
    symbol, base, unit, bounds : str
        As in :class:`leverage.venues.TierData`.
    tiers : tuple of tuple
        From, to, maintenance rate, maximum leverage and, where the venue has one, maintenance
        amount.
    """

    symbol: str
    base: str
    unit: str
    bounds: str
    tiers: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Fetched:
    """What one venue's interface said.

    Attributes
    ----------
    venue, product : str
        Keys of the data.
    endpoint : str
        What was asked, in one line.
    rates : mapping of str to float
        Fees as decimals, by the names of the facts.
    tables : tuple of FetchedTiers
        One for each symbol.
    dated : datetime.date or None
        Day of the answer where it is not that of asking: a file may be old.
    """

    venue: str
    product: str
    endpoint: str
    rates: Mapping[str, float]
    tables: tuple[FetchedTiers, ...]
    dated: date | None = None

    @property
    def numbers(self) -> Mapping[str, tuple[float, str]]:
        """Value and unit of each fact: the fees, and what the first tier of BTC says."""
        found = {name: (rate, "of notional") for name, rate in self.rates.items()}
        for table in self.tables:
            if table.base == "BTC":
                _, end, _, most, *_ = table.tiers[0]
                found |= {"max_leverage": (most, "x"), "max_leverage_holds_to": (end, table.unit)}
                break
        return found


@dataclass(frozen=True)
class Reader:
    """How a venue is asked, and how its answer is read.

    Attributes
    ----------
    product, endpoint : str
        Key of the product, and what is asked.
    ccxt_name : str
        What ccxt calls the venue; empty if it gives its tiers to nobody without a key.
    ask : callable
        ccxt exchange in, raw answers by symbol out.
    read : callable
        Raw answers in, rates and tables out.
    """

    product: str
    endpoint: str
    ccxt_name: str
    ask: Callable[[Any], Mapping[str, Any]]
    read: Callable[[Mapping[str, Any]], tuple[Mapping[str, float], tuple[FetchedTiers, ...]]]


def read_answer(venue: str, answers: Mapping[str, Any]) -> Fetched:
    """Read the raw answers of a venue, or raise `FetchError`.

    Examples
    --------
    >>> level = {"symbol": "BTCUSDT", "riskLimitValue": "2000000", "maintenanceMargin": "0.005",
    ...          "initialMargin": "0.01", "maxLeverage": "100.00", "mmDeduction": "0"}
    >>> answer = {"BTCUSDT": {"result": {"category": "linear", "list": [level]}}}
    >>> read_answer("bybit", answer).tables[0].tiers
    ((0.0, 2000000.0, 0.005, 100.0, 0.0),)
    """
    reader = READERS[venue]
    try:
        rates, tables = reader.read(answers)
        check_believable(rates, tables)
    except FetchError as error:
        raise FetchError(f"{venue}: {error}; the bundled facts stay") from None
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise FetchError(
            f"{venue}: the answer of {reader.endpoint} has another shape than documented "
            f"({type(error).__name__}: {error}); the bundled facts stay"
        ) from None
    return Fetched(venue, reader.product, reader.endpoint, MappingProxyType(dict(rates)), tables)


def read_brackets(venue: str, path: Path) -> Fetched:
    """Read a venue's brackets from a freqtrade wheel; their date is that of the file in it."""
    import zipfile  # it costs 10 ms, and every lesson loads this module

    try:
        with zipfile.ZipFile(path) as wheel:
            day = date(*wheel.getinfo(BRACKETS).date_time[:3])
            answers = dict(json.loads(wheel.read(BRACKETS)))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise FetchError(
            f"{venue}: {path} is no freqtrade wheel with {BRACKETS} ({error}); get one with "
            "`pip download --no-deps freqtrade`"
        ) from None
    return replace(read_answer(venue, answers), dated=day)


def check_believable(numbers: Mapping[str, float], tables: Iterable[FetchedTiers]) -> None:
    """Raise `FetchError` unless fees are small decimals, leverages possible and tiers rise.

    Examples
    --------
    >>> check_believable({"taker_fee_rate": 0.0005, "max_leverage": 100.0}, [])
    >>> check_believable({"taker_fee_rate": 0.05}, [])
    Traceback (most recent call last):
    leverage.venues.fetching.FetchError: taker_fee_rate is 0.05, which is no fee as a decimal
    """
    for name, number in numbers.items():
        if name.endswith("fee_rate"):
            _expect(-0.01 < number < 0.01, f"{name} is {number:g}, which is no fee as a decimal")
        elif name == "max_leverage":
            _expect(1 <= number <= 1_000, f"{name} is {number:g}, which no venue has")
        else:
            _expect(number > 0, f"{name} is {number:g}, and must be above zero")
    for table in tables:
        _check_tiers(table)


def _expect(holds: bool, words: str) -> None:
    if not holds:
        raise FetchError(words)


def _check_tiers(table: FetchedTiers) -> None:
    name = f"the tiers of {table.symbol}"
    _expect(bool(table.tiers), f"{name} are empty")
    _expect(table.tiers[0][0] == 0, f"{name} do not begin at 0")
    for lower, upper, rate, most, *_ in table.tiers:
        _expect(upper > lower, f"{name} do not rise: {lower:g} to {upper:g}")
        _expect(0 < rate < 1, f"{name} have a maintenance rate of {rate:g}, which is no decimal")
        _expect(1 <= most <= 1_000, f"{name} have a leverage of {most:g}")
        _expect(
            rate * most <= 1, f"{name} require more to keep ({rate:g}) than to open (1/{most:g})"
        )
    for before, after in zip(table.tiers, table.tiers[1:], strict=False):
        _expect(before[1] == after[0], f"{name} have a gap at {before[1]:g}")
        _expect(before[2] <= after[2], f"{name} have a maintenance rate that falls")
        _expect(before[3] >= after[3], f"{name} have a leverage that rises with size")


# ---- one reader for each venue


def _bybit(answers: Mapping[str, Any]) -> tuple[dict[str, float], tuple[FetchedTiers, ...]]:
    tables = []
    for symbol, answer in answers.items():
        result = answer["result"]
        _expect(result["category"] == "linear", f"{symbol} is not linear, so its unit is not USDT")
        lower, rows = 0.0, []
        for level in sorted(result["list"], key=lambda level: float(level["riskLimitValue"])):
            _expect(level["symbol"] == symbol, f"asked for {symbol}, got {level['symbol']}")
            upper, most = float(level["riskLimitValue"]), float(level["maxLeverage"])
            _expect(
                isclose(float(level["initialMargin"]) * most, 1, rel_tol=0.01),
                f"{symbol}: an initial margin of {level['initialMargin']} and {most:g}x disagree",
            )
            amount = float(level.get("mmDeduction") or 0)
            rows.append((lower, upper, float(level["maintenanceMargin"]), most, amount))
            lower = upper
        tables.append(FetchedTiers(symbol, _base(symbol, "USDT"), "USDT", "notional", tuple(rows)))
    return {}, tuple(tables)


def _bitget(answers: Mapping[str, Any]) -> tuple[dict[str, float], tuple[FetchedTiers, ...]]:
    tables = []
    for symbol, answer in answers["levers"].items():
        rows = tuple(
            (
                float(level["startUnit"]),
                float(level["endUnit"]),
                float(level["keepMarginRate"]),
                float(level["leverage"]),
            )
            for level in sorted(answer["data"], key=lambda level: int(level["level"]))
        )
        _expect(
            all(level["symbol"] == symbol for level in answer["data"]),
            f"asked for {symbol}, got another symbol",
        )
        tables.append(FetchedTiers(symbol, _base(symbol, "USDT"), "USDT", "notional", rows))
    (contract,) = (row for row in answers["contracts"]["data"] if row["symbol"] == "BTCUSDT")
    _expect(contract["quoteCoin"] == "USDT", "BTCUSDT is not quoted in USDT")
    fees = {f"{who}_fee_rate": float(contract[f"{who}FeeRate"]) for who in ("taker", "maker")}
    return fees, tuple(tables)


def _kraken(answers: Mapping[str, Any]) -> tuple[dict[str, float], tuple[FetchedTiers, ...]]:
    wanted = {"PF_XBTUSD": "BTC", "PF_ETHUSD": "ETH"}
    tables = []
    for row in answers["instruments"]:
        symbol = row["symbol"].upper()
        if symbol not in wanted:
            continue
        levels = row["marginLevels"]
        _expect(
            all("numNonContractUnits" in level for level in levels),
            f"{symbol} counts its levels in contracts, not in USD",
        )
        starts = [float(level["numNonContractUnits"]) for level in levels]
        rows = tuple(
            (
                lower,
                upper,
                float(level["maintenanceMargin"]),
                round(1 / float(level["initialMargin"]), 2),
            )
            for level, lower, upper in zip(levels, starts, [*starts[1:], inf], strict=True)
        )
        tables.append(FetchedTiers(symbol, wanted[symbol], "USD", "notional", rows))
    _expect(len(tables) == len(wanted), f"{' or '.join(wanted)} is missing")
    return {}, tuple(tables)


def _mexc(answers: Mapping[str, Any]) -> tuple[dict[str, float], tuple[FetchedTiers, ...]]:
    tables, fees = [], {}
    for symbol, answer in answers.items():
        data = answer["data"]
        base = data["baseCoin"]
        _expect(
            (data["symbol"], data["quoteCoin"], data["settleCoin"]) == (symbol, "USDT", "USDT"),
            f"{symbol} does not settle in USDT",
        )
        size = float(data["contractSize"])
        _expect(0 < size <= 10, f"a contract of {symbol} holds {size:g} {base}, which cannot be")
        # Volumes are counted in contracts; contracts times their size are coins, never USDT.
        first, step, end = (
            float(data[name]) * size for name in ("riskBaseVol", "riskIncrVol", "maxVol")
        )
        opening, keeping = float(data["initialMarginRate"]), float(data["maintenanceMarginRate"])
        _expect(
            isclose(opening * float(data["maxLeverage"]), 1, rel_tol=0.01),
            f"{symbol}: an initial margin of {opening:g} and {data['maxLeverage']}x disagree",
        )
        rows, lower, upper = [], 0.0, first
        for _ in range(int(data["riskLevelLimit"])):
            upper = min(upper, end) if end else upper
            rows.append((round(lower, 8), round(upper, 8), keeping, round(1 / opening, 2)))
            if upper == end:
                break
            lower, upper = upper, upper + step
            opening += float(data["riskIncrImr"])
            keeping = round(keeping + float(data["riskIncrMmr"]), 10)
        tables.append(FetchedTiers(symbol, base, base, "quantity", tuple(rows)))
        if base == "BTC":
            fees = {f"{who}_fee_rate": float(data[f"{who}FeeRate"]) for who in ("taker", "maker")}
    return fees, tuple(tables)


def _binance(answers: Mapping[str, Any]) -> tuple[dict[str, float], tuple[FetchedTiers, ...]]:
    tables = []
    for base in ("BTC", "ETH", "SOL", "XRP", "DOGE"):
        rows = []
        for level in answers[f"{base}/USDT:USDT"]:
            _expect(level["currency"] == "USDT", f"{base} is counted in {level['currency']}")
            rows.append(
                (
                    float(level["minNotional"]),
                    float(level["maxNotional"]),
                    float(level["maintenanceMarginRate"]),
                    float(level["maxLeverage"]),
                    float(level["info"]["cum"]),
                )
            )
        tables.append(FetchedTiers(f"{base}USDT", base, "USDT", "notional", tuple(rows)))
    return {}, tuple(tables)


def _base(symbol: str, quote: str) -> str:
    _expect(symbol.endswith(quote), f"{symbol} is not quoted in {quote}")
    return symbol.removesuffix(quote)


def _ask_bybit(exchange: Any) -> Mapping[str, Any]:
    ask = exchange.publicGetV5MarketRiskLimit
    return {s: ask({"category": "linear", "symbol": s}) for s in ("BTCUSDT", "ETHUSDT")}


def _ask_bitget(exchange: Any) -> Mapping[str, Any]:
    kind = {"productType": "USDT-FUTURES"}
    ask = exchange.publicMixGetV2MixMarketQueryPositionLever
    return {
        "levers": {s: ask({"symbol": s, **kind}) for s in ("BTCUSDT", "ETHUSDT", "SOLUSDT")},
        "contracts": exchange.publicMixGetV2MixMarketContracts(kind),
    }


def _ask_kraken(exchange: Any) -> Mapping[str, Any]:
    return dict(exchange.publicGetInstruments())


def _ask_mexc(exchange: Any) -> Mapping[str, Any]:
    return {s: exchange.contractPublicGetDetail({"symbol": s}) for s in ("BTC_USDT", "ETH_USDT")}


def _ask_nobody(exchange: Any) -> Mapping[str, Any]:
    raise FetchError("its brackets need a key")


READERS: Mapping[str, Reader] = MappingProxyType(
    {
        "binance": Reader("usdt_futures", BRACKETS, "", _ask_nobody, _binance),
        "bitget": Reader(
            "usdt_futures", "GET v2/mix/market/query-position-lever", "bitget", _ask_bitget, _bitget
        ),
        "bybit": Reader("linear", "GET v5/market/risk-limit", "bybit", _ask_bybit, _bybit),
        "kraken": Reader(
            "futures_linear",
            "GET derivatives/api/v3/instruments",
            "krakenfutures",
            _ask_kraken,
            _kraken,
        ),
        "mexc": Reader("futures", "GET api/v1/contract/detail", "mexc", _ask_mexc, _mexc),
    }
)
"""How each venue is asked. A venue that is missing has no endpoint for it."""
