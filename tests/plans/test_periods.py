"""Plans on unseen periods and in crashes: limits that hold, breaches that are found, same bytes."""

from dataclasses import asdict, replace

import numpy as np
import pytest

from leverage.bots import BuyAndHold, Trend
from leverage.history import crash_windows, load_hourly_window
from leverage.lessons.charts.plan_charts import checklist_table, plot_report
from leverage.plans import (
    PERIODS,
    SOUND_PLAN,
    checklist,
    crash_problems,
    figure_problems,
    period_bars,
    report_on,
    run_plan,
    run_problems,
    stress,
)
from leverage.plans.periods import exchange_for

SOUND = asdict(SOUND_PLAN)
AT_BINANCE = replace(SOUND_PLAN, persona="Lea", venue="binance", product="usdt_futures")
LEA = replace(AT_BINANCE, direction="both", leverage=3)
HOT = replace(
    SOUND_PLAN,
    risk_per_trade=0.02,
    stop_distance=0.03,
    max_exposure=2.0,
    daily_loss_limit=0.03,
    total_loss_limit=0.06,
)


@pytest.mark.parametrize("coin", PERIODS)
def test_unseen_periods_are_whole_days_in_order(coin):
    for period in PERIODS[coin]:
        bars = period_bars(coin, period)
        assert bars.index.is_monotonic_increasing
        assert (bars["low"] <= bars[["open", "close"]].min(axis=1)).all()
        assert (bars["high"] >= bars[["open", "close"]].max(axis=1)).all()


def test_no_unseen_bitcoin_period_is_one_on_which_chapter_06_ran_a_bot():
    years = {day.year for period in ("2018", "2022") for day in period_bars("BTC", period).index}
    assert not years & {2019, 2020, 2021, 2024}


def test_the_seed_decides_the_made_period_and_nothing_else():
    same = period_bars("BTC", "made", seed=4).equals(period_bars("BTC", "made", seed=4))
    assert same
    assert not period_bars("BTC", "made", seed=4).equals(period_bars("BTC", "made", seed=5))
    assert period_bars("BTC", "2018", seed=4).equals(period_bars("BTC", "2018", seed=5))
    made = period_bars("ETH", "made", seed=4)
    assert np.allclose(made["open"].to_numpy()[1:], made["close"].to_numpy()[:-1])


def test_a_period_of_another_coin_is_refused():
    with pytest.raises(ValueError, match="period must be one of the unseen periods of the coin"):
        period_bars("ETH", "2018")


@pytest.mark.parametrize(
    "plan",
    [
        LEA,
        HOT,
        replace(LEA, coin="ETH", stop_distance=0.05, max_exposure=1.0),
        replace(LEA, venue="kraken", product="futures_linear", margin_mode="cross"),
        replace(LEA, venue="bitget", risk_per_trade=0.005),
    ],
    ids=["long and short", "large and near", "ether", "cross", "interval unknown"],
)
def test_the_plans_own_bot_keeps_every_limit_and_its_books_balance(plan):
    report = report_on(plan)
    assert report.breaches == ()
    assert report.fills > 0
    assert all(done.reconciles for done in report.runs)


def test_entries_are_declined_before_a_limit_is_reached():
    runs = [run_plan(HOT, period) for period in ("2018", "2022")]
    assert all(done.run.max_drawdown <= HOT.total_loss_limit for done in runs)
    assert any(done.declined for done in runs)


def test_a_bot_that_places_its_stop_a_day_late_is_found_out():
    late = run_plan(SOUND_PLAN, "2022", bot=Trend(5, 20, exposure=0.125, stop=0.08))
    assert {breach.rule for breach in late.breaches} == {"share without a stop"}
    assert str(late.breaches[0]) == "2022-02-06: share without a stop 1, the plan allows 0"


def test_a_bot_without_limits_breaks_all_of_them():
    held = run_plan(replace(SOUND_PLAN, leverage=2.0), "2018", bot=BuyAndHold(1.9))
    rules = {breach.rule for breach in held.breaches}
    assert {
        "exposure",
        "share without a stop",
        "loss of the day",
        "loss from the peak",
        "liquidation",
    } <= rules
    assert held.run.liquidations >= 1
    assert [breach.time for breach in held.breaches] == sorted(b.time for b in held.breaches)


def test_a_stop_behind_the_liquidation_price_is_found_out():
    plan = replace(SOUND_PLAN, persona="Kei", leverage=10.0, stop_distance=0.05)
    wide = Trend(5, 20, exposure=0.1, stop=0.3)
    rules = [breach.rule for breach in run_plan(plan, "2018", bot=wide).breaches]
    assert "stop behind liquidation" in rules


def test_the_ledger_explains_the_end_to_the_cent():
    done = run_plan(SOUND_PLAN, "2018")
    end = done.run.start_equity + done.run.profit - done.run.fees - done.run.funding
    assert done.run.table["equity"].iloc[-1] == pytest.approx(end, abs=1e-6)


def test_funding_is_the_same_share_whatever_the_interval_of_the_venue():
    bars = period_bars("BTC", "2018")
    for venue, product, mode in [
        ("binance", "usdt_futures", "isolated"),
        ("kraken", "futures_linear", "cross"),
    ]:
        plan = replace(LEA, venue=venue, product=product, margin_mode=mode)
        exchange = exchange_for(plan, bars)
        rate = exchange.fetch_funding_rate(exchange.symbols[0])["fundingRate"]
        assert rate / exchange.rules.funding_interval_hours == pytest.approx(0.0001 / 8)


def test_the_same_inputs_give_the_same_bytes():
    report = report_on(SOUND_PLAN, seed=3)
    again = report_on(SOUND_PLAN, seed=3, again=True)
    assert again.runs[0].run is not report.runs[0].run
    assert again.text().encode() == report.text().encode()
    assert again.digest == report.digest
    assert report_on(SOUND_PLAN, seed=4).digest != report.digest
    assert report_on(replace(SOUND_PLAN, slow=21), seed=3).digest != report.digest


def test_every_crash_of_the_coin_is_met_on_every_side_of_the_plan():
    assert len(stress(SOUND_PLAN)) == len(crash_windows())
    ether = stress(replace(LEA, coin="ETH"))
    assert [test.side for test in ether] == [1, -1] * 5


def test_a_ledger_reconciles_after_a_liquidation_too():
    """What the insurance fund takes of the margin is a cause like any other."""
    done = run_plan(SOUND_PLAN, "2018", bot=BuyAndHold(1.9))
    assert done.run.liquidations >= 1
    assert done.run.flows["insurance fund"] < 0
    assert done.reconciles
    assert "liquidation" in [breach.rule for breach in done.breaches]


def test_an_amount_that_nobody_explains_is_not_reconciled():
    done = run_plan(SOUND_PLAN, "2022")
    assert not replace(done, ledger_difference=1.0).reconciles
    assert not replace(done, run=replace(done.run, profit=done.run.profit + 0.01)).reconciles


def test_a_crash_that_only_makes_a_position_smaller_does_not_liquidate_it():
    plan = replace(AT_BINANCE, persona="Kei")
    tests = stress(plan, all_in=20.0)
    for test in tests:
        assert not (test.liquidated and test.stopped)
    lived = [test for test in tests if not test.liquidated]
    assert all(test.loss < 1 for test in lived)


def test_a_stopped_position_loses_the_plan_and_half_the_spread():
    test = stress(replace(SOUND_PLAN, persona="Kei"))[2]
    assert (test.date, test.stopped, test.liquidated) == ("2020-03-12", True, False)
    # Bought and sold half a per cent worse, on an eighth of the equity.
    exposure = 0.01 / (0.08 + 0.0005 * 1.92)
    assert test.loss == pytest.approx(0.01 + exposure * 0.005 * 1.92, rel=2e-2)


def test_all_the_money_at_high_leverage_is_liquidated_where_the_price_says():
    for test in stress(AT_BINANCE, all_in=10):
        bars = load_hourly_window(test.date).loc[test.date :]
        end = bars["open"].iloc[0] * 0.9 / 0.996
        # Funding is paid out of the isolated margin, so the end comes a little nearer with time.
        if test.liquidated:
            assert bars["low"].min() <= end * 1.005, test
        else:
            assert bars["low"].min() > end, test
        assert not test.stopped
    with pytest.raises(ValueError, match="all_in must be a leverage of 1 or more, was 0"):
        stress(SOUND_PLAN, all_in=0)


def test_problems_of_a_run_and_of_crashes_are_sentences():
    assert run_problems(SOUND) == crash_problems(SOUND) == ()
    tiny = SOUND | {"risk_per_trade": 1e-7}
    assert run_problems(tiny)[0].startswith("The plan never traded")
    assert crash_problems(tiny) == ()
    broken = SOUND | {"leverage": 9}
    assert run_problems(broken) == crash_problems(broken) != ()
    strict = SOUND | {"risk_per_trade": 0.02, "daily_loss_limit": 0.02, "total_loss_limit": 0.02}
    assert crash_problems(strict)[0].startswith("In the crash of 2020-03-12: loss in a crash 0.02")


def test_figures_must_come_out_again():
    table = report_on(SOUND_PLAN, seed=5).table()
    right = {"seed": 5, "period": table["drawdown"].idxmax(), "drawdown": table["drawdown"].max()}
    assert figure_problems(SOUND, right) == ()
    assert figure_problems(SOUND, right | {"drawdown": round(right["drawdown"], 4)}) == ()
    for wrong, start in [
        ({"seed": 0.5}, "seed must be a whole number"),
        ({"seed": True}, "seed must be a whole number"),
        ({"seed": "5"}, "seed must be a whole number"),
        ({"period": "2022"}, "period must be the one with the largest drawdown"),
        ({"drawdown": 9.5}, "drawdown does not come out again"),
        ({"drawdown": "0.09"}, "drawdown does not come out again"),
        ({"name": 1}, "figures must be a dictionary with seed, period, drawdown"),
    ]:
        assert figure_problems(SOUND, right | wrong)[0].startswith(start)
    assert figure_problems(SOUND, 3)[0].startswith("figures must be a dictionary")
    assert figure_problems(SOUND | {"leverage": 9}, right)[0].startswith("leverage is refused")


@pytest.mark.parametrize("risk", [0.0003, 0.0005, 0.0007])
def test_a_small_drawdown_may_be_given_with_four_decimals(risk):
    small = SOUND | {"persona": "Kei", "risk_per_trade": risk}
    table = report_on(replace(SOUND_PLAN, persona="Kei", risk_per_trade=risk)).table()
    worst = table["drawdown"].max()
    figures = {"seed": 9, "period": table["drawdown"].idxmax(), "drawdown": round(worst, 4)}
    assert worst < 0.009
    assert figure_problems(small, figures) == ()
    assert figure_problems(small, figures | {"drawdown": worst + 1e-4})


def test_the_figure_names_every_period_and_the_limit():
    figure = plot_report(report_on(SOUND_PLAN), title="A plan")
    words = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert {*PERIODS["BTC"], "10 % below the start", "Planned loss"} <= set(words)
    assert len(figure.axes[1].patches) == len(crash_windows())


def test_the_checklist_is_a_table_of_words():
    table = checklist_table(checklist(SOUND_PLAN))
    assert table.loc[("Requirement", "liquidation price"), "value"] == "31,579"
    fine = table["fine"].to_dict()
    assert {line for (_, line), word in fine.items() if word == "NO"} == {"look up on the day"}
