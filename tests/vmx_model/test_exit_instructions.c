/* Which instructions exit, and what they report: SDM "Instructions That Cause VM Exits" and "Information for
 * VM Exits Due to Instruction Execution". */
#include "tests/vmx_model/transition_fixture.h"

static struct bench b;
static struct vm_exit result;

static void setup(void)
{
    bench_setup(&b, fixture_long);
    b.vmx.vmcs.primary_proc_based_controls = PRIMARY_ACTIVATE_SECONDARY_CONTROLS;
    b.vmx.vmcs.secondary_proc_based_controls = 0;
    bench_non_root(&b);
}

static bool exits(struct insn insn)
{
    if (!insn.length)
        insn.length = 3;
    if (!insn.mode_bits)
        insn.mode_bits = insn.address_bits = 64;
    memset(&result, 0x55, sizeof result);
    return vmx_instruction_exits(&b.vmx, &insn, &result);
}

static void never_in_root_operation(void **state)
{
    (void)state;
    setup();
    b.vmx.non_root = false;
    assert_false(exits((struct insn){.id = INSN_CPUID}));
    assert_false(exits((struct insn){.id = INSN_IN, .io_size = 1}));
    bench_end(&b);
}

static void unconditional(void **state)
{
    (void)state;
    static const struct {
        uint16_t id;
        uint32_t reason;
    } rows[] = {{INSN_CPUID, 10},   {INSN_GETSEC, 11},  {INSN_INVD, 13},     {INSN_XSETBV, 55},
                {INSN_VMCALL, 18},  {INSN_VMCLEAR, 19}, {INSN_VMLAUNCH, 20}, {INSN_VMPTRLD, 21},
                {INSN_VMPTRST, 22}, {INSN_VMREAD, 23},  {INSN_VMRESUME, 24}, {INSN_VMWRITE, 25},
                {INSN_VMXOFF, 26},  {INSN_VMXON, 27},   {INSN_INVEPT, 50},   {INSN_INVVPID, 53}};
    setup();
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_true(exits((struct insn){.id = rows[i].id, .length = 2}));
        assert_int_equal(result.reason, rows[i].reason);
        assert_int_equal(result.instruction_length, 2);
        assert_int_equal(result.qualification, 0);
        assert_int_equal(result.interruption_information, 0);
    }
    bench_end(&b);
}

static void never(void **state)
{
    (void)state;
    static const uint16_t ids[] = {INSN_UNKNOWN, INSN_VMFUNC, INSN_RSM, INSN_XGETBV, INSN_SYSCALL, INSN_IRET,
                                   INSN_INT_N,   INSN_SMSW,   INSN_UD,  INSN_POPF,   INSN_XSAVES};
    setup();
    b.vmx.vmcs.primary_proc_based_controls = UINT32_MAX;
    b.vmx.vmcs.secondary_proc_based_controls = UINT32_MAX;
    for (unsigned i = 0; i < sizeof ids / sizeof ids[0]; i++)
        assert_false(exits((struct insn){.id = ids[i]}));
    bench_end(&b);
}

/* Off: no exit; on: exit with that reason and qualification 0. All other controls the opposite way. */
static void one_control(uint16_t id, uint32_t reason, uint32_t primary, uint32_t secondary)
{
    const uint32_t activate = PRIMARY_ACTIVATE_SECONDARY_CONTROLS;
    setup();
    struct vmcs *v = &b.vmx.vmcs;
    v->primary_proc_based_controls = ~primary | activate;
    v->secondary_proc_based_controls = ~secondary;
    assert_false(exits((struct insn){.id = id}));
    v->primary_proc_based_controls = primary | (secondary ? activate : 0);
    v->secondary_proc_based_controls = secondary;
    assert_true(exits((struct insn){.id = id}));
    assert_int_equal(result.reason, reason);
    assert_int_equal(result.qualification, 0);
    if (secondary) { /* not activated: as if 0 */
        v->primary_proc_based_controls = primary;
        assert_false(exits((struct insn){.id = id}));
    }
    bench_end(&b);
}

static void conditional_on_one_control(void **state)
{
    (void)state;
    one_control(INSN_HLT, 12, 1u << 7, 0);
    one_control(INSN_MWAIT, 36, 1u << 10, 0);
    one_control(INSN_RDPMC, 15, 1u << 11, 0);
    one_control(INSN_RDTSC, 16, 1u << 12, 0);
    one_control(INSN_MONITOR, 39, 1u << 29, 0);
    one_control(INSN_PAUSE, 40, 1u << 30, 0);
    one_control(INSN_WBINVD, 54, 0, 1u << 6);
    one_control(INSN_RDRAND, 57, 0, 1u << 11);
    one_control(INSN_RDSEED, 61, 0, 1u << 16);
    one_control(INSN_SGDT, 46, 0, 1u << 2);
    one_control(INSN_SIDT, 46, 0, 1u << 2);
    one_control(INSN_LGDT, 46, 0, 1u << 2);
    one_control(INSN_LIDT, 46, 0, 1u << 2);
    one_control(INSN_SLDT, 47, 0, 1u << 2);
    one_control(INSN_STR, 47, 0, 1u << 2);
    one_control(INSN_LLDT, 47, 0, 1u << 2);
    one_control(INSN_LTR, 47, 0, 1u << 2);
}

static void conditional_on_two_controls(void **state)
{
    (void)state;
    setup();
    struct vmcs *v = &b.vmx.vmcs;
    for (unsigned i = 0; i < 4; i++) {
        v->primary_proc_based_controls =
            PRIMARY_ACTIVATE_SECONDARY_CONTROLS | (i & 1 ? PRIMARY_RDTSC_EXITING : 0);
        v->secondary_proc_based_controls = i & 2 ? SECONDARY_ENABLE_RDTSCP : 0;
        assert_int_equal(exits((struct insn){.id = INSN_RDTSCP}), i == 3);
        v->primary_proc_based_controls =
            PRIMARY_ACTIVATE_SECONDARY_CONTROLS | (i & 1 ? PRIMARY_INVLPG_EXITING : 0);
        v->secondary_proc_based_controls = i & 2 ? SECONDARY_ENABLE_INVPCID : 0;
        assert_int_equal(exits((struct insn){.id = INSN_INVPCID, .is_memory = true}), i == 3);
    }
    assert_int_equal(result.reason, 58);
    bench_end(&b);
}

static void invlpg_reports_the_linear_address(void **state)
{
    (void)state;
    setup();
    /* INVLPG GS:[RAX + RCX*4 + 10H] */
    struct insn insn = {.id = INSN_INVLPG,
                        .mode_bits = 64,
                        .address_bits = 64,
                        .is_memory = true,
                        .segment = SEG_GS,
                        .has_base = true,
                        .base = GPR_RAX,
                        .has_index = true,
                        .index = GPR_RCX,
                        .scale = 2,
                        .displacement = 0x10,
                        .length = 5};
    b.state.gpr[GPR_RAX] = 0x1000;
    b.state.gpr[GPR_RCX] = 0x100;
    b.state.seg[SEG_GS].base = 0xffff800000000000ull;
    assert_false(exits(insn));
    b.vmx.vmcs.primary_proc_based_controls |= PRIMARY_INVLPG_EXITING;
    assert_true(exits(insn));
    assert_int_equal(result.reason, 14);
    assert_int_equal(result.qualification, 0xffff800000001410ull);
    insn.segment = SEG_DS; /* its base does not count in 64-bit mode */
    b.state.seg[SEG_DS].base = 0x77000000;
    assert_true(exits(insn));
    assert_int_equal(result.qualification, 0x1410);
    b.state.seg[SEG_CS].access_rights = 0xc09b; /* 32-bit: bits 63:32 are clear */
    b.state.seg[SEG_DS].base = 0xfffff000;
    insn.mode_bits = insn.address_bits = 32;
    assert_true(exits(insn));
    assert_int_equal(result.qualification, 0x410);
    bench_end(&b);
}

/* SDM table "Exit Qualification for Control-Register Accesses". */
static void mov_cr_by_masks(void **state)
{
    (void)state;
    setup();
    struct vmcs *v = &b.vmx.vmcs;
    const struct insn to_cr0 = {.id = INSN_MOV_TO_CR, .reg = 0, .rm = GPR_RSI};
    const struct insn to_cr4 = {.id = INSN_MOV_TO_CR, .reg = 4, .rm = GPR_R9};
    b.state.gpr[GPR_RSI] = CR0_PE | CR0_TS;
    b.state.gpr[GPR_R9] = CR4_DE;
    assert_false(exits(to_cr0)); /* no bit in the mask */
    assert_false(exits(to_cr4));
    v->cr0_guest_host_mask = CR0_TS | CR0_MP;
    v->cr0_read_shadow = CR0_TS | CR0_EM;
    v->cr4_guest_host_mask = CR4_TSD | CR4_DE;
    v->cr4_read_shadow = CR4_DE | CR4_PAE;
    assert_false(exits(to_cr0)); /* what differs is outside of the mask */
    assert_false(exits(to_cr4));
    v->cr0_read_shadow = 0;
    v->cr4_read_shadow = CR4_TSD | CR4_DE;
    assert_true(exits(to_cr0));
    assert_int_equal(result.reason, 28);
    assert_int_equal(result.qualification,
                     0x600); /* as kvm-unit-tests' CR_shadowing expects of mov %rsi, %cr0 */
    assert_true(exits(to_cr4));
    assert_int_equal(result.qualification, 0x904);
    bench_end(&b);
}

static void mov_cr3_and_cr8(void **state)
{
    (void)state;
    setup();
    struct vmcs *v = &b.vmx.vmcs;
    const struct insn load = {.id = INSN_MOV_TO_CR, .reg = 3, .rm = GPR_RAX};
    const struct insn store = {.id = INSN_MOV_FROM_CR, .reg = 3, .rm = GPR_RAX};
    const struct insn load8 = {.id = INSN_MOV_TO_CR, .reg = 8, .rm = GPR_RAX};
    const struct insn store8 = {.id = INSN_MOV_FROM_CR, .reg = 8, .rm = GPR_RAX};
    b.state.gpr[GPR_RAX] = 0x5000;
    v->cr3_target_value_0 = 0x5000;
    v->primary_proc_based_controls = 0;
    assert_false(exits(load) || exits(store) || exits(load8) || exits(store8));
    v->primary_proc_based_controls = PRIMARY_CR3_LOAD_EXITING;
    assert_true(exits(load)); /* count 0: the target value does not count */
    assert_int_equal(result.qualification, 0x3);
    v->cr3_target_count = 1;
    assert_false(exits(load));
    b.state.gpr[GPR_RAX] = 0x6000;
    assert_true(exits(load));
    v->cr3_target_value_3 = 0x6000;
    v->cr3_target_count = 4;
    assert_false(exits(load));
    v->cr3_target_count = 3;
    assert_true(exits(load));
    v->primary_proc_based_controls = PRIMARY_CR3_STORE_EXITING;
    assert_true(exits(store));
    assert_int_equal(result.qualification, 0x13);
    v->primary_proc_based_controls = PRIMARY_CR8_LOAD_EXITING;
    assert_true(exits(load8));
    assert_int_equal(result.qualification, 0x8);
    v->primary_proc_based_controls = PRIMARY_CR8_STORE_EXITING;
    assert_true(exits(store8));
    assert_int_equal(result.qualification, 0x18);
    assert_false(exits((struct insn){.id = INSN_MOV_FROM_CR, .reg = 0}));
    assert_false(exits((struct insn){.id = INSN_MOV_TO_CR, .reg = 2}));
    bench_end(&b);
}

static void clts_and_lmsw(void **state)
{
    (void)state;
    setup();
    struct vmcs *v = &b.vmx.vmcs;
    assert_false(exits((struct insn){.id = INSN_CLTS}));
    v->cr0_guest_host_mask = CR0_TS;
    assert_false(exits((struct insn){.id = INSN_CLTS}));
    v->cr0_read_shadow = CR0_TS;
    assert_true(exits((struct insn){.id = INSN_CLTS}));
    assert_int_equal(result.qualification, 0x20);

    const struct insn lmsw = {.id = INSN_LMSW, .rm = GPR_RCX};
    b.state.gpr[GPR_RCX] = 0xabcd000e0008ull; /* only TS of the low 16 bits */
    assert_false(exits(lmsw));                /* TS as in the shadow */
    v->cr0_read_shadow = 0;
    assert_true(exits(lmsw));
    assert_int_equal(result.qualification, 0x80030);
    assert_int_equal(result.guest_linear_address, 0);
    v->cr0_guest_host_mask = CR0_PE; /* PE: only setting it counts */
    v->cr0_read_shadow = CR0_PE;
    assert_false(exits(lmsw));
    b.state.gpr[GPR_RCX] = CR0_PE;
    assert_false(exits(lmsw));
    v->cr0_read_shadow = 0;
    assert_true(exits(lmsw));
    bench_end(&b);
}

/* LMSW from memory: source data, bit 6, linear address. No paging, no EPT: linear is physical. */
static void lmsw_from_memory(void **state)
{
    (void)state;
    setup();
    b.state.cr0 = CR0_PE | CR0_ET | CR0_NE;
    b.state.cr4 = 0;
    b.state.msr.efer = 0;
    b.state.seg[SEG_CS].access_rights = 0xc09b;
    b.state.seg[SEG_DS].base = 0x100;
    vmx_update_regime(&b.vmx);
    bench_put(&b, MSR_LIST_1 + 0x100, 0x1234000a);
    b.vmx.vmcs.cr0_guest_host_mask = CR0_MP;
    const struct insn lmsw = {.id = INSN_LMSW,
                              .mode_bits = 32,
                              .address_bits = 32,
                              .is_memory = true,
                              .segment = SEG_DS,
                              .displacement = MSR_LIST_1,
                              .length = 6};
    assert_true(exits(lmsw));
    assert_int_equal(result.qualification, 0xa0070);
    assert_int_equal(result.guest_linear_address, MSR_LIST_1 + 0x100);
    assert_int_equal(result.instruction_length, 6);
    b.vmx.vmcs.cr0_read_shadow = CR0_MP;
    assert_false(exits(lmsw));
    bench_end(&b);
}

/* Reading and writing through mask and shadow: "Changes to Instruction Behavior in VMX Non-Root Operation".
 */
static void masks_and_shadows(void **state)
{
    (void)state;
    setup();
    b.vmx.vmcs.cr0_guest_host_mask = CR0_TS | CR0_MP;
    b.vmx.vmcs.cr0_read_shadow = CR0_TS | CR0_WP;
    b.vmx.vmcs.cr4_guest_host_mask = CR4_VMXE;
    b.state.cr0 = CR0_PE | CR0_MP | CR0_PG;
    b.state.cr4 = CR4_VMXE | CR4_PAE;
    assert_int_equal(vmx_read_cr_shadowed(&b.vmx, 0, b.state.cr0), CR0_PE | CR0_TS | CR0_PG);
    assert_int_equal(vmx_read_cr_shadowed(&b.vmx, 4, b.state.cr4), CR4_PAE);
    assert_int_equal(vmx_read_cr_shadowed(&b.vmx, 3, 0x123), 0x123);
    assert_int_equal(vmx_write_cr_masked(&b.vmx, 0, CR0_TS | CR0_WP), CR0_MP | CR0_WP);
    assert_int_equal(vmx_write_cr_masked(&b.vmx, 4, CR4_PAE | CR4_DE), CR4_VMXE | CR4_PAE | CR4_DE);
    b.vmx.non_root = false;
    assert_int_equal(vmx_read_cr_shadowed(&b.vmx, 0, b.state.cr0), b.state.cr0);
    assert_int_equal(vmx_write_cr_masked(&b.vmx, 0, CR0_WP), CR0_WP);
    bench_end(&b);
}

/* SDM table "Exit Qualification for MOV DR". */
static void mov_dr(void **state)
{
    (void)state;
    setup();
    const struct insn to = {.id = INSN_MOV_TO_DR, .reg = 7, .rm = GPR_RDX};
    const struct insn from = {.id = INSN_MOV_FROM_DR, .reg = 4, .rm = GPR_R15};
    assert_false(exits(to) || exits(from));
    b.vmx.vmcs.primary_proc_based_controls |= PRIMARY_MOV_DR_EXITING;
    assert_true(exits(to));
    assert_int_equal(result.reason, 29);
    assert_int_equal(result.qualification, 0x207);
    assert_true(exits(from));
    assert_int_equal(result.qualification, 0xf14);
    bench_end(&b);
}

static void msr_bitmaps(void **state)
{
    (void)state;
    setup();
    static const struct {
        uint32_t index, read, write; /* bytes of the page */
        uint8_t bit;
    } rows[] = {{0x0, 0, 2048, 0},
                {0x174, 0x2e, 2048 + 0x2e, 4},
                {0x1fff, 1023, 3071, 7},
                {0xc0000000, 1024, 3072, 0},
                {0xc0000080, 1024 + 0x10, 3072 + 0x10, 0},
                {0xc0001fff, 2047, 4095, 7}};
    struct vmcs *v = &b.vmx.vmcs;
    v->msr_bitmap_address = MSR_BITMAP;
    const struct insn rdmsr = {.id = INSN_RDMSR}, wrmsr = {.id = INSN_WRMSR};
    b.state.gpr[GPR_RCX] = 0x10;
    assert_true(exits(rdmsr)); /* no bitmaps: always */
    assert_int_equal(result.reason, 31);
    assert_true(exits(wrmsr));
    assert_int_equal(result.reason, 32);
    v->primary_proc_based_controls |= PRIMARY_USE_MSR_BITMAPS;
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        b.state.gpr[GPR_RCX] = 0xffffffff00000000ull | rows[i].index; /* ECX counts */
        assert_false(exits(rdmsr) || exits(wrmsr));
        b.f.ram[MSR_BITMAP + rows[i].read] = (uint8_t)(1u << rows[i].bit);
        assert_true(exits(rdmsr));
        assert_false(exits(wrmsr));
        b.f.ram[MSR_BITMAP + rows[i].read] = 0;
        b.f.ram[MSR_BITMAP + rows[i].write] = (uint8_t)(1u << rows[i].bit);
        assert_false(exits(rdmsr));
        assert_true(exits(wrmsr));
        b.f.ram[MSR_BITMAP + rows[i].write] = 0;
    }
    static const uint32_t outside[] = {0x2000, 0xbfffffff, 0xc0002000, 0xffffffff};
    for (unsigned i = 0; i < 4; i++) {
        b.state.gpr[GPR_RCX] = outside[i];
        assert_true(exits(rdmsr) && exits(wrmsr));
    }
    bench_end(&b);
}

static struct insn in_dx(uint16_t port, uint8_t size)
{
    b.state.gpr[GPR_RDX] = 0xabcd0000u | port;
    return (struct insn){.id = INSN_IN, .io_size = size};
}

/* As kvm-unit-tests' I/O_bitmap. */
static void io_bitmaps(void **state)
{
    (void)state;
    setup();
    struct vmcs *v = &b.vmx.vmcs;
    v->io_bitmap_a_address = IO_BITMAP_A;
    v->io_bitmap_b_address = IO_BITMAP_B;
    assert_false(exits(in_dx(0x5000, 1)));
    v->primary_proc_based_controls |= PRIMARY_UNCONDITIONAL_IO_EXITING;
    assert_true(exits(in_dx(0x5000, 1)));
    v->primary_proc_based_controls |= PRIMARY_USE_IO_BITMAPS; /* unconditional exiting is then ignored */
    assert_false(exits(in_dx(0x5000, 1)));
    b.f.ram[IO_BITMAP_A + 0x5000 / 8] = 1;
    assert_true(exits(in_dx(0x5000, 1)));
    assert_int_equal(result.qualification, 0x50000008);
    assert_false(exits(in_dx(0x5001, 1)));
    assert_true(exits(in_dx(0x4ffd, 4)));
    assert_int_equal(result.qualification, 0x4ffd000b);
    assert_false(exits(in_dx(0x4ffc, 4)));
    b.f.ram[IO_BITMAP_B + 0x1000 / 8] = 1;
    assert_true(exits(in_dx(0x9000, 1)));
    b.f.ram[IO_BITMAP_B] = 1; /* port 8000H, from a word at 7FFFH */
    assert_true(exits(in_dx(0x7fff, 2)));
    assert_false(exits(in_dx(0x7fff, 1)));
    assert_false(exits(in_dx(0xffff, 1)));
    assert_true(exits(in_dx(0xffff, 4))); /* wraps around */
    assert_int_equal(result.qualification, 0xffff000b);
    bench_end(&b);
}

/* SDM table "Exit Qualification for I/O Instructions" and table 28-8. */
static void io_qualification(void **state)
{
    (void)state;
    setup();
    b.vmx.vmcs.primary_proc_based_controls |= PRIMARY_UNCONDITIONAL_IO_EXITING;
    assert_true(
        exits((struct insn){.id = INSN_OUT, .io_size = 2, .port_is_immediate = true, .immediate = 0x80}));
    assert_int_equal(result.reason, 30);
    assert_int_equal(result.qualification, 0x800041);
    assert_int_equal(result.instruction_information, 0);

    b.state.gpr[GPR_RDX] = 0x3f8;
    b.state.gpr[GPR_RDI] = 0x1122334455ull;
    b.state.gpr[GPR_RSI] = 0x1122334466ull;
    b.state.seg[SEG_ES].base = 0x9999; /* no effect in 64-bit mode */
    b.state.seg[SEG_FS].base = 0x10000;
    assert_true(exits(
        (struct insn){.id = INSN_INS, .io_size = 1, .rep = INSN_REP, .mode_bits = 64, .address_bits = 64}));
    assert_int_equal(result.qualification, 0x3f80038);
    assert_int_equal(result.guest_linear_address, 0x1122334455ull);
    assert_int_equal(result.instruction_information, 2 << 7);
    assert_true(exits((struct insn){
        .id = INSN_OUTS, .io_size = 4, .segment = SEG_FS, .mode_bits = 64, .address_bits = 32}));
    assert_int_equal(result.qualification, 0x3f80013);
    assert_int_equal(result.guest_linear_address, 0x22334466 + 0x10000);
    assert_int_equal(result.instruction_information, 1 << 7 | 4 << 15);
    bench_end(&b);
}

/* The guest-linear address of a string access is that behind linear-address masking. What INVLPG names is not
 * masked, and CR3-target values are compared with all bits of the operand. */
static void masked_pointers(void **state)
{
    (void)state;
    setup();
    struct vmcs *v = &b.vmx.vmcs;
    b.state.cr3 |= CR3_LAM_U48;
    b.state.cr4 |= CR4_LAM_SUP;
    v->primary_proc_based_controls |=
        PRIMARY_UNCONDITIONAL_IO_EXITING | PRIMARY_INVLPG_EXITING | PRIMARY_CR3_LOAD_EXITING;
    b.state.gpr[GPR_RDI] = 0x1234000000005000;
    b.state.gpr[GPR_RSI] = 0x8123800000005000;
    assert_true(exits((struct insn){.id = INSN_INS, .io_size = 1}));
    assert_int_equal(result.guest_linear_address, 0x5000);
    assert_true(exits((struct insn){.id = INSN_OUTS, .io_size = 1, .segment = SEG_DS}));
    assert_int_equal(result.guest_linear_address, 0xffff800000005000);
    assert_true(exits((struct insn){
        .id = INSN_INVLPG, .is_memory = true, .segment = SEG_DS, .has_base = true, .base = GPR_RDI}));
    assert_int_equal(result.qualification, 0x1234000000005000);
    const struct insn load = {.id = INSN_MOV_TO_CR, .reg = 3, .rm = GPR_RAX};
    v->cr3_target_count = 1;
    v->cr3_target_value_0 = 0x5000;
    b.state.gpr[GPR_RAX] = 0x5000;
    assert_false(exits(load));
    b.state.gpr[GPR_RAX] = CR3_LAM_U48 | 0x5000;
    assert_true(exits(load));
    v->cr3_target_value_0 = CR3_LAM_U48 | 0x5000;
    assert_false(exits(load));
    bench_end(&b);
}

/* Displacement as exit qualification, and formats 28-9 to 28-15. */
static void instruction_information(void **state)
{
    (void)state;
    setup();
    b.vmx.vmcs.secondary_proc_based_controls = UINT32_MAX;
    b.state.rip = 0x400000;
    /* VMCLEAR [R13 + R14*8 - 8] with 64-bit addresses */
    struct insn memory = {.id = INSN_VMCLEAR,
                          .length = 7,
                          .mode_bits = 64,
                          .address_bits = 64,
                          .is_memory = true,
                          .segment = SEG_DS,
                          .has_base = true,
                          .base = GPR_R13,
                          .has_index = true,
                          .index = GPR_R14,
                          .scale = 3,
                          .displacement = -8,
                          .reg = 6};
    const uint32_t form = 3 | 2 << 7 | 3 << 15 | 14 << 18 | 13 << 23;
    assert_true(exits(memory));
    assert_int_equal(result.qualification, (uint64_t)-8);
    assert_int_equal(result.instruction_information, form);
    memory.id = INSN_INVVPID;
    memory.reg = GPR_R10;
    assert_true(exits(memory));
    assert_int_equal(result.instruction_information, form | 10u << 28);
    memory.id = INSN_LIDT;
    memory.operand_bits = 64;
    assert_true(exits(memory));
    assert_int_equal(result.instruction_information, form | 1 << 11 | 3 << 28);
    memory.id = INSN_VMREAD; /* field encoding in Reg2 */
    b.vmx.vmcs.secondary_proc_based_controls &= ~SECONDARY_VMCS_SHADOWING;
    assert_true(exits(memory));
    assert_int_equal(result.instruction_information, form | 10u << 28);

    /* SGDT with a RIP-relative operand: neither base nor index; qualification is RIP of the next one +
     * displacement. */
    const struct insn relative = {.id = INSN_SGDT,
                                  .length = 7,
                                  .mode_bits = 64,
                                  .address_bits = 64,
                                  .is_memory = true,
                                  .segment = SEG_DS,
                                  .rip_relative = true,
                                  .displacement = 0x100,
                                  .operand_bits = 16};
    assert_true(exits(relative));
    assert_int_equal(result.qualification, 0x400107);
    assert_int_equal(result.instruction_information, 2 << 7 | 3 << 15 | 1 << 22 | 1 << 27);

    /* Register operands: STR R11W; VMWRITE of RBX to the field in RDI; RDRAND of 32 bits to R8. */
    assert_true(exits((struct insn){
        .id = INSN_STR, .mode_bits = 64, .address_bits = 64, .rm = GPR_R11, .displacement = 5}));
    assert_int_equal(result.qualification, 0);
    assert_int_equal(result.instruction_information, 11 << 3 | 1 << 10 | 1 << 28);
    assert_true(exits((struct insn){
        .id = INSN_VMWRITE, .mode_bits = 64, .address_bits = 64, .rm = GPR_RBX, .reg = GPR_RDI}));
    assert_int_equal(result.instruction_information, 3 << 3 | 1 << 10 | 7u << 28);
    assert_true(exits((struct insn){.id = INSN_RDRAND, .mode_bits = 64, .operand_bits = 32, .rm = GPR_R8}));
    assert_int_equal(result.instruction_information, 8 << 3 | 1 << 11);
    bench_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(never_in_root_operation),
        cmocka_unit_test(unconditional),
        cmocka_unit_test(never),
        cmocka_unit_test(conditional_on_one_control),
        cmocka_unit_test(conditional_on_two_controls),
        cmocka_unit_test(invlpg_reports_the_linear_address),
        cmocka_unit_test(mov_cr_by_masks),
        cmocka_unit_test(mov_cr3_and_cr8),
        cmocka_unit_test(clts_and_lmsw),
        cmocka_unit_test(lmsw_from_memory),
        cmocka_unit_test(masks_and_shadows),
        cmocka_unit_test(mov_dr),
        cmocka_unit_test(msr_bitmaps),
        cmocka_unit_test(io_bitmaps),
        cmocka_unit_test(io_qualification),
        cmocka_unit_test(masked_pointers),
        cmocka_unit_test(instruction_information),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
