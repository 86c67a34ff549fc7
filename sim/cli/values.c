/* values.c: numbers and sizes as people write them, and errors. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cli/cli.h"

int cli_fail(int status, const char *format, ...)
{
    va_list arguments;
    fputs("vtsim: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    return status;
}

static bool parse_prefix(const char *text, uint64_t *value, char **end)
{
    bool hexadecimal = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    const char *digits = text + (hexadecimal ? 2 : 0);
    if (!*digits || !strchr(hexadecimal ? "0123456789abcdefABCDEF" : "0123456789", *digits))
        return false;
    errno = 0;
    *value = strtoull(digits, end, hexadecimal ? 16 : 10);
    return errno == 0;
}

bool cli_parse_number(const char *text, uint64_t *value)
{
    char *end;
    return parse_prefix(text, value, &end) && !*end;
}

bool cli_parse_size(const char *text, uint64_t *bytes)
{
    static const char suffixes[] = "KMG";
    char *end;
    if (!parse_prefix(text, bytes, &end))
        return false;
    unsigned shift = 20;
    if (*end) {
        char letter = (char)(*end >= 'a' && *end <= 'z' ? *end - 'a' + 'A' : *end);
        const char *found = strchr(suffixes, letter);
        if (!found || end[1])
            return false;
        shift = 10 * (unsigned)(found - suffixes + 1);
    }
    if (*bytes > UINT64_MAX >> shift)
        return false;
    *bytes <<= shift;
    return true;
}
