"""The marks in an instructor's cells that divide what students get from what they do not.

A mark stands alone on its line. nbgrader looks for a part of a line, so a mark with anything beside
it would be one for some readers and none for others: it is refused when a text is read.
"""

from __future__ import annotations

import re

BEGIN_SOLUTION = "### BEGIN SOLUTION"
STUDENT_STUB = "### STUDENT STUB"
END_SOLUTION = "### END SOLUTION"
BEGIN_HIDDEN = "### BEGIN HIDDEN TESTS"
END_HIDDEN = "### END HIDDEN TESTS"
BEGIN_SCHEME = "### BEGIN MARK SCHEME"
END_SCHEME = "### END MARK SCHEME"
SECRET_WORDS = ("BEGIN SOLUTION", "END SOLUTION", "HIDDEN TESTS", "MARK SCHEME", "STUDENT STUB")
"""What must not stand in anything that students get."""
CODE_STUB = "# YOUR CODE HERE\nraise NotImplementedError()"
TEXT_STUB = "YOUR ANSWER HERE"

VISIBLE, SOLUTION, STUB, HIDDEN, SCHEME = "visible", "solution", "stub", "hidden", "scheme"
_BEGINS = {BEGIN_SOLUTION: SOLUTION, BEGIN_HIDDEN: HIDDEN, BEGIN_SCHEME: SCHEME}
_ENDS = {SOLUTION: END_SOLUTION, STUB: END_SOLUTION, HIDDEN: END_HIDDEN, SCHEME: END_SCHEME}
_WORDS = (
    r"(?:(?:BEGIN|END)[ _-]*(?:SOLUTIONS?|HIDDEN[ _-]*TESTS?|MARK[ _-]*SCHEME)|STUDENT[ _-]*STUB)"
)
_LIKE_A_MARK = re.compile(rf"{_WORDS}|^\s*#+\s*(?i:{_WORDS})\b")


class MarkerError(ValueError):
    """Marks that are none, or that do not pair; `line` is the cell's line, from 1."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


def parts(source: str) -> list[tuple[str, str]]:
    r"""Return each line of a cell with the part that it belongs to; marks belong to their part.

    Raises
    ------
    MarkerError
        Where a mark has anything beside it, does not pair, or stands inside another part.

    >>> [part for part, _ in parts("a\n### BEGIN HIDDEN TESTS\nb\n### END HIDDEN TESTS\nc")]
    ['visible', 'hidden', 'hidden', 'hidden', 'visible']
    """
    found: list[tuple[str, str]] = []
    part, opened = VISIBLE, 0
    for number, line in enumerate(source.split("\n"), start=1):
        mark = line.strip()
        if mark in _BEGINS:
            if part != VISIBLE:
                raise MarkerError(f"{mark} stands inside another marked region", number)
            part, opened = _BEGINS[mark], number
        elif mark == STUDENT_STUB:
            if part != SOLUTION:
                raise MarkerError(f"{mark} stands outside a solution region", number)
            part = STUB
        elif mark in _ENDS.values():
            if _ENDS.get(part) != mark:
                begin = mark.replace("END", "BEGIN")
                raise MarkerError(f"{mark} has no {begin} above it", number)
            found.append((part, line))
            part = VISIBLE
            continue
        elif _LIKE_A_MARK.search(line):
            marks = ", ".join([*_BEGINS, STUDENT_STUB, *dict.fromkeys(_ENDS.values())])
            raise MarkerError(
                f"a mark stands alone on its line and is one of {marks}; this line is {mark!r}",
                number,
            )
        elif part == STUB and mark and not mark.startswith("#"):
            raise MarkerError(f"after {STUDENT_STUB} every line starts with '#': {line!r}", number)
        found.append((part, line))
    if part != VISIBLE:
        begin = _ENDS[part].replace("END", "BEGIN")
        raise MarkerError(f"{begin} has no {_ENDS[part]} below it", opened)
    return found


def student_source(source: str, stub: str = CODE_STUB) -> str:
    """Return a cell without its solution.

    The lines between the marks of a solution are replaced by the commented lines that follow
    `### STUDENT STUB`, uncommented, or by `stub` where there are none.

    >>> print(student_source('''def double(x):
    ...     ### BEGIN SOLUTION
    ...     return 2 * x
    ...     ### STUDENT STUB
    ...     # return ... * x
    ...     ### END SOLUTION'''))
    def double(x):
        return ... * x
    """
    kept: list[str] = []
    indent, instead = "", [""]
    for part, line in parts(source):
        mark = line.strip()
        if part not in (SOLUTION, STUB):
            kept.append(line)
        elif mark == BEGIN_SOLUTION:
            indent = line[: len(line) - len(line.lstrip())]
            instead = [indent + text for text in stub.split("\n")]
        elif mark == STUDENT_STUB:
            instead = []
        elif mark == END_SOLUTION:
            kept += instead
        elif part == STUB:
            instead.append(re.sub(r"^(\s*)# ?", r"\1", line).rstrip())
    return "\n".join(kept)


def solved_source(source: str) -> str:
    r"""Return an instructor's cell as a student would have solved it: without marks and stub.

    >>> solved_source("### BEGIN SOLUTION\nmargin = 100\n### STUDENT STUB\n# margin = ...\n### END SOLUTION")
    'margin = 100'
    """
    marks = {BEGIN_SOLUTION, END_SOLUTION}
    return "\n".join(
        line for part, line in parts(source) if part != STUB and line.strip() not in marks
    )


def visible_source(source: str) -> str:
    r"""Return a cell without hidden tests and mark schemes.

    >>> visible_source("a\n### BEGIN HIDDEN TESTS\nb\n### END HIDDEN TESTS\nc")
    'a\nc'
    """
    return "\n".join(line for part, line in parts(source) if part not in (HIDDEN, SCHEME))


def numbered(source: str, part: str) -> dict[int, str]:
    r"""Return the lines inside a part by their numbers, from 1, the marks left out.

    >>> numbered("a\n### BEGIN HIDDEN TESTS\nb\n### END HIDDEN TESTS\nc", HIDDEN)
    {3: 'b'}
    """
    marks = {*_BEGINS, STUDENT_STUB, *_ENDS.values()}
    return {
        number: line
        for number, (where, line) in enumerate(parts(source), start=1)
        if where == part and line.strip() not in marks
    }


def hidden_lines(source: str) -> frozenset[int]:
    r"""Return the numbers of the lines of a test that students do not get, the marks included.

    >>> sorted(hidden_lines("a\n### BEGIN HIDDEN TESTS\nb\n### END HIDDEN TESTS\nc"))
    [2, 3, 4]
    """
    return frozenset(number for number, (part, _) in enumerate(parts(source), 1) if part == HIDDEN)


def solution_lines(source: str) -> frozenset[int]:
    """Return the lines of an answer cell that students do not get, from 1; all without marks."""
    return frozenset(numbered(source, SOLUTION)) or frozenset(range(1, source.count("\n") + 2))
