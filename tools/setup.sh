#!/bin/sh
# Find a Python that is new enough and hand over to tools/setup.py. All arguments are passed on.
# PYTHON=/path/to/python chooses one; otherwise the one of .venv, then the newest common names on the PATH.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)

new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

if [ -n "${PYTHON:-}" ]; then
    if ! new_enough "$PYTHON"; then
        echo "Reweave needs Python 3.11 or newer; PYTHON=$PYTHON is not that." >&2
        exit 1
    fi
    exec "$PYTHON" "$root/tools/setup.py" "$@"
fi

for candidate in "$root/.venv/bin/python" python3 python3.14 python3.13 python3.12 python3.11 python; do
    if new_enough "$candidate"; then
        exec "$candidate" "$root/tools/setup.py" "$@"
    fi
done

if command -v python3 >/dev/null 2>&1; then
    echo "Reweave needs Python 3.11 or newer; python3 here is $(python3 --version 2>&1 | cut -d' ' -f2)." >&2
else
    echo "Reweave needs Python 3.11 or newer, and there is no python3 here: on Debian or Ubuntu, apt-get install python3 python3-venv." >&2
fi
exit 1
