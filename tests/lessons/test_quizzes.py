"""Quiz answers are one letter, and every option has feedback."""

import json

import pytest

from leverage.lessons import AuthorError, CheckFailed, manifest
from leverage.lessons.quizzes import either, judge_option, sealed

CHECK = 'check.option("ch01_q1")'


@pytest.mark.parametrize(
    "answer",
    [
        "'b'",
        "'B'",
        "' b '",
        "'b\\n'",
        "np.str_('b')",
        "'b)'",
        "'(b)'",
        "'`b`'",
        "'b.'",
        "'b: '",
        "'[B]'",
        "'b: margin times leverage'",
        "'b) A long text. With a stop.'",
        "'b. a lender gives the rest'",
    ],
)
def test_the_right_option_passes_and_shows_its_feedback(run, answer):
    ran = run(f"ch01_q1 = {answer}", CHECK, item="ch01_q1")
    assert ran.error is None
    assert ran.printed.splitlines() == [
        "✓ 1.Q1: correct. 1 of 1 point.",
        "You answered b. Yes: margin times leverage.",
    ]


def test_a_wrong_option_gets_the_feedback_of_that_option(run):
    ran = run("ch01_q1 = 'C'", CHECK, item="ch01_q1")
    assert isinstance(ran.error, CheckFailed)
    assert ran.message.splitlines() == [
        "✗ 1.Q1: not yet.",
        "You answered c. That is the borrowed part.",
    ]


def test_feedback_is_shown_without_marks_of_markdown(run, monkeypatch):
    quiz = {"answer": "b", "feedback": {"a": "*ROE* is `2*x`", "b": "Her *return on margin*."}}
    monkeypatch.setattr(manifest, "load_quizzes", lambda: {"ch01_q1": quiz})
    right = run("ch01_q1 = 'b'", CHECK, item="ch01_q1")
    assert right.printed.splitlines()[1] == "You answered b. Her return on margin."
    wrong = run("ch01_q1 = 'a'", CHECK, item="ch01_q1")
    assert wrong.message.splitlines()[1] == "You answered a. ROE is 2*x."


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        ("'d'", "you gave 'd'"),
        ("''", "you gave ''"),
        ("'ab'", "you gave 'ab'"),
        ("'because'", "you gave 'because'"),
        ("'b because'", "you gave 'b because'"),
        ("'a short owes the coin'", "you gave 'a short owes the coin'"),
        ("'a) or b)'", "you gave 'a) or b)'"),
        ("'a: b'", "you gave 'a: b'"),
        ("'b, c'", "you gave 'b, c'"),
        ("'b.c'", "you gave 'b.c'"),
        ("'d)'", "you gave 'd)'"),
        ("2", "you gave 2"),
        ("True", "you gave True"),
        ("None", "you gave None"),
        ("['b']", "you gave ['b']"),
        ("b'b'", "you gave b'b'"),
        ("len", "you gave a function"),
        ("float('nan')", "you gave nan"),
    ],
)
def test_anything_else_gets_the_list_of_options(run, answer, shown):
    ran = run(f"ch01_q1 = {answer}", CHECK, item="ch01_q1")
    assert isinstance(ran.error, CheckFailed)
    assert 'Type one letter in quotes, "a", "b" or "c"' in ran.message
    assert shown in ran.message


@pytest.mark.parametrize("answer", ["ch01_q1 = ...", ""])
def test_an_unanswered_question_is_said_to_be_unanswered(run, answer):
    ran = run(answer, CHECK, item="ch01_q1")
    assert "✗ 1.Q1: not answered yet." in ran.message


def test_a_question_that_the_course_does_not_know_is_the_authors_mistake(run, monkeypatch):
    monkeypatch.setattr(manifest, "load_quizzes", dict)
    assert isinstance(run("ch01_q1 = 'b'", CHECK, item="ch01_q1").error, AuthorError)


def test_a_question_whose_answer_is_no_option_is_the_authors_mistake(run, monkeypatch):
    quiz = {"ch01_q1": {"answer": "e", "feedback": {"a": "A"}}}
    monkeypatch.setattr(manifest, "load_quizzes", lambda: quiz)
    assert isinstance(run("ch01_q1 = 'a'", CHECK, item="ch01_q1").error, AuthorError)


def test_options_written_in_capitals_in_the_course_are_found():
    quiz = manifest.Quiz(answer="B", feedback={"A": "No.", "B": "Yes."})
    assert judge_option(quiz, "b").right
    assert judge_option(quiz, "a").text == "No."


def test_options_are_listed_in_words():
    assert either(["a"]) == '"a"'
    assert either(["a", "b", "c", "d"]) == '"a", "b", "c" or "d"'


def test_malformed_quiz_data_reads_as_no_quiz(monkeypatch):
    monkeypatch.undo()
    data = {"ch01_q1": {"answer": "b"}, "ch01_q2": 3}
    monkeypatch.setattr(manifest, "_read_data", lambda name: data)
    assert manifest.load_quizzes() == {}


@pytest.mark.parametrize("answer", ["b", "B)", "a", "c", "z"])
def test_a_sealed_question_is_checked_as_the_same_one_in_clear(run, monkeypatch, answer):
    clear = run(f"x = {answer!r}", 'check.option("x")', item="ch01_q1")
    closed = {name: sealed(quiz, "salt") for name, quiz in manifest.load_quizzes().items()}
    monkeypatch.setattr(manifest, "load_quizzes", lambda: closed)
    found = run(f"x = {answer!r}", 'check.option("x")', item="ch01_q1")
    assert (found.printed, str(found.error)) == (clear.printed, str(clear.error))


def test_sealed_questions_are_read_from_the_file_with_their_salt(tmp_path, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setenv("LEVERAGE_LESSON_DATA", str(tmp_path))
    quiz = sealed(manifest.Quiz(answer="a", feedback={"a": "Yes.", "b": "No."}), "salt")
    (tmp_path / "quizzes.json").write_text(json.dumps({"q": quiz}), encoding="utf-8")
    assert manifest.load_quizzes() == {"q": quiz}
    assert judge_option(manifest.load_quizzes()["q"], "a").right
