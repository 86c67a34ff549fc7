#!/usr/bin/env bash
# A 64-bit guest with flat segments never enters checked stepping: the statistics file says so, read with SQL; and it says how
# often a guest with breakpoints did. Usage: checked_steps.sh PATH-OF-VTSIM
build=$(dirname "$(readlink -f "$1")")
. "$(dirname "$(readlink -f "$0")")/common.sh.inc"

# steps IMAGE STATUS: how many of its run.
steps() {
    rm -f runs.db
    "$vtsim" run --cpu skylake --mem 64M --max-cycles 5000000000 --stats runs.db "$build/$1.elf" >out 2>&1 </dev/null
    local got=$?
    [ "$got" = "$2" ] || { echo "FAIL: $1: status $got, not $2: $(head -c 1000 out)" >&2; }
    sqlite3 runs.db 'SELECT checked_steps FROM runs WHERE instructions > 1000'
}

check "three guests under a hypervisor: none" [ "$(steps examples/three_guests 0)" = 0 ]
check "page faults inside repeated instructions, timer interrupts: none" [ "$(steps tests/conformance/rep_interrupted 1)" = 0 ]
check "unaligned moves across pages: none but what faults and what RFLAGS.TF asks for" \
    [ "$(steps tests/conformance/crossing_moves 1)" -lt 8 ]
check "breakpoints: some" [ "$(steps tests/conformance/breakpoints 1)" -gt 50 ]
finish
