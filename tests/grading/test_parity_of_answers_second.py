"""Every answer of the second, fourth, sixth … chapter and of the reviews scores as stated, by both Executes."""

from __future__ import annotations

import pytest
from parity import CHAPTERS, REVIEWS, compare_answers

from classroom.project import Chapter


@pytest.mark.parametrize("text", [*CHAPTERS[1::2], *REVIEWS])
def test_own_and_stock_execute_agree_on_every_answer_which_scores_as_stated(text: Chapter) -> None:
    compare_answers(text)
