"""All facts in one table, which of them are old, and the command that lists them."""

import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest

import leverage
from leverage.venues import facts_older_than, load_venue, venue_names, venue_table
from leverage.venues.__main__ import main

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

    assert age(TABLE) == (date(2026, 11, 22) - date(2026, 9, 29)).days == 54
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
    ages = [age for age, _ in old]
    dated = [age for age in ages if age is not None]
    assert ages == [None] * (len(ages) - len(dated)) + dated
    assert dated == sorted(dated, reverse=True)
    assert min(dated) > 90
    names = {(fact.venue, fact.name) for _, fact in old}
    assert ("binance", "futures_symbols") not in names  # 54 days
    assert ("bitget", "usdt_futures.max_leverage") in names  # 422 days


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
    assert lines[0].split() == ["days", "venue", "fact", "as", "of", "confidence"]
    assert any(line.split()[:3] == ["422", "bitget", "usdt_futures.max_leverage"] for line in lines)
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
