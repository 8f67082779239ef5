"""The published numbers are a set with a schema that any function can be held against."""

import csv
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from leverage import liquidation_price
from leverage.vectors import VERSION, check_function, load_vectors, vector_schema
from leverage.vectors.__main__ import main

FILE = Path(str(files("leverage.vectors") / "vectors.csv"))
VALIDATOR = jsonschema.Draft202012Validator(vector_schema())
with FILE.open(encoding="utf-8", newline="") as lines:
    ROWS = list(csv.DictReader(lines))


def test_schema_is_a_valid_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(vector_schema())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_row_keeps_the_schema(row: dict[str, str]) -> None:
    assert [f"{e.json_path}: {e.message}" for e in VALIDATOR.iter_errors(row)] == []


@pytest.mark.parametrize(
    "change",
    [
        {"id": "one"},
        {"side": "up"},
        {"qty": "many"},
        {"expected": ""},
        {"tolerance": "small"},
        {"reproduced": "perhaps"},
        {"quantity": "mood"},
        {"source": ""},
        {"colour": "blue"},
    ],
)
def test_schema_refuses_a_spoilt_row(change: dict[str, str]) -> None:
    assert not VALIDATOR.is_valid(ROWS[0] | change)


def test_numbers_are_numbers_and_blank_cells_are_left_out() -> None:
    assert len(load_vectors()) == len(ROWS) == 135
    for vector, row in zip(load_vectors(), ROWS, strict=True):
        assert vector.id == row["id"]
        assert "" not in vector.inputs.values()
        assert vector.inputs.get("side") in (None, 1, -1, "n/a")
        assert vector.tolerance > 0
    with pytest.raises(ValueError, match=r"quantity must be one that rows state, was 'mood'; give"):
        load_vectors("mood")


def binance(
    side: int,
    entry_price: float,
    qty: float,
    wallet_balance: float,
    mm_rate: float,
    maintenance_amount: float,
    contract_size: float,
    contract_type: str,
) -> float:
    """Binance's published formula for one position."""
    how: dict[str, Any] = {"maintenance_amount": maintenance_amount}
    if contract_type == "inverse":
        how |= {"inverse": True, "contract_size": contract_size}
    return float(liquidation_price(side, entry_price, qty, wallet_balance, mm_rate, **how))


def test_right_formula_agrees_and_says_where_it_lacks_an_input() -> None:
    report = check_function(binance, load_vectors("liquidation_price"))
    assert {"BIN-004", "BIN-030"} <= {v.id for v in report.agreed}
    assert {missing for _, missing in report.left_out} <= {
        "qty",
        "wallet_balance",
        "mm_rate",
        "maintenance_amount",
    }
    assert all(missing not in v.inputs for v, missing in report.left_out)


def test_wrong_formula_is_shown_with_what_it_gave() -> None:
    def textbook(direction: int, entry: float, leverage: float) -> float:
        return entry * (1 - direction / leverage)

    report = check_function(textbook, load_vectors("liquidation_price"))
    got = {d.vector.id: d.got for d in report.differed}
    row = next(v for v in load_vectors() if v.id == "BIN-010")
    assert got["BIN-010"] == pytest.approx(row.inputs["entry_price"] * 0.8)
    lists = len(report.agreed) + len(report.differed) + len(report.left_out)
    assert lists == len(load_vectors("liquidation_price"))


def test_wrong_number_that_comes_out_is_a_difference() -> None:
    (control,) = (v for v in load_vectors() if not v.reproduced)
    report = check_function(lambda row: control.expected, [control])
    assert [d.vector.id for d in report.differed] == [control.id] == ["MEX-013"]
    assert check_function(lambda row: control.expected - 3_600, [control]).agreed == (control,)


def test_function_that_fails_is_a_difference_with_its_error() -> None:
    def broken(side: int) -> float:
        raise RuntimeError("no tiers")

    (vector, *_) = load_vectors("liquidation_price")
    (difference,) = check_function(broken, [vector]).differed
    assert difference.error == "RuntimeError: no tiers"


@pytest.mark.parametrize("got", [float("inf"), float("nan")])
def test_number_that_is_none_never_agrees(got: float) -> None:
    """Not even with the negative control, whose number must not come out."""
    assert check_function(lambda row: got, load_vectors("liquidation_price")).agreed == ()


def test_parameters_may_be_positional_only() -> None:
    def textbook(side: int, entry: float, /, leverage: float) -> float:
        return entry * (1 - side / leverage)

    report = check_function(textbook, load_vectors("liquidation_price"))
    assert {d.error for d in report.differed} == {""}


def test_function_with_a_row_gets_everything_that_is_given() -> None:
    seen: list[dict[str, Any]] = []

    def asked(row: dict[str, Any]) -> float:
        seen.append(row)
        return 0.0

    check_function(asked, load_vectors("funding"))
    assert all(row["quantity"] == "funding" for row in seen)
    assert seen[0]["mark_price"] == 2.5


# ---- the command


def run(words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "leverage.vectors", *words],
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
    )


def test_command_asks_a_function_of_somebody_else(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "def liquidation(side, entry_price, qty, wallet_balance, mm_rate, maintenance_amount=0):\n"
        "    owed = side * qty * entry_price - wallet_balance - maintenance_amount\n"
        "    return owed / (qty * (side - mm_rate))\n"
    )
    done = run(["check", "mine:liquidation", "--venue", "binance"], tmp_path)
    assert done.returncode == 1
    assert "BIN-001: 18778.72593 instead of 26316.89 ± 0.005" in done.stdout  # another position
    last = done.stdout.splitlines()[-1]
    assert last.startswith("mine:liquidation agrees with 5 of 7 published numbers of liquidation_")
    assert f"(set {VERSION};" in last


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["check", "mine"], "'mine' must be written as module:function"),
        (["check", "no_such_module:f"], "cannot be imported: ModuleNotFoundError: No module named"),
        (["check", "builtins:max"], "function must have parameters that Python knows, was <built"),
        (["check", "leverage:LONG"], "'leverage:LONG' must be a function, was 1"),
        (["check", "leverage:pnl", "--quantity", "mood"], "quantity must be one that rows state"),
        (["check", "leverage:pnl", "--venue", "nowhere"], "leverage:pnl agrees with 0 of 0"),
        (
            ["check", "leverage:pnl", "--venue", "Binance"],
            "venue must be one with rows of liquidation_price, was 'Binance'; give one of binance, b",
        ),
    ],
)
def test_command_says_why_it_cannot_ask(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert said in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def broken(:", "'strange:f' cannot be imported: SyntaxError: "),
        ("1 / 0", "'strange:f' cannot be imported: ZeroDivisionError: "),
    ],
)
def test_command_says_why_a_module_cannot_be_imported(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "strange.py").write_text(text)
    done = run(["check", "strange:f"], tmp_path)
    assert (done.returncode, done.stderr) == (2, "")
    assert done.stdout.startswith(said)


def test_command_names_what_a_function_does_not_take(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """BIN-001 has a second position: a right formula for one position differs there, and is told."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "alone.py").write_text(
        "def price(side, entry_price, qty, wallet_balance, mm_rate, maintenance_amount=0):\n"
        "    return 0.0\n"
    )
    main(["check", "alone:price", "--venue", "binance"])
    lines = capsys.readouterr().out.splitlines()
    (place,) = (n for n, line in enumerate(lines) if line.startswith("BIN-001: "))
    assert lines[place + 2].split("it does not take ")[1].split(", ") == [
        "contract_type",
        "margin_mode",
        "contract_size",
        "mark_price",
        "other_positions",
    ]


def test_command_ends_with_zero_for_a_function_that_agrees(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "right.py").write_text(
        "def funding(side, qty, mark_price, funding_rate):\n"
        "    return -side * qty * mark_price * funding_rate\n"
    )
    assert main(["check", "right:funding", "--quantity", "funding", "--venue", "binance"]) == 0
    assert "right:funding agrees with 1 of 1" in capsys.readouterr().out


def test_command_prints_the_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    assert '"title": "A published number of leverage arithmetic"' in capsys.readouterr().out


@pytest.mark.parametrize(
    "command", ["leverage.vectors schema", "leverage.venues --weak", "leverage.venues export"]
)
def test_command_may_be_read_in_part(command: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", *command.split()], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        assert running.stderr.read() == b""
    assert running.returncode == 0
