/* memory_type.c: SDM volume 3A, "Memory Type Range Registers (MTRRs)". */
#include "sim/sanitize/memory_type.h"

enum {
    MTRR_PHYSBASE0 = 0x200,
    MTRR_VARIABLE_RANGES = 8,
    MTRR_FIX64K = 0x250,
    MTRR_FIX16K = 0x258,
    MTRR_FIX4K = 0x268,
    MTRR_DEF_TYPE = 0x2ff,
};
#define MTRR_ENABLED (1ull << 11)       /* of MTRR_DEF_TYPE */
#define MTRR_FIXED_ENABLED (1ull << 10) /* likewise */
#define MTRR_VALID (1ull << 11)         /* of a mask */
#define MTRR_ADDRESS 0x000ffffffffff000ull
#define FIXED_END 0x100000ull

static uint64_t read(const struct vmx *vmx, uint32_t index)
{
    uint64_t value = 0;
    return vmx->ops->read_msr(vmx->opaque, index, &value) ? value : 0;
}

/* Eight types in each register: of 64, 16 or 4 KBytes each. */
static unsigned fixed_type(const struct vmx *vmx, uint64_t physical)
{
    uint32_t index = MTRR_FIX64K;
    uint64_t at = physical;
    unsigned shift = 16;
    if (physical >= 0xc0000) {
        index = MTRR_FIX4K + (uint32_t)((physical - 0xc0000) >> 15);
        at = (physical - 0xc0000) & 0x7fff;
        shift = 12;
    } else if (physical >= 0x80000) {
        index = MTRR_FIX16K + (uint32_t)((physical - 0x80000) >> 17);
        at = (physical - 0x80000) & 0x1ffff;
        shift = 14;
    }
    return (unsigned)(read(vmx, index) >> 8 * (at >> shift) & 0xff);
}

/* "MTRR Precedences": UC before all, WT before WB; other overlaps are undefined. */
static unsigned overlap(unsigned a, unsigned b)
{
    if (a == MEMORY_TYPE_UC || b == MEMORY_TYPE_UC)
        return MEMORY_TYPE_UC;
    return a == MEMORY_TYPE_WT || b == MEMORY_TYPE_WT ? MEMORY_TYPE_WT : b;
}

unsigned memory_type_of(const struct vmx *vmx, uint64_t physical)
{
    const uint64_t control = read(vmx, MTRR_DEF_TYPE);
    bool found = false;
    unsigned type = MEMORY_TYPE_WB;
    if (!(control & MTRR_ENABLED))
        return MEMORY_TYPE_WB;
    if (physical < FIXED_END && control & MTRR_FIXED_ENABLED)
        return fixed_type(vmx, physical);
    for (uint32_t i = 0; i < MTRR_VARIABLE_RANGES; i++) {
        const uint64_t base = read(vmx, MTRR_PHYSBASE0 + 2 * i), mask = read(vmx, MTRR_PHYSBASE0 + 2 * i + 1);
        if (!(mask & MTRR_VALID) || (physical & mask & MTRR_ADDRESS) != (base & mask & MTRR_ADDRESS))
            continue;
        type = found ? overlap(type, (unsigned)(base & 0xff)) : (unsigned)(base & 0xff);
        found = true;
    }
    return found ? type : (unsigned)(control & 0xff);
}

const char *memory_type_name(unsigned type)
{
    static const char *const names[] = {[MEMORY_TYPE_UC] = "uncacheable",
                                        [MEMORY_TYPE_WC] = "write-combining",
                                        [MEMORY_TYPE_WT] = "write-through",
                                        [MEMORY_TYPE_WP] = "write-protected",
                                        [MEMORY_TYPE_WB] = "write-back"};
    return type < sizeof names / sizeof *names && names[type] ? names[type] : "reserved";
}
