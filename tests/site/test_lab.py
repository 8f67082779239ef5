"""The course in the browser, without the internet: JupyterLite, its kernel, our wheel in its lock."""

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright
from webassembly import offline_lock

from classroom.authoring.lite import KERNEL, NEEDS, PYODIDE_ADDRESS, kernel_lock, make_lab
from classroom.project import Project
from leverage.lessons.browser import find_browser

pytestmark = pytest.mark.browser

START_MS = 180_000
# Runs code in the open notebook's kernel and gives what it printed.
RUN = """async code => {
  const sessions = window.jupyterapp.serviceManager.sessions;
  let session;
  for (let k = 0; k < 600 && !session; k++) {
    session = [...sessions.running()][0];
    if (!session) await new Promise(done => setTimeout(done, 200));
  }
  const future = sessions.connectTo({model: session}).kernel.requestExecute({code});
  let printed = "";
  future.onIOPub = ({content}) => {
    printed += content.text ?? (content.ename ? `${content.ename}: ${content.evalue}` : "");
  };
  await future.done;
  return printed;
}"""
CHECK = """
from leverage.lessons import exercise
with exercise("ch01_a_value") as check:
    check.result("position_value", (1_000, 10), 10_000, unit="USD", hint="Multiply.")
"""


@pytest.fixture(scope="module")
def lab(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """JupyterLite as it is published."""
    target = tmp_path_factory.mktemp("lite") / "lab"
    make_lab(Project(root), target)
    return target


def test_all_student_notebooks_pages_and_flash_cards_are_in_it(root: Path, lab: Path) -> None:
    course = root / "course"
    files = {path.relative_to(course) for path in course.rglob("*") if path.is_file()}
    files = {path for path in files if ".ipynb_checkpoints" not in path.parts}
    there = {path.relative_to(lab / "files") for path in (lab / "files").rglob("*")}
    assert len(files) > 15
    assert files <= there
    listed = json.loads((lab / "api" / "contents" / "all.json").read_text(encoding="utf-8"))
    assert {row["name"] for row in listed["content"]} >= {"01_basics", "glossary.ipynb"}


def test_the_kernel_finds_our_wheel_and_fetches_from_pyodide_alone(lab: Path) -> None:
    lock = json.loads((lab / "kernel" / "pyodide-lock.json").read_text(encoding="utf-8"))
    packages = lock["packages"]
    assert packages["leverage-course"]["imports"] == ["classroom", "leverage"]
    assert packages["leverage-course"]["depends"] == list(NEEDS)
    names = {name.replace("_", "-") for name in (*KERNEL, *NEEDS)}
    for row in packages.values():
        names |= {name.replace("_", "-").lower() for name in row["depends"]}
    assert names <= set(packages), "the kernel would ask a registry for these"
    for name, row in packages.items():
        here = lab / "kernel" / row["file_name"]
        assert row["file_name"].startswith(PYODIDE_ADDRESS) or here.is_file(), name
    settings = json.loads((lab / "jupyter-lite.json").read_text(encoding="utf-8"))
    (kernel,) = settings["jupyter-config-data"]["litePluginSettings"].values()
    assert kernel["disablePyPIFallback"] is True


def test_a_lock_keeps_pyodides_hashes(root: Path) -> None:
    listed = json.loads((root / "book" / "pyodide-lock.json").read_text(encoding="utf-8"))
    lock = kernel_lock(listed, [], "https://there/")
    assert lock["packages"]["numpy"]["sha256"] == listed["packages"]["numpy"]["sha256"]
    assert lock["packages"]["numpy"]["file_name"].startswith("https://there/numpy-2")


@pytest.fixture(scope="module")
def page(root: Path, lab: Path) -> Iterator[tuple[Page, list[str]]]:
    """A notebook open in a browser that reaches this machine only, and what it asked of others."""
    offline_lock(lab, root / ".cache" / "npm")

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    serve = functools.partial(Quiet, directory=str(lab.parent))
    server = ThreadingHTTPServer(("127.0.0.1", 0), serve)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/"
    asked: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=["--no-sandbox"])
        opened = browser.new_page()
        opened.on(
            "request",
            lambda r: r.url.startswith((address, "data:", "blob:")) or asked.append(r.url),
        )
        opened.goto(f"{address}lab/lab/index.html?path=01_basics/01_basics.ipynb")
        opened.wait_for_selector(".jp-NotebookPanel .jp-Cell", timeout=START_MS)
        yield opened, asked
        browser.close()
    server.shutdown()


def test_a_learner_answers_in_the_browser_and_progress_survives_a_reload(
    page: tuple[Page, list[str]],
) -> None:
    opened, asked = page

    def run(code: str) -> str:
        return str(opened.evaluate(RUN, code))

    said = run(
        "import sys, leverage; print(sys.platform, leverage.liquidation_price(1, 50_000, 1, 5_000, 0.004))"
    )
    assert said.startswith("emscripten 45180.7228")
    wrong = run("position_value = lambda margin, leverage: margin + leverage" + CHECK)
    assert "1.A value" in wrong
    assert "Multiply." in wrong
    right = run("position_value = lambda margin, leverage: margin * leverage" + CHECK)
    assert "✓ 1.A value" in right
    assert "Note:" not in wrong + right, "the record could not be kept"
    odds = run(
        "from leverage.survival import simulate_touches as s; "
        "print(s(50_000, [45_000], 0.6, 100, paths=2_000, seed=1, threads=4)['level 0'])"
    )
    from leverage.survival import simulate_touches

    here = simulate_touches(50_000, [45_000], 0.6, 100, paths=2_000, seed=1, threads=4)["level 0"]
    assert odds.strip() == str(here)
    assert "do not run in the browser" in run(
        "from leverage.lessons import show_progress; show_progress('01_basics')"
    )
    opened.reload()
    opened.wait_for_selector(".jp-NotebookPanel .jp-Cell", timeout=START_MS)
    kept = run("from leverage.lessons.progress import read_record; print(read_record())")
    assert "'ch01_a_value': {" in kept
    assert "'passed': True" in kept
    assert "'attempts': 2" in kept
    assert not asked
