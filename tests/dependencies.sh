#!/usr/bin/env bash
# Checks that dependencies run one way (docs/architecture.md): which room may include what. Usage: dependencies.sh [ROOT]
set -euo pipefail
cd "${1:-$(dirname "$(readlink -f "$0")")/..}"

# A room, and what its files may include: prefixes of paths from the root (include/vtsim is vtsim/). The longest room that
# is a prefix of a file's path is the file's. Traces may read the tables of names, the platform the bus that it stands behind.
rooms='
include/vtsim/  vtsim/
tlb/            vtsim/ tlb/
vmx_model/      vtsim/ tlb/ vmx_model/
traces/         vtsim/ traces/ vmx_model/errors. vmx_model/exit_reasons. vmx_model/vmcs_fields.def
sim/core/       vtsim/ tlb/ sim/core/
sim/cpu/        vtsim/ tlb/ vmx_model/ sim/cpu/
sim/sanitize/   vtsim/ tlb/ vmx_model/ sim/sanitize/
sim/platform/   vtsim/ sim/platform/ sim/cpu/cpu.h
sim/boot/       vtsim/ sim/boot/
sim/            vtsim/ tlb/ vmx_model/ traces/ sim/machine sim/core/core.h sim/cpu/cpu.h sim/cpu/features.h sim/platform/platform.h sim/boot/boot.h sim/boot/acpi.h sim/boot/bios.h sim/sanitize/sanitizer.h
sim/cli/        vtsim/ vmx_model/ traces/ sim/cli/ sim/machine.h sim/sanitize/sanitizer.h sim/cpu/features.h sim/cpu/msr.h
bench/          vtsim/ tlb/ vmx_model/ traces/ sim/core/ sim/cpu/ sim/platform/ sim/boot/ sim/machine bench/ machine.h vmx.h
examples/       machine.h vmx.h
examples/probe/ machine.h vmx.h probe.h
tests/guests/   machine.h vmx.h trap.h working_set.h ept_set.h guest_tables.h processors.S v86.h
'

# A header of the system or of a library, and the rooms that may know it. The host's clock and randomness would make runs differ.
headers='
unicorn/        sim/core/ bench/ tests/core/
capstone/       sim/core/ bench/ tests/cpu/
sqlite3.h       traces/ tests/traces/
time.h          bench/
sys/time.h      bench/
sys/times.h     bench/
sys/random.h    -
cmocka.h        tests/
'

find include tlb vmx_model traces sim bench examples tests -name '*.[chS]' -o -name '*.def' | LC_ALL=C sort |
    xargs grep -HnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*[<"]' |
    awk -v rooms="$rooms" -v headers="$headers" '
function starts(text, prefix) { return substr(text, 1, length(prefix)) == prefix }
function complain(way_out) {
    print file ":" line ": includes " opening path closing
    print "    " way_out
    bad++
}
function check_own(    i, n, prefix) {
    if (!room) return # tests may look into every room
    n = split(allowed[room], prefix, " ")
    for (i = 1; i <= n; i++)
        if (starts(path, prefix[i])) return
    complain(room " may include only: " allowed[room] " (take what is needed as a parameter or callback, or move it to the room that may know it)")
}
function check_foreign(    h, i, n, prefix) {
    for (h in knows) {
        if (!(h ~ /\/$/ ? starts(path, h) : path == h)) continue
        n = split(knows[h], prefix, " ")
        for (i = 1; i <= n; i++)
            if (starts(file, prefix[i])) return
        complain("only " knows[h] " may include <" h ">; put it behind a function of such a room")
    }
}
function read_table(text, to,    rows, n, i, key) {
    n = split(text, rows, "\n")
    for (i = 1; i <= n; i++)
        if (match(rows[i], /^[^ ]+/)) {
            key = substr(rows[i], 1, RLENGTH)
            to[key] = substr(rows[i], RLENGTH + 1)
            sub(/^ +/, "", to[key])
        }
}
BEGIN { read_table(rooms, allowed); read_table(headers, knows) }
{
    split($0, part, ":")
    file = part[1]; line = part[2]
    text = substr($0, length(file) + length(line) + 3)
    match(text, /[<"][^>"]+[>"]/)
    opening = substr(text, RSTART, 1); closing = substr(text, RSTART + RLENGTH - 1, 1)
    path = substr(text, RSTART + 1, RLENGTH - 2)
    seen++
    room = ""
    for (r in allowed)
        if (starts(file, r) && length(r) > length(room)) room = r
    check_foreign()
    if (opening == "\"") check_own()
}
END {
    if (!seen) { print "no #include was found: is this the root of the project?"; exit 1 }
    if (bad) { print bad " #include lines against the direction of docs/architecture.md (table in tests/dependencies.sh)"; exit 1 }
    print seen " #include lines, all in the right direction"
}'
