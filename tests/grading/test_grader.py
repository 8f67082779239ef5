"""A grader is a pure function of what it is given, and leaves nothing behind."""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
import signal
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import corpus
import pytest

import leverage
from classroom.errors import ClassroomError
from classroom.grading import (
    Grader,
    Outcome,
    Release,
    Submission,
    available_levels,
    choose_level,
    close_graders,
    grade_one,
    read_release,
    read_submission,
)
from classroom.grading.grader import FOLDER_PREFIX, sweep_folders
from classroom.grading.model import ReleaseCell
from classroom.grading.processes import descendants, wait_state
from classroom.grading.reading import learner_names, own_statements, shown_at_the_end
from classroom.grading.sandbox import launch_command, readable_paths


def without_times(outcome: Outcome) -> Outcome:
    """An outcome without what a clock or the memory's gauge decided."""
    cells = tuple(dataclasses.replace(cell, seconds=0) for cell in outcome.verdict.cells)
    verdict = dataclasses.replace(outcome.verdict, cells=cells, seconds=0, stages=(), memory_mb=0)
    return dataclasses.replace(outcome, verdict=verdict)


def test_the_same_submission_gives_the_same_outcome_and_nothing_is_left(release: Release) -> None:
    submission = corpus.Case("ana", corpus.files_of(corpus.submitted())).submission()
    with Grader(release, corpus.LIMITS, workers=2, allow_limits_only=True) as grader:
        first, second = (without_times(grader.grade(submission)) for _ in range(2))
        pids, folder = grader.pids()[1:], grader._folder
        assert pids
    assert first == second
    assert folder is not None
    assert not folder.exists()
    assert all(wait_state(pid, "ZX", 0.1) for pid in pids)


def test_a_leftover_process_does_not_outlive_its_submission(release: Release) -> None:
    source = (
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
        "        time.sleep(300)\n    os._exit(0)"
    )
    files = corpus.files_of(corpus.submitted(first=source))
    with Grader(release, corpus.LIMITS, workers=1, allow_limits_only=True) as grader:
        grader.grade(Submission("ana", corpus.files_of(corpus.submitted())))
        usual = len(grader.pids())
        for number in range(3):
            grader.grade(Submission(str(number), files))
        assert len(grader.pids()) <= usual + 2  # at most the last one's, on their way out


def test_everything_survives_json_and_grade_one_gives_what_a_grader_gives(release: Release) -> None:
    submission = Submission("bo", corpus.files_of(corpus.submitted(corpus.WRONG)), ("a problem",))
    again = Submission.from_json(json.loads(json.dumps(submission.to_json())))
    assert again == submission
    twin = Release.from_json(json.loads(json.dumps(release.to_json())))
    assert twin.digest == release.digest
    outcome = grade_one(twin, again, corpus.LIMITS, allow_limits_only=True)
    assert Outcome.from_json(json.loads(json.dumps(outcome.to_json()))) == outcome
    with Grader(release, corpus.LIMITS, allow_limits_only=True) as grader:
        assert without_times(grader.grade(submission)) == without_times(outcome)
    close_graders()


def test_partial_credit_gives_points_per_check(release: Release) -> None:
    half = {"fee": "def fee(amount, rate):\n    return 1.0 if rate == 0.0005 else 0.0"}
    submission = Submission("cy", corpus.files_of(corpus.submitted(half)))
    with Grader(release, corpus.LIMITS, allow_limits_only=True, partial_credit=True) as grader:
        verdict = grader.grade(submission).verdict
    result = next(cell for cell in verdict.cells if cell.grade_id == "fee_test")
    assert (result.points, result.state) == (1.0, "partial")
    assert [check.passed for check in result.checks] == [True, False]
    assert [check.hidden for check in result.checks] == [False, True]
    assert "4.711" not in result.sentence


SLOW = "import time\ntime.sleep(1)"


def test_a_server_stopped_from_outside_ends_the_batch_without_a_verdict(release: Release) -> None:
    slow = Submission("ana", corpus.files_of(corpus.submitted(first=SLOW)))
    with Grader(release, corpus.LIMITS, workers=1, allow_limits_only=True) as grader:
        server = grader._server
        assert server is not None
        threading.Timer(0.5, server.kill).start()
        with pytest.raises(ClassroomError, match="run the same command again"):
            grader.grade(slow)
        with pytest.raises(ClassroomError, match="run the same command again"):
            grader.grade(slow)


def test_a_submission_whose_judge_is_stopped_from_outside_is_run_again(release: Release) -> None:
    slow = Submission("ana", corpus.files_of(corpus.submitted(first=SLOW)))
    with Grader(release, corpus.LIMITS, workers=1, allow_limits_only=True) as grader:
        stopped: list[int] = []

        def stop() -> None:
            for job in list(grader._jobs.values()):
                os.kill(job.judge, signal.SIGKILL)
                stopped.append(job.judge)

        threading.Timer(0.5, stop).start()
        verdict = grader.grade(slow).verdict
    assert stopped
    assert (verdict.status, verdict.points) == ("graded", corpus.FULL)


def test_a_run_that_is_left_leaves_nothing_to_the_next(release: Release) -> None:
    honest = corpus.files_of(corpus.submitted())
    with Grader(release, corpus.LIMITS, workers=2, allow_limits_only=True) as grader:
        outcomes = grader.run(Submission(name, honest) for name in ("ana", "bob", "cyd"))
        next(outcomes)
        outcomes.close()
        assert not grader._jobs
        assert not grader._ending
        for student in ("dan", "eve"):
            outcome = grader.grade(Submission(student, honest))
            assert (outcome.student, outcome.verdict.points) == (student, corpus.FULL)


def test_a_run_that_is_interrupted_leaves_nothing_to_the_next(release: Release) -> None:
    slow = corpus.files_of(corpus.submitted(first=SLOW))

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    with Grader(release, corpus.LIMITS, workers=1, allow_limits_only=True) as grader:
        before = signal.signal(signal.SIGALRM, interrupt)
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        try:
            with pytest.raises(KeyboardInterrupt):
                grader.grade(Submission("ana", slow))
        finally:
            signal.signal(signal.SIGALRM, before)
        assert grader.grade(Submission("bob", slow)).student == "bob"


def striking(grader: Grader, victim: str, times: int) -> threading.Thread:
    """Kill one of a submission's processes, as the system would, in its first runs."""

    def strike() -> None:
        place = ("keeper", "student", "copy").index(victim.split()[-1])
        seen: set[int] = set()
        while len(seen) < times:
            for job in list(grader._jobs.values()):
                family = descendants(job.student)
                early = time.monotonic() - job.began < 0.4
                if job.student not in seen and not early and len(family) > max(place, 1):
                    seen.add(job.student)
                    os.kill(family[place], signal.SIGKILL)
            time.sleep(0.0005 if victim.startswith("new") else 0.05)

    thread = threading.Thread(target=strike, daemon=True)
    thread.start()
    return thread


SLOW_ANSWER = {"double": "import time\ndef double(x):\n    time.sleep(0.5)\n    return 2 * x"}


@pytest.mark.parametrize("victim", ["keeper", "student", "copy", "new copy"])
def test_a_submission_whose_process_is_killed_from_outside_is_run_again(
    release: Release, victim: str
) -> None:
    copied = victim.endswith("copy")
    document = corpus.submitted(SLOW_ANSWER) if copied else corpus.submitted(first=SLOW)
    slow = Submission("ana", corpus.files_of(document))
    with Grader(release, corpus.LIMITS, workers=1, allow_limits_only=True) as grader:
        thread = striking(grader, victim, 1)
        verdict = grader.grade(slow).verdict
        thread.join(5)
    assert not thread.is_alive()
    assert (verdict.status, verdict.points) == ("graded", corpus.FULL)


def test_a_submission_killed_from_outside_twice_is_said_to_be(release: Release) -> None:
    endless = "import time\nwhile True: time.sleep(1)"  # until it is struck, on a busy machine too
    slow = Submission("ana", corpus.files_of(corpus.submitted(first=endless)))
    with Grader(release, corpus.LIMITS, workers=1, allow_limits_only=True) as grader:
        thread = striking(grader, "student", 2)
        verdict = grader.grade(slow).verdict
        thread.join(5)
    assert (verdict.status, verdict.points) == ("partly graded", 0)
    assert any("killed, twice" in note for note in verdict.notes)


def release_with(test: str, answer: str, folder: Path) -> Release:
    """An assignment of one answer and one test."""
    cells = [
        corpus.code("import numpy as np", corpus.meta("setup", locked=True), "setup"),
        corpus.code(answer, corpus.meta("answer", solution=True), "answer"),
        corpus.code(test, corpus.meta("test", grade=True, locked=True, points=2), "test"),
    ]
    (folder / "one.ipynb").write_text(json.dumps(corpus.notebook(cells)), encoding="utf-8")
    return read_release(folder / "one.ipynb")


SHOWING = """import pandas as pd
from leverage.lessons import describe
from leverage.lessons.charts.basic_charts import plot_recovery
describe(plot_recovery(), "Line chart of the gain that takes a loss back, from none to four fifths.")
pd.get_option("display.max_columns")"""


def test_libraries_show_what_they_show_in_a_kernel(release: Release) -> None:
    shows = Submission("ana", corpus.files_of(corpus.submitted(first=SHOWING)))
    with Grader(release, corpus.LIMITS, allow_limits_only=True) as grader:
        notebook = grader.grade(shows).notebook
    assert notebook is not None
    (outputs,) = (cell["outputs"] for cell in notebook["cells"] if cell["source"] == SHOWING)
    picture, words, columns = outputs
    assert picture["data"]["image/png"].startswith("iVBOR")
    assert words["text"].startswith("Figure: Line chart")
    assert columns["data"]["text/plain"] == "20"  # pandas shows none of them at a terminal


GIVEN = """from leverage.lessons import LeverageExplorer, describe
from leverage.lessons.charts.basic_charts import plot_recovery
describe(plot_recovery(), "Line chart of the gain that takes a loss back, from none to four fifths.")
LeverageExplorer(quote="USD")"""
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
)


@pytest.mark.parametrize("picture", ["", PIXEL, "<script>alert(1)</script>", 7])
def test_a_given_cell_draws_nothing_and_keeps_the_picture_that_was_handed_in(
    tmp_path: Path, picture: object
) -> None:
    cells = [
        corpus.code(GIVEN, corpus.meta("given", locked=True), "given"),
        corpus.code("x = 1", corpus.meta("a", solution=True), "a"),
        corpus.code("assert x == 1", corpus.meta("t", grade=True, locked=True, points=1), "t"),
    ]
    (tmp_path / "one.ipynb").write_text(json.dumps(corpus.notebook(cells)), encoding="utf-8")
    made = read_release(tmp_path / "one.ipynb")
    words = "Line chart of the gain that takes a loss back, from none to four fifths."
    shown = {"output_type": "display_data", "data": {"text/plain": words}, "metadata": {}}
    if picture:
        shown["data"]["image/png"] = picture
    handed = [{**cells[0], "outputs": [shown]}, *cells[1:], corpus.code(GIVEN.rpartition("\n")[0])]
    with Grader(made, corpus.LIMITS, workers=1, allow_limits_only=True) as grader:
        outcome = grader.grade(
            Submission("ana", corpus.files_of(corpus.notebook(handed), "one.ipynb"))
        )
    assert outcome.notebook is not None
    given, *_, own = outcome.notebook["cells"]
    data = [output["data"] for output in given["outputs"] if "data" in output]
    assert data[0]["text/plain"] == words
    assert data[0].get("image/png") == (picture if picture == PIXEL else None)
    assert "image/png" not in data[1]
    drawn = [output["data"]["image/png"] for output in own["outputs"] if "data" in output]
    assert [len(picture) > 1_000 for picture in drawn] == [True]


@pytest.mark.parametrize(
    ("last", "runs"),
    [
        (
            "describe(plot_recovery(), f'A line chart of {len(sizes)} curves, as it was given.')",
            False,
        ),
        ("LeverageExplorer(quote='USD')", False),
        (
            "describe(plot_recovery(), f'A line chart of {sizes.pop()} curves, as it was given.')",
            True,
        ),
        (
            "describe(plot_recovery(), f'A line chart of {next(rows)} curves, as it was given.')",
            True,
        ),
        ("describe(plot_recovery(), f'A line chart of {own(1)} curves, as it was given.')", True),
        ("describe(plot_recovery(), f'A line chart of {(x := 1)} curves, as it was given.')", True),
        ("own(2)", True),
        ("x = 1", True),
    ],
)
def test_what_only_shows_at_the_end_of_a_given_cell_is_told_from_what_does_something(
    last: str, runs: bool
) -> None:
    imports = GIVEN.rpartition("\ndescribe")[0]
    text = f"{imports}\nsizes, rows = [1, 2], iter([1])\ndef own(x): return x\n{last}"
    cell = ReleaseCell("g", "given", "", "code", text, text, 0.0, locked=True, metadata={})
    found = shown_at_the_end([cell])
    assert (text not in found) == runs
    assert runs or found[text][0] == text.rpartition("\n")[0]


def test_a_number_at_the_end_of_a_test_is_its_score(tmp_path: Path) -> None:
    answer = "### BEGIN SOLUTION\nshare = 1\n### END SOLUTION"
    made = release_with("min(share, 1) * 2", answer, tmp_path)
    with Grader(made, corpus.LIMITS, allow_limits_only=True) as grader:
        points = []
        for source in ("share = 1", "share = 0.25", "share = -3", "share = 'x'"):
            cells = tuple(
                dataclasses.replace(cell, source=source) if cell.kind == "answer" else cell
                for cell in made.cells
            )
            points.append(grader.grade(dataclasses.replace(made, cells=cells).reference()))
    assert [outcome.verdict.points for outcome in points] == [2, 0.5, 0, 0]


def test_a_last_line_that_ends_in_a_semicolon_is_run(tmp_path: Path) -> None:
    made = release_with("1 / share;", "### BEGIN SOLUTION\nshare = 2\n### END SOLUTION", tmp_path)
    none = tuple(
        dataclasses.replace(cell, source="share = 0") if cell.kind == "answer" else cell
        for cell in made.cells
    )
    with Grader(made, corpus.LIMITS, allow_limits_only=True) as grader:
        assert grader.grade(made.reference()).verdict.points == 2
        wrong = dataclasses.replace(made, cells=none).reference()
        assert grader.grade(wrong).verdict.points == 0


@pytest.mark.parametrize(
    ("given", "emptied"),
    [
        ("[3, 4]", "x.clear()"),
        ("{3: 3, 4: 4}", "x.clear()"),
        ("{3, 4}", "x.clear()"),
        ("np.array([3, 4])", "x[:] = 0"),
        ("pd.DataFrame({'a': [3, 4]})", "x.loc[:, 'a'] = 0"),
    ],
)
def test_an_answer_cannot_change_what_later_tests_compute_from(
    tmp_path: Path, given: str, emptied: str
) -> None:
    sums = "int(np.sum(list(x.a) if hasattr(x, 'a') else list(x)))"
    right = f"def first(x):\n    return 3\ndef total(x):\n    return {sums}"
    cells = [
        corpus.code(f"import numpy as np\nimport pandas as pd\nnumbers = {given}", {}, "given"),
        corpus.code(
            f"### BEGIN SOLUTION\n{right}\n### END SOLUTION", corpus.meta("a", solution=True), "a"
        ),
    ]
    tests = ("assert first(numbers) == 3", f"x = numbers\nassert total(numbers) == {sums}")
    for name, test in zip(("t1", "t2"), tests, strict=True):
        graded = corpus.meta(name, grade=True, locked=True, points=1)
        cells.append(corpus.code(test, graded, name))
    (tmp_path / "one.ipynb").write_text(json.dumps(corpus.notebook(cells)), encoding="utf-8")
    made = read_release(tmp_path / "one.ipynb")
    wrong = f"def first(x):\n    {emptied}\n    return 3\ndef total(x):\n    return 0"
    handed = tuple(
        dataclasses.replace(cell, source=wrong) if cell.kind == "answer" else cell
        for cell in made.cells
    )
    with Grader(made, corpus.LIMITS, allow_limits_only=True) as grader:
        assert grader.grade(made.reference()).verdict.points == made.auto_points
        verdict = grader.grade(dataclasses.replace(made, cells=handed).reference()).verdict
    assert [cell.points for cell in verdict.cells] == [1, 0]


ORDERS = """def orders(price):
    return [{"side": "sell", "price": price, "parts": [[1, 2], [price]], "reduce": True}]"""
FORGED = """class Any(KIND):
    def __eq__(self, other):
        return True
    def __ne__(self, other):
        return False
    def __hash__(self):
        return 0
"""
FORGERIES = {
    "a right answer of other classes": (
        ORDERS.replace("[1, 2]", "(1.0, np.int64(2))").replace("True", "np.True_"),
        2,
    ),
    "a wrong part deep inside": (ORDERS.replace("[1, 2]", "[1, 3]"), 0),
    "a key too many": (ORDERS.replace('"side"', '"more": 1, "side"'), 0),
    "a list that equals everything": (
        FORGED.replace("KIND", "list") + "def orders(price):\n    return Any()",
        0,
    ),
    "a dictionary that equals everything": (
        FORGED.replace("KIND", "dict") + "def orders(price):\n    return [Any()]",
        0,
    ),
    "a text that equals everything": (
        FORGED.replace("KIND", "str") + ORDERS.replace('"sell"', "Any('x')"),
        0,
    ),
    "a number that equals everything": (
        FORGED.replace("KIND", "float") + ORDERS.replace('"price": price', '"price": Any(1)'),
        0,
    ),
    "an object that equals everything": (
        FORGED.replace("KIND", "object") + ORDERS.replace("[price]", "Any()"),
        0,
    ),
    "a right answer in a class of its own": (
        "class Mine(dict):\n    pass\n" + ORDERS.replace("[{", "[Mine({").replace("}]", "})]"),
        0,
    ),
    "a list that holds itself": (
        "def orders(price):\n    x = []\n    x.append(x)\n    return x",
        0,
    ),
    "an endless list": ("def orders(price):\n    return iter(int, 1)", 0),
}


def test_dictionaries_and_lists_are_compared_as_plain_data(tmp_path: Path) -> None:
    answer = f"### BEGIN SOLUTION\n{ORDERS}\n### END SOLUTION"
    test = 'from leverage.lessons import exercise\nwith exercise("test") as check:\n'
    test += (
        '    expected = [{"side": "sell", "price": 4, "parts": [[1, 2], [4]], "reduce": True}]\n'
    )
    test += '    check.data("orders", (4,), expected, hint="Sell.", hints={"side": "Sell."})\n'
    made = release_with(test, answer, tmp_path)
    with Grader(made, corpus.LIMITS, allow_limits_only=True) as grader:
        assert grader.grade(made.reference()).verdict.points == made.auto_points
        points = {}
        for name, (source, _) in FORGERIES.items():
            cells = tuple(
                dataclasses.replace(cell, source=source) if cell.kind == "answer" else cell
                for cell in made.cells
            )
            outcome = grader.grade(dataclasses.replace(made, cells=cells).reference())
            points[name] = outcome.verdict.points
            assert outcome.verdict.status == "graded"
    assert points == {name: wanted for name, (_, wanted) in FORGERIES.items()}


def test_names_that_depend_on_answers_are_the_students(tmp_path: Path) -> None:
    cells = [
        corpus.code("import math\nfee = 2\ntrades = []", corpus.meta("given", locked=True)),
        corpus.code("total = fee + 1\ntrades.append(1)", corpus.meta("answer", solution=True)),
        corpus.code("double = 2 * total\nother = 3", corpus.meta("more", locked=True)),
    ]
    (tmp_path / "one.ipynb").write_text(json.dumps(corpus.notebook(cells)), encoding="utf-8")
    made = read_release(tmp_path / "one.ipynb").cells
    learner = learner_names(made)
    assert learner == {"total", "trades", "double"}
    assert own_statements(made, learner) == ["import math", "fee = 2", "other = 3"]


def test_what_is_local_to_a_function_is_no_name_of_the_notebook(tmp_path: Path) -> None:
    answer = (
        "def trade(size):\n    global total\n    account = opened()\n    total = account.cost(size)"
    )
    given = "def summary(account):\n    return [account.free for _ in rows]"
    cells = [
        corpus.code("rows = [1]", corpus.meta("given", locked=True)),
        corpus.code(answer, corpus.meta("answer", solution=True)),
        corpus.code(f"{given}\ndouble = 2 * total", corpus.meta("more", locked=True)),
    ]
    (tmp_path / "one.ipynb").write_text(json.dumps(corpus.notebook(cells)), encoding="utf-8")
    made = read_release(tmp_path / "one.ipynb").cells
    learner = learner_names(made)
    assert learner == {"trade", "total", "double"}
    assert own_statements(made, learner) == ["rows = [1]", given]


def test_links_and_devices_in_a_submission_are_never_read(tmp_path: Path) -> None:
    secret = tmp_path / "gradebook.db"
    secret.write_text("grades", encoding="utf-8")
    folder = tmp_path / "ana"
    folder.mkdir()
    (folder / "soft.ipynb").symlink_to(secret)
    os.link(secret, folder / "hard.csv")
    os.mkfifo(folder / "pipe")
    (folder / "mine.csv").write_text("1", encoding="utf-8")
    read = read_submission("ana", folder)
    assert read.files == (("mine.csv", b"1"),)
    assert len(read.problems) == 3
    outside = tmp_path / "bo"
    outside.symlink_to(tmp_path)
    assert read_submission("bo", outside).files == ()


def test_the_lowest_level_needs_an_explicit_flag() -> None:
    with pytest.raises(ClassroomError, match="no isolation"):
        choose_level("limits")
    assert choose_level("limits", allow_limits_only=True) == "limits"
    with pytest.raises(ClassroomError, match="there is no sandbox level"):
        choose_level("moat")
    assert all(report.available or report.install for report in available_levels())


def test_what_the_caller_added_to_the_path_is_not_shown_to_students(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A worker of Dask adds a folder of its own, which is gone at another moment.
    monkeypatch.syspath_prepend(tmp_path)
    command = launch_command(["python"])
    assert not [path for path in [*readable_paths(), *command] if path.startswith(str(tmp_path))]
    assert str(Path(leverage.__file__).parent) in readable_paths()


def test_the_folder_of_a_killed_grader_is_swept_and_that_of_a_living_one_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    held = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX))
    left, young = (Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX)) for _ in range(2))
    (left / "home").mkdir()
    (tmp_path / "else").mkdir()
    (tmp_path / f"{FOLDER_PREFIX}link").symlink_to(tmp_path / "else")
    for folder in (held, left, tmp_path / "else"):
        os.utime(folder, (0, 0))
    handle = os.open(held, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    sweep_folders()
    os.close(handle)
    assert not left.exists()
    assert held.exists()
    assert young.exists()
    assert (tmp_path / "else").exists()


def untouched(release: Release) -> dict[str, Any]:
    """The notebook as students get it."""
    cells = [
        (corpus.code if cell.cell_type == "code" else corpus.text)(
            cell.released, dict(cell.metadata), cell.id
        )
        for cell in release.cells
    ]
    return corpus.notebook(cells)


def test_of_two_notebooks_the_one_with_most_answers_counts_and_the_other_is_named(
    release: Release,
) -> None:
    half = untouched(release)
    half["cells"][2]["source"] = corpus.ANSWERS["double"]
    files = (
        *corpus.files_of(untouched(release)),
        *corpus.files_of(corpus.submitted(), "lab-Copy1.ipynb"),
        *corpus.files_of(half, "old/lab.ipynb"),
        ("broken.ipynb", b"{"),
    )
    with Grader(release, corpus.LIMITS, workers=1, allow_limits_only=True) as grader:
        verdict = grader.grade(Submission("ana", files)).verdict
        same = grader.grade(
            Submission("bo", (*files[1:], *corpus.files_of(corpus.submitted())))
        ).verdict
    said = (
        "4 notebooks were handed in: lab-Copy1.ipynb was graded (5 answers), "
        "old/lab.ipynb (1 answer), lab.ipynb (0 answers), broken.ipynb (not read) was not"
    )
    assert verdict.points == corpus.FULL
    assert said in verdict.notes
    assert all(said in text for text in (verdict.for_student, verdict.for_instructor))
    assert "lab.ipynb was graded (5 answers), lab-Copy1.ipynb (5 answers)" in " ".join(same.notes)
    assert not any("took" in repair for repair in same.repairs)


def test_an_answer_below_the_cell_that_asks_for_it_waits_for_a_person(release: Release) -> None:
    documents = {}
    for name, own in {"below": "It is so.", "blank": " ", "code": "because x"}.items():
        documents[name] = untouched(release)
        made = corpus.code(own) if name == "code" else corpus.text(own)
        documents[name]["cells"].append(made)
    documents["answered"] = corpus.submitted(last="1")
    batch = [Submission(name, corpus.files_of(made)) for name, made in documents.items()]
    with Grader(release, corpus.LIMITS, workers=1, allow_limits_only=True) as grader:
        verdicts = {outcome.student: outcome.verdict for outcome in grader.run(batch)}
    why = {name: verdict.cells[-1].points for name, verdict in verdicts.items()}
    assert why == {"below": None, "blank": 0.0, "code": None, "answered": None}
    noted = {name for name, verdict in verdicts.items() if "cell below" in " ".join(verdict.notes)}
    assert noted == {"below", "code"}


def test_ends_of_lines_of_another_system_are_no_repair(release: Release) -> None:
    document = corpus.submitted()
    for cell in document["cells"]:
        cell["source"] = cell["source"].replace("\n", "\r\n")
    with Grader(release, corpus.LIMITS, workers=1, allow_limits_only=True) as grader:
        outcome = grader.grade(Submission("ana", corpus.files_of(document)))
    assert outcome.verdict.points == corpus.FULL
    assert outcome.verdict.repairs == ()
    assert outcome.notebook is not None
    assert "\r" not in json.dumps(outcome.notebook)


def test_a_definition_below_its_test_is_pointed_to(release: Release) -> None:
    document = untouched(release)
    document["cells"][2]["source"] = "# see below"
    document["cells"] += [corpus.code(corpus.ANSWERS["double"]), corpus.code("total = 12.5")]
    with Grader(release, corpus.LIMITS, workers=1, allow_limits_only=True) as grader:
        verdict = grader.grade(Submission("ana", corpus.files_of(document))).verdict
    said = {cell.grade_id: cell.sentence for cell in verdict.cells}
    last = len(document["cells"])
    assert f"double is defined later, in cell {last - 1}" in said["double_test"]
    assert f"total is defined later, in cell {last}" in said["total_test"]
    assert "later" not in said["fee_test"]
