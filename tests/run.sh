#!/usr/bin/env bash
# Everything that CI runs; `make test`, `make lint` and `make quick` call it with the environment's
# bin/ on PATH: run.sh [lint | quick [CHAPTER]].
set -euo pipefail
cd "$(dirname "$0")/.."
# What is written is compiled once, not by each of some hundred processes.
unset PYTHONDONTWRITEBYTECODE
python -m compileall -q helpers

echo "== format, lint, types, spelling"
ruff format --check --quiet .
ruff check --quiet .
mypy
codespell
if [ "${1:-}" = lint ]; then exit 0; fi

if [ "${1:-}" = quick ]; then
  chapter=${2:-}
  quick=(python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder --hypothesis-profile=quick)
  if [ -n "$chapter" ]; then
    echo "== build $chapter"
    classroom build "$chapter"
    echo "== $chapter: in order, runs as stored, scores, every answer of its bank and quizzes"
    "${quick[@]}" --chapter "$chapter" --nbval --nbval-current-env --nbval-cell-timeout 120 \
      tests/notebooks tests/grading/test_parity_of_*.py "solutions/$chapter"
    left="the other chapters; tests of the code"
  else
    echo "== the code without what starts other programs, and one chapter"
    "${quick[@]}" --chapter 00_start_here tests/{unit,properties,golden,venues,survival,history} \
      tests/{paper,bots,crashes,plans,lessons,notebooks} helpers \
      --ignore tests/lessons/test_explorers.py --ignore tests/lessons/test_trading_terminal.py \
      --ignore tests/plans/test_periods.py -k "not from_the_command_line"
    left="all chapters but one; nine of ten examples of each law; the explorers with their extremes;"
    left+=" plans run over all periods; nbgrader's command line; tests/paper_proof, classroom,"
    left+=" grading, grading_command, site, environment and browser"
  fi
  echo "Left out: $left. Before you push: make test"
  exit 0
fi

if ! python -c 'import sys; from leverage.lessons.browser import find_browser; sys.exit(find_browser() is None)'; then
  echo "== a browser for the browser tests"
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null
  else
    python -m playwright install chromium
  fi
fi

echo "== tests: of the code and its examples, the notebooks (strict nbval), grading, the site, environments, browser"
python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --nbval --nbval-current-env --nbval-cell-timeout 120 \
  tests helpers solutions
