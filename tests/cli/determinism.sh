#!/usr/bin/env bash
# What a run gives does not depend on the host: load, priority, the layout of its address space, environment, where the output
# goes and who observes. (Stopped in the middle: pause.sh. Another compiler: ./x determinism.)
. "$(dirname "$0")/common.sh.inc"
images=$(dirname "$vtsim")
measuring=(--mem 64M --max-cycles 2000000000 "$images/examples/probe.elf") # prints what RDTSC says of VM exits, walks, MSRs
failing=(--mem 64M --max-cycles 2000000000 "$images/tests/guests/entry_failures.elf")

digest() { # LABEL
    "$vtsim" report "$1" --stats runs.db --format json | grep -o '"digest": *"[0-9a-f]*"' || echo "no digest of $1"
}

# run LABEL COMMAND...: the image with statistics; standard output in LABEL.out
run() {
    local label=$1
    shift
    "$@" --stats runs.db --label "$label" >"$label.out" 2>"$label.err" </dev/null
}

same() { # LABEL WITH
    check "$1: the output is that of $2" cmp -s "$1.out" "$2.out"
    check "$1: the digest is that of $2" [ "$(digest "$1")" = "$(digest "$2")" ]
}

run plain "$vtsim" run "${measuring[@]}"
check "the run says how many cycles it took" grep -q cycles plain.out
check "there is a digest" grep -q '"[0-9a-f]\{16\}"' <<<"$(digest plain)"

# Under load, at the lowest priority.
busy=()
for _ in 1 2 3 4; do
    (while :; do :; done) &
    busy+=($!)
done
run loaded nice -n 19 "$vtsim" run "${measuring[@]}"
kill "${busy[@]}"
wait "${busy[@]}" 2>/dev/null
same loaded plain

# The address space: without randomisation, with another stack and another heap, and another environment.
if setarch -R true 2>/dev/null; then
    run fixed setarch -R "$vtsim" run "${measuring[@]}"
    same fixed plain
else
    echo "note: setarch -R is not allowed here; runs without address-space randomisation were not compared"
fi
run moved env -i A="$(head -c 30000 /dev/zero | tr '\0' x)" MALLOC_PERTURB_=165 MALLOC_ARENA_MAX=1 TZ=Asia/Tokyo LC_ALL=C \
    "$vtsim" run "${measuring[@]}"
same moved plain

# Observers and outputs.
run nowhere "$vtsim" run --serial null "${measuring[@]}"
check "--serial null prints nothing" [ ! -s nowhere.out ]
check "--serial null: the digest is the same" [ "$(digest nowhere)" = "$(digest plain)" ]
run filed "$vtsim" run --serial file:serial.out "${measuring[@]}"
check "--serial file: has the output" cmp -s serial.out plain.out
check "--serial file: the digest is the same" [ "$(digest filed)" = "$(digest plain)" ]
"$vtsim" run "${measuring[@]}" >unobserved.out 2>&1 </dev/null
check "without statistics: the guest measures the same cycles" cmp -s unobserved.out plain.out
"$vtsim" run "${measuring[@]}" </dev/null 2>&1 | cat >piped.out
check "into a pipe: the guest measures the same cycles" cmp -s piped.out plain.out

# With and without explanations of failed entries.
run explained "$vtsim" run "${failing[@]}"
run quiet "$vtsim" run --quiet "${failing[@]}"
check "failed entries are explained" [ -s explained.err ]
check "--quiet explains nothing" [ ! -s quiet.err ]
same quiet explained
finish
