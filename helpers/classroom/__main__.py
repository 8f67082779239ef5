"""`python -m classroom` does what the command `classroom` does."""

import sys

from classroom.cli import main

sys.exit(main())
