"""Every fact about a venue has a source, a date and a confidence, and says so when it is unknown."""

import json
import tomllib
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import date, datetime
from itertools import pairwise
from math import inf
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leverage import venues
from leverage.venues import CONFIDENCES, VERDICTS, Fact, Source, UnknownFactError, load_venue
from leverage.venues.provenance import FIRST_HAND, confidence, weakest

HERE = Path(__file__).parent
FOLDER = Path(venues.__file__).parent
NAMES = list(venues.venue_names())
# The platforms of the guide that the course corrects, in the order of its claims.
GUIDE = ["binance", "bitget", "bybit", "gemini", "kraken", "mexc", "primexbt"]
SCHEMA = json.loads((HERE / "venue.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

ALL_FACTS = [fact for name in NAMES for fact in load_venue(name).all_facts()]


def as_json(value: Any) -> Any:
    """Write dates as text, which is all that TOML has and JSON lacks."""
    if isinstance(value, dict):
        return {key: as_json(each) for key, each in value.items()}
    if isinstance(value, list):
        return [as_json(each) for each in value]
    return value.isoformat() if isinstance(value, date) else value


def raw(name: str) -> dict[str, Any]:
    """The file of a venue as it stands."""
    return as_json(tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8")))


def test_every_platform_of_the_guide_is_a_venue() -> None:
    assert set(GUIDE) <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_file_keeps_the_schema(name: str) -> None:
    assert [f"{e.json_path}: {e.message}" for e in VALIDATOR.iter_errors(raw(name))] == []


def test_schema_is_a_valid_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def _without(*path: str | int) -> Callable[[dict[str, Any]], None]:
    def change(data: dict[str, Any]) -> None:
        *way, last = path
        for key in way:
            data = data[key]
        del data[last]

    return change


def _with(value: Any, *path: str | int) -> Callable[[dict[str, Any]], None]:
    def change(data: Any) -> None:
        *way, last = path
        for key in way:
            data = data[key]
        data[last] = value

    return change


FUTURES = ("products", "usdt_futures", "facts")


@pytest.mark.parametrize(
    "spoil",
    [
        _without("sources"),
        _without("sources", "faq_mark", "read"),
        _without("sources", "faq_mark", "kind"),
        _with("rumour", "sources", "faq_mark", "kind"),
        _with("last week", "sources", "faq_mark", "shown"),
        _with("2025-13", "sources", "faq_mark", "shown"),
        _with("not found in the copies read", "sources", "faq_mark", "name"),
        _with("background knowledge", "sources", "faq_mark", "name"),
        _without("incidents", 0, "sources"),
        _with(True, "facts", "kyc", "derived"),
        _with([], *FUTURES, "trigger_price", "sources"),
        _with("verified", *FUTURES, "trigger_price", "confidence"),
        _without("facts", "kyc"),
        _without(*FUTURES, "close_out_level"),
        _with(5, *FUTURES, "taker_fee_rate", "value"),
        _with("150x", *FUTURES, "max_leverage", 1, "value"),
        _with("a rule of its own", *FUTURES, "liquidation_rule", "value"),
        _with("a new key", *FUTURES, "trigger_price", "colour"),
        _with([0, 1000, 40, 100], "products", "usdt_futures", "tier_tables", 0, "tiers", 0),
        _with("maybe", "claims", 0, "verdict"),
        _with("forbidden", "jurisdictions", 0, "value"),
    ],
)
def test_schema_refuses_a_spoilt_file(spoil: Callable[[Any], None]) -> None:
    data = deepcopy(raw("binance"))
    spoil(data)
    assert not VALIDATOR.is_valid(data)


@pytest.mark.parametrize("name", NAMES)
def test_every_fact_has_source_date_and_confidence(name: str) -> None:
    venue = load_venue(name)
    for fact in venue.all_facts():
        assert fact.venue == name
        assert fact.source.strip(), fact
        assert fact.confidence in CONFIDENCES, fact
        age = fact.age(venue.gathered)
        assert (age is None) == (fact.as_of == "undated"), fact
        assert age is None or age >= 0, fact


@pytest.mark.parametrize("name", NAMES)
def test_every_key_of_a_source_is_in_the_list_and_every_source_is_used(name: str) -> None:
    def keys(part: Any) -> set[str]:
        if isinstance(part, list):
            return {key for each in part for key in keys(each)}
        if not isinstance(part, dict):
            return set()
        own = {*part.get("sources", ()), *part.get("against", ())}
        return own | {key for each in part.values() for key in keys(each)}

    data = raw(name)
    listed = set(data.pop("sources"))
    assert keys(data) == listed


@pytest.mark.parametrize("name", NAMES)
def test_confidence_follows_from_what_is_recorded(name: str) -> None:
    venue = load_venue(name)
    for fact in venue.all_facts():
        known = fact.value != "unknown"
        assert fact.confidence == confidence(
            fact.sources,
            on=venue.gathered,
            known=known,
            derived=fact.derived,
            against=fact.against,
        )
        if not fact.sources and not fact.derived:
            assert fact.confidence == "background", fact
        if fact.confidence == "verified":
            kinds = {source.kind for source in fact.sources}
            assert kinds & set(FIRST_HAND), fact


OLD = date(2024, 1, 1)
PAGE = Source("page", "venue", "Kraken", "undated", OLD)
RECENT = replace(PAGE, shown="2026-06")
ANSWER = Source("payload", "record", "ccxt", "2026-11", OLD)
NEWS = Source("news", "press", "CoinDesk", "2026-11-01", OLD)
OTHER_NEWS = replace(NEWS, by="The Block")


# What each level of confidence needs, one row for each way to reach or to miss it.
@pytest.mark.parametrize(
    ("sources", "how", "level"),
    [
        ([], {}, "background"),
        ([RECENT], {"known": False}, "background"),
        ([PAGE], {}, "read once"),
        ([replace(PAGE, shown="2025-01")], {}, "read once"),  # older than 18 months
        ([RECENT], {}, "verified"),
        ([PAGE, replace(PAGE, name="another page")], {}, "read once"),  # one publisher
        ([PAGE, NEWS], {}, "verified"),
        ([PAGE, ANSWER], {}, "verified"),
        ([ANSWER], {}, "read once"),  # recorded by somebody else, once
        ([NEWS], {}, "secondary"),
        ([NEWS, OTHER_NEWS], {}, "secondary"),  # two second-hand texts make no first hand
        ([RECENT], {"derived": True}, "derived"),
        ([], {"derived": True}, "derived"),
        ([RECENT, NEWS], {"against": [OTHER_NEWS]}, "disputed"),
        ([RECENT], {"derived": True, "against": [NEWS]}, "disputed"),
        ([replace(ANSWER, by="fetched")], {}, "fetched"),
    ],
)
def test_level_needs_what_it_says(sources: list[Source], how: dict[str, Any], level: str) -> None:
    assert confidence(sources, on="2026-11-30", **how) == level


def test_dated_rule_alone_is_verified_for_eighteen_months() -> None:
    rule = replace(PAGE, shown="2025-05-31")
    assert confidence([rule], on="2026-11-30") == "verified"
    assert confidence([rule], on="2026-12-02") == "read once"


@given(
    sources=st.lists(st.sampled_from([PAGE, RECENT, ANSWER, NEWS, OTHER_NEWS]), max_size=4),
    more=st.sampled_from([PAGE, RECENT, ANSWER, NEWS, OTHER_NEWS]),
)
def test_another_source_that_agrees_never_makes_less_sure(
    sources: list[Source], more: Source
) -> None:
    before, after = (confidence(each, on="2026-11-30") for each in (sources, [*sources, more]))
    assert weakest(before, after) == before


def test_licence_is_no_incident() -> None:
    for name in NAMES:
        assert not [fact for fact in load_venue(name).incidents if "licence" in str(fact.value)]


@pytest.mark.parametrize("name", NAMES)
def test_main_product_places_and_limited_products_exist(name: str) -> None:
    venue = load_venue(name)
    assert venue.product(venue.main_product).venue == name
    ids = {product.id for product in venue.products}
    for rule in venue.places:
        assert rule.place in venues.places()
        assert set(rule.products) <= ids


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("day", ["2020-01-01", "2025-09-01", "2025-09-02", "2026-11-22"])
def test_every_fact_has_one_version_on_every_day(name: str, day: str) -> None:
    assert load_venue(name, on=day).product(load_venue(name).main_product).facts.keys() == (
        load_venue(name).product(load_venue(name).main_product).facts.keys()
    )


@pytest.mark.parametrize(
    ("on", "rule"),
    [
        (date(2025, 9, 1), "maintenance at entry"),
        ("2025-09-02", "maintenance at mark"),
        (datetime(2025, 9, 1, 12), "maintenance at entry"),
        (None, "maintenance at mark"),
    ],
)
@pytest.mark.parametrize("product", ["linear", "inverse"])
def test_bybit_rule_depends_on_the_day(on: date | str | None, rule: str, product: str) -> None:
    assert load_venue("bybit", on=on).product(product).fact("liquidation_rule").value == rule


def test_place_rules_depend_on_the_day() -> None:
    def europe(on: str) -> list[object]:
        rules = load_venue("gemini", on=on).places
        return [rule.fact.value for rule in rules if rule.place == "EU/EEA"]

    assert europe("2025-09-03") == ["refused"]
    assert europe("2025-09-04") == ["unknown"]
    assert europe("2026-03-05") == ["suspended"]


def test_number_of_an_unknown_fact_is_an_error_that_names_it() -> None:
    fact = load_venue("gemini").fact("perpetual.taker_fee_rate")
    assert fact.value == "unknown"
    with pytest.raises(UnknownFactError) as caught:
        fact.number()
    assert isinstance(caught.value, ValueError)
    assert (caught.value.venue, caught.value.fact) == ("gemini", "perpetual.taker_fee_rate")
    assert str(caught.value) == (
        'perpetual.taker_fee_rate of gemini must be known for this, was "unknown"; find it and add '
        "it to gemini.toml with source and date, or leave the venue out"
    )


def test_note_of_an_unknown_fact_is_part_of_the_error() -> None:
    with pytest.raises(UnknownFactError, match=r"leverage curve; figures were not found\)"):
        load_venue("gemini").fact("perpetual.tier_method").known()


def test_fact_that_does_not_apply_is_another_error() -> None:
    fact = load_venue("kraken").fact("spot_margin.tier_method")
    with pytest.raises(ValueError, match=r"must apply to the product, was 'not applicable'") as e:
        fact.known()
    assert not isinstance(e.value, UnknownFactError)


def test_words_are_no_number() -> None:
    with pytest.raises(ValueError, match=r"must be a number, was 'linear'"):
        load_venue("bybit").fact("linear.contract").number()
    with pytest.raises(ValueError, match=r"must be a number, was True"):
        load_venue("bybit").fact("linear.insurance_fund").number()


def test_words_join_a_list() -> None:
    assert load_venue("mexc").fact("futures.margin_modes").words() == "isolated, cross"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: load_venue("okx"), r"name must be a venue with a file, was 'okx'; give one of bi"),
        (lambda: load_venue("bybit", on="soon"), r"on must be a date, was 'soon'; give datetime"),
        (
            lambda: load_venue("bybit").product("spot"),
            r"name must be one of those of bybit, was 's",
        ),
        (
            lambda: load_venue("bybit").fact("linear.colour"),
            r"those of bybit, linear, was 'colour'",
        ),
    ],
)
def test_wrong_names_and_dates_are_errors_that_say_what_there_is(
    call: Callable[[], object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("as_of", "days"), [("2026-11-22", 0), ("2026-11", 21), ("about 2026", 325), ("undated", None)]
)
def test_age_counts_from_the_first_day_that_a_date_can_mean(as_of: str, days: int | None) -> None:
    fact = Fact("a", "b", 1, "c", as_of, "verified")
    assert fact.age(date(2026, 11, 22)) == days


def test_guide_has_a_judged_claim_on_leverage_and_assets_in_every_row() -> None:
    claims = venues.claims()
    for topic in ["maximum leverage", "supported assets"]:
        assert [claim.venue for claim in claims if claim.topic == topic] == GUIDE, (
            "a claim is what the guide says; what it does not name gets none: remove [[claims]]"
        )
    assert {claim.verdict for claim in claims} == set(VERDICTS)
    for claim in claims:
        assert all([claim.claim, claim.finding, claim.source, claim.as_of])
        assert claim.verdict in VERDICTS
        assert claim.confidence in CONFIDENCES


def test_verdicts_on_leverage_claims_are_those_of_the_fact_check() -> None:
    verdicts = {c.venue: c.verdict for c in venues.claims() if c.topic == "maximum leverage"}
    assert verdicts == {
        "binance": "out of date",
        "bitget": "out of date",
        "bybit": "needs a condition",
        "gemini": "wrong",
        "kraken": "out of date",
        "mexc": "needs a condition",
        "primexbt": "unknown",
    }


def test_place_rule_and_claim_agree_on_bybit_in_japan() -> None:
    bybit = load_venue("bybit")
    (rule,) = (rule for rule in bybit.places if rule.place == "Japan")
    (claim,) = (claim for claim in bybit.claims if claim.topic == "maximum leverage")
    assert (rule.fact.value, rule.fact.since) == ("suspended", date(2026, 3, 23))
    assert "Japan could only close positions from 2026-03-23" in claim.finding


# Rechecked on 2026-11-30: what the venues' own pages and dated press say.
@pytest.mark.parametrize(
    ("venue", "fact", "value"),
    [
        ("kraken", "futures_linear.margin_modes", ("isolated", "cross")),
        ("kraken", "futures_inverse.margin_modes", ("cross",)),
        ("kraken", "futures_linear.insurance_fund", True),
        ("kraken", "spot_margin.maker_fee_rate", 0.0025),
        ("mexc", "futures.taker_fee_rate", 0.0004),
        ("mexc", "futures.api_taker_fee_rate", 0.0008),
        ("bybit", "linear.funding_interval_hours", 8),
        ("bitget", "usdt_futures.trigger_price", "mark price"),
        ("bitget", "usdt_futures.auto_deleveraging", True),
        ("binance", "coin_futures.taker_fee_rate", 0.0005),
    ],
)
def test_value_is_the_one_that_was_read_again(venue: str, fact: str, value: object) -> None:
    assert load_venue(venue).fact(fact).value == value


def test_kraken_has_a_schedule_of_its_own_for_clients_in_the_eea() -> None:
    everywhere, europe = (
        load_venue("kraken", place=place).product("futures_linear") for place in ("", "EU/EEA")
    )
    assert everywhere.fact("max_leverage").number() == 50
    assert europe.fact("max_leverage").number() == 10
    tiers = [
        (t.upper, t.maintenance_margin_rate, t.max_leverage) for t in europe.tiers("ETH").tiers
    ]
    assert tiers == [(3e7, 0.05, 10), (5e7, 0.1, 5), (1.5e8, 0.15, 3.33), (inf, 0.25, 2)]
    assert load_venue("kraken", place="Japan").product("futures_linear").tiers("BTC") == (
        everywhere.tiers("BTC")
    )


@pytest.mark.parametrize(
    ("venue", "fact", "history"),
    [
        (
            "binance",
            "usdt_futures.max_leverage",
            {"2024-11-01": 125, "2026-09-28": 125, "2026-09-29": 150},
        ),
        ("bitget", "usdt_futures.max_leverage", {"2025-09-25": 125, "2025-09-26": 150}),
        (
            "mexc",
            "futures.taker_fee_rate",
            {"2024-01-13": 0.0001, "2025-09-02": 0.0002, "2026-08-23": 0.0002, "2026-08-24": 4e-4},
        ),
        ("mexc", "futures.api_taker_fee_rate", {"2026-05-31": "unknown", "2026-06-01": 0.0008}),
    ],
)
def test_fact_has_the_value_of_the_day(
    venue: str, fact: str, history: dict[str, float | str]
) -> None:
    assert {day: load_venue(venue, on=day).fact(fact).value for day in history} == history


@pytest.mark.parametrize("name", NAMES)
def test_versions_of_a_fact_follow_each_other_without_gap_or_overlap(name: str) -> None:
    data = raw(name)
    parts = [data["facts"], *(product["facts"] for product in data["products"].values())]
    for rows in (rows for part in parts for rows in part.values() if isinstance(rows, list)):
        dated = [row for row in rows if "places" not in row]
        for before, after in pairwise(dated):
            assert before["until"] == after["since"]


def test_maximum_leverage_with_a_known_size_is_that_of_the_first_tier() -> None:
    for name in NAMES:
        venue = load_venue(name)
        product = venue.product(venue.main_product)
        if product.fact("max_leverage_holds_to").is_known:
            first = product.tiers("BTC").tiers[0]
            assert product.fact("max_leverage").number() == first.max_leverage, name
            assert product.fact("max_leverage_holds_to").number() == first.upper, name


@pytest.mark.parametrize(
    ("on", "value"),
    [("2010-01-01", "unknown"), ("2024-10-23", "unknown"), ("2024-10-24", 125)],
)
def test_maximum_is_unknown_before_the_day_on_which_it_was_first_seen(on: str, value: Any) -> None:
    assert load_venue("binance", on=on).fact("usdt_futures.max_leverage").value == value


def test_what_was_read_for_later_days_only_is_background_knowledge_of_a_day() -> None:
    name = "usdt_futures.margin_modes"
    for on, level in [("2020-01-01", "background"), ("2026-11-30", "verified")]:
        assert load_venue("binance", on=on).fact(name).confidence == level
    day = {"venues": "mexc", "on": "2022-01-01"}
    (row,) = venues.compare(1, 50_000, notional=1_000, leverage=2, **day)
    assert "futures.taker_fee_rate" in row.unknown


def test_rule_of_later_years_does_not_verify_an_earlier_day() -> None:
    rule = Source("rules", "venue", "X", "2026-10", date(2026, 11, 30))
    days = {"2025-06-01": "verified", "2025-01-01": "read once"}
    assert {day: confidence([rule], on=day) for day in days} == days


def test_place_that_nobody_knows_is_refused_instead_of_taken_for_no_place() -> None:
    with pytest.raises(ValueError, match=r"^place must be .*EU/EEA.*, was 'Germany'"):
        load_venue("kraken", place="Germany")


@pytest.mark.parametrize("name", venues.venue_names())
def test_nothing_is_known_of_days_before_the_oldest_source_about_a_venue(name: str) -> None:
    before = load_venue(name, on="2010-01-01")
    assert before.places == ()
    for product in before.products:
        kinds = {fact.name for fact in product.facts.values() if fact.is_known}
        assert {kind.rpartition(".")[2] for kind in kinds} <= {"contract", "settlement"}
        assert product.tier_tables == ()
    rows = venues.compare(1, 50_000, notional=1_000, leverage=2, venues=name, on="2010-01-01")
    assert all(row.liquidation_price != row.liquidation_price for row in rows)
