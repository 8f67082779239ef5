"""Facts are fetched into an overlay, never over the bundled files, and only when they make sense.

The answers in `answers/` are small ones made after the documented shapes; no test needs a network.
"""

import json
import re
import shlex
import zipfile
from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ccxt
import pytest
import yaml

from leverage.venues import compare, load_venue, venue_names
from leverage.venues import fetching as fetching_module
from leverage.venues.__main__ import _parser, main
from leverage.venues.fetching import BRACKETS, READERS, Fetched, FetchError, read_answer
from leverage.venues.refresh import FactChange, fact_changes, fetch_facts, refresh

HERE = Path(__file__).parent
NOW = datetime(2026, 12, 1, 9, 30, tzinfo=UTC)
BUNDLED = Path(fetching_module.__file__).parent


def answer(venue: str) -> Any:
    return json.loads((HERE / "answers" / f"{venue}.json").read_text(encoding="utf-8"))


def asked(venue: str, **_: Any) -> tuple[Fetched, str]:
    return read_answer(venue, answer(venue)), "ccxt 4.5.90"


def yes(words: str) -> bool:
    return True


def no(words: str) -> bool:
    return False


@pytest.fixture(autouse=True)
def overlay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    before = {path: path.read_bytes() for path in BUNDLED.glob("*.toml")}
    monkeypatch.setenv("LEVERAGE_FACTS", str(tmp_path / "facts"))
    yield tmp_path / "facts"
    assert {path: path.read_bytes() for path in BUNDLED.glob("*.toml")} == before


# ---- reading answers


@pytest.mark.parametrize(
    ("venue", "symbol", "unit", "first", "second"),
    [
        ("bybit", "BTCUSDT", "USDT", (0, 2e6, 0.005, 100, 0), (2e6, 2.6e6, 0.0056, 90, 1_200)),
        ("bitget", "BTCUSDT", "USDT", (0, 2e5, 0.004, 150), (2e5, 1e6, 0.005, 100)),
        ("kraken", "PF_XBTUSD", "USD", (0, 1e6, 0.01, 50), (1e6, 2e6, 0.02, 25)),
        # 15 000 contracts of 0.0001 BTC are 1.5 BTC: the same as in the bundled snapshot.
        ("mexc", "BTC_USDT", "BTC", (0, 1.5, 0.0015, 400), (1.5, 21.5, 0.0065, 95.24)),
        ("binance", "BTCUSDT", "USDT", (0, 3e5, 0.004, 150, 0), (3e5, 8e5, 0.005, 100, 300)),
    ],
)
def test_tiers_are_read_in_the_unit_of_the_venue(
    venue: str, symbol: str, unit: str, first: tuple[float, ...], second: tuple[float, ...]
) -> None:
    fetched = read_answer(venue, answer(venue))
    assert fetched.product == READERS[venue].product
    table = next(table for table in fetched.tables if table.symbol == symbol)
    assert table.unit == unit
    assert table.tiers[:2] == (pytest.approx(first), pytest.approx(second))


def test_first_tier_of_mexc_ends_where_its_own_field_says() -> None:
    """ccxt 4.5.90 begins with riskIncrVol and takes contracts for USDT."""
    table = read_answer("mexc", answer("mexc")).tables[0]
    assert table.bounds == "quantity"
    assert table.tiers[0][1] == 1.5
    assert table.tiers[-1][1] == 61.5


def test_fees_are_read_as_decimals() -> None:
    assert read_answer("mexc", answer("mexc")).rates == {
        "taker_fee_rate": 0.0004,
        "maker_fee_rate": 0,
    }
    assert read_answer("bitget", answer("bitget")).rates["taker_fee_rate"] == 0.0006


def _set(value: Any, *path: Any) -> Callable[[Any], None]:
    def change(data: Any) -> None:
        *way, last = path
        for key in way:
            data = data[key]
        data[last] = value

    return change


BYBIT = ("BTCUSDT", "result", "list", 0)
MEXC = ("BTC_USDT", "data")


@pytest.mark.parametrize(
    ("venue", "spoil", "said"),
    [
        ("bybit", _set("inverse", "BTCUSDT", "result", "category"), "is not linear, so its unit"),
        ("bybit", _set("1", *BYBIT, "maintenanceMargin"), "which is no decimal"),
        ("bybit", _set("0.1", *BYBIT, "initialMargin"), "an initial margin of 0.1 and 100x disa"),
        ("bybit", _set("0.02", *BYBIT, "maintenanceMargin"), "require more to keep"),
        ("bybit", _set("3000000", *BYBIT, "riskLimitValue"), "a maintenance rate that falls"),
        ("bybit", _set("XRPUSDT", *BYBIT, "symbol"), "asked for BTCUSDT, got XRPUSDT"),
        ("bybit", _set([], "BTCUSDT", "result", "list"), "are empty"),
        ("bybit", _set({}, "BTCUSDT"), r"another shape than documented \(KeyError"),
        ("bybit", _set("many", *BYBIT, "riskLimitValue"), r"another shape than documented"),
        ("bitget", _set("100000", "levers", "BTCUSDT", "data", 1, "startUnit"), "have a gap at"),
        ("bitget", _set("0.6", "contracts", "data", 1, "takerFeeRate"), "which is no fee as a dec"),
        ("bitget", _set("BTC", "contracts", "data", 1, "quoteCoin"), "is not quoted in USDT"),
        ("bitget", _set([], "contracts", "data"), "another shape"),
        (
            "kraken",
            _set([{"contracts": 0}], "instruments", 1, "marginLevels"),
            "counts its levels in contracts, not in USD",
        ),
        ("kraken", _set([], "instruments"), "PF_XBTUSD or PF_ETHUSD is missing"),
        ("mexc", _set("USDC", *MEXC, "settleCoin"), "does not settle in USDT"),
        ("mexc", _set(15_000, *MEXC, "contractSize"), "holds 15000 BTC, which cannot be"),
        ("mexc", _set(0.25, *MEXC, "initialMarginRate"), "disagree"),
        ("mexc", _set(-1, *MEXC, "riskIncrMmr"), "no decimal|falls"),
        ("binance", _set("BTC", "BTC/USDT:USDT", 0, "currency"), "is counted in BTC"),
    ],
)
def test_answer_that_cannot_be_believed_is_refused_in_a_sentence(
    venue: str, spoil: Callable[[Any], None], said: str
) -> None:
    data = deepcopy(answer(venue))
    spoil(data)
    with pytest.raises(FetchError, match=said) as caught:
        read_answer(venue, data)
    assert str(caught.value).startswith(f"{venue}: ")
    assert str(caught.value).endswith("the bundled facts stay")


# ---- asking


class _Exchange:
    """A venue's interface that answers from a file, or fails."""

    def __init__(self, venue: str, error: Exception | None = None) -> None:
        self.data, self.error = answer(venue), error

    def __call__(self, options: dict[str, Any]) -> "_Exchange":
        return self

    def _say(self, found: Any) -> Any:
        if self.error:
            raise self.error
        return found

    def publicGetV5MarketRiskLimit(self, of: dict[str, str]) -> Any:  # noqa: N802 (ccxt's name)
        assert of["category"] == "linear"
        return self._say(self.data[of["symbol"]])

    def publicMixGetV2MixMarketQueryPositionLever(self, of: dict[str, str]) -> Any:  # noqa: N802 (ccxt's name)
        return self._say(self.data["levers"][of["symbol"]])

    def publicMixGetV2MixMarketContracts(self, of: dict[str, str]) -> Any:  # noqa: N802 (ccxt's name)
        assert of == {"productType": "USDT-FUTURES"}
        return self._say(self.data["contracts"])

    def publicGetInstruments(self) -> Any:  # noqa: N802 (ccxt's name)
        return self._say(self.data)

    def contractPublicGetDetail(self, of: dict[str, str]) -> Any:  # noqa: N802 (ccxt's name)
        return self._say(self.data[of["symbol"]])


@pytest.mark.parametrize(
    ("venue", "name"),
    [("bybit", "bybit"), ("bitget", "bitget"), ("kraken", "krakenfutures"), ("mexc", "mexc")],
)
def test_venue_is_asked_through_a_method_that_ccxt_has(
    venue: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = getattr(ccxt, name)({})
    used = [method for method in dir(_Exchange) if method.startswith(("public", "contractPublic"))]
    monkeypatch.setattr(ccxt, name, _Exchange(venue))
    fetched, software = fetch_facts(venue)
    assert fetched == read_answer(venue, answer(venue))
    assert software == f"ccxt {ccxt.__version__}"
    assert any(hasattr(real, method) for method in used)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ccxt.RequestTimeout("late"), r"no answer from the network \(RequestTimeout\)"),
        (ccxt.BadSymbol("BTCUSDT"), r"refused GET v5/market/risk-limit \(BTCUSDT\)"),
    ],
)
def test_venue_that_does_not_answer_is_said_in_a_sentence(
    error: Exception, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ccxt, "bybit", _Exchange("bybit", error))
    with pytest.raises(FetchError, match=f"^bybit: {said}; the bundled facts stay$"):
        fetch_facts("bybit")


def test_ccxt_that_is_missing_is_said_with_what_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ccxt", None)
    with pytest.raises(FetchError, match=r"^bybit: ccxt is not installed; .+\[live\].* brings it$"):
        fetch_facts("bybit")


@pytest.mark.parametrize("venue", ["gemini", "primexbt"])
def test_venue_without_an_endpoint_is_kept_by_hand(venue: str) -> None:
    with pytest.raises(
        FetchError, match=f"^{venue}: no public interface .* kept by hand, and the "
    ):
        fetch_facts(venue)


def _fill(wheel: Path, day: tuple[int, int, int]) -> None:
    with zipfile.ZipFile(wheel, "w") as archive:
        member = zipfile.ZipInfo(BRACKETS, (*day, 12, 0, 0))
        archive.writestr(member, json.dumps(answer("binance")))


def test_brackets_have_the_date_of_their_file_and_not_of_the_day_of_reading(
    tmp_path: Path, overlay: Path
) -> None:
    wheel = tmp_path / "freqtrade-2026.10-py3-none-any.whl"
    _fill(wheel, (2026, 11, 3))
    refresh("binance", confirm=yes, brackets=wheel, now=NOW)
    fact = load_venue("binance", live=True).fact("usdt_futures.max_leverage")
    assert (fact.as_of, fact.sources[0].read) == ("2026-11-03", NOW.date())
    assert fact.source.startswith(f"{BRACKETS} of 2026-11-03, 2026-12-01 09:30 UTC, by freqtrade-")


def test_brackets_that_are_older_than_the_bundled_ones_are_refused(
    tmp_path: Path, overlay: Path
) -> None:
    wheel = tmp_path / "freqtrade-2024.9-py3-none-any.whl"
    _fill(wheel, (2024, 9, 30))
    with pytest.raises(FetchError, match=r"are of 2024-09-30, older than the bundled ones of 2026"):
        refresh("binance", confirm=yes, brackets=wheel, now=NOW)
    assert not overlay.exists()


def test_brackets_of_binance_come_from_a_wheel(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="its brackets need a key, so they come from a freqtrade"):
        fetch_facts("binance")
    wheel = tmp_path / "freqtrade-2026.9-py3-none-any.whl"
    _fill(wheel, (2026, 11, 3))
    fetched, software = fetch_facts("binance", brackets=wheel)
    assert (fetched.tables[0].symbol, software) == ("BTCUSDT", wheel.name)
    wheel.write_bytes(b"no wheel")
    with pytest.raises(FetchError, match="is no freqtrade wheel with"):
        fetch_facts("binance", brackets=wheel)


# ---- keeping


def test_overlay_is_used_when_asked_for_and_says_what_it_is(overlay: Path) -> None:
    found = refresh("mexc", confirm=yes, ask=asked, now=NOW)
    said = [str(change) for change in found]
    assert "mexc BTC_USDT number of tiers 13 → 4" in said
    assert "mexc ETH_USDT maximum leverage new: 400x" in said
    assert [path.name for path in overlay.iterdir()] == ["mexc.toml"]
    bundled, live = load_venue("mexc"), load_venue("mexc", live=True)
    assert bundled.fact("futures.max_leverage").number() == 500
    fact = live.fact("futures.max_leverage")
    assert (fact.number(), fact.confidence, fact.as_of) == (400, "fetched", "2026-12-01")
    assert fact.source == ("GET api/v1/contract/detail, 2026-12-01 09:30 UTC, by ccxt 4.5.90")
    assert live.product("futures").tiers("BTC").confidence == "fetched"
    assert live.product("futures").tiers("ETH").tiers[0].upper == 30
    assert live.fact("futures.trigger_price") == bundled.fact("futures.trigger_price")


def test_comparison_uses_the_overlay_and_says_which(overlay: Path) -> None:
    refresh("bybit", confirm=yes, ask=asked, now=NOW)
    how = {"notional": 2_500_000, "leverage": 90, "venues": "bybit"}
    (bundled,), (live,) = (compare(1, 100_000, live=live, **how) for live in (False, True))
    assert "linear.tiers.BTCUSDT" in bundled.unknown
    assert live.max_leverage == 90
    assert any("Fetched: GET v5/market/risk-limit, 2026-12-01 09:30" in c for c in live.conditions)


def test_day_before_the_fetching_has_the_bundled_facts() -> None:
    refresh("mexc", confirm=yes, ask=asked, now=NOW)
    for on, most in [("2026-11-30", 500), ("2026-12-01", 400)]:
        fact = load_venue("mexc", on=on, live=True).fact("futures.max_leverage")
        assert fact.number() == most


@pytest.mark.parametrize("venue", READERS)
def test_every_overlay_can_be_loaded_again(venue: str) -> None:
    refresh(venue, confirm=yes, ask=asked, now=NOW)
    first = load_venue(venue, live=True)
    assert first.gathered == NOW.date()
    assert fact_changes(read_answer(venue, answer(venue))) == ()  # nothing differs from itself
    assert refresh(venue, confirm=no, ask=asked, now=NOW) == ()
    assert load_venue(venue, live=True) == first


def _cut(text: str) -> str:
    return text[: len(text) // 2]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda text: "", "KeyError: 'fetched'"),
        (_cut, "TOMLDecodeError"),
        (lambda text: text.replace("products.futures", "products.spot"), "KeyError: 'spot'"),
        (lambda text: text.replace("taker_fee_rate", "taker_fee"), "KeyError: 'taker_fee'"),
        (lambda text: text.replace("value = 0.0004", "value = 4"), "which is no fee as a decimal"),
        (lambda text: text.replace("value = 0.0004", 'value = "low"'), "could not convert string"),
        (lambda text: text.replace("value = 400.0", "value = 4e6"), "max_leverage is 4e"),
        (lambda text: text.replace("[1.5, 21.5", "[2.5, 21.5"), "have a gap at 1.5"),
        (lambda text: text.replace("[1.5, 21.5, 0.0065", "[1.5, 21.5, 0.0005"), "rate that falls"),
        (lambda text: text.replace('["fetched"]', '["seen"]'), "KeyError: 'seen'"),
        (lambda text: text.replace("fetched = 2026-12-01\n", 'fetched = "now"\n', 1), "TypeError"),
    ],
)
def test_overlay_that_was_spoilt_is_refused_in_a_sentence_and_replaced_by_a_refresh(
    spoil: Callable[[str], str], said: str, overlay: Path
) -> None:
    refresh("mexc", confirm=yes, ask=asked, now=NOW)
    path, good = overlay / "mexc.toml", load_venue("mexc", live=True)
    path.write_text(spoil(path.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(ValueError, match=said) as caught:
        load_venue("mexc", live=True)
    words = str(caught.value)
    assert words.startswith(f"{path} cannot be used (")
    assert words.endswith("fetch it again with `python -m leverage.venues refresh mexc`")
    assert load_venue("mexc").fact("futures.max_leverage").number() == 500
    refresh("mexc", confirm=yes, ask=asked, now=NOW)
    assert load_venue("mexc", live=True) == good


def test_maximum_that_differs_from_its_own_table_is_told_and_confirmed() -> None:
    """The bundled MEXC file has 500x as advertised beside a table that begins at 400x."""
    found = [str(change) for change in fact_changes(read_answer("mexc", answer("mexc")))]
    assert "mexc max leverage 500x → 400x" in found
    data = answer("mexc")
    for _, row in data.items():
        row["data"] |= {"maxLeverage": 200, "initialMarginRate": 0.005}
    large = [c for c in fact_changes(read_answer("mexc", data)) if c.is_large]
    assert "mexc max leverage 500x → 200x" in map(str, large)


def test_change_in_a_later_tier_is_a_change_too() -> None:
    refresh("bybit", confirm=yes, ask=asked, now=NOW)
    data = answer("bybit")
    data["BTCUSDT"]["result"]["list"][1] |= {"maintenanceMargin": "0.0058"}
    (change,) = fact_changes(read_answer("bybit", data))
    assert str(change) == "bybit BTCUSDT tier 2 maintenance rate 0.0056 → 0.0058"


def test_large_change_needs_a_yes(overlay: Path) -> None:
    def doubled(venue: str, **_: Any) -> tuple[Fetched, str]:
        data = answer(venue)
        data["BTC_USDT"]["data"]["takerFeeRate"] = 0.0009
        return read_answer(venue, data), "ccxt 4.5.90"

    questions: list[str] = []

    def refuse(words: str) -> bool:
        questions.append(words)
        return False

    with pytest.raises(FetchError, match="was not confirmed; nothing of mexc was kept"):
        refresh("mexc", confirm=refuse, ask=doubled, now=NOW)
    assert questions == ["mexc taker fee rate 0.0004 → 0.0009: more than twice or less than half"]
    assert not overlay.exists()
    refresh("mexc", confirm=yes, ask=doubled, now=NOW)
    assert load_venue("mexc", live=True).fact("futures.taker_fee_rate").number() == 0.0009


@pytest.mark.parametrize(
    ("before", "now", "large"),
    [(100, 200, False), (100, 201, True), (100, 50, False), (100, 49, True), (0, 0.0001, True)],
)
def test_change_is_large_beyond_a_factor_of_two(before: float, now: float, large: bool) -> None:
    assert FactChange("x", "maximum leverage", before, now).is_large == large
    assert not FactChange("x", "maximum leverage", float("nan"), now).is_large


# ---- the command


def test_command_ends_with_a_table_of_what_changed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, overlay: Path
) -> None:
    monkeypatch.setattr(ccxt, "mexc", _Exchange("mexc"))
    assert main(["refresh", "mexc", "gemini"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "| Venue | What changed |"
    assert any(line.startswith("| mexc | ETH_USDT maximum leverage new: 400x") for line in lines)
    assert "| gemini | no public interface gives its tiers and fees; they are kept by hand" in (
        "\n".join(lines)
    )
    assert lines[-1] == f"1 of 2 venues fetched; what was kept is in {overlay}."


def test_command_without_a_terminal_believes_no_large_change(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, overlay: Path
) -> None:
    exchange = _Exchange("mexc")
    exchange.data["BTC_USDT"]["data"]["takerFeeRate"] = 0.0009
    monkeypatch.setattr(ccxt, "mexc", exchange)
    assert main(["refresh", "mexc"]) == 1
    assert "was not confirmed; nothing of mexc was kept" in capsys.readouterr().out
    assert not overlay.exists()
    assert main(["refresh", "mexc", "--yes"]) == 0


@pytest.mark.parametrize(
    "words",
    [
        ["refresh", "mexc"],
        ["refresh", "--venue", "mexc"],
        ["refresh", "--yes", "mexc"],
        ["--yes", "refresh", "mexc"],
    ],
)
def test_command_asks_only_the_venue_that_is_named(
    words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ccxt, "mexc", _Exchange("mexc"))
    assert main(words) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("1 of 1 venues fetched; ")


def test_command_exports_one_document_and_takes_no_venue(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for words in (["export", "kraken"], ["export", "--venue", "kraken"]):
        with pytest.raises(SystemExit):
            main(words)
        assert "export is one document of all venues" in capsys.readouterr().err


WORKFLOW = Path(__file__).parents[2] / ".github" / "workflows" / "facts.yml"


def test_scheduled_workflow_asks_with_words_that_the_command_knows() -> None:
    flow = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))
    assert flow[True]["schedule"]  # YAML reads the key "on" as true
    assert flow["permissions"] == {"contents": "write", "pull-requests": "write"}
    steps = "\n".join(step.get("run", "") for step in flow["jobs"]["refresh"]["steps"])
    assert "gh pr create" in steps
    asked = re.findall(r"python -m leverage\.venues ([^|>\n]+)", steps)
    commands = [_parser().parse_intermixed_args(shlex.split(words)).command for words in asked]
    assert commands == ["refresh", None]


def test_folder_that_cannot_be_written_is_said_in_a_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(ccxt, "mexc", _Exchange("mexc"))
    (tmp_path / "taken").write_text("a file where the folder should be")
    monkeypatch.setenv("LEVERAGE_FACTS", str(tmp_path / "taken"))
    assert main(["refresh", "mexc"]) == 1
    assert "| mexc | what was fetched cannot be kept (" in capsys.readouterr().out
    assert load_venue("mexc", live=True) == load_venue("mexc")


def test_command_names_the_venues_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["refresh", "okx"]) == 2
    assert capsys.readouterr().out == f"'okx' is no venue; there are {', '.join(venue_names())}\n"
