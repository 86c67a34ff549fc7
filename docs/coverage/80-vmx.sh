# VT-x thing by thing: what there is, from vtsim list; the tests that make it happen, from vmx_tests.txt, which
# tests/coverage/witness.sh makes and checks; why there is none, from vmx_not_modelled.txt.
here=docs/coverage
cat <<'T'
## VT-x, thing by thing, with the tests that make it happen

The tables are made of what the tests of `tests/vmx_model` and `tests/cpu` were seen to do (`tests/coverage/README.md`), three tests for a thing at
most; `coverage.witness` of `ctest` checks that they still do it. A test is `PROGRAM:NAME`. Guests (`tests/guests`, `tests/core`) and kvm-unit-tests come on top.
T

# table KIND COLUMNS: reads "ID|cell|cell..." and puts the tests, or the reason why there are none, behind it.
table() {
    awk -F '|' -v kind="$1" '
        FILENAME ~ /vmx_tests/ { split($0, word, " "); if (word[1] == kind) tests[word[2]] = substr($0, length(word[1] word[2]) + 3); next }
        FILENAME ~ /vmx_not_modelled/ { split($0, word, " "); if (word[1] == kind) why[word[2]] = substr($0, index($0, " : ") + 3); next }
        {
            line = "|"
            for (i = 2; i <= NF; i++) line = line " " $i " |"
            shown = tests[$1]
            if (shown != "") { gsub(/ /, "`, `", shown); shown = "`" shown "`" }
            else shown = ($1 in why) ? "none: " why[$1] : "none: not advertised"
            print line " " shown " |"
        }' $here/vmx_tests.txt $here/vmx_not_modelled.txt -
}
rows() { # LIST QUERY: a list of vtsim as a table of SQL, one line for each row, columns with | between
    sqlite3 -noheader -list :memory: ".mode csv" ".import '|\"$VTSIM\" list $1 --format csv' t" ".mode list" "$2"
}

printf '\n### Basic exit reasons\n\n| | exit reason | tests |\n|---|---|---|\n'
rows exits 'SELECT reason, reason, name FROM t' | table exit
printf '\n### VM-instruction errors\n\n| | error | tests |\n|---|---|---|\n'
rows errors 'SELECT error, error, text FROM t' | table error
cat <<'T'

### Control bits

A test stands for a control if it fails when the control acts as 0. The column "since" is the first processor that has it.

| field | bit | control | since | tests |
|---|---|---|---|---|
T
rows controls "SELECT word || '.' || identifier, word, bit, name, CASE WHEN may_be_1 = '' THEN '-' ELSE substr(may_be_1, 1, instr(may_be_1 || ' ', ' ') - 1) END FROM t" |
    table control
cat <<'T'

### Rules of VM entry

A test stands for a rule if the checks found it violated in it. `vmx_model.test_checks:each_rule_passes_and_fails` does so for each rule, with a state that
passes all rules but for one change.

| rule | SDM section | tests |
|---|---|---|
T
rows rules "SELECT id, '\`' || id || '\`', section FROM t" | table rule
