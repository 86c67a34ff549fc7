#!/usr/bin/env bash
# docs/statistics.md: its example queries run on a real file and find something, and the columns, tables and views that it names are
# those that there are. Usage: statistics_doc.sh PATH-OF-VTSIM
document=$(dirname "$(readlink -f "$0")")/../../docs/statistics.md
document=$(readlink -f "$document")
examples=$(dirname "$(readlink -f "$1")")/examples
. "$(dirname "$(readlink -f "$0")")/common.sh.inc"

# Exits, flushes, refills; and, on a nehalem, an entry that fails, since that processor has no unrestricted guests.
"$vtsim" run --stats runs.db --label three --max-cycles 100000000 "$examples/three_guests.elf" >/dev/null 2>&1
"$vtsim" run --stats runs.db --label fails --cpu nehalem --max-cycles 100000000 "$examples/three_guests.elf" >/dev/null 2>&1
"$vtsim" run --stats runs.db --label probe --cpu nehalem --max-cycles 100000000 "$examples/probe.elf" >/dev/null 2>&1
"$vtsim" run --stats runs.db --label four --smp 4 --max-cycles 100000000 "$examples/../tests/guests/processors.elf" >/dev/null 2>&1
# One that ended elsewhere: for the query about digests.
"$vtsim" run --stats runs.db --label shorter --cpu nehalem --max-cycles 5000000 "$examples/probe.elf" >/dev/null 2>&1

awk '/^    SELECT/ { query = 1 } query && /^$/ { query = 0; print "" } query' "$document" >queries
queries=0
while IFS= read -r -d '' query; do
    queries=$((queries + 1))
    if ! result=$(sqlite3 runs.db "$query" 2>&1) || [ -z "$result" ]; then
        echo "FAIL: this query of the document gives '$result': $query"
        failures=$((failures + 1))
    fi
done < <(awk 'BEGIN { RS = ""; ORS = "\0" } { print }' queries)
check "the document has example queries ($queries)" test "$queries" -ge 6

# "| `name` | `column`, ... |" under "Reports" against the headers of CSV.
sections=0
while IFS='|' read -r _ name columns _; do
    name=$(grep -oE '`[a-z_0-9]+`' <<<"$name" | head -1 | tr -d '`')
    documented=$(grep -oE '`[a-z_0-9]+`' <<<"$columns" | tr -d '`' | paste -sd,)
    sections=$((sections + 1))
    check "columns of $name: $documented" \
        test "$("$vtsim" report three --stats runs.db --section "$name" --format csv | head -1)" = "$documented"
done < <(sed -n '/^## Reports/,$p' "$document" | grep -E '^\| `')
check "every section is documented" \
    test "$sections" = "$("$vtsim" report three --stats runs.db --format json | grep -cE '^"[a-z_]+": ')"
check "columns of runs" grep -qF \
    "$("$vtsim" runs --stats runs.db --format csv | head -1 | sed 's/,/`, `/g; s/.*/`&`/')" "$document"

# Tables and views.
while read -r name; do
    check "$name is documented" grep -qF "\`$name\`" "$document"
done < <(sqlite3 runs.db "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'cycles_attributed'")
check "the version is documented" grep -qF "version ($(sqlite3 runs.db 'PRAGMA user_version'))" "$document"

# What the page promises of the figures: they add up, for images that do much.
check "causes add up to the cycles of each run, on each of its processors" \
    test "$(sqlite3 runs.db "SELECT count(*) || ' ' || sum(sum = cycles) FROM runs JOIN
        (SELECT run, sum(cycles) AS sum FROM cycles_by_cause GROUP BY run, processor) ON run = id")" = "8 8"
check "four processors" \
    test "$(sqlite3 runs.db "SELECT count(DISTINCT processor) FROM cycles_by_cause JOIN runs ON id = run WHERE label = 'four'")" = 4
check "what was dropped by kind is what was dropped" \
    test "$(sqlite3 runs.db "SELECT count(*) FROM flush_costs f WHERE dropped <> (SELECT coalesce(sum(dropped), 0) FROM dropped_translations d WHERE d.run = f.run AND d.cause = f.cause)")" = 0
check "the time line has every exit" \
    test "$(sqlite3 runs.db "SELECT count(*) FROM exits_by_reason x WHERE count <> (SELECT sum(count) FROM timeline t WHERE t.run = x.run AND t.reason = x.reason)")" = 0
check "the histogram has every exit" \
    test "$(sqlite3 runs.db "SELECT count(*) FROM exits_by_reason x WHERE count <> (SELECT sum(count) FROM exit_spread s WHERE s.run = x.run AND s.reason = x.reason AND measure = 'exit')")" = 0
check "walks cost what the causes of walks say" \
    test "$(sqlite3 runs.db "SELECT count(*) FROM runs r WHERE (SELECT coalesce(sum(cycles), 0) FROM page_walks WHERE run = r.id) <>
        (SELECT coalesce(sum(cycles), 0) FROM cycles_by_cause WHERE run = r.id AND cause LIKE 'walk%')")" = 0
check "shares are a hundred percent" \
    test "$(sqlite3 runs.db "SELECT group_concat(DISTINCT round(total, 1)) FROM (SELECT sum(share_percent) AS total FROM where_cycles_went GROUP BY run)")" = 100.0
check "nothing happened that is not counted" test "$(sqlite3 runs.db "SELECT sum(unknown_events) FROM runs")" = 0
finish
