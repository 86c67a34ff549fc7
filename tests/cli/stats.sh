#!/usr/bin/env bash
# vtsim run --stats, report, runs and compare with a guest of a few bytes; and files that cannot be used.
# Usage: stats.sh PATH-OF-VTSIM
. "$(dirname "$(readlink -f "$0")")/common.sh.inc"

# mov eax, 16; out 0xf4, eax; the status is (16 << 1) | 1.
image exits.bin '\xb8\x10\x00\x00\x00\xe7\xf4\xeb\xfe'
# jmp to itself
image spins.bin '\xeb\xfe'

expect 33 "" run exits.bin
expect 33 "" run --stats a.db --label first exits.bin
expect 33 "" run --stats a.db --label "it's \"second\", 2" -kernel exits.bin
expect 124 "" run --stats a.db --max-cycles 1000000 spins.bin
expect 4 "" run --stats a.db no-such-image
check "two runs have one digest" \
    test "$(sqlite3 a.db "SELECT count(DISTINCT digest) FROM runs WHERE outcome = 'debug-exit'")" = 1
check "the outcome of each run is kept" \
    test "$(sqlite3 a.db "SELECT group_concat(outcome || ' ' || exit_status) FROM runs")" = \
    "debug-exit 33,debug-exit 33,limit 124,bad-image 4"
check "options are kept as a shell takes them" \
    test "$(sqlite3 a.db "SELECT options FROM runs WHERE id = 2")" = "--stats a.db --label 'it'\\''s \"second\", 2' -kernel exits.bin"

expect 0 "bad-image" report --stats a.db
expect 0 "debug-exit" report 1 --stats a.db
expect 0 "first" report first --stats a.db
expect 0 "VM exits, by what they cost in cycles: none" report first --stats a.db
expect 0 "debug-exit" runs --stats a.db
expect 0 "cycles" compare first 3 --stats a.db
for format in json csv html; do
    expect 0 "exits.bin" report 2 --stats a.db --format "$format"
done
"$vtsim" report 2 --stats a.db --format json >report.json
check "a report as JSON" test "$(sqlite3 :memory: "SELECT readfile('report.json')->>'$.run.label'")" = "it's \"second\", 2"
expect 2 "no section 'exit'; did you mean 'exits', 'exit_spread'?" report --section exit --stats a.db
check "where the cycles went adds up to the run's" \
    test "$(sqlite3 a.db "SELECT count(*) FROM runs r WHERE cycles <> (SELECT coalesce(sum(cycles), 0) FROM cycles_by_cause WHERE run = r.id)")" = 0
check "a label in the list" test "$("$vtsim" runs --stats a.db --label 'fir*' --format csv | tail -n +2 | cut -d, -f1,2)" = 1,first
check "runs that reached a limit" test "$("$vtsim" runs --stats a.db --outcome limit --format csv | tail -n +2 | cut -d, -f1)" = 3
check "the newest run" test "$("$vtsim" runs --stats a.db --last 1 --format csv | tail -n +2 | cut -d, -f1)" = 4
expect 2 "finished or unfinished is wanted" runs --stats a.db --state gone
expect 2 "a number from 1 on" runs --stats a.db --last 0
expect 2 "a number from 40 on" report --stats a.db --width 39
expect 2 "a number is wanted, 0 for all" report --stats a.db --top x
check "a narrow report" test "$(COLUMNS=60 "$vtsim" report 2 --stats a.db --section cycles | wc -L)" -le 60
check "a width for this time" test "$(COLUMNS=60 "$vtsim" report 2 --stats a.db --section cycles --width 0 | wc -L)" -gt 60
expect 2 "there is no run '9'" report 9 --stats a.db
expect 2 "second\", 2\", \"first\")" report frist --stats a.db
expect 33 "" run --stats a.db --label first exits.bin
expect 2 "more than one run has the label 'first': give an id, one of 5, 1" report first --stats a.db
sqlite3 a.db "PRAGMA foreign_keys = ON; DELETE FROM runs WHERE id = 5"

# Runs of other files: FILE:RUN, and FILE for its last run.
expect 33 "" run --stats b.db --label "with: colon" exits.bin
expect 0 "b.db" compare first b.db:1 --stats a.db
expect 0 "with: colon" report b.db
expect 0 "with: colon" report "b.db:with: colon"
expect 0 "with: colon" report "with: colon" --stats b.db
expect 0 "no difference" compare a.db:first b.db
check "the same figures in two files" \
    test "$("$vtsim" compare a.db:first b.db --format csv | grep '^totals,cycles')" = "$("$vtsim" compare a.db:first a.db:2 --format csv | grep '^totals,cycles')"
expect 2 "b.db: there is no run 'x'" report b.db:x
expect 2 "there is no such file" compare c.db:1 b.db:1
expect 2 "the same run" compare b.db b.db:1
expect 2 "at least two runs" compare 1 --stats a.db
expect 2 "the same run" compare 1 first --stats a.db
expect 2 "unexpected 'x'" runs x --stats a.db
expect 2 "missing.db: there is no such file; \`vtsim run --stats\` makes one" report --stats missing.db
expect 2 "vtsim.db" runs

for label in one two three four five; do
    expect 33 "" run --stats labels.db --label "$label" exits.bin
done
expect 2 '(labels: "five", "four", "three", "two", "one")' report none --stats labels.db
expect 33 "" run --stats labels.db --label six exits.bin
expect 2 '(labels: "six", "five", "four", "three", "two", ...)' report none --stats labels.db

# Files that cannot be used: the run does not start, the file stays as it is.
echo "some text that is long enough to be looked at as if it were the header of a database, which it is not at all" >text.db
cp text.db copy
expect 2 "not a database" run --stats text.db exits.bin
check "the file was not touched" cmp text.db copy
expect 2 "unable to open" run --stats no/such/folder.db exits.bin
expect 2 "(No such file or directory; check the path" run --stats no/such/folder.db exits.bin
expect 2 "(Is a directory; check the path" run --stats . exits.bin
expect 2 "statistics file missing.db: there is no such file, and no vtsim.db either" report missing.db:1
sqlite3 other.db "CREATE TABLE mine(x)"
expect 2 "another program" run --stats other.db exits.bin
sqlite3 a.db "PRAGMA user_version = 7"
expect 2 "schema version 7" run --stats a.db exits.bin
expect 2 "schema version 7, and this vtsim knows versions up to 3" report --stats a.db
sqlite3 a.db "PRAGMA user_version = 2"
sqlite3 a.db "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = DELETE" >/dev/null
mkfifo hold
sqlite3 -cmd ".timeout 60000" a.db <hold >/dev/null &
exec 7>hold
echo "BEGIN EXCLUSIVE; SELECT 1;" >&7
for _ in $(seq 100); do sqlite3 a.db "SELECT count(*) FROM runs" >/dev/null 2>&1 || break; sleep 0.05; done
expect 2 "another process has locked it" report --stats a.db
exec 7>&-
wait

# Killed in the middle: the file can be read and used on.
"$vtsim" run --stats killed.db --serial null spins.bin 2>/dev/null &
pid=$!
for _ in $(seq 200); do
    [ "$(sqlite3 killed.db "SELECT count(*) FROM runs" 2>/dev/null)" = 1 ] && break
    sleep 0.05
done
kill -KILL "$pid"
wait "$pid" 2>/dev/null
expect 0 "no end is recorded" report --stats killed.db
expect 33 "" run --stats killed.db exits.bin
expect 0 "debug-exit" report last --stats killed.db

# A disk that fills up: a limit on file sizes (in KiB) stands for it. The beginning of a run takes some 29 KiB of write-ahead
# log, each update at least 4 more. The run goes on to its end; the status and standard error say what is missing.
"$vtsim" run --stats full.db exits.bin >/dev/null 2>&1
(
    trap '' XFSZ
    ulimit -f 40
    exec "$vtsim" run --stats full.db --max-cycles 500000000 spins.bin >/dev/null 2>error
)
check "lost statistics are status 10" test $? = 10
check "the run went on" grep -q "the run goes on, and what was recorded so far is kept" error
check "the run's own status is told" grep -q "own status was 124 (limit)" error
check "what was recorded is kept" \
    test "$(sqlite3 full.db "SELECT count(*) FROM runs WHERE state = 'unfinished' AND cycles > 0 AND id = 2")" = 1
expect 0 "debug-exit" report 1 --stats full.db
finish
