"""The sheet about what was done: honest, self-contained, safe to open, and private."""

import datetime
import html.parser
import os
import re
import stat
import sys
from pathlib import Path

import pytest

from leverage.lessons import browser, completion, completion_sheet, manifest, progress
from leverage.lessons.completion import sheet_html

DAY = datetime.date(2026, 11, 22)


class Tags(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.names, self.attributes, self.texts = [], [], []

    def handle_starttag(self, tag, attrs):
        self.names.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]

    def handle_data(self, data):
        self.texts.append(data)


def parsed(page):
    tags = Tags()
    tags.feed(page)
    return tags


def sheet(name="Ada", passed=()):
    record = {key: {"passed": True, "attempts": 1, "hint": ""} for key in passed}
    return sheet_html(name, record, manifest.load_chapters(), DAY)


def words(page):
    return " ".join(" ".join(parsed(page).texts).split())


def test_the_sheet_says_what_was_done_and_when():
    text = words(sheet(passed=["ch01_a_value", "ch01_b_borrowed"]))
    assert "Ada" in text
    assert "22 November 2026" in text
    assert "4 of 6 points, 1 of 1 safety item, and 1 of 2 chapters mastered" in text
    assert "1. Basics 4 of 5 1 of 1 yes" in text
    assert "2. Margin 0 of 1 0 of 0 not yet" in text


def test_the_sheet_says_that_it_proves_nothing():
    text = words(sheet())
    assert "no certificate of competence" in text
    assert "Nobody has verified it" in text
    assert "neither are hidden checks" in text


def test_an_empty_record_is_told_as_such():
    assert "Nothing is recorded yet" in words(sheet())


def test_a_course_that_is_not_installed_still_gives_a_sheet(monkeypatch):
    monkeypatch.setattr(manifest, "load_chapters", dict)
    assert "The list of chapters is not installed" in words(sheet())


@pytest.mark.parametrize(
    "name",
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "</p><iframe src='https://example.org'>",
        "{date} {rows} {0} %s &amp; &lt;",
        "<!-- --><style>*{display:none}</style>",
    ],
)
def test_a_hostile_name_is_text_and_nothing_else(name):
    page, plain = sheet(name), sheet("Ada")
    assert parsed(page).names == parsed(plain).names
    assert parsed(page).attributes == parsed(plain).attributes
    assert name in "".join(parsed(page).texts)


def test_characters_that_hide_or_turn_text_round_are_left_out():
    assert "Ada Lovelace" in words(sheet("A\u200bda\u202e \x00Lovelace\n\n").replace("A da", "Ada"))
    page = sheet("\u202eevil\u2066\x1b[31m")
    assert not set("\u202e\u2066\x1b\x00") & set(page)


@pytest.mark.parametrize("name", ["", "  \n", "\u200b", None, 7, b"Ada"])
def test_a_name_must_be_a_text_that_can_be_read(name):
    with pytest.raises(ValueError, match="name must be a text"):
        sheet(name)


def test_a_name_has_its_longest_length():
    assert "x" * 80 in sheet("x" * 80)
    with pytest.raises(ValueError, match="at most 80 characters, has 81"):
        sheet("x" * 81)


def test_the_page_loads_nothing():
    page = sheet()
    assert "default-src 'none'" in page
    tags = parsed(page)
    assert not {"script", "link", "img", "iframe", "object"} & set(tags.names)
    assert not [pair for pair in tags.attributes if pair[1] in ("src", "href")]
    assert not re.search(r"https?:|url\(|@import", page)


def test_titles_of_chapters_are_text_too(monkeypatch):
    chapters = {"01_x": {"title": "<b>x</b>", "items": {"ch01_a_b": {"points": 1}}}}
    monkeypatch.setattr(manifest, "load_chapters", lambda: chapters)
    assert "&lt;b&gt;x&lt;/b&gt;" in sheet()


def test_the_sheet_is_written_beside_the_record_and_the_record_is_left_alone(capsys):
    progress.record("ch01_a_value", passed=True)
    before = progress.progress_file().read_bytes()
    (made,) = completion_sheet("Ada", pdf=False)
    assert made == progress.progress_file().with_name("completion.html")
    assert "2 of 6 points" in made.read_text(encoding="utf-8")
    assert progress.progress_file().read_bytes() == before
    assert "beside your progress record" in capsys.readouterr().out


def test_without_a_browser_the_page_is_written_and_the_reason_said(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(completion, "find_browser", lambda: None)
    assert [path.name for path in completion_sheet("Ada", tmp_path)] == ["completion.html"]
    said = " ".join(capsys.readouterr().out.split())
    assert "no Chromium-like browser was found" in said
    assert "print it from there" in said


@pytest.mark.skipif(os.name == "nt", reason="a stand-in that is a shell script")
@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("exit 3", "could not print it (CalledProcessError)"),
        ("exit 0", "could not print it (FileNotFoundError)"),
        ('for a in "$@"; do case $a in --print-to-pdf=*) echo no > "${a#*=}";; esac; done', "no PDF"),
    ],
)  # fmt: skip
def test_a_browser_that_fails_leaves_the_page_and_an_older_pdf(
    tmp_path, monkeypatch, capsys, script, reason
):
    program = tmp_path / "browser"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("CHROMIUM", str(program))
    older = tmp_path / "completion.pdf"
    older.write_bytes(b"%PDF-older")
    assert len(completion_sheet("Ada", tmp_path)) == 1
    assert reason in " ".join(capsys.readouterr().out.split())
    assert older.read_bytes() == b"%PDF-older"


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(ValueError, match="folder must be a place where files can be made"):
        completion_sheet("Ada", tmp_path / "file" / "inside", pdf=False)


def test_the_browser_is_told_to_find_no_address_and_to_keep_no_profile(tmp_path, monkeypatch):
    seen = []

    def run(command, **options):
        seen.extend(command)
        target = next(part for part in command if part.startswith("--print-to-pdf="))
        Path(target.partition("=")[2]).write_bytes(b"%PDF-1.4")
        assert options["timeout"] == browser.PRINT_SECONDS

    monkeypatch.setattr(browser.subprocess, "run", run)
    page = tmp_path / "a page.html"
    page.write_text("x", encoding="utf-8")
    assert browser.print_pdf(page, tmp_path / "a.pdf", "chromium") == ""
    assert "--host-resolver-rules=MAP * ~NOTFOUND" in seen
    assert "--disable-background-networking" in seen
    profile = next(part for part in seen if part.startswith("--user-data-dir="))
    assert not Path(profile.partition("=")[2]).exists()


def test_a_named_browser_comes_first(monkeypatch):
    monkeypatch.setenv("CHROMIUM", sys.executable)
    assert browser.find_browser() == sys.executable
    monkeypatch.setenv("CHROMIUM", "no-such-browser")
    assert browser.find_browser() is None


@pytest.mark.skipif(browser.find_browser() is None, reason="no browser on this computer")
def test_a_browser_prints_one_page_of_pdf(tmp_path):
    page, printed = completion_sheet("Ada <i>Lovelace</i>", tmp_path, date=DAY)
    content = printed.read_bytes()
    assert content.startswith(b"%PDF-")
    assert content.rstrip().endswith(b"%%EOF")
    assert len(re.findall(rb"/Type\s*/Page\b(?!s)", content)) == 1
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix != ".json") == [
        page.name,
        printed.name,
    ]
