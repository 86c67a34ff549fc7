#!/usr/bin/env bash
# vtsim run --cpu all: the matrix, differences, statuses, statistics. Usage: every_cpu.sh PATH-OF-VTSIM
. "$(dirname "$(readlink -f "$0")")/common.sh.inc"

# Alike on all: "A" to COM1 (mov $0x3f8,%dx; mov $'A',%al; out %al,(%dx)), then 3 to the debug-exit port: status 7.
image alike '\x66\xba\xf8\x03\xb0A\xee\xb0\x03\xe6\xf4'
# One bit of the answer of CPUID leaf 1, ECX[21] (x2APIC), decides about the status: (bit << 1) | 1, and about the output:
# "ok" and a line "0" or "1". mov $1,%eax; cpuid; shr $21,%ecx; and $1,%ecx; mov $0x3f8,%dx; 'o','k','\n'; mov %cl,%al; add $'0',%al;
# out; mov %ecx,%eax; out %al,$0xf4
image x2apic '\xb8\x01\x00\x00\x00\x0f\xa2\xc1\xe9\x15\x83\xe1\x01\x66\xba\xf8\x03\xb0o\xee\xb0k\xee\xb0\x0a\xee\x88\xc8\x04\x30\xee\x88\xc8\xe6\xf4'

cpus=$("$vtsim" list cpus --format csv | tail -n +2 | cut -d , -f 1)
limit=(--max-cycles 100000000)

expect 7 "debug-exit" run --cpu all "${limit[@]}" alike
"$vtsim" run --cpu all "${limit[@]}" --format json alike >alike.json
check "a row for each processor, in order" test "$(sqlite3 :memory: "SELECT group_concat(value->>'cpu', char(10)) FROM json_each(readfile('alike.json'), '\$.runs')")" = "$cpus"
check "no differences" test "$(sqlite3 :memory: "SELECT json_array_length(readfile('alike.json'), '\$.differences')")" = 0
check "the serial output is not mixed with the matrix" test "$("$vtsim" run --cpu all "${limit[@]}" alike | grep -c '^A')" = 0

expect 12 "sapphirerapids" run --cpu all "${limit[@]}" x2apic
"$vtsim" run --cpu all "${limit[@]}" --format json x2apic >x2apic.json
check "the first processor has no x2APIC" \
    test "$(sqlite3 :memory: "SELECT value->>'status' FROM json_each(readfile('x2apic.json'), '\$.runs') WHERE value->>'cpu' = 'prescott'")" = 1
check "the newest has" \
    test "$(sqlite3 :memory: "SELECT value->>'status' FROM json_each(readfile('x2apic.json'), '\$.runs') WHERE value->>'cpu' = 'sapphirerapids'")" = 3
check "the first difference is in line 2" \
    test "$(sqlite3 :memory: "SELECT (value->>'line') || (value->>'here') || (value->>'newest') FROM json_each(readfile('x2apic.json'), '\$.differences') WHERE value->>'cpu' = 'prescott'")" = 201
check "without the feature there is no difference" test "$("$vtsim" run --cpu all,-x2apic "${limit[@]}" --format csv x2apic | grep -c debug-exit)" = "$(wc -w <<<"$cpus")"
expect 1 "debug-exit" run --cpu all,-x2apic "${limit[@]}" x2apic

expect 12 "" run --cpu all "${limit[@]}" --serial file:out --stats all.db --label night x2apic
check "each output has a file" test "$(cat out.prescott)$(cat out.sapphirerapids)" = "$(printf 'ok\n0ok\n1')"
check "each run has a label" test "$("$vtsim" runs --stats all.db --label 'night-*' --format csv | grep -c debug-exit)" = "$(wc -w <<<"$cpus")"
expect 0 "prescott" report night-prescott --stats all.db
expect 12 "" run --cpu all "${limit[@]}" --stats plain.db x2apic
expect 0 "prescott" report prescott --stats plain.db

: >empty
expect 4 "prescott: " run --cpu all empty
check "a bad image is reported once" test "$("$vtsim" run --cpu all empty 2>&1 | wc -l)" = 1
expect 2 "--cpu all,-nonsense" run --cpu all,-nonsense alike
expect 2 "--format is for what --cpu all prints" run --format json alike
finish
