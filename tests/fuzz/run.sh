#!/usr/bin/env bash
# Runs each libFuzzer target of a build for some seconds. Usage: run.sh BUILD_DIR [SECONDS]
# What fails is kept in BUILD_DIR/fuzz/failures; to see it again: BUILD_DIR/fuzz/fuzz_NAME FILE.
set -euo pipefail
[ $# -ge 1 ] || { echo "usage: $0 BUILD_DIR [SECONDS]" >&2; exit 2; }
fuzz=$(readlink -f "$1")/fuzz
seconds=${2:-60}
[[ $seconds =~ ^[1-9][0-9]*$ ]] || { echo "$0: '$seconds' is no number of seconds" >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
shopt -s nullglob
failed=0 count=0

for target in "$fuzz"/fuzz_*; do
    [ -x "$target" ] && [ -f "$target" ] || continue
    name=${target##*/fuzz_}
    count=$((count + 1))
    mkdir -p "$work/$name" "$fuzz/failures"
    seeds=("$fuzz/seeds/$name")
    [ -d "${seeds[0]}" ] || seeds=()
    if "$target" -max_total_time="$seconds" -max_len=65536 -rss_limit_mb=2048 -timeout=25 -verbosity=1 -print_final_stats=1 \
        -artifact_prefix="$fuzz/failures/$name-" "$work/$name" "${seeds[@]}" >"$work/$name.log" 2>&1; then
        printf 'fuzz_%s: %s\n' "$name" "$(grep -E '^stat::number_of_executed_units' "$work/$name.log" | tr -s ' ' || true)"
    else
        printf 'fuzz_%s FAILED; its last words:\n' "$name" >&2
        tail -n 40 "$work/$name.log" | cut -c1-300 >&2
        failed=1
    fi
done
[ "$count" -gt 0 ] || { echo "$0: no fuzz target in $fuzz; configure with VTSIM_FUZZ=ON and build the target fuzz" >&2; exit 1; }
exit "$failed"
