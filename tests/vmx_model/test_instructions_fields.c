/* Tests of VMREAD and VMWRITE: SDM "VMX Instructions" and "VMREAD, VMWRITE, and Encodings of VMCS Fields". */
#include "instructions_fixture.h"

static struct cpu_outcome write_field(struct fixture *f, uint64_t encoding, uint64_t value)
{
    f->state.gpr[GPR_RAX] = encoding;
    f->state.gpr[GPR_RCX] = value;
    return fixture_execute_register(f, INSN_VMWRITE);
}

static struct cpu_outcome read_field(struct fixture *f, uint64_t encoding)
{
    f->state.gpr[GPR_RAX] = encoding;
    f->state.gpr[GPR_RCX] = 0xeeeeeeeeeeeeeeee;
    return fixture_execute_register(f, INSN_VMREAD);
}

static void no_current_vmcs(void **unused)
{
    struct fixture *f = fixture_in_vmx();

    (void)unused;
    assert_fails_invalid(f, read_field(f, VMCS_ENCODING_guest_rip));
    assert_int_equal(f->state.gpr[GPR_RCX], 0xeeeeeeeeeeeeeeee);
    assert_fails_invalid(f, write_field(f, VMCS_ENCODING_guest_rip, 1));
    f->state.gpr[GPR_RAX] = VMCS_ENCODING_guest_rip;
    /* Comes before a fault of the operand. */
    assert_fails_invalid(f, fixture_execute_at(f, INSN_VMREAD, UNMAPPED));
    assert_fails_invalid(f, fixture_execute_at(f, INSN_VMWRITE, UNMAPPED));
    fixture_free(f);
}

static void register_operands_of_each_width(void **unused)
{
    static const struct {
        uint64_t encoding, read;
    } cases[] = {
        {VMCS_ENCODING_guest_cs_selector, 0xdef0},
        {VMCS_ENCODING_exception_bitmap, 0x9abcdef0},
        {VMCS_ENCODING_tsc_offset, 0x123456789abcdef0},
        {VMCS_ENCODING_guest_rip, 0x123456789abcdef0},
    };
    struct fixture *f = fixture_with_vmcs();

    (void)unused;
    for (unsigned i = 0; i < 4; i++) {
        assert_succeeds(f, write_field(f, cases[i].encoding, 0x123456789abcdef0));
        assert_succeeds(f, read_field(f, cases[i].encoding));
        assert_int_equal(f->state.gpr[GPR_RCX], cases[i].read);
    }
    assert_succeeds(f, read_field(f, VMCS_ENCODING_tsc_offset | 1));
    assert_int_equal(f->state.gpr[GPR_RCX], 0x12345678);
    assert_succeeds(f, write_field(f, VMCS_ENCODING_tsc_offset | 1, 0xffffffff00000001));
    assert_int_equal(f->vmx.vmcs.tsc_offset, 0x19abcdef0);
    fixture_free(f);
}

/* Outside IA-32e mode operands have 32 bits: the low half is read; a write clears the high half. */
static void operands_outside_ia32e_mode(void **unused)
{
    struct fixture *f = fixture_with_vmcs();

    (void)unused;
    f->state.msr.efer = 0;
    f->state.seg[SEG_CS].access_rights = 0xc09b;
    f->vmx.vmcs.guest_rip = 0x123456789abcdef0;
    f->vmx.vmcs.tsc_offset = 0x123456789abcdef0;
    assert_succeeds(f, read_field(f, 0xabcd000000000000 | VMCS_ENCODING_guest_rip));
    assert_int_equal(f->state.gpr[GPR_RCX], 0x9abcdef0);
    assert_succeeds(f, read_field(f, VMCS_ENCODING_tsc_offset | 1));
    assert_int_equal(f->state.gpr[GPR_RCX], 0x12345678);
    assert_succeeds(f, write_field(f, VMCS_ENCODING_tsc_offset, 0xffffffff00000007));
    assert_int_equal(f->vmx.vmcs.tsc_offset, 7);
    assert_succeeds(f, write_field(f, VMCS_ENCODING_tsc_offset | 1, 2));
    assert_int_equal(f->vmx.vmcs.tsc_offset, 0x200000007);
    fixture_free(f);
}

static void memory_operands(void **unused)
{
    struct fixture *f = fixture_with_vmcs();

    (void)unused;
    f->state.gpr[GPR_RAX] = VMCS_ENCODING_guest_cs_selector;
    f->vmx.vmcs.guest_cs_selector = 0x1234;
    phys_write64(&f->mem, OPERAND, UINT64_MAX);
    assert_succeeds(f, fixture_execute_at(f, INSN_VMREAD, OPERAND));
    assert_int_equal(phys_read64(&f->mem, OPERAND), 0x1234); /* 8 bytes in 64-bit mode */
    f->state.gpr[GPR_RAX] = VMCS_ENCODING_host_rip;
    assert_succeeds(f, fixture_execute_pointer(f, INSN_VMWRITE, 0xfedcba9876543210));
    assert_int_equal(f->vmx.vmcs.host_rip, 0xfedcba9876543210);
    fixture_free(f);
}

static void faults_leave_the_flags(void **unused)
{
    struct fixture *f = fixture_with_vmcs();

    (void)unused;
    f->state.gpr[GPR_RAX] = VMCS_ENCODING_guest_ss_selector;
    f->state.rflags |= RFLAGS_SF | RFLAGS_AF | RFLAGS_CF;
    assert_int_equal(fixture_execute_at(f, INSN_VMREAD, UNMAPPED).event.vector, VECTOR_PF);
    assert_int_equal(fixture_execute_at(f, INSN_VMWRITE, UNMAPPED).event.vector, VECTOR_PF);
    assert_int_equal(f->state.rflags, RFLAGS_FIXED1 | RFLAGS_SF | RFLAGS_AF | RFLAGS_CF);
    fixture_free(f);
}

/* VMREAD's operand faults after, VMWRITE's before the field was found to be supported. */
static void unsupported_fields(void **unused)
{
    static const uint64_t encodings[] = {
        UINT64_MAX,
        0x10000681e,
        0x1681e,
        0x781e,
        0x681f,
        0x482c,
        VMCS_ENCODING_posted_interrupt_notification_vector, /* this profile does not have it */
    };
    struct fixture *f = fixture_with_vmcs();

    (void)unused;
    for (unsigned i = 0; i < sizeof(encodings) / sizeof(encodings[0]); i++) {
        assert_fails(f, read_field(f, encodings[i]), 12);
        assert_int_equal(f->state.gpr[GPR_RCX], 0xeeeeeeeeeeeeeeee);
        f->vmx.vmcs.vm_instruction_error = 0;
        assert_fails(f, write_field(f, encodings[i], 1), 12);
    }
    assert_fails(f, fixture_execute_at(f, INSN_VMREAD, UNMAPPED), 12);
    assert_int_equal(fixture_execute_at(f, INSN_VMWRITE, UNMAPPED).event.vector, VECTOR_PF);
    fixture_free(f);
}

/* IA32_VMX_MISC[29]: VMWRITE to VM-exit information fields. */
static void vm_exit_information_fields(void **unused)
{
    struct fixture *f = fixture_with_vmcs();

    (void)unused;
    f->vmx.vmcs.exit_reason = 48;
    assert_fails(f, write_field(f, VMCS_ENCODING_exit_reason, 10), 13);
    assert_int_equal(f->vmx.vmcs.exit_reason, 48);
    f->profile.vmx.misc |= 1u << 29;
    assert_succeeds(f, write_field(f, VMCS_ENCODING_exit_reason, 10));
    assert_int_equal(f->vmx.vmcs.exit_reason, 10);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_current_vmcs),
        cmocka_unit_test(register_operands_of_each_width),
        cmocka_unit_test(operands_outside_ia32e_mode),
        cmocka_unit_test(memory_operands),
        cmocka_unit_test(faults_leave_the_flags),
        cmocka_unit_test(unsupported_fields),
        cmocka_unit_test(vm_exit_information_fields),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
