"""A comparison with the solution gets the same verdict in the sandbox as in a stock kernel."""

import json

import corpus
import pytest
from offered import BEST

from classroom.authoring.reference import with_solution
from classroom.grading import Grader, Outcome, Release, Submission, read_release
from classroom.grading.judge import drawn_inputs, programs

ANSWER = """def first_hit(side, trigger, prices):
    ### BEGIN SOLUTION
    for price in prices:
        if side * (trigger - price) >= 0:
            return price
    return 0.0
    ### END SOLUTION"""
TEST = """with exercise("ch01_a_hit") as check:
    check.result("first_hit", (1, 5.0, [6.0, 4.5]), 4.5, hint="The first one.")
    ### BEGIN HIDDEN TESTS
    check.hidden()

    def draw(pick):
        prices = pick.several(lambda: pick.number(90, 110))
        return pick.one_of(1, -1), pick.number(90, 110), prices

    check.compare(
        "first_hit",
        solution,
        draw,
        hint="In general.",
        kinds={"For a short.": lambda side, trigger, prices: side < 0},
    )
    ### END HIDDEN TESTS"""
SETUP = "import time\n\nimport numpy as np\n\nfrom leverage.lessons import exercise"
BODY = {
    "right": ("for p in prices:\n  if side * (trigger - p) >= 0: return p\n return 0", True, ""),
    "NumPy": (
        "prices = np.array(prices)\n hit = prices[side * (trigger - prices) >= 0]\n"
        " return hit[0] if hit.size else 0",
        True,
        "",
    ),
    "prints": ("print(prices)\n return right(side, trigger, prices)", True, ""),
    "a tie": (
        "return next((p for p in prices if side * (trigger - p) > 0), 0)", False, "In general",
    ),
    "one side": ("return right(1, trigger, prices) if prices else 0", False, "For a short"),
    "an empty list": ("prices[0]\n return right(side, trigger, prices)", False, "IndexError"),
    "changes its list": (
        "hit = right(side, trigger, prices)\n prices.sort()\n return hit",
        False,
        "changes what it is given",
    ),
    "remembers": (
        "calls.append(1)\n return right(side, trigger, prices) + (len(calls) > 320)",
        False,
        "another result when it is called again",
    ),
    "returns itself": ("return first_hit if prices == [] else 4.5", False, "a function"),
    "gives nothing": ("if prices: return right(side, trigger, prices)", False, "returned None"),
    "tells by a message": (
        "if prices and prices[0] > 50: raise ValueError(f'prices {prices}')\n"
        " return right(side, trigger, prices)",
        False,
        "stopped with ValueError",
    ),
    "hangs": (
        "while prices and prices[0] > 50: time.sleep(0.01)\n return right(side, trigger, prices)",
        False,
        "ran too long",
    ),
    "kills itself": (
        "import os\n if prices == []: os._exit(0)\n return right(side, trigger, prices)",
        False,
        "",
    ),
}  # fmt: skip
RIGHT = """def right(side, trigger, prices):
    return next((p for p in prices if side * (trigger - p) >= 0), 0)


calls = []
"""


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    cells = [
        corpus.code(SETUP, corpus.meta("setup", locked=True), "setup"),
        corpus.code(ANSWER, corpus.meta("ch01_a", solution=True), "a"),
        corpus.code(
            with_solution(TEST, [ANSWER]),
            corpus.meta("ch01_a_hit", grade=True, locked=True, points=2),
            "t",
        ),
    ]
    path = tmp_path_factory.mktemp("comparison") / "lab.ipynb"
    path.write_text(json.dumps(corpus.notebook(cells)), encoding="utf-8")
    return read_release(path)


@pytest.fixture(scope="module")
def outcomes(release: Release) -> dict[str, Outcome]:
    batch = []
    for name, (body, _, _) in BODY.items():
        answer = f"{RIGHT}\n\ndef first_hit(side, trigger, prices):\n {body}"
        cells = [
            corpus.code(
                answer if cell.grade_id == "ch01_a" else cell.released, dict(cell.metadata), cell.id
            )
            for cell in release.cells
        ]
        batch.append(Submission(name, corpus.files_of(corpus.notebook(cells))))
    with Grader(release, corpus.LIMITS, level=BEST, workers=2, allow_limits_only=True) as grader:
        return {outcome.student: outcome for outcome in grader.run(batch)}


@pytest.mark.parametrize("name", BODY)
def test_a_comparison_is_decided_in_the_sandbox(name: str, outcomes: dict[str, Outcome]) -> None:
    _, passes, says = BODY[name]
    (cell,) = outcomes[name].verdict.cells
    said = "\n".join([cell.sentence, *(check.sentence for check in cell.checks)])
    assert bool(cell.passed) == passes, said
    assert says in said
    assert "prices [" not in said


def test_inputs_are_drawn_once_for_all_submissions(release: Release) -> None:
    ready = programs(release.tests, lambda source: source)
    drawn = drawn_inputs(release.tests, ready, {"__builtins__": __builtins__})
    assert [len(one.samples) for one in drawn["ch01_a_hit"]] == [300]
