"""The same trade on every venue: numbers, refusals with their reason, and what is unknown."""

from collections.abc import Callable
from math import inf, isnan

import pandas as pd
import pytest

from leverage import LONG, SHORT
from leverage.venues import TradeAtVenue, compare, legal_rules, load_venue, venue_names
from leverage.venues.law import CLIENTS


def at(rows: list[TradeAtVenue], venue: str, product: str) -> TradeAtVenue:
    (row,) = (row for row in rows if (row.venue, row.product) == (venue, product))
    return row


SMALL = compare(LONG, 100_000, quantity=0.5, leverage=10, funding_rate=0.0001)


def test_every_venue_is_in_the_comparison() -> None:
    assert list(dict.fromkeys(row.venue for row in SMALL)) == list(venue_names())


def test_one_venue_may_be_named_by_itself() -> None:
    row, *_ = compare(LONG, 100_000, quantity=0.5, leverage=10, venues="mexc")
    assert row.venue == "mexc"


def test_size_by_quantity_and_by_notional_is_the_same_trade() -> None:
    by_notional = compare(LONG, 100_000, notional=50_000, leverage=10, funding_rate=0.0001)
    assert repr(by_notional) == repr(SMALL)


@pytest.mark.parametrize(
    ("venue", "product", "price", "fee", "week"),
    [
        # (0.5 * 100 000 - 5 000) / (0.5 * (1 - rate)); fee on 50 000; 21 times 0.01 % of 50 000.
        ("binance", "usdt_futures", 90_000 / 0.996, 25, 105),
        ("bitget", "usdt_futures", 90_000 / (1 - 0.0046), 30, 105),
        ("bybit", "linear", 90_000 / 0.995, 27.5, 105),
        ("mexc", "futures", 90_000 / (1 - 0.0019), 20, 105),
        ("kraken", "futures_linear", 90_000 / 0.99, 25, 105),
        # 100 000 - (5 000 - 0.4 * 5 000) / 0.5; 0.4 % of 50 000; 43 times 0.025 % of 50 000.
        ("kraken", "spot_margin", 94_000, 200, 537.5),
    ],
)
def test_numbers_of_a_small_trade(
    venue: str, product: str, price: float, fee: float, week: float
) -> None:
    row = at(SMALL, venue, product)
    assert row.liquidation_price == pytest.approx(price)
    assert row.liquidation_move == pytest.approx(price / 100_000 - 1)
    assert row.opening_fee == row.closing_fee == pytest.approx(fee)
    assert row.week_cost == pytest.approx(week)
    assert row.refusals == ()


def test_closing_fee_is_charged_on_the_exit_value() -> None:
    rows = compare(LONG, 100_000, quantity=1, leverage=5, exit_price=120_000, venues=["binance"])
    row = at(rows, "binance", "usdt_futures")
    assert (row.opening_fee, row.closing_fee) == pytest.approx((50, 60))


def test_unknown_numbers_are_nan_and_their_facts_are_named() -> None:
    row = at(SMALL, "gemini", "perpetual")
    assert all(isnan(n) for n in (row.liquidation_price, row.opening_fee, row.week_cost))
    assert set(row.unknown) == {
        "perpetual.tiers.BTC",
        "perpetual.max_leverage_holds_to",
        "perpetual.maintenance_limit",
        "perpetual.taker_fee_rate",
        "perpetual.carrying_cost",
    }
    assert row.confidence == "unknown"


def test_week_of_a_perpetual_without_funding_rate_is_nan_and_no_missing_fact() -> None:
    row = at(compare(LONG, 100_000, quantity=0.5, leverage=10), "binance", "usdt_futures")
    assert isnan(row.week_cost)
    assert row.unknown == ()


def test_confidence_is_that_of_the_weakest_fact_behind_the_price() -> None:
    confidence = {(row.venue, row.product): row.confidence for row in SMALL}
    assert confidence["binance", "usdt_futures"] == "read once"
    assert confidence["bitget", "usdt_futures"] == "derived"
    assert confidence["mexc", "futures"] == "background"
    assert confidence["kraken", "spot_margin"] == "read once"
    assert confidence["primexbt", "cfd_margin"] == "background"


def test_leverage_above_the_tier_is_refused_with_the_maximum_and_the_size() -> None:
    row = at(compare(LONG, 100_000, notional=1_000_000, leverage=100), "binance", "usdt_futures")
    assert row.refusals == ("leverage 100 is above 75, the maximum for 1000000 USDT of BTCUSDT",)
    assert (row.max_leverage, row.max_notional) == (75, 800_000)
    assert isnan(row.liquidation_price)


def test_leverage_above_every_tier_leaves_no_size() -> None:
    row = at(compare(LONG, 100_000, notional=1_000, leverage=151), "binance", "usdt_futures")
    assert row.max_notional == 0
    assert len(row.refusals) == 1


def test_largest_allowed_leverage_and_size_are_accepted() -> None:
    row = at(compare(LONG, 100_000, notional=300_000, leverage=150), "binance", "usdt_futures")
    assert row.refusals == ()
    assert row.max_notional == 300_000


def test_size_above_the_table_is_refused() -> None:
    row = at(compare(LONG, 1e5, notional=2e9, leverage=1), "binance", "usdt_futures")
    assert row.refusals == (
        "size 2000000000 USDT is above 1800000000, the end of the tiers of BTCUSDT",
    )
    assert isnan(row.max_leverage)


def test_size_above_a_partial_table_is_unknown_and_not_refused() -> None:
    row = at(compare(LONG, 100_000, notional=2_500_000, leverage=50), "bybit", "linear")
    assert row.refusals == ()
    assert row.unknown == ("linear.tiers.BTCUSDT",)
    assert isnan(row.max_notional)


def test_largest_size_is_known_where_a_partial_table_has_the_very_leverage() -> None:
    row = at(compare(LONG, 100_000, notional=50_000, leverage=100), "bybit", "linear")
    assert row.max_notional == 2_000_000


def test_largest_size_of_a_product_without_tiers_is_a_named_unknown() -> None:
    row = at(SMALL, "kraken", "spot_margin")
    assert isnan(row.max_notional)
    assert row.unknown == ("spot_margin.max_leverage_holds_to",)


def test_table_without_stated_end_has_no_largest_size() -> None:
    row = at(compare(LONG, 100_000, notional=50_000, leverage=2), "kraken", "futures_linear")
    assert row.max_notional == inf


def test_unknown_maximum_leverage_is_named() -> None:
    row = at(compare(LONG, 2_000, quantity=1, leverage=10, asset="ETH"), "bybit", "linear")
    assert row.unknown == ("linear.tiers.ETHUSDT.max_leverage",)
    assert row.liquidation_price == pytest.approx(1_800 / 0.995)


def test_asset_without_table_is_unknown() -> None:
    row = at(compare(LONG, 2_000, quantity=1, leverage=10, asset="ETH"), "mexc", "futures")
    assert row.unknown == ("futures.tiers.ETH",)


def test_tiers_counted_in_coins_become_a_value_at_the_entry_price() -> None:
    rows = compare(LONG, 50_000, quantity=10, leverage=50, venues=["mexc"], on="2024-12-31")
    row = at(rows, "mexc", "futures")
    assert (row.max_leverage, row.max_notional) == (125, 60 * 50_000)


def test_caution_about_a_table_is_a_condition() -> None:
    row = at(SMALL, "mexc", "futures")
    assert row.conditions == (
        "tiers of BTC_USDT, about 2025: The copy is undated; a sample shows 500x, with no size "
        "that it can be trusted for",
        "futures.tier_method is background knowledge, not read in a source",
    )


def test_margin_below_the_initial_margin_is_refused() -> None:
    row = at(
        compare(LONG, 100_000, quantity=1, leverage=10, margin=9_999), "binance", "usdt_futures"
    )
    assert row.refusals == ("margin 9999 is below 10000, the initial margin at leverage 10",)


def test_more_margin_moves_liquidation_away() -> None:
    less, more = (
        at(compare(LONG, 100_000, quantity=1, leverage=10, margin=m), "binance", "usdt_futures")
        for m in (10_000, 20_000)
    )
    assert more.liquidation_price < less.liquidation_price


def test_stop_out_at_used_margin_closes_a_trade_without_spare_money_at_once() -> None:
    row = at(SMALL, "primexbt", "cfd_margin")
    assert row.liquidation_price == 100_000
    assert any("closed at once" in condition for condition in row.conditions)


def test_inverse_trade_is_measured_in_quote_currency() -> None:
    rows = compare(LONG, 50_000, notional=100_000, leverage=10, contract="inverse")
    assert [(row.venue, row.product) for row in rows] == [
        (name, product.id)
        for name in venue_names()
        for product in load_venue(name).products
        if product.fact("contract").value == "inverse"
    ]
    # Q (1 + r) / (margin in coin + Q / E), Q = 100 000, margin 0.2, Q / E = 2.
    row = at(rows, "kraken", "futures_inverse")
    assert row.liquidation_price == pytest.approx(100_000 * 1.01 / 2.2)
    assert row.opening_fee == pytest.approx(50)
    assert row.max_notional == 6_000_000
    row = at(rows, "binance", "coin_futures")
    assert row.liquidation_price == pytest.approx(100_000 * 1.004 / 2.2)


def test_rules_of_a_day_are_used() -> None:
    before, since = (
        at(compare(LONG, 20_000, quantity=1, leverage=50, on=day), "bybit", "linear")
        for day in ("2025-09-01", "2025-09-02")
    )
    assert (before.rule, since.rule) == ("maintenance at entry", "maintenance at mark")
    assert before.liquidation_price == pytest.approx(19_700)
    assert since.liquidation_price == pytest.approx(19_698.49, abs=0.005)


def test_short_is_liquidated_above_its_entry() -> None:
    for row in compare(SHORT, 100_000, quantity=0.5, leverage=5):
        assert isnan(row.liquidation_price) or row.liquidation_price >= 100_000


# ---- facts read for other coins, for no size, or in no source


NAMELESS = compare(LONG, 100, quantity=1, leverage=2, asset="NOSUCHCOIN", funding_rate=0.0001)


@pytest.mark.parametrize("row", NAMELESS, ids=lambda row: f"{row.venue}-{row.product}")
def test_coin_that_nothing_is_known_of_gets_no_limit_and_no_price(row: TradeAtVenue) -> None:
    assert isnan(row.max_leverage)
    assert isnan(row.max_notional)
    assert isnan(row.liquidation_price)
    assert row.confidence == "unknown"
    assert {f"{row.product}.tiers.NOSUCHCOIN", f"{row.product}.asset_scope"} & set(row.unknown)


def test_fee_not_read_for_the_very_coin_is_a_condition() -> None:
    row = at(NAMELESS, "bybit", "linear")
    assert row.opening_fee == pytest.approx(0.055)
    assert row.conditions == ("fees of linear were not read for NOSUCHCOIN in particular",)


def test_coin_outside_the_scope_of_spot_margin_has_no_cost_and_is_no_refusal() -> None:
    rows = compare(LONG, 100, quantity=1, leverage=50, asset="NOSUCHCOIN", venues=["kraken"])
    row = at(rows, "kraken", "spot_margin")
    assert row.unknown == ("spot_margin.asset_scope",)
    assert isnan(row.opening_fee)
    assert isnan(row.week_cost)
    assert row.refusals == ()


def test_stated_maximum_without_a_size_is_unknown_but_more_is_refused() -> None:
    within, above = (
        at(compare(LONG, 100_000, notional=1e7, leverage=leverage), "gemini", "perpetual")
        for leverage in (100, 101)
    )
    assert isnan(within.max_leverage)
    assert "perpetual.max_leverage_holds_to" in within.unknown
    assert within.refusals == ()
    assert above.refusals == ("leverage 101 is above 100, the most that perpetual offers",)


def test_sample_with_a_single_level_does_not_open_a_large_trade_on_mexc() -> None:
    row = at(compare(LONG, 100_000, notional=1e7, leverage=50), "mexc", "futures")
    assert row.max_leverage == 23.53
    assert row.refusals == ("leverage 50 is above 23.53, the maximum for 100 BTC of BTC_USDT",)


def test_fact_that_nobody_read_is_a_condition() -> None:
    background = "futures.tier_method is background knowledge, not read in a source"
    assert background in at(SMALL, "mexc", "futures").conditions
    assert at(SMALL, "kraken", "spot_margin").conditions == ()


@pytest.mark.parametrize(
    ("venue", "product", "start"),
    [
        (
            "binance",
            "usdt_futures",
            "leverage 21 is above 20, the most for a new account: For the first 60 days of a "
            "futures account. An undated page of trading rules repeats it (read once: Binance trading",
        ),
        (
            "gemini",
            "perpetual",
            "leverage 21 is above 20, the setting that an account starts with (verified: gemini.com/derivatives",
        ),
    ],
)
def test_leverage_above_that_of_a_new_account_is_a_condition(
    venue: str, product: str, start: str
) -> None:
    above, below = (
        at(compare(LONG, 100_000, notional=1_000, leverage=leverage), venue, product)
        for leverage in (21, 20)
    )
    assert any(condition.startswith(start) for condition in above.conditions)
    assert not any("is above 20" in condition for condition in below.conditions)


# ---- places


def test_venue_that_does_not_serve_a_place_refuses_with_source() -> None:
    rows = compare(LONG, 100_000, quantity=1, leverage=2, residence="United States (federal)")
    row = at(rows, "binance", "usdt_futures")
    assert row.refusals == (
        "Binance does not serve United States (federal) "
        "(secondary: CoinDesk 2019-06-14, 2019-06-14): Unable to provide services to any U.S. "
        "person. Binance.US (since September 2019) is a separate venue",
    )
    assert row.liquidation_price > 0  # the arithmetic is not what the place forbids
    spot = at(rows, "kraken", "spot_margin")
    assert "Kraken does not serve United States (federal)" in spot.refusals[0]


def test_refusal_on_background_knowledge_says_so() -> None:
    rows = compare(LONG, 100_000, quantity=1, leverage=2, residence="United States (federal)")
    assert "(background: " in at(rows, "mexc", "futures").refusals[0]


def test_rule_for_retail_clients_does_not_meet_a_professional() -> None:
    place = "United States (federal)"
    rows = compare(LONG, 1e5, quantity=1, leverage=2, residence=place, client="professional")
    assert at(rows, "kraken", "spot_margin").refusals == ()


def test_cap_of_a_venue_for_a_place_is_a_refusal_above_it_and_a_condition_below() -> None:
    above, below = (
        at(
            compare(
                LONG, 1e5, quantity=1, leverage=leverage, residence="EU/EEA", client="professional"
            ),
            "kraken",
            "futures_linear",
        )
        for leverage in (11, 10)
    )
    assert any(r.startswith("Kraken caps EU/EEA at 10x (verified: ") for r in above.refusals)
    assert below.refusals == ()
    assert any(c.startswith("Kraken in EU/EEA: limited (verified: ") for c in below.conditions)


def test_cap_in_law_refuses_more_leverage_and_lets_less_pass() -> None:
    above, below = (
        at(
            compare(LONG, 1e5, quantity=1, leverage=leverage, residence="Japan", venues=["bitget"]),
            "bitget",
            "usdt_futures",
        )
        for leverage in (3, 2)
    )
    assert above.refusals[0].startswith(
        "Japan: crypto futures/perpetual for retail (individual) restricted at most 2x (secondary"
    )
    assert below.refusals == ()
    assert below.conditions[1].startswith("Japan: ")


def test_ban_in_law_refuses() -> None:
    rows = compare(LONG, 1e5, quantity=1, leverage=2, residence="United Kingdom", venues=["bitget"])
    assert "for retail banned" in at(rows, "bitget", "usdt_futures").refusals[0]


def test_one_open_way_in_law_is_a_condition() -> None:
    rows = compare(
        LONG, 1e5, quantity=1, leverage=20, residence="United States (federal)", venues=["mexc"]
    )
    row = at(rows, "mexc", "futures")
    assert len(row.refusals) == 1  # the venue's own
    assert any("dated futures on a DCM" in condition for condition in row.conditions)


def test_new_york_has_federal_rules_too() -> None:
    rows = compare(LONG, 1e5, quantity=1, leverage=2, residence="New York", venues=["kraken"])
    row = at(rows, "kraken", "spot_margin")
    assert any("Kraken does not serve New York" in refusal for refusal in row.refusals)
    assert any("Kraken does not serve United States" in refusal for refusal in row.refusals)
    assert any(condition.startswith("United States (federal): ") for condition in row.conditions)


def test_place_without_a_rule_for_the_product_is_a_condition() -> None:
    rows = compare(LONG, 1e5, quantity=1, leverage=2, residence="Nigeria", venues=["bitget"])
    assert at(rows, "bitget", "usdt_futures").conditions == (
        "unknown whether it is open to you; ask Bitget: do you serve clients in Nigeria, with "
        "which company and licence?",
        "no rule of Nigeria on crypto futures/perpetual is known for retail clients",
    )


@pytest.mark.parametrize(("on", "banned"), [("2021-01-05", False), ("2021-01-06", True)])
def test_law_holds_from_its_first_day(on: str, banned: bool) -> None:
    rows = compare(
        LONG, 1e5, quantity=1, leverage=2, residence="United Kingdom", venues=["bybit"], on=on
    )
    row = at(rows, "bybit", "linear")
    assert any("for retail banned" in refusal for refusal in row.refusals) == banned
    assert any(condition.startswith("no rule of United") for condition in row.conditions) != banned


def test_law_without_a_first_day_is_kept_with_a_condition_on_a_given_day() -> None:
    given, newest = (
        at(
            compare(
                LONG, 1e5, quantity=1, leverage=2, residence="South Korea", venues=["bybit"], on=on
            ),
            "bybit",
            "linear",
        )
        for on in ("2020-01-01", None)
    )
    assert "for retail banned" in given.refusals[-1]
    assert any("held on 2020-01-01 is unknown" in condition for condition in given.conditions)
    assert newest.refusals == given.refusals
    assert not any("is unknown, its first day" in condition for condition in newest.conditions)


def test_professional_client_meets_the_rules_for_contract_participants_and_institutions() -> None:
    rows = compare(
        LONG,
        1e5,
        quantity=1,
        leverage=2,
        residence="United States (federal)",
        client="professional",
        venues=["kraken"],
    )
    spot, futures = (at(rows, "kraken", id) for id in ("spot_margin", "futures_linear"))
    assert any("for eligible contract participant" in words for words in spot.conditions)
    assert any("for institutional via FCM" in words for words in futures.conditions)


def test_every_rule_of_law_concerns_some_client() -> None:
    known = {client for names in CLIENTS.values() for client in names}
    left_out = {rule.clients for rule in legal_rules() if not rule.clients.startswith(tuple(known))}
    assert left_out == {"margin clients of licensed brokers", "non-US clients of licensees"}


def test_disagreement_of_sources_is_told_with_a_refusal() -> None:
    rows = compare(LONG, 1e5, quantity=1, leverage=2, residence="EU/EEA", venues=["primexbt"])
    assert at(rows, "primexbt", "crypto_futures").refusals[0] == (
        "PrimeXBT does not serve EU/EEA (read once: PrimeXBT partner help 13368052, undated): On "
        "the page for partners; the shorter list for clients does not name it"
    )


def test_agreement_of_gemini_for_europe_is_no_proof_of_service() -> None:
    rows = compare(
        LONG, 1e5, quantity=1, leverage=2, residence="EU/EEA", venues=["gemini"], on="2025-12-01"
    )
    row = at(rows, "gemini", "perpetual")
    (words,) = (w for w in row.conditions if w.startswith("Gemini in"))
    assert words.startswith("Gemini in EU/EEA: unknown (background: ")
    assert "Artemis agreement, 2025-09-04" in words
    assert row.access == "unknown"


# Rechecked on 2026-11-30: a private client in Germany, as Ida of chapter 02, at 2x.
@pytest.mark.parametrize(
    ("venue", "product", "access", "refusal"),
    [
        ("binance", "usdt_futures", "suspended", "Binance has suspended its service in EU/EEA"),
        ("bitget", "usdt_futures", "not authorised", "Bitget is not authorised in EU/EEA"),
        ("bybit", "linear", "unknown", None),
        ("gemini", "perpetual", "suspended", "Gemini has suspended its service in EU/EEA"),
        ("kraken", "spot_margin", "unknown", None),
        ("kraken", "futures_linear", "not refused", None),
        ("mexc", "futures", "not authorised", "MEXC is not authorised in EU/EEA"),
        ("primexbt", "crypto_futures", "refused", "PrimeXBT does not serve EU/EEA"),
    ],
)
def test_access_is_a_word_with_a_reason(
    venue: str, product: str, access: str, refusal: str | None
) -> None:
    row = at(compare(LONG, 50_000, notional=2_000, leverage=2, residence="EU/EEA"), venue, product)
    assert row.access == access
    assert [words.startswith(refusal) for words in row.refusals] == ([True] if refusal else [])
    if access == "unknown":
        assert any("unknown whether it is open to you" in words for words in row.conditions)


def test_access_is_unknown_when_nobody_said_where_the_trader_lives() -> None:
    assert {row.access for row in SMALL} == {"unknown"}


# Kraken's schedule for clients in the EEA, of 2025-05-29: 5 % up to 30 million USD.
@pytest.mark.parametrize(("leverage", "price"), [(10, 47_368.42), (2, 26_315.79)])
def test_kraken_closes_clients_in_the_eea_by_their_own_schedule(
    leverage: float, price: float
) -> None:
    how = {"notional": 2_000, "leverage": leverage, "client": "professional", "venues": "kraken"}
    rows = compare(LONG, 50_000, residence="EU/EEA", **how)
    assert at(rows, "kraken", "futures_linear").liquidation_price == pytest.approx(price, abs=0.01)
    elsewhere = at(compare(LONG, 50_000, residence="Japan", **how), "kraken", "futures_linear")
    assert elsewhere.liquidation_price == pytest.approx(50_000 * (1 - 1 / leverage) / 0.99)


# ---- use and misuse


def test_pandas_takes_the_rows_as_they_are() -> None:
    table = pd.DataFrame(SMALL)
    assert table["liquidation_price"].dtype == float
    assert list(table["venue"].unique()) == list(venue_names())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: compare(LONG, 100, leverage=2),
            r"^quantity or notional must be given, one of the two, were None and None; give the",
        ),
        (
            lambda: compare(LONG, 100, leverage=2, quantity=1, notional=100),
            r"^quantity or notional must be given, one of the two, were 1 and 100; give the size",
        ),
        (lambda: compare(LONG, 100, leverage=0.5, quantity=1), r"^leverage must be 1 or more, was"),
        (lambda: compare(LONG, -1, leverage=2, quantity=1), r"^entry_price must be positive, was"),
        (
            lambda: compare(0, 100, leverage=2, quantity=1),
            r"^side must be 1 \(long\) or -1 \(short",
        ),
        (lambda: compare(LONG, 100, leverage=2, quantity=0), r"^quantity must be positive, was 0"),
        (
            lambda: compare(LONG, 100, leverage=2, quantity=1, funding_rate=5),
            r"^funding_rate must be between -1 and 1, was 5; looks like per cent",
        ),
        (lambda: compare(LONG, [1, 2], leverage=2, quantity=1), r"^entry_price must be a single"),
        (lambda: compare(LONG, 100, leverage=2, notional=-5), r"^notional must be zero or more"),
        (lambda: compare(LONG, 100, leverage=2, quantity=1, contract="spot"), r"^contract must be"),
        (lambda: compare(LONG, 100, leverage=2, quantity=1, client="rich"), r"^client must be"),
        (
            lambda: compare(LONG, 100, leverage=2, quantity=1, residence="Mars"),
            r"^residence must be",
        ),
        (lambda: compare(LONG, 100, leverage=2, quantity=1, venues=["okx"]), r"was 'okx'"),
        (lambda: compare(LONG, 100, leverage=2, quantity=1, on="then"), r"^on must be a date"),
    ],
)
def test_wrong_arguments_are_errors_that_name_them(
    call: Callable[[], object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        call()
