# The core conformance suite: one row for each item, from the comments on top of the tests.
cat <<'E'
## The core conformance suite (`tests/core/conformance`)

Guests without VMX, which check themselves; `ctest --test-dir build/release -L conformance` runs them.

| item | SDM | test |
|---|---|---|
E
for source in tests/core/conformance/*/*.c; do
    case $source in */common/*) continue ;; esac
    awk -v test="${source#tests/core/conformance/}" '
        { sub(/ *\*\/ *$/, "") }
        /^[ \/*]*conformance: / { sub(/^[ \/*]*conformance: /, ""); items = items (items == "" ? "" : "; ") $0 }
        /^[ \/*]*SDM: / { sub(/^[ \/*]*SDM: /, ""); sections = sections (sections == "" ? "" : "; ") $0 }
        END {
            if (items == "" || sections == "") {
                print test ": a line \"conformance: ITEM\" and a line \"SDM: VOLUME, SECTION\" are needed" > "/dev/stderr"
                exit 1
            }
            print "| " items " | " sections " | `" test "` |"
        }' "$source"
done
