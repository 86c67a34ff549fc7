/* table_layout.c: what a table's text says, and how wide its columns are. */
#include "traces/table/table.h"

#include <stdlib.h>
#include <string.h>

/* Words of column names that are written otherwise in headings. */
static const struct {
    const char *word, *heading;
} words[] = {
    {"percent", "%"}, {"mib", "MiB"}, {"vm", "VM"},   {"vpid", "VPID"}, {"vmx", "VMX"},
    {"tlb", "TLB"},   {"ept", "EPT"}, {"kvm", "KVM"}, {"cpu", "CPU"},
};

static const char *word_for_heading(const char *word, size_t *length)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i].word) == *length && !strncmp(words[i].word, word, *length)) {
            *length = strlen(words[i].heading);
            return words[i].heading;
        }
    return word;
}

const char *table_heading(const struct table *table, size_t column, char *buffer)
{
    const char *name = table->columns[column].text;
    if (!table->report)
        return name;
    size_t used = 0;
    while (*name) {
        size_t length = strcspn(name, "_"), shown = length;
        const char *word = word_for_heading(name, &shown);
        if (used + shown + 2 > TABLE_TEXT_SIZE)
            break;
        memcpy(buffer + used, word, shown);
        used += shown;
        name += length + (name[length] == '_');
        if (*name)
            buffer[used++] = ' ';
    }
    buffer[used] = 0;
    return buffer;
}

const char *table_cell_text(const struct table *table, const struct table_cell *cell, char *buffer)
{
    if (cell->kind == TABLE_NULL)
        return table->report ? "" : "-";
    const char *text = cell->text;
    size_t sign = *text == '-', digits = strspn(text + sign, "0123456789"), length = strlen(text);
    if (!table->report || cell->kind != TABLE_NUMBER || digits <= 3 || length + digits / 3 >= TABLE_TEXT_SIZE)
        return text;
    char *to = buffer;
    for (size_t i = 0; i < length; i++) {
        const size_t left = sign + digits - i; /* digits from here to the point */
        if (i > sign && i < sign + digits && left % 3 == 0)
            *to++ = ',';
        *to++ = text[i];
    }
    *to = 0;
    return buffer;
}

static size_t longest_word(const char *text)
{
    size_t longest = 0;
    while (*text) {
        size_t length = strcspn(text, " ");
        longest = length > longest ? length : longest;
        text += length + (text[length] == ' ');
    }
    return longest;
}

static bool is_text(const struct table *table, size_t column)
{
    for (size_t i = column; i < table->cell_count; i += table->column_count)
        if (table->cells[i].kind == TABLE_STRING)
            return true;
    return false;
}

/* The column of text that can best lose a character; column_count if there is none. */
static size_t widest_text(const struct table *table, const size_t *widths)
{
    size_t widest = table->column_count;
    for (size_t i = 0; i < table->column_count; i++)
        if (widths[i] > TABLE_LEAST_WIDTH && is_text(table, i) &&
            (widest == table->column_count || widths[i] > widths[widest]))
            widest = i;
    return widest;
}

void table_widths(const struct table *table, size_t *widths)
{
    char buffer[TABLE_TEXT_SIZE];
    size_t total = 0;
    for (size_t column = 0; column < table->column_count; column++) {
        const char *heading = table_heading(table, column, buffer);
        size_t width = table->report ? longest_word(heading) : table_text_length(heading);
        for (size_t i = column; i < table->cell_count; i += table->column_count) {
            size_t length = table_text_length(table_cell_text(table, &table->cells[i], buffer));
            width = length > width ? length : width;
        }
        widths[column] = width;
        total += width + 2;
    }
    while (table->width && total > table->width) {
        size_t column = widest_text(table, widths);
        if (column == table->column_count)
            break;
        widths[column]--;
        total--;
    }
}
