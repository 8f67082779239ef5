"""What importing `leverage` loads, and which modules of both packages may import which."""

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import classroom
import leverage

ROOT = Path(__file__).parents[2]
PACKAGE = Path(leverage.__file__).parent
HELPERS = PACKAGE.parent

# A module may import modules of the lines above its own, never of its own line or below.
LAYERS = {
    "leverage": [
        {"_validate", "_grid", "_extras", "_places", "_command"},
        {"_pandas"},
        {"_guard"},
        {"contracts", "rounding", "vectors"},
        {"tiers"},
        {"_solve"},
        {"margin", "costs", "accounts"},
        {"bars"},
        {"history", "paths"},
        {"sizing", "portfolio", "survival"},
        {"venues"},
        {"jurisdictions"},
        {"paper"},
        {"bots", "crashes"},
        {"plans"},
        {"lessons"},
    ],
    "classroom": [
        {"errors", "markers"},
        {"project"},
        {"grading"},
        {"authoring"},
        {"marking"},
        {"desk"},
        {"doctor", "lab"},
        {"cli"},
        {"__main__"},
    ],
}
# What maintainers run stands apart: it uses the one error of all commands, and nothing uses it.
APART = {"upkeep": {"errors"}}
LAYER = {
    (package, module): number
    for package, layers in LAYERS.items()
    for number, modules in enumerate(layers)
    for module in modules
}
PACKAGES = [PACKAGE, Path(classroom.__file__).parent]
SOURCES = sorted(
    path
    for package in PACKAGES
    for path in package.rglob("*.py")
    if path != package / "__init__.py"
)


def place_of(path: Path) -> tuple[str, str]:
    """Name the package, and the module or subpackage directly inside it, of a source file."""
    package, module, *_ = path.relative_to(HELPERS).parts
    return package, module.removesuffix(".py")


@cache
def imported_names(path: Path) -> tuple[str, ...]:
    """Give the full dotted name of everything that a source file imports, at any depth."""
    return tuple(_imported_names(path))


def _imported_names(path: Path) -> Iterator[str]:
    package = list(path.relative_to(HELPERS).parent.parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{stem}.{alias.name}" for alias in node.names)


def top_level_packages_loaded_by(statement: str) -> set[str]:
    """Run a statement in a new interpreter; give what it loaded from outside the library."""
    code = (
        "import sys; before = set(sys.modules)\n"
        f"{statement}\n"
        "names = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(*sorted(names - sys.stdlib_module_names))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=PACKAGE.parent,
    )
    return set(run.stdout.split())


def test_importing_leverage_loads_numpy_and_nothing_else() -> None:
    assert top_level_packages_loaded_by("import leverage") == {"leverage", "numpy"}


def test_using_the_core_loads_numpy_and_nothing_else() -> None:
    statement = "import leverage; leverage.liquidation_price(1, [1, 2], 1, [0.1, 0.2], 0.005)"
    assert top_level_packages_loaded_by(statement) == {"leverage", "numpy"}


def test_paths_and_a_small_simulation_need_neither_pandas_nor_numba() -> None:
    statement = (
        "import leverage.paths; from leverage.survival import simulate_touches as simulate; "
        "found = simulate(1.0, [0.9], 0.6, 5, paths=5, seed=1)"
    )
    assert not {"pandas", "numba", "matplotlib"} & top_level_packages_loaded_by(statement)


def test_everything_but_the_lessons_can_be_imported_without_pandas() -> None:
    # candle_files reads the archives that `make history` fetches.
    modules = [
        ".".join(["leverage", *path.relative_to(PACKAGE).with_suffix("").parts])
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.relative_to(PACKAGE).parts[0] != "lessons"
        and path.stem not in {"__init__", "__main__", "candle_files", "_pandas"}
    ]
    blocked = "import sys; sys.modules.update(dict.fromkeys(['pandas', 'matplotlib', 'numba']))"
    assert "leverage" in top_level_packages_loaded_by(f"{blocked}; import {', '.join(modules)}")


@pytest.mark.parametrize("name", ["pandas", "matplotlib", "ipywidgets", "IPython"])
def test_importing_leverage_leaves_heavy_packages_alone(name: str) -> None:
    assert name not in top_level_packages_loaded_by("import leverage")


def test_every_module_has_a_place_in_the_order() -> None:
    places = {place_of(path) for path in SOURCES}
    assert places <= set(LAYER) | {("classroom", name) for name in APART}, "give it a layer"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(HELPERS)))
def test_imports_inside_a_package_run_one_way_only(path: Path) -> None:
    package, own = place_of(path)
    for name in imported_names(path):
        root, _, rest = name.partition(".")
        other = rest.partition(".")[0]
        if root != package or other == own or ((root, other) not in LAYER and other not in APART):
            continue
        if own in APART:
            assert other in APART[own], f"{own} stands apart and must not import {name}"
        else:
            assert LAYER.get((root, other), 99) < LAYER[package, own], (
                f"{own} must not import {name}"
            )


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_no_modules_import_each_other_in_a_circle(package: Path) -> None:
    """At any depth: an import inside a function closes a circle as well, only later."""
    modules = {
        ".".join(path.relative_to(HELPERS).with_suffix("").parts).removesuffix(".__init__"): path
        for path in package.rglob("*.py")
    }
    graph = {
        module: {
            found
            for name in imported_names(path)
            for found in [name if name in modules else name.rpartition(".")[0]]
            if found in modules and found != module
        }
        for module, path in modules.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as circle:
        pytest.fail(" → ".join(reversed(circle.args[1])))


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.name)
def test_leverage_never_imports_classroom(path: Path) -> None:
    assert not [name for name in imported_names(path) if name.split(".")[0] == "classroom"]


def test_all_lists_every_public_name_once_and_in_order() -> None:
    names = set(leverage.__all__)
    # Constants, then classes, then functions.
    order = sorted(names, key=lambda name: (not name.isupper(), name[0].islower(), name))
    assert leverage.__all__ == order
    core = {"contracts", "rounding", "tiers", "margin", "costs", "accounts", "sizing", "portfolio"}
    public = {
        name
        for module in sorted(core)
        for name, value in vars(sys.modules[f"leverage.{module}"]).items()
        if getattr(value, "__module__", "") == f"leverage.{module}" and not name.startswith("_")
    }
    assert public | {"CourseWarning", "LONG", "SHORT"} == set(leverage.__all__)


def test_version_is_the_one_in_pyproject() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert leverage.__version__ == project["version"]


def test_type_hints_are_published() -> None:
    assert (PACKAGE / "py.typed").is_file()
