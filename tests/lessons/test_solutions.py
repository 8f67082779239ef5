"""The solution shows after two honest tries, for who works alone, and the record says so."""

import json

import pytest

from leverage.lessons import manifest, progress, show_solution

CODE = "def position_value(margin, leverage):\n    return margin * leverage"


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A course's folder with solutions, seen from the folder of a notebook in it."""
    items = {
        "ch01_a_value": {"exercise": "ch01_a", "points": 2, "kind": "test"},
        "ch01_a_edges": {"exercise": "ch01_a", "points": 1, "kind": "test"},
        "ch01_q1": {"exercise": "ch01_q1", "points": 1, "kind": "quiz"},
    }
    chapters = {"01_basics": {"number": 1, "title": "Basics", "items": items}}
    monkeypatch.setattr(manifest, "load_chapters", lambda: chapters)
    notebook = tmp_path / "course" / "01_basics"
    notebook.mkdir(parents=True)
    (tmp_path / "solutions").mkdir()
    content = {"ch01_a": CODE, "ch01_q1": 'ch01_q1 = "b"'}
    (tmp_path / "solutions" / "solutions.json").write_text(json.dumps(content), encoding="utf-8")
    monkeypatch.chdir(notebook)
    return tmp_path


def tries(run, *answers):
    """Check wrong answers one after another; return the last message."""
    check = 'check.value("x", 3)'
    return [run(f"x = {answer}", check).message for answer in answers][-1]


def test_it_shows_after_two_different_answers_and_is_counted_as_shown(course, run, capsys):
    assert "show_solution" not in tries(run, 1, 1)
    show_solution("1.A")
    assert "Try 1.A yourself first" in capsys.readouterr().out
    assert 'show_solution("1.A")' in tries(run, 1, 2)
    show_solution("1.a")
    assert capsys.readouterr().out == f"The solution of 1.A, shown after 2 tries:\n\n{CODE}\n"
    assert progress.read_record()["ch01_a_value"]["shown"]
    assert progress.read_record()["ch01_a_edges"]["shown"]


def test_it_shows_at_once_what_was_solved_and_counts_nothing(course, capsys):
    for item in ("ch01_a_value", "ch01_a_edges"):
        progress.record(item, passed=True)
    show_solution("ch01_a")
    assert "which you solved" in capsys.readouterr().out
    assert not any(entry["shown"] for entry in progress.read_record().values())


def test_what_a_class_gets_has_no_solution_and_no_offer_of_one(course, run, capsys):
    (course / "solutions" / "solutions.json").unlink()
    assert "show_solution" not in tries(run, 1, 2)
    show_solution("1.A")
    assert "There are no solutions here" in capsys.readouterr().out


def test_a_graded_run_offers_none(course, run, monkeypatch):
    tries(run, 1, 2)
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    assert "show_solution" not in tries(run, 3)


def test_an_exercise_that_does_not_exist_is_refused(course):
    with pytest.raises(ValueError, match="must be named as in the text"):
        show_solution("9.Z")


@pytest.mark.parametrize("content", ["", "[]", "nothing"])
def test_a_broken_file_of_solutions_reads_as_none(course, run, content):
    (course / "solutions" / "solutions.json").write_text(content, encoding="utf-8")
    assert "show_solution" not in tries(run, 1, 2)
