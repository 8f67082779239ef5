"""The learner's page: what to look at again, from a record that may be empty, partial or broken."""

import json

import pytest

from leverage.lessons import draw, manifest, revisit
from leverage.lessons.progress import record

REVIEWS = {
    "review_1": {
        "number": 1,
        "title": "Mixed",
        "objectives": {"LO1.1": "Compute the position value."},
        "items": {
            "rv01_q1": {"points": 0, "objectives": ["LO1.1"], "kind": "quiz", "cell": "abc"},
        },
    }
}


@pytest.fixture(autouse=True)
def _reviews(monkeypatch):
    monkeypatch.setattr(manifest, "load_reviews", lambda: REVIEWS)


@pytest.fixture
def notebooks(tmp_path, monkeypatch):
    """The folder of a course whose notebooks exist; the page runs in it."""
    for name in ("01_basics", "02_margin", "review_1"):
        (tmp_path / "course" / name).mkdir(parents=True)
        (tmp_path / "course" / name / f"{name}.ipynb").write_text("{}")
    monkeypatch.chdir(tmp_path / "course")
    return tmp_path / "course"


def test_an_empty_record_leads_to_the_first_chapter(notebooks):
    text = revisit().markdown
    assert "Nothing is recorded here yet" in text
    assert "[1. Basics](01_basics/01_basics.ipynb)" in text
    assert "No exercise is passed yet" in draw().markdown


@pytest.mark.parametrize("content", ["{", "[]", '{"items": 3}', "null"])
def test_a_broken_record_is_kept_aside_and_reads_as_empty(tmp_path, capsys, content):
    (tmp_path / "progress.json").write_text(content)
    assert "Nothing is recorded here yet" in revisit().markdown
    assert (tmp_path / "progress.json.unreadable").read_text() == content
    assert "could not be read as a progress record" in capsys.readouterr().out


def test_odd_entries_stop_nothing(tmp_path):
    items = {"ch01_a_value": 3, "ch01_q1": {"passed": "yes", "hint": 5}, "gone_b": {"passed": True}}
    (tmp_path / "progress.json").write_text(json.dumps({"version": 1, "items": items}))
    text = revisit().markdown
    assert "1.A value (Your turn A): 0 attempts, not passed." in text
    assert "gone" not in text


def test_open_safety_items_come_first_then_the_objectives_that_failed(notebooks):
    record("ch01_b_borrowed", passed=False, hint="The lender gives *the rest*")
    record("ch01_a_value", passed=True)
    lines = revisit().markdown.splitlines()
    assert lines[0] == "#### Safety items that are open"
    link = "[1.B borrowed (Your turn B)](01_basics/01_basics.ipynb)"
    said = ": 1 attempt, not passed."
    assert lines[2] == f"- {link}{said}"
    said += r" Last hint: The lender gives \*the rest\*."
    text = "\n".join(lines)
    assert "#### [1. Basics](01_basics/01_basics.ipynb)\n\n2 of 5 points, not mastered yet." in text
    assert f"- LO1.2: Compute what is borrowed.\n  - {link}{said}" in text
    assert "- Not tried yet: 1 item, the first is [1.Q1](01_basics/01_basics.ipynb)." in text
    assert "#### Not begun yet\n\n[2. Margin](02_margin/02_margin.ipynb)" in text


def test_a_safety_item_that_was_not_tried_is_named_in_a_chapter_that_was_begun():
    record("ch01_a_value", passed=True)
    assert "1.B borrowed (Your turn B): not tried yet." in revisit().markdown


def test_a_mastered_chapter_has_nothing_open_but_names_what_was_hard():
    for _ in range(3):
        record("ch01_q1", passed=False)
    for item in ("ch01_q1", "ch01_b_borrowed", "ch01_a_value"):
        record(item, passed=True)
    text = revisit(1).markdown
    assert "5 of 5 points, mastered, by the visible checks." in text
    assert "Passed after 4 attempts, worth another look: 1.Q1." in text
    assert "not passed" not in text
    assert "Safety" not in text


def test_a_failed_question_of_a_review_leads_to_itself_and_to_its_chapter(notebooks):
    record("rv01_q1", passed=False, hint="Multiply")
    text = revisit().markdown
    assert (
        "- [R1.Q1](review_1/review_1.ipynb#cell-id=abc): 1 attempt, not passed. "
        "Last hint: Multiply. Look again at [1. Basics](01_basics/01_basics.ipynb)."
    ) in text


def test_links_start_from_the_notebook_that_runs(notebooks, monkeypatch):
    record("ch01_a_value", passed=False)
    monkeypatch.chdir(notebooks / "02_margin")
    assert "](../01_basics/01_basics.ipynb)" in revisit().markdown
    monkeypatch.chdir(notebooks.parent)
    assert "](" not in revisit().markdown


def test_in_a_terminal_the_text_has_no_marks():
    record("ch01_b_borrowed", passed=False, hint="2*x, not x_1")
    text = repr(revisit())
    assert "Last hint: 2*x, not x_1." in text
    assert "#" not in text
    assert "](" not in text


def test_a_hint_that_is_no_text_can_still_be_shown():
    record("ch01_b_borrowed", passed=False, hint="\udcff")
    assert "Last hint: ?" in revisit().markdown
    revisit().markdown.encode()


def test_one_chapter_is_shown_alone_and_an_unknown_one_is_refused():
    record("ch01_a_value", passed=True)
    assert "Not begun" not in revisit("01_basics").markdown
    assert "Nothing is recorded here yet" in revisit(2).markdown
    with pytest.raises(ValueError, match="the chapters are: 01_basics, 02_margin"):
        revisit(7)


def test_without_the_list_of_chapters_a_sentence_says_so(monkeypatch):
    monkeypatch.setattr(manifest, "load_chapters", dict)
    assert "not installed" in revisit().markdown
    assert "none can be drawn" in draw().markdown


def test_only_passed_exercises_with_points_are_drawn_and_a_seed_repeats():
    record("ch02_a_rate", passed=False)
    record("rv01_q1", passed=True)
    for item in ("ch01_a_value", "ch01_q1"):
        record(item, passed=True)
    drawn = {draw(seed).markdown for seed in range(20)}
    assert len(drawn) == 2
    assert all("Compute the position value." in text for text in drawn)
    assert draw(5) == draw(5)


def test_nothing_is_written_by_looking(tmp_path):
    record("ch01_a_value", passed=True)
    before = (tmp_path / "progress.json").read_bytes()
    revisit()
    draw()
    assert (tmp_path / "progress.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["progress.json"]
