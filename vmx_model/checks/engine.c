/* engine.c: walks the section tables. Knows no rule. */
#include "vmx_model/checks/section_api.h"

#include <stdio.h>

#define BASIC_32_BIT_ADDRESSES (1ull << 48)

static const struct check_section *const sections[] = {
#define LIST_SECTION(name) &name##_section,
    CHECK_SECTIONS(LIST_SECTION)
#undef LIST_SECTION
};
#define SECTION_COUNT (sizeof sections / sizeof sections[0])

void vmx_check_prepare(struct check_context *c)
{
    const struct vmcs *v = c->vmcs;
    vmx_facts facts = 0;
    c->beyond_physical = UINT64_MAX << c->profile->physical_address_bits;
    c->beyond_vmx_address =
        c->beyond_physical | (c->profile->vmx.basic & BASIC_32_BIT_ADDRESSES ? HIGH_32_BITS : 0);
    /* SDM "VM-Execution Control Fields": without "activate secondary controls" all of them count as 0. */
    c->secondary_controls = v->primary_proc_based_controls & PRIMARY_ACTIVATE_SECONDARY_CONTROLS
                                ? v->secondary_proc_based_controls
                                : 0;
#define FACT(name, text, expression) facts |= (vmx_facts)(bool)(expression) << FACT_##name;
#include "vmx_model/checks/facts.def"
#undef FACT
    c->facts = facts;
}

const struct vmx_rule *vmx_check_first(const struct check_context *context, enum vmx_check_phase phase,
                                       uint64_t *qualification)
{
    for (size_t i = 0; i < SECTION_COUNT; i++) {
        if (sections[i]->phase != phase)
            continue;
        const struct vmx_rule *rule = sections[i]->first(context);
        if (!rule)
            continue;
        if (qualification)
            *qualification = rule->qualification;
        return rule;
    }
    return NULL;
}

static bool violated_by(const struct vmx_rule *rule, const struct check_context *context)
{
    return (context->facts & rule->applies) == rule->applies && !rule->holds(context);
}

size_t vmx_check_all(const struct check_context *context, enum vmx_check_phase phase,
                     void (*violated)(void *opaque, const struct vmx_rule *rule), void *opaque)
{
    const struct vmx_rule *rule;
    size_t count = 0;
    for (size_t i = 0; (rule = vmx_rule_at(i)); i++) {
        if (rule->phase != phase || !violated_by(rule, context))
            continue;
        count++;
        if (violated)
            violated(opaque, rule);
    }
    return count;
}

const struct vmx_rule *vmx_rule_at(size_t i)
{
    for (size_t s = 0; s < SECTION_COUNT; s++) {
        if (i < sections[s]->count)
            return &sections[s]->rules[i];
        i -= sections[s]->count;
    }
    return NULL;
}

const struct vmx_rule *vmx_rule_find(const char *id)
{
    const struct vmx_rule *rule;
    for (size_t i = 0; (rule = vmx_rule_at(i)); i++)
        if (!strcmp(rule->id, id))
            return rule;
    return NULL;
}

size_t vmx_rule_conditions(const struct vmx_rule *rule, char *text, size_t size)
{
    static const char *const fact_text[FACT_COUNT] = {
#define FACT(name, text, expression) text,
#include "vmx_model/checks/facts.def"
#undef FACT
    };
    size_t length = 0;
    if (!size)
        return 0;
    text[0] = '\0';
    for (unsigned fact = 0; fact < FACT_COUNT; fact++) {
        if (!((rule->applies >> fact) & 1) || length + 1 >= size)
            continue;
        snprintf(text + length, size - length, "%s%s", length ? "; " : "", fact_text[fact]);
        length += strlen(text + length);
    }
    if (!rule->applies)
        snprintf(text, size, "always");
    return strlen(text);
}

const char *vmx_check_phase_name(enum vmx_check_phase phase)
{
    static const char *const names[VMX_CHECK_PHASES] = {"controls", "host", "guest"};
    return phase < VMX_CHECK_PHASES ? names[phase] : "unknown";
}
