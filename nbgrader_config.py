"""nbgrader's view of this folder: sources in solutions/, releases in course/, a class in class/.

Stock nbgrader commands (generate_assignment, autograde, formgrader, generate_feedback) work here.
"""

from contextlib import suppress
from pathlib import Path

from nbconvert.preprocessors import ClearMetadataPreprocessor, CSSHTMLHeaderPreprocessor
from nbgrader.preprocessors import (
    AssignLatePenalties,
    CheckCellMetadata,
    ClearHiddenTests,
    ClearMarkScheme,
    ClearOutput,
    ComputeChecksums,
    GetGrades,
    IgnorePattern,
    IncludeHeaderFooter,
    LimitOutput,
    LockCells,
    SaveAutoGrades,
    SaveCells,
)

from classroom.authoring.release_steps import ClearSolutionsKeepStub, NoteCells
from classroom.marking.marking_steps import HideTests, SandboxedExecute, ShowSafely

c = get_config()  # type: ignore[name-defined]  # noqa: F821  (given by the loader of this file)

c.CourseDirectory.course_id = "leverage_course"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "course"
c.CourseDirectory.submitted_directory = "class/submitted"
c.CourseDirectory.autograded_directory = "class/autograded"
c.CourseDirectory.feedback_directory = "class/feedback"
c.CourseDirectory.solution_directory = "class/solution"
CLASS_FOLDER = Path(__file__).resolve().parent / "class"
c.CourseDirectory.db_url = f"sqlite:///{CLASS_FOLDER / 'gradebook.db'}"
with suppress(OSError):  # a read-only checkout can still be validated and released
    CLASS_FOLDER.mkdir(exist_ok=True)
# Texts, quizzes and banks hold the solutions: they stay out of every release.
c.CourseDirectory.ignore = [
    ".ipynb_checkpoints",
    "*.pyc",
    "__pycache__",
    "*.md",
    "*.yml",
    "feedback",
    # Formgrader serves files of a submission from the address that has the gradebook.
    "*.htm*",
    "*.xht*",
    "*.xml",
    "*.svg*",
    "*.js",
    "*.mjs",
]

# `nbgrader zip_collect` on class/downloaded/CHAPTER/archive/: names are read, and archives refused,
# as by `classroom collect`.
c.ZipCollectApp.downloaded_directory = "class/downloaded"
c.ZipCollectApp.extractor_plugin = "classroom.desk.collect.RefusingExtractor"
c.ZipCollectApp.collector_plugin = "classroom.desk.collect.RosterCollector"

c.GenerateAssignment.preprocessors = [
    IncludeHeaderFooter,
    LockCells,
    ClearSolutionsKeepStub,
    ClearOutput,
    CheckCellMetadata,
    ComputeChecksums,
    SaveCells,
    ClearHiddenTests,
    ClearMarkScheme,
    ComputeChecksums,
    CheckCellMetadata,
    NoteCells,
]

# nbgrader's own list; its Execute runs in the sandbox, and what would run on the page where a
# notebook is marked is taken out at the end. --SandboxedExecute.sandbox=False is nbgrader's own.
c.Autograde.autograde_preprocessors = [
    SandboxedExecute,
    IgnorePattern,
    ClearMetadataPreprocessor,
    LimitOutput,
    SaveAutoGrades,
    AssignLatePenalties,
    CheckCellMetadata,
    ShowSafely,
]
# Formgrader's page: cleaned when it is shown too, and with the exporter's own cleaning on top.
c.HTMLExporter.preprocessors = [ShowSafely]
c.HTMLExporter.sanitize_html = True

# Feedback shows the failed check's hint, never a hidden test.
c.GenerateFeedback.preprocessors = [GetGrades, HideTests, CSSHTMLHeaderPreprocessor]

# ipykernel warns at every start that its local sockets are not encrypted.
c.Execute.extra_arguments = ["--IPKernelApp.log_level=ERROR"]

# A deleted test cell comes back before grading instead of leaving the exercise ungraded for ever.
c.OverwriteCells.add_missing_cells = True
