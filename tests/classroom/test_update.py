"""A newer course keeps every answer, or says where it is; what it replaces lies in sight."""

from __future__ import annotations

import io
import json
import subprocess
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classroom.cli import main
from classroom.desk.archives import packed
from classroom.desk.update import (
    RELEASED,
    account_line,
    carried_over,
    carry_all,
    cell_hashes,
    cells_in,
    update,
)
from classroom.errors import ClassroomError
from classroom.grading.reading import source_text
from classroom.project import Project

PATH = "course/01_small/01_small.ipynb"
STUB = "def double(x):\n    raise NotImplementedError"


def text(name: str, source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": source}


def code(name: str, source: str, **nbgrader: Any) -> dict[str, Any]:
    meta = {"nbgrader": nbgrader} if nbgrader else {}
    return {
        "cell_type": "code", "id": name, "metadata": meta, "source": source,
        "outputs": [], "execution_count": None,
    }  # fmt: skip


def answer(name: str, source: str = STUB, place: str = "") -> dict[str, Any]:
    return code(place or name, source, grade_id=f"{name}_answer", solution=True, locked=False)


def check(name: str, source: str) -> dict[str, Any]:
    return code(name, source, grade_id=name, solution=False, grade=True, locked=True)


def book(*cells: dict[str, Any]) -> bytes:
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


def sources(content: bytes) -> list[str]:
    return [source_text(cell["source"]) for cell in cells_in(content)]


OLD = book(
    text("t", "# 1. Small"), code("given", "base = 21"), text("ha", "## A"), answer("ch01_a"),
    check("ch01_a_value", "assert double(1) == 2"), text("hb", "## B"), answer("ch01_b"),
)  # fmt: skip
NEW = book(
    text("t", "# 1. Small, better"), code("given", "base = 22"), text("ha", "## A"),
    answer("ch01_a", STUB + "  # new", place="other id"), check("ch01_a_value", "assert double(2) == 4"),
    text("hc", "## C"), answer("ch01_c"), answer("ch01_b"),
)  # fmt: skip


def worked_in(content: bytes, **changes: str) -> bytes:
    document = json.loads(content)
    for cell in document["cells"]:
        if cell["id"] in changes:
            cell["source"] = changes[cell["id"]]
    return json.dumps(document).encode()


def test_answers_stand_in_the_new_texts_and_the_checks_are_the_new_ones() -> None:
    mine = worked_in(OLD, ch01_a="my a", ch01_b="my b", ch01_a_value="assert True")
    made, account, homeless = carried_over("small", mine, NEW, cell_hashes(OLD))
    assert sources(made) == [
        "# 1. Small, better", "base = 22", "## A", "my a", "assert double(2) == 4", "## C", STUB, "my b",
    ]  # fmt: skip
    assert account.kept == ("ch01_a_answer", "ch01_b_answer")
    assert account.moved == ("ch01_b_answer",), "it stands under another heading"
    assert homeless == []


def test_what_nobody_answered_gets_the_new_stub() -> None:
    made, account, _ = carried_over("small", OLD, NEW, cell_hashes(OLD))
    assert sources(made) == sources(NEW)
    assert account_line(account) == "small: no answers in it"


def test_cells_that_a_learner_added_stay_behind_their_neighbour() -> None:
    document = json.loads(OLD)
    document["cells"].insert(4, code("mine", "double(3)  # try"))
    document["cells"].insert(0, text("top", "My notes"))
    made, account, _ = carried_over("small", json.dumps(document).encode(), NEW, cell_hashes(OLD))
    found = sources(made)
    assert found[0] == "My notes"
    assert found[found.index("double(3)  # try") - 1] == STUB + "  # new"
    assert account.own == 2


def test_a_given_cell_that_both_changed_is_the_new_one_and_is_said() -> None:
    made, account, _ = carried_over(
        "small", worked_in(OLD, given="base = 99"), NEW, cell_hashes(OLD)
    )
    assert "base = 22" in sources(made)
    assert "1 changed on both sides: yours in the copy" in account_line(account)
    made, _, _ = carried_over("small", worked_in(OLD, ha="## A, mine"), NEW, cell_hashes(OLD))
    assert "## A, mine" in sources(made), "where only the learner changed it, it stays"


def test_an_answer_follows_its_cell_to_another_notebook_or_is_named_as_gone() -> None:
    mine = {PATH: worked_in(OLD, ch01_a="my a", ch01_b="my b")}
    new = {
        PATH: book(text("t", "# 1. Small")),
        "course/02_more/02_more.ipynb": book(text("m", "# More"), answer("ch01_b")),
    }
    made, (account,) = carry_all(mine, new, {PATH: cell_hashes(OLD)})
    assert sources(made["course/02_more/02_more.ipynb"]) == ["# More", "my b"]
    assert (account.moved, account.gone) == (("ch01_b_answer",), ("ch01_a_answer",))
    _, (account,) = carry_all(mine, {}, {PATH: cell_hashes(OLD)})
    assert account.gone == ("ch01_a_answer", "ch01_b_answer")


WORDS = st.text("ab\n ", max_size=6)
ANSWERS = st.lists(st.tuples(st.sampled_from("abcdef"), WORDS), unique_by=lambda pair: pair[0])


@given(ANSWERS, st.permutations("abcdef"), st.sets(st.sampled_from("abcdef")), st.booleans())
def test_every_answer_stands_in_the_new_notebook_or_is_named(
    answers: Sequence[tuple[str, str]], order: Sequence[str], gone: set[str], known: bool
) -> None:
    old = book(*(answer(f"ch01_{letter}") for letter, _ in answers))
    mine = worked_in(old, **{f"ch01_{letter}": f"mine {letter} {said}" for letter, said in answers})
    new = book(*(answer(f"ch01_{letter}", "new stub") for letter in order if letter not in gone))
    made, (account,) = carry_all(
        {PATH: mine}, {PATH: new}, {PATH: cell_hashes(old)} if known else None
    )
    for letter, said in answers:
        name = f"ch01_{letter}_answer"
        if letter in gone:
            assert name in account.gone
        else:
            assert name in account.kept
            assert f"mine {letter} {said}" in sources(made[PATH])


# ---- a checkout


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    return subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout


def publish(origin: Path, content: bytes, more: str = "") -> None:
    (origin / PATH).parent.mkdir(parents=True, exist_ok=True)
    (origin / PATH).write_bytes(content)
    (origin / "nbgrader_config.py").write_text(f"# {more}\n")
    (origin / "solutions" / "01_small").mkdir(parents=True, exist_ok=True)
    (origin / "solutions" / "01_small" / "01_small.ipynb").write_bytes(content)
    git(origin, "add", "-A")
    git(origin, "commit", "-qm", more or "release")


@pytest.fixture
def checkout(tmp_path: Path) -> tuple[Path, Path]:
    """A published course and a clone of it that somebody works in."""
    origin = tmp_path / "origin"
    origin.mkdir()
    git(origin, "init", "-q", "-b", "main")
    publish(origin, OLD)
    git(tmp_path, "clone", "-q", str(origin), "mine")
    return origin, tmp_path / "mine"


def test_a_checkout_is_renewed_with_the_answers_and_copies_in_sight(
    checkout: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    origin, mine = checkout
    (mine / PATH).write_bytes(worked_in(OLD, ch01_a="my a"))
    publish(origin, NEW, "second")
    monkeypatch.chdir(mine)
    assert main(["update"]) == 0
    said = capsys.readouterr().out
    assert "01_small: kept 1.A" in said
    assert "my a" in sources((mine / PATH).read_bytes())
    assert "# second" in (mine / "nbgrader_config.py").read_text()
    (copy,) = (mine / "course").glob("before_update_*/01_small.ipynb")
    assert sources(copy.read_bytes()) == sources(worked_in(OLD, ch01_a="my a"))
    assert main(["update"]) == 0
    assert "This is the newest version" in capsys.readouterr().out


def test_a_class_that_is_graded_is_told_what_it_was_released_from(
    checkout: tuple[Path, Path],
) -> None:
    origin, mine = checkout
    old = git(mine, "rev-parse", "--short", "HEAD").strip()
    handed = mine / "class" / "submitted" / "ada" / "01_small" / "01_small.ipynb"
    handed.parent.mkdir(parents=True)
    handed.write_bytes(OLD)
    publish(origin, NEW, "second")
    said: list[str] = []
    update(Project(mine), say=said.append)
    assert f"'git switch --detach {old}' grades with that" in "\n".join(said)
    assert f"released from {old}" in (mine / "class" / "updates.log").read_text()
    assert handed.read_bytes() == OLD


@pytest.mark.parametrize("kind", ["another file", "own commit", "in the way"])
def test_what_would_be_lost_stops_it_and_nothing_changes(
    checkout: tuple[Path, Path], kind: str
) -> None:
    origin, mine = checkout
    (mine / PATH).write_bytes(worked_in(OLD, ch01_a="my a"))
    publish(origin, NEW, "second")
    if kind == "another file":
        (mine / "nbgrader_config.py").write_text("mine")
    elif kind == "own commit":
        git(mine, "commit", "-qam", "mine")
    else:
        (origin / "new.txt").write_text("theirs")
        git(origin, "add", "-A")
        git(origin, "commit", "-qm", "third")
        (mine / "new.txt").write_text("mine")
    before = (mine / PATH).read_bytes()
    with pytest.raises(ClassroomError):
        update(Project(mine), say=lambda _: None)
    assert (mine / PATH).read_bytes() == before
    assert git(mine, "stash", "list") == ""


# ---- a handout


def handout_of(content: bytes, **more: bytes) -> bytes:
    files = {PATH: content, "nbgrader_config.py": b"# new", RELEASED: b""}
    files |= {name.replace("__", "/") + ".py": text for name, text in more.items()}
    files[RELEASED] = json.dumps({PATH: cell_hashes(content)}).encode()
    return packed({f"leverage-course/{name}": found for name, found in files.items()})


def test_a_handout_is_renewed_from_the_newer_archive(tmp_path: Path) -> None:
    old = handout_of(OLD, helpers__leverage__gone=b"x = 1", helpers__leverage__stays=b"x = 1")
    with zipfile.ZipFile(io.BytesIO(old)) as archive:
        archive.extractall(tmp_path)
    home = tmp_path / "leverage-course"
    (home / PATH).write_bytes(worked_in(OLD, ch01_a="my a"))
    (home / "notes.txt").write_text("mine")
    newer = tmp_path / "newer.zip"
    newer.write_bytes(handout_of(NEW, helpers__leverage__stays=b"x = 2"))
    (account,) = update(Project(home), newer, say=lambda _: None)
    assert account.kept == ("ch01_a_answer",)
    assert "my a" in sources((home / PATH).read_bytes())
    assert (home / "helpers" / "leverage" / "stays.py").read_bytes() == b"x = 2"
    assert not (home / "helpers" / "leverage" / "gone.py").exists()
    assert (home / "notes.txt").read_text() == "mine"
    assert list((home / "course").glob("before_update_*/01_small.ipynb"))
    assert update(Project(home), newer, say=lambda _: None)[0].kept == ("ch01_a_answer",)


CHECKPOINT = "course/01_small/.ipynb_checkpoints/01_small-checkpoint.ipynb"
EARLIER = "course/before_update_2026-01-01/01_small.ipynb"


def test_checkpoints_and_earlier_copies_take_no_part_in_a_handouts_update(tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(handout_of(OLD))) as archive:
        archive.extractall(tmp_path)
    home = tmp_path / "leverage-course"
    for name in (CHECKPOINT, EARLIER):
        (home / name).parent.mkdir(parents=True)
        (home / name).write_bytes(worked_in(OLD, ch01_a="older a"))
    (home / PATH).write_bytes(worked_in(OLD, ch01_a="newest a"))
    newer = tmp_path / "newer.zip"
    newer.write_bytes(handout_of(NEW))
    (account,) = update(Project(home), newer, say=lambda _: None)
    assert account.moved == ()
    assert "newest a" in sources((home / PATH).read_bytes())
    assert "older a" in sources((home / EARLIER).read_bytes())


def test_an_answer_that_moves_in_a_checkout_goes_to_no_checkpoint_and_no_copy(
    checkout: tuple[Path, Path],
) -> None:
    origin, mine = checkout
    for name in (CHECKPOINT, EARLIER):
        (mine / name).parent.mkdir(parents=True)
        (mine / name).write_bytes(OLD)
    (mine / PATH).write_bytes(worked_in(OLD, ch01_a="my a"))
    publish(origin, book(text("t", "# 1. Small"), answer("ch01_b")), "second")
    (account,) = update(Project(mine), say=lambda _: None)
    assert account.gone == ("ch01_a_answer",)
    assert {(mine / name).read_bytes() for name in (CHECKPOINT, EARLIER)} == {OLD}


def test_without_git_and_without_an_archive_it_says_what_to_give(tmp_path: Path) -> None:
    (tmp_path / "course").mkdir()
    with pytest.raises(ClassroomError, match="give the newer handout"):
        update(Project(tmp_path))
    (tmp_path / "a.zip").write_bytes(packed({"x/y.txt": b""}))
    with pytest.raises(ClassroomError, match=r"a\.zip is no handout of this course"):
        update(Project(tmp_path), tmp_path / "a.zip")
    (tmp_path / ".git").mkdir()
    with pytest.raises(ClassroomError, match="this is a git checkout"):
        update(Project(tmp_path), tmp_path / "a.zip")
