"""The instructor's report on a graded chapter: one HTML file with plots, for instructors only.

It names students and hints, so it stays in `class/`. Nothing in it accuses anybody.
"""

from __future__ import annotations

import base64
import io
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from classroom.grading import Release
from classroom.grading.model import GRADED
from classroom.marking.feedback import POLICY, escaped, read_json
from classroom.marking.gradebook import Record, Standing
from classroom.marking.room import Room, write_if_new
from classroom.marking.similarity import Group, all_groups
from leverage.lessons.figures import COLOURS
from leverage.lessons.wording import item_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Annotation
    from matplotlib.transforms import Bbox

MOST_HINTS = 15
STYLE = """
body{font:16px/1.5 system-ui,sans-serif;color:#262626;max-width:60rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse}td,th{border:1px solid #ccc;padding:.2rem .6rem;text-align:left;vertical-align:top}
td.n{text-align:right}pre{background:#f6f6f6;padding:.6rem;overflow:auto}img{max-width:100%}
"""


@dataclass(frozen=True)
class ItemStatistics:
    """How one exercise did."""

    exercise: str
    maximum: float
    mean: float
    """Share of its points that the class earned on average; low is difficult."""
    discrimination: float | None
    """Correlation of its points with those of all other exercises; None where nothing varies."""


def item_statistics(
    scores: Mapping[str, Sequence[float]], maxima: Mapping[str, float]
) -> list[ItemStatistics]:
    """Return difficulty and discrimination of exercises.

    Parameters
    ----------
    scores : mapping
        Points of every student, in the same order, by exercise.
    maxima : mapping
        Points that an exercise is worth.

    Notes
    -----
    The discrimination is the item-rest correlation of classical test theory: Pearson's correlation
    between the points of an exercise and the sum of the points of the others.

    Examples
    --------
    >>> a, b = item_statistics({"a": [0, 1, 2], "b": [0, 2, 4]}, {"a": 2, "b": 4})
    >>> a.mean, round(a.discrimination, 3)
    (0.5, 1.0)
    """
    columns = {name: np.asarray(values, dtype=float) for name, values in scores.items()}
    total = sum(columns.values(), start=np.zeros(1))
    found = []
    for name, own in columns.items():
        rest = total - own
        varies = len(own) > 2 and own.std() > 0 and rest.std() > 0
        link = float(np.corrcoef(own, rest)[0, 1]) if varies else None
        mean = float(own.mean()) / maxima[name] if len(own) and maxima[name] else 0.0
        found.append(ItemStatistics(name, maxima[name], mean, link))
    return found


def answers_of(room: Room, release: Release, students: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return the code of answer cells, by exercise and student, from the executed notebooks."""
    names = {cell.grade_id: cell for cell in release.cells if cell.kind == "answer"}
    found: dict[str, dict[str, str]] = {}
    for student in students:
        path = room.graded(student, release.assignment)
        notebook = read_json(path.read_bytes()) if path.is_file() else None
        for cell in (notebook or {}).get("cells", []):
            name = cell.get("metadata", {}).get("nbgrader", {}).get("grade_id", "")
            source = cell.get("source", "")
            code = source if isinstance(source, str) else "".join(source)
            if name in names and code != names[name].released:
                found.setdefault(name, {})[student] = code
    return found


def known_answers(release: Release) -> dict[str, dict[str, str]]:
    """Return the published answers of every exercise: the reference solution."""
    return {
        cell.grade_id: {"the reference solution": cell.source}
        for cell in release.cells
        if cell.kind == "answer"
    }


def look_here(room: Room, release: Release, students: Iterable[str]) -> Sequence[Group]:
    """Return groups of nearly identical answers."""
    stubs = {cell.grade_id: cell.released for cell in release.cells if cell.kind == "answer"}
    return all_groups(answers_of(room, release, students), stubs, known_answers(release))


# ---- plots and tables


def plot(draw: Callable[[Axes], None], words: str, *, height: float = 3.2) -> str:
    """Return a plot as an HTML picture whose alternative text says what it shows."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, height), layout="constrained")
    axes = figure.add_subplot()
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.grid(axis="y", color=COLOURS["grid"])
    axes.set_axisbelow(True)
    draw(axes)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    alt = escaped(words)
    return f'<p><img src="data:image/png;base64,{data}" alt="{alt}"><br>{escaped(words)}</p>'


def html_table(head: Sequence[str], body: Iterable[Sequence[object]]) -> str:
    """Return a table; numbers stand right."""

    def cell(value: object) -> str:
        number = isinstance(value, int | float)
        text = f"{value:g}" if isinstance(value, float) else str(value)
        return f"<td{' class=n' if number else ''}>{escaped(text)}</td>"

    lines = "".join("<tr>" + "".join(map(cell, row)) + "</tr>\n" for row in body)
    if not lines:
        return "<p>None.</p>"
    header = "".join(f"<th>{escaped(name)}</th>" for name in head)
    return f"<table><thead><tr>{header}</tr></thead><tbody>\n{lines}</tbody></table>"


def score_plot(scores: Sequence[float], maximum: float) -> str:
    """Return the distribution of scores."""

    def draw(axes: Axes) -> None:
        edges = np.linspace(0, max(maximum, 1), 21)
        axes.hist(scores, bins=list(edges), color=COLOURS["long"], edgecolor="white")
        axes.set(xlabel="Score (points)", ylabel="Students")

    middle = statistics.median(scores)
    low, high = min(scores), max(scores)
    words = (
        f"Histogram. {len(scores)} scores from {low:g} to {high:g} of {maximum:g} points; half of "
        f"the class has {middle:g} or more."
    )
    return plot(draw, words)


def exercise_plot(found: Sequence[ItemStatistics]) -> str:
    """Return difficulty against discrimination of the exercises."""
    shown = [item for item in found if item.discrimination is not None]
    if not shown:
        return ""

    def draw(axes: Axes) -> None:
        x = [100 * item.mean for item in shown]
        y = [item.discrimination or 0.0 for item in shown]
        axes.scatter(x, y, color=COLOURS["long"])
        axes.axhline(0, color=COLOURS["zero"], linewidth=1)
        axes.set(
            xlabel="Points earned (% of the exercise)", ylabel="Discrimination", xlim=(-3, 103)
        )
        names = [item_label(item.exercise) for item in shown]
        label_points(axes, list(zip(x, y, strict=True)), names)

    hard = min(shown, key=lambda item: item.mean)
    weak = min(shown, key=lambda item: item.discrimination or 0.0)
    words = (
        f"Scatter plot. The hardest exercise is {item_label(hard.exercise)} with "
        f"{100 * hard.mean:.0f} % of its points earned; {item_label(weak.exercise)} separates "
        f"strong from weak students least, at {weak.discrimination:.2f}."
    )
    return plot(draw, words, height=4)


def label_points(
    axes: Axes, points: Sequence[tuple[float, float]], names: Sequence[str]
) -> list[Annotation]:
    """Write names beside points so that none covers another; points of one place share a name.

    Returns
    -------
    list of Annotation
        The labels; one that had to go far away has a line to its point.
    """
    from matplotlib.figure import Figure
    from matplotlib.text import Text

    assert isinstance(axes.figure, Figure)
    axes.figure.draw_without_rendering()
    groups: dict[tuple[float, float], list[str]] = {}
    for (x, y), name in zip(points, names, strict=True):
        groups.setdefault((round(x, 1), round(y, 2)), []).append(name)
    taken: list[Bbox] = []
    labels = []
    for point, together in sorted(groups.items()):
        text = ", ".join(together[:NAMES_TOGETHER])
        text += f" +{len(together) - NAMES_TOGETHER}" * (len(together) > NAMES_TOGETHER)
        side = -1 if point[0] > MIDDLE else 1
        for step in range(MOST_STEPS):
            away = 3 + 9 * (step // 2) if step % 2 == 0 else -11 - 9 * (step // 2)
            label = axes.annotate(
                text, point, xytext=(4 * side, away), textcoords="offset points", fontsize=8,
                ha="left" if side > 0 else "right", annotation_clip=False,
                arrowprops={"arrowstyle": "-", "linewidth": 0.5} if abs(away) > 20 else None,
            )  # fmt: skip
            words = Text.get_window_extent(label)
            if not any(words.overlaps(other) for other in taken):
                break
            label.remove()
        taken.append(words)
        labels.append(label)
    return labels


NAMES_TOGETHER = 3
"""Names of one place that are written; the others are counted."""
MIDDLE = 60
"""Per cent from which on a name stands on the left of its point."""
MOST_STEPS = 60


def time_plot(seconds: Sequence[float]) -> str:
    """Return the distribution of the time that submissions took."""

    def draw(axes: Axes) -> None:
        axes.hist(seconds, bins=20, color=COLOURS["cost"], edgecolor="white")
        axes.set(xlabel="Time (s)", ylabel="Submissions")

    words = (
        f"Histogram. Submissions took from {min(seconds):.2f} to {max(seconds):.2f} s, half of them "
        f"at most {statistics.median(seconds):.2f} s."
    )
    return plot(draw, words)


def hints(records: Iterable[Record]) -> list[tuple[int, str, str]]:
    """Return the sentences that failed checks showed, most frequent first: count, item, sentence.

    The first line of a check's message names the item and the state, so it is left out.
    """
    counted: Counter[tuple[str, str]] = Counter()
    for record in records:
        for name, cell in record.cells.items():
            if cell.hint:
                counted[(name, hint_line(cell.hint))] += 1
    return [(n, item_label(name), text) for (name, text), n in counted.most_common(MOST_HINTS)]


def hint_line(message: str) -> str:
    r"""Return the hint of a check's message, or its last line where it has none.

    >>> hint_line("✗ 1.A: not yet.\nf(1) gave 2.\nHint: Twice the number.")
    'Twice the number.'
    """
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    marked = [line.removeprefix("Hint: ") for line in lines if line.startswith("Hint: ")]
    return (marked or lines or [""])[-1]


def report_html(
    release: Release,
    standings: Sequence[Standing],
    records: Sequence[Record],
    found: Sequence[Group],
    exercises: Mapping[str, Sequence[str]],
) -> str:
    """Return the report of a chapter."""
    handed = [s for s in standings if s.score is not None]
    points = {cell.grade_id: float(cell.points) for cell in release.graded}
    maxima = {e: sum(points[i] for i in ids) for e, ids in exercises.items()}
    waiting = frozenset().union(*(s.waiting for s in handed))
    scores = {
        e: [sum(s.cells.get(i, (0.0, 0.0))[0] for i in ids) for s in handed]
        for e, ids in exercises.items()
        if maxima[e] and not waiting.intersection(ids)
    }
    statistics_ = item_statistics(scores, maxima) if handed else []
    levels = Counter(record.level for record in records)
    verdicts = Counter(record.verdict for record in records)
    parts = [
        f"<h1>{escaped(release.assignment)}: report for the instructor</h1>",
        f"<p>{len(handed)} submissions; {len(standings) - len(handed)} students of the gradebook "
        f"handed in nothing; {sum(bool(s.waiting) for s in handed)} wait for marking by hand; "
        f"{sum(bool(s.penalty) for s in handed)} have a late penalty.</p>",
        "<h2>Scores</h2>",
        score_plot([s.final for s in handed], sum(maxima.values())) if handed else "<p>None.</p>",
        "<h2>Exercises</h2>",
        exercise_plot(statistics_),
        html_table(
            ("Exercise", "Points", "Earned (%)", "Discrimination"),
            [
                (item_label(i.exercise), i.maximum, round(100 * i.mean),
                 "" if i.discrimination is None else f"{i.discrimination:.2f}")
                for i in statistics_
            ],
        ),
        "<p>Discrimination is the correlation with the points of all other exercises: near 0 or "
        "below, look at the exercise before you look at the students. Exercises that wait for "
        "marking by hand are left out.</p>",
        "<h2>Hints shown most</h2>",
        html_table(("Times", "Item", "Hint"), hints(records)),
        "<h2>Verdicts</h2>",
        html_table(("Verdict", "Submissions"), verdicts.most_common()),
        html_table(
            ("Student", "Verdict", "What happened"),
            [(r.student, r.verdict, r.for_instructor) for r in records if r.verdict != GRADED],
        ),
        "<p>Isolation in force: "
        + escaped("; ".join(f"{level} for {n}" for level, n in levels.most_common()))
        + ".</p>",
        "<h2>Tampering</h2>",
        html_table(
            ("Student", "What was found"),
            [(r.student, "; ".join(r.tampering)) for r in records if r.tampering],
        ),
        "<h2>Repairs and notes</h2>",
        html_table(
            ("Student", "Repairs", "Notes"),
            [
                (r.student, "; ".join(r.repairs), "; ".join(r.notes))
                for r in records
                if r.repairs or r.notes
            ],
        ),
        "<h2>Functions of the course</h2>",
        "<p>These exercises may be answered by a function of the course.</p>",
        html_table(
            ("Exercise", "Functions"),
            [
                (item_label(cell.grade_id.removesuffix("_answer")), ", ".join(allowed))
                for cell in release.cells
                if (allowed := cell.metadata.get("course_functions"))
            ],
        ),
        "<h2>Answers to look at together</h2>",
        "<p>These answers are nearly the same after renaming variables. There are many honest "
        "reasons for that: working together, a worked example, one way to write it. Short answers "
        "are not listed.</p>",
        html_table(
            ("Exercise", "Students", "Size", "Remark"),
            [
                (item_label(g.exercise.removesuffix("_answer")), ", ".join(g.students), g.size,
                 "; ".join(part for part in (
                     f"equals {g.known}" if g.known else "",
                     "the same to the letter" if g.exact else "",
                 ) if part))
                for g in found
            ],
        ),
        "<h2>Time</h2>",
        time_plot([r.seconds for r in records]) if records else "<p>None.</p>",
    ]  # fmt: skip
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f"<title>{escaped(release.assignment)}: report</title><style>{STYLE}</style></head>"
        "<body>\n" + "\n".join(parts) + "\n</body></html>\n"
    )


def write_report(
    room: Room,
    release: Release,
    standings: Sequence[Standing],
    records: Sequence[Record],
    exercises: Mapping[str, Sequence[str]],
) -> Path:
    """Write the report of a chapter and return its path."""
    found = look_here(room, release, [record.student for record in records])
    text = report_html(release, standings, records, found, exercises)
    path = room.folder / f"report_{release.assignment}.html"
    write_if_new(path, text.encode("utf-8", "replace"))
    return path
