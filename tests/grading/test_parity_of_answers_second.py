"""Own and stock Execute agree on every answer of the second, fourth, sixth … chapter."""

from __future__ import annotations

import pytest
from parity import CHAPTERS, compare_answers

from classroom.project import Chapter


@pytest.mark.parametrize("chapter", CHAPTERS[1::2])
def test_own_and_stock_execute_agree_on_every_answer(chapter: Chapter) -> None:
    compare_answers(chapter)
