"""The rules of places are dated and sourced, what is unknown is called so, and answers add up."""

import json
import tomllib
from collections.abc import Callable
from datetime import date
from math import inf, isnan
from pathlib import Path
from typing import Any

import jsonschema
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leverage import jurisdictions, venues
from leverage.jurisdictions import (
    ANSWERS,
    MECHANISMS,
    PERPETUAL,
    PRODUCTS,
    AccessAnswer,
    age_in_days,
    all_of,
    any_of,
    join_venues,
    jurisdiction_table,
    law_answer,
    places,
    rows_older_than,
    rules_for,
    venue_answer,
)
from leverage.venues import legal_rules, load_venue, venue_names, venue_table
from leverage.venues.law import with_wider

HERE = Path(__file__).parent
FILE = Path(venues.__file__).parent / "law.toml"
SCHEMA = json.loads((HERE / "law.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
US = "United States (federal)"


def ask_venue(
    name: str,
    product: str,
    place: str,
    leverage: float = 1,
    *,
    client: str = "retail",
    on: str | None = None,
) -> AccessAnswer:
    """What the file of a venue says of a product, a place and a kind of client on a day."""
    venue = load_venue(name, on=on)
    return venue_answer(venue, venue.product(product), place, leverage, client=client)


def as_json(value: Any) -> Any:
    """Write dates as text, which is all that TOML has and JSON lacks."""
    if isinstance(value, dict):
        return {key: as_json(each) for key, each in value.items()}
    if isinstance(value, list):
        return [as_json(each) for each in value]
    return value.isoformat() if isinstance(value, date) else value


DATA = as_json(tomllib.loads(FILE.read_text(encoding="utf-8")))
answers = st.sampled_from(ANSWERS)
leverages = st.floats(1, 1_000)
anywhere = st.sampled_from([*places(), "Atlantis"])


# ---- the data


def test_schema_is_a_valid_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_file_keeps_the_schema() -> None:
    assert [f"{e.json_path}: {e.message}" for e in VALIDATOR.iter_errors(DATA)] == []


def test_every_source_is_used_and_every_key_is_a_source() -> None:
    used = {key for row in DATA["rules"] for key in row.get("sources", ())}
    assert used == set(DATA["sources"])


@pytest.mark.parametrize(
    "change",
    [
        {"sources": []},
        {"sources": ["A Title"]},
        {"confidence": "verified"},
        {"since": "last year"},
        {"until": "2019"},
        {"mechanism": "a wish"},
        {"mechanism": "none"},
        {"max_leverage": "two"},
        {"max_leverage": 0.5},
        {"status": "banned"},
        {"negative_balance_protection": "maybe"},
        {"note": ""},
        {"colour": "blue"},
    ],
)
def test_schema_refuses_a_spoilt_row(change: dict[str, Any]) -> None:
    assert VALIDATOR.is_valid(DATA)
    assert not VALIDATOR.is_valid(DATA | {"rules": [DATA["rules"][0] | change]})


def test_rules_cover_twenty_places_with_provenance() -> None:
    assert len(legal_rules()) == len([row for row in DATA["rules"] if "until" not in row]) == 57
    assert len(places()) == 20
    for rule in legal_rules():
        assert rule.source
        assert rule.is_known
        assert isnan(rule.max_leverage) or rule.max_leverage >= 1
        age = rule.as_fact().age(jurisdictions.GATHERED)
        assert (age is None) == (rule.as_of == "undated")
        assert age is None or age >= 0
        assert rule.first_day is None or rule.first_day <= jurisdictions.GATHERED


def test_no_two_rows_say_something_about_the_same() -> None:
    keys = [(rule.place, rule.product, rule.clients) for rule in legal_rules()]
    assert len(set(keys)) == len(keys)


# Fact files of 2026-11-22: the three mechanisms and the places that stand for them.
@pytest.mark.parametrize(
    ("mechanism", "found"),
    [
        ("number cap", {"EU/EEA", "Australia", "Japan", "UAE (Dubai)"}),
        (
            "ban",
            {"United Kingdom", "China (mainland)", "Turkey", "Canada", "Hong Kong", "Singapore"}
            | {"South Korea", US},
        ),
    ],
)
def test_mechanisms_are_kept_apart(mechanism: str, found: set[str]) -> None:
    assert mechanism in MECHANISMS
    assert {rule.place for rule in legal_rules() if rule.mechanism == mechanism} == found


@pytest.mark.parametrize("place", [US, "Switzerland", "Bermuda", "Seychelles"])
def test_licence_rules_have_no_number_of_their_own(place: str) -> None:
    rules = [rule for rule in legal_rules() if rule.place == place]
    assert "licence rule" in {rule.mechanism for rule in rules}
    assert "number cap" not in {rule.mechanism for rule in rules}


def test_number_that_a_market_opened_with_is_no_cap_by_law() -> None:
    (rule,) = (rule for rule in legal_rules() if rule.place == US and rule.max_leverage < inf)
    assert (rule.max_leverage, rule.mechanism) == (10, "licence rule")
    assert "no cap by law" in rule.note


def test_cap_with_an_unknown_number_is_not_without_number() -> None:
    (rule,) = rules_for("Japan", client="professional")
    assert isnan(rule.max_leverage)
    assert (rule.mechanism, rule.limit) == ("number cap", "unknown")
    assert law_answer("Japan", leverage=3, client="professional").value == "unknown"
    (row,) = (
        row
        for row in venues.compare(
            1, 1e5, quantity=1, leverage=3, residence="Japan", client="professional", venues="mexc"
        )
    )
    assert any("a cap whose number is unknown" in words for words in row.conditions)


@pytest.mark.parametrize(
    ("place", "limit"),
    [("EU/EEA", "2x"), ("United Kingdom", "none allowed"), ("Switzerland", "no number")],
)
def test_limit_says_in_words_what_the_number_means(place: str, limit: str) -> None:
    assert [rule.limit for rule in rules_for(place)] == [limit]


# ---- looking up


@given(place=st.text(min_size=1), product=st.text(min_size=1))
def test_every_name_gets_an_answer(place: str, product: str) -> None:
    if place.strip() and product.strip():
        (rule,) = rules_for(place, product)
        assert not rule.is_known
        assert rule.status == rule.mechanism == rule.limit == "unknown"
        assert isnan(rule.max_leverage)
        assert place in rule.question
        assert product in rule.question
        assert law_answer(place, product).value == "unknown"


@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize("client", ["retail", "professional"])
@pytest.mark.parametrize("place", places())
def test_every_combination_gives_rows_with_a_question(
    place: str, product: str, client: str
) -> None:
    rules = rules_for(place, product, client=client)
    assert {rule.place for rule in rules} == set(with_wider(place))
    for rule in rules:
        assert rule.product == product
        assert rule.question.endswith((".", "?"))
        assert rule.is_known == (rule in legal_rules())


def test_rule_of_the_wider_place_holds_too() -> None:
    own, *federal = rules_for("New York")
    assert (own.place, own.status) == ("New York", "unknown")
    assert tuple(federal) == rules_for(US)
    assert law_answer("New York", "spot margin").value == "unknown"
    assert law_answer("New York", "crypto CFD").value == "unknown"  # background, both of them


@pytest.mark.parametrize(
    ("place", "product", "note"),
    [
        ("Japn", PERPETUAL, "perhaps you mean Japan."),
        ("SWITZERLAND", PERPETUAL, "perhaps you mean Switzerland."),
        ("France", PERPETUAL, "yours may belong to a wider one, such as EU/EEA."),
        ("Japan", "lending", "Not one of the products of the table: crypto CFD"),
        ("Japan", "options", "Looked for and not found."),
        ("Hong Kong", "spot margin", "margin clients of licensed brokers: restricted"),
    ],
)
def test_unknown_row_tells_what_is_near(place: str, product: str, note: str) -> None:
    (rule,) = rules_for(place, product)
    assert note in rule.note
    assert rule.confidence == "background"
    assert (rule.source == "not looked for") == (place not in places())


def test_question_follows_the_confidence() -> None:
    by_confidence = {rule.confidence: rule.question for rule in legal_rules()}
    assert "Nobody read one." in by_confidence["background"]
    assert "does the official text say" in by_confidence["secondary"]
    assert "is it still so" in by_confidence["verified"]
    assert "is it still so" in by_confidence["read once"]


# ---- answers


@pytest.mark.parametrize(
    ("place", "product", "leverage", "client", "value"),
    [
        ("EU/EEA", PERPETUAL, 2, "retail", "not refused"),
        ("EU/EEA", PERPETUAL, 2.1, "retail", "refused"),
        ("EU/EEA", PERPETUAL, 50, "professional", "not refused"),
        ("United Kingdom", PERPETUAL, 1, "retail", "refused"),
        ("United Kingdom", "crypto ETN", 1, "retail", "not refused"),
        ("UAE (Dubai)", PERPETUAL, 5, "retail", "not refused"),
        ("UAE (Dubai)", PERPETUAL, 6, "retail", "refused"),
        (US, PERPETUAL, 20, "retail", "not refused"),  # two of the three ways have no number
        (US, "spot margin", 2, "retail", "not refused"),  # one way is open: a market for it
        (US, PERPETUAL, 2, "professional", "unknown"),  # restricted, without a number
        ("Canada", PERPETUAL, 2, "retail", "unknown"),
        ("South Korea", PERPETUAL, 2, "retail", "unknown"),  # a ban that nobody read
        ("China (mainland)", "spot (unlevered)", 1, "professional", "refused"),
    ],
)
def test_law_answer_on_what_is_known(
    place: str, product: str, leverage: float, client: str, value: str
) -> None:
    answer = law_answer(place, product, leverage, client=client)
    assert answer.value == value
    assert answer.reasons
    assert answer.questions


@given(place=anywhere, product=st.sampled_from(PRODUCTS), low=leverages, high=leverages)
def test_more_leverage_never_opens_a_way(place: str, product: str, low: float, high: float) -> None:
    low, high = sorted((low, high))
    before, after = (law_answer(place, product, each).value for each in (low, high))
    assert ANSWERS.index(after) <= ANSWERS.index(before)


@given(first=answers, second=answers, third=answers)
def test_answers_combine_like_and_and_or(first: str, second: str, third: str) -> None:
    for combine, absorbing, neutral in [
        (all_of, "refused", "not refused"),
        (any_of, "not refused", "refused"),
    ]:
        assert combine(first) == first
        assert combine(first, absorbing) == absorbing
        assert combine(first, neutral) == first
        assert combine(first, second) == combine(second, first)
        assert combine(first, second, third) == combine(combine(first, second), third)
    opposite = dict(zip(ANSWERS, reversed(ANSWERS), strict=True))
    assert opposite[all_of(first, second)] == any_of(opposite[first], opposite[second])


@pytest.mark.parametrize(
    ("venue", "product", "place", "leverage", "value"),
    [
        ("binance", "usdt_futures", US, 2, "refused"),
        ("binance", "usdt_futures", "New York", 2, "refused"),
        ("bybit", "linear", US, 2, "unknown"),  # background only
        ("bybit", "linear", "United Kingdom", 2, "refused"),
        ("bybit", "linear", "Japan", 2, "suspended"),
        ("kraken", "futures_linear", "EU/EEA", 10, "not refused"),
        ("kraken", "futures_linear", "EU/EEA", 11, "refused"),
        ("kraken", "spot_margin", "EU/EEA", 2, "unknown"),  # the row is about futures
        ("kraken", "spot_margin", US, 2, "refused"),
        ("binance", "usdt_futures", "EU/EEA", 2, "suspended"),
        ("gemini", "perpetual", "Australia", 2, "suspended"),
        ("bitget", "usdt_futures", "EU/EEA", 2, "not authorised"),
        ("mexc", "futures", "EU/EEA", 2, "not authorised"),
        ("bybit", "linear", "EU/EEA", 2, "unknown"),  # being cut, without a number or a day
        ("binance", "usdt_futures", "UAE (Dubai)", 2, "unknown"),  # a licence, and not for what
        ("binance", "usdt_futures", "Australia", 2, "refused"),
        ("gemini", "perpetual", "EU/EEA", 2, "suspended"),
        ("mexc", "futures", "Brazil", 2, "unknown"),
        ("mexc", "futures", "Atlantis", 2, "unknown"),
    ],
)
def test_venue_answer_on_what_its_file_says(
    venue: str, product: str, place: str, leverage: float, value: str
) -> None:
    answer = ask_venue(venue, product, place, leverage)
    assert answer.value == value
    assert load_venue(venue).name in answer.questions[0]
    assert answer.reasons


def test_venue_answer_depends_on_client_and_day() -> None:
    assert ask_venue("kraken", "spot_margin", US, client="professional").value == "unknown"
    for on, value in [
        ("2025-09-03", "refused"),
        ("2025-09-04", "unknown"),
        ("2026-03-04", "unknown"),
        ("2026-03-05", "suspended"),
    ]:
        assert ask_venue("gemini", "perpetual", "EU/EEA", on=on).value == value


def test_answer_has_the_least_confidence_and_the_oldest_date_of_its_rows() -> None:
    answer = law_answer(US)
    assert answer.confidence == "secondary"
    assert answer.as_of == "undated"  # the rule on dated futures: a broker's copy without a date
    assert law_answer("EU/EEA", "crypto CFD").as_of == "2019-07-31"
    assert law_answer(US, "spot margin").confidence == "secondary"  # a verified row beside it
    assert law_answer("New York", "spot margin").confidence == "background"
    assert ask_venue("binance", "usdt_futures", "New York").as_of == "2019-06-14"


@pytest.mark.parametrize("place", [*places(), "Atlantis"])
def test_join_has_every_product_once_and_an_answer_no_better_than_either_side(place: str) -> None:
    table = join_venues(place, 2)
    pairs = [(name, p.id) for name in venue_names() for p in load_venue(name).products]
    assert list(zip(table["venue"], table["product"], strict=True)) == pairs
    assert table.notna().all().all()
    for row in table.itertuples():
        assert row.answer == all_of(row.venue_says, row.law_says)


def test_join_is_for_the_kind_of_client_asked_for() -> None:
    def answers(client: str) -> set[str]:
        table = join_venues("EU/EEA", 20, client=client)
        return set(table[table["product"] == "futures_linear"]["law_says"])

    assert answers("retail") == {"refused"}
    assert answers("professional") == {"not refused"}


def test_no_venue_of_the_seven_is_left_open_to_us_retail_clients() -> None:
    table = join_venues(US, 2)
    assert "not refused" not in set(table["answer"])
    assert set(table[table["venue"] == "kraken"]["answer"]) == {"refused"}


# ---- tables and age


def test_table_has_a_row_for_each_rule_and_its_age() -> None:
    table = jurisdiction_table()
    assert len(table) == 57
    assert table["age_days"].isna().equals(table["as_of"] == "undated")
    row = table.query("place == 'EU/EEA' and clients == 'retail' and product == @PERPETUAL").iloc[0]
    assert row["age_days"] == (date(2026, 11, 30) - date(2026, 5, 27)).days == 187


def test_table_of_what_is_unknown_has_the_same_columns_and_no_age_but_the_day_of_asking() -> None:
    table = jurisdiction_table(rules_for("Atlantis"))
    assert list(table.columns) == list(jurisdiction_table().columns)
    assert list(table["status"]) == list(table["limit"]) == ["unknown"]
    assert table["max_leverage"].isna().all()
    assert list(table["age_days"]) == [0]


@given(days=st.integers(0, 4_000), more=st.integers(0, 500))
def test_rows_never_become_fresh_by_waiting(days: int, more: int) -> None:
    table = jurisdiction_table()
    old = rows_older_than(table, days=days)
    assert set(rows_older_than(table, days=days + more).index) <= set(old.index)
    later = date.fromordinal(jurisdictions.GATHERED.toordinal() + more)
    assert set(old.index) <= set(rows_older_than(table, days=days, on=later).index)


def test_stale_rows_are_undated_or_older_and_the_oldest_come_first() -> None:
    old = rows_older_than(jurisdiction_table(), days=179, on="2026-11-22")
    undated = old["age_days"].isna()
    assert undated.sum() == (jurisdiction_table()["as_of"] == "undated").sum() > 0
    assert undated.iloc[: undated.sum()].all()
    dated = old["age_days"].dropna()
    assert (dated > 179).all()
    assert dated.is_monotonic_decreasing
    assert 2 not in old.index  # 179 days: not older than 179
    assert 2 in rows_older_than(jurisdiction_table(), days=178, on="2026-11-22").index


def test_age_is_counted_for_tables_of_venues_too() -> None:
    old = rows_older_than(venue_table(), days=365, on="2026-11-22").query("venue == 'bitget'")
    assert 422 in set(old["age_days"].dropna())


# ---- refusals


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rules_for(""), r"^place must be a name, was ''; give place="),
        (lambda: rules_for(None), r"^place must be a name, was None"),  # type: ignore[arg-type]
        (lambda: rules_for("Japan", " "), r"^product must be a name"),
        (lambda: rules_for("Japan", client="whale"), r"^client must be"),
        (lambda: law_answer("Japan", leverage=0.5), r"^leverage must be"),
        (lambda: ask_venue("okx", "linear", "Japan"), r"^name must be a venue with a file"),
        (lambda: ask_venue("mexc", "options", "Japan"), r"^name must be one of those of mexc"),
        (lambda: ask_venue("mexc", "futures", "Japan", client="me"), r"^client must be"),
        (lambda: join_venues("Japan", 0), r"^leverage must be"),
        (lambda: all_of(), r"^answers must hold at least one"),
        (lambda: any_of("yes"), r"^answer must be"),
        (lambda: age_in_days("2025", "soon"), r"^on must be a date, was 'soon'"),
        (lambda: age_in_days("2025", None), r"^on must be a date, was None"),  # type: ignore[arg-type]
        (lambda: rows_older_than(jurisdiction_table(), days=-1), r"^days must be a whole number"),
        (
            lambda: rows_older_than(pd.DataFrame({"a": [1]}), days=1),
            r"^table must have a column 'as_of'",
        ),
    ],
)
def test_wrong_arguments_are_errors_that_say_what_to_give(
    call: Callable[[], object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        call()
