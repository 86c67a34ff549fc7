/* explain.c: tells a person why a VM entry fails: every violated rule, the fields, what was expected. */
#include "vmx_model/checks/section_api.h"

#include <inttypes.h>
#include <stdio.h>

struct explanation {
    const struct check_context *context;
    void (*line)(void *opaque, const char *text);
    void *opaque;
    char text[512];
};

/* Appends "63:52" or "7" for each run of set bits, highest first, with commas. */
static size_t append_bits(char *text, size_t size, size_t length, uint64_t bits)
{
    bool first = true;
    for (int high = 63; high >= 0; high--) {
        if (!((bits >> high) & 1))
            continue;
        int low = high;
        while (low > 0 && ((bits >> (low - 1)) & 1))
            low--;
        if (length < size)
            snprintf(text + length, size - length, high == low ? "%s%d" : "%s%d:%d", first ? "" : ", ", high,
                     low);
        length += strlen(text + length);
        first = false;
        high = low;
    }
    return length;
}

/* "    Guest CR0 (6800H) = 0000000080000011H" */
static void explain_field(struct explanation *e, uint16_t index)
{
    const struct vmcs_field_info *field = vmcs_field_at(index);
    if (!field)
        return;
    snprintf(e->text, sizeof e->text, "    %s (%04XH) = %0*" PRIX64 "H", field->name, field->encoding,
             (int)field->size * 2, vmcs_read(e->context->vmcs, field));
    e->line(e->opaque, e->text);
}

static void explain_bits(struct explanation *e, uint64_t bits, const char *verb)
{
    if (!bits)
        return;
    size_t length = (size_t)snprintf(e->text, sizeof e->text, "    expected %s in bit%s ", verb,
                                     bits & (bits - 1) ? "s" : "");
    append_bits(e->text, sizeof e->text, length, bits);
    e->line(e->opaque, e->text);
}

static void explain_expected(struct explanation *e, const struct vmx_rule *rule)
{
    if (!rule->expected)
        return;
    const struct vmx_expectation expected = rule->expected(e->context);
    const struct vmcs_field_info *field = vmcs_field_at(rule->field);
    uint64_t value = field ? vmcs_read(e->context->vmcs, field) : 0;
    switch (expected.kind) {
    case VMX_EXPECT_BITS:
        explain_bits(e, expected.ones & ~value, "1");
        explain_bits(e, expected.zeros & value, "0");
        break;
    case VMX_EXPECT_VALUE:
        snprintf(e->text, sizeof e->text, "    expected %" PRIX64 "H", expected.value);
        e->line(e->opaque, e->text);
        break;
    case VMX_EXPECT_DEMAND:
        break;
    }
}

static void explain_rule(void *opaque, const struct vmx_rule *rule)
{
    struct explanation *e = opaque;
    snprintf(e->text, sizeof e->text, "%s: %s", rule->id, rule->demand);
    e->line(e->opaque, e->text);
    explain_field(e, rule->field);
    explain_expected(e, rule);
    explain_field(e, rule->other);
    snprintf(e->text, sizeof e->text, "    SDM \"%s\"", rule->section);
    e->line(e->opaque, e->text);
}

size_t vmx_explain_violations(const struct check_context *context, enum vmx_check_phase phase,
                              void (*line)(void *opaque, const char *text), void *opaque)
{
    struct explanation e = {.context = context, .line = line, .opaque = opaque};
    return vmx_check_all(context, phase, explain_rule, &e);
}
