"""What instructors and students get: pages that give nothing away, files that others import."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.text import Text
from nbgrader.api import Gradebook as NbgraderGradebook
from small_class import CHAPTER, RIGHT, WRONG, SmallClass, handed_in

from classroom.grading import read_release
from classroom.marking.exports import canvas_csv, moodle_csv, nbgrader_csv
from classroom.marking.feedback import FeedbackPage, clean, formula, output_html, plain, rendered
from classroom.marking.grade import exercises_of, grade, outputs
from classroom.marking.gradebook import CellGrade, Gradebook, Record, Standing
from classroom.marking.report import hints, item_statistics, label_points, report_html
from classroom.marking.similarity import Group, groups

REQUEST = re.compile(
    r"""\b(?:src|srcset|data|action|poster|background)\s*=\s*(?!["']?data:)|url\(|@import"""
)
SPY = """
seen = []
def double(number):
    seen.append(number)
    print("called with", number)
    return number + 2
"""


def with_outputs(answers: dict[str, str], texts: list[dict]) -> bytes:
    """A handed-in notebook whose answer cell has outputs, and a last cell that tells what it saw."""
    notebook = json.loads(json.dumps(handed_in(answers)))
    notebook["cells"][1]["outputs"] = texts
    last = {
        "cell_type": "code", "id": "spy", "metadata": {}, "outputs": [], "execution_count": None,
        "source": "print(seen)",
    }  # fmt: skip
    notebook["cells"].append(last)
    return json.dumps(notebook).encode()


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, root: Path) -> SmallClass:
    """A graded class with its pages and files; tests only read it."""
    made = SmallClass(tmp_path_factory.mktemp("outputs") / "course", root)
    evil = [
        {"output_type": "stream", "name": "stdout", "text": "<script>alert(1)</script> mine"},
        {
            "output_type": "display_data", "metadata": {},
            "data": {"text/html": "<table><tr><td onclick='x()'>7</td></tr></table>"
                     "<script src='https://example.org/a.js'></script>"
                     "<img src='https://example.org/pixel.png'>", "text/plain": "table"},
        },
    ]  # fmt: skip
    made.hand_in("ada", RIGHT, "2026-01-15 12:00:00 UTC")
    made.hand_in("bob", WRONG)
    made.hand_in(
        "spy", with_outputs({"double": SPY.strip(), "why": "<b onclick=x()>Why</b>"}, evil)
    )
    made.hand_in("broken", b"no notebook")
    grade(made.chapter, find=lambda: made.room, say=lambda _: None)
    outputs(made.room, made.chapter, say=lambda _: None)
    return made


def page(small: SmallClass, student: str) -> str:
    return small.room.page(student, CHAPTER).read_text(encoding="utf-8")


def test_everybody_who_handed_in_gets_a_page_with_the_failed_checks_hint(done: SmallClass) -> None:
    assert "5 of 9 points" in page(done, "ada")
    assert "Twice the number." in page(done, "bob")
    assert "cannot be graded" in page(done, "broken") or "notebook" in page(done, "broken")
    assert "to be marked by hand" in page(done, "ada")


def test_no_page_holds_a_hidden_tests_source_or_values(done: SmallClass) -> None:
    for student in ("ada", "bob", "spy", "broken"):
        text = page(done, student)
        for secret in ("4711", "9422", "HIDDEN TESTS", "model answer"):
            assert secret not in text, f"{student} can read {secret}"
    assert "4711" in done.room.graded("spy", CHAPTER).read_text(encoding="utf-8")


def test_a_page_needs_nothing_and_runs_nothing(done: SmallClass) -> None:
    for student in ("ada", "bob", "spy", "broken"):
        text = page(done, student)
        assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in text
        assert "<script" not in text
        assert "onclick" not in text.replace("&lt;b onclick", "")
        body = re.sub(r"<pre>.*?</pre>", "", text, flags=re.S)
        assert not REQUEST.search(body), REQUEST.search(body)
    assert "&lt;script&gt;alert(1)" in page(done, "spy")


def test_a_report_names_what_an_instructor_looks_for(done: SmallClass) -> None:
    text = (done.room.folder / f"report_{CHAPTER}.html").read_text(encoding="utf-8")
    for part in (
        "Histogram. 4 scores",
        "Hints shown most",
        "cannot be graded",
        "broken",
        "Tampering",
    ):
        assert part in text
    assert not REQUEST.search(text)
    assert text.count('alt="') == text.count("<img ") >= 2


def test_our_csv_is_nbgraders_to_the_letter_but_for_totals_that_are_not_there_yet(
    done: SmallClass, tmp_path: Path
) -> None:
    theirs = tmp_path / "theirs.csv"
    subprocess.run(
        ["nbgrader", "export", "--to", str(theirs)],
        cwd=done.project.root, check=True, capture_output=True,
    )  # fmt: skip
    ours = done.room.folder / f"grades_{CHAPTER}.csv"
    # nbgrader leaves the order of students without names to the database.
    files = [
        {row["student_id"]: row for row in csv.DictReader(path.open(encoding="utf-8", newline=""))}
        for path in (ours, theirs)
    ]
    with Gradebook.open(done.room.gradebook, "leverage_course", CHAPTER) as book:
        layout = book.layout()
        assert layout is not None
        waiting = {one.student for one in book.standings(layout) if one.waiting}
    assert waiting
    assert waiting < files[0].keys()
    empty = dict.fromkeys(("raw_score", "late_submission_penalty", "score"), "")
    assert files[0] == {n: row | empty if n in waiting else row for n, row in files[1].items()}


def test_a_page_that_did_not_change_is_not_written_again(done: SmallClass) -> None:
    path = done.room.page("ada", CHAPTER)
    before = path.stat().st_mtime_ns
    said: list[str] = []
    outputs(done.room, done.chapter, say=said.append)
    assert path.stat().st_mtime_ns == before
    assert "Feedback: 0 pages new or changed" in said[-1]
    assert said[0].startswith("3 answers of 3 students to be marked by hand: ada 1, bob 1")


def test_a_manual_grade_and_comment_reach_the_page(done: SmallClass) -> None:
    from nbgrader.api import Gradebook as NbgraderGradebook

    with NbgraderGradebook(done.room.gradebook, "leverage_course") as theirs:
        grade_row = theirs.find_grade("ch01_b", CHAPTER, CHAPTER, "bob")
        grade_row.manual_score, grade_row.needs_manual_grade = 2.5, False
        theirs.find_comment("ch01_b", CHAPTER, CHAPTER, "bob").manual_comment = "A reason, please."
        theirs.db.commit()
    outputs(done.room, done.chapter, say=lambda _: None)
    assert "2.5 of 4 points" in page(done, "bob")
    assert "A reason, please." in page(done, "bob")


def test_exports_quote_names_and_leave_out_who_handed_in_nothing() -> None:
    class_ = [
        Standing("ada", "Ada", "King, Countess", "ada@example.org", "17", score=9.5, penalty=2),
        Standing("bob"),
    ]
    canvas = list(csv.reader(io.StringIO(canvas_csv("01_small", 10, class_))))
    assert canvas[1] == ["Points Possible", "", "", "", "", "10"]
    assert canvas[2] == ["King, Countess, Ada", "17", "", "ada", "", "7.5"]
    assert canvas[3] == ["bob", "", "", "bob", "", ""]
    said = Record("ada", "", "graded", "", "", "", for_student='Look at "1.A", please.')
    moodle = list(csv.reader(io.StringIO(moodle_csv("01_small", class_, {"ada": said}))))
    assert moodle[1:] == [["ada", "ada@example.org", "7.5", 'Look at "1.A", please.']]
    rows = list(csv.DictReader(io.StringIO(nbgrader_csv("01_small", None, 10, class_))))
    assert [row["score"] for row in rows] == ["0.0", "7.5"]


def test_a_total_that_waits_for_a_mark_is_empty_and_not_zero_in_every_file() -> None:
    class_ = [Standing("ada", score=9.5, waiting=frozenset(["ch01_b"]))]
    said = {"ada": Record("ada", "", "graded", "", "", "", for_student="Nine.")}
    files = (
        nbgrader_csv("01", None, 10, class_), canvas_csv("01", 10, class_),
        moodle_csv("01", class_, said),
    )  # fmt: skip
    nbgraders, canvas, moodle = (list(csv.reader(io.StringIO(text)))[-1] for text in files)
    assert nbgraders[7:] == ["", "", "", "10.0"]
    assert canvas[-1] == ""
    assert moodle == ["ada", "", "", ""]


def test_outputs_are_shortened_and_cleaned() -> None:
    assert "characters left out" in plain("x" * 100_000)
    assert len(plain("x" * 100_000)) < 30_000
    assert "\x1b" not in plain("\x1b[31mred\x1b[0m")
    assert "cannot be shown" in output_html(
        {"output_type": "display_data", "data": {"image/png": '"><script>'}}
    )
    assert "javascript:" not in clean('<a href="javascript:x()">a</a>')
    assert "javascript:" not in rendered("[a](javascript:x())")
    assert 'alt="x^2"' in formula("x^2")
    assert formula(r"\nosuchthing{") == r"<code>\nosuchthing{</code>"


LONG = """
def price(side, entry, quantity, margin, rate):
    total = 0.0
    for step in range(3):
        total = total + entry * quantity * rate - margin / (step + 1)
    if side > 0:
        return entry - total / quantity
    return entry + total / quantity
"""


def renamed(code: str) -> str:
    return (
        code.replace("total", "amount")
        .replace("step", "k")
        .replace("    for", "    # loop\n    for")
    )


def test_long_answers_that_differ_in_names_and_comments_only_are_shown_together() -> None:
    answers = {"ada": LONG, "bob": renamed(LONG), "cleo": LONG.replace("range(3)", "range(4)")}
    (group,) = groups("ch01_a", answers, "")
    assert group.students == ("ada", "bob")
    assert not group.exact
    (known,) = groups("ch01_a", answers, "", {"the reference solution": renamed(LONG)})
    assert known.known == "the reference solution"


def test_answers_that_most_people_would_write_alike_are_not_shown() -> None:
    short = dict.fromkeys(("ada", "bob", "cleo"), "def double(number):\n    return 2 * number")
    assert groups("ch01_a", short, "def double(number):\n    ...") == []
    stub = LONG.replace("range(3)", "...")
    assert groups("ch01_a", {"ada": LONG, "bob": LONG}, stub) == []
    middle = "def f(a, b, c):\n    d = a * b - c / (1 + a)\n    return d * d - b"
    other = "def f(a, b, c):\n    return a + b * c - 1 + b / (2 * c) - a ** 2 + b"
    usual = {f"s{n}": middle for n in range(20)} | {f"t{n}": other for n in range(2)}
    assert [group.students for group in groups("ch01_a", usual, "")] == [("t0", "t1")]


def test_code_that_does_not_parse_is_in_no_group() -> None:
    assert groups("ch01_a", {"ada": "def f(:", "bob": "def f(:"}, "") == []


def test_discrimination_is_the_correlation_with_all_other_exercises() -> None:
    scores = {"a": [0, 0, 1, 1], "b": [0, 1, 1, 2], "c": [1, 1, 1, 1]}
    found = {i.exercise: i for i in item_statistics(scores, {"a": 1, "b": 2, "c": 1})}
    assert found["a"].mean == found["b"].mean == 0.5
    assert found["a"].discrimination == pytest.approx(0.5**0.5)
    assert found["c"].discrimination is None


def test_hints_are_counted_by_item_and_sentence() -> None:
    def record(student: str, text: str) -> Record:
        cells = {"ch01_a_value": CellGrade(0, 1, text)}
        return Record(student, "", "graded", "", "", "", cells=cells)

    told = "✗ 1.A value: not yet.\nf(1) gave 3.\nHint: Twice the number."
    other = told.replace("gave 3", "gave 4")
    assert hints([record("a", told), record("b", other), record("c", "")]) == [
        (2, "1.A value", "Twice the number.")
    ]


def test_a_gradebook_without_records_still_gives_pages(small_class: SmallClass) -> None:
    room = small_class.room
    outputs(room, small_class.chapter, say=lambda _: None)
    with Gradebook.open(room.gradebook, room.course, CHAPTER) as book:
        assert book.records() == []
    assert (room.folder / f"grades_{CHAPTER}.csv").is_file()


EVIL = "</style></title><script>x()</script>\"'><img src=x onerror=x()>\u202egnp.exe\u2066\x00\ud800&#x3c;b"


def test_what_students_write_is_shown_and_never_obeyed(small_class: SmallClass) -> None:
    release = read_release(small_class.chapter.solution_notebook)
    cells = {
        "ch01_a_value": CellGrade(0, 2, f"{EVIL}\nHint: {EVIL}"),
        "ch01_a_hidden": CellGrade(0, 3, EVIL),
        "ch01_b": CellGrade(0, 4),
    }
    record = Record(
        EVIL, "", EVIL, EVIL, "", "", EVIL, EVIL, (EVIL,), 1.0, {}, (EVIL,), (EVIL,), cells
    )
    standing = Standing(
        EVIL, score=1.0, cells={name: (0.0, cell.maximum) for name, cell in cells.items()},
        comments={"ch01_b": EVIL, "ch01_a": EVIL},
    )  # fmt: skip
    outputs = [
        {"output_type": "stream", "text": EVIL},
        {"output_type": "error", "ename": EVIL, "evalue": EVIL},
        {"output_type": "display_data", "data": {"image/png": EVIL, "text/plain": EVIL}},
        {"output_type": "display_data", "data": {"text/html": EVIL}},
        {"output_type": "display_data", "data": {"image/svg+xml": f"<svg>{EVIL}</svg>"}},
    ]
    handed = handed_in({"double": EVIL, "why": EVIL})
    handed["cells"][1]["outputs"] = outputs
    group = Group("ch01_a", (EVIL, EVIL), 50, EVIL)
    exercises = exercises_of(release)
    pages = [
        FeedbackPage(release).html(record, standing, handed, handed),
        report_html(release, [standing] * 3, [record] * 3, [group], exercises),
    ]
    for text in pages:
        assert "gnp.exe" in text
        assert not re.search(r"<script|<img[^>]*onerror|onerror=x\(\)>", unescaped_parts(text))
        assert text.count("</style>") == text.count("</title>") == 1
        assert not re.search("[\x00\u202a-\u202e\u2066-\u2069\ud800-\udfff]", text)
        assert not REQUEST.search(re.sub(r"<pre>.*?</pre>", "", unescaped_parts(text), flags=re.S))


def unescaped_parts(text: str) -> str:
    """The tags of a page: what a browser obeys."""
    return " ".join(re.findall(r"<[^<>]*>", text))


def test_a_text_that_a_spreadsheet_takes_for_a_formula_is_no_formula() -> None:
    said = Record(
        "ada", "", "graded", "", "", "", for_student='-2+3+cmd|" /C calc"!A0.ipynb is empty.'
    )
    named = Standing("ada", "Ada", '=HYPERLINK("x")', score=1.0)
    for text in (canvas_csv("01", 1, [named]), moodle_csv("01", [named], {"ada": said})):
        for row in list(csv.reader(io.StringIO(text)))[1:]:
            assert not [part for part in row if part[:1] in ("=", "+", "-", "@", "\t", "\r")]


def test_formgraders_autograde_confines_what_a_student_wrote(
    small_class: SmallClass, tmp_path: Path
) -> None:
    """Its button calls what the command calls, with the configuration of the checkout."""
    outside = tmp_path / "outside.txt"
    code = f"try:\n    open({str(outside)!r}, 'w').write('here')\nexcept OSError:\n    pass\n"
    small_class.hand_in("eve", {**RIGHT, "double": code + RIGHT["double"]})
    for step in (["generate_assignment", CHAPTER], ["autograde", CHAPTER, "--student", "eve"]):
        done = subprocess.run(
            [sys.executable, "-m", "nbgrader", *step],
            cwd=small_class.project.root, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-1000:]
    assert not outside.exists()
    with NbgraderGradebook(small_class.room.gradebook) as book:
        assert book.find_submission(CHAPTER, "eve").score == 5


@given(
    st.lists(
        st.tuples(
            st.sampled_from([0, 20, 50, 52, 55, 90, 99, 100]),
            st.sampled_from([0, 0.02, 0.5, 0.55, 1]),
        ),
        max_size=30,
    )
)
@settings(max_examples=8, deadline=None)
def test_no_name_in_the_plot_of_exercises_covers_another(points: list[tuple[float, float]]) -> None:
    axes = Figure(figsize=(7, 4), layout="constrained").add_subplot()
    axes.set(xlim=(-3, 103), ylim=(-0.1, 1.1))
    labels = label_points(axes, points, [f"{n}.A" for n in range(len(points))])
    boxes = [Text.get_window_extent(label) for label in labels]
    assert not [(a, b) for a, b in combinations(boxes, 2) if a.overlaps(b)]
    assert len(labels) == len(set(points))
