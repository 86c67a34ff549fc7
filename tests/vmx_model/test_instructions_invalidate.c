/* Tests of INVEPT and INVVPID: SDM "VMX Instructions". That translations go is tested in tests/tlb. */
#include "instructions_fixture.h"

#define EPTP (0x5000u | 3u << 3 | 6u)
#define NON_CANONICAL 0x8000000000000000ull

static struct cpu_outcome invalidate(struct fixture *f, enum insn_id id, uint64_t type, uint64_t low,
                                     uint64_t high)
{
    f->state.gpr[GPR_RAX] = type;
    phys_write64(&f->mem, OPERAND, low);
    phys_write64(&f->mem, OPERAND + 8, high);
    f->event_count = 0;
    return fixture_execute_at(f, id, OPERAND);
}

/* The cause of the one flush that was recorded; FLUSH_CAUSE_COUNT if there was none. */
static unsigned cause(const struct fixture *f)
{
    unsigned found = FLUSH_CAUSE_COUNT;

    for (unsigned i = 0; i < f->event_count; i++)
        if (f->events[i].kind == TRACE_TLB_FLUSH) {
            assert_int_equal(found, FLUSH_CAUSE_COUNT);
            found = f->events[i].code;
        }
    return found;
}

static void assert_flushes(struct fixture *f, struct cpu_outcome outcome, unsigned expected)
{
    assert_succeeds(f, outcome);
    assert_int_equal(cause(f), expected);
}

static void assert_invalid(struct fixture *f, struct cpu_outcome outcome)
{
    assert_fails(f, outcome, 28);
    assert_int_equal(cause(f), FLUSH_CAUSE_COUNT);
    f->vmx.vmcs.vm_instruction_error = 0;
}

static void invept_types(void **unused)
{
    struct fixture *f = fixture_with_vmcs();

    (void)unused;
    assert_flushes(f, invalidate(f, INSN_INVEPT, 1, EPTP, 0), FLUSH_INVEPT_SINGLE);
    assert_flushes(f, invalidate(f, INSN_INVEPT, 2, EPTP, 0), FLUSH_INVEPT_ALL);
    assert_flushes(f, invalidate(f, INSN_INVEPT, 2, 0, 0), FLUSH_INVEPT_ALL); /* EPTP does not matter */
    assert_invalid(f, invalidate(f, INSN_INVEPT, 0, EPTP, 0));
    assert_invalid(f, invalidate(f, INSN_INVEPT, 3, EPTP, 0));
    assert_invalid(f, invalidate(f, INSN_INVEPT, 1ull << 32 | 1, EPTP, 0)); /* 64-bit register operand */
    f->profile.vmx.ept_vpid_cap &= ~EPT_CAP_INVEPT_TYPE(1);
    assert_invalid(f, invalidate(f, INSN_INVEPT, 1, EPTP, 0));
    fixture_free(f);
}

static void invept_descriptor(void **unused)
{
    struct fixture *f = fixture_with_vmcs();

    (void)unused;
    assert_invalid(f, invalidate(f, INSN_INVEPT, 1, EPTP, 1)); /* bits 127:64 must be zero */
    assert_invalid(f, invalidate(f, INSN_INVEPT, 2, EPTP, 1ull << 63));
    assert_invalid(f, invalidate(f, INSN_INVEPT, 1, EPTP & ~7u, 0)); /* VM entry would fail: memory type UC */
    assert_invalid(f, invalidate(f, INSN_INVEPT, 1, EPTP | 1u << 6, 0));
    f->state.gpr[GPR_RAX] = 1;
    assert_int_equal(fixture_execute_at(f, INSN_INVEPT, UNMAPPED).event.vector, VECTOR_PF);
    f->state.gpr[GPR_RAX] = 7; /* an unsupported type comes before a fault of the operand */
    assert_invalid(f, fixture_execute_at(f, INSN_INVEPT, UNMAPPED));
    fixture_free(f);
}

static void invvpid_types(void **unused)
{
    static const unsigned causes[] = {FLUSH_INVVPID_ADDRESS, FLUSH_INVVPID_SINGLE, FLUSH_INVVPID_ALL,
                                      FLUSH_INVVPID_SINGLE_NONGLOBAL};
    struct fixture *f = fixture_with_vmcs();

    (void)unused;
    for (unsigned type = 0; type < 4; type++)
        assert_flushes(f, invalidate(f, INSN_INVVPID, type, 0xffff, 0), causes[type]);
    for (uint64_t type = 4; type < 128; type++)
        assert_invalid(f, invalidate(f, INSN_INVVPID, type, 0xffff, 0));
    assert_invalid(f, invalidate(f, INSN_INVVPID, UINT64_MAX, 0xffff, 0));
    f->profile.vmx.ept_vpid_cap &= ~EPT_CAP_INVVPID_TYPE(3);
    assert_invalid(f, invalidate(f, INSN_INVVPID, 3, 0xffff, 0));
    fixture_free(f);
}

static void invvpid_descriptor(void **unused)
{
    struct fixture *f = fixture_with_vmcs();

    (void)unused;
    for (unsigned type = 0; type < 4; type++) {
        assert_invalid(f, invalidate(f, INSN_INVVPID, type, 0x10001, 0)); /* bits 63:16 must be zero */
        assert_invalid(f, invalidate(f, INSN_INVVPID, type, 1ull << 63 | 1, 0));
    }
    assert_invalid(f, invalidate(f, INSN_INVVPID, 0, 0, 0)); /* VPID 0 */
    assert_invalid(f, invalidate(f, INSN_INVVPID, 1, 0, 0));
    assert_invalid(f, invalidate(f, INSN_INVVPID, 3, 0, 0));
    assert_flushes(f, invalidate(f, INSN_INVVPID, 2, 0, 0), FLUSH_INVVPID_ALL);
    assert_invalid(f, invalidate(f, INSN_INVVPID, 0, 1, NON_CANONICAL));
    assert_invalid(f, invalidate(f, INSN_INVVPID, 0, 1, 0x0000800000000000));
    assert_flushes(f, invalidate(f, INSN_INVVPID, 0, 1, 0xffff800000000000), FLUSH_INVVPID_ADDRESS);
    assert_flushes(f, invalidate(f, INSN_INVVPID, 1, 1, NON_CANONICAL), FLUSH_INVVPID_SINGLE);
    fixture_free(f);
}

/* Linear-address masking is for the pointer to the descriptor, not for the address in the descriptor. */
static void invvpid_with_masked_pointers(void **unused)
{
    struct fixture *f = fixture_with_vmcs();
    const uint64_t tag = 0x1234ull << 48;

    (void)unused;
    phys_write64(&f->mem, OPERAND, 1);
    phys_write64(&f->mem, OPERAND + 8, 0x5000);
    f->state.gpr[GPR_RAX] = 0;
    assert_event(fixture_execute_at(f, INSN_INVVPID, tag | OPERAND), VECTOR_GP);
    f->state.cr3 |= CR3_LAM_U48;
    f->event_count = 0;
    assert_flushes(f, fixture_execute_at(f, INSN_INVVPID, tag | OPERAND), FLUSH_INVVPID_ADDRESS);
    phys_write64(&f->mem, OPERAND + 8, tag | 0x5000);
    f->event_count = 0;
    assert_invalid(f, fixture_execute_at(f, INSN_INVVPID, tag | OPERAND));
    fixture_free(f);
}

/* A success leaves the VM-instruction error as it was. */
static void success_keeps_the_error(void **unused)
{
    struct fixture *f = fixture_with_vmcs();

    (void)unused;
    f->vmx.vmcs.vm_instruction_error = 12;
    assert_succeeds(f, invalidate(f, INSN_INVVPID, 2, 0, 0));
    assert_int_equal(f->vmx.vmcs.vm_instruction_error, 12);
    fixture_free(f);
}

static void operand_segment_faults(void **unused)
{
    struct fixture *f = fixture_with_vmcs();
    struct insn insn = fixture_insn(INSN_INVVPID, NON_CANONICAL);

    (void)unused;
    f->state.gpr[GPR_RAX] = 2;
    assert_event(vmx_execute(&f->vmx, &insn), VECTOR_GP);
    insn.segment = SEG_SS;
    assert_event(vmx_execute(&f->vmx, &insn), VECTOR_SS);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(invept_types),
        cmocka_unit_test(invept_descriptor),
        cmocka_unit_test(invvpid_types),
        cmocka_unit_test(invvpid_descriptor),
        cmocka_unit_test(invvpid_with_masked_pointers),
        cmocka_unit_test(success_keeps_the_error),
        cmocka_unit_test(operand_segment_faults),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
