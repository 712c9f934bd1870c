#!/bin/sh
# The alpha gate's automation: gate A3 with evidence, its bundle verified, every command logged. Options as of `spiral run`.
cd "$(dirname "$0")/.." || exit 2
[ -x .venv/bin/python ] && exec .venv/bin/python -m pytest_spiral.cli.main run A3 "$@"
exec "${PYTHON:-python3}" -m pytest_spiral.cli.main run A3 "$@"
