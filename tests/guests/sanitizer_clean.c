/*
 * sanitizer_clean: what the other sanitizer guests do wrong, done right: nothing may be found.
 */
/* expect: status 0 */
/* expect: options --sanitize vmx,tlb,limits --sanitize-minimum nehalem */
/* expect: error sanitizer (vmx,tlb,limits): no finding */
#include "ept_set.h"
#include "trap.h"
#include "vmx.h"

enum {
    ENABLE_EPT = 1 << 1,
    ENABLE_VPID = 1 << 5,
    HOST_ADDRESS_SPACE_SIZE = 1 << 9,
    CR0_WP = 1 << 16,
    WRITABLE = 2,
    DIRTY = 0x40,
    PAGE = 4096,
    TSS_SELECTOR = 24,
    TSS_AVAILABLE = 0x89,
    TR_LIMIT = 0x167,
    IDT_LIMIT = 32 * 16 - 1,
    MTRR_DEF_TYPE = 0x2ff,
    MTRR_ENABLE = 1 << 11,
    WRITE_BACK = 6,
    INVVPID_SINGLE = 1,
};
#define IA32_GS_BASE 0xc0000101u
#define GS_BASE 0xffff800000345000ull

extern uint8_t boot_gdt[];
extern const uint16_t boot_gdtr[];
static volatile uint8_t vmcs[PAGE] __attribute__((aligned(PAGE)));
static uint8_t guest_stack[PAGE] __attribute__((aligned(16)));
static struct guest_registers registers;
static struct __attribute__((packed)) {
    uint16_t limit;
    uint64_t base;
} idtr;
static bool launched;

static void invlpg(uint64_t linear)
{
    __asm__ volatile("invlpg (%0)" ::"r"(linear) : "memory");
}

static void load_task_register(void)
{
    *(volatile uint16_t *)(boot_gdt + TSS_SELECTOR) = TR_LIMIT;
    *(volatile uint8_t *)(boot_gdt + TSS_SELECTOR + 5) = TSS_AVAILABLE;
    __asm__ volatile("ltr %w0" ::"r"(TSS_SELECTOR));
}

static void load_tables(void)
{
    __asm__ volatile("lgdt boot_gdtr; lidt %0" ::"m"(idtr));
    load_task_register();
}

static void host_changes_pages(void)
{
    set_read(0);
    *entry_of(0) = (SET_FRAMES + 3 * PAGE) | SET_PRESENT_WRITABLE_USED;
    invlpg(set_page(0));
    set_read(0);
    *entry_of(0) = 0; /* with nothing there, nothing is kept when it comes back */
    invlpg(set_page(0));
    *entry_of(0) = SET_FRAMES | SET_PRESENT_WRITABLE_USED;
    set_read(0);
    set_write(1);
    *entry_of(1) &= ~(uint64_t)WRITABLE;
    set_read(1); /* what is still allowed is no use of what is gone */
    write_cr0(read_cr0() | CR0_WP);
    invlpg(set_page(1));
    TRAP_TRY("movb $1, (%0)", ::"r"(set_page(1)) : "memory");
    CHECK_FAULT(14, 3);
    *entry_of(1) |= WRITABLE; /* more than before: nothing to invalidate */
    set_write(1);
    set_write(2);
    *entry_of(2) &= ~(uint64_t)DIRTY;
    write_cr3(read_cr3());
    set_write(2);
    CHECK_EQUAL(*entry_of(2) & DIRTY, DIRTY);
}

static void guest(void)
{
    uint64_t page = 0;
    for (;;) {
        set_read((unsigned)page);
        __asm__ volatile("vmcall" : "=a"(page)::"memory");
    }
}

/* The guest takes the next page from VMCALL; elsewhere its registers are its own. */
static void run(uint64_t next_page, uint64_t reason)
{
    static bool amid_read;
    if (!amid_read)
        registers.rax = next_page;
    amid_read = reason != EXIT_VMCALL;
    CHECK_EQUAL(vmx_run(&registers, launched), true);
    load_tables();
    CHECK_EQUAL(vmread(EXIT_REASON), reason);
    if (reason == EXIT_VMCALL)
        vmwrite(GUEST_RIP, vmread(GUEST_RIP) + vmread(EXIT_INSTRUCTION_LENGTH));
    launched = true;
}

static void invept(void)
{
    const uint64_t descriptor[2] = {(uint64_t)ept_pml4 | EPT_POINTER_FORM, 0};
    __asm__ volatile("invept %0, %1" ::"m"(descriptor), "r"(1ull) : "cc", "memory");
}

static void invvpid(uint64_t vpid)
{
    const uint64_t descriptor[2] = {vpid, 0};
    __asm__ volatile("invvpid %0, %1" ::"m"(descriptor), "r"((uint64_t)INVVPID_SINGLE) : "cc", "memory");
}

static void guests(void)
{
    const uint64_t other = make_other_address_space();
    vmcs_guest_long_mode((uint64_t)guest, (uint64_t)guest_stack + sizeof guest_stack - 8, read_cr3());
    vmwrite(VIRTUAL_PROCESSOR_IDENTIFIER, 1);
    vmwrite(EPT_POINTER, make_ept());
    run(0, EXIT_VMCALL);
    run(3, EXIT_VMCALL);
    ept_pt[SET_EPT_INDEX + 3] = 0;
    invept();
    run(3, EXIT_EPT_VIOLATION);
    ept_pt[SET_EPT_INDEX + 3] =
        (SET_FRAMES + 3 * PAGE) | EPT_WRITE_BACK | EPT_ALL; /* not present before: no INVEPT */
    run(0, EXIT_VMCALL);
    vmwrite(GUEST_CR3, other);
    invvpid(1);
    run(0, EXIT_VMCALL);
    run(0, EXIT_VMCALL);
}

int main(void)
{
    const struct vmx_wanted_controls wanted = {.secondary = ENABLE_EPT | ENABLE_VPID,
                                               .exit = HOST_ADDRESS_SPACE_SIZE};
    trap_install();
    set_map();
    __asm__ volatile("sidt %0" : "=m"(idtr));
    idtr.limit = IDT_LIMIT;
    load_tables();
    host_changes_pages();
    wrmsr(MTRR_DEF_TYPE, MTRR_ENABLE | WRITE_BACK);
    wrmsr(IA32_GS_BASE, GS_BASE);
    vmcs[8] = 1; /* ordinary memory still */
    if (!vmx_enable() || !vmcs_create_with((void *)(uint64_t)vmcs, &wanted))
        leave(1);
    vmwrite(HOST_GS_BASE, GS_BASE);
    vmwrite(HOST_IDTR_BASE, idtr.base);
    guests();
    CHECK_EQUAL(vmclear((uint64_t)vmcs), true);
    vmcs[8] = 2; /* ordinary memory again */
    __asm__ volatile("vmxoff" ::: "cc");
    check_end();
}
