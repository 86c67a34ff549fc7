/* state.c: registers of each mode, such as code of that mode could have made them. */
#include "sim/cpu/features.h"
#include "tests/fuzz/guest/guest.h"

/* Index of the descriptors that tables.c puts into the GDT. */
enum { GDT_CODE_64 = 1, GDT_CODE_32 = 2, GDT_CODE_16 = 3, GDT_DATA = 4, GDT_TSS = 8, GDT_LDT = 12 };

static void data_segments(struct choices *c, struct cpu_state *s, bool flat)
{
    for (int i = SEG_ES; i <= SEG_GS; i++) {
        if (i == SEG_CS)
            continue;
        struct cpu_segment *seg = &s->seg[i];
        *seg = (struct cpu_segment){.limit = UINT32_MAX, .access_rights = 0xc093, .selector = GDT_DATA << 3};
        if (flat || i == SEG_SS || !one_in(c, 3))
            continue;
        static const uint32_t rights[] = {0x0091, 0x4097, 0x4095,      0x0097,
                                          0x40f3, 0x409b, AR_UNUSABLE, 0xc09b};
        seg->access_rights = rights[choose(c, 8)];
        seg->limit = seg->access_rights & AR_G ? (uint32_t)choose_bits(c, 20) << 12 | 0xfff
                                               : choose_address(c) & 0xfffff;
        seg->base = one_in(c, 2) ? choose_address(c) : 0;
    }
}

static void real_segments(struct choices *c, struct cpu_state *s, uint32_t rights)
{
    for (int i = SEG_ES; i <= SEG_GS; i++) {
        uint16_t selector =
            i == SEG_CS ? GUEST_CODE >> 4 : (uint16_t)(one_in(c, 4) ? choose_bits(c, 16) : 0x1000);
        s->seg[i] = (struct cpu_segment){selector * 16u, 0xffff,
                                         i == SEG_CS && rights == 0x93 ? 0x9b : rights, selector};
    }
    s->rip = 0;
}

static void protected_segments(struct choices *c, enum guest_mode mode, bool with_vmx, struct cpu_state *s)
{
    static const struct {
        uint32_t rights, selector;
    } code[GUEST_MODES] = {[GUEST_PROTECTED_16] = {0x809b, GDT_CODE_16 << 3},
                           [GUEST_PROTECTED_32] = {0xc09b, GDT_CODE_32 << 3},
                           [GUEST_COMPATIBILITY] = {0xc09b, GDT_CODE_32 << 3},
                           [GUEST_64] = {0xa09b, GDT_CODE_64 << 3}};
    uint32_t cpl = !with_vmx && one_in(c, 3) ? 3 : 0;
    data_segments(c, s, with_vmx || mode == GUEST_64);
    s->seg[SEG_CS] = (struct cpu_segment){0, UINT32_MAX, code[mode].rights | cpl << AR_DPL_SHIFT,
                                          (uint16_t)(code[mode].selector | cpl)};
    if (mode != GUEST_64 && one_in(c, 4)) {
        s->seg[SEG_CS].base = one_in(c, 2) ? 0xfffff000 : choose_bits(c, 4);
        s->rip = (uint32_t)(GUEST_CODE - s->seg[SEG_CS].base);
    }
    s->seg[SEG_SS].access_rights |= cpl << AR_DPL_SHIFT;
    s->seg[SEG_SS].selector = (uint16_t)(s->seg[SEG_SS].selector | cpl);
}

static void system_segments(struct choices *c, struct cpu_state *s)
{
    unsigned tss = choose(c, 4);
    bool small = !cpu_long_mode(s) && one_in(c, 3);
    s->seg[SEG_TR] = (struct cpu_segment){GUEST_TSS + tss * 0x400, 0x3ff, small ? 0x83 : 0x8b,
                                          (uint16_t)((GDT_TSS + tss) * 8)};
    if (one_in(c, 16))
        s->seg[SEG_TR].limit = choose(c, 0x80);
    s->seg[SEG_LDTR] = (struct cpu_segment){GUEST_LDT, 0xff, 0x82, GDT_LDT * 8};
    if (one_in(c, 4))
        s->seg[SEG_LDTR] = (struct cpu_segment){.access_rights = AR_UNUSABLE};
    s->gdtr = (struct cpu_descriptor_table){GUEST_GDT, one_in(c, 24) ? (uint16_t)choose_bits(c, 16) : 0xff};
    s->idtr = (struct cpu_descriptor_table){s->cr0 & CR0_PE ? GUEST_IDT : 0,
                                            one_in(c, 24) ? (uint16_t)choose_bits(c, 16) : 0xfff};
}

static void control_registers(struct choices *c, enum guest_mode mode, struct cpu_state *s)
{
    bool long_mode = mode == GUEST_COMPATIBILITY || mode == GUEST_64;
    s->cr0 = CR0_ET | (choose_bits(c, 8) & 0x2e) | (one_in(c, 2) ? CR0_WP : 0) | (one_in(c, 4) ? CR0_AM : 0);
    s->cr4 = choose_bits(c, 24) & (CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_PGE |
                                   CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_VMXE | CR4_OSXSAVE | CR4_FSGSBASE);
    if (one_in(c, 4))
        s->cr4 |= choose_bits(c, 24) & (CR4_SMEP | CR4_SMAP);
    if (mode != GUEST_REAL)
        s->cr0 |= CR0_PE;
    if (mode != GUEST_REAL && (long_mode || one_in(c, 2)))
        s->cr0 |= CR0_PG;
    if (long_mode)
        s->cr4 |= CR4_PAE;
    if (s->cr4 & CR4_VMXE)
        s->cr0 |= CR0_NE;
    s->msr.efer =
        (long_mode ? EFER_LME | EFER_LMA : 0) | (one_in(c, 2) ? EFER_SCE : 0) | (one_in(c, 2) ? EFER_NXE : 0);
    s->cr3 = long_mode ? GUEST_PML4 : s->cr4 & CR4_PAE ? GUEST_PDPT : GUEST_PD;
    s->msr.feature_control = 5;
}

static void debug_registers(struct choices *c, struct cpu_state *s)
{
    s->dr6 = 0xffff0ff0;
    s->dr7 = 0x400;
    if (!one_in(c, 3))
        return;
    for (int i = 0; i < 4; i++)
        s->dr[i] = choose_address(c);
    s->dr7 |= choose_bits(c, 32) & 0xffff23ff;
}

/* Intel MPX, with a bound directory somewhere. */
static void bounds(struct choices *c, struct cpu_state *s)
{
    s->cr4 |= CR4_OSXSAVE;
    s->xcr0 = 3 | XCR0_MPX;
    s->bndcfgu = (choose_address(c) & (uint32_t)BNDCFG_BASE) | choose(c, 4);
    s->msr.bndcfgs = (choose_address(c) & (uint32_t)BNDCFG_BASE) | choose(c, 4);
    for (int i = 0; i < BOUNDS_COUNT; i++)
        s->bounds[i] = (struct cpu_bounds){choose_address(c), choose_value(c)};
}

void guest_fill_state(struct choices *c, enum guest_mode mode, bool with_vmx,
                      const struct cpu_profile *profile, struct cpu_state *s)
{
    s->rip = GUEST_CODE;
    control_registers(c, mode, s);
    if (with_vmx) {
        s->cr0 |= CR0_PG | CR0_NE;
        s->cr4 |= CR4_VMXE;
    }
    s->cr4 &= profile->vmx.cr4_fixed1;
    s->rflags =
        RFLAGS_FIXED1 | (choose_bits(c, 16) & (RFLAGS_ARITHMETIC | RFLAGS_IF | RFLAGS_DF | RFLAGS_IOPL));
    s->rflags |= (one_in(c, 12) ? RFLAGS_TF : 0) | (one_in(c, 6) ? RFLAGS_NT : 0) |
                 (one_in(c, 6) ? RFLAGS_AC : 0) | (one_in(c, 8) ? RFLAGS_RF : 0);
    if (mode == GUEST_V86)
        s->rflags |= RFLAGS_VM;
    if (mode == GUEST_REAL || mode == GUEST_V86)
        real_segments(c, s, mode == GUEST_REAL ? 0x93 : 0xf3);
    else
        protected_segments(c, mode, with_vmx, s);
    system_segments(c, s);
    for (int i = 0; i < GPR_COUNT; i++)
        s->gpr[i] = mode == GUEST_64 ? choose_value(c) : (uint32_t)choose_value(c);
    s->gpr[GPR_RSP] = mode == GUEST_REAL || mode == GUEST_V86 ? 0xff00 : GUEST_STACK_TOP;
    if (one_in(c, 16))
        s->gpr[GPR_RSP] = choose_address(c);
    debug_registers(c, s);
    if (cpu_has_feature(profile, FEATURE_MPX) && one_in(c, 3))
        bounds(c, s);
    s->msr.star = (uint64_t)choose_selector(c) << 32 | (uint64_t)choose_selector(c) << 48;
    s->msr.lstar = s->msr.cstar = s->msr.sysenter_eip = GUEST_CODE + 0x1000;
    s->msr.sysenter_cs = choose_selector(c);
    s->msr.sysenter_esp = GUEST_STACK_TOP;
    if (one_in(c, 6))
        s->interruptibility_state = one_in(c, 2) ? BLOCKING_BY_STI : BLOCKING_BY_MOV_SS;
    if (!(s->rflags & RFLAGS_IF))
        s->interruptibility_state &= ~BLOCKING_BY_STI;
}
