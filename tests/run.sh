#!/usr/bin/env bash
# Everything that CI runs; `make test` and `make lint` call it with the environment's bin/ on PATH.
set -euo pipefail
cd "$(dirname "$0")/.."

echo "== format, lint, types, spelling"
ruff format --check --quiet .
ruff check --quiet .
mypy
codespell
if [ "${1:-}" = lint ]; then exit 0; fi

if ! python -c 'import sys; from leverage.lessons.browser import find_browser; sys.exit(find_browser() is None)'; then
  echo "== a browser for the browser tests"
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null
  else
    python -m playwright install chromium
  fi
fi

echo "== tests: unit, properties, golden, doctests, lessons, classroom, notebooks (strict nbval), environment, browser"
python -m pytest -n 2 --dist loadfile --nbval --nbval-current-env --nbval-cell-timeout 120 \
  tests helpers solutions
