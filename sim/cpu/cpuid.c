/*
 * cpuid.c: the CPUID instruction's answer: the profile's table, and the bits that follow the processor's
 * state.
 *
 * Source: SDM volume 2, "CPUID".
 */
#include "sim/cpu/cpu.h"
#include "sim/cpu/features.h"
#include "sim/cpu/msr.h"
#include "sim/cpu/xstate.h"

#define CPUID_MAXIMUM_LIMITED 2 /* IA32_MISC_ENABLE "Limit CPUID Maxval": leaves above 2 are hidden */

static uint32_t maximum_leaf(const struct cpu *cpu, uint32_t range)
{
    const struct cpuid_leaf *row = cpuid_find(cpu->profile, range, 0);
    uint32_t maximum = row ? row->eax : range;

    if (range == 0 && cpu->state.msr.misc_enable & MISC_ENABLE_LIMIT_CPUID && maximum > CPUID_MAXIMUM_LIMITED)
        return CPUID_MAXIMUM_LIMITED;
    return maximum;
}

static void set_bit(uint32_t *word, unsigned bit, bool value)
{
    *word = (*word & ~(1u << bit)) | (uint32_t)value << bit;
}

/* CPUID.01H: initial APIC ID, OSXSAVE, MONITOR (IA32_MISC_ENABLE), APIC (IA32_APIC_BASE's enable bit). */
static void leaf_1(const struct cpu *cpu, uint32_t out[4])
{
    uint64_t apic_base = 0;

    out[CPUID_EBX] = (out[CPUID_EBX] & 0x00ffffff) | (uint32_t)cpu->processor << 24;
    if (cpu->processors > 1) { /* HTT, and how many IDs the package may have */
        out[CPUID_EBX] = (out[CPUID_EBX] & 0xff00ffff) | (uint32_t)cpu->processors << 16;
        set_bit(&out[CPUID_EDX], 28, true);
    }
    set_bit(&out[CPUID_ECX], 27, (cpu->state.cr4 & CR4_OSXSAVE) != 0);
    if (!(cpu->state.msr.misc_enable & MISC_ENABLE_MONITOR))
        set_bit(&out[CPUID_ECX], 3, false);
    if (!cpu->bus->apic_read_msr(cpu->bus->opaque, MSR_APIC_BASE, &apic_base) ||
        !(apic_base & APIC_BASE_ENABLE))
        set_bit(&out[CPUID_EDX], 9, false);
}

/* CPUID.0BH: the processors are cores of one package, each with one thread. */
static void leaf_b(const struct cpu *cpu, uint32_t subleaf, uint32_t out[4])
{
    enum { LEVEL_CORE = 2 };

    if (cpu->processors < 2 || subleaf != 1 || !cpuid_find(cpu->profile, 0xb, 0))
        return;
    out[CPUID_EAX] = 32u - (uint32_t)__builtin_clz(cpu->processors - 1u);
    out[CPUID_EBX] = cpu->processors;
    out[CPUID_ECX] = LEVEL_CORE << 8 | subleaf;
}

/* CPUID.80000001H: SYSCALL is reported in 64-bit mode alone; NX goes with IA32_MISC_ENABLE "XD Bit Disable".
 */
static void leaf_80000001(const struct cpu *cpu, uint32_t out[4])
{
    if (!cpu_64bit_mode(&cpu->state))
        set_bit(&out[CPUID_EDX], 11, false);
    if (cpu->state.msr.misc_enable & MISC_ENABLE_XD_DISABLE)
        set_bit(&out[CPUID_EDX], 20, false);
}

void cpu_cpuid(const struct cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    bool extended = leaf >> 31;

    /* A leaf above the maximum, extended ones included, gives the data of the highest basic leaf. */
    if (leaf > maximum_leaf(cpu, extended ? 0x80000000u : 0))
        leaf = maximum_leaf(cpu, 0);
    const struct cpuid_leaf *row = cpuid_find(cpu->profile, leaf, subleaf);
    out[CPUID_EAX] = row ? row->eax : 0;
    out[CPUID_EBX] = row ? row->ebx : 0;
    out[CPUID_ECX] = row ? row->ecx : 0;
    out[CPUID_EDX] = row ? row->edx : 0;
    switch (leaf) {
    case 0:
        out[CPUID_EAX] = maximum_leaf(cpu, 0);
        break;
    case 1:
        leaf_1(cpu, out);
        break;
    case 7:
        /* OSPKE */
        if (subleaf == 0 && cpu->state.cr4 & CR4_PKE)
            set_bit(&out[CPUID_ECX], 4, true);
        break;
    case 0xd:
        xstate_cpuid(cpu, subleaf, out);
        break;
    case 0xb:
        /* Beyond the last level: ECX[7:0] gives the subleaf back, ECX[15:8] is 0. EDX is the x2APIC ID
         * anyway. */
        if (!row)
            out[CPUID_ECX] = subleaf & 0xff;
        leaf_b(cpu, subleaf, out);
        if (cpuid_find(cpu->profile, leaf, 0))
            out[CPUID_EDX] = cpu->processor;
        break;
    case 0x80000001:
        leaf_80000001(cpu, out);
        break;
    default:
        break;
    }
}
