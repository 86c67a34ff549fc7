/* choices.c: the input's bytes as choices. */
#include "tests/fuzz/guest/guest.h"

void choices_begin(struct choices *c, const uint8_t *bytes, size_t size)
{
    *c = (struct choices){bytes, size, 0x9e3779b97f4a7c15};
    for (size_t i = 0; i < size; i++) /* FNV-1a */
        c->random = (c->random ^ bytes[i]) * 0x100000001b3;
    c->random |= 1;
}

static uint8_t next_byte(struct choices *c)
{
    if (c->left) {
        c->left--;
        return *c->bytes++;
    }
    c->random ^= c->random >> 12;
    c->random ^= c->random << 25;
    c->random ^= c->random >> 27;
    return (uint8_t)((c->random * 0x2545f4914f6cdd1d) >> 56);
}

uint64_t choose_bits(struct choices *c, unsigned bits)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bits; i += 8)
        value |= (uint64_t)next_byte(c) << i;
    return bits >= 64 ? value : value & ((1ull << bits) - 1);
}

unsigned choose(struct choices *c, unsigned limit)
{
    return (unsigned)(choose_bits(c, limit > 256 ? 16 : 8) % limit);
}

bool one_in(struct choices *c, unsigned times)
{
    return choose(c, times) == times - 1;
}

uint32_t choose_address(struct choices *c)
{
    static const uint32_t places[] = {
        GUEST_CODE,  GUEST_CODE, GUEST_DATA,      GUEST_DATA,  GUEST_DATA,        GUEST_STACK,
        GUEST_GDT,   GUEST_IDT,  GUEST_TSS,       GUEST_LDT,   GUEST_PT,          GUEST_PD,
        GUEST_VMXON, GUEST_VMCS, GUEST_VMX_PAGES, GUEST_LAPIC, GUEST_LAPIC,       0,
        GUEST_RAM,   0xfec00000, 0x100000,        0xfffff000,  GUEST_RAM - 0x1000};
    uint32_t at = places[choose(c, sizeof places / sizeof places[0])];
    switch (choose(c, 4)) {
    case 0:
        return at;
    case 1:
        return at + 0x1000 - choose(c, 20);
    case 2:
        return at + choose(c, 64) * 16;
    default:
        return at + choose(c, 0x1000);
    }
}

uint64_t choose_value(struct choices *c)
{
    static const uint64_t edges[] = {0,
                                     1,
                                     2,
                                     0x7f,
                                     0x80,
                                     0xff,
                                     0x7fff,
                                     0x8000,
                                     0xffff,
                                     0x7fffffff,
                                     0x80000000,
                                     0xffffffff,
                                     ~0ull,
                                     1ull << 63,
                                     ~0ull >> 1,
                                     1ull << 47,
                                     (1ull << 47) - 1,
                                     ~0ull << 47,
                                     0x80000011,
                                     0x480,
                                     0x10,
                                     0x277,
                                     0xc0000080,
                                     0x1b,
                                     0x174,
                                     0x6e0,
                                     0x800,
                                     0x830,
                                     0x80b,
                                     0x38f};
    switch (choose(c, 4)) {
    case 0:
        return edges[choose(c, sizeof edges / sizeof edges[0])];
    case 1:
        return choose(c, 256);
    case 2:
        return choose_address(c);
    default:
        return choose_bits(c, 64);
    }
}

uint16_t choose_selector(struct choices *c)
{
    if (one_in(c, 8))
        return (uint16_t)choose_bits(c, 16);
    return (uint16_t)(choose(c, 32) << 3 | (one_in(c, 6) ? 4 : 0) | (one_in(c, 3) ? choose(c, 4) : 0));
}
