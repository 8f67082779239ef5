"""The bank: other right answers and typical wrong answers, one Markdown text per chapter.

    # ch01_a
    ## right: adds the borrowed part to the margin
    ```python
    def position_value(margin, leverage):
        return margin + margin * (leverage - 1)
    ```
    ## wrong: divides by the leverage
    hint: You divided by the leverage
    points: 0
    ```python
    …
    ```

The code replaces the whole answer cell. `hint` is a text that a failing check must show;
`points` (default 0) is what the exercise still earns with this answer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from classroom.authoring.sources import read_text
from classroom.authoring.texts import Lesson, Question
from classroom.errors import ClassroomError
from classroom.project import Chapter, relative


@dataclass(frozen=True)
class Answer:
    """One answer of the bank to one exercise."""

    exercise: str
    title: str
    code: str
    right: bool
    hint: str
    points: float
    place: str
    """Where the answer is written: file and line."""


def read_bank(chapter: Chapter) -> tuple[Answer, ...]:
    """Read a chapter's bank.md; a mistake in it raises a sentence with the line."""
    path = chapter.bank
    if not path.exists():
        return ()
    return parse_bank(read_text(path, chapter.root), relative(path, chapter.root))


def parse_bank(text: str, where: str = "bank.md") -> tuple[Answer, ...]:
    """Parse the text of a bank.

    >>> answers = parse_bank('''# ch01_a
    ... ## wrong: divides
    ... hint: You divided
    ... ```python
    ... x = 1 / 2
    ... ```''')
    >>> answers[0].exercise, answers[0].right, answers[0].hint, answers[0].code
    ('ch01_a', False, 'You divided', 'x = 1 / 2')
    """
    answers: list[Answer] = []
    exercise = ""
    head: tuple[str, str, int] | None = None
    fields: dict[str, str] = {}
    code: list[str] | None = None

    def fail(line: int, message: str) -> ClassroomError:
        return ClassroomError(f"{where}:{line}: {message}")

    for number, line in enumerate(text.splitlines(), 1):
        if code is not None:
            if line.strip() != "```":
                code.append(line)
                continue
            if head is None:
                raise fail(number, "code without a '## right: …' or '## wrong: …' heading above it")
            try:
                points = float(fields.get("points", 0))
            except ValueError:
                raise fail(number, f"points must be a number, was {fields['points']!r}") from None
            kind, title, start = head
            if kind == "wrong" and not fields.get("hint"):
                raise fail(start, "a wrong answer needs a line 'hint: …' that its check must show")
            answers.append(
                Answer(
                    exercise,
                    title,
                    "\n".join(code),
                    kind == "right",
                    fields.get("hint", ""),
                    points,
                    f"{where}:{start}",
                )
            )
            head, fields, code = None, {}, None
        elif match := re.fullmatch(r"#\s+(\S+)\s*", line):
            exercise = match[1]
        elif match := re.fullmatch(r"##\s+(right|wrong):\s*(.+?)\s*", line):
            if not exercise:
                raise fail(
                    number, "an answer needs the exercise's id in a heading '# ch01_a' above it"
                )
            head = (match[1], match[2], number)
        elif match := re.fullmatch(r"(hint|points):\s*(.+?)\s*", line):
            fields[match[1]] = match[2]
        elif line.startswith("```"):
            code = []
        elif line.startswith("#"):
            raise fail(
                number, f"unknown heading {line!r}; write '# id', '## right: …' or '## wrong: …'"
            )
    if code is not None:
        raise fail(len(text.splitlines()), "the last code block is never closed")
    if head is not None:
        raise fail(head[2], f"the answer {head[1]!r} has no code block")
    return tuple(answers)


def quiz_answers(question: Question, where: str) -> tuple[Answer, ...]:
    """Return every option of a question as an answer: one right, the others wrong."""
    return tuple(
        Answer(
            exercise=question.id,
            title=f"option {letter}",
            code=f'{question.id} = "{letter}"',
            right=letter == question.answer,
            hint="" if letter == question.answer else feedback,
            points=0,
            place=where,
        )
        for letter, feedback in question.feedback.items()
    )


def all_answers(lesson: Lesson) -> Mapping[str, Sequence[Answer]]:
    """Return the answers of a chapter's bank and of its quizzes, by exercise."""
    known = {item.exercise for item in lesson.items if item.kind != "manual"}
    answers: dict[str, list[Answer]] = {}
    for answer in read_bank(lesson.chapter):
        if answer.exercise not in known:
            raise ClassroomError(
                f"{answer.place}: {answer.exercise!r} is no autograded exercise of "
                f"{lesson.chapter.name}; it has {', '.join(sorted(known))}"
            )
        answers.setdefault(answer.exercise, []).append(answer)
    for question in lesson.questions:
        quiz = relative(lesson.chapter.quiz, lesson.chapter.root)
        answers.setdefault(question.id, []).extend(quiz_answers(question, quiz))
    return answers
