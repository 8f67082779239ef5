"""Bad input is refused by ccxt's error, with the numbers that decided it, and changes nothing."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ccxt
import numpy as np
import pandas as pd
import pytest
from paper_states import FALL, HOUR, LINEAR, START, bars_through, closed, exchange, isolated

from leverage.paper import PaperExchange, exchange_errors


def whole_state(paper: Any, folder: Path) -> str:
    """Everything that a save keeps, and everything that the trader is shown."""
    paper.save(folder / "state")
    shown = [
        [
            face.snapshot(),
            face.fetch_balance(),
            face.fetch_balance({"type": "spot"}),
            face.fetch_positions(),
            face.fetch_orders(),
            face.fetch_my_trades(),
            face.fetch_ledger(),
            face.events(),
        ]
        for name in paper.accounts()
        for face in [paper.account(name)]
    ]
    return (folder / "state").read_text(encoding="utf-8") + repr(shown)


@dataclass(frozen=True)
class Refusal:
    """A call that must be refused: by which error, and saying what."""

    name: str
    call: Callable[[Any], Any]
    error: str
    says: tuple[str, ...]
    build: Callable[[], Any] = isolated


def poor() -> Any:
    """An account with 100 USDT."""
    return exchange(balance=100)


def saver() -> Any:
    """An account with money in both wallets and a position."""
    paper = exchange(balance=1_000)
    paper.deposit("USDT", 50)
    paper.set_leverage(10, LINEAR)
    paper.create_order(LINEAR, "market", "buy", 0.1)
    return paper


def short_of_one() -> Any:
    """A short of 0.3 and nothing else, where reduce-only orders are refused and not trimmed."""
    paper = exchange(overrides={"reduce_only_excess": "refused"})
    paper.create_order(LINEAR, "market", "sell", 0.3)
    return paper


def filled_order(paper: Any) -> str:
    (order,) = [o for o in paper.fetch_closed_orders(LINEAR) if o["clientOrderId"] == "entry"]
    return str(order["id"])


def number(value: float) -> str:
    """A pattern for a number as it may be written: 1000, 1 000 or 1,000.00."""
    whole = f"{value:,.10f}".rstrip("0").rstrip(".")
    return re.escape(whole).replace(",", "[, \u2009\u202f_]?")


CALLS = [
    Refusal(
        "unknown symbol, order",
        lambda x: x.create_order("XRP/USDT:USDT", "market", "buy", 1),
        "BadSymbol",
        ("XRP/USDT:USDT", re.escape(LINEAR)),
    ),
    Refusal("unknown symbol, ticker", lambda x: x.fetch_ticker("XRP"), "BadSymbol", ("XRP",)),
    Refusal(
        "amount below the minimum",
        lambda x: x.create_order(LINEAR, "market", "buy", 0.000_1),
        "InvalidOrder",
        (number(0.000_1), r"0\.001"),
    ),
    Refusal(
        "amount of nothing",
        lambda x: x.create_order(LINEAR, "market", "buy", 0),
        "InvalidOrder",
        ("0",),
    ),
    Refusal(
        "cost below the minimum",
        lambda x: x.create_order(LINEAR, "limit", "buy", 0.001, 100),
        "InvalidOrder",
        (number(0.1), "minimum|at least"),
    ),
    Refusal(
        "negative amount",
        lambda x: x.create_order(LINEAR, "market", "buy", -1),
        "InvalidOrder",
        ("-1",),
    ),
    Refusal(
        "amount that is no number",
        lambda x: x.create_order(LINEAR, "market", "buy", math.nan),
        "InvalidOrder",
        ("nan",),
    ),
    Refusal(
        "negative price",
        lambda x: x.create_order(LINEAR, "limit", "buy", 1, -5),
        "InvalidOrder",
        ("-5",),
    ),
    Refusal(
        "limit order without a price",
        lambda x: x.create_order(LINEAR, "limit", "buy", 1),
        "InvalidOrder|ArgumentsRequired",
        ("price",),
    ),
    Refusal(
        "unknown side",
        lambda x: x.create_order(LINEAR, "market", "hold", 1),
        "InvalidOrder",
        ("hold", "buy", "sell"),
    ),
    Refusal(
        "leverage above every tier",
        lambda x: x.set_leverage(1_000, LINEAR),
        "BadRequest",
        (number(1_000), "(125|150)"),
        exchange,
    ),
    Refusal(
        "leverage below 1",
        lambda x: x.set_leverage(0.5, LINEAR),
        "BadRequest",
        (r"0\.5",),
        exchange,
    ),
    Refusal(
        "order above what its tier allows at this leverage",
        lambda x: (x.set_leverage(100, LINEAR), x.create_order(LINEAR, "market", "buy", 500))[1],
        "OperationRejected",
        (number(100),),
        lambda: _at_leverage(exchange(balance=1e8), 100),
    ),
    Refusal(
        "insufficient margin",
        lambda x: x.create_order(LINEAR, "market", "buy", 10),
        "InsufficientFunds",
        (number(100), r"\d[\d, \u2009\u202f]*\.?\d*"),
        poor,
    ),
    Refusal(
        "insufficient margin for a limit order",
        lambda x: x.create_order(LINEAR, "limit", "buy", 10, 49_000),
        "InsufficientFunds",
        (number(100),),
        poor,
    ),
    Refusal(
        "reduce-only that would increase",
        lambda x: x.create_order(LINEAR, "market", "sell", 0.1, None, {"reduceOnly": True}),
        "InvalidOrder",
        (r"0\.3",),
        short_of_one,
    ),
    Refusal(
        "reduce-only larger than the position",
        lambda x: x.create_order(LINEAR, "market", "buy", 0.4, None, {"reduceOnly": True}),
        "InvalidOrder",
        (r"0\.3", r"0\.4"),
        short_of_one,
    ),
    Refusal(
        "reduce-only without a position",
        lambda x: x.create_order(LINEAR, "market", "buy", 0.4, None, {"reduceOnly": True}),
        "InvalidOrder",
        ("0",),
        exchange,
    ),
    Refusal(
        "cancel of a filled order",
        lambda x: x.cancel_order(filled_order(x), LINEAR),
        "OrderNotFound",
        (r"0\.5",),
    ),
    Refusal(
        "cancel of an order that never was",
        lambda x: x.cancel_order("999999", LINEAR),
        "OrderNotFound",
        ("999999",),
    ),
    Refusal(
        "edit of a filled order",
        lambda x: x.edit_order(filled_order(x), LINEAR, "limit", "buy", 1, 40_000),
        "OrderNotFound",
        (),
    ),
    Refusal(
        "post-only that would fill",
        lambda x: x.create_order(LINEAR, "limit", "buy", 0.1, 60_000, {"postOnly": True}),
        "OrderImmediatelyFillable",
        (number(60_000),),
        exchange,
    ),
    Refusal(
        "fill-or-kill in a thin market",
        lambda x: x.create_order(LINEAR, "limit", "buy", 1, 49_850.5, {"timeInForce": "FOK"}),
        "OrderNotFillable",
        (r"\b1\b",),
        lambda: exchange(liquidity=0.01),
    ),
    Refusal(
        "the same clientOrderId twice",
        lambda x: x.create_order(LINEAR, "market", "buy", 0.1, None, {"clientOrderId": "entry"}),
        "DuplicateOrderId",
        ("entry",),
    ),
    Refusal(
        "transfer of used margin",
        lambda x: x.transfer("USDT", 900, "swap", "spot"),
        "InsufficientFunds",
        (number(900),),
        saver,
    ),
    Refusal(
        "withdrawal of more than is in the spot wallet",
        lambda x: x.withdraw("USDT", 51, "paper"),
        "InsufficientFunds",
        (number(51), number(50)),
        saver,
    ),
    Refusal(
        "reduction of margin that the position needs",
        lambda x: x.reduce_margin(LINEAR, 10_000),
        "InsufficientFunds",
        (number(10_000),),
    ),
    Refusal("negative deposit", lambda x: x.deposit("USDT", -1), "BadRequest", ("-1",), exchange),
    Refusal(
        "deposit of what no market knows",
        lambda x: x.deposit("DOGE", 1),
        "BadRequest",
        ("DOGE", "USDT"),
        exchange,
    ),
    Refusal(
        "time running backwards",
        lambda x: x.run_until(START + HOUR),
        "BadRequest",
        (str(START + HOUR) + "|2024-01-01T01:00",),
    ),
    Refusal("a negative step", lambda x: x.step(-1), "BadRequest", ("-1",)),
    Refusal(
        "change of margin mode with a position",
        lambda x: x.set_margin_mode("cross", LINEAR),
        "OperationRejected",
        (r"0\.5|position",),
    ),
    Refusal(
        "change of position mode with a position",
        lambda x: x.set_position_mode(True),
        "OperationRejected",
        (),
    ),
    Refusal(
        "order while closed",
        lambda x: x.create_order(LINEAR, "market", "sell", 0.5),
        "OnMaintenance",
        (re.escape(LINEAR),),
        closed,
    ),
    Refusal(
        "cancel of all while closed",
        lambda x: x.cancel_all_orders(LINEAR),
        "OnMaintenance",
        (re.escape(LINEAR),),
        closed,
    ),
    Refusal(
        "cancel while closed",
        lambda x: x.cancel_order(x.fetch_open_orders(LINEAR)[0]["id"], LINEAR),
        "OnMaintenance",
        (re.escape(LINEAR),),
        closed,
    ),
    Refusal(
        "order before signing up",
        lambda x: x.create_order(LINEAR, "market", "buy", 0.1),
        "AuthenticationError",
        (),
        lambda: exchange(balance=None),
    ),
]


def _at_leverage(paper: Any, leverage: float) -> Any:
    paper.set_leverage(leverage, LINEAR)
    return paper


@pytest.mark.parametrize("refusal", CALLS, ids=lambda refusal: refusal.name)
def test_a_refused_call_says_why_and_changes_nothing(refusal: Refusal, tmp_path: Path) -> None:
    paper = refusal.build()
    before = whole_state(paper, tmp_path)
    with pytest.raises(exchange_errors.BaseError) as caught:
        refusal.call(paper)
    names = {kind.__name__ for kind in type(caught.value).__mro__}
    assert names & set(refusal.error.split("|")), f"{type(caught.value)}: {caught.value}"
    assert hasattr(ccxt, type(caught.value).__name__) or type(caught.value).__name__ in OWN
    message = str(caught.value)
    for pattern in refusal.says:
        assert re.search(pattern, message), f"{pattern!r} is not in {message!r}"
    assert whole_state(paper, tmp_path) == before


# Errors that ccxt has no name for; each is a kind of one that it has.
OWN = {"BadFeed", "UnreadableSave"}


GOOD = bars_through(FALL)


def with_row(index: int, *row: float) -> list[list[float]]:
    rows = copy.deepcopy(GOOD)
    rows[index] = [*rows[index]]
    for place, value in enumerate(row):
        rows[index][place] = value
    return rows


FEEDS = {
    "NaN in a price": with_row(3, START + 3 * HOUR, 50_000, math.nan, 49_900, 50_000),
    "infinite price": with_row(3, START + 3 * HOUR, 50_000, math.inf, 49_900, 50_000),
    "negative price": with_row(3, START + 3 * HOUR, 50_000, 50_100, -49_900, 50_000),
    "price of nothing": with_row(3, START + 3 * HOUR, 50_000, 50_100, 0, 50_000),
    "high below low": with_row(3, START + 3 * HOUR, 50_000, 49_000, 50_000, 50_000),
    "close outside the bar": with_row(3, START + 3 * HOUR, 50_000, 50_100, 49_900, 50_200),
    "time running backwards": with_row(3, START + HOUR),
    "the same time twice": with_row(3, START + 2 * HOUR),
    "no bars": [],
}


def overlapping() -> list[list[float]]:
    """A bar that starts in the middle of the one before."""
    rows = copy.deepcopy(GOOD)
    rows.insert(4, [rows[3][0] + HOUR // 2, *rows[3][1:]])
    return rows


@pytest.mark.parametrize("kind", ["rows", "array", "frame"])
@pytest.mark.parametrize("name", FEEDS)
def test_a_feed_that_no_market_had_is_refused(name: str, kind: str) -> None:
    rows = FEEDS[name]
    kept = copy.deepcopy(rows)
    given: Any = rows
    if kind == "array":
        given = np.array(rows).reshape(-1, 6)
    elif kind == "frame":
        columns = ["timestamp", "open", "high", "low", "close", "volume"]
        given = pd.DataFrame(rows, columns=columns)
    with pytest.raises(exchange_errors.BadRequest) as caught:
        PaperExchange({LINEAR: given}, venue="binance", balance=1_000)
    assert isinstance(caught.value, ValueError)
    assert re.search(r"\d", str(caught.value)) or name == "no bars"
    assert repr(rows) == repr(kept)


def test_overlapping_bars_are_refused() -> None:
    """Two feeds of different lengths that are laid over each other."""
    first = bars_through(FALL[:6])
    second = [[row[0] + HOUR // 2, *row[1:]] for row in first]
    mixed = sorted(first[:3] + second[:3])
    uneven = [first[0], first[1], [first[1][0] + HOUR // 2, *first[1][1:]], *first[2:]]
    for rows in ([*mixed, mixed[-1]], uneven):
        with pytest.raises(exchange_errors.BadRequest, match=r"\d"):
            PaperExchange({LINEAR: rows}, venue="binance", balance=1_000)


@pytest.mark.parametrize("cut", [0, 1, 100, -200, -1])
def test_a_truncated_save_harms_nothing(cut: int, tmp_path: Path) -> None:
    paper = isolated()
    saved = tmp_path / "run"
    paper.save(saved)
    whole = saved.read_bytes()
    saved.write_bytes(whole[:cut])
    before = whole_state(paper, tmp_path)
    with pytest.raises(exchange_errors.BadRequest) as caught:
        PaperExchange.resume(saved)
    assert isinstance(caught.value, ValueError)
    assert saved.name in str(caught.value)
    assert saved.read_bytes() == whole[:cut]
    assert whole_state(paper, tmp_path) == before


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b"null", b"\x00\xff\xfe", b'{"format": 1}', b"PK\x03\x04"]
)
def test_a_foreign_file_is_not_resumed(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "foreign"
    file.write_bytes(content)
    with pytest.raises(exchange_errors.BadRequest):
        PaperExchange.resume(file)
    assert file.read_bytes() == content


def test_a_save_with_one_changed_digit_is_not_resumed(tmp_path: Path) -> None:
    paper = isolated()
    saved = tmp_path / "run"
    paper.save(saved)
    text = saved.read_text(encoding="utf-8")
    for place in [m.start() for m in re.finditer(r"\d", text)][:: max(len(text) // 40, 1)]:
        other = "7" if text[place] != "7" else "3"
        saved.write_text(text[:place] + other + text[place + 1 :], encoding="utf-8")
        with pytest.raises(exchange_errors.BadRequest):
            PaperExchange.resume(saved)


def test_a_run_resumed_goes_on_as_if_never_saved(tmp_path: Path) -> None:
    paper = isolated()
    paper.save(tmp_path / "run")
    again = PaperExchange.resume(tmp_path / "run")
    for each in (paper, again):
        each.run_until()
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert whole_state(paper, tmp_path / "a") == whole_state(again, tmp_path / "b")
