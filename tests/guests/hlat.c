/*
 * hlat: a page whose translation the hypervisor keeps. The guest changes its own paging structures, and
 * nothing changes for it; a restart, page faults of HLAT paging, paging writes and guest-paging verification.
 * SDM volume 3A "Ordinary Paging and HLAT Paging", "Restart of HLAT Paging"; volume 3C "Fields Related to
 * Hypervisor-Managed Linear-Address Translation", "EPT Violations".
 */
/* expect: status 0 */
/* expect: options --cpu sapphirerapids */
#include "trap.h"
#include "vmx.h"

enum {
    ENABLE_EPT = 1 << 1,
    ENABLE_VPID = 1 << 5,
    ACTIVATE_TERTIARY_CONTROLS = 1 << 17,
    HOST_ADDRESS_SPACE_SIZE = 1 << 9,
    LOAD_EFER = 1 << 15,
    TERTIARY_CONTROLS = 0x2034,
    HLAT_POINTER = 0x2040,
    HLAT_PREFIX_SIZE = 0x0006,
    EXIT_INTERRUPTION_INFORMATION = 0x4404,
    EXIT_INTERRUPTION_ERROR_CODE = 0x4406,
    ENABLE_HLAT = 1 << 1,
    EPT_PAGING_WRITE_CONTROL = 1 << 2,
    GUEST_PAGING_VERIFICATION = 1 << 3,
    ALL_THREE = ENABLE_HLAT | EPT_PAGING_WRITE_CONTROL | GUEST_PAGING_VERIFICATION,
    EXIT_EXCEPTION = 0,
    PF = 14,
    PRESENT_WRITABLE = 3,
    USED = 0x60, /* accessed, dirty */
    RESTART = 1 << 11,
    PF_HLAT = 1 << 7,
    RWX = 7,
    WRITE_BACK = 6 << 3,
    PAGE = 4096,
    ENTRIES = 512,
    HIGH_ENTRY = 256, /* in the PML4 table */
    EPT_TABLES = 4,   /* of 4-KByte pages: the guest's and our image lie in the first 8 MBytes */
};
#define HIGH 0xffff800000000000ull
#define VERIFY (1ull << 57)
#define PAGING_WRITE (1ull << 58)
#define QUALIFICATION_VERIFICATION (1 << 15)

typedef uint64_t table[ENTRIES] __attribute__((aligned(PAGE)));
extern table boot_pml4;
static table ept_pml4, ept_pdpt, ept_pd, ept_pt[EPT_TABLES], hlat_pml4, hlat_pdpt, hlat_pd, hlat_pt,
    guest_pml4, guest_pdpt, guest_pd, guest_pt, frame_of_monitor, frame_of_guest;
static uint8_t vmcs[PAGE] __attribute__((aligned(PAGE))), stack[PAGE] __attribute__((aligned(PAGE)));
static struct guest_registers registers;
static bool launched;

__asm__(".text\n"
        "op_read: mov (%rdi), %rax\n vmcall\n"
        "op_write: mov %rax, (%rdi)\n vmcall\n"
        /* RSI: its page-table entry, RDX: what it makes of it */
        "op_remap: mov %rdx, (%rsi)\n invlpg (%rdi)\n mov (%rdi), %rax\n vmcall\n");
extern const char op_read[], op_write[], op_remap[];

static void invalidate(void)
{
    const struct {
        uint64_t a, b;
    } everything = {0, 0};
    __asm__ volatile("invvpid %0, %1" ::"m"(everything), "r"(2ull) : "cc", "memory");
    __asm__ volatile("invept %0, %1" ::"m"(everything), "r"(2ull) : "cc", "memory");
}

static uint64_t *ept_entry(const void *page)
{
    const uint64_t number = (uint64_t)page / PAGE;
    return &ept_pt[number / ENTRIES][number % ENTRIES];
}

static void build_ept(void)
{
    ept_pml4[0] = (uint64_t)ept_pdpt | RWX;
    ept_pdpt[0] = (uint64_t)ept_pd | RWX;
    for (unsigned t = 0; t < EPT_TABLES; t++) {
        ept_pd[t] = (uint64_t)ept_pt[t] | RWX;
        for (unsigned i = 0; i < ENTRIES; i++)
            ept_pt[t][i] = ((uint64_t)t * ENTRIES + i) * PAGE | WRITE_BACK | RWX;
    }
}

static void chain(table pml4, table pdpt, table pd, table pt, const void *frame)
{
    pml4[HIGH_ENTRY] = (uint64_t)pdpt | PRESENT_WRITABLE;
    pdpt[0] = (uint64_t)pd | PRESENT_WRITABLE;
    pd[0] = (uint64_t)pt | PRESENT_WRITABLE;
    pt[0] = (uint64_t)frame | PRESENT_WRITABLE;
}

static bool create(void)
{
    const struct vmx_wanted_controls wanted = {.primary = ACTIVATE_TERTIARY_CONTROLS,
                                               .secondary = ENABLE_EPT | ENABLE_VPID,
                                               .exit = HOST_ADDRESS_SPACE_SIZE,
                                               .entry = LOAD_EFER};
    if (!vmx_enable() || !vmcs_create_with(vmcs, &wanted))
        return false;
    vmwrite(VIRTUAL_PROCESSOR_IDENTIFIER, 1);
    vmwrite(EPT_POINTER, (uint64_t)ept_pml4 | 3 << 3 | 6);
    vmwrite(TERTIARY_CONTROLS, ENABLE_HLAT);
    vmwrite(HLAT_POINTER, (uint64_t)hlat_pml4);
    vmwrite(HLAT_PREFIX_SIZE, 1);
    vmwrite(EXCEPTION_BITMAP, 1 << PF);
    vmcs_guest_long_mode((uint64_t)op_read, (uint64_t)stack + PAGE - 16, (uint64_t)guest_pml4);
    return true;
}

static uint64_t run(const char *operation)
{
    registers.rdi = HIGH;
    vmwrite(GUEST_RIP, (uint64_t)operation);
    CHECK_EQUAL(vmx_run(&registers, launched), true);
    launched = true;
    return vmread(EXIT_REASON);
}

static void what_the_guest_reads(const char *what, uint64_t expected)
{
    registers.rax = 0;
    check_equal(what, run(op_read), EXIT_VMCALL, 0);
    check_equal(what, registers.rax, expected, 1);
}

/* The remapping attack that HLAT is for. */
static void guest_remaps(void)
{
    registers.rsi = (uint64_t)&guest_pt[0];
    registers.rdx = (uint64_t)stack | PRESENT_WRITABLE;
    CHECK_EQUAL(run(op_remap), EXIT_VMCALL);
    CHECK_EQUAL(registers.rax, 'm');
    CHECK_EQUAL(guest_pt[0], (uint64_t)stack | PRESENT_WRITABLE); /* not even accessed */
    guest_pt[0] = (uint64_t)frame_of_guest | PRESENT_WRITABLE;
}

static void restarts(void)
{
    hlat_pt[0] = RESTART | 1;
    invalidate();
    what_the_guest_reads("restart", 'g');
    CHECK_EQUAL(hlat_pt[0], RESTART | 0x21); /* accessed, and nothing else */
    hlat_pt[0] = RESTART;
    invalidate();
    CHECK_EQUAL(run(op_read), EXIT_EXCEPTION);
    CHECK_EQUAL(vmread(EXIT_INTERRUPTION_ERROR_CODE), PF_HLAT);
    CHECK_EQUAL(vmread(EXIT_QUALIFICATION), HIGH);
    hlat_pt[0] = (uint64_t)frame_of_monitor | PRESENT_WRITABLE;
}

static void prefix_size(void)
{
    vmwrite(HLAT_PREFIX_SIZE, 0); /* then the guest's code is looked for there, too */
    invalidate();
    CHECK_EQUAL(run(op_read), EXIT_EXCEPTION);
    CHECK_EQUAL(vmread(EXIT_QUALIFICATION), op_read);
    hlat_pml4[0] = RESTART | 1;
    what_the_guest_reads("prefix size 0", 'm');
    vmwrite(HLAT_PREFIX_SIZE, 1);
}

static void checked_at_entry(void)
{
    vmwrite(HLAT_POINTER, (uint64_t)hlat_pml4 | 4);
    CHECK_EQUAL(vmx_run(&registers, launched), false);
    CHECK_EQUAL(vmread(VM_INSTRUCTION_ERROR), 7);
    vmwrite(HLAT_POINTER, (uint64_t)hlat_pml4 | 0x18);
}

/* The EPT keeps the guest from its page table, but lets the processor set the flags in it. */
static void paging_writes(void)
{
    hlat_pt[0] = RESTART | 1;
    *ept_entry(guest_pt) &= ~2ull;
    invalidate();
    CHECK_EQUAL(run(op_write), EXIT_EPT_VIOLATION);
    CHECK_EQUAL(vmread(GUEST_PHYSICAL_ADDRESS), guest_pt);
    *ept_entry(guest_pt) |= PAGING_WRITE;
    vmwrite(TERTIARY_CONTROLS, ENABLE_HLAT | EPT_PAGING_WRITE_CONTROL);
    invalidate();
    CHECK_EQUAL(run(op_write), EXIT_VMCALL);
    CHECK_EQUAL(guest_pt[0], (uint64_t)frame_of_guest | PRESENT_WRITABLE | USED);
    registers.rsi = (uint64_t)&guest_pt[0];
    CHECK_EQUAL(run(op_remap), EXIT_EPT_VIOLATION);
    CHECK_EQUAL(vmread(EXIT_QUALIFICATION) & 0x1bf, 2 | 5 << 3 | 3 << 7);
}

static void verification(void)
{
    *ept_entry(frame_of_guest) |= VERIFY;
    vmwrite(TERTIARY_CONTROLS, ALL_THREE);
    invalidate();
    CHECK_EQUAL(run(op_read), EXIT_EPT_VIOLATION);
    CHECK_EQUAL(vmread(GUEST_PHYSICAL_ADDRESS), frame_of_guest);
    CHECK_EQUAL(vmread(EXIT_QUALIFICATION) & QUALIFICATION_VERIFICATION, QUALIFICATION_VERIFICATION);
    *ept_entry(guest_pml4) |= PAGING_WRITE;
    *ept_entry(guest_pdpt) |= PAGING_WRITE;
    *ept_entry(guest_pd) |= PAGING_WRITE;
    invalidate();
    CHECK_EQUAL(run(op_read), EXIT_VMCALL);
}

int main(void)
{
    build_ept();
    memcpy(guest_pml4, boot_pml4, sizeof guest_pml4);
    chain(guest_pml4, guest_pdpt, guest_pd, guest_pt, frame_of_guest);
    chain(hlat_pml4, hlat_pdpt, hlat_pd, hlat_pt, frame_of_monitor);
    frame_of_guest[0] = 'g';
    frame_of_monitor[0] = 'm';
    if (!create())
        leave(1);
    CHECK_EQUAL(rdmsr(IA32_VMX_EPT_VPID_CAP) >> 48 & 0x3f, 0); /* as the profile has it */
    what_the_guest_reads("HLAT", 'm');
    guest_remaps();
    what_the_guest_reads("HLAT after all", 'm');
    restarts();
    prefix_size();
    checked_at_entry();
    paging_writes();
    verification();
    check_end();
}
