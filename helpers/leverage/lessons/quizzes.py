"""Quiz answers: one letter, and feedback that names the misconception behind each option."""

import re
from typing import NamedTuple

from leverage.lessons import plain
from leverage.lessons.manifest import Quiz

_LETTER = re.compile(r"""[\s("'`\[]*([A-Za-z])["'`\]]*(?:[:)](.*)|\.(?:\s+(.*))?)?\s*""", re.DOTALL)
_ANOTHER_LETTER = re.compile(r"(?<!\w)[A-Za-z](?:[.:)]|\s*$)")


class OptionVerdict(NamedTuple):
    """What to say about an answer to a quiz question.

    Attributes
    ----------
    option : str
        The option chosen, "" when the answer is not one of the options.
    right : bool
        True when the option is the right one.
    text : str
        The option's feedback, or what to type instead.
    unanswered : bool
        True when the blank (`...`) is still there.
    """

    option: str
    right: bool
    text: str
    unanswered: bool = False


def judge_option(quiz: Quiz, answer: object) -> OptionVerdict:
    """Judge a learner's answer to a question.

    Parameters
    ----------
    quiz : Quiz
        The right option and the feedback on each.
    answer : object
        What the learner gave; "b", "B", " b ", "b)", "(b)", "b." and "b: its text" are the same
        option.

    Examples
    --------
    >>> quiz = Quiz(answer="b", feedback={"a": "That is the margin.", "b": "Yes."})
    >>> judge_option(quiz, " A ").text
    'That is the margin.'
    >>> judge_option(quiz, 2).text
    'Type one letter in quotes, "a" or "b"; you gave 2.'
    """
    asked = f"Type one letter in quotes, {either(list(quiz['feedback']))}"
    if plain.holds_blank(answer):
        return OptionVerdict("", False, f"{asked}.", unanswered=True)
    if not issubclass(type(answer), str):
        return OptionVerdict("", False, f"{asked}; you gave {_answer_words(answer)}.")
    given = str.__str__(answer)
    option = _letter_of(given)
    feedback = {key.lower(): text for key, text in quiz["feedback"].items()}
    if option not in feedback:
        return OptionVerdict("", False, f"{asked}; you gave {plain.plain_repr(given)}.")
    return OptionVerdict(option, option == quiz["answer"].lower(), feedback[option])


def either(options: list[str]) -> str:
    """List the letters of the options as a learner types them.

    >>> either(["a", "b", "c"])
    '"a", "b" or "c"'
    """
    quoted = [f'"{option}"' for option in options]
    return " or ".join([", ".join(quoted[:-1]), quoted[-1]] if quoted[1:] else quoted)


def _letter_of(given: str) -> str:
    """Return the one letter that an answer begins with, set off by a mark; "" for a word."""
    match = _LETTER.fullmatch(given)
    if match is None or _ANOTHER_LETTER.search(match[2] or match[3] or ""):
        return ""
    return match[1].lower()


def _answer_words(answer: object) -> str:
    if plain.is_routine(answer):
        return "a function"
    return plain.plain_repr(answer)
