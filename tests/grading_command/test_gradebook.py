"""The gradebook holds what nbgrader expects, on SQLite and on PostgreSQL, or says why it cannot."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
import sqlalchemy as sql
from small_class import CHAPTER, SmallClass

import classroom.marking.gradebook
from classroom.marking.gradebook import (
    CellGrade,
    Gradebook,
    GradebookEntry,
    GradebookError,
    Layout,
    Record,
    gradebook_url,
    register,
)

NIGHT = datetime(2026, 1, 15, 20, 0)


def entry(student: str, value: float, hidden: float, *, verdict: str = "graded") -> GradebookEntry:
    cells = {
        "ch01_a_value": CellGrade(value, 2),
        "ch01_a_hidden": CellGrade(hidden, 3, "Other numbers too."),
        "ch01_b": CellGrade(None, 4),
    }
    record = Record(student, "2026-01-15", verdict, "namespaces", "work-1", "tests-1", cells=cells)
    return GradebookEntry(
        record, {name: cell.points for name, cell in cells.items()}, frozenset(), NIGHT
    )


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A gradebook's URL, on each kind of database; it is empty before and after."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'gradebook.db'}"
        return
    server = request.getfixturevalue("postgres")
    name = f"{server}?options=-csearch_path%3Dbook"
    engine = sql.create_engine(gradebook_url(server), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE SCHEMA book")
        yield name
        connection.exec_driver_sql("DROP SCHEMA book CASCADE")
    engine.dispose()


def registered(url: str, small: SmallClass) -> None:
    source = small.chapter.solution_notebook
    register(url, "leverage_course", CHAPTER, source, small.room.config)


def opened(url: str) -> tuple[Gradebook, Layout]:
    book = Gradebook.open(url, "leverage_course", CHAPTER)
    layout = book.layout()
    assert layout is not None
    return book, layout


def test_a_saved_grade_is_what_nbgrader_reads(url: str, small_class: SmallClass) -> None:
    from nbgrader.api import Gradebook as NbgraderGradebook

    registered(url, small_class)
    book, layout = opened(url)
    with book:
        book.write(layout, [entry("ada", 2, 0), entry("bob", 0, 0, verdict="cannot be graded")])
    with NbgraderGradebook(gradebook_url(url), "leverage_course") as theirs:
        ada = theirs.find_submission_notebook(CHAPTER, CHAPTER, "ada")
        scores = {g.name: (g.auto_score, g.needs_manual_grade) for g in ada.grades}
        assert (ada.score, ada.max_score, ada.flagged) == (2, 9, False)
        assert theirs.find_submission_notebook(CHAPTER, CHAPTER, "bob").flagged
        assert theirs.find_submission(CHAPTER, "ada").timestamp == NIGHT
    assert scores == {
        "ch01_a_value": (2, False), "ch01_a_hidden": (0, False), "ch01_b": (None, True)
    }  # fmt: skip


def test_a_record_comes_back_as_it_was_saved(url: str, small_class: SmallClass) -> None:
    registered(url, small_class)
    book, layout = opened(url)
    first, second = entry("ada", 2, 0), entry("ada", 2, 3)
    full = replace(
        second.record, tampering=("replaced print\x00",), repairs=("restored",), notes=("\ud800",),
        stages={"cells": 0.1}, for_student="Half a \ud83d.", for_instructor="Nul: \x00.", seconds=0.5,
    )  # fmt: skip
    with book:
        book.write(layout, [first])
        book.write(layout, [replace(second, record=full)])
        assert book.records() == [replace(full, number=2)]
        assert [r.score for r in book.records(history=True)] == [2, 5]
        assert book.progress() == {"ada": ("work-1", "tests-1")}


def test_a_manual_grade_survives_a_new_grading(url: str, small_class: SmallClass) -> None:
    from nbgrader.api import Gradebook as NbgraderGradebook

    registered(url, small_class)
    book, layout = opened(url)
    with book:
        book.write(layout, [entry("ada", 2, 0)])
        with NbgraderGradebook(gradebook_url(url), "leverage_course") as theirs:
            for name, points in (("ch01_b", 3.5), ("ch01_a_hidden", 1.0)):
                grade = theirs.find_grade(name, CHAPTER, CHAPTER, "ada")
                grade.manual_score, grade.needs_manual_grade = points, False
            theirs.find_comment("ch01_b", CHAPTER, CHAPTER, "ada").manual_comment = "Good."
            theirs.db.commit()
        book.write(layout, [entry("ada", 2, 3)])
        (ada,) = book.standings(layout)
    assert ada.cells == {"ch01_a_value": (2, 2), "ch01_a_hidden": (1, 3), "ch01_b": (3.5, 4)}
    assert ada.comments == {"ch01_b": "Good."}
    # The text is as it was marked; the test says something new, so a person looks again.
    assert ada.waiting == {"ch01_a_hidden"}


def test_a_penalty_for_lateness_is_never_more_than_the_score(
    url: str, small_class: SmallClass
) -> None:
    from nbgrader.api import Gradebook as NbgraderGradebook

    registered(url, small_class)
    with NbgraderGradebook(gradebook_url(url), "leverage_course") as theirs:
        theirs.update_or_create_assignment(CHAPTER, duedate="2026-01-15 18:00:00 UTC")
    book, layout = opened(url)
    asked = []

    def policy(student: str, score: float, seconds: float) -> float:
        asked.append((student, score, seconds))
        return 100.0

    with book:
        early = replace(entry("bob", 2, 3), handed_in=datetime(2026, 1, 15, 17, 59))
        book.write(layout, [entry("ada", 2, 0), early])
        book.settle_penalties(layout, policy)
        ada, bob = book.standings(layout)
    assert asked == [("ada", 2, 7_200)]
    assert (ada.penalty, ada.final, bob.penalty, bob.final) == (2, 0, 0, 5)


def test_a_flag_set_by_a_person_stays_and_ours_goes_with_its_reason(
    url: str, small_class: SmallClass
) -> None:
    from nbgrader.api import Gradebook as NbgraderGradebook

    registered(url, small_class)
    book, layout = opened(url)
    with book:
        book.write(layout, [entry("ada", 2, 3), entry("bob", 0, 0, verdict="partly graded")])
        with NbgraderGradebook(gradebook_url(url), "leverage_course") as theirs:
            theirs.find_submission_notebook(CHAPTER, CHAPTER, "ada").flagged = True
            theirs.db.commit()
        book.write(layout, [entry("ada", 2, 3), entry("bob", 2, 3)])
        assert [standing.flagged for standing in book.standings(layout)] == [True, False]


def test_a_result_that_cannot_be_saved_leaves_none_of_its_batch(
    url: str, small_class: SmallClass
) -> None:
    registered(url, small_class)
    book, layout = opened(url)
    with book:
        broken = replace(entry("bob", 1, 1), scores={"ch01_a_value": "many"})  # type: ignore[dict-item]
        with pytest.raises((GradebookError, TypeError)):
            book.write(layout, [entry("ada", 2, 3), broken])
        assert book.records() == []
        assert book.standings(layout) == []


def test_a_second_grader_is_kept_out_of_a_server(postgres: str, small_class: SmallClass) -> None:
    with (
        Gradebook.open(postgres, "leverage_course", CHAPTER) as one,
        Gradebook.open(postgres, "leverage_course", CHAPTER) as other,
    ):
        with (
            one.held(),
            pytest.raises(GradebookError, match="another grader is at work"),
            other.held(),
        ):
            pass
        with other.held():
            pass


def test_a_locked_gradebook_is_named_and_loses_nothing(
    tmp_path: Path, small_class: SmallClass, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classroom.marking.gradebook, "SECONDS_FOR_A_LOCK", 0.1)
    url = f"sqlite:///{tmp_path / 'gradebook.db'}"
    registered(url, small_class)
    book, layout = opened(url)
    other = sqlite3.connect(tmp_path / "gradebook.db")
    with book:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(GradebookError, match="locked by another program"):
            book.write(layout, [entry("ada", 2, 3)])
        other.rollback()
        other.close()
        book.write(layout, [entry("ada", 2, 3)])
        assert len(book.records()) == 1


def test_a_gradebook_deleted_while_grading_is_noticed(
    tmp_path: Path, small_class: SmallClass
) -> None:
    url = f"sqlite:///{tmp_path / 'gradebook.db'}"
    registered(url, small_class)
    book, layout = opened(url)
    with book:
        (tmp_path / "gradebook.db").unlink()
        with pytest.raises(GradebookError, match="was deleted or replaced"):
            book.write(layout, [entry("ada", 2, 3)])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"This is no database, whatever its name says." * 40, "is not a database"),
        (None, "cannot be opened"),
    ],
)
def test_a_gradebook_that_cannot_be_read_is_named(
    tmp_path: Path, content: bytes | None, says: str
) -> None:
    path = tmp_path / "gradebook.db"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(GradebookError, match=says):
        Gradebook.open(f"sqlite:///{path}", "leverage_course", CHAPTER)


def test_a_server_that_does_not_answer_is_named_without_its_password() -> None:
    url = "postgresql://grader:secret@127.0.0.1:1/postgres"
    with pytest.raises(GradebookError, match="cannot be reached") as raised:
        Gradebook.open(url, "leverage_course", CHAPTER)
    assert "secret" not in str(raised.value)


def answered(student: str, work: str, words: str, points: float | None = None) -> GradebookEntry:
    """A hand-in with these words in the answer that a person marks."""
    made = entry(student, 2, 3)
    cells = {**made.record.cells, "ch01_b": CellGrade(points, 4, answer=words)}
    record = replace(made.record, cells=cells, submission=work)
    return replace(made, record=record, scores={**made.scores, "ch01_b": points})


def marked_by_hand(url: str, name: str, points: float) -> None:
    from nbgrader.api import Gradebook as NbgraderGradebook

    with NbgraderGradebook(gradebook_url(url), "leverage_course") as theirs:
        grade = theirs.find_grade(name, CHAPTER, CHAPTER, "ada")
        grade.manual_score, grade.needs_manual_grade = points, False
        theirs.db.commit()


@pytest.mark.parametrize(
    ("words", "points", "got", "waits"),
    [
        ("because", None, 3.0, False),
        ("for other reasons", None, 0.0, True),
        ("nothing", 0.0, 0.0, False),
    ],
    ids=["same words", "other words", "empty"],
)
def test_a_mark_counts_for_the_words_that_were_marked_only(
    url: str, small_class: SmallClass, words: str, points: float | None, got: float, waits: bool
) -> None:
    registered(url, small_class)
    book, layout = opened(url)
    with book:
        book.write(layout, [answered("ada", "work-1", "because")])
        marked_by_hand(url, "ch01_b", 3)
        book.write(layout, [answered("ada", "work-2", words, points)])
        (ada,) = book.standings(layout)
        (record,) = book.records()
    assert ada.cells["ch01_b"] == (got, 4)
    assert (ada.waiting == {"ch01_b"}) is waits
    noted = "ch01_b had 3 points by hand for an earlier answer" in record.notes
    assert noted is (words != "because")


def test_a_test_marked_by_hand_is_looked_at_again_after_a_new_hand_in(
    url: str, small_class: SmallClass
) -> None:
    registered(url, small_class)
    book, layout = opened(url)
    with book:
        book.write(layout, [answered("ada", "work-1", "because")])
        marked_by_hand(url, "ch01_a_hidden", 1)
        book.write(layout, [answered("ada", "work-2", "because")])
        (ada,) = book.standings(layout)
    assert ada.cells["ch01_a_hidden"] == (3, 3)
    assert "ch01_a_hidden" in ada.waiting


def test_penalties_follow_the_due_date_and_the_marks(url: str, small_class: SmallClass) -> None:
    from nbgrader.api import Gradebook as NbgraderGradebook

    registered(url, small_class)
    with NbgraderGradebook(gradebook_url(url), "leverage_course") as theirs:
        theirs.update_or_create_assignment(CHAPTER, duedate="2026-01-15 18:00:00 UTC")

    def zero(student: str, score: float, seconds: float) -> float:
        return score

    def settled() -> tuple[float, float]:
        book, layout = opened(url)
        with book:
            book.settle_penalties(layout, zero)
            (ada,) = book.standings(layout)
        return ada.penalty, ada.final

    book, layout = opened(url)
    with book:
        book.write(layout, [answered("ada", "work-1", "because")])
    assert settled() == (5, 0)
    marked_by_hand(url, "ch01_b", 4)
    assert settled() == (9, 0)
    with NbgraderGradebook(gradebook_url(url), "leverage_course") as theirs:
        theirs.update_or_create_assignment(CHAPTER, duedate="2026-01-16 18:00:00 UTC")
    assert settled() == (0, 9)
