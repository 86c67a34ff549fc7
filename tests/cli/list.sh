#!/usr/bin/env bash
# vtsim list: each list as text and as JSON. Usage: list.sh PATH-OF-VTSIM
sources=$(dirname "$(readlink -f "$0")")/../..
. "$(dirname "$(readlink -f "$0")")/common.sh.inc"

expect 0 "0x4002    Primary processor-based VM-execution controls" list fields
expect 0 "guest_rflags_reserved" list rules
expect 0 "VM-entry failure due to invalid guest state" list exits
expect 0 "VMXON executed in VMX root operation" list errors
expect 0 "EPT-violation #VE" list controls
expect 0 '"section": "Checks on Host Segment and Descriptor-Table Registers"' list rules --format json
expect 0 "error,text" list errors --format csv
expect 2 "text, json or csv is wanted" list errors --format html
expect 0 "skylake" list cpus
expect 0 "IA32_EFER" list msrs
expect 0 "VMLAUNCH or VMRESUME" list costs
expect 0 "VMLAUNCH or VMRESUME" list costs --cpu prescott
expect 2 "did you mean 'nehalem'?" list costs --cpu nehalen
expect 2 "the same for every processor: --cpu is for costs, cpus and features" list fields --cpu skylake
expect 2 "a list of what?" list
expect 2 "did you mean 'fields'?" list field
expect 2 "one list at a time" list fields rules
expect 2 "unknown option" list fields --csv

expect 0 "stale_ept" list findings
for topic in fields rules exits errors controls cpus features msrs costs findings; do
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
check "list features --cpu has a column for that processor alone" \
    test "$("$vtsim" list features --cpu merom --format csv | head -1)" = name,seen_in,merom
check "each feature of the list, with a VMX control or without, is one that --cpu takes from some processor" \
    test -z "$("$vtsim" list features --format csv | sed 1d | cut -d, -f1 | while read -r name; do
        "$vtsim" run --cpu "sapphirerapids,-$name" /dev/null 2>&1 | grep 'no feature' | head -1; done)"
check "an exit's KVM name" \
    test "$(sqlite3 :memory: "SELECT value->>'kvm_name' FROM json_each(readfile('exits.json')) WHERE value->>'reason' = 48")" = EPT_VIOLATION

# Rules, exits, errors and controls are what the model's own tables have, each once and with the words that are promised.
query() { sqlite3 :memory: "SELECT $2 FROM (SELECT value AS v FROM json_each(readfile('$1.json')))"; }
rows() { cat "${@:2}" | grep -cE "^$1\\("; }
model=$sources/vmx_model
check "list rules has every rule (a row of a table may make several)" test "$(query rules 'count(*)')" -ge "$(rows 'CHECK(_BITS|_VALUE|_QUALIFIED)?' "$model"/checks/*.def)"
check "list exits has every exit reason" test "$(query exits 'count(*)')" = "$(rows VMX_EXIT_REASON "$model/exit_reasons.def")"
check "list errors has every error" test "$(query errors 'count(*)')" = "$(rows VMX_ERROR "$model/errors.def")"
check "each rule has an id of its own" test "$(query rules "count(*) - count(DISTINCT v->>'id')")" = 0
check "each rule names its section, phase and demand" \
    test "$(query rules "count(*)")" = "$(query rules "sum(length(v->>'section') > 8 AND length(v->>'demand') > 8 AND v->>'phase' IN ('controls', 'host', 'guest'))")"
check "list controls has every bit that controls.h names" \
    test "$(query controls 'count(*)')" = \
    "$(grep -cE '^#define (PIN|PRIMARY|SECONDARY|TERTIARY|SECONDARY_EXIT|VM_FUNCTION|EXIT|ENTRY)_[A-Z0-9_]+ \(1u(ll)? << [0-9]+\)' "$model/controls.h")"
check "each control has a word and bit of its own" test "$(query controls "count(*) - count(DISTINCT (v->>'word') || (v->>'bit'))")" = 0
check "each control has an identifier of its own" test "$(query controls "count(*) - count(DISTINCT (v->>'word') || (v->>'identifier'))")" = 0
of_control() { sqlite3 :memory: "SELECT value->>'$2' FROM json_each(readfile('controls.json')) WHERE value->>'identifier' = '$1'"; }
check "CR3-load exiting must be 1 on the first processors" test "$(of_control cr3_load_exiting must_be_1)" = "prescott merom penryn"
check "EPT came with Nehalem" test "$(of_control enable_ept may_be_1 | cut -d ' ' -f 1)" = nehalem
check "its bit" test "$(of_control enable_ept bit)" = 1
check "no processor has PASID translation" test "$(of_control pasid_translation may_be_1)" = ""
finish
