#!/usr/bin/env bash
# Which test makes which rule, exit reason, VM-instruction error and control of VT-x happen. Usage:
#   witness.sh make VTSIM PROGRAM...    writes docs/coverage/vmx_tests.txt anew, from what the tests do
#   witness.sh check VTSIM PROGRAM...   that what it says is so, and that nothing is without a test
# The programs are those of tests/vmx_model and tests/cpu (witness.h). A test stands for
#   a rule       whose violation the engine found in it
#   an exit      that the model gave in it (not one that the test made up)
#   an error     that a VMX instruction ended with in it
#   a control    if it fails when the control acts as 0
set -euo pipefail
export LC_ALL=C
mode=$1 vtsim=$(readlink -f "$2")
shift 2
declare -A path=()
for program in "$@"; do path[$(basename "$program")]=$(readlink -f "$program"); done
cd "$(dirname "$(readlink -f "$0")")/../.."
table=docs/coverage/vmx_tests.txt left_out=docs/coverage/vmx_not_modelled.txt
most=3 # tests that the table names for one thing
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0
fail() {
    printf 'FAIL: %s\n' "$*"
    failures=$((failures + 1))
}

# record: "KIND ID PROGRAM TEST" for all that the tests do.
for program in "${path[@]}"; do
    VTSIM_WITNESS=$work/all "$program" >"$work/output" 2>&1 || fail "$program fails: $(tail -5 "$work/output")"
done
sort -u "$work/all" >"$work/record"

# fails_without CONTROL PROGRAM: the tests that fail.
fails_without() {
    VTSIM_WITHOUT=$1 CMOCKA_MESSAGE_OUTPUT=TAP "${path[$2]}" 2>&1 | sed -nE 's/^not ok [0-9]+ - ([a-z0-9_]+).*/\1/p' || true
}

make_table() {
    awk -v most=$most '$1 != "control" {
        key = $1 " " $2
        if (key != last) { if (last != "") print line; last = key; line = key; n = 0 }
        if (n++ < most) line = line " " $3 ":" $4
    } END { if (last != "") print line }' "$work/record"
    local control program test line n
    while read -r control; do
        line="" n=0
        while read -r program; do
            [ "$n" -lt $most ] || break
            while read -r test; do
                [ "$n" -lt $most ] || break
                grep -qxF "control $control $program $test" "$work/record" || continue
                line+=" $program:$test" n=$((n + 1))
            done < <(fails_without "$control" "$program")
        done < <(awk -v control="$control" '$1 == "control" && $2 == control { print $3 }' "$work/record" | uniq)
        [ -z "$line" ] || echo "control $control$line"
    done < <(awk '$1 == "control" { print $2 }' "$work/record" | uniq)
}

check_table() {
    local kind id tests test
    while read -r kind id tests; do
        if [ "$kind" = control ]; then
            test=${tests%% *}
            [ -n "${path[${test%:*}]-}" ] && fails_without "$id" "${test%:*}" | grep -qxF "${test#*:}" ||
                fail "control $id: $test does not fail without it"
            continue
        fi
        for test in $tests; do
            grep -qxF "$kind $id ${test%:*} ${test#*:}" "$work/record" || fail "$kind $id: $test does not make it happen"
        done
    done <"$table"
}

# What there is: "KIND ID".
all_there_is() {
    "$vtsim" list rules --format csv | tail -n +2 | sed -E 's/^([a-z0-9_]+),.*/rule \1/'
    "$vtsim" list exits --format csv | tail -n +2 | sed -E 's/^([0-9]+),.*/exit \1/'
    "$vtsim" list errors --format csv | tail -n +2 | sed -E 's/^([0-9]+),.*/error \1/'
    # A control that no processor has may be tested, and need not be.
    "$vtsim" list controls --format csv | tail -n +2 |
        awk -F , '{ if ($(NF - 1) != "") print "control " $1 "." $3 }'
}

check_nothing_is_left() {
    local kind id
    while read -r kind id; do
        local tested=0 excused=0
        grep -q "^$kind $id " "$table" && tested=1
        grep -q "^$kind $id " "$left_out" && excused=1
        case $tested$excused in
        00) fail "$kind $id: no test makes it happen, and $left_out does not say why" ;;
        11) fail "$kind $id: $left_out has it, but a test makes it happen: $(grep "^$kind $id " "$table")" ;;
        esac
    done < <(all_there_is)
}

case $mode in
make) make_table >"$work/table" && cp "$work/table" "$table" ;;
check) check_table ;;
*) echo "usage: $0 make|check VTSIM PROGRAM..." >&2; exit 2 ;;
esac
check_nothing_is_left
[ "$failures" = 0 ] && echo "$(wc -l <"$table") things, each with a test"
[ "$failures" = 0 ]
