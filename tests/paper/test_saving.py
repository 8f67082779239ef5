"""A run is saved to one file and goes on exactly; a file that is not one harms nothing."""

from __future__ import annotations

import json

import numpy as np
import pytest

from leverage import TierTable
from leverage.paper import FundingModel, PaperExchange, exchange_errors
from leverage.venues import UnknownFactError

BTC = "BTC/USDT:USDT"
HOUR = 3_600_000
START = 1_600_000_000_000 // 86_400_000 * 86_400_000

GEMINI = {
    "liquidation_rule": "maintenance at mark",
    "tiers": TierTable.flat(0.005),
    "taker_fee_rate": 0.0005,
    "maker_fee_rate": 0.0002,
}


def history(seed=1, count=120):
    dice = np.random.default_rng(seed)
    price, rows = 50_000.0, []
    for number in range(count):
        close = price * float(np.exp(dice.normal() * 0.01))
        high, low = max(price, close) * 1.003, min(price, close) * 0.997
        if number not in range(50, 53):
            rows.append([START + number * HOUR, price, high, low, close, 5.0])
        price = close
    return rows


def midway(**options):
    """A run with positions, every kind of open order and a second account."""
    exchange = PaperExchange(history(), balance=20_000, funding=FundingModel(), **options)
    other = exchange.open_account("other", 4_000)
    other.set_margin_mode("isolated", BTC)
    exchange.run_until(START + 20 * HOUR)
    last = exchange.last_price(BTC)
    exchange.create_order(
        BTC, "market", "buy", 0.4, None,
        {"stopLoss": {"triggerPrice": last * 0.9}, "takeProfit": {"triggerPrice": last * 1.2}},
    )  # fmt: skip
    exchange.create_order(BTC, "limit", "buy", 0.1, last * 0.97, {"clientOrderId": "mine"})
    exchange.create_order(BTC, "market", "sell", 0.1, None, {"trailingPercent": 2})
    other.create_order(BTC, "market", "sell", 0.3)
    exchange.run_until(START + 30 * HOUR + 1)
    return exchange


def rest(exchange):
    exchange.run_until()
    return exchange.postings(), exchange.fetch_orders(), exchange.events(), exchange.snapshot()


def test_a_resumed_run_goes_on_exactly(tmp_path):
    exchange = midway()
    exchange.save(tmp_path / "run.json")
    resumed = PaperExchange.resume(tmp_path / "run.json")
    assert repr(resumed._world.state) == repr(exchange._world.state)
    assert resumed.rules == exchange.rules
    assert rest(resumed) == rest(exchange)
    assert resumed.account("other").fetch_my_trades() == exchange.account("other").fetch_my_trades()


def test_saving_twice_gives_the_same_file(tmp_path):
    exchange = midway(liquidity=0.05, spread=0.0002)
    exchange.save(tmp_path / "one.json")
    PaperExchange.resume(tmp_path / "one.json").save(tmp_path / "two.json")
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.json", "two.json"]


def test_rules_of_your_own_are_saved_too(tmp_path, rules):
    mine = rules(tiers={"": TierTable.marginal([0, 1e5, float("inf")], [0.01, 0.02])})
    PaperExchange(history(), rules=mine, balance=5).save(tmp_path / "run.json")
    assert PaperExchange.resume(tmp_path / "run.json").rules == mine


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text[: len(text) // 2], "not a whole saved run"),
        (lambda text: "", "not a whole saved run"),
        (lambda text: '{"format": "a game", "version": 1}', "not a saved run"),
        (lambda text: "[1, 2]", "not a saved run"),
        (lambda text: text.replace('"version": 1', '"version": 99'), "version 99"),
        (lambda text: text.replace("main/swap", "main/swop", 1), "checksum"),
    ],
)
def test_a_damaged_or_foreign_file_is_refused(tmp_path, damage, message):
    path = tmp_path / "run.json"
    midway().save(path)
    path.write_text(damage(path.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(exchange_errors.UnreadableSave, match=message) as caught:
        PaperExchange.resume(path)
    assert isinstance(caught.value, ValueError)


def test_bytes_and_missing_files_are_refused(tmp_path):
    (tmp_path / "run.json").write_bytes(bytes(range(256)))
    with pytest.raises(exchange_errors.UnreadableSave, match="not text"):
        PaperExchange.resume(tmp_path / "run.json")
    with pytest.raises(exchange_errors.UnreadableSave, match="cannot be read"):
        PaperExchange.resume(tmp_path / "nothing.json")


def test_a_save_that_fails_leaves_the_old_file_whole(tmp_path, monkeypatch):
    exchange = midway()
    path = tmp_path / "run.json"
    exchange.save(path)
    before = path.read_bytes()
    monkeypatch.setattr(json, "dumps", lambda *_, **__: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        exchange.save(path)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["run.json"]


# ---- building


@pytest.mark.parametrize(
    ("venue", "product", "fact"),
    [
        ("gemini", "perpetual", "perpetual.maintenance_limit"),
        ("bitget", "coin_futures", "coin_futures.liquidation_rule"),
        ("binance", "cross_margin", "cross_margin.taker_fee_rate"),
        ("primexbt", "cfd_margin", "cfd_margin.taker_fee_rate"),
    ],
)
def test_a_fact_that_is_needed_and_unknown_is_named(venue, product, fact):
    with pytest.raises(UnknownFactError, match=fact):
        PaperExchange(history(), venue=venue, product=product)


def test_all_that_must_be_given_is_named_at_once_and_is_enough():
    with pytest.raises(UnknownFactError) as caught:
        PaperExchange(history(), venue="gemini")
    assert (
        'overrides={"liquidation_rule": "maintenance at mark", "tiers": TierTable.flat(0.005), '
        '"taker_fee_rate": ..., "maker_fee_rate": ...}'
    ) in str(caught.value)
    exchange = PaperExchange(history(), venue="gemini", overrides=GEMINI)
    assert exchange.rules.requirement == "maintenance at mark"
    for name in GEMINI:
        rest = {other: value for other, value in GEMINI.items() if other != name}
        with pytest.raises(UnknownFactError, match=f'overrides={{"{name}": [^,]*}} to trade'):
            PaperExchange(history(), venue="gemini", overrides=rest)


@pytest.mark.parametrize(
    ("venue", "product", "overrides"),
    [
        ("gemini", "perpetual", {"maintenance_limit": 0.5, **GEMINI}),
        ("binance", "usdt_futures", {"funding_cap": 0.02}),
        ("kraken", "spot_margin", {"tiers": TierTable.flat(0.01), "maker_fee_rate": 0.0025}),
        ("binance", "usdt_futures", {"close_out_level": 0.5, "trigger_price": "last"}),
    ],
)
def test_an_override_that_nothing_reads_is_refused(venue, product, overrides):
    with pytest.raises(
        exchange_errors.BadRequest, match=r"overrides must be facts that .* is traded by, had "
    ):
        PaperExchange(history(), venue=venue, product=product, overrides=overrides)


def test_funding_at_an_unknown_interval_needs_the_interval():
    with pytest.raises(UnknownFactError, match="funding_interval_hours"):
        PaperExchange(history(), venue="mexc", funding=0.0001)
    exchange = PaperExchange(
        history(), venue="mexc", funding=0.0001, overrides={"funding_interval_hours": 4}
    )
    assert exchange.fetch_funding_rate(BTC)["interval"] == "4h"


def test_a_venue_with_unknown_limits_works_once_they_are_given():
    exchange = PaperExchange(
        history(), venue="gemini", balance=1_000,
        overrides={
            "liquidation_rule": "maintenance at mark",
            "tiers": TierTable.flat(0.01, max_leverage=20),
            "taker_fee_rate": 0.0005, "maker_fee_rate": 0.0,
        },
    )  # fmt: skip
    assert exchange.symbols == ["BTC/GUSD:GUSD"]
    assert exchange.create_order("BTC/GUSD:GUSD", "market", "buy", 0.01)["status"] == "closed"


def test_what_is_assumed_is_said():
    said = PaperExchange(history(), venue="bitget").assumptions
    assert any("tier_method is unknown" in sentence for sentence in said)
    assert any("liquidation_fee" in sentence for sentence in said)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"overrides": {"taker_fee": 1}}, "overrides must name facts"),
        ({"spread": -1}, "spread must be"),
        ({"liquidity": 0}, "liquidity must be"),
        ({"path": "zigzag"}, "path must be"),
        ({"balance": -5}, "zero or more"),
        ({"balance": {"DOGE": 5}}, "code must be one of"),
        ({"funding": "free"}, "funding must be"),
        ({"funding": {"ETH/USDT:USDT": 0.1}}, "funding must be for symbols"),
        ({"funding": 2.0}, "between -1 and 1"),
        ({"markets": {"ETH/USDT:USDT": None}}, "markets must be for symbols"),
    ],
)
def test_a_wrong_option_is_refused_with_its_name(options, message):
    with pytest.raises(exchange_errors.BadRequest, match=message):
        PaperExchange(history(), **options)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"requirement": "luck"}, "requirement must be"),
        ({"tiers": {}}, "tiers must be given"),
        ({"taker_fee_rate": 5.0}, "taker_fee_rate"),
        ({"liquidation_fee_rate": -0.1}, "not a rebate"),
        ({"requirement": "margin level", "close_out_level": 0.4, "call_level": 0.3}, "call_level"),
        ({"funding_interval_hours": 0}, "funding_interval_hours"),
        ({"margin_modes": ("portfolio",)}, "margin_modes"),
    ],
)
def test_wrong_rules_are_refused(rules, changes, message):
    with pytest.raises(exchange_errors.BadRequest, match=message):
        rules(**changes)


@pytest.mark.parametrize("symbol", ["BTCUSDT", "BTC/USDT", "BTC/USDT:BTC", "/:"])
def test_a_symbol_that_does_not_fit_the_contract_is_refused(symbol):
    with pytest.raises(exchange_errors.BadRequest, match="must look like"):
        PaperExchange({symbol: history()}, overrides={"tiers": TierTable.flat(0.01)})
