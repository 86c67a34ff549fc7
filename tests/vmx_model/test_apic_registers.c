/*
 * test_apic_registers.c: TPR, PPR, EOI and self-IPI virtualization, evaluation and delivery of virtual
 * interrupts, the TPR threshold at VM entry. SDM "Virtual APIC State", "Evaluation and Delivery of Virtual
 * Interrupts", "VM Exits Induced by the TPR Threshold".
 */
#include "apic_fixture.h"

/* Not in "virtual-interrupt delivery": the threshold decides. */
static void cr8_below_the_threshold_exits_afterwards(void **state)
{
    struct bench *b = *state;
    struct vm_exit exit;
    b->vmx.vmcs.secondary_proc_based_controls &= ~SECONDARY_VIRTUAL_INTERRUPT_DELIVERY;
    b->vmx.vmcs.tpr_threshold = 5;
    assert_true(vmx_virtualizes_cr8(&b->vmx));
    put(b, 0x80, 0xffffff00);
    vmx_write_virtual_cr8(&b->vmx, 5);
    assert_int_equal(get(b, 0x80), 0x50); /* bits 3:0 and 31:8 are cleared */
    assert_int_equal(vmx_read_virtual_cr8(&b->vmx), 5);
    assert_false(vmx_boundary_exit(&b->vmx, &exit));
    vmx_write_virtual_cr8(&b->vmx, 4);
    assert_true(vmx_boundary_exit(&b->vmx, &exit));
    assert_int_equal(exit.reason, EXIT_REASON_TPR_BELOW_THRESHOLD);
    assert_int_equal(exit.qualification, 0);
    assert_int_equal(exit.instruction_length, 0);
}

static void cr8_is_the_local_apics_without_the_control(void **state)
{
    struct bench *b = *state;
    b->vmx.vmcs.primary_proc_based_controls &= ~PRIMARY_USE_TPR_SHADOW;
    assert_false(vmx_virtualizes_cr8(&b->vmx));
    b->vmx.vmcs.primary_proc_based_controls |= PRIMARY_USE_TPR_SHADOW;
    b->vmx.non_root = false;
    assert_false(vmx_virtualizes_cr8(&b->vmx));
}

/* SDM "PPR Virtualization": VTPR if its class is not below that of SVI, else the class of SVI. */
static void ppr_is_the_higher_of_tpr_and_svi(void **state)
{
    static const struct {
        uint8_t tpr, svi, ppr;
    } rows[] = {{0x53, 0x4f, 0x53}, {0x53, 0x51, 0x53}, {0x53, 0x67, 0x60}, {0, 0, 0}, {0x0f, 0x31, 0x30}};
    struct bench *b = *state;
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        put(b, 0x80, rows[i].tpr);
        put(b, 0xa0, 0xffffffff);
        b->vmx.vmcs.guest_interrupt_status = (uint16_t)(rows[i].svi << 8);
        vmx_enter_virtual_apic(&b->vmx);
        assert_int_equal(get(b, 0xa0), rows[i].ppr);
    }
}

static void entry_recognizes_by_priority_class(void **state)
{
    struct bench *b = *state;
    put(b, 0x80, 0x30);
    b->vmx.vmcs.guest_interrupt_status = 0x3f;
    vmx_enter_virtual_apic(&b->vmx);
    assert_false(b->vmx.virtual_interrupt_recognized); /* the same class */
    b->vmx.vmcs.guest_interrupt_status = 0x40;
    vmx_enter_virtual_apic(&b->vmx);
    assert_true(b->vmx.virtual_interrupt_recognized);
    b->vmx.vmcs.primary_proc_based_controls |= PRIMARY_INTERRUPT_WINDOW_EXITING;
    vmx_enter_virtual_apic(&b->vmx);
    assert_false(b->vmx.virtual_interrupt_recognized);
}

static void delivery_waits_for_if_shadows_and_state(void **state)
{
    struct bench *b = *state;
    b->vmx.virtual_interrupt_recognized = true;
    b->state.interruptibility_state = 0;
    b->state.rflags |= RFLAGS_IF;
    assert_true(vmx_virtual_interrupt_due(&b->vmx));
    b->state.activity_state = ACTIVITY_HLT;
    assert_true(vmx_virtual_interrupt_due(&b->vmx));
    b->state.activity_state = ACTIVITY_SHUTDOWN;
    assert_false(vmx_virtual_interrupt_due(&b->vmx));
    b->state.activity_state = ACTIVITY_ACTIVE;
    b->state.interruptibility_state = BLOCKING_BY_STI;
    assert_false(vmx_virtual_interrupt_due(&b->vmx));
    b->state.interruptibility_state = BLOCKING_BY_MOV_SS;
    assert_false(vmx_virtual_interrupt_due(&b->vmx));
    b->state.interruptibility_state = BLOCKING_BY_NMI;
    assert_true(vmx_virtual_interrupt_due(&b->vmx));
    b->state.rflags &= ~RFLAGS_IF;
    assert_false(vmx_virtual_interrupt_due(&b->vmx));
}

/* The SDM's pseudocode of "Virtual-Interrupt Delivery" with two requests: 51H (word 2, bit 17) and A3H (word
 * 5, bit 3). */
static void delivery_moves_the_request_into_service(void **state)
{
    struct bench *b = *state;
    put(b, 0x220, 1u << 17);
    put(b, 0x250, 1u << 3);
    b->vmx.vmcs.guest_interrupt_status = 0x20a3;
    b->vmx.virtual_interrupt_recognized = true;
    assert_int_equal(vmx_take_virtual_interrupt(&b->vmx), 0xa3);
    assert_int_equal(get(b, 0x150), 1u << 3);
    assert_int_equal(get(b, 0x250), 0);
    assert_int_equal(get(b, 0xa0), 0xa0);
    assert_int_equal(b->vmx.vmcs.guest_interrupt_status, 0xa351); /* SVI A3H, RVI 51H */
    assert_false(b->vmx.virtual_interrupt_recognized);
    assert_int_equal(vmx_take_virtual_interrupt(&b->vmx), 0x51);
    assert_int_equal(b->vmx.vmcs.guest_interrupt_status, 0x5100);
}

/* Two in service, 51H and A3H; EOI ends A3H and lets 51H's class through again. */
static void eoi_ends_the_highest(void **state)
{
    struct bench *b = *state;
    struct vm_exit exit;
    put(b, 0x120, 1u << 17);
    put(b, 0x150, 1u << 3);
    put(b, 0x200 + 0x30, 1u << 1); /* 61H requested */
    b->vmx.vmcs.guest_interrupt_status = 0xa361;
    vmx_note_virtualized_write(&b->vmx, 0xb0, 4);
    put(b, 0xb0, 77);
    assert_true(vmx_boundary_due(&b->vmx));
    assert_false(vmx_boundary_exit(&b->vmx, &exit));
    assert_int_equal(get(b, 0xb0), 0);
    assert_int_equal(get(b, 0x150), 0);
    assert_int_equal(get(b, 0xa0), 0x50);
    assert_int_equal(b->vmx.vmcs.guest_interrupt_status, 0x5161);
    assert_true(b->vmx.virtual_interrupt_recognized);
}

static void eoi_exits_by_the_bitmap(void **state)
{
    struct bench *b = *state;
    struct vm_exit exit;
    put(b, 0x150, 1u << 3);
    b->vmx.vmcs.guest_interrupt_status = 0xa3f0;
    b->vmx.vmcs.eoi_exit_bitmap_2 = 1ull << (0xa3 - 128);
    assert_int_equal(vmx_write_virtual_apic_msr(&b->vmx, 0x80b, 0), VMX_MSR_VIRTUALIZED);
    assert_true(vmx_boundary_exit(&b->vmx, &exit));
    assert_int_equal(exit.reason, EXIT_REASON_VIRTUALIZED_EOI);
    assert_int_equal(exit.qualification, 0xa3);
    assert_int_equal(b->vmx.vmcs.guest_interrupt_status, 0x00f0);
    assert_false(b->vmx.virtual_interrupt_recognized); /* not evaluated */
}

/* SDM "Self-IPI Virtualization"; by the ICR only if every condition of "APIC-Write Emulation" holds. */
static void icr_write_to_self(void **state)
{
    static const struct {
        uint32_t icr;
        bool self;
    } rows[] = {{0x40041, true},  {0x40010, true},  {0x4000f, false}, {0x41041, false},
                {0x42041, false}, {0x48041, false}, {0x40141, false}, {0x80041, false},
                {0x00041, false}, {0x50041, false}, {0x44841, true},  {0x140041, false}};
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bench *b = *state;
        struct vm_exit exit = {0};
        put(b, 0x300, rows[i].icr);
        b->vmx.vmcs.guest_interrupt_status = 0;
        b->vmx.trap_exit_pending = false;
        vmx_note_virtualized_write(&b->vmx, 0x300, 4);
        assert_int_equal(vmx_boundary_exit(&b->vmx, &exit), !rows[i].self);
        assert_int_equal(b->vmx.vmcs.guest_interrupt_status, rows[i].self ? rows[i].icr & 0xff : 0);
        if (!rows[i].self)
            assert_true(exit.reason == EXIT_REASON_APIC_WRITE && exit.qualification == 0x300);
    }
}

/* RVI is the maximum, the request is kept in VIRR. */
static void self_ipi_msr(void **state)
{
    struct bench *b = *state;
    struct vm_exit exit;
    b->vmx.vmcs.guest_interrupt_status = 0x70;
    assert_int_equal(vmx_write_virtual_apic_msr(&b->vmx, 0x83f, 0x41), VMX_MSR_VIRTUALIZED);
    assert_int_equal(b->vmx.vmcs.guest_interrupt_status, 0x70);
    assert_int_equal(get(b, 0x220), 1u << 1);
    assert_true(b->vmx.virtual_interrupt_recognized);
    assert_int_equal(vmx_write_virtual_apic_msr(&b->vmx, 0x83f, 0x100), VMX_MSR_FAULTS);
    assert_int_equal(vmx_write_virtual_apic_msr(&b->vmx, 0x83f, 1ull << 32), VMX_MSR_FAULTS);
    assert_false(vmx_boundary_exit(&b->vmx, &exit));
    assert_int_equal(vmx_write_virtual_apic_msr(&b->vmx, 0x83f, 0x0f), VMX_MSR_VIRTUALIZED);
    assert_true(vmx_boundary_exit(&b->vmx, &exit));
    assert_int_equal(exit.reason, EXIT_REASON_APIC_WRITE);
    assert_int_equal(exit.qualification, 0x3f0);
}

/* SDM "VM Exits Induced by the TPR Threshold" (VM entry): only with "virtualize APIC accesses", and held in
 * the shutdown state until something ends that. */
static void threshold_at_entry(void **state)
{
    struct bench *b = *state;
    struct vm_exit exit;
    struct vmcs *v = &b->vmx.vmcs;
    v->secondary_proc_based_controls &= ~SECONDARY_VIRTUAL_INTERRUPT_DELIVERY;
    v->tpr_threshold = 8;
    put(b, 0x80, 0x70);
    vmx_enter_virtual_apic(&b->vmx);
    assert_false(vmx_boundary_due(&b->vmx));
    v->secondary_proc_based_controls |= SECONDARY_VIRTUALIZE_APIC_ACCESSES;
    vmx_enter_virtual_apic(&b->vmx);
    b->state.activity_state = ACTIVITY_SHUTDOWN;
    assert_false(vmx_boundary_exit(&b->vmx, &exit));
    b->state.activity_state = ACTIVITY_HLT;
    assert_true(vmx_boundary_exit(&b->vmx, &exit));
    assert_int_equal(exit.reason, EXIT_REASON_TPR_BELOW_THRESHOLD);
    put(b, 0x80, 0x80);
    vmx_enter_virtual_apic(&b->vmx);
    assert_false(vmx_boundary_due(&b->vmx));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        APIC_TEST(cr8_below_the_threshold_exits_afterwards),
        APIC_TEST(cr8_is_the_local_apics_without_the_control),
        APIC_TEST(ppr_is_the_higher_of_tpr_and_svi),
        APIC_TEST(entry_recognizes_by_priority_class),
        APIC_TEST(delivery_waits_for_if_shadows_and_state),
        APIC_TEST(delivery_moves_the_request_into_service),
        APIC_TEST(eoi_ends_the_highest),
        APIC_TEST(eoi_exits_by_the_bitmap),
        APIC_TEST(icr_write_to_self),
        APIC_TEST(self_ipi_msr),
        APIC_TEST(threshold_at_entry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
