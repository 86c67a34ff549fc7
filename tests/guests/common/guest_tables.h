/* guest_tables.h: a guest with the hypervisor's own IDT and GDT, for events that are delivered in it. */
#ifndef TESTS_GUESTS_COMMON_GUEST_TABLES_H
#define TESTS_GUESTS_COMMON_GUEST_TABLES_H

#include "trap.h"
#include "vmx.h"

struct descriptor_table {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

static inline void guest_has_our_tables(void)
{
    struct descriptor_table idtr, gdtr;
    __asm__("sidt %0; sgdt %1" : "=m"(idtr), "=m"(gdtr));
    vmwrite(GUEST_IDTR_BASE, idtr.base);
    vmwrite(GUEST_IDTR_LIMIT, idtr.limit);
    vmwrite(GUEST_GDTR_BASE, gdtr.base);
    vmwrite(GUEST_GDTR_LIMIT, gdtr.limit);
    vmwrite(GUEST_CS_SELECTOR, TRAP_CODE_SELECTOR);
    vmwrite(GUEST_SS_SELECTOR, TRAP_DATA_SELECTOR);
}

#endif
