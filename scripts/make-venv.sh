#!/bin/sh
# Makes or renews .venv: the project, editable, with what its tests and its development need, at the locked versions.
set -eu
cd "$(dirname "$0")/.."
python=$(scripts/find-python.sh) || {
    echo "make-venv: no Python 3.11 to 3.13 that can make virtual environments; see scripts/install-packages.sh" >&2
    exit 1
}
# The stamp names everything that decides what the environment holds, so that an unchanged one costs nothing.
# The folder counts as well: an environment that was moved no longer works.
stamp=$({ "$python" -c 'import sys; print(sys.version)'; pwd; cat pyproject.toml requirements.lock; } | sha256sum)
[ "$(cat .venv/stamp 2>/dev/null)" != "$stamp" ] || exit 0

echo "make-venv: installing into .venv with $python" >&2
# An environment of another Python would mix both; one of the same is kept, since others may be running from it.
[ "$(.venv/bin/python -c 'import sys; print(sys.version)' 2>/dev/null)" = "$("$python" -c 'import sys; print(sys.version)')" ] ||
    "$python" -m venv --clear .venv
.venv/bin/pip install --quiet --quiet --constraint requirements.lock --editable '.[test,dev]'
echo "$stamp" >.venv/stamp
