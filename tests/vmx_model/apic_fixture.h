/* apic_fixture.h: a guest with a virtual APIC: "virtualize x2APIC mode", "virtual-interrupt delivery", posted
 * interrupts. */
#ifndef VTSIM_TESTS_APIC_FIXTURE_H
#define VTSIM_TESTS_APIC_FIXTURE_H

#include <stdlib.h>

#include "tests/vmx_model/transition_fixture.h"
#include "vmx_model/exit_reasons.h"

static inline int apic_setup(void **state)
{
    struct bench *b = malloc(sizeof *b);
    bench_setup(b, fixture_long);
    posted_interrupts(&b->f);
    b->f.vmcs.secondary_proc_based_controls |= SECONDARY_VIRTUALIZE_X2APIC_MODE;
    b->f.vmcs.secondary_proc_based_controls &= ~SECONDARY_ENABLE_EPT;
    b->vmx.vmcs = b->f.vmcs;
    bench_non_root(b);
    *state = b;
    return 0;
}

static inline int apic_teardown(void **state)
{
    bench_end(*state);
    free(*state);
    return 0;
}

/* 32 bits at an offset of the virtual-APIC page. */
static inline void put(struct bench *b, unsigned offset, uint32_t value)
{
    memcpy(b->f.ram + FIXTURE_VIRTUAL_APIC + offset, &value, 4);
}

static inline uint32_t get(const struct bench *b, unsigned offset)
{
    uint32_t value;
    memcpy(&value, b->f.ram + FIXTURE_VIRTUAL_APIC + offset, 4);
    return value;
}

#define APIC_TEST(name) cmocka_unit_test_setup_teardown(name, apic_setup, apic_teardown)

#endif
