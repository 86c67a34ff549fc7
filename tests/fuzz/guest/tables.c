/* tables.c: descriptors and page tables: most of them good, of every kind. */
#include "tests/fuzz/guest/guest.h"

static void put_u32(uint8_t *to, uint32_t value)
{
    memcpy(to, &value, 4);
}
static void put_u64(uint8_t *to, uint64_t value)
{
    memcpy(to, &value, 8);
}

static uint64_t segment(uint32_t base, uint32_t limit, uint32_t rights)
{
    return (limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 | (uint64_t)(rights & 0xff) << 40 |
           (uint64_t)(limit >> 16 & 0xf) << 48 | (uint64_t)(rights >> 12 & 0xf) << 52 |
           (uint64_t)(base >> 24) << 56;
}

static uint64_t gate(uint32_t offset, uint16_t selector, uint32_t type, uint32_t count)
{
    return (offset & 0xffff) | (uint64_t)selector << 16 | (uint64_t)count << 32 | (uint64_t)type << 40 |
           (uint64_t)(offset >> 16) << 48;
}

static uint32_t handler(struct choices *c)
{
    return GUEST_CODE + choose(c, 64) * 0x100;
}

/* A code selector that suits the mode, or any. */
static uint16_t gate_selector(struct choices *c, enum guest_mode mode)
{
    if (one_in(c, 24))
        return choose_selector(c);
    return mode >= GUEST_COMPATIBILITY ? 1 << 3 : one_in(c, 4) ? 3 << 3 : 2 << 3;
}

static uint64_t random_descriptor(struct choices *c, enum guest_mode mode)
{
    static const uint8_t types[] = {0x8c, 0xec, 0x84, 0xe4, 0x85, 0xe5, 0x8e,
                                    0xee, 0x8f, 0x89, 0x81, 0x8b, 0x82};
    switch (choose(c, 4)) {
    case 0:
        return gate(handler(c), gate_selector(c, mode), types[choose(c, sizeof types)],
                    choose(c, 3) ? 0 : choose(c, 32));
    case 1: /* any code or data */
        return segment(one_in(c, 2) ? 0 : choose_address(c), (uint32_t)choose_bits(c, 20),
                       0x90 | ((uint32_t)choose_bits(c, 16) & 0xf06f));
    case 2:
        return segment(GUEST_TSS + choose(c, 4) * 0x400, choose(c, 0x400), types[choose(c, sizeof types)]);
    default:
        return choose_bits(c, 64);
    }
}

static void fill_gdt(struct choices *c, uint8_t *gdt, enum guest_mode mode)
{
    static const uint32_t usual[] = {0, 0xa09b, 0xc09b, 0x809b, 0xc093, 0xc0fb, 0xc0f3, 0xa0fb};
    for (unsigned i = 0; i < 32; i++)
        put_u64(gdt + 8 * i,
                i && i < 8 && !one_in(c, 64) ? segment(0, 0xfffff, usual[i]) : random_descriptor(c, mode));
    for (unsigned i = 0; i < 4; i++)
        if (!one_in(c, 8))
            put_u64(gdt + 8 * (8 + i),
                    segment(GUEST_TSS + i * 0x400, 0x3ff, i & 1 && mode < GUEST_COMPATIBILITY ? 0x81 : 0x89));
    put_u64(gdt + 8 * 12, segment(GUEST_LDT, 0xff, 0x82));
    if (mode >= GUEST_COMPATIBILITY && !one_in(c, 4))
        put_u64(gdt + 8 * 13, 0);
}

static void fill_idt(struct choices *c, uint8_t *ram, enum guest_mode mode)
{
    static const uint8_t types[] = {0x8e, 0x8e, 0xee, 0xef, 0x8f, 0x86, 0xe7, 0x85, 0xe5};
    bool wide = mode >= GUEST_COMPATIBILITY;
    for (unsigned i = 0; i < 256; i++) {
        uint8_t *to = ram + GUEST_IDT + i * (wide ? 16 : 8);
        uint8_t type = types[choose(c, !one_in(c, 16) ? 5 : sizeof types)];
        uint16_t selector = (type & 0xf) != 5 ? gate_selector(c, mode) : (uint16_t)((8 + choose(c, 4)) * 8);
        put_u64(to, one_in(c, 100)
                        ? choose_bits(c, 64)
                        : gate(handler(c), selector, type, wide && one_in(c, 8) ? choose(c, 8) : 0));
        if (wide)
            put_u64(to + 8, one_in(c, 64) ? choose_bits(c, 64) : 0);
        put_u32(ram + i * 4,
                one_in(c, 16) ? (uint32_t)choose_bits(c, 32) : 0x10000000 | choose(c, 64) * 0x100);
    }
}

static void fill_tss(struct choices *c, uint8_t *tss, enum guest_mode mode)
{
    for (unsigned i = 0; i < 0x68; i += 4)
        put_u32(tss + i, i < 0x20 ? GUEST_STACK_TOP : (uint32_t)choose_value(c));
    if (mode >= GUEST_COMPATIBILITY) {
        for (unsigned i = 0; i < 10; i++)
            put_u64(tss + 4 + 8 * i, one_in(c, 8) ? choose_value(c) : GUEST_STACK_TOP - 0x100 * i);
    } else if (!one_in(c, 6)) { /* a 32-bit TSS with a task in it */
        static const uint8_t selectors[6] = {4, 2, 4, 4, 4, 4};
        for (unsigned i = 0; i < 3; i++)
            put_u32(tss + 8 + 8 * i, one_in(c, 6) ? choose_selector(c) : 4 << 3);
        put_u32(tss + 0x1c, one_in(c, 4) ? choose_address(c) : GUEST_PD);
        put_u32(tss + 0x20, handler(c));
        put_u32(tss + 0x24, 2 | (uint32_t)(one_in(c, 3) ? choose_bits(c, 18) : 0));
        for (unsigned i = 0; i < 6; i++)
            put_u32(tss + 0x48 + 4 * i, one_in(c, 8) ? choose_selector(c) : (uint32_t)selectors[i] << 3);
        put_u32(tss + 0x60, one_in(c, 2) ? 0 : 12 << 3);
    }
    put_u32(tss, (uint32_t)((8 + choose(c, 4)) * 8));
    put_u32(tss + 0x64, (uint32_t)(one_in(c, 3) ? choose_bits(c, 32) : 0x680000));
    for (unsigned i = 0x68; i < 0x3ff; i++)
        tss[i] = (uint8_t)(one_in(c, 32) ? choose_bits(c, 8) : 0);
}

/* Flags of the entry for a page, most often all rights, and for tables and stacks always, lest most guests
 * end at once. high: with those that only 64-bit entries have. */
static uint64_t entry_flags(struct choices *c, unsigned page, bool high)
{
    bool vital = page <= GUEST_TSS >> 12 || page == GUEST_CODE >> 12 || page == GUEST_DATA >> 12 ||
                 page == (GUEST_STACK_TOP - 1) >> 12;
    if (!one_in(c, vital ? 128 : 12))
        return 7;
    uint64_t flags = choose_bits(c, 12) & 0x17f;
    if (high && one_in(c, 3))
        flags |= choose_bits(c, 16) << 48;
    return flags;
}

static void fill_page_tables_64(struct choices *c, uint8_t *ram)
{
    put_u64(ram + GUEST_PML4, GUEST_PDPT | 7);
    put_u64(ram + GUEST_PML4 + 8 * (1 + choose(c, 511)), one_in(c, 2) ? choose_bits(c, 64) : GUEST_PML4 | 7u);
    for (unsigned i = 0; i < 4; i++)
        put_u64(ram + GUEST_PDPT + 8 * i, (GUEST_PD + 0x1000 * i) | 7u);
    for (unsigned i = 0; i < 2048; i++)
        put_u64(ram + GUEST_PD + 8 * i, (uint64_t)i << 21 | 0x87);
    put_u64(ram + GUEST_PD, GUEST_PT | 7);
    for (unsigned i = 0; i < 512; i++)
        put_u64(ram + GUEST_PT + 8 * i,
                (i >= 32 && one_in(c, 16) ? choose(c, 0x420) : i) << 12 | entry_flags(c, i, true));
    put_u64(ram + GUEST_PD + 8 * (1 + choose(c, 2047)), choose_bits(c, 64));
}

static void fill_page_tables_32(struct choices *c, uint8_t *ram)
{
    for (unsigned i = 0; i < 1024; i++)
        put_u32(ram + GUEST_PD + 4 * i, i << 22 | 0x87);
    put_u32(ram + GUEST_PD, GUEST_PT | 7);
    for (unsigned i = 0; i < 1024; i++)
        put_u32(ram + GUEST_PT + 4 * i, (uint32_t)(i << 12 | entry_flags(c, i, false)));
    put_u32(ram + GUEST_PD + 4 * (1 + choose(c, 1023)), (uint32_t)choose_bits(c, 32));
}

static void fill_page_tables(struct choices *c, uint8_t *ram, struct cpu_state *s)
{
    if (!(s->cr4 & CR4_PAE)) {
        fill_page_tables_32(c, ram); /* its second half overlaps the GDT, which is filled afterwards */
        s->cr4 |= CR4_PSE;
        return;
    }
    fill_page_tables_64(c, ram);
    if (!cpu_long_mode(s))
        for (unsigned i = 0; i < 4; i++) {
            s->pdpte[i] = (GUEST_PD + 0x1000 * i) | 1u;
            put_u64(ram + GUEST_PDPT + 8 * i, s->pdpte[i]);
        }
}

void guest_fill_tables(struct choices *c, uint8_t *ram, enum guest_mode mode, struct cpu_state *s)
{
    fill_page_tables(c, ram, s);
    fill_gdt(c, ram + GUEST_GDT, mode);
    for (unsigned i = 0; i < 32; i++)
        put_u64(ram + GUEST_LDT + 8 * i, random_descriptor(c, mode));
    fill_idt(c, ram, mode);
    for (unsigned i = 0; i < 4; i++)
        fill_tss(c, ram + GUEST_TSS + i * 0x400, mode);
}
