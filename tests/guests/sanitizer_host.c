/*
 * sanitizer_host: what a VM exit does not bring back of the host, and nobody sees to it. SDM "Loading Host Segment and
 * Descriptor-Table Registers".
 */
/* expect: status 0 */
/* expect: options --sanitize vmx,limits */
/* expect: error host_upper_half, 1 time: */
/* expect: error GS base: 0xffff800000345000 before the VM entry, 0x345000 after the VM exit */
/* expect: error host_tr_limit, 1 time: */
/* expect: error TR: limit 0x167 before the VM entry, 0x67 since the VM exit */
/* expect: error host_idtr_limit, 1 time: */
/* expect: error IDTR: limit 0x1ff before the VM entry, 0xffff since the VM exit */
/* expect: error host_gdtr_limit, 1 time: */
/* expect: error GDTR: limit 0x27 before the VM entry, 0xffff since the VM exit */
/* expect: error sanitizer (vmx,limits): 4 findings */
#include "trap.h"
#include "vmx.h"

enum {
    HOST_ADDRESS_SPACE_SIZE = 1 << 9,
    TSS_SELECTOR = 24,
    TSS_AVAILABLE = 0x89,
    TR_LIMIT = 0x167,
    IDT_LIMIT = 32 * 16 - 1,
    PAGE = 4096,
};
#define GS_BASE 0xffff800000345000ull
#define IA32_GS_BASE 0xc0000101u

extern uint8_t boot_gdt[];
static uint8_t vmcs[PAGE] __attribute__((aligned(PAGE)));
static struct guest_registers registers;

static void guest(void)
{
    for (;;)
        __asm__ volatile("vmcall");
}

static void long_task_state_segment(void)
{
    *(volatile uint16_t *)(boot_gdt + TSS_SELECTOR) = TR_LIMIT;
    *(volatile uint8_t *)(boot_gdt + TSS_SELECTOR + 5) = TSS_AVAILABLE;
    __asm__ volatile("ltr %w0" ::"r"(TSS_SELECTOR));
}

static void short_idt(void)
{
    struct __attribute__((packed)) {
        uint16_t limit;
        uint64_t base;
    } idtr;
    __asm__ volatile("sidt %0" : "=m"(idtr));
    idtr.limit = IDT_LIMIT;
    __asm__ volatile("lidt %0" ::"m"(idtr));
}

static void run(bool resume)
{
    CHECK_EQUAL(vmx_run(&registers, resume), true);
    CHECK_EQUAL(vmread(EXIT_REASON), EXIT_VMCALL);
    vmwrite(GUEST_RIP, vmread(GUEST_RIP) + vmread(EXIT_INSTRUCTION_LENGTH));
}

int main(void)
{
    const struct vmx_wanted_controls wanted = {.exit = HOST_ADDRESS_SPACE_SIZE};
    trap_install();
    short_idt();
    long_task_state_segment();
    if (!vmx_enable() || !vmcs_create_with(vmcs, &wanted))
        leave(1);
    vmcs_guest_long_mode((uint64_t)guest, 0, read_cr3());
    wrmsr(IA32_GS_BASE, GS_BASE);
    vmwrite(HOST_GS_BASE, (uint32_t)GS_BASE);
    run(false);
    run(true);
    CHECK_EQUAL(vmclear((uint64_t)vmcs), true);
    check_end();
}
