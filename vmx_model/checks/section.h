/*
 * section.h: turns one section's table of rules into code. Included at the end of each section's .c file (no
 * guard).
 *
 * In:  SECTION, SECTION_RULES (the .def), SECTION_TITLE, SECTION_PHASE, SECTION_QUALIFICATION.
 * Out: <SECTION>_section with the rules and with a function that finds the first violated one. That function
 * has every predicate inlined: a VM entry costs a compare or two for each rule, not a call.
 *
 * The tables' lines (columns "applies" and below see v, the VMCS, and c, the context):
 *   CHECK(id, demand, applies, predicate, field, other field)
 *   CHECK_BITS(id, demand, applies, field, bits that must be 1, bits that must be 0, other field)
 *   CHECK_VALUE(id, demand, applies, field, value that it must have, other field)
 *   CHECK_QUALIFIED(id, exit qualification, demand, ... as CHECK)
 */
#include "vmx_model/checks/section_api.h"

#define SECTION_PASTE_(a, b) a##b
#define SECTION_PASTE(a, b) SECTION_PASTE_(a, b)
#define ALWAYS ((vmx_facts)0)
#define IF(fact) ((vmx_facts)1 << FACT_##fact)
#define IF2(a, b) (IF(a) | IF(b))
#define IF3(a, b, d) (IF(a) | IF(b) | IF(d))

/* 1. The predicates, and what they expect. */
#define CHECK(id, demand, applies, predicate, field, other)                                                  \
    static bool id##_holds(const struct check_context *c)                                                    \
    {                                                                                                        \
        const struct vmcs *v = c->vmcs;                                                                      \
        (void)v;                                                                                             \
        return (predicate);                                                                                  \
    }
#define CHECK_QUALIFIED(id, qualification, ...) CHECK(id, __VA_ARGS__)
#define CHECK_BITS(id, demand, applies, field, must_be_1, must_be_0, other)                                  \
    static struct vmx_expectation id##_expected(const struct check_context *c)                               \
    {                                                                                                        \
        const struct vmcs *v = c->vmcs;                                                                      \
        (void)v;                                                                                             \
        return (struct vmx_expectation){.kind = VMX_EXPECT_BITS, .ones = (must_be_1), .zeros = (must_be_0)}; \
    }                                                                                                        \
    static bool id##_holds(const struct check_context *c)                                                    \
    {                                                                                                        \
        const struct vmx_expectation expected = id##_expected(c);                                            \
        const uint64_t value = c->vmcs->field;                                                               \
        return !(~value & expected.ones) && !(value & expected.zeros);                                       \
    }
#define CHECK_VALUE(id, demand, applies, field, wanted, other)                                               \
    static struct vmx_expectation id##_expected(const struct check_context *c)                               \
    {                                                                                                        \
        const struct vmcs *v = c->vmcs;                                                                      \
        (void)v;                                                                                             \
        return (struct vmx_expectation){.kind = VMX_EXPECT_VALUE, .value = (wanted)};                        \
    }                                                                                                        \
    static bool id##_holds(const struct check_context *c)                                                    \
    {                                                                                                        \
        return c->vmcs->field == id##_expected(c).value;                                                     \
    }
#include SECTION_RULES
#undef CHECK
#undef CHECK_QUALIFIED
#undef CHECK_BITS
#undef CHECK_VALUE

/* 2. The rules' numbers within the section. */
enum {
#define CHECK(id, ...) RULE_##id,
#define CHECK_QUALIFIED CHECK
#define CHECK_BITS CHECK
#define CHECK_VALUE CHECK
#include SECTION_RULES
#undef CHECK
#undef CHECK_QUALIFIED
#undef CHECK_BITS
#undef CHECK_VALUE
};

/* 3. The rules as data. */
#define RULE_ROW(id_, exit_qualification, demand_, applies_, expected_, field_, other_)                      \
    {.id = #id_,                                                                                             \
     .section = SECTION_TITLE,                                                                               \
     .demand = demand_,                                                                                      \
     .phase = SECTION_PHASE,                                                                                 \
     .qualification = (exit_qualification),                                                                  \
     .applies = (applies_),                                                                                  \
     .holds = id_##_holds,                                                                                   \
     .expected = expected_,                                                                                  \
     .field = VMCS_INDEX_##field_,                                                                           \
     .other = VMCS_INDEX_##other_},
static const struct vmx_rule section_rules[] = {
#define CHECK(id, demand, applies, predicate, field, other)                                                  \
    RULE_ROW(id, SECTION_QUALIFICATION, demand, applies, NULL, field, other)
#define CHECK_QUALIFIED(id, qualification, demand, applies, predicate, field, other)                         \
    RULE_ROW(id, qualification, demand, applies, NULL, field, other)
#define CHECK_BITS(id, demand, applies, field, must_be_1, must_be_0, other)                                  \
    RULE_ROW(id, SECTION_QUALIFICATION, demand, applies, id##_expected, field, other)
#define CHECK_VALUE(id, demand, applies, field, wanted, other)                                               \
    RULE_ROW(id, SECTION_QUALIFICATION, demand, applies, id##_expected, field, other)
#include SECTION_RULES
#undef CHECK
#undef CHECK_QUALIFIED
#undef CHECK_BITS
#undef CHECK_VALUE
};

/* 4. The first violated rule. */
static const struct vmx_rule *section_first(const struct check_context *context)
{
    const vmx_facts facts = context->facts;
#define CHECK(id, demand, applies, ...)                                                                      \
    if ((facts & (applies)) == (applies) && !id##_holds(context))                                            \
        return &section_rules[RULE_##id];
#define CHECK_QUALIFIED(id, qualification, ...) CHECK(id, __VA_ARGS__)
#define CHECK_BITS CHECK
#define CHECK_VALUE CHECK
#include SECTION_RULES
#undef CHECK
#undef CHECK_QUALIFIED
#undef CHECK_BITS
#undef CHECK_VALUE
    return NULL;
}

const struct check_section SECTION_PASTE(SECTION, _section) = {
    .rules = section_rules,
    .count = sizeof section_rules / sizeof section_rules[0],
    .first = section_first,
    .phase = SECTION_PHASE,
};
