"""Every explorer: controls that work and refuse, words and a picture for all of their values."""

import ast
import base64
import inspect
import itertools
import math
import re
from pathlib import Path

import pytest
from explorers_opened import NAMES, check_all_is_said, opened, plain, set_all

from leverage import lessons
from leverage.lessons.explorers.controls import Choice, Number, Range, Slider

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"

# Values to try beyond the ends of a range and the options of a short list.
MORE = {
    "LeverageExplorer": {"leverage": [2], "move_pct": [-20.0, 0.0]},
    "MarginModeExplorer": {"first_move": [0.0]},
    "SurvivalMap": {"leverage": [2]},
    "TierExplorer": {"notional": [3_000_000.0]},
}
# Where all combinations would take minutes, these values only.
ONLY = {
    "BotBench": {},
    "CrashReplay": {"event": [("2020-03-12", "BTC"), ("2024-08-05", "ETH")]},
    "LeverageExplorer": {"chart_range": [5, 50]},
    "MarginModeExplorer": {"second_value": [1_000_000.0], "second_move": [-50.0, 50.0]},
    "PlatformComparer": {
        "notional": [10_000, 10_000_000],
        "residence": ["Not checked", "EU/EEA", "New York"],
        "unknown_score": [0.0, 1.0],
    },
    "SurvivalMap": {"watched": ["all the time", "once a day"]},
    "TradingTerminal": {
        "amount": [-1.0, 0.0, 1e9],
        "price": [0.0, 1e9],
        "stop_price": [0.0, 1e9],
        "target_price": [0.0],
    },
}
# A larger account with the same shares of it is the same picture.
SAME_PICTURE = {("PositionSizeCalculator", "account")}
SAME_WORDS = {("LeverageExplorer", "chart_range")}
# These count only where another control says so; their own tests try that.
NO_CHANGE = {("LiquidationMap", "account"), ("TierExplorer", "price")}


@pytest.fixture(scope="module", params=NAMES)
def explorer(request):
    return opened(request.param)


def name_of(explorer):
    return type(explorer).__name__


def at_start(explorer):
    """Put every control back to the value that it had first."""
    set_all(explorer, **{name: c.start for name, c in explorer.declared.items()})
    return explorer


def ends(name):
    """Give for each control of an explorer the values to combine with those of the others."""
    found = {}
    for control in getattr(lessons, name).declared.values():
        if isinstance(control, Range):
            values = [control.low, control.high]
        else:
            values = [*control.options.values()] if isinstance(control, Choice) else [True, False]
        values = ONLY.get(name, {}).get(control.name, values)
        found[control.name] = [*values, *MORE.get(name, {}).get(control.name, [])]
    return found


def another(control):
    """Give a value that a control does not start with."""
    if isinstance(control, Choice):
        return next(v for v in control.options.values() if v != control.start)
    if isinstance(control, Range):
        more = control.start * 2.5 + 1
        return type(control.start)(
            more if more <= control.high else (control.low + control.start) / 2
        )
    return not control.start


def wrong(control):
    """Give values that a control must refuse to start with."""
    if isinstance(control, Range):
        beyond = [] if math.isinf(control.high) else [control.low - 1, control.high + 1, math.inf]
        return [*beyond, math.nan, "10", True, None]
    return ["nothing of the kind", None, -77]


def test_no_combination_of_extremes_breaks_the_arithmetic_or_the_picture(explorer):
    values = ends(name_of(explorer))
    for chosen in itertools.product(*values.values()):
        set_all(explorer, **dict(zip(values, chosen, strict=True)))
        check_all_is_said(explorer)
    at_start(explorer)


@pytest.mark.parametrize(
    ("name", "control"),
    [
        (name, control)
        for name in NAMES
        if name != "TradingTerminal"  # its controls are a ticket, which its own tests send
        for control in getattr(lessons, name).declared
    ],
)
def test_every_control_changes_the_picture_and_the_words(name, control):
    explorer = opened(name)
    picture, words = explorer.png(), explorer.html
    getattr(explorer, control).value = another(explorer.declared[control])
    assert (explorer.png() == picture) == ((name, control) in SAME_PICTURE | NO_CHANGE)
    assert (explorer.html == words) == ((name, control) in SAME_WORDS | NO_CHANGE)


@pytest.mark.parametrize("name", NAMES)
def test_a_start_that_no_control_offers_is_refused_with_the_rule(name):
    for control in getattr(lessons, name).declared.values():
        for value in wrong(control):
            with pytest.raises(ValueError, match=f"^{control.name} must be") as refusal:
                opened(name, **{control.name: value})
            assert f"was {value!r}; choose" in str(refusal.value)
    with pytest.raises(TypeError, match=f"{name} has no control 'lever'; its controls are"):
        opened(name, lever=3)


def test_the_rule_names_the_limits_and_the_choices():
    with pytest.raises(ValueError, match="must be a whole number from 1 to 125, was 126"):
        opened("LeverageExplorer", leverage=126)
    with pytest.raises(ValueError, match=r"must be a whole number from 1 to 125, was 2\.5"):
        opened("LeverageExplorer", leverage=2.5)
    with pytest.raises(ValueError, match=r"side must be one of 1 \(Long\), -1 \(Short\), was 0"):
        opened("SurvivalMap", side=0)
    with pytest.raises(ValueError, match="residence must be one of 'Not checked', 'EU/EEA'"):
        opened("PlatformComparer", residence="Atlantis")


def test_a_control_is_not_replaced_by_a_value_in_silence(explorer):
    for name in explorer.declared:
        with pytest.raises(AttributeError, match=rf"set its value: \.{name}\.value"):
            setattr(explorer, name, 3)


def test_controls_keep_to_their_limits(explorer):
    for name, control in explorer.declared.items():
        if isinstance(control, Range) and not math.isinf(control.high):
            widget = getattr(explorer, name)
            for beyond, end in ((control.high * 3 + 1, control.high), (-1e9, control.low)):
                widget.value = type(control.start)(beyond)
                assert widget.value == pytest.approx(end)
    at_start(explorer)


def test_not_a_number_is_said_and_the_next_number_works(explorer):
    for name, control in explorer.declared.items():
        if isinstance(control, Number):
            widget, picture = getattr(explorer, name), explorer.png()
            before = widget.value
            widget.value = math.nan
            assert f"Enter a number for: {widget.description}." in explorer.html
            assert explorer.png() == picture
            widget.value = before
            assert "Enter a number" not in explorer.html
            assert explorer.png() == picture


def test_every_control_has_a_label_and_a_tooltip_and_can_be_reached(explorer):
    for name in explorer.declared:
        widget = getattr(explorer, name)
        assert widget.description
        assert widget.tooltip
        assert widget.disabled == ((name_of(explorer), name) == ("TradingTerminal", "price"))
        assert widget.tabbable is not False


def test_a_slider_stands_where_its_control_says(explorer):
    for name, control in explorer.declared.items():
        if isinstance(control, Slider):
            widget = getattr(explorer, name)
            ends = [10**end if control.decades else end for end in (widget.min, widget.max)]
            assert ends == pytest.approx([control.low, control.high])


def test_signature_and_documentation_name_every_control(explorer):
    signature, words = inspect.signature(type(explorer)), inspect.getdoc(type(explorer))
    for name, control in explorer.declared.items():
        assert signature.parameters[name].default == control.start
        assert f"\n{name} : " in words
    assert words.count("Parameters\n----------") == 1


def test_tables_have_a_caption_and_a_header_in_every_row(explorer):
    html = explorer.html
    assert html.count("<caption") == html.count("<table") >= 1
    rows = re.findall(r"<tr>(.*?)</tr>", html)
    assert rows
    assert all('scope="row"' in row or 'scope="col"' in row for row in rows)


def test_what_is_shown_is_escaped_in_the_page():
    explorer = opened("LeverageExplorer", quote="<b>&")
    assert "<b>" not in explorer.html
    assert "&lt;b&gt;&amp; per BTC" in explorer.html


def test_hold_draws_once_for_several_changes_and_not_at_all_for_a_change_back():
    explorer = opened("LeverageExplorer")
    draws = explorer.redraws
    set_all(explorer, leverage=20, margin=500, move_pct=1)
    assert explorer.redraws == draws + 1
    assert "A 20× long" in explorer.sentence
    with explorer.hold():
        explorer.leverage.value = 7
        explorer.leverage.value = 20
    assert explorer.redraws == draws + 1


def test_the_bundle_has_a_live_view_and_a_still_with_words(explorer):
    data, metadata = explorer._repr_mimebundle_()
    height = round(explorer._picture.height * 100)
    assert data[WIDGET_VIEW]["model_id"] == explorer.widget.model_id
    assert base64.b64decode(data["image/png"]) == explorer.png()
    assert data["text/plain"] == explorer.description
    still = {"alt": explorer.description, "width": 700, "height": height}
    assert metadata["image/png"] == still


@pytest.mark.parametrize("name", NAMES)
def test_the_same_values_give_the_same_still(name):
    explorer = opened(name)
    start = {each: widget.value for each, widget in explorer._controls.items()}
    still = explorer.png()
    set_all(explorer, **{each: another(c) for each, c in explorer.declared.items()})
    set_all(explorer, **start)
    assert explorer.png() == still
    assert opened(name).png() == still


def test_show_prints_the_description_where_nothing_can_be_displayed(explorer, capsys):
    explorer.show()
    shown = capsys.readouterr().out
    assert " ".join(shown.split()) == " ".join(f"Figure: {explorer.description}".split())
    assert max(map(len, plain(shown).splitlines())) <= 80


def test_what_type_checkers_see_is_what_the_table_of_names_loads():
    tree = ast.parse(Path(lessons.__file__).read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.asname: node.module.removeprefix("leverage.lessons.")
        for node in block.body
        for alias in node.names
    }
    assert seen == lessons._HOME_OF
    assert set(lessons.__all__) <= set(dir(lessons))
    for name in lessons.__all__:
        assert getattr(lessons, name).__name__ == name
