#!/usr/bin/env bash
# A hundred runs into one statistics file, each killed at another moment: the file opens, is whole, has lost no run that was in
# it, and what was recorded of the killed run is there. Usage: kills.sh PATH-OF-VTSIM
. "$(dirname "$(readlink -f "$0")")/common.sh.inc"

# jmp to itself
image spins.bin '\xeb\xfe'
expect 124 "" run --stats runs.db --label whole --max-cycles 100000000 spins.bin
row_of_whole() { sqlite3 runs.db "SELECT state, outcome, cycles, digest, recorded FROM runs WHERE label = 'whole'"; }
whole=$(row_of_whole)

rows=1
for i in $(seq 100); do
    "$vtsim" run --stats runs.db --label "kill $i" --max-cycles 1000000000000 --serial null spins.bin 2>/dev/null &
    pid=$!
    # From before the file is opened to some updates after it: 0.000 to 0.198 s, in an order that is always the same.
    sleep "$(printf '0.%03d' $((i * 37 % 100 * 2)))"
    kill -KILL "$pid"
    wait "$pid" 2>/dev/null
    found=$(sqlite3 runs.db "SELECT count(*) || ' ' || (SELECT integrity_check FROM pragma_integrity_check) || ' ' ||
        (SELECT count(*) FROM pragma_foreign_key_check) FROM runs")
    if [ "$found" = "$((rows + 1)) ok 0" ]; then
        rows=$((rows + 1))
    elif [ "$found" != "$rows ok 0" ]; then # killed before its row was written
        echo "FAIL: after kill $i: '$found' with $rows rows before"
        failures=$((failures + 1))
    fi
done
"$vtsim" runs --stats runs.db --state unfinished --format csv >unfinished.csv || failures=$((failures + 1))
check "every killed run that began is there, as unfinished" test $(($(wc -l <unfinished.csv) - 1)) = $((rows - 1))
check "most of the hundred began ($rows)" test "$rows" -gt 30
check "some of them recorded figures before they were killed" \
    test "$(sqlite3 runs.db "SELECT count(*) FROM runs WHERE state = 'unfinished' AND cycles >= 50000000")" -gt 5
check "the figures of a killed run add up" \
    test "$(sqlite3 runs.db "SELECT count(*) FROM runs u WHERE cycles <> (SELECT coalesce(sum(cycles), 0) FROM cycles_by_cause WHERE run = u.id)")" = 0
check "the whole run is as it was" test "$(row_of_whole)" = "$whole"
last=$(sqlite3 runs.db "SELECT max(id) FROM runs WHERE cycles > 0 AND state = 'unfinished'")
expect 0 "was killed" report "$last" --stats runs.db
expect 0 "all " report "$last" --stats runs.db --section cycles
expect 124 "" run --stats runs.db --label whole2 --max-cycles 100000000 spins.bin
check "a run after them has the same digest" \
    test "$(sqlite3 runs.db "SELECT count(DISTINCT digest) FROM runs WHERE label LIKE 'whole%' AND digest IS NOT NULL")" = 1
finish
