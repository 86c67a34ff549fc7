/*
 * sanitizer_processors: a VMCS that goes from one processor to another. SDM "Software Use of Virtual-Machine Control Structures",
 * "VMXON Region".
 */
/* expect: status 0 */
/* expect: options --smp 2 --sanitize vmx */
/* expect: error vmxon_region_shared, 1 time: */
/* expect: error vmxon_region_accessed, 1 time: */
/* expect: error vmcs_active_elsewhere, 1 time: */
/* expect: error is active on processor 0 */
/* expect: error processor 1, root operation */
/* expect: error vmcs_cleared_elsewhere, 1 time: */
/* expect: error is active on processor 1 */
/* expect: error sanitizer (vmx): 4 findings */
#include "trap.h"
#include "vmx.h"

enum { START_PAGE = 8, APIC_ICR = 0x300, APIC_ICR_HIGH = 0x310, ICR_INIT = 0x4500, ICR_STARTUP = 0x4600, PAGE = 4096 };
#define APIC_BASE 0xfee00000ull

extern uint8_t processor_start[], processor_start_end[];
extern uint32_t start_cr3;
extern uint64_t processor_stack, boot_pml4[];
static uint8_t stack[PAGE] __attribute__((aligned(16)));
static uint64_t vmcs[2][512] __attribute__((aligned(PAGE)));
static volatile uint32_t other_done;

_Noreturn void processor_main(void);
/* The second processor: it moves one VMCS as it should be, and one that the first has not cleared. */
void processor_main(void)
{
    if (vmx_enable() && vmptrld((uint64_t)vmcs[0]) && vmptrld((uint64_t)vmcs[1]))
        other_done = 1;
    for (;;)
        __asm__ volatile("cli; hlt");
}

static void apic_write(uint32_t offset, uint32_t value)
{
    *(volatile uint32_t *)(APIC_BASE + offset) = value;
}

static void start(void)
{
    start_cr3 = (uint32_t)(uint64_t)boot_pml4;
    memcpy((void *)(START_PAGE << 12), processor_start, (size_t)(processor_start_end - processor_start));
    processor_stack = (uint64_t)(stack + sizeof stack);
    apic_write(APIC_ICR_HIGH, 1u << 24);
    apic_write(APIC_ICR, ICR_INIT);
    apic_write(APIC_ICR_HIGH, 1u << 24);
    apic_write(APIC_ICR, ICR_STARTUP | START_PAGE);
}

int main(void)
{
    trap_install();
    if (!vmx_enable()) /* the region is one for all processors: a mistake too */
        leave(1);
    for (unsigned i = 0; i < 2; i++) {
        vmcs[i][0] = (uint32_t)rdmsr(IA32_VMX_BASIC) & 0x7fffffff;
        CHECK_EQUAL(vmclear((uint64_t)vmcs[i]), true);
        CHECK_EQUAL(vmptrld((uint64_t)vmcs[i]), true);
    }
    CHECK_EQUAL(vmclear((uint64_t)vmcs[0]), true);
    start();
    while (!other_done)
        __asm__ volatile("pause");
    CHECK_EQUAL(vmclear((uint64_t)vmcs[0]), true);
    check_end();
}
