/* suggest.c: which known name did somebody mean? */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "sim/cli/cli.h"

#define LONGEST 80

static char plain(char c)
{
    return c == '-' || c == '_' ? ' ' : (char)tolower((unsigned char)c);
}

/* Edits (insert, delete, replace, swap neighbours) from a to b, letter case and -, _, space aside. */
static unsigned edit_distance(const char *a, const char *b)
{
    size_t m = strlen(a), n = strlen(b);
    unsigned rows[3][LONGEST + 1];
    unsigned *before = rows[0], *last = rows[1], *now = rows[2];
    if (m > LONGEST || n > LONGEST)
        return LONGEST;
    for (size_t j = 0; j <= n; j++)
        last[j] = (unsigned)j;
    for (size_t i = 1; i <= m; i++) {
        now[0] = (unsigned)i;
        for (size_t j = 1; j <= n; j++) {
            bool same = plain(a[i - 1]) == plain(b[j - 1]);
            unsigned best = last[j - 1] + !same;
            best = last[j] + 1 < best ? last[j] + 1 : best;
            best = now[j - 1] + 1 < best ? now[j - 1] + 1 : best;
            if (i > 1 && j > 1 && plain(a[i - 1]) == plain(b[j - 2]) && plain(a[i - 2]) == plain(b[j - 1]) &&
                before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            now[j] = best;
        }
        unsigned *oldest = before;
        before = last;
        last = now;
        now = oldest;
    }
    return last[n];
}

static bool contains(const char *text, const char *part)
{
    size_t length = strlen(part);
    for (; strlen(text) >= length; text++) {
        size_t i = 0;
        while (i < length && plain(text[i]) == plain(part[i]))
            i++;
        if (i == length)
            return true;
    }
    return false;
}

void suggest(struct suggestions *s, const char *candidate)
{
    size_t length = strlen(s->wanted);
    unsigned distance = edit_distance(s->wanted, candidate), limit = length < 3   ? 1
                                                                     : length < 9 ? 2
                                                                                  : (unsigned)length / 3;
    if (length > 2 && contains(candidate, s->wanted) && distance > 1)
        distance = 1; /* a part of a longer name */
    if (!length || distance > limit)
        return;
    size_t place = s->count;
    for (size_t i = 0; i < s->count; i++)
        if (!edit_distance(s->names[i], candidate)) /* the same name, spelt otherwise */
            return;
    while (place && s->distances[place - 1] > distance)
        place--;
    if (place == CLI_SUGGESTIONS)
        return;
    if (s->count < CLI_SUGGESTIONS)
        s->count++;
    for (size_t i = s->count - 1; i > place; i--) {
        s->names[i] = s->names[i - 1];
        s->distances[i] = s->distances[i - 1];
    }
    s->names[place] = candidate;
    s->distances[place] = distance;
}

void suggest_text(const struct suggestions *s, char *text, size_t size)
{
    size_t used = 0;
    *text = 0;
    for (size_t i = 0; i < s->count && used < size; i++)
        used +=
            (size_t)snprintf(text + used, size - used, "%s'%s'", i ? ", " : "; did you mean ", s->names[i]);
    if (s->count && used < size)
        snprintf(text + used, size - used, "?");
}
