"""The bundled history: known prices, what is missing, base rates, cards and refusals."""

from datetime import date
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from leverage import LONG, SHORT, history, liquidation_price
from leverage.history import (
    SYMBOLS,
    crash_windows,
    crashes,
    data_card,
    find_outages,
    load_daily,
    load_hourly,
    load_hourly_window,
    log_returns,
    outages,
    source_pins,
)
from leverage.history.candle_files import to_daily

PRICES = ["open", "high", "low", "close"]
WINDOWS = [(window, symbol) for window in crash_windows() for symbol in window.symbols]
every_window = pytest.mark.parametrize(
    ("window", "symbol"), WINDOWS, ids=[f"{window.date} {symbol}" for window, symbol in WINDOWS]
)


@pytest.mark.parametrize(
    ("day", "symbol", "column", "price"),
    [
        ("2020-03-12", "BTC", "open", 7_934.52),
        ("2020-03-12", "BTC", "low", 4_410.00),
        ("2020-03-12", "BTC", "close", 4_800.00),
        ("2021-04-14", "BTC", "high", 64_854.00),
        ("2021-05-19", "BTC", "low", 30_000.00),
        ("2021-11-10", "BTC", "high", 69_000.00),
        ("2024-08-05", "BTC", "low", 49_000.00),
        ("2024-08-05", "ETH", "low", 2_111.00),
        ("2024-12-05", "BTC", "high", 104_088.00),
    ],
)
def test_known_prices_are_met_to_the_cent(day: str, symbol: str, column: str, price: float) -> None:
    assert load_daily(symbol).loc[day, column] == price


def test_the_days_are_those_of_the_sources_and_none_is_made_up() -> None:
    btc, eth = load_daily("BTC"), load_daily("ETH")
    assert (len(btc), len(eth)) == (2_130, 366)
    assert btc.index[[0, -1]].strftime("%Y-%m-%d").tolist() == ["2017-08-17", "2024-12-31"]
    assert eth.index[[0, -1]].strftime("%Y-%m-%d").tolist() == ["2024-01-01", "2024-12-31"]
    gaps = np.flatnonzero(np.diff(btc.index) != pd.Timedelta(days=1))
    assert btc.index[gaps[0]].strftime("%Y-%m-%d") == "2022-06-15"
    assert btc.index[gaps[0] + 1].strftime("%Y-%m-%d") == "2024-01-01"
    assert len(gaps) == 1


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_every_daily_bar_is_possible(symbol: str) -> None:
    daily = load_daily(symbol)
    assert str(daily.index.tz) == "UTC"
    assert daily.index.name == "time"
    assert (daily[PRICES] > 0).all(axis=None)
    assert (daily["low"] == daily[PRICES].min(axis=1)).all()
    assert (daily["high"] == daily[PRICES].max(axis=1)).all()
    assert daily["hours"].between(1, 24).all()


def test_the_corrupt_first_hour_is_gone() -> None:
    first = load_daily("BTC").iloc[0]
    assert first["high"] < 5_000
    assert first["hours"] == 19


def test_days_of_fewer_hours_are_those_with_missing_hours_and_the_ends() -> None:
    daily = load_daily("BTC")
    spells = outages("BTC")
    lost = {
        time.strftime("%Y-%m-%d")
        for start, end in spells.loc[spells["kind"] == "missing", ["start", "end"]].to_numpy()
        for time in pd.date_range(start, end, freq="h", inclusive="left")
    }
    short = set(daily.index[daily["hours"] < 24].strftime("%Y-%m-%d"))
    assert short == lost | {"2017-08-17", "2022-06-15"}


def test_all_outages_of_the_source_are_listed() -> None:
    spells = outages("BTC")
    by_kind = spells.groupby("kind")["hours"].sum()
    assert by_kind.to_dict() == {"missing": 22, "no trades": 117}
    assert ((spells["end"] - spells["start"]) == pd.to_timedelta(spells["hours"], "h")).all()
    assert outages("ETH").empty


@pytest.mark.parametrize(("leverage", "long", "short"), [(10, 0.0427, 0.0408), (100, 0.834, 0.809)])
def test_as_many_days_liquidate_as_the_course_says(
    leverage: int, long: float, short: float
) -> None:
    # Opened at 00:00 UTC, 0.4 % maintenance, no fees; counted on these 2 130 days on 2026-11-22.
    day = load_daily("BTC")
    margin = day["open"] / leverage
    below = day["low"] <= liquidation_price(LONG, day["open"], 1, margin, 0.004)
    above = day["high"] >= liquidation_price(SHORT, day["open"], 1, margin, 0.004)
    digits = 4 if leverage == 10 else 3
    assert (round(below.mean(), digits), round(above.mean(), digits)) == (long, short)


def test_at_least_ten_crashes_have_hourly_bars() -> None:
    windows = crash_windows()
    assert len(windows) >= 10
    assert [window.date for window in windows] == sorted({window.date for window in windows})


@every_window
def test_a_window_holds_four_days_of_hours_and_its_crash(window: object, symbol: str) -> None:
    bars = load_hourly_window(window.date, symbol)
    assert window.end - window.start == pd.Timedelta(days=4)
    assert window.start < pd.Timestamp(window.date, tz="UTC") < window.end
    spells = outages(symbol)
    lost = spells[(spells["kind"] == "missing") & spells["start"].between(window.start, window.end)]
    assert len(bars) == 96 - int(lost["hours"].sum())
    assert bars.index[0] == window.start
    assert bars.index.is_unique
    assert (bars["low"] == bars[PRICES].min(axis=1)).all()
    assert (bars["high"] == bars[PRICES].max(axis=1)).all()


@pytest.mark.parametrize("window", crash_windows(), ids=lambda window: window.date)
def test_one_symbol_of_each_window_falls_by_a_tenth_around_its_day(window: object) -> None:
    falls = []
    for symbol in window.symbols:
        bars = load_hourly_window(window.date, symbol)
        falls.append((bars["low"] / bars["high"].cummax() - 1)[window.date :].min())
    assert min(falls) < -0.1


@every_window
def test_hourly_and_daily_bars_tell_the_same(window: object, symbol: str) -> None:
    joined = to_daily(load_hourly_window(window.date, symbol))
    daily = load_daily(symbol).loc[joined.index]
    assert joined[[*PRICES, "hours"]].equals(daily[[*PRICES, "hours"]])
    assert joined["volume"].to_numpy() == pytest.approx(daily["volume"].to_numpy(), rel=1e-6)


def test_outages_inside_a_window_are_found_in_its_bars() -> None:
    spell = find_outages(load_hourly_window("2021-04-18")).iloc[0]
    listed = outages("BTC")
    assert (listed == spell).all(axis=1).sum() == 1
    quiet = find_outages(load_hourly_window("2018-11-14"))
    assert quiet[["hours", "kind"]].to_numpy().tolist() == [[7, "no trades"]]
    assert find_outages(load_hourly_window("2024-08-05", "ETH")).empty


def test_two_spells_with_an_hour_of_trading_between_them_are_two() -> None:
    bars = load_hourly_window("2024-08-05").iloc[:6].copy()
    for hour in (1, 2, 4):
        bars.iloc[hour] = [100.0, 100.0, 100.0, 100.0, 0.0]
    assert find_outages(bars)["hours"].tolist() == [2, 1]


def test_the_gap_between_the_two_sources_is_no_outage() -> None:
    one, other = load_hourly_window("2022-06-13"), load_hourly_window("2024-03-05")
    assert find_outages(pd.concat([one, other])).empty


def test_returns_never_cross_a_gap() -> None:
    daily = load_daily("BTC")
    returns = log_returns(daily)
    assert len(returns) == 2_130 - 2
    assert pd.Timestamp("2024-01-01", tz="UTC") not in returns.index
    assert returns.loc["2020-03-12"] == pytest.approx(np.log(4_800.00 / 7_934.58), abs=1e-4)
    hourly = log_returns(load_hourly_window("2021-04-18"))
    assert pd.Timestamp("2021-04-20 04:00", tz="UTC") not in hourly.index


@pytest.mark.parametrize(
    ("order", "message"),
    [(slice(None, None, -1), "bars must rise in time"), (slice(0, 1), "bars must be at least two")],
)
def test_returns_need_two_bars_in_order(order: slice, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        log_returns(load_daily("BTC").iloc[order])


def test_changing_a_table_leaves_the_bundle_alone() -> None:
    for table in (load_daily("BTC"), load_hourly_window("2020-03-12")):
        table.loc[:, "open"] = 0.0
    assert (load_daily("BTC")["open"] > 0).all()
    assert (load_hourly_window("2020-03-12")["open"] > 0).all()


def test_every_reported_figure_carries_source_date_and_confidence() -> None:
    table = crashes()
    assert list(table.index) == [window.date for window in crash_windows()]
    assert set(table["confidence"]) <= {"verified", "secondary"}
    reported = table[table["reported_usd"].notna()]
    assert (reported["reported_usd"] >= 1e8).all()
    assert (reported[["source", "address", "source_date"]] != "").all(axis=None)
    assert reported["address"].str.startswith("https://").all()
    assert (table["note"] != "").all()
    assert all(date.fromisoformat(day) for day in table.index)


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_a_data_card_says_all_that_a_reader_must_know(symbol: str) -> None:
    card = data_card(symbol)
    for part in (card.source, card.span, card.dropped, card.kept, card.licence, card.rebuild):
        assert part
    assert card.rebuild == "make history"
    assert str(card).startswith(f"**Data card: {symbol}**")
    daily = load_daily(symbol)
    assert f"{len(daily)} days of {daily['hours'].sum()} hourly bars" in card.span
    for spelled in ("licence", "Python package index"):
        assert spelled in str(card)


def test_the_card_counts_every_known_defect() -> None:
    assert dict(data_card("BTC").defects) == {
        "address lines": 1,
        "rows newest first": 42_288,
        "stamps in milliseconds": 16_352,
        "stamps in seconds": 25_936,
        "dates as 2020-08-01 23:00:00": 16_352,
        "dates as 2020-08-01 11-PM": 25_936,
        "dates against their stamp": 91,
        "repeated hours": 1,
        "impossible bars": 1,
        "missing hours": 22,
    }


def test_the_sources_are_pinned_by_version_and_checksum() -> None:
    pins = {
        pin["package"]: (pin["version"], pin["archive_sha256"]) for pin in source_pins().values()
    }
    assert pins == {
        "cs_bitcoin_model": (
            "0.0.8",
            "5824da4aa8abca2e57400463dbbdcb7a41587f11d6c014270c5159f9bed5622b",
        ),
        "seda-backtester": (
            "0.1.1",
            "8e97bbcf7b0ed840afbd3aa219b5bcf782bcb58c1c257887b04dfd63855a33fa",
        ),
    }
    members = source_pins()["newest_first"]["members"]
    assert members["BTC"]["sha256"] == (
        "5a4dcc2740c1489fcd6fdb91f3ce884ae1182ca1c81da432bb47a920da3b983d"
    )


def test_the_bundle_is_small() -> None:
    folder = Path(str(files("leverage.history") / "data"))
    assert sum(path.stat().st_size for path in folder.iterdir()) < 600_000


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: load_daily("DOGE"), r"^symbol must be BTC or ETH, was 'DOGE'; "),
        (lambda: load_daily("btc"), r"^symbol must be BTC or ETH, was 'btc'; "),
        (lambda: outages("X"), r"^symbol must be BTC or ETH, was 'X'; "),
        (lambda: data_card("X"), r"^symbol must be BTC or ETH, was 'X'; "),
        (
            lambda: load_hourly_window("2020-03-13"),
            r"^date must be the day of a bundled crash, was",
        ),
        (
            lambda: load_hourly_window("2020-03-12", "ETH"),
            r"^symbol must be BTC for 2020-03-12, was 'ETH'; ",
        ),
    ],
)
def test_what_is_not_bundled_is_refused_by_name(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_without_a_cache_the_hourly_series_says_how_to_make_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEVERAGE_HISTORY", str(tmp_path / "nothing"))
    with pytest.raises(FileNotFoundError, match="`make history` builds it"):
        load_hourly("BTC")


def test_the_hourly_series_is_read_from_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEVERAGE_HISTORY", str(tmp_path))
    bars = load_hourly_window("2020-03-12")
    bars.to_csv(tmp_path / "hourly_BTC.csv", date_format="%Y-%m-%dT%H:%MZ")
    pd.testing.assert_frame_equal(load_hourly("BTC"), bars)


# ---- 10 October 2025: points, no bars

# CoinDesk Data, 17 October 2025, with candles of two public repositories; gathered 2026-11-22.
PUBLISHED_FALLS = {
    "BTC": -16.77,
    "ETH": -21.82,
    "SOL": -24.80,
    "XRP": -55.79,
    "DOGE": -62.60,
    "ADA": -66.79,
    "LINK": -65.32,
}


def test_published_points_give_the_published_falls() -> None:
    points = history.published_points()
    falls = ((points["low"] / points["high"] - 1) * 100).round(2)
    assert falls.to_dict() == PUBLISHED_FALLS
    assert points["source"].str.contains(" at ").all()


@pytest.mark.parametrize("symbol", PUBLISHED_FALLS)
def test_bars_through_points_hold_those_prices_and_no_other(symbol: str) -> None:
    bars = history.point_bars(symbol)
    points = history.published_points().loc[symbol]
    prices = set(bars[["open", "high", "low", "close"]].to_numpy().ravel().tolist())
    assert prices == {points[name] for name in ("open", "high", "low", "close")}
    assert bars["low"].min() == points["low"]
    assert bars.index[0] == pd.Timestamp("2025-10-10", tz="UTC")


def test_coin_without_points_is_an_error_that_says_which_have_some() -> None:
    with pytest.raises(ValueError, match=r"symbol must be one of BTC, ETH, .*, was 'SHIB'"):
        history.point_bars("SHIB")
