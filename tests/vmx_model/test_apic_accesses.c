/*
 * test_apic_accesses.c: which accesses to the APIC-access page are virtualized, and what follows a write;
 * MSRs 800H to 8FFH. SDM "Virtualizing Memory-Mapped APIC Accesses", "Virtualizing MSR-Based APIC Accesses".
 */
#include "apic_fixture.h"

#define APIC_PAGE 0x6000u

static void only(struct bench *b, uint32_t secondary)
{
    struct vmcs *v = &b->vmx.vmcs;
    v->secondary_proc_based_controls = SECONDARY_VIRTUALIZE_APIC_ACCESSES | secondary;
    v->apic_access_address = APIC_PAGE;
    vmx_update_regime(&b->vmx);
}

static bool reads(const struct bench *b, unsigned offset)
{
    return vmx_virtualizes_apic_access(&b->vmx, offset, 4, MMU_READ);
}

static bool writes(const struct bench *b, unsigned offset)
{
    return vmx_virtualizes_apic_access(&b->vmx, offset, 4, MMU_WRITE);
}

/* Registers of the page with "APIC-register virtualization", by hand from the SDM's two lists. */
static void registers_that_are_virtualized(void **state)
{
    static const uint16_t both[] = {0x20,  0x80,  0xb0,  0xd0,  0xe0,  0xf0,  0x280, 0x300, 0x310,
                                    0x320, 0x330, 0x340, 0x350, 0x360, 0x370, 0x380, 0x3e0};
    struct bench *b = *state;
    bool can_read[0x100] = {0}, can_write[0x100] = {0};
    for (unsigned i = 0; i < sizeof both / sizeof both[0]; i++)
        can_read[both[i] >> 4] = can_write[both[i] >> 4] = true;
    can_read[0x03] = true;
    for (unsigned i = 0x10; i < 0x28; i++)
        can_read[i] = true;
    only(b, SECONDARY_APIC_REGISTER_VIRTUALIZATION);
    for (unsigned offset = 0; offset < 0x1000; offset += 4) {
        assert_int_equal(reads(b, offset), !(offset & 0xc) && can_read[offset >> 4]);
        assert_int_equal(writes(b, offset), !(offset & 0xc) && can_write[offset >> 4]);
    }
}

static void each_control_alone(void **state)
{
    struct bench *b = *state;
    only(b, 0);
    for (unsigned offset = 0; offset < 0x1000; offset += 0x10) {
        assert_int_equal(reads(b, offset), offset == 0x80);
        assert_int_equal(writes(b, offset), offset == 0x80);
    }
    only(b, SECONDARY_VIRTUAL_INTERRUPT_DELIVERY);
    for (unsigned offset = 0; offset < 0x1000; offset += 0x10) {
        const bool delivery = offset == 0x80 || offset == 0xb0 || offset == 0x300;
        assert_int_equal(reads(b, offset), delivery);
        assert_int_equal(writes(b, offset), delivery);
    }
    only(b, 0);
    b->vmx.vmcs.primary_proc_based_controls |= PRIMARY_ACTIVATE_TERTIARY_CONTROLS;
    b->vmx.vmcs.tertiary_proc_based_controls = TERTIARY_IPI_VIRTUALIZATION;
    assert_false(reads(b, 0x300));
    assert_true(writes(b, 0x300));
    b->vmx.vmcs.primary_proc_based_controls &= ~PRIMARY_USE_TPR_SHADOW;
    assert_false(reads(b, 0x80));
    assert_false(writes(b, 0x80));
}

static void size_place_and_kind(void **state)
{
    struct bench *b = *state;
    only(b, SECONDARY_APIC_REGISTER_VIRTUALIZATION);
    assert_false(vmx_virtualizes_apic_access(&b->vmx, 0x80, 8, MMU_READ));
    assert_false(vmx_virtualizes_apic_access(&b->vmx, 0x80, 4, MMU_FETCH));
    assert_true(vmx_virtualizes_apic_access(&b->vmx, 0x83, 1, MMU_READ));
    assert_true(vmx_virtualizes_apic_access(&b->vmx, 0x82, 2, MMU_WRITE));
    assert_false(vmx_virtualizes_apic_access(&b->vmx, 0x83, 2, MMU_READ));
    assert_false(vmx_virtualizes_apic_access(&b->vmx, 0x84, 1, MMU_READ));
    /* Without that control the page offset has to be 080H itself. */
    only(b, 0);
    assert_true(vmx_virtualizes_apic_access(&b->vmx, 0x80, 1, MMU_WRITE));
    assert_false(vmx_virtualizes_apic_access(&b->vmx, 0x81, 1, MMU_WRITE));
}

static void after_a_virtualized_write(void **state)
{
    struct bench *b = *state;
    only(b, SECONDARY_APIC_REGISTER_VIRTUALIZATION);
    vmx_note_virtualized_write(&b->vmx, 0x80, 4);
    assert_false(reads(b, 0x80));
    assert_true(writes(b, 0x80)); /* the same offset and size */
    assert_false(writes(b, 0x310));
    assert_false(vmx_virtualizes_apic_access(&b->vmx, 0x80, 2, MMU_WRITE));
}

static uint64_t written(struct bench *b, unsigned offset, uint32_t value)
{
    struct vm_exit exit = {0};
    put(b, offset & ~3u, value);
    b->vmx.trap_exit_pending = false;
    vmx_note_virtualized_write(&b->vmx, offset, 4);
    if (!vmx_boundary_exit(&b->vmx, &exit))
        return UINT64_MAX;
    assert_int_equal(exit.reason, EXIT_REASON_APIC_WRITE);
    return exit.qualification;
}

static void emulation_by_offset(void **state)
{
    struct bench *b = *state;
    only(b, SECONDARY_APIC_REGISTER_VIRTUALIZATION);
    assert_int_equal(written(b, 0x80, 0x12345678), UINT64_MAX);
    assert_int_equal(get(b, 0x80), 0x78);
    assert_int_equal(written(b, 0xb0, 0), 0xb0); /* without "virtual-interrupt delivery" */
    assert_int_equal(written(b, 0x300, 0x40041), 0x300);
    assert_int_equal(written(b, 0x310, 0x12345678), UINT64_MAX);
    assert_int_equal(get(b, 0x310), 0x12000000);
    assert_int_equal(written(b, 0x313, 0x12345678), UINT64_MAX);
    assert_int_equal(written(b, 0x320, 7), 0x320);
    assert_int_equal(written(b, 0x81, 7), 0x81); /* none of the offsets that the SDM names */
}

/* Through the MMU: qualification with offset and access type, and the redirection. */
static void mmu_asks(void **state)
{
    struct bench *b = *state;
    struct mmu_fault fault;
    const struct mmu_mode mode = {0};
    uint32_t value = 0;
    only(b, SECONDARY_APIC_REGISTER_VIRTUALIZATION);
    b->state.cr0 &= ~CR0_PG; /* the linear address is the physical one */
    vmx_update_regime(&b->vmx);
    put(b, 0x30, 0x50014);
    bench_put(b, APIC_PAGE + 0x30, 0x77);
    assert_int_equal(mmu_read(&b->mmu, APIC_PAGE + 0x30, &value, 4, mode, &fault), MMU_OK);
    assert_int_equal(value, 0x50014);
    assert_int_equal(mmu_write(&b->mmu, APIC_PAGE + 0x30, &value, 4, mode, &fault), MMU_APIC_ACCESS);
    assert_int_equal(fault.qualification, 0x1030);
    assert_int_equal(mmu_read(&b->mmu, APIC_PAGE + 0x3c, &value, 4, mode, &fault), MMU_APIC_ACCESS);
    assert_int_equal(fault.qualification, 0x003c);
    size_t got;
    assert_int_equal(mmu_fetch(&b->mmu, APIC_PAGE + 0x30, &value, 4, mode, &got, &fault), MMU_APIC_ACCESS);
    assert_int_equal(fault.qualification, 0x2030);
    struct cpu_outcome outcome = mmu_fault_outcome(MMU_APIC_ACCESS, &fault);
    assert_int_equal(outcome.exit.reason, EXIT_REASON_APIC_ACCESS);
    vmx_note_vectoring(&outcome.exit, &(struct cpu_event){.vector = 3, .type = EVENT_NMI});
    assert_int_equal(outcome.exit.qualification, 0x3030); /* during event delivery */
    value = 0x1234;
    assert_int_equal(mmu_write(&b->mmu, APIC_PAGE + 0x80, &value, 4, mode, &fault), MMU_OK);
    assert_int_equal(get(b, 0x80), 0x1234);
    assert_true(b->vmx.apic_write.pending);
    assert_int_equal(b->vmx.apic_write.offset, 0x80);
    assert_int_equal(b->vmx.apic_write.size, 4);
    b->vmx.apic_write.pending = false;
    b->vmx.non_root = false; /* in root operation the page is memory */
    vmx_update_regime(&b->vmx);
    assert_int_equal(mmu_read(&b->mmu, APIC_PAGE + 0x30, &value, 4, mode, &fault), MMU_OK);
    assert_int_equal(value, 0x77);
}

/* An access that begins before the page: what lies on it is judged by itself. */
static void crossing_into_the_page(void **state)
{
    struct bench *b = *state;
    struct mmu_fault fault;
    const struct mmu_mode mode = {0};
    uint32_t value = 0;
    only(b, SECONDARY_APIC_REGISTER_VIRTUALIZATION);
    b->state.cr0 &= ~CR0_PG;
    vmx_update_regime(&b->vmx);
    assert_int_equal(mmu_read(&b->mmu, APIC_PAGE - 2, &value, 4, mode, &fault), MMU_APIC_ACCESS);
    assert_int_equal(fault.qualification, 0);
}

static void x2apic_reads(void **state)
{
    struct bench *b = *state;
    uint64_t value = 0;
    put(b, 0x80, 0x31);
    put(b, 0x84, 0x99);
    put(b, 0xff0, 0x55);
    assert_int_equal(vmx_read_virtual_apic_msr(&b->vmx, 0x808, &value), VMX_MSR_VIRTUALIZED);
    assert_int_equal(value, 0x9900000031);
    assert_int_equal(vmx_read_virtual_apic_msr(&b->vmx, 0x80b, &value), VMX_MSR_NORMAL);
    b->vmx.vmcs.secondary_proc_based_controls |= SECONDARY_APIC_REGISTER_VIRTUALIZATION;
    assert_int_equal(vmx_read_virtual_apic_msr(&b->vmx, 0x8ff, &value), VMX_MSR_VIRTUALIZED);
    assert_int_equal(value, 0x55);
    assert_int_equal(vmx_read_virtual_apic_msr(&b->vmx, 0x900, &value), VMX_MSR_NORMAL);
    assert_int_equal(vmx_read_virtual_apic_msr(&b->vmx, 0x7ff, &value), VMX_MSR_NORMAL);
    b->vmx.vmcs.secondary_proc_based_controls &= ~SECONDARY_VIRTUALIZE_X2APIC_MODE;
    assert_int_equal(vmx_read_virtual_apic_msr(&b->vmx, 0x808, &value), VMX_MSR_NORMAL);
}

static void x2apic_writes(void **state)
{
    struct bench *b = *state;
    assert_int_equal(vmx_write_virtual_apic_msr(&b->vmx, 0x808, 0x100), VMX_MSR_FAULTS);
    assert_int_equal(vmx_write_virtual_apic_msr(&b->vmx, 0x808, 1ull << 32), VMX_MSR_FAULTS);
    put(b, 0x84, 0x99);
    assert_int_equal(vmx_write_virtual_apic_msr(&b->vmx, 0x808, 0x67), VMX_MSR_VIRTUALIZED);
    assert_int_equal(get(b, 0x80), 0x67);
    assert_int_equal(get(b, 0x84), 0);
    assert_int_equal(get(b, 0xa0), 0x67); /* TPR virtualization came to PPR */
    assert_int_equal(vmx_write_virtual_apic_msr(&b->vmx, 0x80b, 1), VMX_MSR_FAULTS);
    assert_int_equal(vmx_write_virtual_apic_msr(&b->vmx, 0x80d, 1), VMX_MSR_NORMAL);
    assert_int_equal(vmx_write_virtual_apic_msr(&b->vmx, 0x830, 1), VMX_MSR_NORMAL);
    b->vmx.vmcs.secondary_proc_based_controls &= ~SECONDARY_VIRTUAL_INTERRUPT_DELIVERY;
    assert_int_equal(vmx_write_virtual_apic_msr(&b->vmx, 0x80b, 0), VMX_MSR_NORMAL);
    assert_int_equal(vmx_write_virtual_apic_msr(&b->vmx, 0x83f, 0x31), VMX_MSR_NORMAL);
    assert_int_equal(vmx_write_virtual_apic_msr(&b->vmx, 0x808, 0x31), VMX_MSR_VIRTUALIZED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        APIC_TEST(registers_that_are_virtualized),
        APIC_TEST(each_control_alone),
        APIC_TEST(size_place_and_kind),
        APIC_TEST(after_a_virtualized_write),
        APIC_TEST(emulation_by_offset),
        APIC_TEST(mmu_asks),
        APIC_TEST(crossing_into_the_page),
        APIC_TEST(x2apic_reads),
        APIC_TEST(x2apic_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
