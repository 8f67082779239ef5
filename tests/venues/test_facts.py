"""Every fact about a venue has a source, a date and a confidence, and says so when it is unknown."""

import json
import tomllib
from collections.abc import Callable
from copy import deepcopy
from datetime import date, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from leverage import venues
from leverage.venues import CONFIDENCES, VERDICTS, Fact, UnknownFactError, load_venue

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


def _without(*path: str) -> Callable[[dict[str, Any]], None]:
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
        _without("facts", "kyc", "source"),
        _without("facts", "kyc", "as_of"),
        _without("facts", "kyc", "confidence"),
        _without("facts", "kyc"),
        _without(*FUTURES, "close_out_level"),
        _with("certain", *FUTURES, "max_leverage", "confidence"),
        _with("verified", "facts", "kyc", "confidence"),
        _with("", *FUTURES, "max_leverage", "source"),
        _with("not found in the copies read", *FUTURES, "max_leverage", "source"),
        _with("verified", *FUTURES, "taker_fee_rate", "confidence"),
        _with("last week", *FUTURES, "max_leverage", "as_of"),
        _with("2025-13", *FUTURES, "max_leverage", "as_of"),
        _with(5, *FUTURES, "taker_fee_rate", "value"),
        _with("150x", *FUTURES, "max_leverage", "value"),
        _with("a rule of its own", *FUTURES, "liquidation_rule", "value"),
        _with("a new key", *FUTURES, "max_leverage", "colour"),
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


def test_what_is_unknown_or_background_is_never_presented_as_verified() -> None:
    for fact in ALL_FACTS:
        if fact.value == "unknown" or "background" in fact.source:
            assert fact.confidence == "background", fact
        if fact.confidence == "verified":
            assert not fact.source.startswith("not found"), fact


@pytest.mark.parametrize("name", NAMES)
def test_what_rests_on_the_press_alone_is_never_presented_as_verified(name: str) -> None:
    press = ("coindesk", "cointelegraph", "newsflash", "pymnts", "beincrypto", "valuewalk")
    for fact in (*load_venue(name).all_facts(), *load_venue(name).claims):
        sources = [part.lower().strip() for part in fact.source.split(";")]
        if all(part.startswith(press) for part in sources):
            assert fact.confidence != "verified", fact


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
    assert rule.fact.value == "limited"
    assert "Japan has been restricted since 2026-01-22" in claim.finding


def test_maximum_leverage_with_a_known_size_is_that_of_the_first_tier() -> None:
    for name in NAMES:
        venue = load_venue(name)
        product = venue.product(venue.main_product)
        if product.fact("max_leverage_holds_to").is_known:
            first = product.tiers("BTC").tiers[0]
            assert product.fact("max_leverage").number() == first.max_leverage, name
            assert product.fact("max_leverage_holds_to").number() == first.upper, name
