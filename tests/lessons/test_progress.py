"""The record of a learner: private, never lost, never in the way."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from leverage import _places
from leverage.lessons import forget_progress, manifest, progress, show_progress
from leverage.lessons.progress import (
    mastery,
    note_shown,
    progress_file,
    read_record,
    record,
    settle_items,
    tries_with,
)

WRITER = """
import sys
from leverage.lessons.progress import record, settle_items
for i in range(40):
    record(f"{sys.argv[1]}_{i % 4}", passed=i % 2 == 0, hint="h")
"""


def passed_items():
    return {key for key, entry in read_record().items() if entry["passed"]}


@pytest.fixture
def chapter():
    return manifest.load_chapters()["01_basics"]


@pytest.mark.parametrize(
    ("passed", "points", "safe", "mastered"),
    [
        (set(), 0, 0, False),
        ({"ch01_a_value", "ch01_b_borrowed"}, 4, 1, True),
        ({"ch01_a_value", "ch01_q1"}, 3, 0, False),
        ({"ch01_b_borrowed", "ch01_q1"}, 3, 1, False),
        ({"ch01_a_value", "ch01_b_borrowed", "ch01_q1", "ch01_decide", "other"}, 5, 1, True),
    ],
)
def test_mastery_is_80_per_cent_of_autograded_points_and_all_safety_items(
    chapter, passed, points, safe, mastered
):
    score = mastery(chapter, passed)
    assert (score.points, score.possible) == (points, 5)
    assert (score.safety_passed, score.safety_total) == (safe, 1)
    assert score.mastered is mastered


def test_every_safety_item_is_needed_for_mastery_whatever_the_points():
    items = {f"ch01_a_{i}": {"points": 10} for i in range(10)}
    chapter = {"items": {**items, "ch01_s": {"points": 0, "safety": True}}}
    assert not mastery(chapter, items.keys()).mastered
    assert mastery(chapter, {*items, "ch01_s"}).mastered


def test_missing_items_are_listed_in_the_order_of_the_chapter(chapter):
    assert mastery(chapter, {"ch01_b_borrowed"}).missing == ("ch01_a_value", "ch01_q1")


def test_a_chapter_with_nothing_to_score_is_not_held_against_the_learner():
    assert mastery({}, set()).mastered
    assert mastery({"items": {"x": {"points": 9, "kind": "manual"}}}, set()).mastered


def test_80_per_cent_of_fractional_points_is_not_lost_to_rounding():
    chapter = {"items": {f"i{n}": {"points": 0.1} for n in range(10)}}
    assert mastery(chapter, {f"i{n}" for n in range(8)}).mastered


def test_attempts_are_counted_and_an_item_once_passed_stays_passed():
    record("ch01_a_value", passed=False, hint="first")
    record("ch01_a_value", passed=False, hint="second")
    entry = read_record()["ch01_a_value"]
    assert (entry["attempts"], entry["passed"], entry["hint"]) == (2, False, "second")
    record("ch01_a_value", passed=True)
    record("ch01_a_value", passed=False, hint="broken again")
    assert read_record()["ch01_a_value"]["passed"] is True
    assert read_record()["ch01_a_value"]["attempts"] == 4
    assert passed_items() == {"ch01_a_value"}


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_only_the_learner_can_read_the_record(tmp_path, monkeypatch):
    monkeypatch.setenv("LEVERAGE_PROGRESS", str(tmp_path / "new" / "folder" / "p.json"))
    record("ch01_a_value", passed=True)
    assert stat.S_IMODE(progress_file().stat().st_mode) == 0o600
    assert stat.S_IMODE(progress_file().parent.stat().st_mode) == 0o700


def test_nothing_but_the_record_is_left_behind(tmp_path):
    record("ch01_a_value", passed=True)
    assert [path.name for path in tmp_path.iterdir()] == ["progress.json"]


def test_the_record_lives_in_the_home_folder_unless_told_otherwise(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("LEVERAGE_PROGRESS", "")
    assert progress_file() == tmp_path / ".leverage-course" / "progress.json"
    monkeypatch.setenv("LEVERAGE_PROGRESS", "~/mine.json")
    assert progress_file() == tmp_path / "mine.json"


def test_nothing_is_written_while_nbgrader_grades(monkeypatch, tmp_path):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    record("ch01_a_value", passed=True)
    assert list(tmp_path.iterdir()) == []


def test_eight_notebooks_open_at_once_lose_no_attempt():
    names = [f"ch0{number}" for number in range(8)]
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, name]) for name in names]
    assert [writer.wait(timeout=120) for writer in writers] == [0] * 8
    assert len(read_record()) == 32
    assert {entry["attempts"] for entry in read_record().values()} == {10}


def test_a_lock_left_by_a_stopped_notebook_holds_nobody_up(tmp_path):
    lock = tmp_path / "progress.json.lock"
    lock.touch()
    record("ch01_a_value", passed=True)
    assert passed_items() == {"ch01_a_value"}
    assert not lock.exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows locks by another call")
def test_what_a_held_record_cannot_take_is_said_and_written_with_the_next_attempt(
    tmp_path, monkeypatch, capsys
):
    import fcntl

    monkeypatch.setattr(progress, "_LOCK_WAIT_S", 0.05)
    with (tmp_path / "progress.json.lock").open("w") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        record("ch01_a_value", passed=True)
        assert read_record() == {}
        assert "another notebook has held" in capsys.readouterr().out
    record("ch01_q1", passed=True)
    assert passed_items() == {"ch01_a_value", "ch01_q1"}


@pytest.mark.skipif(os.name == "nt", reason="Windows locks by another call")
def test_what_could_not_be_written_is_written_when_the_kernel_ends(tmp_path):
    code = """
import fcntl
from leverage.lessons import progress
progress._LOCK_WAIT_S = 0.05
holder = open(f"{progress.progress_file()}.lock", "w")
fcntl.flock(holder, fcntl.LOCK_EX)
progress.record("ch01_a_value", passed=True)
holder.close()
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, capture_output=True)
    assert passed_items() == {"ch01_a_value"}


def test_a_file_system_without_locks_keeps_the_record_all_the_same(tmp_path, monkeypatch):
    def refuse(number, operation):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", refuse)
    record("ch01_a_value", passed=True)
    assert passed_items() == {"ch01_a_value"}


@pytest.mark.skipif(os.name == "nt", reason="Windows names the home folder otherwise")
@pytest.mark.parametrize("home", ["", "  ", None])
def test_an_empty_home_is_looked_up_in_the_list_of_users(monkeypatch, home):
    import pwd

    monkeypatch.setenv("LEVERAGE_PROGRESS", "")
    monkeypatch.delenv("HOME")
    if home is not None:
        monkeypatch.setenv("HOME", home)
    kept = Path(pwd.getpwuid(os.getuid()).pw_dir) / ".leverage-course" / "progress.json"
    assert progress_file() == kept


def test_where_no_home_folder_is_known_the_place_of_the_record_is_said(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("LEVERAGE_PROGRESS", "")
    for module in (_places, progress):
        monkeypatch.setattr(module, "home_folder", lambda: None)
    monkeypatch.chdir(tmp_path)
    record("ch01_a_value", passed=True)
    assert progress_file() == tmp_path / ".leverage-course" / "progress.json"
    assert f"your progress is kept in {progress_file()}." in capsys.readouterr().out
    show_progress()
    assert f"kept only on this computer, in {tmp_path}" in capsys.readouterr().out


def test_a_record_behind_a_byte_order_mark_is_read(tmp_path):
    record("ch01_a_value", passed=True)
    path = tmp_path / "progress.json"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    record("ch01_q1", passed=True)
    assert passed_items() == {"ch01_a_value", "ch01_q1"}
    assert list(tmp_path.glob("*.unreadable")) == []


def test_a_write_that_fails_midway_keeps_the_old_record(monkeypatch, tmp_path, capsys):
    record("ch01_a_value", passed=True)

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(progress.json, "dumps", full)
        record("ch01_q1", passed=True)
    assert passed_items() == {"ch01_a_value"}
    assert [path.name for path in tmp_path.iterdir()] == ["progress.json"]
    assert "No space left on device" in capsys.readouterr().out
    record("ch01_b_borrowed", passed=True)
    assert passed_items() == {"ch01_a_value", "ch01_q1", "ch01_b_borrowed"}


@pytest.mark.parametrize("place", ["file/inside/p.json", "bad\0name"])
def test_a_place_that_cannot_be_written_is_noted_once_and_lessons_go_on(
    tmp_path, monkeypatch, run, place
):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setattr(progress, "progress_file", lambda: tmp_path / place)
    first, second = (run("x = 1", 'check.value("x", 1)') for _ in range(2))
    assert (first.error, second.error) == (None, None)
    assert first.printed.count("Note: your progress cannot be kept in") == 1
    assert "set LEVERAGE_PROGRESS" in first.printed
    assert second.printed == "✓ 1.A value: correct. 2 of 2 points.\n"


@pytest.mark.parametrize("text", ["{", "[]", "\udcff", '{"items": 3}', "null", "[" * 100_000])
def test_an_unreadable_record_is_kept_aside(tmp_path, capsys, text):
    path = tmp_path / "progress.json"
    path.write_bytes(text.encode(errors="surrogateescape"))
    record("ch01_a_value", passed=True)
    assert passed_items() == {"ch01_a_value"}
    kept = tmp_path / "progress.json.unreadable"
    assert kept.read_bytes() == text.encode(errors="surrogateescape")
    assert str(kept) in capsys.readouterr().out


def test_unreadable_records_kept_aside_are_never_overwritten(tmp_path):
    path = tmp_path / "progress.json"
    for text in ("first", "second", "third"):
        path.write_text(text)
        assert read_record() == {}
    kept = {other.read_text() for other in tmp_path.glob("*.unreadable")}
    assert kept == {"first", "second", "third"}


def test_odd_entries_of_a_record_are_mended_and_unknown_ones_kept(tmp_path):
    path = tmp_path / "progress.json"
    items = {"a": 3, "b": {"attempts": "x", "passed": 1, "hint": None}, "c": {"later": True}}
    path.write_text(json.dumps({"version": 9, "extra": 1, "items": items}))
    record("d", passed=True, hint="\udcff")
    record("e", passed=False, hint="\udcff")
    assert read_record()["b"] == {
        **dict.fromkeys(("attempts", "tries"), 0),
        **dict.fromkeys(("passed", "settled", "shown"), False),
        **dict.fromkeys(("hint", "answer"), ""),
    }
    data = json.loads(path.read_text())
    assert data["extra"] == 1
    assert data["items"]["c"] == {"later": True}


def test_progress_shows_points_safety_mastery_and_what_to_revisit(capsys):
    record("ch01_a_value", passed=True)
    record("ch01_b_borrowed", passed=False, hint="The lender gives the rest")
    record("ch01_b_borrowed", passed=False, hint="The lender gives the rest")
    show_progress()
    out = capsys.readouterr().out
    assert out.splitlines() == [
        "Your progress, kept only on this computer, in the file that LEVERAGE_PROGRESS names.",
        "",
        "Chapter    Points                               Safety items  Mastery",
        "1. Basics  2 of 5 (50 more are marked by hand)  0 of 1        not yet",
        "2. Margin  0 of 1                               none          not yet",
        "",
        "To revisit in 1. Basics:",
        "- 1.B borrowed, a safety item, 2 attempts. Section: Your turn B.",
        "  LO1.2: Compute what is borrowed.",
        "  Last hint: The lender gives the rest.",
        "- Not tried yet: 1 item.",
        "",
        "Counted here: the checks you can see.",
        "Run 'classroom score 01' for the hidden ones: only they settle mastery.",
    ]


@pytest.mark.parametrize("chapter", [2, "2", "02", "02_margin"])
def test_progress_of_one_chapter_is_shown_by_number_or_folder(capsys, chapter):
    record("ch02_a_rate", passed=True)
    show_progress(chapter)
    out = capsys.readouterr().out
    assert "2. Margin  1 of 1  none          yes, by the visible checks" in out
    assert "Run 'classroom score 02' for the hidden ones" in out
    assert "Basics" not in out


def test_what_classroom_score_found_closes_the_hidden_tests(capsys):
    record("ch02_a_rate", passed=True)
    settle_items({"ch02_a_rate": True, "ch01_a_value": False})
    show_progress()
    out = capsys.readouterr().out
    assert "2. Margin  1 of 1                               none          yes\n" in out
    assert "Hidden tests of what passed are settled" in out
    assert "ch01_a_value" not in read_record()


def test_a_solution_that_was_shown_is_counted_unless_the_item_had_passed(capsys):
    record("ch02_a_rate", passed=True)
    note_shown(["ch02_a_rate", "ch01_b_borrowed"])
    show_progress()
    assert "\nSolutions shown: 1.B borrowed.\n" in capsys.readouterr().out
    record("ch01_b_borrowed", passed=True)
    assert read_record()["ch01_b_borrowed"]["shown"] is True


def test_only_another_answer_is_another_try():
    for answer, tries in [("a", 1), ("a", 1), ("b", 2), ("", 2), ("b", 2), ("a", 3)]:
        assert tries_with("ch01_a_value", answer) == tries
        record("ch01_a_value", passed=False, answer=answer)
        assert read_record()["ch01_a_value"]["tries"] == tries
    forget_progress()
    assert tries_with("ch01_a_value", "") == 0


def test_the_command_for_hidden_checks_names_the_chapters_worked_on(capsys):
    show_progress()
    assert "Run 'classroom score 01 02' for" in capsys.readouterr().out
    record("ch02_a_rate", passed=True)
    show_progress()
    assert "Run 'classroom score 02' for" in capsys.readouterr().out


def test_points_marked_by_hand_are_named_in_a_chapter_of_nothing_else(capsys, monkeypatch):
    items = {"ch03_decide": {"points": 1, "kind": "manual"}}
    chapters = {"03_costs": {"number": 3, "title": "Costs", "items": items}}
    monkeypatch.setattr(manifest, "load_chapters", lambda: chapters)
    show_progress()
    assert "none to earn (1 more is marked by hand)  none" in capsys.readouterr().out


def test_a_chapter_that_does_not_exist_is_refused_with_the_list_of_chapters():
    with pytest.raises(ValueError, match="was 7; the chapters are: 01_basics, 02_margin"):
        show_progress(7)


def test_progress_is_shown_without_the_list_of_chapters(capsys, monkeypatch):
    monkeypatch.setattr(manifest, "load_chapters", dict)
    show_progress()
    assert "Nothing is recorded yet" in capsys.readouterr().out
    record("ch01_a_value", passed=True)
    show_progress()
    assert "- 1.A value: passed, 1 attempt." in capsys.readouterr().out


def test_forgetting_deletes_the_record_and_says_so(capsys):
    record("ch01_a_value", passed=True)
    forget_progress()
    assert not progress_file().exists()
    assert f"Your progress is deleted: {progress_file()} is gone." in capsys.readouterr().out
    forget_progress()
    assert "There was no progress to forget" in capsys.readouterr().out


def test_a_record_that_cannot_be_deleted_is_said(capsys, monkeypatch):
    def refuse(self):
        raise PermissionError(13, "Permission denied")

    record("ch01_a_value", passed=True)
    monkeypatch.setattr(Path, "unlink", refuse)
    forget_progress()
    assert "could not be deleted" in capsys.readouterr().out


def test_malformed_course_data_reads_as_an_empty_course(monkeypatch):
    monkeypatch.undo()
    for data in ({}, {"chapters": []}, {"chapters": {"01_basics": 3}}):
        monkeypatch.setattr(manifest, "_read_data", lambda name, data=data: data)
        assert manifest.load_chapters() == {}
