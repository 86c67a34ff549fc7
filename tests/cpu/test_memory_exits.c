/*
 * test_memory_exits.c: VM exits by an access that the delivery of an event makes, each by one entry of the
 * EPT or one control: SDM volume 3C, "EPT Misconfigurations", "Page-Modification Logging", "Sub-Page Write
 * Permissions", "Linear Accesses to the APIC-Access Page". The event is in the IDT-vectoring information of
 * each.
 */
#include "guest_fixture.h"

#define STACK_PAGE (STACK0_TOP - 0x1000)
#define FIRST_WRITE (STACK0_TOP - 4)
#define HIGH_IDT_PAGE 0x2a000u
#define EPT_ENTRY (EPT_AT + 0x3000 + 8 * (STACK_PAGE >> 12))

/* The guest with an EPT whose entry for the page of the stack is this. */
static struct vmcs *guest(struct machine *m, uint64_t stack_entry)
{
    enter_guest(m);
    enable_ept_without(m, STACK_PAGE);
    poke(m, EPT_ENTRY, stack_entry, 8);
    return &m->cpu.vmx.vmcs;
}

static void deliver_and_exit(struct machine *m, uint32_t reason)
{
    const struct vmcs *v = &m->cpu.vmx.vmcs;
    const struct cpu_event event = software_interrupt(0x30);
    vmx_update_regime(&m->cpu.vmx);
    assert_int_equal(cpu_exception(&m->cpu, &event), CPU_RUN);
    check_exited(m, reason);
    assert_int_equal(v->idt_vectoring_information, INFORMATION(0x30, 4));
    assert_int_equal(v->guest_rip, CODE_AT);
}

/* An entry that allows writes and not reads. */
static void misconfiguration(void **state)
{
    struct machine *m = *state;
    const struct vmcs *v = guest(m, STACK_PAGE | 6 << 3 | 2);
    deliver_and_exit(m, EXIT_REASON_EPT_MISCONFIGURATION);
    assert_int_equal(v->guest_physical_address, FIRST_WRITE);
    assert_int_equal(v->exit_qualification, 0);
}

/* The index is not in 0 to 511: nothing is logged, no dirty flag set. */
static void log_is_full(void **state)
{
    struct machine *m = *state;
    struct vmcs *v = guest(m, STACK_PAGE | 0x37);
    v->ept_pointer |= 1 << 6; /* accessed and dirty flags */
    v->secondary_proc_based_controls |= SECONDARY_ENABLE_PML;
    v->pml_address = 0x40000;
    v->pml_index = 0xffff;
    deliver_and_exit(m, EXIT_REASON_PML_FULL);
    assert_int_equal(v->exit_qualification, 0);
    assert_int_equal(v->pml_index, 0xffff);
    assert_int_equal(peek(m, EPT_ENTRY, 8) & 1 << 9, 0);
}

/* With room in it the write is logged, by the page's guest-physical address. */
static void log_has_room(void **state)
{
    struct machine *m = *state;
    struct vmcs *v = guest(m, STACK_PAGE | 0x37);
    const struct cpu_event event = software_interrupt(0x30);
    v->ept_pointer |= 1 << 6;
    v->secondary_proc_based_controls |= SECONDARY_ENABLE_PML;
    v->pml_address = 0x40000;
    v->pml_index = 511;
    vmx_update_regime(&m->cpu.vmx);
    assert_int_equal(cpu_exception(&m->cpu, &event), CPU_RUN);
    assert_true(m->cpu.vmx.non_root);
    assert_true(v->pml_index < 511);
    bool logged = false;
    for (unsigned entry = v->pml_index + 1; entry < 512; entry++)
        logged |= peek(m, 0x40000 + 8 * entry, 8) == STACK_PAGE;
    assert_true(logged);
    assert_int_equal(peek(m, EPT_ENTRY, 8) & 1 << 9, 1 << 9);
}

/* The page is read-only with its sub-page bit, and the table has nothing for it: a miss. */
static void sub_page_miss(void **state)
{
    struct machine *m = *state;
    struct vmcs *v = guest(m, STACK_PAGE | 0x35 | 1ull << 61);
    v->secondary_proc_based_controls |= SECONDARY_SUB_PAGE_WRITE_PERMISSIONS_FOR_EPT;
    v->sub_page_permission_table_pointer = 0x41000;
    deliver_and_exit(m, EXIT_REASON_SPP_RELATED_EVENT);
    assert_int_equal(v->guest_physical_address, FIRST_WRITE);
    assert_int_equal(v->exit_qualification, 1 << 11);
}

/* Access type 3: a linear access during event delivery. */
static void apic_access(void **state)
{
    struct machine *m = *state;
    struct vmcs *v = guest(m, STACK_PAGE | 0x37);
    v->secondary_proc_based_controls |= SECONDARY_VIRTUALIZE_APIC_ACCESSES;
    v->apic_access_address = STACK_PAGE;
    deliver_and_exit(m, EXIT_REASON_APIC_ACCESS);
    assert_int_equal(v->exit_qualification, 3 << 12 | (FIRST_WRITE & 0xfff));
}

/* SDM "Basic VM-Exit Information": the table "Exit Qualification for APIC-Access VM Exits" has access type 4
 * for monitoring. */
static void monitoring_of_the_apic_page(void **state)
{
    static const struct insn monitor = {.id = INSN_MONITOR,
                                        .length = 3,
                                        .mode_bits = 32,
                                        .operand_bits = 32,
                                        .address_bits = 32,
                                        .segment = SEG_DS};
    struct machine *m = *state;
    struct vmcs *v = guest(m, STACK_PAGE | 0x37);
    v->secondary_proc_based_controls |= SECONDARY_VIRTUALIZE_APIC_ACCESSES;
    v->apic_access_address = STACK_PAGE;
    vmx_update_regime(&m->cpu.vmx);
    m->cpu.state.msr.misc_enable = 1 << 18;
    m->cpu.state.gpr[GPR_RAX] = STACK_PAGE + 0x30;
    m->cpu.state.gpr[GPR_RCX] = 0;
    assert_int_equal(cpu_instruction(&m->cpu, &monitor), CPU_RUN);
    check_exited(m, EXIT_REASON_APIC_ACCESS);
    assert_int_equal(v->exit_qualification, 4 << 12 | 0x30);
    assert_int_equal(v->guest_rip, CODE_AT);
}

/* SDM "Basic VM-Exit Information", guest-linear address: in compatibility mode bits 63:32 are cleared, though
 * the IDT that the event's delivery reads lies above 4 GBytes. */
static void linear_address_in_compatibility_mode(void **state)
{
    struct machine *m = *state;
    enter_guest(m);
    struct vmcs *v = &m->cpu.vmx.vmcs;
    enable_ept_without(m, HIGH_IDT_PAGE);
    poke(m, PML4_AT + 8, (PML4_AT + 0x1000) | 7, 8); /* 8000000000H: the same again */
    m->cpu.state.cr3 = PML4_AT;
    m->cpu.state.cr4 |= CR4_PAE;
    m->cpu.state.msr.efer |= EFER_LME | EFER_LMA;
    m->cpu.state.cr0 |= CR0_PG;
    v->primary_vm_exit_controls |= EXIT_HOST_ADDRESS_SPACE_SIZE;
    v->host_cr0 |= CR0_PG;
    v->host_cr3 = PML4_AT;
    v->host_cr4 |= CR4_PAE;
    m->cpu.state.idtr.base = 0x8000000000 + HIGH_IDT_PAGE;
    deliver_and_exit(m, EXIT_REASON_EPT_VIOLATION);
    assert_int_equal(v->guest_physical_address, HIGH_IDT_PAGE + 0x300);
    assert_int_equal(v->guest_linear_address, HIGH_IDT_PAGE + 0x300);
    assert_int_equal(v->exit_qualification & 0x187, 0x181);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(misconfiguration),
        TEST(log_is_full),
        TEST(log_has_room),
        TEST(sub_page_miss),
        TEST(apic_access),
        TEST(monitoring_of_the_apic_page),
        TEST(linear_address_in_compatibility_mode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
