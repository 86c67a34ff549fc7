/* test_instructions_shadow.c: VMCS shadowing: SDM "VMCS Types: Ordinary and Shadow", "VMCS Shadowing Bitmap
 * Addresses", VMREAD and VMWRITE in VMX non-root operation, "Basic VM-Entry Checks". */
#include "instructions_fixture.h"

enum { VMREAD_BITMAP = 0x30000, VMWRITE_BITMAP = 0x31000, SHADOW = VMCS_B };

#define GUEST_RSP 0x681cu
#define TSC_OFFSET 0x2010u
#define TSC_OFFSET_HIGH 0x2011u
#define EXIT_REASON_FIELD 0x4402u
#define NO_SUCH_FIELD 0x2ffeu

static void allow_shadowing(struct fixture *f)
{
    f->profile.vmx.procbased_ctls2 |= (uint64_t)SECONDARY_VMCS_SHADOWING << 32;
    f->profile.vmx.misc |= VMX_MISC_VMWRITE_ALL;
    phys_write(&f->mem, SHADOW, REVISION | 1u << 31, 4);
}

/* VMX non-root operation under VMCS A, which has VMCS B as its shadow, with no bit set in the bitmaps. */
static struct fixture *guest(void)
{
    struct fixture *f = fixture_with_vmcs();
    struct vmcs *v = &f->vmx.vmcs;
    allow_shadowing(f);
    v->primary_proc_based_controls |= PRIMARY_ACTIVATE_SECONDARY_CONTROLS;
    v->secondary_proc_based_controls |= SECONDARY_VMCS_SHADOWING;
    v->vmread_bitmap_address = VMREAD_BITMAP;
    v->vmwrite_bitmap_address = VMWRITE_BITMAP;
    v->vmcs_link_pointer = SHADOW;
    f->vmx.non_root = true;
    return f;
}

static struct cpu_outcome vmread(struct fixture *f, uint64_t encoding)
{
    f->state.gpr[GPR_RAX] = encoding;
    return fixture_execute_register(f, INSN_VMREAD);
}

static struct cpu_outcome vmwrite(struct fixture *f, uint64_t encoding, uint64_t value)
{
    f->state.gpr[GPR_RAX] = encoding;
    f->state.gpr[GPR_RCX] = value;
    return fixture_execute_register(f, INSN_VMWRITE);
}

static void assert_exits(struct cpu_outcome outcome, uint32_t reason)
{
    assert_int_equal(outcome.kind, OUTCOME_VM_EXIT);
    assert_int_equal(outcome.exit.reason, reason);
    assert_int_equal(outcome.exit.instruction_length, 4);
}

/* What the guest writes is in the shadow VMCS when the hypervisor makes that current, and not in its own. */
static void guest_accesses_the_shadow(void **unused)
{
    struct fixture *f = guest();
    (void)unused;
    f->vmx.vmcs.guest_rsp = 0x1111;
    assert_succeeds(f, vmwrite(f, GUEST_RSP, 0x123456789abcdef0));
    assert_succeeds(f, vmread(f, GUEST_RSP));
    assert_int_equal(f->state.gpr[GPR_RCX], 0x123456789abcdef0);
    assert_int_equal(f->vmx.vmcs.guest_rsp, 0x1111);
    assert_succeeds(f, vmwrite(f, EXIT_REASON_FIELD, 0xf00000012));
    f->vmx.non_root = false;
    assert_succeeds(f, fixture_execute_pointer(f, INSN_VMPTRLD, SHADOW));
    assert_int_equal(f->vmx.vmcs.guest_rsp, 0x123456789abcdef0);
    assert_int_equal(f->vmx.vmcs.exit_reason, 0x12);
    fixture_free(f);
}

static void high_halves(void **unused)
{
    struct fixture *f = guest();
    (void)unused;
    assert_succeeds(f, vmwrite(f, TSC_OFFSET, 0x1111111122222222));
    assert_succeeds(f, vmwrite(f, TSC_OFFSET_HIGH, 0x33333333));
    assert_succeeds(f, vmread(f, TSC_OFFSET));
    assert_int_equal(f->state.gpr[GPR_RCX], 0x3333333322222222);
    assert_succeeds(f, vmread(f, TSC_OFFSET_HIGH));
    assert_int_equal(f->state.gpr[GPR_RCX], 0x33333333);
    fixture_free(f);
}

/* "bit position x & 7 of the byte at physical address addr | (x >> 3)" */
static void bitmaps(void **unused)
{
    struct fixture *f = guest();
    (void)unused;
    phys_write(&f->mem, VMREAD_BITMAP + (GUEST_RSP >> 3), 1u << (GUEST_RSP & 7), 1);
    assert_exits(vmread(f, GUEST_RSP), 23);
    assert_succeeds(f, vmwrite(f, GUEST_RSP, 1));
    phys_write(&f->mem, VMREAD_BITMAP + (GUEST_RSP >> 3), 0xff ^ 1u << (GUEST_RSP & 7), 1);
    assert_succeeds(f, vmread(f, GUEST_RSP));
    phys_write(&f->mem, VMWRITE_BITMAP + (GUEST_RSP >> 3), 1u << (GUEST_RSP & 7), 1);
    assert_exits(vmwrite(f, GUEST_RSP, 1), 25);
    fixture_free(f);
}

/* Bits 63:15 exit; outside of 64-bit mode bits 63:32 are not there. */
static void bits_above_14(void **unused)
{
    struct fixture *f = guest();
    (void)unused;
    assert_exits(vmread(f, 1u << 15 | GUEST_RSP), 23);
    assert_exits(vmwrite(f, 1ull << 63 | GUEST_RSP, 1), 25);
    f->state.msr.efer = 0;
    f->state.seg[SEG_CS].access_rights = 0xc09b;
    assert_succeeds(f, vmread(f, 1ull << 63 | GUEST_RSP));
    fixture_free(f);
}

static void without_shadowing_all_exit(void **unused)
{
    struct fixture *f = guest();
    (void)unused;
    f->vmx.vmcs.secondary_proc_based_controls = 0;
    assert_exits(vmread(f, GUEST_RSP), 23);
    assert_exits(vmwrite(f, GUEST_RSP, 0), 25);
    f->vmx.vmcs.secondary_proc_based_controls = SECONDARY_VMCS_SHADOWING;
    f->vmx.vmcs.primary_proc_based_controls = 0;
    assert_exits(vmread(f, GUEST_RSP), 23);
    fixture_free(f);
}

/* The VM exit comes before the check of the CPL, which comes before the VMCS pointer. */
static void order_of_checks(void **unused)
{
    struct fixture *f = guest();
    (void)unused;
    f->state.seg[SEG_SS].access_rights |= AR_DPL;
    assert_exits(vmread(f, 1u << 15), 23);
    f->vmx.vmcs.vmcs_link_pointer = UINT64_MAX;
    assert_event(vmread(f, GUEST_RSP), VECTOR_GP);
    f->state.seg[SEG_SS].access_rights &= ~(uint32_t)AR_DPL;
    assert_fails_invalid(f, vmread(f, NO_SUCH_FIELD));
    assert_fails_invalid(f, vmwrite(f, GUEST_RSP, 1));
    fixture_free(f);
}

/* The error number goes to the current VMCS, as in kvm-unit-tests' vmx_vmcs_shadow_test. */
static void errors(void **unused)
{
    struct fixture *f = guest();
    (void)unused;
    assert_fails(f, vmread(f, NO_SUCH_FIELD), 12);
    f->vmx.vmcs.vm_instruction_error = 0;
    assert_fails(f, vmwrite(f, NO_SUCH_FIELD, 1), 12);
    f->profile.vmx.misc &= ~VMX_MISC_VMWRITE_ALL;
    assert_fails(f, vmwrite(f, EXIT_REASON_FIELD, 1), 13);
    fixture_free(f);
}

/* The other VMX instructions exit with VMCS shadowing, too. */
static void others_exit(void **unused)
{
    static const uint16_t ids[] = {INSN_VMCLEAR, INSN_VMPTRLD, INSN_VMPTRST, INSN_VMLAUNCH, INSN_VMRESUME,
                                   INSN_VMXOFF,  INSN_VMXON,   INSN_INVEPT,  INSN_INVVPID,  INSN_VMCALL};
    struct fixture *f = guest();
    (void)unused;
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
        assert_int_equal(fixture_execute_pointer(f, (enum insn_id)ids[i], VMCS_A).kind, OUTCOME_VM_EXIT);
    fixture_free(f);
}

static void vmptrld_of_a_shadow_vmcs(void **unused)
{
    struct fixture *f = fixture_with_vmcs();
    (void)unused;
    phys_write(&f->mem, SHADOW, REVISION | 1u << 31, 4);
    assert_fails(f, fixture_execute_pointer(f, INSN_VMPTRLD, SHADOW), 11);
    allow_shadowing(f);
    assert_succeeds(f, fixture_execute_pointer(f, INSN_VMPTRLD, SHADOW));
    assert_succeeds(f, vmwrite(f, GUEST_RSP, 7));
    assert_succeeds(f, vmread(f, GUEST_RSP));
    assert_int_equal(f->state.gpr[GPR_RCX], 7);
    fixture_free(f);
}

/* VM entry with a shadow VMCS: VMfailInvalid, before blocking by MOV SS and the launch state are looked at.
 */
static void no_entry_with_a_shadow_vmcs(void **unused)
{
    struct fixture *f = fixture_with_vmcs();
    (void)unused;
    allow_shadowing(f);
    assert_succeeds(f, fixture_execute_pointer(f, INSN_VMPTRLD, SHADOW));
    f->state.interruptibility_state = BLOCKING_BY_MOV_SS;
    assert_fails_invalid(f, fixture_execute_register(f, INSN_VMLAUNCH));
    assert_non_null(strstr(f->explained, "the current VMCS is a shadow VMCS"));
    assert_fails_invalid(f, fixture_execute_register(f, INSN_VMRESUME));
    assert_succeeds(f, fixture_execute_pointer(f, INSN_VMPTRLD, VMCS_A));
    assert_fails(f, fixture_execute_register(f, INSN_VMLAUNCH), 26);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(guest_accesses_the_shadow),
        cmocka_unit_test(high_halves),
        cmocka_unit_test(bitmaps),
        cmocka_unit_test(bits_above_14),
        cmocka_unit_test(without_shadowing_all_exit),
        cmocka_unit_test(order_of_checks),
        cmocka_unit_test(errors),
        cmocka_unit_test(others_exit),
        cmocka_unit_test(vmptrld_of_a_shadow_vmcs),
        cmocka_unit_test(no_entry_with_a_shadow_vmcs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
