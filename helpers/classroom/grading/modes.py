"""How a test asks for a student's answers.

Of a copy of the student's process that can leave no trace, of a copy that may write files, or
inside a copy, where the test needs the student's own objects. The first that accepts the release's
own solution is used.
"""

LOCKED, OPEN, INSIDE = MODES = ("locked", "open", "inside")
