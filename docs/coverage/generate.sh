#!/usr/bin/env bash
# Makes docs/coverage.md of the parts in this folder, in the order of their names: NN-NAME.md as it stands, of NN-NAME.sh its
# output. Usage: generate.sh VTSIM [--check]; --check compares with docs/coverage.md and writes nothing.
set -euo pipefail
vtsim=$(readlink -f "$1")
cd "$(dirname "$(readlink -f "$0")")/../.."
export VTSIM=$vtsim LC_ALL=C

made=$(mktemp)
trap 'rm -f "$made"' EXIT
first=1
for part in docs/coverage/[0-9][0-9]-*; do
    [ $first = 1 ] || echo
    first=0
    case $part in
    *.md) cat "$part" ;;
    *.sh) bash "$part" ;;
    *) echo "$part: neither .md nor .sh" >&2; exit 2 ;;
    esac
done >"$made"

if [ "${2-}" = --check ]; then
    diff -u docs/coverage.md "$made" || { echo "docs/coverage.md is not what docs/coverage/ makes: ./x coverage"; exit 1; }
else
    cp "$made" docs/coverage.md
fi
