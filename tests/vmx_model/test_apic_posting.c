/* test_apic_posting.c: posted interrupts and IPI virtualization. SDM "Posted-Interrupt Processing", "IPI
 * Virtualization". */
#include "apic_fixture.h"

static void put_descriptor(struct bench *b, unsigned offset, uint32_t value)
{
    memcpy(b->f.ram + FIXTURE_DESCRIPTOR + offset, &value, 4);
}

static uint32_t get_descriptor(const struct bench *b, unsigned offset)
{
    uint32_t value;
    memcpy(&value, b->f.ram + FIXTURE_DESCRIPTOR + offset, 4);
    return value;
}

/* Requests 22H and E1H; outstanding notification and a bit beside it that is software's. */
static void notification_takes_the_requests(void **state)
{
    struct bench *b = *state;
    struct vm_exit exit;
    put_descriptor(b, 4, 1u << 2);
    put_descriptor(b, 28, 1u << 1);
    put_descriptor(b, 32, 3);
    put(b, 0x210, 1u << 7);
    b->vmx.vmcs.guest_interrupt_status = 0x27;
    b->external_vector = 0xf2;
    assert_int_equal(vmx_external_interrupt(&b->vmx, &exit), VMX_INTERRUPT_POSTED);
    assert_int_equal(b->acknowledged, 1);
    assert_int_equal(b->interrupts_ended, 1);
    assert_int_equal(get_descriptor(b, 32), 2);
    assert_int_equal(get_descriptor(b, 4) | get_descriptor(b, 28), 0);
    assert_int_equal(get(b, 0x210), 1u << 7 | 1u << 2);
    assert_int_equal(get(b, 0x270), 1u << 1);
    assert_int_equal(b->vmx.vmcs.guest_interrupt_status, 0xe1);
    assert_true(b->vmx.virtual_interrupt_recognized);
}

static void lower_requests_leave_rvi(void **state)
{
    struct bench *b = *state;
    put_descriptor(b, 4, 1u << 2);
    b->vmx.vmcs.guest_interrupt_status = 0x90;
    assert_true(vmx_process_posted_interrupts(&b->vmx, 0xf2));
    assert_int_equal(b->vmx.vmcs.guest_interrupt_status, 0x90);
    put(b, 0x80, 0x90);
    put(b, 0xa0, 0x90);
    assert_true(vmx_process_posted_interrupts(&b->vmx, 0xf2)); /* no request at all: evaluated all the same */
    assert_false(b->vmx.virtual_interrupt_recognized);
}

static void another_vector_exits(void **state)
{
    struct bench *b = *state;
    struct vm_exit exit;
    b->external_vector = 0xf1;
    put_descriptor(b, 32, 1);
    assert_int_equal(vmx_external_interrupt(&b->vmx, &exit), VMX_INTERRUPT_EXITS);
    assert_int_equal(exit.reason, EXIT_REASON_EXTERNAL_INTERRUPT);
    assert_int_equal(exit.interruption_information, 0x800000f1);
    assert_int_equal(b->interrupts_ended, 0);
    assert_int_equal(get_descriptor(b, 32), 1);
    b->vmx.vmcs.pin_based_controls &= ~PIN_PROCESS_POSTED_INTERRUPTS;
    b->external_vector = 0xf2;
    assert_int_equal(vmx_external_interrupt(&b->vmx, &exit), VMX_INTERRUPT_EXITS);
    b->vmx.vmcs.pin_based_controls &= ~PIN_EXTERNAL_INTERRUPT_EXITING;
    assert_int_equal(vmx_external_interrupt(&b->vmx, &exit), VMX_INTERRUPT_NORMAL);
}

static void with_ipis(struct bench *b)
{
    virtual_ipis(&b->f);
    b->f.vmcs.last_pid_pointer_index = 3;
    b->f.vmcs.secondary_proc_based_controls |= SECONDARY_VIRTUALIZE_X2APIC_MODE;
    b->vmx.vmcs = b->f.vmcs;
    bench_put(b, FIXTURE_PID_TABLE + 2 * 8, FIXTURE_DESCRIPTOR | 1);
    bench_put(b, FIXTURE_PID_TABLE + 3 * 8, FIXTURE_DESCRIPTOR);
    put_descriptor(b, 32, 0xf2 << 16);
    put_descriptor(b, 36, 0x0700);
}

static void ipi_posts_and_notifies_once(void **state)
{
    struct bench *b = *state;
    struct vm_exit exit;
    with_ipis(b);
    assert_int_equal(vmx_write_virtual_apic_msr(&b->vmx, 0x830, 2ull << 32 | 0x43), VMX_MSR_VIRTUALIZED);
    assert_false(vmx_boundary_exit(&b->vmx, &exit));
    assert_int_equal(get(b, 0x300), 0x43);
    assert_int_equal(get(b, 0x304), 2);
    assert_int_equal(get_descriptor(b, 8), 1u << 3);
    assert_int_equal(get_descriptor(b, 32), 0xf2 << 16 | 1);
    assert_int_equal(b->notifications, 1);
    assert_int_equal(b->notified, 0x0700);
    assert_int_equal(b->notified_vector, 0xf2);
    assert_int_equal(vmx_write_virtual_apic_msr(&b->vmx, 0x830, 2ull << 32 | 0x44), VMX_MSR_VIRTUALIZED);
    assert_int_equal(b->notifications, 1); /* one is outstanding */
    put_descriptor(b, 32, 0xf2 << 16 | 2);
    assert_int_equal(vmx_write_virtual_apic_msr(&b->vmx, 0x830, 2ull << 32 | 0x45), VMX_MSR_VIRTUALIZED);
    assert_int_equal(b->notifications, 1); /* suppressed */
    assert_int_equal(get_descriptor(b, 8), 7u << 3);
}

static void ipi_through_the_page(void **state)
{
    struct bench *b = *state;
    struct vm_exit exit;
    with_ipis(b);
    put(b, 0x310, 2u << 24);
    put(b, 0x300, 0x43);
    vmx_note_virtualized_write(&b->vmx, 0x300, 4);
    assert_false(vmx_boundary_exit(&b->vmx, &exit));
    assert_int_equal(b->notifications, 1);
}

static void ipis_that_exit(void **state)
{
    static const struct {
        uint64_t icr;
        enum vmx_msr_access result;
    } rows[] = {
        {2ull << 32 | 0x0f, VMX_MSR_VIRTUALIZED},    /* illegal vector */
        {4ull << 32 | 0x43, VMX_MSR_VIRTUALIZED},    /* beyond the table */
        {3ull << 32 | 0x43, VMX_MSR_VIRTUALIZED},    /* entry not valid */
        {2ull << 32 | 0x40043, VMX_MSR_VIRTUALIZED}, /* shorthand */
        {2ull << 32 | 0x8043, VMX_MSR_VIRTUALIZED},  /* level */
        {2ull << 32 | 0x1043, VMX_MSR_VIRTUALIZED},  /* bit 12 */
        {2ull << 32 | 0x0843, VMX_MSR_VIRTUALIZED},  /* logical */
        {2ull << 32 | 0x0443, VMX_MSR_VIRTUALIZED},  /* NMI */
        {2ull << 32 | 0x2043, VMX_MSR_FAULTS},       {2ull << 32 | 0x10043, VMX_MSR_FAULTS},
        {2ull << 32 | 0x100043, VMX_MSR_FAULTS},
    };
    struct bench *b = *state;
    with_ipis(b);
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct vm_exit exit = {0};
        b->vmx.trap_exit_pending = false;
        assert_int_equal(vmx_write_virtual_apic_msr(&b->vmx, 0x830, rows[i].icr), rows[i].result);
        assert_int_equal(vmx_boundary_exit(&b->vmx, &exit), rows[i].result == VMX_MSR_VIRTUALIZED);
        if (rows[i].result == VMX_MSR_VIRTUALIZED)
            assert_true(exit.reason == EXIT_REASON_APIC_WRITE && exit.qualification == 0x300);
    }
    assert_int_equal(b->notifications, 0);
    assert_int_equal(get_descriptor(b, 8), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        APIC_TEST(notification_takes_the_requests),
        APIC_TEST(lower_requests_leave_rvi),
        APIC_TEST(another_vector_exits),
        APIC_TEST(ipi_posts_and_notifies_once),
        APIC_TEST(ipi_through_the_page),
        APIC_TEST(ipis_that_exit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
