"""The build puts the solution into the tests that compare with it, and asks enough of their inputs."""

from __future__ import annotations

from pathlib import Path

import pytest

from classroom.authoring.build import build
from classroom.authoring.check import check
from classroom.authoring.reference import with_solution
from classroom.authoring.survey import differs, functions_of, noted_tests, own, survey
from classroom.errors import ClassroomError
from classroom.project import Project
from leverage.lessons import exercise

ANSWER = """
LIMIT = 3

def cap(x):
    ### BEGIN SOLUTION
    return min(x, LIMIT)
    ### STUDENT STUB
    # return ...
    ### END SOLUTION

def capped_side(side, x, prices):
    ### BEGIN SOLUTION
    if side not in (1, -1):
        raise ValueError("side")
    high = [p for p in prices if p >= x]
    return side * cap(x) if high else 0.0
    ### END SOLUTION
"""
TEST = """
with exercise("ch01_a_value") as check:
    check.result("capped_side", (1, 2.0, [5.123456]), 2.0)
    ### BEGIN HIDDEN TESTS
    check.hidden()
    check.compare("capped_side", solution, {draw})
    ### END HIDDEN TESTS
"""
WIDE = (
    "lambda pick: (pick.one_of(1, -1, 2), pick.number(1, 9), "
    "pick.several(lambda: pick.number(1, 9)))"
)


def surveyed(draw: str, answer: str = ANSWER) -> list[str]:
    test = with_solution(TEST.format(draw=draw), [answer])
    names: dict[str, object] = {"exercise": exercise}
    exec(answer, names)
    noted, wanted = noted_tests({"ch01_a_value": test})
    said = survey(noted, names)
    missing = [
        f"{place} {outcome}"
        for place, outcomes in own(wanted, functions_of(answer)).items()
        for outcome in sorted(outcomes - set(said["found"].get(place, ())))
    ]
    return [*missing, *said["problems"]]


def test_the_solution_stands_in_the_hidden_part_with_all_that_it_needs() -> None:
    source = with_solution(TEST.format(draw=WIDE), [ANSWER])
    head, _, hidden = source.partition("    check.hidden()\n")
    assert "def solution" not in head
    assert hidden.startswith("    def solution():\n        LIMIT = 3\n\n        def cap(x):")
    assert "STUDENT STUB" not in hidden.partition("check.compare")[0]
    names: dict[str, object] = {"exercise": exercise}
    exec(ANSWER, names)
    exec(source, names)


def test_the_solution_brings_the_imports_of_its_cell_along() -> None:
    answer = (
        "import math\nfrom math import floor as down\ndef part(x):\n    return math.e * down(x)"
    )
    test = TEST.replace('"capped_side", (1, 2.0, [5.123456]), 2.0', '"part", (0.5,), 0.0')
    test = test.replace('"capped_side"', '"part"')
    source = with_solution(test.format(draw="lambda pick: (pick.number(1, 9),)"), [answer])
    assert "import math" in source
    exec(source, {"exercise": exercise, "part": lambda x: 2.718281828459045 * int(x)})


def test_a_function_that_is_only_given_need_not_be_compared() -> None:
    assert functions_of(ANSWER) == ("cap", "capped_side")
    assert functions_of("def given(x):\n    return x\n" + ANSWER) == ("cap", "capped_side")


def test_a_test_without_comparison_stays_as_it_is() -> None:
    assert with_solution("check.result('f', (1,), 2)", [ANSWER]) == "check.result('f', (1,), 2)"


@pytest.mark.parametrize(
    ("test", "says"),
    [
        (TEST.format(draw=WIDE).replace('"capped_side", solution', '"other", solution'), "defines"),
        (TEST.format(draw=WIDE).replace("solution,", "mine,"), "begins check.compare"),
        (TEST.format(draw=WIDE).replace("    check.hidden()\n", ""), "below check.hidden"),
        ('check.compare("cap", solution, None)', "below check.hidden"),
    ],
)
def test_a_comparison_that_cannot_be_is_refused(test: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        with_solution(test, [ANSWER])


def test_inputs_that_reach_everything_are_enough() -> None:
    assert surveyed(WIDE) == []


@pytest.mark.parametrize(
    ("old", "new", "missing"),
    [
        ("pick.one_of(1, -1, 2)", "pick.one_of(1, -1)", "the branch of 'if side not in (1, -1)'"),
        ("pick.one_of(1, -1, 2)", "pick.one_of(1, 2)", ""),
        ("pick.one_of(1, -1, 2)", "1", "side of capped_side has the same value"),
        ("pick.number(1, 9), ", "pick.number(1, 2), ", "gives LIMIT"),
        ("pick.number(1, 9), ", "pick.number(4, 9), ", "gives x"),
        ("pick.several(lambda: pick.number(1, 9))", "[9.0]", "has the same value"),
        ("pick.several(lambda: pick.number(1, 9))", "pick.one_of([], [9.5])", "p >= x false"),
        (
            "pick.several(lambda: pick.number(1, 9))",
            "pick.one_of([9.5], [9.6])",
            "changes no result",
        ),
    ],
)
def test_what_the_inputs_leave_out_is_said(old: str, new: str, missing: str) -> None:
    problems = surveyed(WIDE.replace(old, new))
    assert any(missing in problem for problem in problems) if missing else problems == []


def test_a_parameter_without_effect_must_be_called_so_and_only_such_a_one() -> None:
    answer = "def capped_side(side, x, prices):\n    return 0 * side + x"
    draw = WIDE + ', no_effect=("side", "prices")'
    assert surveyed(draw, answer) == []
    assert len(surveyed(WIDE, answer)) == 2
    assert "stands under no_effect" in surveyed(WIDE + ', no_effect=("x",)', answer)[1]


def test_inputs_that_go_together_are_mixed_without_complaint() -> None:
    answer = "def capped_side(side, x, prices):\n    return (side * x) ** 0.5 + prices[0]"
    draw = "lambda pick: (*pick.one_of((-1, -2.0), (1, 3.0), (2, 4.0)), [pick.number(1, 9)])"
    assert surveyed(draw, answer) == []  # the root of -1 * 3.0 is no number, and nobody draws it


def test_a_wrong_answer_that_only_the_page_rejects_does_not_differ() -> None:
    source = with_solution(TEST.format(draw=WIDE), [ANSWER])
    right: dict[str, object] = {"exercise": exercise}
    exec(ANSWER, right)
    page_only = {**right}
    exec(
        "same = capped_side\n"
        "def capped_side(side, x, prices):\n"
        "    return 7 if prices == [5.123456] else same(side, x, prices)",
        page_only,
    )
    wrong = {**right, "capped_side": lambda side, x, prices: side * x}
    assert not differs([source], right)
    assert not differs([source], page_only)
    assert differs([source], wrong)


COMPARED = 'check.compare("double", solution, lambda pick: (pick.number(-9, 9),), hint="Twice the number, below zero too.")'


def use(project: Project, line: str) -> None:
    path: Path = project.chapters()[0].text
    old = 'check.result("double", (-0.5,), -1.0, hint="Twice the number, below zero too.")'
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, line), encoding="utf-8")


def test_a_chapter_says_how_much_it_compares(built: Project) -> None:
    use(built, COMPARED)
    build(built, built.chapters(), say=lambda _: None)
    said: list[str] = []
    findings = check(built, built.chapters(), say=said.append)
    assert [finding.problem for finding in findings] == []
    assert "1 of 1 function compared with the solution" in said[0]
    released = built.chapters()[0].student_notebook.read_text(encoding="utf-8")
    assert "solution()" not in released


def test_a_comparison_that_asks_too_little_is_a_finding(built: Project) -> None:
    use(built, COMPARED.replace("pick.number(-9, 9)", "21.0"))
    build(built, built.chapters(), say=lambda _: None)
    problems = [f.problem for f in check(built, built.chapters(), say=lambda _: None)]
    assert "number of double has the same value in all drawn inputs" in problems
    assert any("passes every test" in p or "equals the solution" in p for p in problems)


def test_a_comparison_of_nothing_is_said_with_its_line(built: Project) -> None:
    use(built, COMPARED.replace('"double"', '"triple"'))
    with pytest.raises(
        ClassroomError, match=r"01_small\.md:\d+: ch01_a_value: no answer cell above"
    ):
        build(built, built.chapters(), say=lambda _: None)
