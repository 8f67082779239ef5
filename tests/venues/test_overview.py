"""All facts in one table, which of them are old, and the command that lists them."""

import json
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import jsonschema
import pandas as pd
import pytest

import leverage
from leverage.venues import (
    facts_older_than,
    load_venue,
    venue_names,
    venue_table,
    weak_facts,
)
from leverage.venues.__main__ import main
from leverage.venues.export import export_schema, exported
from leverage.venues.overview import STAKES, stake

COLUMNS = ["venue", "product", "fact", "value", "unit", "confidence", "source", "as_of", "age_days"]
TABLE = venue_table()
COMPACT = venue_table(compact=True)


def test_tidy_table_has_a_row_for_every_fact_of_every_venue() -> None:
    assert list(TABLE.columns) == [*COLUMNS, "note"]
    assert list(TABLE["venue"].unique()) == list(venue_names())
    facts = [fact for name in venue_names() for fact in load_venue(name).all_facts()]
    assert len(TABLE) == len(facts)
    assert TABLE[["venue", "fact", "value", "confidence", "source", "as_of"]].notna().all().all()


def test_tidy_table_counts_age_to_the_day_of_gathering_or_the_day_given() -> None:
    def age(table: pd.DataFrame) -> int:
        rows = table.query("venue == 'binance' and fact == 'futures_symbols'")
        return int(rows["age_days"].item())

    assert age(TABLE) == (date(2026, 11, 30) - date(2026, 9, 29)).days == 62
    assert age(venue_table(on="2026-12-02")) == 64
    undated = TABLE.query("as_of == 'undated'")
    assert len(undated) > 0
    assert undated["age_days"].isna().all()


def test_product_column_is_empty_for_facts_about_the_venue() -> None:
    assert TABLE.query("fact == 'kyc'")["product"].eq("").all()
    products = {product.id for name in venue_names() for product in load_venue(name).products}
    assert set(TABLE["product"]) == products | {""}


def test_compact_table_has_one_row_for_each_venue() -> None:
    assert list(COMPACT["venue"]) == list(venue_names())
    row = COMPACT.set_index("venue").loc["bitget"]
    assert (row["max_leverage"], row["max_leverage_holds_to"]) == (150, 200_000)
    assert row["liquidation_rule"] == "closing fee inside"


def test_compact_table_sorts_by_number_and_keeps_unknown_apart() -> None:
    assert COMPACT["max_leverage"].dtype == float
    ranked = COMPACT.sort_values("max_leverage", ascending=False)["venue"]
    assert ranked.iloc[0] == "mexc"
    assert COMPACT.set_index("venue")["max_leverage"].isna()["primexbt"]
    assert COMPACT.set_index("venue")["liquidation_rule"]["primexbt"] == "unknown"


def test_table_of_a_day_has_the_rules_of_that_day() -> None:
    table = venue_table(on="2025-09-01")
    rule = table.query("venue == 'bybit' and product == 'linear' and fact == 'liquidation_rule'")
    assert list(rule["value"]) == ["maintenance at entry"]


def test_old_facts_are_those_above_the_age_and_the_undated_ones() -> None:
    old = facts_older_than(90, on=date(2026, 11, 22))
    assert [stake(fact) for _, fact in old] == sorted(
        (stake(fact) for _, fact in old), key=STAKES.index
    )
    for level in STAKES:  # within a stake undated ones come first, then the oldest
        ages = [age for age, fact in old if stake(fact) == level]
        dated = [age for age in ages if age is not None]
        assert ages == [None] * (len(ages) - len(dated)) + sorted(dated, reverse=True)
    dated = [age for age, _ in old if age is not None]
    assert min(dated) > 90
    names = {(fact.venue, fact.name) for _, fact in old}
    assert ("binance", "futures_symbols") not in names  # 54 days
    assert ("bitget", "usdt_futures.max_leverage") in names  # 422 days


def test_weak_facts_are_those_that_are_not_verified_on_the_day() -> None:
    def weak(on: str) -> set[str]:
        return {fact.name for _, fact in weak_facts(on=on, venues="bitget")}

    assert "usdt_futures.taker_fee_rate" not in weak("2030-01-01")  # independent sources
    assert "usdt_futures.max_leverage" not in weak("2026-11-30")  # its announcement is fresh
    assert "usdt_futures.max_leverage" in weak("2027-11-30")
    assert {"usdt_futures.maker_fee_rate", "jurisdiction.EU/EEA", "kyc"} <= weak("2026-11-30")


@pytest.mark.parametrize(
    ("venue", "fact", "level"),
    [
        ("kraken", "spot_margin.close_out_level", "loss"),
        ("binance", "usdt_futures.negative_balance_protection", "loss"),
        ("mexc", "futures.taker_fee_rate", "cost"),
        ("binance", "usdt_futures.funding_interval_hours", "cost"),
        ("kraken", "kyc", "other"),
    ],
)
def test_stake_is_what_a_mistake_costs(venue: str, fact: str, level: str) -> None:
    assert stake(load_venue(venue).fact(fact)) == level


def test_command_lists_weak_facts_with_access_first(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--weak", "--on", "2026-11-30", "--venue", "bitget"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split()[0] == "access"
    assert lines[-1].endswith("facts are not verified on 2026-11-30.")
    main(["--weak", "--older-than", "400", "--on", "2026-11-30", "--venue", "bitget"])
    assert len(capsys.readouterr().out.splitlines()) < len(lines)


# ---- the document for others


def test_export_keeps_its_schema_and_is_plain_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "--on", "2026-11-30"]) == 0
    document = json.loads(capsys.readouterr().out)
    jsonschema.Draft202012Validator.check_schema(export_schema())
    validator = jsonschema.Draft202012Validator(export_schema())
    assert [f"{e.json_path}: {e.message}" for e in validator.iter_errors(document)] == []
    assert document == exported("2026-11-30")
    assert set(document["venues"]) == set(venue_names())


def test_export_says_of_a_fact_what_loading_says() -> None:
    document = exported("2026-11-30")["venues"]
    for name in venue_names():
        for product in load_venue(name).products:
            rows = document[name]["products"][product.id]["facts"]
            for key, row in rows.items():
                versions = row if isinstance(row, list) else [row]
                fact = product.fact(key)
                value = list(fact.value) if isinstance(fact.value, tuple) else fact.value
                assert any(
                    version["value"] == value and version["confidence"] == fact.confidence
                    for version in versions
                ), fact


def test_export_has_every_version_of_a_fact_with_its_days() -> None:
    facts = exported("2026-11-30")["venues"]["mexc"]["products"]["futures"]["facts"]
    days = [(row.get("since"), row.get("until")) for row in facts["taker_fee_rate"]]
    assert days == [
        ("2024-01-13", "2025-09-02"),
        ("2025-09-02", "2026-08-24"),
        ("2026-08-24", None),
    ]


def test_incidents_are_history_and_do_not_grow_old() -> None:
    names = {fact.name for _, fact in facts_older_than(0, on="2036-11-22")}
    assert not [name for name in names if name.startswith("incident")]
    assert "control.1" in names


def test_rules_of_places_grow_old_too() -> None:
    old = {fact.name for age, fact in facts_older_than(365, on="2026-11-22") if fact.venue == "law"}
    assert "Australia.crypto CFD.retail" in old
    assert "UAE (Dubai).crypto CFD.retail" not in old
    assert {fact.venue for _, fact in facts_older_than(0, on="2036-11-22", venues="law")} == {"law"}


def test_fact_grows_old_one_day_after_its_last() -> None:
    seen = date(2026, 9, 29)

    def is_old(on: date) -> bool:
        old = facts_older_than(90, on=on, venues=["binance"])
        return "futures_symbols" in {fact.name for _, fact in old}

    assert not is_old(seen + timedelta(days=90))
    assert is_old(seen + timedelta(days=91))


@pytest.mark.parametrize("days", [-1, 1.5, True, "90"])
def test_age_must_be_a_whole_number_of_days(days: object) -> None:
    with pytest.raises(ValueError, match=r"^days must be a whole number from 0 up, was "):
        facts_older_than(days, on="2026-11-22")  # type: ignore[arg-type]


def test_command_prints_a_table_and_ends_with_zero() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "leverage.venues", "--older-than", "365", "--on", "2026-11-22"],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(leverage.__file__).parents[1],
    )
    lines = run.stdout.splitlines()
    assert lines[0].split() == ["stake", "days", "venue", "fact", "as", "of", "confidence"]
    assert any(
        line.split()[1:4] == ["422", "bitget", "usdt_futures.max_leverage"] for line in lines
    )
    old = facts_older_than(365, on="2026-11-22")
    assert lines[-1].startswith(f"{len(old)} of ")
    assert len(lines) == len(old) + 3
    assert run.stderr == ""


def test_command_without_a_day_counts_to_today(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--older-than", "0", "--venue", "gemini"]) == 0
    assert str(date.today()) in capsys.readouterr().out.splitlines()[-1]


def test_command_can_leave_out_undated_facts(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--on", "2026-11-22", "--dated-only"]) == 0
    assert "undated" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--older-than", "-3"], "--older-than: must be a whole number of days, was '-3'"),
        (["--older-than", "x"], "--older-than: must be a whole number of days, was 'x'"),
        (["--on", "22.11.2026"], "--on: must be YYYY-MM-DD, was '22.11.2026'"),
    ],
)
def test_command_says_what_is_wrong_with_its_arguments(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    "statement",
    [
        "import leverage.venues",
        "from leverage.venues import compare; compare(1, 50_000, quantity=1, leverage=5)",
        "from leverage.venues.__main__ import main; main(['--on', '2026-11-22'])",
    ],
)
def test_venues_load_numpy_and_nothing_else(statement: str) -> None:
    code = (
        "import sys; before = set(sys.modules)\n"
        f"{statement}\n"
        "names = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(*sorted(names - sys.stdlib_module_names))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(leverage.__file__).parents[1],
    )
    assert run.stdout.splitlines()[-1].split() == ["leverage", "numpy"]


def test_importing_leverage_does_not_load_the_venues() -> None:
    code = "import sys, leverage; print('leverage.venues' in sys.modules, 'tomllib' in sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(leverage.__file__).parents[1],
    )
    assert run.stdout.split() == ["False", "False"]
