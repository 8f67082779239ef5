"""A plan refuses what cannot work, and says which field is wrong."""

from dataclasses import asdict, fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leverage import LONG, SHORT, liquidation_price
from leverage.plans import (
    PERSONAS,
    SOUND_PLAN,
    Plan,
    checklist,
    place_problems,
    plan_from,
    plan_problems,
    rule_problems,
    usable_plan,
)
from leverage.venues import UnknownFactError

SOUND = asdict(SOUND_PLAN)
PLACE = {key: SOUND[key] for key in ("persona", "venue", "product", "coin")}
AT_BINANCE = {"persona": "Kei", "venue": "binance", "product": "usdt_futures"}
RULES = {key: value for key, value in SOUND.items() if key not in PLACE}


def only_problem(**changes):
    found = plan_problems(SOUND | changes)
    assert len(found) == 1, found
    return found[0]


def test_the_courses_plan_has_no_problem():
    assert plan_problems(SOUND) == ()
    assert plan_from(SOUND) == SOUND_PLAN


@pytest.mark.parametrize(
    ("changes", "start"),
    [
        ({"persona": "Zoe"}, "persona must be one of Ida, Jon, Kei, Lea, was 'Zoe'"),
        ({"venue": "ftx"}, "venue must be one of"),
        (
            {"product": "futures"},
            "product must be one of spot_margin, futures_linear, was 'futures'",
        ),
        (
            {"product": "futures_inverse"},
            "product must be settled in the quote currency, was 'futures_inverse', which is settled in",
        ),
        ({"coin": ["BTC"]}, "coin must be one of BTC, ETH, was ['BTC']"),
        ({"margin_mode": "portfolio"}, "margin_mode must be one of isolated, cross"),
        ({"direction": 1}, "direction must be one of long, both, was 1"),
        ({"risk_per_trade": 0}, "risk_per_trade must be above 0 and at most 0.02, was 0"),
        ({"risk_per_trade": True}, "risk_per_trade must be above 0"),
        ({"stop_distance": float("nan")}, "stop_distance must be above 0 and at most 0.5"),
        ({"daily_loss_limit": 0.4}, "daily_loss_limit must be above 0 and at most 0.3"),
        ({"leverage": 0.5}, "leverage must be a number, 1 or more, was 0.5"),
        ({"max_exposure": "much"}, "max_exposure must be a number, above 0, was 'much'"),
        ({"fast": 20}, "fast and slow must be whole numbers with 0 < fast < slow <= 100"),
        ({"slow": 20.5}, "fast and slow must be whole numbers"),
        ({"stop_when": "When it hurts."}, "stop_when must say in at least 8 words"),
        ({"stop_when": "stop " * 8}, "stop_when must say in at least 8 words, 6 of them different"),
        ({"stop_when": "a b c d e f g h"}, "stop_when must say in at least 8 words, 6 of them"),
        ({"stop_distance": 0.019}, "max_exposure must be at least risk_per_trade / stop_distance"),
        ({"max_exposure": 3}, "max_exposure must be at most leverage = 2.0, was 3"),
        ({"daily_loss_limit": 0.009}, "daily_loss_limit must be at least risk_per_trade = 0.01"),
        ({"total_loss_limit": 0.02}, "total_loss_limit must be at least daily_loss_limit = 0.03"),
        ({"leverage": 3}, "leverage is refused for Ida: EU/EEA"),
        ({"persona": "Jon"}, "venue is closed to Jon: Kraken does not serve"),
        *(
            ({"venue": venue, "product": product}, f"venue is closed to Ida: {words}")
            for venue, product, words in [
                ("binance", "usdt_futures", "Binance has suspended its service in EU/EEA"),
                ("bitget", "usdt_futures", "Bitget is not authorised in EU/EEA"),
                ("mexc", "futures", "MEXC is not authorised in EU/EEA"),
            ]
        ),
        (
            {"product": "spot_margin"},
            "margin_mode must be one that the product has (cross), was 'isolated'",
        ),
        (
            {"persona": "Kei", "leverage": 12, "venue": "binance", "product": "usdt_futures"},
            "stop_distance puts the stop of a long from 60,000",
        ),
    ],
)
def test_each_problem_names_its_field_and_what_was_received(changes, start):
    assert only_problem(**changes).startswith(start)


def test_an_unknown_fact_is_said_to_be_unknown():
    text = only_problem(persona="Kei", venue="gemini", product="perpetual", margin_mode="cross")
    assert "perpetual.maintenance_limit of gemini is unknown" in text
    assert "I do not know" in text


@pytest.mark.parametrize("field", [field.name for field in fields(Plan)])
def test_a_missing_or_blank_field_is_named(field):
    without = {name: value for name, value in SOUND.items() if name != field}
    assert plan_problems(without) == (f"{field} is missing; give it a value",)
    assert plan_problems(SOUND | {field: ...}) == plan_problems(without)


def test_capitals_and_blanks_do_not_count_in_the_words_of_a_plan():
    words = {"persona": "ida ", "venue": "Kraken", "product": "Futures_Linear", "coin": "btc"}
    assert place_problems(words) == ()
    assert plan_from(SOUND | words | {"margin_mode": "Isolated", "direction": "LONG"}) == SOUND_PLAN


def test_what_is_no_plan_is_refused_in_a_sentence():
    assert plan_problems([1])[0].startswith("plan must be a dictionary")
    assert plan_problems(SOUND | {"take_profit": 2})[0].startswith("take_profit is no field")
    assert "…" in plan_problems("x" * 500)[0]
    with pytest.raises(ValueError, match="persona must be one of"):
        plan_from(SOUND | {"persona": "Zoe"})
    with pytest.raises(ValueError, match="risk_per_trade"):
        replace(SOUND_PLAN, risk_per_trade=1)


def test_whole_floats_become_whole_numbers():
    assert plan_from(SOUND | {"fast": 5.0}).fast == 5
    assert isinstance(plan_from(SOUND | {"fast": 5.0}).fast, int)


def test_a_place_is_judged_before_any_rule_is_chosen():
    place = {"persona": "Lea", "venue": "kraken", "product": "futures_linear", "coin": "ETH"}
    assert place_problems(place) == ()
    assert place_problems(place | {"leverage": 2})[0].startswith("leverage is no part")
    assert place_problems(7)[0].startswith("the choice must be a dictionary")
    assert place_problems({"persona": "Lea"})[0] == "venue is missing; give it a value"
    assert "closed to Jon" in place_problems(place | {"persona": "Jon"})[0]


def test_no_venue_is_open_to_the_person_in_new_york():
    for venue, product in [
        ("binance", "usdt_futures"),
        ("bybit", "linear"),
        ("kraken", "futures_linear"),
        ("mexc", "futures"),
    ]:
        place = {"persona": "Jon", "venue": venue, "product": product, "coin": "BTC"}
        assert "closed to Jon" in place_problems(place)[0]


@given(
    risk=st.floats(0.001, 0.02),
    stop=st.floats(0.05, 0.3),
    price=st.floats(1e-5, 1e5),
    side=st.sampled_from([LONG, SHORT]),
)
def test_a_position_loses_what_was_planned_at_its_stop(risk, stop, price, side):
    plan = replace(SOUND_PLAN, risk_per_trade=risk, stop_distance=stop)
    quantity, at = plan.quantity(side, price, 1_000), plan.stop_price(side, price)
    fees = 0.0005 * quantity * (price + at)
    assert side * quantity * (price - at) + fees == pytest.approx(1_000 * risk)


@given(leverage=st.floats(1, 40), stop=st.floats(0.02, 0.45))
def test_a_valid_plan_has_its_stop_before_the_liquidation_price(leverage, stop):
    changes = AT_BINANCE | {"leverage": leverage, "stop_distance": stop, "max_exposure": 1.0}
    problems = plan_problems(SOUND | changes | {"direction": "both"})
    size = 0.01 / stop * PERSONAS["Kei"].balance / 60_000
    ends = {
        side: liquidation_price(side, 60_000, size, size * 60_000 / leverage, 0.004)
        for side in (LONG, SHORT)
    }
    late = [side for side, end in ends.items() if side * (60_000 * (1 - side * stop) - end) < -1]
    if late:
        assert any("behind the liquidation price" in problem for problem in problems)


def test_the_checklist_follows_the_five_labels_and_says_no_where_something_is_not_fine():
    lines = checklist(SOUND_PLAN)
    assert list(dict.fromkeys(line.step for line in lines)) == [
        "Notional",
        "Margin",
        "Equity at price P",
        "Requirement",
        "Solve",
        "Costs",
        "Venue",
    ]
    assert all(line.fine for line in lines if line.line != "look up on the day")
    values = {line.line: line.value for line in lines}
    assert values["loss at the stop, fees included"] == pytest.approx(10)
    assert values["stop price"] == pytest.approx(55_200)
    assert values["liquidation price"] == pytest.approx(60_000 * 0.5 / 0.95)
    assert values["initial margin"] == pytest.approx(values["value at entry"] / 2)
    # Fees are larger than the loss that they come with where a stop is a hair away.
    near = replace(SOUND_PLAN, risk_per_trade=0.0001, stop_distance=0.0005)
    assert not next(line for line in checklist(near) if line.line == "fees of the round trip").fine


def test_the_checklist_takes_nothing_for_granted():
    # Every line that names something unknown or to look up says NO, whatever the plan.
    for venue, product in [("bybit", "linear"), ("binance", "usdt_futures"), ("mexc", "futures")]:
        plan = replace(SOUND_PLAN, persona="Lea", venue=venue, product=product)
        lines = {line.line: line for line in checklist(plan)}
        assert (lines["open to Lea"].value, lines["open to Lea"].fine) == ("unknown", False)
        to_do = [line for line in checklist(plan) if line.line == "look up on the day"]
        assert to_do
        assert not any(line.fine for line in to_do)
        assert any("do you serve clients in UAE (Dubai)" in str(line.value) for line in to_do)
    late = {line.line: line for line in checklist(SOUND_PLAN, side=SHORT)}
    assert late["stop price"].fine
    assert late["liquidation price"].fine


def test_what_a_venue_does_not_tell_is_no_in_the_checklist():
    plan = replace(SOUND_PLAN, persona="Kei", venue="bybit", product="linear", leverage=5)
    size = next(line for line in checklist(plan) if line.line == "value at entry")
    assert size.fine
    many = replace(plan, risk_per_trade=0.02, stop_distance=0.0101, max_exposure=5)
    with pytest.raises(UnknownFactError, match="nothing is known above 2000000 USDT"):
        checklist(many, equity=2e6)


def test_a_cross_position_without_an_end_is_said_to_have_none():
    plan = replace(SOUND_PLAN, margin_mode="cross")
    end = next(line for line in checklist(plan) if line.step == "Requirement")
    assert (end.value, end.unit) == ("none", "")


def test_a_short_is_checked_with_its_own_prices():
    values = {line.line: line.value for line in checklist(SOUND_PLAN, 3_000, side=SHORT)}
    assert values["stop price"] == pytest.approx(3_240)
    assert values["liquidation price"] == pytest.approx(3_000 * 1.5 / 1.05)


@pytest.mark.parametrize("names", [{}, {"my_choice": ..., "my_rules": 3}, {"my_rules": {}}])
def test_without_a_plan_of_ones_own_the_courses_plan_is_used(names, capsys):
    assert usable_plan(names) == SOUND_PLAN
    assert "yours is not complete yet" in capsys.readouterr().out


def test_a_plan_in_two_parts_is_used_and_a_wrong_one_is_named(capsys):
    own = usable_plan({"my_choice": PLACE, "my_rules": RULES | {"slow": 50}})
    assert own == replace(SOUND_PLAN, slow=50)
    assert capsys.readouterr().out == "Your plan is used.\n"
    assert usable_plan({"my_choice": PLACE, "my_rules": RULES | {"leverage": 9}}) == SOUND_PLAN
    assert "in yours, leverage is refused for Ida" in capsys.readouterr().out
    assert usable_plan({"my_choice": PLACE | {"persona": "Jon"}, "my_rules": RULES}) == SOUND_PLAN
    assert "in yours, venue is closed to Jon" in capsys.readouterr().out


def test_rules_cannot_change_who_trades_where():
    own = RULES | {"slow": 50}
    assert rule_problems(PLACE, own) == ()
    for name, value in PLACE.items():
        assert rule_problems(PLACE, own | {name: value})[0].startswith(f"{name} belongs to the")


def test_a_copy_of_the_worked_example_is_no_plan_of_ones_own():
    for copy in (RULES, RULES | {"stop_when": RULES["stop_when"].upper(), "fast": 5.0}):
        assert rule_problems(PLACE, copy)[0].startswith("these are the rules of the worked example")
    for name, value in {"slow": 21, "stop_distance": 0.07, "margin_mode": "cross"}.items():
        assert rule_problems(PLACE, RULES | {name: value}) == ()


@pytest.mark.parametrize("rules", [[1], "long", None, 3])
def test_rules_that_are_no_dictionary_are_refused_in_a_sentence(rules):
    assert rule_problems(PLACE, rules)[0].startswith("the rules must be a dictionary, was ")


def test_the_judge_is_asked_only_about_rules_without_a_problem():
    asked = []

    def judge(data):
        asked.append(data)
        return ("it says no",)

    assert rule_problems(PLACE, RULES | {"leverage": 9}, judge)[0].startswith("leverage is refused")
    assert rule_problems(PLACE, RULES, judge)[0].startswith("these are the rules")
    assert asked == []
    assert rule_problems(PLACE, RULES | {"slow": 50}, judge) == ("it says no",)
    assert asked == [SOUND | {"slow": 50}]
