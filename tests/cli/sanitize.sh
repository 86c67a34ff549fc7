#!/usr/bin/env bash
# vtsim run --sanitize: what is wrong usage; guests that do nothing wrong, whatever else they do; the statistics. The guests sanitizer_*.c
# in tests/guests make the mistakes. Usage: sanitize.sh PATH-OF-VTSIM
build=$(dirname "$(readlink -f "$1")")
. "$(dirname "$(readlink -f "$0")")/common.sh.inc"
guests=$build/tests/guests

expect 2 "none of vmx, tlb and limits" run --sanitize vmx,cache "$guests/hello.elf"
expect 2 "none of vmx, tlb and limits" run --sanitize "" "$guests/hello.elf"
expect 2 "none of vmx, tlb and limits" run --sanitize vmx, "$guests/hello.elf"
expect 2 "did you mean 'nehalem'?" run --sanitize vmx --sanitize-minimum nehalen "$guests/hello.elf"
expect 2 "give that too" run --sanitize tlb --sanitize-minimum nehalem "$guests/hello.elf"

# No false findings.
clean() { # STATUS IMAGE OPTIONS...
    local status=$1 image=$2
    shift 2
    expect "$status" "sanitizer (vmx,tlb): no finding" run --max-cycles 3000000000 --mem 64M --serial null --sanitize vmx,tlb "$@" "$image"
}
clean 0 "$guests/hello.elf"
clean 0 "$build/examples/three_guests.elf"
clean 0 "$guests/worlds.elf"
clean 0 "$guests/processors.elf" --smp 4
clean 0 "$guests/flushes_vpid.elf"
clean 0 "$guests/flushes_ept.elf"
clean 0 "$guests/virtual_apic.elf" --cpu haswell
clean 0 "$guests/tasks.elf"

# What is counted.
"$vtsim" run --sanitize tlb --mem 64M --stats runs.db --label stale "$guests/sanitizer_tlb.elf" >/dev/null 2>&1
"$vtsim" run --mem 64M --stats runs.db --label unwatched "$guests/sanitizer_tlb.elf" >/dev/null 2>&1
"$vtsim" run --sanitize vmx --mem 64M --stats runs.db --label regions "$guests/sanitizer_regions.elf" >/dev/null 2>&1
"$vtsim" run --mem 64M --stats runs.db --label regions_unwatched "$guests/sanitizer_regions.elf" >/dev/null 2>&1
check "the statistics have them" \
    test "$(sqlite3 runs.db "SELECT group_concat(finding || ' ' || count, ', ') FROM (SELECT * FROM findings WHERE run = 1 ORDER BY finding)")" = \
    "stale_address_space 1, stale_dirty_flag 1, stale_ept 1, stale_linear 2"
check "and none where nobody looked" test "$(sqlite3 runs.db "SELECT count(*) FROM findings WHERE run = 2")" = 0
expect 0 "vmcs_written,2,0,0x" report regions --stats runs.db --section findings --format csv
check "the guest runs as it does without being watched" \
    test "$(sqlite3 runs.db "SELECT count(DISTINCT cycles || ' ' || instructions) FROM runs WHERE id IN (3, 4)")" = 1
check "the digest tells them apart" test "$(sqlite3 runs.db "SELECT count(DISTINCT digest) FROM runs")" = 4
finish
