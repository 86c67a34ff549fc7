#!/usr/bin/env bash
# The statistics file has what each flush came to: the hand-computed numbers of tests/core/test_flush_guests.c, read with SQL.
# Usage: flushes.sh PATH-OF-VTSIM
images=$(dirname "$(readlink -f "$1")")/tests/guests
. "$(dirname "$(readlink -f "$0")")/common.sh.inc"

# rows TEXT SQL EXPECTED: the rows, joined by spaces.
rows() {
    local got
    got=$(sqlite3 runs.db "$2" | tr '\n' ' ')
    [ "$got" = "$3 " ] || { echo "FAIL: $1: $got, not $3"; failures=$((failures + 1)); }
}

for image in flushes_vpid flushes_ept; do
    expect 0 "all right" run --cpu skylake --mem 64M --stats runs.db --label "$image" "$images/$image.elf"
done
flushes="SELECT sum(count) || ':' || sum(cycles) || ':' || sum(dropped) || ':' || sum(dropped_global) FROM tlb_flushes WHERE cause ="
refills="SELECT mapping || ':' || sum(count) || ':' || sum(cycles) FROM tlb_refills WHERE cause ="
# count, direct cycles, dropped, of them global
rows "INVVPID individual-address" "$flushes 'INVVPID individual-address'" 1:300:1:0
rows "INVVPID single-context" "$flushes 'INVVPID single-context'" 1:300:4:1
rows "INVVPID all-context" "$flushes 'INVVPID all-context'" 1:300:4:1
rows "INVVPID retaining globals" "$flushes 'INVVPID single-context, globals retained'" 1:300:3:0
rows "INVLPG of a global page" "$flushes 'INVLPG'" 1:150:1:1
rows "VM entries without VPID" "$flushes 'VM entry'" 2:60:2:0
rows "VM exits without VPID" "$flushes 'VM exit'" 2:60:8:2
rows "INVEPT single-context" "$flushes 'INVEPT single-context'" 1:300:6:0
rows "INVEPT all-context" "$flushes 'INVEPT all-context'" 1:300:6:0
rows "the EPT violation" "$flushes 'EPT violation'" 1:0:2:0
# mapping, refills, their cycles
rows "refills of INVVPID single-context" "$refills 'INVVPID single-context' GROUP BY mapping" linear:4:60
rows "refills of INVLPG" "$refills 'INVLPG' GROUP BY mapping" linear:1:16
rows "refills of MOV to CR3, one with bit 63 set" "$refills 'MOV to CR3' GROUP BY mapping" linear:3:44
rows "refills of VM entries" "$refills 'VM entry' GROUP BY mapping" linear:2:24
rows "refills of VM exits" "$refills 'VM exit' GROUP BY mapping" linear:5:72
rows "refills of INVEPT" "$refills 'INVEPT all-context' GROUP BY mapping ORDER BY mapping" "combined:3:44 guest-physical:3:44"
rows "refills of the EPT violation" "$refills 'EPT violation' GROUP BY mapping ORDER BY mapping" "combined:1:16 guest-physical:1:16"
# to the cycle
rows "the causes add up" "SELECT cycles - (SELECT sum(cycles) FROM cycles_by_cause WHERE run = id) FROM runs ORDER BY id" "0 0"
finish
