/* msr_special.c: MSRs whose reading or writing does more than storing. Source: SDM volume 4 and the titles
 * below. */
#include "sim/cpu/features.h"
#include "sim/cpu/msr.h"
#include "sim/cpu/xstate.h"
#include "vmx_model/cet.h"

/* SDM volume 3B, "Time-Stamp Counter"; volume 3C, "Changes to Instruction Behavior in VMX Non-Root
 * Operation", RDMSR. */
bool msr_read_tsc(struct cpu *cpu, uint32_t index, uint64_t *value)
{
    (void)index;
    *value = vmx_tsc(&cpu->vmx);
    return true;
}

/* SDM volume 3B, "IA32_TSC_ADJUST MSR": a write to the counter moves the adjustment by as much. The TSC
 * offset of non-root operation is not applied to writes. */
bool msr_write_tsc(struct cpu *cpu, uint32_t index, uint64_t value)
{
    uint64_t moved = value - (cpu->account.now + cpu->state.tsc_offset_root);

    (void)index;
    cpu->state.tsc_offset_root += moved;
    cpu->state.msr.tsc_adjust += moved;
    return true;
}

bool msr_read_tsc_adjust(struct cpu *cpu, uint32_t index, uint64_t *value)
{
    (void)index;
    *value = cpu->state.msr.tsc_adjust;
    return true;
}

bool msr_write_tsc_adjust(struct cpu *cpu, uint32_t index, uint64_t value)
{
    (void)index;
    cpu->state.tsc_offset_root += value - cpu->state.msr.tsc_adjust;
    cpu->state.msr.tsc_adjust = value;
    return true;
}

bool msr_read_sysenter_cs(struct cpu *cpu, uint32_t index, uint64_t *value)
{
    (void)index;
    *value = cpu->state.msr.sysenter_cs;
    return true;
}

/* SDM volume 4, IA32_SYSENTER_CS: writes to bits 63:32 are ignored. */
bool msr_write_sysenter_cs(struct cpu *cpu, uint32_t index, uint64_t value)
{
    (void)index;
    cpu->state.msr.sysenter_cs = (uint32_t)value;
    return true;
}

bool msr_read_efer(struct cpu *cpu, uint32_t index, uint64_t *value)
{
    (void)index;
    *value = cpu->state.msr.efer;
    return true;
}

/* SDM volume 3A, "Extended Feature Enable Register", "Initializing IA-32e Mode": LME must not change while
 * paging is on; LMA is read-only. */
bool msr_write_efer(struct cpu *cpu, uint32_t index, uint64_t value)
{
    const struct cpu_profile *profile = cpu->profile;
    uint64_t old = cpu->state.msr.efer;
    uint64_t allowed = 0;

    (void)index;
    if (cpu_has_feature(profile, FEATURE_SYSCALL))
        allowed |= EFER_SCE;
    if (cpu_has_feature(profile, FEATURE_LONG_MODE))
        allowed |= EFER_LME | EFER_LMA;
    if (cpu_has_feature(profile, FEATURE_NX) && !(cpu->state.msr.misc_enable & MISC_ENABLE_XD_DISABLE))
        allowed |= EFER_NXE;
    if (value & ~allowed || ((value ^ old) & EFER_LME && cpu->state.cr0 & CR0_PG))
        return false;
    value = (value & ~EFER_LMA) | (old & EFER_LMA);
    cpu->state.msr.efer = value;
    if ((value ^ old) & EFER_NXE) {
        /* Nothing demands it, but any mapping may be dropped at any time (SDM "Operations that Invalidate
         * TLBs and Paging-Structure Caches"), and bit 63 of a cached entry means another thing now. */
        mmu_flush_pcid(&cpu->mmu, -1, false, FLUSH_EFER);
        vmx_update_regime(&cpu->vmx);
    }
    return true;
}

bool msr_read_feature_control(struct cpu *cpu, uint32_t index, uint64_t *value)
{
    (void)index;
    *value = cpu->state.msr.feature_control;
    return true;
}

/* SDM volume 3C, "Enabling and Entering VMX Operation": once the lock bit is set, WRMSR raises #GP. "VMX
 * inside SMX" is reserved without SMX (volume 4, IA32_FEATURE_CONTROL). */
bool msr_write_feature_control(struct cpu *cpu, uint32_t index, uint64_t value)
{
    (void)index;
    if (cpu->state.msr.feature_control & FEATURE_CONTROL_LOCK ||
        value & ~(FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX_OUTSIDE_SMX))
        return false;
    cpu->state.msr.feature_control = value;
    return true;
}

bool msr_read_misc_enable(struct cpu *cpu, uint32_t index, uint64_t *value)
{
    (void)index;
    *value = cpu->state.msr.misc_enable;
    return true;
}

/* SDM volume 4, IA32_MISC_ENABLE. The "unavailable" bits and "performance monitoring available" are
 * read-only; bits of features that are not there are reserved. Thermal control, SpeedStep and xTPR messages
 * are kept and change nothing: the processor never gets hot, has one performance state and no system bus. */
bool msr_write_misc_enable(struct cpu *cpu, uint32_t index, uint64_t value)
{
    static const struct {
        uint64_t bit;
        enum cpu_feature feature;
    } optional[] = {
        {MISC_ENABLE_EIST, FEATURE_EIST},
        {MISC_ENABLE_MONITOR, FEATURE_MONITOR},
        {MISC_ENABLE_XTPR_DISABLE, FEATURE_XTPR},
        {MISC_ENABLE_XD_DISABLE, FEATURE_NX},
    };
    const uint64_t read_only =
        MISC_ENABLE_BTS_UNAVAILABLE | MISC_ENABLE_PEBS_UNAVAILABLE |
        (cpu_has_feature(cpu->profile, FEATURE_PERFMON_2) ? MISC_ENABLE_PERFORMANCE_MONITORING : 0);
    uint64_t allowed =
        MISC_ENABLE_FAST_STRINGS | MISC_ENABLE_THERMAL_CONTROL | MISC_ENABLE_LIMIT_CPUID | read_only;

    (void)index;
    for (size_t i = 0; i < sizeof optional / sizeof *optional; i++)
        if (cpu_has_feature(cpu->profile, optional[i].feature))
            allowed |= optional[i].bit;
    if (value & ~allowed)
        return false;
    cpu->state.msr.misc_enable = value | read_only;
    return true;
}

static uint64_t *segment_base(struct cpu *cpu, uint32_t index)
{
    if (index == MSR_KERNEL_GS_BASE)
        return &cpu->state.msr.kernel_gs_base;
    return &cpu->state.seg[index == MSR_FS_BASE ? SEG_FS : SEG_GS].base;
}

bool msr_read_segment_base(struct cpu *cpu, uint32_t index, uint64_t *value)
{
    *value = *segment_base(cpu, index);
    return true;
}

/* SDM volume 1, "Segment Registers in 64-Bit Mode"; volume 2, "WRMSR": a non-canonical address raises #GP. */
bool msr_write_segment_base(struct cpu *cpu, uint32_t index, uint64_t value)
{
    if (!cpu_canonical(value, cpu->profile->linear_address_bits))
        return false;
    *segment_base(cpu, index) = value;
    return true;
}

bool msr_read_apic(struct cpu *cpu, uint32_t index, uint64_t *value)
{
    return cpu->bus->apic_read_msr(cpu->bus->opaque, index, value);
}

/* SDM volume 3A, "Local APIC Status and Location": reserved bits. What transitions are allowed is the APIC's
 * to say. */
bool msr_write_apic(struct cpu *cpu, uint32_t index, uint64_t value)
{
    if (index == MSR_APIC_BASE) {
        uint64_t allowed = (1ull << cpu->profile->physical_address_bits) - 0x1000;
        allowed |= APIC_BASE_BSP | APIC_BASE_ENABLE;
        if (cpu_has_feature(cpu->profile, FEATURE_X2APIC))
            allowed |= APIC_BASE_X2APIC;
        if (value & ~allowed)
            return false;
    }
    return cpu->bus->apic_write_msr(cpu->bus->opaque, index, value);
}

bool msr_read_spec_ctrl(struct cpu *cpu, uint32_t index, uint64_t *value)
{
    (void)index;
    *value = cpu->state.msr.spec_ctrl;
    return true;
}

bool msr_read_debugctl(struct cpu *cpu, uint32_t index, uint64_t *value)
{
    (void)index;
    *value = cpu->state.msr.debugctl;
    return true;
}

/* SDM volume 3B, "IA32_DEBUGCTL MSR": LBR and BTF, and bus-lock detection with its CPUID bit. */
bool msr_write_debugctl(struct cpu *cpu, uint32_t index, uint64_t value)
{
    const uint64_t allowed =
        DEBUGCTL_LBR | DEBUGCTL_BTF |
        (cpu_has_feature(cpu->profile, FEATURE_BUS_LOCK_DETECT) ? DEBUGCTL_BUS_LOCK_DETECT : 0);
    (void)index;
    if (value & ~allowed)
        return false;
    cpu->state.msr.debugctl = value;
    return true;
}

/* SDM volume 4, IA32_SPEC_CTRL: IBRS, STIBP and SSBD, each with its CPUID bit. Speculation is not modelled:
 * kept, no effect. */
bool msr_write_spec_ctrl(struct cpu *cpu, uint32_t index, uint64_t value)
{
    const uint64_t allowed = 1 | (cpu_has_feature(cpu->profile, FEATURE_STIBP) ? 2 : 0) |
                             (cpu_has_feature(cpu->profile, FEATURE_SSBD) ? 4 : 0);

    (void)index;
    if (value & ~allowed)
        return false;
    cpu->state.msr.spec_ctrl = value;
    return true;
}

/* IA32_PRED_CMD (IBPB) and IA32_FLUSH_CMD (L1D_FLUSH): commands in bit 0 to what is not modelled. Reading
 * them raises #GP. */
bool msr_write_command(struct cpu *cpu, uint32_t index, uint64_t value)
{
    (void)cpu;
    (void)index;
    return !(value & ~1ull);
}

/* SDM volume 3C, "Changes to Instruction Behavior in VMX Non-Root Operation", WRMSR: a guest loads no
 * microcode update, and control passes to the next instruction. Outside of it every update is one for another
 * processor, which is not loaded either (volume 3A, "Microcode Update Loader"). Reading raises #GP. */
bool msr_write_update_trigger(struct cpu *cpu, uint32_t index, uint64_t value)
{
    (void)cpu;
    (void)index;
    (void)value;
    return true;
}

static uint64_t *cet_register(struct cpu *cpu, uint32_t index)
{
    return index == MSR_U_CET ? &cpu->state.msr.u_cet : &cpu->state.msr.s_cet;
}

bool msr_read_cet(struct cpu *cpu, uint32_t index, uint64_t *value)
{
    *value = *cet_register(cpu, index);
    return true;
}

/* SDM volume 4, IA32_U_CET and IA32_S_CET: bits of the half that the processor lacks are reserved; SUPPRESS
 * and TRACKER are not set together; the bitmap's base is canonical. */
bool msr_write_cet(struct cpu *cpu, uint32_t index, uint64_t value)
{
    const struct cpu_profile *profile = cpu->profile;
    uint64_t allowed = 0;

    if (cpu_has_feature(profile, FEATURE_SHADOW_STACK))
        allowed |= CET_SHADOW_STACK_BITS;
    if (cpu_has_feature(profile, FEATURE_BRANCH_TRACKING))
        allowed |= CET_BRANCH_TRACKING_BITS;
    if (value & ~allowed || (value & CET_SUPPRESS && value & CET_TRACKER) ||
        !cpu_canonical(value, profile->linear_address_bits))
        return false;
    *cet_register(cpu, index) = value;
    return true;
}

bool msr_read_xss(struct cpu *cpu, uint32_t index, uint64_t *value)
{
    (void)index;
    *value = cpu->state.msr.xss;
    return true;
}

/* SDM volume 1, "Enabling the XSAVE Feature Set and XSAVE-Enabled Features": bits of supervisor components
 * that the processor has. */
bool msr_write_xss(struct cpu *cpu, uint32_t index, uint64_t value)
{
    (void)index;
    if (value & ~xstate_supervisor(cpu->profile))
        return false;
    cpu->state.msr.xss = value;
    return true;
}

bool msr_read_pkrs(struct cpu *cpu, uint32_t index, uint64_t *value)
{
    (void)index;
    *value = cpu->state.msr.pkrs;
    return true;
}

/* SDM volume 3A, "Protection Keys": bits 63:32 are reserved. */
bool msr_write_pkrs(struct cpu *cpu, uint32_t index, uint64_t value)
{
    (void)index;
    if (value >> 32)
        return false;
    cpu->state.msr.pkrs = value;
    vmx_update_regime(&cpu->vmx);
    return true;
}

bool msr_read_vmx_capability(struct cpu *cpu, uint32_t index, uint64_t *value)
{
    if (!cpu->vmx.non_root)
        vmx_tell(&cpu->vmx, VMX_WATCH_CAPABILITY, index);
    return vmx_capability_msr(&cpu->profile->vmx, index, value);
}
