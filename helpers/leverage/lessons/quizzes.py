"""Quiz answers: one letter, and feedback that names the misconception behind each option."""

import base64
import hashlib
import re
from functools import lru_cache
from typing import NamedTuple

from leverage.lessons import plain
from leverage.lessons.manifest import Quiz

ROUNDS = 5_000
"""Hashes in a row for one option of a sealed question."""
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
    if salt := quiz.get("salt"):
        right = quiz["answer"] == _key(salt, "answer", option).hex()
        return OptionVerdict(option, right, _opened(salt, option, feedback[option]))
    return OptionVerdict(option, option == quiz["answer"].lower(), feedback[option])


def sealed(quiz: Quiz, salt: str) -> Quiz:
    """Return a question that does not show its answer to who reads the file.

    The answer is a salted hash, and the feedback on an option can be read by giving that option
    only. A letter has few values: who writes a program that tries them all finds the right one.

    Parameters
    ----------
    quiz : Quiz
        The question in clear.
    salt : str
        Different for each question.

    Examples
    --------
    >>> quiz = sealed(Quiz(answer="b", feedback={"a": "That is the margin.", "b": "Yes."}), "salt")
    >>> judge_option(quiz, "b)"), judge_option(quiz, "a").text
    (OptionVerdict(option='b', right=True, text='Yes.', unanswered=False), 'That is the margin.')
    >>> "b" in quiz["answer"][:1], "Yes" in str(quiz)
    (False, False)
    """
    feedback = {
        option: base64.b64encode(_mixed(salt, option.lower(), text.encode())).decode()
        for option, text in quiz["feedback"].items()
    }
    answer = _key(salt, "answer", quiz["answer"].lower()).hex()
    return Quiz(answer=answer, feedback=feedback, salt=salt)


def _opened(salt: str, option: str, text: str) -> str:
    return _mixed(salt, option, base64.b64decode(text)).decode()


def _mixed(salt: str, option: str, content: bytes) -> bytes:
    """Return content with the option's own stream of bytes added; twice, it is as before."""
    start = _key(salt, "feedback", option)
    stream = b"".join(
        hashlib.sha256(start + block.to_bytes(4, "big")).digest()
        for block in range(len(content) // hashlib.sha256().digest_size + 1)
    )
    return bytes(one ^ other for one, other in zip(content, stream, strict=False))


@lru_cache(maxsize=256)
def _key(salt: str, use: str, option: str) -> bytes:
    """Return a hash that takes some milliseconds; Pyodide has no PBKDF2."""
    made = f"{salt} {use} {option}".encode()
    for _ in range(ROUNDS):
        made = hashlib.sha256(made + salt.encode()).digest()
    return made


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
