"""The bot bench: every choice is in its file, its words are right, and its runs can be repeated."""

import io
import itertools
import json
import re

import pytest
from explorers_opened import plain
from PIL import Image

from leverage.lessons import figures
from leverage.lessons.charts.bot_charts import average_rule_returns, plot_growth, plot_run
from leverage.lessons.explorers import bot_bench as bench
from leverage.lessons.explorers.bot_bench import BOTS, LEVERAGES, PERIODS, BotBench


@pytest.fixture(scope="module")
def shared():
    return BotBench()


def test_every_choice_of_the_controls_has_words_and_a_picture(shared):
    for bot, leverage, period in itertools.product(BOTS, LEVERAGES, PERIODS):
        with shared.hold():
            shared.bot.value, shared.leverage.value, shared.period.value = bot, leverage, period
        text = plain(shared.html + shared.description)
        assert not re.search(r"\b(nan|inf|None|not a number|infinite)\b", text), text
        assert bot in shared.sentence
        low, high = shared._picture._axes.get_ylim()
        for line in shared._picture._lines.values():
            assert low < min(line.get_ydata())
            assert max(line.get_ydata()) < high
    assert Image.open(io.BytesIO(shared.png())).size == (700, 400)


def test_the_bench_tells_what_became_of_a_martingale():
    shown = BotBench(bot="Martingale", leverage=2, period="2020")
    assert "It was liquidated." in shown.sentence
    assert plain(shown.rows["Equity at the end"]) == "0 USDT"
    assert plain(shown.rows["Return"]) == "−100.0 %"
    shown.period.value = "2021"
    assert "It was not liquidated." in shown.sentence
    assert len(figures.check_description(shown.description)) > 50


@pytest.mark.parametrize(
    ("bot", "leverage", "period"),
    [("Buy and hold", 1, "2024"), ("Martingale", 2, "2020"), ("Funding carry", 1, "2024")],
)
def test_the_file_holds_what_a_run_gives(bot, leverage, period):
    kept = json.loads(bench._FILE.read_text(encoding="utf-8"))[f"{bot}|{leverage}|{period}"]
    price = float(bench.load_daily("BTC").loc[period]["open"].iloc[0])
    assert bench._kept(bench.run_on_bench(bot, leverage, period), price) == kept


def test_the_file_is_written_as_it_is_read(tmp_path, monkeypatch):
    for name, value in (("BOTS", BOTS[:1]), ("LEVERAGES", (1,)), ("PERIODS", ("2024",))):
        monkeypatch.setattr(bench, name, value)
    bench.make_file(tmp_path / "bots.json")
    whole = bench._FILE.read_text(encoding="utf-8").splitlines()
    written = (tmp_path / "bots.json").read_text(encoding="utf-8").splitlines()
    assert written[1] in [line.rstrip(",") for line in whole]


def test_a_year_of_a_bot_is_drawn_with_its_price():
    done = bench.run_on_bench("Buy and hold", 1, "2024")
    figure = plot_run(done, title="One year")
    above, below = figure.axes
    assert above.get_ylabel() == "Price (USDT per BTC)"
    assert below.get_xlabel() == "Days since 1 January 2024"
    assert below.get_ylim()[0] <= 0


def test_growth_is_drawn_on_a_logarithmic_scale():
    closes = bench.load_daily("BTC").loc["2024", "close"]
    returns = {"Rule": average_rule_returns(closes, 20)}
    axes = plot_growth(returns, title="A rule").axes[0]
    assert axes.get_yscale() == "log"
    assert axes.lines[0].get_ydata()[-1] == pytest.approx((1 + returns["Rule"]).prod())
