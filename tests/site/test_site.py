"""The built site: whole, linked, without a secret, and without a request to anywhere else."""

from __future__ import annotations

import functools
import json
import re
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
from playwright.sync_api import Browser, sync_playwright

from classroom.authoring.book import make_site
from classroom.authoring.trial import is_test
from classroom.project import Project
from leverage import LONG, liquidation_price
from leverage.lessons.browser import find_browser

pytestmark = pytest.mark.browser

# What the theme and JupyterLite bring along.
PARTS = {"_static", "lab"}
WIDTHS = {"wide": 1280, "phone": 390}


class Tags(HTMLParser):
    """What a page holds that leads somewhere or is led to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))

    @property
    def anchors(self) -> set[str]:
        return {attrs["id"] for _, attrs in self.found if "id" in attrs}


@pytest.fixture(scope="module")
def project(root: Path) -> Project:
    """The checkout."""
    return Project(root)


@pytest.fixture(scope="module")
def site(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built once for this file; no warning, or the build fails."""
    target = tmp_path_factory.mktemp("site") / "_site"
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("GITHUB_REPOSITORY", raising=False)
        make_site(project, target)
    return target


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[str, Tags]:
    """All pages of the book."""
    found = [path for path in site.rglob("*.html") if path.relative_to(site).parts[0] not in PARTS]
    return {
        path.relative_to(site).as_posix(): Tags(path.read_text(encoding="utf-8")) for path in found
    }


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """The site, served on this machine."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser without a window."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=find_browser(), args=["--no-sandbox"])
        yield opened
        opened.close()


def test_every_text_and_every_function_has_its_page(
    project: Project, pages: dict[str, Tags]
) -> None:
    texts = {f"{text.name}.html" for text in project.texts()}
    assert texts | {"glossary.html", "formula_sheet.html", "index.html"} <= set(pages)
    assert {"instructors.html", "accessibility.html", "search.html"} <= set(pages)
    import leverage

    shown = set().union(*(page.anchors for name, page in pages.items() if "reference/" in name))
    missing = [
        name
        for name in leverage.__all__
        for home in [getattr(getattr(leverage, name), "__module__", "._")]
        if "._" not in home and f"{home}.{name}" not in shown
    ]
    assert not missing


def test_a_page_of_a_function_shows_its_formula_and_an_example(site: Path) -> None:
    text = (site / "reference" / "leverage.margin.html").read_text(encoding="utf-8")
    assert "<math" in text
    assert "position_value" in text


def test_every_link_inside_the_site_leads_somewhere(site: Path, pages: dict[str, Tags]) -> None:
    broken = []
    for name, page in pages.items():
        for _, attrs in page.found:
            for goal in filter(None, (attrs.get("href"), attrs.get("src"))):
                parts = urlsplit(goal)
                if parts.scheme or parts.netloc:
                    continue
                path = (site / name).parent / unquote(parts.path) if parts.path else site / name
                target = path.resolve()
                key = target.relative_to(site.resolve()).as_posix() if target.exists() else ""
                if not target.exists():
                    broken.append(f"{name}: {goal}")
                elif parts.fragment and key in pages:
                    anchor = unquote(parts.fragment)
                    if anchor not in pages[key].anchors and anchor != "":
                        broken.append(f"{name}: {goal}")
    assert not broken, broken[:20]


def test_every_term_of_the_glossary_has_a_real_anchor(
    project: Project, pages: dict[str, Tags]
) -> None:
    notebook = nbformat.read(project.glossary_notebook, as_version=4)
    terms = {cell["id"] for cell in notebook.cells if cell["id"].startswith("term-")}
    assert terms
    linked = {
        attrs["href"].partition("#")[2]
        for page in pages.values()
        for tag, attrs in page.found
        if tag == "a" and "glossary.html#" in attrs.get("href", "")
    }
    assert linked >= {"term-margin", "term-leverage"}
    assert {term for term in linked if term.startswith("term-")} <= pages["glossary.html"].anchors


def test_nothing_is_loaded_from_anywhere_else(pages: dict[str, Tags]) -> None:
    loaded = {
        attrs.get("src") or attrs.get("href", "")
        for page in pages.values()
        for tag, attrs in page.found
        if tag in {"script", "img", "iframe"}
        or (tag == "link" and attrs.get("rel") in {"stylesheet", "preload", "icon"})
    }
    assert not [goal for goal in loaded if urlsplit(goal).netloc]


def test_every_picture_has_a_description(pages: dict[str, Tags]) -> None:
    bare = [
        f"{name}: {attrs.get('src')}"
        for name, page in pages.items()
        for tag, attrs in page.found
        if tag == "img" and len(attrs.get("alt", "")) < 20
    ]
    assert not bare


def test_no_solution_hidden_test_or_check_is_in_the_book(project: Project, site: Path) -> None:
    solutions = json.loads(project.solved.read_text(encoding="utf-8"))
    for text in (*project.chapters(), *project.reviews()):
        student = nbformat.read(text.student_notebook, as_version=4)
        given = "\n".join(cell.source for cell in student.cells if not is_test(cell))
        html = (site / f"{text.name}.html").read_text(encoding="utf-8")
        words = re.sub(r"<[^>]+>", "", html)
        checks = [cell.source for cell in student.cells if is_test(cell)]
        assert checks
        secret = [
            line.strip()
            for key, solution in solutions.items()
            if key.startswith(f"{text.prefix}_")
            for line in solution.splitlines()
            if len(line.strip()) > 25 and line.strip() not in given
        ]
        assert [line for line in secret if line in words] == [], text.name
        assert "with exercise(" not in words
        assert "HIDDEN TESTS" not in words
        assert "BEGIN SOLUTION" not in words


def test_the_sitemap_and_the_preview_name_the_published_address(
    project: Project, site: Path, pages: dict[str, Tags]
) -> None:
    owner, name = project.repository.split("/")
    address = f"https://{owner}.github.io/{name}/"
    places = re.findall(r"<loc>(.*?)</loc>", (site / "sitemap.xml").read_text(encoding="utf-8"))
    assert f"{address}01_basics.html" in places
    for place in places:
        assert (site / place.removeprefix(address)).exists(), place
    metas = [attrs for tag, attrs in pages["index.html"].found if tag == "meta"]
    (image,) = {a["content"] for a in metas if a.get("property") == "og:image"}
    assert (site / image.removeprefix(address)).read_bytes().startswith(b"\x89PNG")


def test_the_slider_gives_the_liquidation_price_of_every_leverage(
    browser: Browser, address: str
) -> None:
    page = browser.new_page()
    page.goto(f"{address}index.html")
    slider = page.locator("#slider-leverage")
    still = page.locator("#slider-words").inner_text()
    for leverage in range(2, 101):
        slider.evaluate(
            "(it, to) => { it.value = to; it.dispatchEvent(new Event('input')); }", leverage
        )
        price = liquidation_price(LONG, 50_000, 1, 50_000 / leverage, 0.004)
        words = page.locator("#slider-words").inner_text().replace("\u202f", "")
        assert f"closed by force at {price:.2f} USD" in words
        assert f"a fall of {100 * (1 - price / 50_000):.2f} %" in words
    slider.evaluate("it => { it.value = 10; it.dispatchEvent(new Event('input')); }")
    assert page.locator("#slider-words").inner_text() == still
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("#slider-shown").inner_text() == "11x"
    page.close()


def test_without_a_script_the_slider_is_a_still_picture_that_is_true(
    browser: Browser, address: str
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}index.html")
    price = liquidation_price(LONG, 50_000, 1, 5_000, 0.004)
    words = page.locator("#slider-words").inner_text().replace("\u202f", "").replace(" ", "")
    assert f"at{price:.2f}USD" in words
    context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_pages_fit_and_ask_nobody_else(
    browser: Browser, address: str, width: str, theme: str
) -> None:
    context = browser.new_context(
        viewport={"width": WIDTHS[width], "height": 800}, color_scheme=theme
    )
    page = context.new_page()
    wrong: list[str] = []
    page.on("request", lambda r: r.url.startswith((address, "data:")) or wrong.append(r.url))
    page.on("response", lambda r: r.status < 400 or wrong.append(f"{r.status} {r.url}"))
    page.on("console", lambda m: m.type != "error" or wrong.append(m.text))
    for name in ("index", "01_basics", "02_platforms", "glossary", "reference/leverage.margin"):
        page.goto(f"{address}{name}.html")
        assert page.evaluate("document.documentElement.scrollWidth") <= WIDTHS[width], name
        assert page.evaluate("document.documentElement.dataset.theme") == theme
        ground = page.evaluate(
            "[...document.querySelectorAll('.cell_output img')]"
            ".map(i => getComputedStyle(i).backgroundColor + getComputedStyle(i).filter)"
        )
        assert set(ground) <= {"rgb(255, 255, 255)none"}
    assert not wrong
    context.close()
