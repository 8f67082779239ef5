"""Every attack and every fault gets its verdict, and honest submissions beside them their points.

Where a level of the sandbox is not offered, the test says so and the next one is tested.
"""

from __future__ import annotations

import json
import os

import corpus
import pytest
from corpus import Case
from offered import BEST, OFFERED, graded_as_nobody, needs
from student_page import feedback_page

from classroom.grading import LEVELS, Outcome, Release

OTHERS = [level for level in LEVELS if level != BEST]


def complaints(case: Case, outcome: Outcome, release: Release) -> list[str]:
    """What of an outcome is not as its case says."""
    verdict, notebook = outcome.verdict, outcome.notebook
    said = [verdict.for_student, verdict.for_instructor, *verdict.notes, *verdict.repairs]
    texts = " ".join([*said, *(cell.sentence for cell in verdict.cells)])
    outputs = json.dumps([cell.get("outputs") for cell in (notebook or {"cells": []})["cells"]])
    page = feedback_page(outcome, case.submission(), release)
    found = []
    if case.points is not None and verdict.points != case.points:
        found.append(f"points {verdict.points} instead of {case.points}")
    if case.status and verdict.status != case.status:
        found.append(f"{verdict.status} instead of {case.status}")
    if case.says not in texts:
        found.append(f"{case.says!r} is not said: {texts}")
    if case.tampering is not None and not any(case.tampering in t for t in verdict.tampering):
        found.append(f"tampering {case.tampering!r} is not named: {verdict.tampering}")
    if case.name.startswith("honest") and verdict.tampering:
        found.append(f"accused of {verdict.tampering}")
    if case.shows not in outputs:
        found.append(f"{case.shows!r} is not shown: {outputs[:500]}")
    told = [verdict.for_student, *(cell.sentence for cell in verdict.cells)]
    if case.never and any(case.never in seen for seen in (outputs, *told)):
        found.append(f"{case.never!r} is shown")
    if any(corpus.SECRET in seen for seen in (page, outputs, texts)):
        found.append("a hidden test is shown")
    if not (verdict.for_student and verdict.for_instructor and verdict.level):
        found.append("a sentence is missing")
    if [cell.grade_id for cell in verdict.cells] != [cell.grade_id for cell in release.graded]:
        found.append("not every graded cell has a result")
    return found


def all_complaints(
    cases: list[Case], outcomes: dict[str, Outcome], release: Release
) -> dict[str, list[str]]:
    """The complaints about a batch, by case."""
    assert set(outcomes) == {case.name for case in cases}
    found = {case.name: complaints(case, outcomes[case.name], release) for case in cases}
    return {name: lines for name, lines in found.items() if lines}


def cases_of(kinds: str, level: str) -> list[Case]:
    """The cases of some kinds that a level has to answer for."""
    cases = [case for kind in kinds.split(",") for case in corpus.read_cases(kind)]
    return [case for case in cases if level in case.levels]


@pytest.mark.parametrize("kinds", ["honest,attacks", "honest,faults"])
def test_every_case_gets_its_verdict_at_the_best_level(
    kinds: str, release: Release, neighbours: dict[str, str]
) -> None:
    cases = cases_of(kinds, BEST)
    outcomes = corpus.grade_all(release, cases, BEST)
    assert all_complaints(cases, outcomes, release) == {}


@pytest.mark.parametrize("turn", range(len(OTHERS)), ids=OTHERS)
def test_attacks_fail_at_every_other_level(
    turn: int, release: Release, neighbours: dict[str, str]
) -> None:
    level = OTHERS[turn]
    needs(level)
    # The levels take turns: each has its share of the attacks, and together they have all.
    attacks = cases_of("attacks", level)[turn :: len(OTHERS)]
    cases = [*cases_of("honest", level), *attacks]
    outcomes = corpus.grade_all(release, cases, level)
    assert all_complaints(cases, outcomes, release) == {}


@pytest.mark.skipif(os.geteuid() != 0, reason="the other tests run as an unprivileged user already")
def test_an_unprivileged_grader_gives_the_same_verdicts(
    release: Release, neighbours: dict[str, str]
) -> None:
    cases = cases_of("honest,attacks,faults", BEST)
    user, outcomes = graded_as_nobody(BEST, "honest,attacks,faults")
    assert user != 0
    assert all_complaints(cases, outcomes, release) == {}


def test_an_isolating_level_is_offered_here() -> None:
    reasons = {level: OFFERED[level].reason for level in LEVELS}
    assert BEST != "limits", f"no isolation can be tested on this machine: {reasons}"
