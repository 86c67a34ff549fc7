#!/usr/bin/env bash
# Runs an image twice and holds it to its expectations. Usage: run.sh VTSIM IMAGE EXPECTATIONS DIGEST COMPILER
#
# EXPECTATIONS is a file with lines of these forms, bare or each as a comment of its own:
#   expect: status N       exit status (must be there)
#   expect: output TEXT    standard output has TEXT in it (any number of such lines)
#   expect: error TEXT     standard error has TEXT in it (any number of such lines)
#   expect: options WORDS  further options of vtsim run
#   expect: pause          the host stops the second run for a while in its middle
# A file with a line "conformance: ITEM" is of the core conformance suite: it must end with status 1, and its output must
# have one line "ok N ..." at least and no line "not ok ...".
# Both runs must give the same output and the same digest of their statistics. DIGEST is the file that records this digest
# with that of the image, and COMPILER, which made the image. A recorded digest must be met, unless another compiler made
# another image. VTSIM_RECORD_DIGESTS=1 records instead of comparing (./x digests). VTSIM_SECOND is a command that makes the
# second run in place of VTSIM: another build of it, or it in other circumstances (./x determinism).
set -u
[ $# = 5 ] || { echo "usage: $0 VTSIM IMAGE EXPECTATIONS DIGEST COMPILER" >&2; exit 2; }
vtsim=$1 image=$2 expectations=$3 digest_file=$4 compiler=$5
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

fail() {
    printf 'FAIL: %s\n' "$*"
    failures=$((failures + 1))
}

expected() { sed -nE "s#^[ /*]*expect: $1 ?(.*[^ ])? *\$#\\1#p" "$expectations" | sed 's# *\*/$##'; }

conformance=$(grep -cE '^[ /*]*conformance: ' "$expectations")
status=$(expected status)
[ "$conformance" = 0 ] || status=${status:-1}
[[ $status =~ ^[0-9]+$ ]] || { echo "$expectations: one line 'expect: status N' is needed"; exit 2; }
read -ra options <<<"$(expected options | tr '\n' ' ')"
[[ " ${options[*]-} " == *" --max-cycles "* ]] || options+=(--max-cycles 5000000000)

run() { # NUMBER; leaves $got
    local command=("$vtsim")
    [ "$1" = 1 ] || [ -z "${VTSIM_SECOND-}" ] || read -ra command <<<"$VTSIM_SECOND"
    "${command[@]}" run --cpu skylake --mem 64M --stats "$work/runs.db" "${options[@]}" "$image" \
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
if [ "$conformance" != 0 ]; then
    grep -qE '^ok [0-9]+ ' "$work/output.1" || fail "no check was made"
    grep -E '^not ok' "$work/output.1"
    ! grep -qE '^not ok' "$work/output.1" || fail "a check does not hold"
fi
digests=$("$vtsim" runs --stats "$work/runs.db" --format json | grep -oE '"digest": *"[0-9a-f]+"')
[ "$(wc -l <<<"$digests")" = 2 ] || fail "the statistics file does not have two digests: '$digests'"
[ "$(sort -u <<<"$digests" | wc -l)" = 1 ] || fail "the runs differ in their statistics: $digests"

# The recorded digest.
recorded() { sed -nE "s/^$1 //p" "$digest_file"; }
image_digest=$(sha256sum <"$image" | cut -c 1-16)
run_digest=$(grep -oE '[0-9a-f]{16}' <<<"$digests" | head -1)
if [ "$failures" = 0 ] && [ "${VTSIM_RECORD_DIGESTS-}" = 1 ]; then
    printf 'image %s\ncompiler %s\nrun %s\n' "$image_digest" "$compiler" "$run_digest" >"$digest_file"
elif [ ! -e "$digest_file" ]; then
    fail "no digest is recorded in $digest_file: ./x digests"
elif [ "$(recorded image)" != "$image_digest" ] && [ "$(recorded compiler)" != "$compiler" ]; then
    echo "note: the image was made by $compiler, the recorded one by $(recorded compiler): digests are not compared"
elif [ "$(recorded image)" != "$image_digest" ]; then
    fail "the image is not the one whose digest is recorded (a changed source?): ./x digests"
elif [ "$(recorded run)" != "$run_digest" ]; then
    fail "digest $run_digest, recorded is $(recorded run): the model behaves or counts otherwise; if that is wanted: ./x digests"
fi

if [ "$failures" -gt 0 ]; then
    printf -- '--- output\n%s\n--- error\n%s\n' "$(head -c 4000 "$work/output.1")" "$(head -c 4000 "$work/error.1")"
    exit 1
fi
