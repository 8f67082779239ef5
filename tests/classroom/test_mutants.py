"""`classroom mutants` finds the small mistakes that no test of an exercise notices."""

from __future__ import annotations

import ast
import re

import pytest

from classroom.authoring.bank import Answer
from classroom.authoring.mutants import (
    Mutant,
    Tally,
    TriedMutant,
    is_form_only,
    make_mutants,
    mutant_report,
    mutants,
    solution_lines,
)
from classroom.cli import main
from classroom.project import Project

ANSWER = '''\
def loss(margin, price_move):
    """Most that can be lost."""
    ### BEGIN SOLUTION
    return max(margin * price_move, -margin)
    ### STUDENT STUB
    # return max(... * price_move, ...)
    ### END SOLUTION
'''


def afters(source: str) -> set[str]:
    return {mutant.after for mutant in make_mutants("ch01_a", source)}


@pytest.mark.parametrize(
    ("source", "mistakes"),
    [
        ("x = a + b", {"a - b", "-(a + b)", "(a + b) * 100", "(a + b) / 100"}),
        ("x = a ** b", {"a * b"}),
        ("x = -a", {"+a"}),
        ("x = a < b", {"a <= b", "a > b"}),
        ("x = a == b", {"a != b"}),
        ("x = a and b", {"a or b"}),
        ("x = not a", {"not not a"}),
        ("x = 3", {"4", "2", "300", "0.03"}),
        ("x = 0", {"1", "-1"}),
        ("x = 40_000", {"44000.0", "36000.0", "4000000", "400.0"}),
        ("x = True", {"False"}),
        ("x = f(a, b)", {"f(b, a)"}),
        ("x = ['c', 'a', 'b']", {"['a', 'c', 'b']", "['c', 'b', 'a']"}),
        ("x = a if c else b", {"b if c else a"}),
        ("x = LONG", {"SHORT"}),
        ("x = rows['pnl'].max()", {"rows['pnl'].min"}),
        ("x += a", {"x -= a"}),
    ],
)
def test_a_solution_is_copied_with_each_typical_small_mistake(
    source: str, mistakes: set[str]
) -> None:
    assert mistakes <= afters(source)


def test_no_copy_differs_from_the_solution_only_in_an_order_that_says_nothing() -> None:
    assert "max(b, a)" not in afters("x = max(a, b)")
    assert "(-1, 1)" not in afters("x = side in (1, -1)")
    assert {"f(b, a)"} <= afters("x = f(a, b)")


def test_only_the_solution_is_changed_not_what_students_are_given() -> None:
    assert list(solution_lines(ANSWER)) == [4]
    made = make_mutants("ch01_a", ANSWER)
    assert {mutant.line for mutant in made} == {4}
    assert all('"""Most that can be lost."""' in mutant.code for mutant in made)


def test_all_copies_are_different_programs_that_parse() -> None:
    codes = [mutant.code for mutant in make_mutants("ch01_a", ANSWER)]
    assert len({ast.dump(ast.parse(code)) for code in codes}) == len(codes) > 5


def test_a_prediction_whose_form_alone_is_asked_for_cannot_be_wrong() -> None:
    assert is_form_only({"a": "with exercise('a') as check:\n    check.number('x', low=0)"})
    assert is_form_only({"a": "with exercise('a') as check:\n    check.choice('x', judge)"})
    assert not is_form_only({"a": "with exercise('a') as check:\n    check.value('x', 1)"})


def test_mistakes_that_nothing_notices_are_listed_and_miss_the_goal(
    built: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    text = built.chapters()[0].text
    source = text.read_text(encoding="utf-8")
    assert mutants(built, built.chapters())
    table = capsys.readouterr().out
    assert re.search(r"\| all \| (\d+) \| \1 \| 0 \| 0 \| 100\.0 % \|", table)
    assert "Not noticed" not in table

    # One check less: 0 doubled is 0, whatever the factor.
    weaker = source.replace("(21,), 42,", "(0,), 0,").replace("mistakes={23: ", "mistakes={2: ")
    weaker = weaker.replace(
        'check.result("double", (-0.5,), -1.0', 'check.result("double", (0,), 0'
    )
    assert weaker != source
    text.write_text(weaker, encoding="utf-8")
    assert not mutants(built, built.chapters())
    table = capsys.readouterr().out
    assert "- ch01_a, line 3: `2` → `3`" in table
    assert "the goal of 95% is missed" in table


def test_a_copy_that_the_bank_holds_as_right_is_not_counted() -> None:
    mutant = Mutant("ch01_a", 1, "a", "b", "x = b")
    tally = Tally("ch01_a", (TriedMutant(mutant, "bank"), TriedMutant(mutant, "hidden")))
    assert (tally.tried, tally.rejected) == (1, 1)
    assert "| ch01_a | 1 | 0 | 1 | 0 | 100.0 % |" in mutant_report([tally])


def test_a_right_answer_of_the_bank_explains_a_copy_with_the_same_meaning(
    built: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code = next(
        m.code for m in make_mutants("ch01_a", "def double(number):\n    return 2 * number")
    )
    right = Answer("ch01_a", "any", code, right=True, hint="", points=0, place="bank.md:1")
    monkeypatch.setattr(
        "classroom.authoring.mutants.all_answers", lambda lesson: {"ch01_a": [right]}
    )
    mutants(built, built.chapters())
    before = len(make_mutants("ch01_a", "def double(number):\n    return 2 * number"))
    assert f"| ch01_a | {before - 1} |" in capsys.readouterr().out


def test_the_command_ends_with_the_code_for_findings_when_the_goal_is_missed(
    built: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(built.root)
    assert main(["mutants", "1"]) == 0
    monkeypatch.setattr("classroom.authoring.mutants.GOAL", 1.1)
    assert main(["mutants", "1"]) == 1
