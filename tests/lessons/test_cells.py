"""A cell that stopped with an error stored nothing: its check says so and never passes on less."""

import contextlib
import io

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell
from nbclient import NotebookClient

from leverage.lessons import CheckFailed, cells

SETUP = "from leverage.lessons import exercise"
STOPPED = "The cell before this one stopped with"
NOTHING_NEW = "so nothing new was stored: read its last red line, mend it, run both again."


def check_of(name, expected, item="ch01_a_value"):
    return f'with exercise("{item}") as check:\n    check.value("{name}", {expected!r}, hint="h")'


CHECK = check_of("price_change", -4)


class Notebook:
    """A shell of its own, in which cells run one after the other."""

    def __init__(self, shell):
        self.shell = shell
        self.run(SETUP)

    def run(self, *sources, cell_id=None):
        """Run cells; return the message of the last one's error, or what it printed."""
        for source in sources:
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                result = self.shell.run_cell(source, cell_id=cell_id)
            error = result.error_before_exec or result.error_in_exec
        return str(error) if isinstance(error, CheckFailed) else printed.getvalue()


@pytest.fixture
def notebook(monkeypatch):
    monkeypatch.setattr(cells, "_watch", None)
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    shell.history_manager.enabled = False
    yield Notebook(shell)
    shell.history_manager.end_session()
    InteractiveShell.clear_instance()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ("price_change = -4%", "SyntaxError (invalid syntax)"),
        ("price_change = 15_000 USD", "SyntaxError (invalid "),
        ("  # two\n\n  price_change = (4", "SyntaxError (incomplete input)"),
        ("x = 1\n  price_change = 4", "IndentationError (unexpected indent)"),
        ("price_change -4 USD", "SyntaxError (invalid syntax)"),
        ("price_chang = -4%", "SyntaxError (invalid syntax)"),
        ("-4 %", "SyntaxError (invalid syntax)"),
        ("price_change = [D, B]", "NameError (name 'D' is not defined)"),
        ("price_change = 1 / 0", "ZeroDivisionError (division by zero)"),
        ("price_change: float = int('a')", "ValueError (invalid literal"),
        ("def price_change(a)\n    return a", "SyntaxError (expected ':')"),
        ("for price_change in 5: pass", "TypeError ('int' object is not iterable)"),
        ("raise KeyboardInterrupt\nprice_change = 1", "KeyboardInterrupt"),
    ],
)
def test_a_check_after_a_cell_that_stopped_names_the_error(notebook, answer, error):
    message = notebook.run(answer, CHECK)
    assert message.splitlines()[0] == "✗ 1.A value: not answered yet."
    assert f"{STOPPED} {error}" in message
    assert message.endswith(NOTHING_NEW)


@pytest.mark.parametrize("broken", ["price_change = -4%", "price_change = -D", "price_change -= D"])
def test_an_older_right_answer_does_not_pass_after_the_answer_cell_stopped(notebook, broken):
    assert "correct" in notebook.run("price_change = -4", CHECK)
    assert STOPPED in notebook.run(broken, CHECK)


def test_every_check_of_a_stopped_answer_cell_says_so_until_it_is_mended(notebook):
    notebook.run("borrowed = price_change = -4", "borrowed = price_change = -4%")
    other = check_of("borrowed", -4, "ch01_b_borrowed")
    for _ in range(2):
        assert STOPPED in notebook.run(CHECK)
        assert STOPPED in notebook.run(other)
    assert STOPPED in notebook.run("locked = 5", "print(locked)", CHECK)
    assert "correct" in notebook.run("borrowed = price_change = -4", CHECK)
    assert "correct" in notebook.run(other)


def test_a_function_keeps_its_check_waiting_until_its_cell_runs(notebook):
    check = 'with exercise("ch01_a_value") as check:\n    check.result("f", (2,), 4)'
    assert "correct" in notebook.run("def f(x):\n    return 2 * x", check)
    assert STOPPED in notebook.run("def f(x):\n    return 2 x", check)
    assert "correct" in notebook.run("def f(x):\n    return 2 * x", check)


def test_the_error_of_another_exercise_leaves_a_right_answer_alone(notebook):
    assert "correct" in notebook.run("price_change = -4", "line_order = [D, B]", CHECK)
    assert "correct" in notebook.run("price_change = -4", "f(price_change %", CHECK)
    assert "correct" in notebook.run("price_change = -4", "price_change / 0", CHECK)
    assert "correct" in notebook.run("def f():\n    price_change = 1 %", CHECK)


def test_a_missing_answer_is_not_blamed_on_the_cell_of_another_exercise(notebook):
    message = notebook.run("line_order = [D, B]", CHECK)
    assert "price_change is not there yet: write your answer" in message
    message = notebook.run("double = 2 * price_change", CHECK)
    assert "price_change is not there yet: write your answer" in message
    message = notebook.run("line_order = [D, B]", "print(1)", CHECK)
    assert "price_change is not there yet: write your answer" in message


def test_what_a_cell_stored_before_it_stopped_is_judged(notebook):
    cell = "price_change = -4\nborrowed = price_change / 0\nlater = 1"
    assert "correct" in notebook.run(cell, CHECK)
    for name in ("borrowed", "later"):
        message = notebook.run(check_of(name, 1))
        assert f"{STOPPED} ZeroDivisionError" in message
    assert "correct" in notebook.run("price_change = -4\nprint(price_change / 0)", CHECK)


def test_an_error_inside_a_called_function_counts_at_the_line_of_the_call(notebook):
    notebook.run("def f(x):\n    #\n    #\n    #\n    return x / 0")
    assert "correct" in notebook.run("price_change = -4\nother = f(1)", CHECK)
    assert STOPPED in notebook.run(check_of("other", 1))


def test_a_name_stored_again_by_any_means_is_judged(notebook):
    notebook.run("price_change = 1", "price_change = -4%")
    assert "correct" in notebook.run("exec('price_change = -4')", CHECK)
    notebook.run("price_change = -4%")
    assert "correct" in notebook.run("if True:\n    price_change = -4", CHECK)
    notebook.run("price_change = -4%")
    assert "correct" in notebook.run("%time price_change = -4\nprice_change = -4", CHECK)
    notebook.run("table = {}", "table['a'] = 4%")
    assert STOPPED in notebook.run(check_of("table", 5))
    assert STOPPED not in notebook.run("table['a'] = 4", check_of("table", 5))


def test_an_emptied_answer_cell_forgets_its_error(notebook):
    notebook.run("price_change = -4%", cell_id="answer")
    notebook.run("# nothing", cell_id="answer")
    assert "price_change is not there yet" in notebook.run(CHECK)


def test_a_check_that_failed_is_no_cell_that_stopped(notebook):
    notebook.run("price_change = 3")
    assert "price_change is 3" in notebook.run(CHECK)
    assert "price_change is 3" in notebook.run(CHECK)
    message = notebook.run(check_of("borrowed", 1))
    assert "borrowed is not there yet" in message


def test_stubs_stay_unanswered(notebook):
    stub = "# YOUR CODE HERE\nraise NotImplementedError()"
    assert "price_change is not there yet: write your answer" in notebook.run(stub, CHECK)
    message = notebook.run("price_change = 2 * ...", CHECK)
    assert "The cell before this one still holds ...: replace every ..." in message
    assert "not answered yet" in message


def test_a_test_cell_that_uses_the_name_itself_says_the_same(notebook):
    check = 'with exercise("ch01_a_value") as check:\n    check.that(price_change < 0, "h")'
    assert STOPPED in notebook.run("price_change = -4%", check)


def test_hidden_checks_say_it_too_and_no_hint_stands_beside_it(notebook):
    hidden = 'with exercise("ch01_a_value") as check:\n    check.hidden()\n'
    hidden += '    check.value("price_change", 777, hint="h")'
    message = notebook.run("price_change = -4%", hidden)
    assert STOPPED in message
    assert "Hint" not in message
    assert "777" not in message


def test_imported_values_are_never_offered_as_the_learners(notebook):
    notebook.run("from leverage import LONG, SHORT\nfrom math import pi as price_changes")
    assert "Is it the one" not in notebook.run(check_of("long", 1))
    assert "Is it the one" not in notebook.run(CHECK)
    assert "Is it the one you called price_changes?" in notebook.run("price_changes = 3", CHECK)
    for name in ("in", "out", "Quit"):
        assert "Is it the one" not in notebook.run(check_of(name, 1))


def test_the_cells_are_followed_once_however_often_lessons_are_imported(notebook):
    notebook.run(SETUP, "import importlib, leverage.lessons\nimportlib.reload(leverage.lessons)")
    followers = notebook.shell.events.callbacks["post_run_cell"]
    assert sum(getattr(f, "__func__", None) is cells.CellWatch.after_cell for f in followers) == 1


def test_nothing_is_followed_outside_a_notebook(notebook, run, monkeypatch):
    notebook.run("x = 4%")
    assert cells.watch({}) is None
    assert run("x = 4", 'check.value("x", 4)').error is None
    monkeypatch.setattr(InteractiveShell, "initialized", lambda: False)
    assert cells.watch() is None


def test_a_notebook_run_in_one_go_fails_the_tests_of_a_stopped_answer():
    sources = [
        SETUP,
        "price_change = -4\nborrowed = 1",
        "price_change = -4%",
        CHECK,
        "borrowed = 9",
        check_of("borrowed", 9, "ch01_b_borrowed"),
        CHECK,
        "price_change = 2\nprice_change = D",
        CHECK,
        "price_change = -4",
        CHECK,
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(s) for s in sources])
    quiet = ["--IPKernelApp.log_level=ERROR"]
    NotebookClient(notebook, allow_errors=True, timeout=60, extra_arguments=quiet).execute()
    ends = [cell.outputs[-1] if cell.outputs else {} for cell in notebook.cells]
    for number, error in ((3, "SyntaxError"), (6, "SyntaxError"), (8, "NameError")):
        assert f"{STOPPED} {error}" in ends[number]["evalue"]
    for number in (5, 10):
        assert ends[number]["text"].startswith("✓")
