/* xstate.c: see xstate.h. */
#include "sim/cpu/xstate.h"

#include <string.h>

#include "sim/cpu/features.h"
#include "sim/cpu/msr.h"

enum { BNDREGS_BYTES = 64, BNDCSR_BYTES = 64 };
_Static_assert(sizeof(struct cpu_bounds) * BOUNDS_COUNT == BNDREGS_BYTES, "as the component holds them");

static bool all_zero(const void *bytes, size_t size)
{
    const uint8_t *at = bytes;

    for (size_t i = 0; i < size; i++)
        if (at[i])
            return false;
    return true;
}

static bool has_pku(const struct cpu_profile *profile)
{
    return cpu_has_feature(profile, FEATURE_PKU);
}

static bool pkru_in_use(const struct cpu *cpu)
{
    return cpu->state.pkru != 0;
}

/* Bytes 3:0 are PKRU, bytes 7:4 are not used: SDM volume 1, "PKRU State". */
static void save_pkru(const struct cpu *cpu, uint8_t *to)
{
    const uint64_t value = cpu->state.pkru;

    memcpy(to, &value, sizeof(value));
}

static bool load_pkru(struct cpu *cpu, const uint8_t *from)
{
    uint32_t value;

    memcpy(&value, from, sizeof(value));
    cpu_write_pkru(cpu, value);
    return true;
}

static bool has_mpx(const struct cpu_profile *profile)
{
    return cpu_has_feature(profile, FEATURE_MPX);
}

static bool bounds_in_use(const struct cpu *cpu)
{
    return !all_zero(cpu->state.bounds, sizeof cpu->state.bounds);
}

/* SDM volume 1, "MPX State": BND0 to BND3, of each the lower bound first. */
static void save_bounds(const struct cpu *cpu, uint8_t *to)
{
    memcpy(to, cpu->state.bounds, sizeof cpu->state.bounds);
}

static bool load_bounds(struct cpu *cpu, const uint8_t *from)
{
    memcpy(cpu->state.bounds, from, sizeof cpu->state.bounds);
    return true;
}

static bool bounds_configured(const struct cpu *cpu)
{
    return cpu->state.bndcfgu || cpu->state.bndstatus;
}

/* Bytes 7:0 are BNDCFGU, bytes 15:8 BNDSTATUS, the others are not used. */
static void save_bounds_configuration(const struct cpu *cpu, uint8_t *to)
{
    memset(to, 0, BNDCSR_BYTES);
    memcpy(to, &cpu->state.bndcfgu, 8);
    memcpy(to + 8, &cpu->state.bndstatus, 8);
}

/* SDM volume 1, chapter "Intel Memory Protection Extensions": unlike WRMSR of IA32_BNDCFGS, XRSTOR of BNDCFGU
 * ignores the reserved bits and sign-extends the highest bit of the base that the processor has. */
static bool load_bounds_configuration(struct cpu *cpu, const uint8_t *from)
{
    const unsigned unused = 64u - cpu->profile->linear_address_bits;
    uint64_t value;

    memcpy(&value, from, 8);
    value = (uint64_t)((int64_t)(value << unused) >> unused);
    cpu->state.bndcfgu = value & ~BNDCFG_RESERVED;
    memcpy(&cpu->state.bndstatus, from + 8, 8);
    return true;
}

static bool has_shadow_stacks(const struct cpu_profile *profile)
{
    return cpu_has_feature(profile, FEATURE_SHADOW_STACK);
}

/* MSRs in a row, as the component holds them: SDM volume 1, "CET State". */
static const uint32_t cet_user_msrs[] = {MSR_U_CET, MSR_PL0_SSP + 3};
static const uint32_t cet_supervisor_msrs[] = {MSR_PL0_SSP, MSR_PL0_SSP + 1, MSR_PL0_SSP + 2};

static bool cet_user_in_use(const struct cpu *cpu)
{
    return cpu->state.msr.u_cet || cpu->state.msr.pl_ssp[3];
}

static bool cet_supervisor_in_use(const struct cpu *cpu)
{
    const uint64_t *ssp = cpu->state.msr.pl_ssp;

    return ssp[0] || ssp[1] || ssp[2];
}

static void save_cet_user(const struct cpu *cpu, uint8_t *to)
{
    memcpy(to, &cpu->state.msr.u_cet, 8);
    memcpy(to + 8, &cpu->state.msr.pl_ssp[3], 8);
}

static void save_cet_supervisor(const struct cpu *cpu, uint8_t *to)
{
    memcpy(to, cpu->state.msr.pl_ssp, 24);
}

/* As WRMSR: all of them or none. */
static bool load_msrs(struct cpu *cpu, const uint32_t *msrs, size_t count, const uint8_t *from)
{
    const struct cpu_msrs before = cpu->state.msr;

    for (size_t i = 0; i < count; i++) {
        uint64_t value;
        memcpy(&value, from + 8 * i, 8);
        if (!cpu_write_msr(cpu, msrs[i], value)) {
            cpu->state.msr = before;
            return false;
        }
    }
    return true;
}

static bool load_cet_user(struct cpu *cpu, const uint8_t *from)
{
    return load_msrs(cpu, cet_user_msrs, 2, from);
}

static bool load_cet_supervisor(struct cpu *cpu, const uint8_t *from)
{
    return load_msrs(cpu, cet_supervisor_msrs, 3, from);
}

/* By bit. The offset is that of the processors that have the component; none needs an alignment of its own.
 */
static const struct xstate_component components[] = {
    {3, false, BNDREGS_BYTES, 960, has_mpx, bounds_in_use, save_bounds, load_bounds},
    {4, false, BNDCSR_BYTES, 1024, has_mpx, bounds_configured, save_bounds_configuration,
     load_bounds_configuration},
    {9, false, 8, 2688, has_pku, pkru_in_use, save_pkru, load_pkru},
    {11, true, 16, 0, has_shadow_stacks, cet_user_in_use, save_cet_user, load_cet_user},
    {12, true, 24, 0, has_shadow_stacks, cet_supervisor_in_use, save_cet_supervisor, load_cet_supervisor},
};

#define COMPONENTS (sizeof(components) / sizeof(components[0]))

const struct xstate_component *xstate_component_at(size_t index)
{
    return index < COMPONENTS ? &components[index] : NULL;
}

static uint64_t present(const struct cpu_profile *profile, bool supervisor)
{
    uint64_t bits = 0;

    for (size_t i = 0; i < COMPONENTS; i++)
        if (components[i].supervisor == supervisor && components[i].present(profile))
            bits |= 1ull << components[i].bit;
    return bits;
}

uint64_t xstate_user(const struct cpu_profile *profile)
{
    return cpu_has_feature(profile, FEATURE_XSAVE) ? XSTATE_X87 | XSTATE_SSE | present(profile, false) : 0;
}

uint64_t xstate_supervisor(const struct cpu_profile *profile)
{
    return cpu_has_feature(profile, FEATURE_XSAVES) ? present(profile, true) : 0;
}

bool xstate_xcr0_valid(const struct cpu_profile *profile, uint64_t value)
{
    const uint64_t mpx = value & XCR0_MPX;

    return value & XSTATE_X87 && !(value & ~xstate_user(profile)) && (!mpx || mpx == XCR0_MPX);
}

uint32_t xstate_offset(const struct xstate_component *component, uint64_t format)
{
    uint32_t offset = XSAVE_EXTENDED;

    if (!(format & XSTATE_COMPACTED))
        return component->offset;
    for (size_t i = 0; i < COMPONENTS && components[i].bit < component->bit; i++)
        if (format >> components[i].bit & 1)
            offset += components[i].size;
    return offset;
}

uint32_t xstate_area_size(uint64_t bits, bool compacted)
{
    uint32_t end = XSAVE_EXTENDED;

    for (size_t i = 0; i < COMPONENTS; i++) {
        if (!(bits >> components[i].bit & 1))
            continue;
        uint32_t last =
            xstate_offset(&components[i], compacted ? bits | XSTATE_COMPACTED : 0) + components[i].size;
        end = last > end ? last : end;
    }
    return end;
}

static bool x87_in_use(const struct fpu_state *fpu)
{
    return fpu->control != FPU_CONTROL_INITIAL || fpu->status || fpu->valid || fpu->instruction_pointer ||
           fpu->data_pointer || fpu->instruction_selector || fpu->data_selector ||
           !all_zero(fpu->st, sizeof(fpu->st));
}

/* Of the registers, those that the mode has: XINUSE[1] says nothing of MXCSR. */
static bool sse_in_use(const struct cpu_state *state, const struct fpu_state *fpu)
{
    return !all_zero(fpu->xmm, sizeof(fpu->xmm[0]) * (cpu_64bit_mode(state) ? 16 : 8));
}

uint64_t xstate_in_use(const struct cpu *cpu, const struct fpu_state *fpu)
{
    uint64_t bits = (x87_in_use(fpu) ? XSTATE_X87 : 0) | (sse_in_use(&cpu->state, fpu) ? XSTATE_SSE : 0);

    for (size_t i = 0; i < COMPONENTS; i++)
        if (components[i].present(cpu->profile) && components[i].in_use(cpu))
            bits |= 1ull << components[i].bit;
    return bits;
}

static void cpuid_component(const struct cpu_profile *profile, uint32_t subleaf, uint32_t out[4])
{
    for (size_t i = 0; i < COMPONENTS; i++) {
        const struct xstate_component *c = &components[i];
        uint64_t there = c->supervisor ? xstate_supervisor(profile) : xstate_user(profile);
        if (c->bit != subleaf || !(there >> c->bit & 1))
            continue;
        out[CPUID_EAX] = c->size;
        out[CPUID_EBX] = c->offset;
        out[CPUID_ECX] = c->supervisor;
    }
}

/* SDM volume 2, "CPUID", "Processor Extended State Enumeration Main Leaf" and sub-leaves. The second
 * subleaf's size and IA32_XSS bits are reported with XSAVEC and XSAVES alone. */
void xstate_cpuid(const struct cpu *cpu, uint32_t subleaf, uint32_t out[4])
{
    const struct cpu_profile *profile = cpu->profile;
    const uint64_t user = xstate_user(profile), supervisor = xstate_supervisor(profile);

    if (!user)
        return;
    if (subleaf == 0) {
        out[CPUID_EAX] = (uint32_t)user;
        out[CPUID_EBX] = xstate_area_size(cpu->state.xcr0, false);
        out[CPUID_ECX] = xstate_area_size(user, false);
        out[CPUID_EDX] = (uint32_t)(user >> 32);
    } else if (subleaf == 1) {
        if (cpu_has_feature(profile, FEATURE_XSAVEC) || cpu_has_feature(profile, FEATURE_XSAVES))
            out[CPUID_EBX] = xstate_area_size(cpu->state.xcr0 | cpu->state.msr.xss, true);
        out[CPUID_ECX] = (uint32_t)supervisor;
        out[CPUID_EDX] = (uint32_t)(supervisor >> 32);
    } else {
        cpuid_component(profile, subleaf, out);
    }
}

void xstate_initial_x87(struct fpu_state *fpu)
{
    fpu->control = FPU_CONTROL_INITIAL;
    fpu->status = fpu->opcode = fpu->instruction_selector = fpu->data_selector = 0;
    fpu->instruction_pointer = fpu->data_pointer = 0;
    fpu->valid = 0;
    memset(fpu->st, 0, sizeof(fpu->st));
}

void xstate_initial_sse(struct fpu_state *fpu, unsigned registers)
{
    memset(fpu->xmm, 0, sizeof(fpu->xmm[0]) * registers);
}
