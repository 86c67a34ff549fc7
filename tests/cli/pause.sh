#!/usr/bin/env bash
# Two runs give the same digest, also when the host stops the process in between and runs something else.
set -euo pipefail
vtsim=$1
image=$(dirname "$vtsim")/bench/images/round_trip.elf # some tenths of a second of VM exits and entries
options=(--mem 64M --append 200000 --max-cycles 2000000000)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

digest() { "$vtsim" report "$1" --stats "$scratch/runs.db" --format json | grep -o '"digest": *"[0-9a-f]*"'; }

"$vtsim" run "${options[@]}" --stats "$scratch/runs.db" --label plain "$image" >"$scratch/plain.out"

"$vtsim" run "${options[@]}" --stats "$scratch/runs.db" --label paused "$image" >"$scratch/paused.out" &
child=$!
stops=0
for _ in 1 2 3 4 5 6 7 8; do
    sleep 0.01
    kill -STOP "$child" 2>/dev/null || break
    stops=$((stops + 1))
    sleep 0.03
    kill -CONT "$child" 2>/dev/null || break
done
wait "$child"

cmp "$scratch/plain.out" "$scratch/paused.out"
[ "$stops" -gt 0 ] || { echo "the run ended before it could be stopped once"; exit 1; }
[ -n "$(digest plain)" ] && [ "$(digest plain)" = "$(digest paused)" ] || { echo "digests differ: $(digest plain) $(digest paused)"; exit 1; }
echo "stopped $stops times, the same digest: $(digest plain)"
