"""More attacks on the grader: what they reach for stays out of reach, and the class goes on."""

from __future__ import annotations

import json

import corpus
import pytest
from offered import BEST, needs
from student_page import feedback_page

from classroom.grading import (
    Grader,
    Outcome,
    Release,
    Submission,
    notebook_file,
    read_release,
)
from classroom.grading.repair import UnreadableError, prepared_notebook, read_document
from classroom.marking import feedback

HIDDEN = "### BEGIN HIDDEN TESTS\n{}\n### END HIDDEN TESTS"
TESTS = {
    "total = 12.5": ["assert abs(total - 12.5) < 1e-9\nassert all([total == 12.5])"],
    "level = 3.5": ["assert_allclose(level, 3.5)"],
    "def double(x):\n    return 2 * x": [
        "def right(x):\n    assert double(x) == 2 * x, 'Double it.'\nright(2)\n"
        + HIDDEN.format("right(4711)"),
        "assert double(3) == 6",
    ],
    "def triple(x):\n    return 3 * x": [
        "with exercise('t3') as check:\n"
        "    check.result('triple', (2,), 6.0, hint='Three times.')\n"
        "    ### BEGIN HIDDEN TESTS\n    check.hidden()\n"
        "    check.result('triple', (4711,), 14133.0, hint='Three times.')\n"
        "    ### END HIDDEN TESTS"
    ],
}
FULL = 5.0


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """An assignment with the kinds of tests that attacks aim at."""
    cells = [corpus.code(corpus.SETUP, corpus.meta("setup", locked=True), "setup")]
    for number, (answer, tests) in enumerate(TESTS.items()):
        solved = f"### BEGIN SOLUTION\n{answer}\n### END SOLUTION"
        cells.append(corpus.code(solved, corpus.meta(f"a{number}", solution=True), f"a{number}"))
        for test in tests:
            name = f"t{len(cells)}"
            graded = corpus.meta(name, grade=True, locked=True, points=1)
            cells.append(corpus.code(test, graded, name))
    folder = tmp_path_factory.mktemp("more")
    (folder / "lab.ipynb").write_text(json.dumps(corpus.notebook(cells)), encoding="utf-8")
    (folder / "prices.csv").write_bytes(corpus.PRICES)
    return read_release(folder / "lab.ipynb")


def handed_in(release: Release, name: str, answers: dict[str, str], first: str = "") -> Submission:
    """A submission with these answers, by the answer cell's grade_id, and a cell before them."""
    cells = []
    for cell in release.cells:
        source = answers.get(cell.grade_id, cell.source)
        cells.append(corpus.code(source, dict(cell.metadata), cell.id))
        if cell.id == "setup" and first:
            cells.append(corpus.code(first))
    return Submission(name, corpus.files_of(corpus.notebook(cells)))


def graded(release: Release, level: str, submissions: list[Submission]) -> dict[str, Outcome]:
    with Grader(release, corpus.LIMITS, level=level, workers=4, allow_limits_only=True) as grader:
        return {outcome.student: outcome for outcome in grader.run(submissions)}


def function(name: str, body: str, before: str = "") -> str:
    """A right answer but for what it does with arguments that are not shown."""
    return f"{before}\ndef {name}(x):\n    {body}\n    return {2 if name == 'double' else 3} * x"


POINTS = {
    "builtins shadowed": ({"a0": "total = 1.0"}, "abs = lambda x: 0.0\nall = lambda x: True", 4),
    "empty array": ({"a1": "level = np.array([])"}, "", 4),
    "empty list": ({"a1": "level = []"}, "", 4),
    "masked array": ({"a1": "level = np.ma.masked_array([1.0], mask=[True])"}, "", 4),
    "endless range": ({"a1": "level = range(3 * 10**8)"}, "", 4),
    "half a character": ({"a0": "total = '\\ud800\\0'"}, "print('\\ud800')", 4),
    "odd displays": (
        {},
        "display({'text/plain': 5, 'image/png': [3]}, raw=True, metadata={'a': '\\ud800'})",
        FULL,
    ),
}
TELLING = {
    "by an error's name": {
        "a2": function("double", "if x > 5: raise type(f'arg_{x}', (Exception,), {})()")
    },
    "by a message": {
        "a2": function("double", "if x > 5: raise AssertionError(f'arg {x}'.translate(LETTERS))"),
        "a1": "level = 3.5\nLETTERS = {48 + i: 97 + i for i in range(10)}",
    },
    "by the name of our own error": {
        "a2": function(
            "double",
            "if x > 5: raise CheckFailed(f'arg {x}')",
            "class CheckFailed(Exception): pass",
        )
    },
    "by our own error": {
        "a2": function(
            "double",
            "if x > 5: raise CheckFailed(f'arg {x}')",
            "from leverage.lessons.checks import CheckFailed",
        )
    },
    "in the next test": {
        "a2": function(
            "double", "seen.append(x)\n    if x == 3: raise ValueError(seen)", "seen = []"
        )
    },
    "by a class": {"a3": function("triple", "if x > 5: return type(f'arg_{x}', (), {})()")},
    "by a line": {
        "a3": function(
            "triple",
            "if x > 5: exec(compile(f'\\n' * x + 'raise ValueError(%d)' % x, 'f', 'exec'), globals())",
        )
    },
}


def test_wrong_answers_with_tricks_earn_nothing_and_hidden_arguments_stay_hidden(
    release: Release,
) -> None:
    batch = [
        handed_in(release, name, answers, first) for name, (answers, first, _) in POINTS.items()
    ]
    batch += [handed_in(release, name, answers) for name, answers in TELLING.items()]
    outcomes = graded(release, BEST, batch)
    earned = {name: outcomes[name].verdict.points for name in POINTS}
    assert earned == {name: points for name, (_, _, points) in POINTS.items()}
    for submission in batch[len(POINTS) :]:
        name = submission.student
        outcome = outcomes[name]
        assert outcome.notebook is not None
        seen = feedback_page(outcome, submission, release)
        seen += json.dumps([cell.get("outputs") for cell in outcome.notebook["cells"]])
        said = [cell.sentence for cell in outcome.verdict.cells]
        assert outcome.verdict.points == FULL - 1, name
        assert not any(word in seen + " ".join(said) for word in ("4711", "ehbb")), name
    result = next(c for c in outcomes["by a message"].verdict.cells if c.points == 0)
    assert result.sentence == "A hidden check did not pass."


LIMITING = """import os, resource
for pid in {os.getppid(), *range(os.getpid() - 60, os.getpid() + 10)} - {os.getpid()}:
    try:
        resource.prlimit(pid, resource.RLIMIT_CPU, (0, 0))
        print("LEAKED")
    except OSError:
        pass"""
UNCOUNTED = """import ctypes, os
try:
    os.memfd_create("x")
    print("LEAKED")
except OSError:
    pass
if ctypes.CDLL(None).shmget(0, 1_000_000, 0o1600) >= 0:
    print("LEAKED")"""
FILLING = """import os, time
try:
    for _ in range(12):
        if os.fork() == 0:
            time.sleep(0.9)
            os._exit(0)
except OSError:
    pass
time.sleep(0.5)"""


@pytest.mark.parametrize("level", ["namespaces", "landlock"])
def test_a_submission_takes_nothing_from_its_neighbours(release: Release, level: str) -> None:
    needs(level)
    batch = [handed_in(release, "fills", {}, FILLING), handed_in(release, "fills too", {}, FILLING)]
    batch += [handed_in(release, "uncounted", {}, UNCOUNTED)]
    batch += [handed_in(release, str(number), {}) for number in range(4)]
    if level == "landlock":  # elsewhere there is nobody but the guard to be seen
        batch.insert(3, handed_in(release, "limits", {}, LIMITING))
    outcomes = graded(release, level, batch)
    assert all(outcomes[str(number)].verdict.points == FULL for number in range(4))
    shown = json.dumps([outcomes[n].notebook for n in ("uncounted", "limits") if n in outcomes])
    assert '"LEAKED\\n"' not in shown


@pytest.mark.parametrize(
    "answer",
    [
        "total = '\ud800'",
        "total = " + "-" * 200_000 + "1",
        "total = a" + ".b" * 100_000,
        "total = '\0'",
    ],
    ids=["half a character", "signs", "dots", "nul"],
)
def test_text_that_no_parser_takes_is_one_students_fault(release: Release, answer: str) -> None:
    cells = [corpus.code(answer), corpus.code(corpus.SETUP, corpus.meta("setup", locked=True))]
    prepared = prepared_notebook(release, Submission("x", corpus.files_of(corpus.notebook(cells))))
    assert sum(cell.release is not None for cell in prepared.cells) >= len(release.tests)


def test_a_fault_in_reading_a_notebook_is_a_verdict_and_the_batch_goes_on(
    release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    import classroom.grading.grader as module

    def broken(release: Release, submission: Submission) -> object:
        if submission.student == "odd":
            raise ValueError("odd")
        return prepared_notebook(release, submission)

    monkeypatch.setattr(module, "prepared_notebook", broken)
    batch = [handed_in(release, "odd", {}), handed_in(release, "ana", {})]
    outcomes = graded(release, BEST, batch)
    assert outcomes["odd"].verdict.status == "cannot be graded"
    assert "ValueError" in outcomes["odd"].verdict.for_instructor
    assert outcomes["ana"].verdict.points == FULL


def test_a_page_does_not_spend_minutes_on_one_students_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*args: object) -> object:
        raise AssertionError("handed to a slow reader")

    monkeypatch.setattr(feedback, "_cleaner", refuse)
    monkeypatch.setattr(feedback, "markdown_renderer", refuse)
    assert feedback.clean("<b>" * 20_000).startswith("<pre>&lt;b&gt;")
    assert feedback.rendered("$x$ " * 3_000).startswith("<pre>")
    assert feedback.rendered("x" * 30_000).startswith("<pre>")
    assert feedback.formula("x" * 20_000).startswith("<code>")


def test_a_notebook_that_would_fill_the_memory_is_read_apart_and_stops_nobody(
    release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notebook_file, "MEMORY", 150_000_000)
    whole = dict(handed_in(release, "", {}).files)["lab.ipynb"]
    lists = whole[:-1] + b', "x": [' + b"[]," * 4_000_000 + b"0]}"
    batch = [Submission("lists", (("lab.ipynb", lists),)), handed_in(release, "ana", {})]
    outcomes = graded(release, BEST, batch)
    assert outcomes["lists"].verdict.status == "cannot be graded"
    assert (
        "too large to be read (12 MB; 50 MB are read)" in outcomes["lists"].verdict.for_instructor
    )
    assert outcomes["ana"].verdict.points == FULL
    assert feedback.read_json(lists) is None


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"[" * 5_000_000, RecursionError),
        (b'{"cells": ' + b" " * 5_000_000, ValueError),
        (b"\xff" * 5_000_000, UnicodeDecodeError),
    ],
    ids=["nested", "cut off", "not a text"],
)
def test_what_is_read_apart_fails_as_what_is_read_here(
    content: bytes, problem: type[Exception]
) -> None:
    for size in (len(content), 1_000):
        with pytest.raises(problem):
            notebook_file.notebook_json(content[:200_000] if size == 1_000 else content)


def test_a_large_notebook_keeps_what_grading_and_feedback_look_at() -> None:
    outputs = [{"output_type": "stream", "name": "stdout", "text": "x" * 100_000}] * 60
    cells = [corpus.code("1" * 1_000_005), corpus.code("2"), corpus.text("3"), 4]
    cells[1] |= {"outputs": outputs, "metadata": {"nbgrader": {"grade_id": "a"}}}
    content = json.dumps(corpus.notebook(cells)).encode()
    kept = notebook_file.notebook_json(content)["cells"]
    assert [cell["source"] for cell in kept] == ["1" * 1_000_001, "2", "3"]
    assert kept[1]["metadata"] == {"nbgrader": {"grade_id": "a"}}
    assert kept[1]["outputs"] == outputs[:50]


def test_a_notebook_beyond_the_cap_is_refused_with_a_sentence() -> None:
    with pytest.raises(UnreadableError, match=r"too large to be read \(51 MB; 50 MB are read\)"):
        read_document("a.ipynb", b" " * 51_000_000 + b"{}")
