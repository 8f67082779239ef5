"""The command `classroom`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from classroom.errors import ClassroomError
from leverage._extras import extra_command

if TYPE_CHECKING:
    from classroom.marking.room import Room
    from classroom.project import Project

EXIT_OK, EXIT_FINDINGS, EXIT_USAGE, EXIT_INTERRUPTED = 0, 1, 2, 130


def prepare_process() -> None:
    """Make the tools underneath start fast and find each other."""
    # jsonschema uses this module only for one rare format, yet it costs 1.2 s to import.
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # stops the import
    # nbgrader looks for the program `alembic` on PATH, also when the environment is not activated.
    scripts = str(Path(sys.executable).parent)
    folders = os.environ.get("PATH", "").split(os.pathsep)
    if scripts not in folders:
        os.environ["PATH"] = os.pathsep.join([scripts, *folders])
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal that lacks ✓ must not stop a command


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    top = argparse.ArgumentParser(
        prog="classroom",
        description="Build, check, grade and open the leverage course.",
        epilog="Exit codes: 0 all is well, 1 something was found, 2 the command could not do its work.",
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, text: str, *, chapters: str | None = None) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        if chapters:
            sub.add_argument(
                "chapters", nargs=chapters, metavar="CHAPTER", help="01_basics, 1 or basics"
            )
        return sub

    sub = add("lab", "open JupyterLab on course/", chapters="?")
    sub.add_argument("--port", type=int, help="first port to try (default 8888)")
    sub.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    sub.add_argument(
        "--browser",
        action=argparse.BooleanOptionalAction,
        help="open a browser (default: if there is a screen)",
    )
    sub.add_argument(
        "--instructor", action="store_true", help="show nbgrader's tools for instructors too"
    )
    sub = add("build", "make the notebooks from the texts; only what changed", chapters="*")
    sub.add_argument("--force", action="store_true", help="build also what did not change")
    add(
        "check",
        "list everything that is not in order, in texts, answers and notebooks",
        chapters="*",
    )
    sub = add("site", "make the book to read and the course for the browser, in one folder")
    sub.add_argument("--to", type=Path, help="where the site is made (default _site)")
    add(
        "mutants",
        "try small mistakes in every solution and list those no test notices",
        chapters="*",
    )
    add("score", "score your own notebooks, hidden tests included", chapters="*")
    sub = add("collect", "sort hand-ins of Moodle, Canvas, a folder or the exchange into the class")
    sub.add_argument("chapter", metavar="CHAPTER", help="01_basics, 1 or basics")
    sub.add_argument(
        "source", metavar="ZIP", type=Path,
        help="the archive of all submissions, a folder of hand-ins, or nbgrader's exchange",
    )  # fmt: skip
    sub.add_argument(
        "--roster", type=Path, metavar="CSV",
        help="who is in the class: id, name, email, login, ... (kept as class/roster.csv)",
    )  # fmt: skip
    sub = add("grade", "grade a class: sandboxed, resumable; then feedback, CSV and a report")
    sub.add_argument("chapter", metavar="CHAPTER", help="01_basics, 1 or basics")
    sub.add_argument(
        "--student",
        action="append",
        default=[],
        metavar="ID",
        help="only this student (repeatable)",
    )
    sub.add_argument(
        "--exercise",
        action="append",
        default=[],
        metavar="ID",
        help="grade this exercise again, keep all other grades (repeatable)",
    )
    sub.add_argument("--regrade", action="store_true", help="grade again what is graded")
    sub.add_argument(
        "--jobs", type=int, default=0, help="submissions at a time (default: one per core)"
    )
    sub.add_argument("--cluster", default="", metavar="ADDRESS", help="a Dask scheduler's address")
    sub.add_argument(
        "--gradebook", default="", metavar="URL", help="SQLite or PostgreSQL (default: the class's)"
    )
    sub.add_argument("--level", help="isolation to insist on (default: the best there is)")
    sub.add_argument(
        "--allow-limits-only",
        action="store_true",
        help="grade even where nothing keeps students' code from your files",
    )
    sub.add_argument(
        "--no-outputs", action="store_true", help="no feedback, CSV and report afterwards"
    )
    sub = add("grade-one", "grade one notebook and write one result file, for any cluster")
    sub.add_argument("notebook", metavar="NOTEBOOK", type=Path, help="or the folder handed in")
    sub.add_argument("--chapter", required=True, help="01_basics, 1 or basics")
    sub.add_argument(
        "--format", choices=["json", "gradescope", "prairielearn"], default="json",
        help="of the result file (default json)",
    )  # fmt: skip
    sub.add_argument("-o", "--output", type=Path, default=Path("results.json"), metavar="FILE")
    sub.add_argument("--level", help="isolation to insist on (default: the best there is)")
    sub.add_argument(
        "--allow-limits-only",
        action="store_true",
        help="grade even where nothing keeps students' code from your files",
    )
    sub = add("autograder", "pack a chapter's grader for Gradescope or PrairieLearn")
    sub.add_argument("chapter", metavar="CHAPTER", help="01_basics, 1 or basics")
    sub.add_argument("--for", dest="system", choices=["gradescope", "prairielearn"], required=True)
    sub.add_argument("-o", "--output", type=Path, default=Path("autograder.zip"), metavar="FILE")
    sub = add("update", "fetch a newer course and keep every answer")
    sub.add_argument(
        "archive", metavar="ZIP", type=Path, nargs="?",
        help="the newer handout, where this is no git checkout",
    )  # fmt: skip
    sub = add("handout", "pack what learners get: no solutions, no hidden tests", chapters="*")
    sub.add_argument("-o", "--output", type=Path, default=Path("handout.zip"), metavar="FILE")
    sub = add(
        "giveback", "make the grade files and pages that Moodle, Canvas and the exchange take"
    )
    sub.add_argument("chapter", metavar="CHAPTER", help="01_basics, 1 or basics")
    sub.add_argument(
        "--roster", type=Path, metavar="CSV",
        help="who is in the class: id, name, email, login, ... (kept as class/roster.csv)",
    )  # fmt: skip
    sub = add(
        "demo", "grade a made class from end to end and compare with what is expected", chapters="?"
    )
    sub.add_argument("--folder", type=Path, help="where the class is made (default class/demo)")
    add("doctor", "say what is installed, what is missing and how to get it")
    return top


def run_command(arguments: argparse.Namespace) -> int:
    """Run the command that was asked for and return its exit code."""
    from classroom.project import find_project

    project = find_project()
    if arguments.command == "lab":
        from classroom.lab import lab

        lab(
            project,
            chapter=arguments.chapters or "",
            port=arguments.port,
            host=arguments.host,
            browser=arguments.browser,
            instructor=arguments.instructor,
        )
        return EXIT_OK
    if arguments.command == "build":
        from classroom.authoring.build import build

        build(project, project.select(arguments.chapters, pages=True), force=arguments.force)
        return EXIT_OK
    if arguments.command == "check":
        from classroom.authoring.check import check

        findings = check(project, project.select(arguments.chapters, pages=True))
        for finding in findings:
            print(finding)
        print(f"{len(findings)} findings." if findings else "Everything is in order.")
        return EXIT_FINDINGS if findings else EXIT_OK
    if arguments.command == "site":
        from classroom.authoring.book import make_site

        make_site(project, arguments.to or project.root / "_site")
        return EXIT_OK
    if arguments.command == "mutants":
        from classroom.authoring.mutants import mutants

        reached = mutants(project, project.select(arguments.chapters))
        return EXIT_OK if reached else EXIT_FINDINGS
    if arguments.command == "score":
        from classroom.marking.score import score

        score(project, project.select(arguments.chapters))
        return EXIT_OK
    if arguments.command == "collect":
        return run_collect(project, arguments)
    if arguments.command == "grade":
        return run_grade(project, arguments)
    if arguments.command == "grade-one":
        from classroom.desk.single import grade_single

        outcome = grade_single(
            project.select([arguments.chapter])[0], arguments.notebook, arguments.output,
            form=arguments.format, level=arguments.level,
            allow_limits_only=arguments.allow_limits_only,
        )  # fmt: skip
        print(f"{arguments.output}: {outcome.verdict.status}, {outcome.verdict.points:g} points.")
        return EXIT_OK
    if arguments.command == "autograder":
        from classroom.desk.autograder import write_autograder

        chapter = project.select([arguments.chapter])[0]
        write_autograder(project, chapter, arguments.system, arguments.output)
        return EXIT_OK
    if arguments.command == "update":
        from classroom.desk.update import update

        update(project, arguments.archive)
        return EXIT_OK
    if arguments.command == "handout":
        from classroom.desk.handout import write_handout

        everything = (*project.chapters(), *project.reviews())
        chosen = project.select(arguments.chapters) if arguments.chapters else everything
        write_handout(project, chosen, arguments.output)
        return EXIT_OK
    if arguments.command == "giveback":
        from classroom.desk.giveback import giveback
        from classroom.marking.room import find_room

        chapter = project.select([arguments.chapter])[0]
        done = giveback(find_room(project), chapter, roster=arguments.roster)
        return EXIT_FINDINGS if done.left_out else EXIT_OK
    if arguments.command == "demo":
        from classroom.marking.demo import demo

        chapter = project.select([arguments.chapters or "01_basics"])[0]
        folder = arguments.folder or project.root / "class" / "demo"
        rows = demo(project, chapter, folder)
        return EXIT_OK if all(row.agrees for row in rows) else EXIT_FINDINGS
    from classroom.doctor import doctor

    return EXIT_OK if doctor(project) else EXIT_FINDINGS


def run_collect(project: Project, arguments: argparse.Namespace) -> int:
    """Sort hand-ins into the class; exit code 1 if one is nobody's."""
    from classroom.desk.collect import NOT_MATCHED, collect
    from classroom.marking.room import find_room

    chapter = project.select([arguments.chapter])[0]
    rows = collect(find_room(project), chapter, arguments.source, roster=arguments.roster)
    return EXIT_FINDINGS if any(row.result == NOT_MATCHED for row in rows) else EXIT_OK


def run_grade(project: Project, arguments: argparse.Namespace) -> int:
    """Grade a class; exit code 1 if a submission needs an instructor's look, 130 if stopped."""
    from classroom.marking.grade import Options, grade, outputs
    from classroom.marking.room import find_room

    chapter = project.select([arguments.chapter])[0]
    room: list[Room] = []

    def find() -> Room:
        room.append(find_room(project, gradebook=arguments.gradebook))
        return room[0]

    options = Options(
        students=tuple(arguments.student),
        exercises=tuple(arguments.exercise),
        regrade=arguments.regrade,
        workers=arguments.jobs or os.cpu_count() or 1,
        level=arguments.level,
        allow_limits_only=arguments.allow_limits_only,
        cluster=arguments.cluster,
    )
    done = grade(chapter, options, find=find)
    if done.stopped:
        return EXIT_INTERRUPTED
    if done.total and not arguments.no_outputs:
        outputs(room[0], chapter)
    look = done.unusable or done.misplaced or done.flagged
    return EXIT_FINDINGS if look else EXIT_OK


def main(argv: Sequence[str] | None = None) -> int:
    """Run `classroom`; a mistake that a person can mend ends in one sentence and exit code 2."""
    prepare_process()
    arguments = parser().parse_args(argv)
    try:
        return run_command(arguments)
    except ClassroomError as error:
        print(f"classroom {arguments.command}: {error}", file=sys.stderr)
        return EXIT_USAGE
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in ("", "classroom", "leverage"):
            raise
        print(
            f"classroom {arguments.command}: {error.name} is not installed; "
            f"in the folder of the course, {extra_command('classroom')} brings it",
            file=sys.stderr,
        )
        return EXIT_USAGE
    except OSError as error:
        if isinstance(error, BrokenPipeError):  # the reader went away: classroom check | head
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return EXIT_OK
        place = f" {error.filename}" if error.filename else ""
        print(
            f"classroom {arguments.command}: cannot read or write{place}: {error.strerror or error}; "
            "check the folder's permissions and that the disk has room",
            file=sys.stderr,
        )
        return EXIT_USAGE
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return EXIT_INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
