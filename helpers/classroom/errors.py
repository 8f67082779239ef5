"""The one error that commands show to people: a sentence, no traceback, exit code 2."""

from __future__ import annotations


class ClassroomError(Exception):
    """Something a person can mend; the message says what is wrong and what to do."""
