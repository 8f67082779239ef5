"""An answer that is the course's own function is told from one that uses it."""

import pytest

from leverage import recovery_return
from leverage.lessons.own_work import handed_on_to

HANDED_ON = [
    "from leverage import recovery_return\ndef f(loss):\n    return recovery_return(loss)",
    "from leverage import recovery_return as r\ndef f(loss):\n    x = -r(loss)\n    return float(-x)",
    "def f(loss):\n    from leverage.sizing import recovery_return\n    return recovery_return(loss)",
    "import leverage\ndef f(loss):\n    return leverage.recovery_return(loss)",
    "import leverage.sizing as s\nf = s.recovery_return",
    "from leverage import recovery_return\nf = recovery_return",
    "from leverage import recovery_return\nf = lambda loss: round(recovery_return(loss), 9)",
    "from leverage import recovery_return\nf = recovery_return(0.2)",
    "def f(loss):\n    if loss < 0:\n        raise ValueError\n    return given(loss)",
    "def f(loss):\n    return given(loss) if loss else 0.0",
    "def g(loss):\n    return given(loss)\ndef f(loss):\n    return g(loss)",
    "def f(loss):\n    def h(x):\n        return given(x)\n    return h(loss)",
]
OWN = [
    "def f(loss):\n    return loss / (1 - loss)",
    "from leverage import recovery_return\ndef f(loss):\n    return recovery_return(loss) * 1_000",
    "from leverage import recovery_return\ndef f(loss):\n    return [recovery_return(x) for x in loss]",
    "from leverage import LONG\ndef f(loss):\n    return LONG",
    "from math import sqrt\ndef f(loss):\n    return sqrt(loss)",
    "def recovery_return(loss):\n    return loss\ndef f(loss):\n    return recovery_return(loss)",
    "from leverage import roe\ndef f(loss):\n    def h(x):\n        return roe(x, 1)\n    return [x for x in loss if h(x) > 0]",
    "from leverage.lessons.wording import format_price\ndef f(loss):\n    return format_price(loss)",
    "def f(loss):\n    return f(loss)",
    "def f(loss:",
    "",
]


@pytest.mark.parametrize("source", HANDED_ON)
def test_an_answer_that_is_the_courses_function_is_named_with_it(source):
    names = {"given": recovery_return, "g": lambda: None}
    assert handed_on_to("f", lambda name: source, names) == "recovery_return"


@pytest.mark.parametrize("source", OWN)
def test_an_answer_that_does_something_itself_is_its_own(source):
    assert handed_on_to("f", lambda name: source, {"recovery_return": len}) == ""
