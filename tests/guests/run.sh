#!/usr/bin/env bash
# Runs an image twice and holds it to its expectations. Usage: run.sh VTSIM IMAGE EXPECTATIONS
#
# EXPECTATIONS is a file with lines of these forms, bare or each as a comment of its own:
#   expect: status N       exit status (must be there)
#   expect: output TEXT    standard output has TEXT in it (any number of such lines)
#   expect: error TEXT     standard error has TEXT in it (any number of such lines)
#   expect: options WORDS  further options of vtsim run
#   expect: pause          the host stops the second run for a while in its middle
# Both runs must give the same output and the same digest of their statistics.
set -u
[ $# = 3 ] || { echo "usage: $0 VTSIM IMAGE EXPECTATIONS" >&2; exit 2; }
vtsim=$1 image=$2 expectations=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

fail() {
    printf 'FAIL: %s\n' "$*"
    failures=$((failures + 1))
}

expected() { sed -nE "s#^[ /*]*expect: $1 ?(.*[^ ])? *\$#\\1#p" "$expectations" | sed 's# *\*/$##'; }

status=$(expected status)
[[ $status =~ ^[0-9]+$ ]] || { echo "$expectations: one line 'expect: status N' is needed"; exit 2; }
read -ra options <<<"$(expected options | tr '\n' ' ')"
[[ " ${options[*]-} " == *" --max-cycles "* ]] || options+=(--max-cycles 5000000000)

run() { # NUMBER; leaves $got
    "$vtsim" run --cpu skylake --mem 64M --stats "$work/runs.db" "${options[@]}" "$image" \
        >"$work/output.$1" 2>"$work/error.$1" </dev/null &
    local process=$!
    if [ "$1" = 2 ] && grep -q 'expect: pause' "$expectations"; then
        sleep 0.05
        kill -STOP "$process" 2>/dev/null
        sleep 0.5
        kill -CONT "$process" 2>/dev/null
    fi
    wait "$process"
    got=$?
    [ "$got" = "$status" ] || fail "run $1: status $got, not $status"
}

look_for() { # STREAM
    local text
    while IFS= read -r text; do
        grep -qF -- "$text" "$work/$1.1" || fail "standard $1 has no '$text' in it"
    done < <(expected "$1")
}

run 1
run 2
look_for output
look_for error
cmp -s "$work/output.1" "$work/output.2" || fail "the runs differ in standard output"
cmp -s "$work/error.1" "$work/error.2" || fail "the runs differ in standard error"
digests=$("$vtsim" runs --stats "$work/runs.db" --format json | grep -oE '"digest": *"[0-9a-f]+"')
[ "$(wc -l <<<"$digests")" = 2 ] || fail "the statistics file does not have two digests: '$digests'"
[ "$(sort -u <<<"$digests" | wc -l)" = 1 ] || fail "the runs differ in their statistics: $digests"

if [ "$failures" -gt 0 ]; then
    printf -- '--- output\n%s\n--- error\n%s\n' "$(head -c 4000 "$work/output.1")" "$(head -c 4000 "$work/error.1")"
    exit 1
fi
