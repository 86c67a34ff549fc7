#!/usr/bin/env bash
# vtsim list: each list as text and as JSON. Usage: list.sh PATH-OF-VTSIM
. "$(dirname "$(readlink -f "$0")")/common.sh.inc"

expect 0 "0x4002    Primary processor-based VM-execution controls" list fields
expect 0 "guest_rflags_reserved" list rules
expect 0 "VM-entry failure due to invalid guest state" list exits
expect 0 "skylake" list cpus
expect 0 "IA32_EFER" list msrs
expect 0 "VMLAUNCH or VMRESUME" list costs
expect 0 "VMLAUNCH or VMRESUME" list costs --cpu prescott
expect 2 "did you mean 'nehalem'?" list costs --cpu nehalen
expect 2 "the same for every processor" list fields --cpu skylake
expect 2 "a list of what?" list
expect 2 "did you mean 'fields'?" list field
expect 2 "one list at a time" list fields rules
expect 2 "unknown option" list fields --csv

for topic in fields rules exits cpus msrs costs; do
    "$vtsim" list "$topic" --json >"$topic.json"
    check "list $topic --json is JSON with as many rows as the text has" \
        test "$(sqlite3 :memory: "SELECT json_array_length(readfile('$topic.json'))")" = \
        "$(($("$vtsim" list "$topic" | wc -l) - 1))"
done
check "each cost has a source" \
    test "$(sqlite3 :memory: "SELECT count(*) FROM json_each(readfile('costs.json')) WHERE coalesce(value->>'source', '') = ''")" = 0
"$vtsim" list costs --cpu prescott --json >prescott.json
check "list costs --cpu has the rows of that processor" \
    test "$(sqlite3 :memory: "SELECT group_concat(DISTINCT value->>'cpu') FROM json_each(readfile('prescott.json'))")" = prescott
check "a cost of it" \
    test "$(sqlite3 :memory: "SELECT value->>'cycles' FROM json_each(readfile('prescott.json')) WHERE value->>'cost' = 'vmread'")" = 178
check "list cpus --cpu has one row" test "$("$vtsim" list cpus --cpu merom | wc -l)" = 2
check "an exit's KVM name" \
    test "$(sqlite3 :memory: "SELECT value->>'kvm_name' FROM json_each(readfile('exits.json')) WHERE value->>'reason' = 48")" = EPT_VIOLATION
finish
