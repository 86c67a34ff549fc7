# What stops a run with status 8 (or 4 for an image), with the text, from the sources: the string of each statement that names
# a status ..._UNSUPPORTED, sets an "unsupported" or fills in a device's *text.
cat <<'E'
## What is refused, and with which message

| message | source |
|---|---|
E
find sim vmx_model tlb -name '*.c' ! -name 'machine*.c' | sort | xargs awk '
    FNR == 1 { statement = ""; in_comment = 0 }
    {
        line = $0
        if (line ~ /^[ \t]*#/) next
        while (match(line, /\/\*/) || in_comment) { # comments have quotes of their own
            if (!in_comment) { before = substr(line, 1, RSTART - 1); line = substr(line, RSTART + 2); in_comment = 1 } else before = ""
            if (!match(line, /\*\//)) { line = before; break }
            line = before substr(line, RSTART + 2); in_comment = 0
        }
        sub(/\/\/.*/, "", line)
        statement = statement " " line
        if (line ~ /;[ \t]*$/) { look(statement); statement = "" }
    }
    function look(s,    text) {
        gsub(/case [A-Z_]*UNSUPPORTED:/, "", s)
        gsub(/VMX_ERROR_UNSUPPORTED/, "", s)
        if (s !~ /(OUTCOME|PLATFORM|CPU|BOOT|CLI)_UNSUPPORTED/ && s !~ /unsupported =/ && s !~ /\*text = "/) return
        sub(/^.*(OUTCOME|PLATFORM|CPU|BOOT|CLI)_UNSUPPORTED/, "", s)
        text = ""
        while (match(s, /"([^"\\]|\\.)*"/)) {
            text = text substr(s, RSTART + 1, RLENGTH - 2)
            s = substr(s, RSTART + RLENGTH)
            if (s !~ /^[ \t]*("|PRI)/) break
        }
        if (text == "" || text == "%s") return
        gsub(/\|/, "\\|", text)
        gsub(/\\"/, "\"", text)
        print "| " text " | `" FILENAME "` |"
    }'
