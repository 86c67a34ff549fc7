/*
 * ept_corners: translation through the EPT where several features meet in translated code: VMFUNC that takes
 * away the page it is on, code remapped under INVEPT, execute-only pages, repeated stores over sub-pages and
 * into a full log, PDPTEs of a PAE guest. SDM "EPTP Switching", "EPT Violations", "Sub-Page Write
 * Permissions", "Page-Modification Logging", "Accessed and Dirty Flags for EPT", "Guest-Physical Accesses to
 * the APIC-Access Page".
 */
/* expect: status 0 */
/* expect: options --cpu sapphirerapids --quiet */
#include "trap.h"
#include "vmx.h"

enum {
    PAGE = 4096,
    HOST_ADDRESS_SPACE_SIZE = 1 << 9,
    SAVE_EFER = 1 << 20,
    LOAD_HOST_EFER = 1 << 21,
    LOAD_GUEST_EFER = 1 << 15,
    IA32E_MODE_GUEST = 1 << 9,
    VIRTUALIZE_APIC_ACCESSES = 1 << 0,
    ENABLE_EPT = 1 << 1,
    ENABLE_VPID = 1 << 5,
    ENABLE_VM_FUNCTIONS = 1 << 13,
    ENABLE_PML = 1 << 17,
    SUB_PAGE_WRITE_PERMISSIONS = 1 << 23,
    EXIT_EXCEPTION = 0,
    EXIT_CR_ACCESS = 28,
    EXIT_APIC_ACCESS = 44,
    EXIT_EPT_MISCONFIGURATION = 49,
    EXIT_PML_FULL = 62,
    EPT_ALL = 7,
    EPT_EXECUTE = 4,
    EPT_LARGE = 1 << 7,
    EPT_ACCESSED = 1 << 8,
    EPT_DIRTY = 1 << 9,
    EPT_WRITE_BACK = 6 << 3,
    EPT_POINTER_FORM = 3 << 3 | 6,
    EPT_POINTER_FLAGS = 1 << 6,
    PML_INDEX = 0x0812,
    PML_ADDRESS = 0x200e,
    APIC_ACCESS_ADDRESS = 0x2014,
    VM_FUNCTION_CONTROLS = 0x2018,
    EPTP_LIST_ADDRESS = 0x2024,
    GUEST_PDPTE0 = 0x280a,
    SPP_TABLE_POINTER = 0x2030,
    EXIT_INTERRUPTION_INFORMATION = 0x4404,
    GUEST_LINEAR_ADDRESS = 0x640a,
    CODE_RIGHTS_32 = 0xc09b,
    CR4_PAE = 1 << 5,
};
#define SUB_PAGES (1ull << 61)
#define REGION 0x2200000ull /* 2 MBytes with an EPT page table of their own */
#define CODE REGION
#define OTHER_CODE (REGION + 0x1000)
#define DATA (REGION + 0x10000)
#define PAE_TABLES (REGION + 0x20000) /* PDPTEs; then a page directory */
#define PAE_DIRECTORY (REGION + 0x21000)

#define TABLE(name) static uint64_t name[512] __attribute__((aligned(PAGE)))
TABLE(pml4);
TABLE(pdpt);
TABLE(pd);
TABLE(pt);
TABLE(other_pml4);
TABLE(other_pdpt);
TABLE(other_pd);
TABLE(other_pt);
TABLE(spp4);
TABLE(spp3);
TABLE(spp2);
TABLE(spp1);
TABLE(eptp_list);
TABLE(pml);
static uint8_t vmcs[PAGE] __attribute__((aligned(PAGE)));
static struct guest_registers registers;
static bool launched;

static uint64_t *entry_of(uint64_t *table, uint64_t address)
{
    return &table[address >> 12 & 511];
}

static void build_ept(uint64_t *root, uint64_t *third, uint64_t *second, uint64_t *first)
{
    root[0] = (uint64_t)third | EPT_ALL;
    third[0] = (uint64_t)second | EPT_ALL;
    for (uint64_t i = 0; i < 512; i++) {
        second[i] = i << 21 | EPT_LARGE | EPT_WRITE_BACK | EPT_ALL;
        first[i] = REGION | i << 12 | EPT_WRITE_BACK | EPT_ALL;
    }
    second[REGION >> 21] = (uint64_t)first | EPT_ALL;
}

static void invalidate(void)
{
    static const uint64_t descriptor[2];
    __asm__ volatile("invept %0, %1" ::"m"(descriptor), "r"(2ull) : "cc", "memory");
}

static void put_code(uint64_t at, const void *code, size_t bytes)
{
    memcpy((void *)at, code, bytes);
}
#define PUT(at, ...) put_code(at, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static uint64_t run(uint64_t rip, uint32_t secondary)
{
    vmwrite(SECONDARY_CONTROLS, ENABLE_EPT | secondary);
    vmwrite(GUEST_RIP, rip);
    if (!vmx_run(&registers, launched))
        leave(1);
    launched = true;
    return vmread(EXIT_REASON);
}

/* The page that VMFUNC is on is another's from the next instruction on: 1 is added in one, 16 in the other.
 */
static void switch_away_the_code(uint32_t vpid)
{
    PUT(CODE, 0x83, 0xf1, 0x01, 0x0f, 0x01, 0xd4, 0x48, 0xff, 0xc3, 0xff, 0xce, 0x75, 0xf3, 0x0f, 0x01, 0xc1);
    PUT(OTHER_CODE, 0x83, 0xf1, 0x01, 0x0f, 0x01, 0xd4, 0x80, 0xc3, 0x10, 0xff, 0xce, 0x75, 0xf3, 0x0f, 0x01,
        0xc1);
    *entry_of(other_pt, CODE) = OTHER_CODE | EPT_WRITE_BACK | EPT_ALL;
    eptp_list[0] = (uint64_t)pml4 | EPT_POINTER_FORM;
    eptp_list[1] = (uint64_t)other_pml4 | EPT_POINTER_FORM;
    vmwrite(VM_FUNCTION_CONTROLS, 1);
    vmwrite(EPTP_LIST_ADDRESS, (uint64_t)eptp_list);
    vmwrite(EPT_POINTER, eptp_list[0]);
    registers = (struct guest_registers){.rsi = 10};
    CHECK_EQUAL(run(CODE, ENABLE_VM_FUNCTIONS | vpid), EXIT_VMCALL);
    CHECK_EQUAL(registers.rbx, 5 * 16 + 5);
    CHECK_EQUAL(vmread(EPT_POINTER), eptp_list[0]);
    CHECK_EQUAL(vmread(GUEST_RIP), CODE + 13);
}

/* The hypervisor maps other code; without INVEPT both are right, with it only the new one. */
static void remap_the_code(uint32_t vpid)
{
    PUT(CODE, 0xbb, 1, 0, 0, 0, 0x0f, 0x01, 0xc1); /* mov $1, %ebx; vmcall */
    PUT(OTHER_CODE, 0xbb, 2, 0, 0, 0, 0x0f, 0x01, 0xc1);
    for (unsigned i = 0; i < 4; i++) {
        *entry_of(pt, CODE) = (i & 1 ? OTHER_CODE : CODE) | EPT_WRITE_BACK | EPT_ALL;
        invalidate();
        CHECK_EQUAL(run(CODE, vpid), EXIT_VMCALL);
        CHECK_EQUAL(registers.rbx, 1 + (i & 1));
    }
    *entry_of(pt, CODE) = CODE | EPT_WRITE_BACK | EPT_ALL;
    invalidate();
}

static void execute_only(void)
{
    /* mov $5, %ebx; mov 0x10(%rip), %rax */
    PUT(CODE, 0xbb, 5, 0, 0, 0, 0x48, 0x8b, 0x05, 0x10, 0, 0, 0, 0x0f, 0x01, 0xc1);
    *entry_of(pt, CODE) = CODE | EPT_WRITE_BACK | EPT_EXECUTE;
    invalidate();
    CHECK_EQUAL(run(CODE, 0), EXIT_EPT_VIOLATION);
    CHECK_EQUAL(registers.rbx, 5);
    CHECK_EQUAL(vmread(GUEST_RIP), CODE + 5);
    CHECK_EQUAL(vmread(EXIT_QUALIFICATION) & 0x1bf, 1 | 4 << 3 | 3 << 7);
    CHECK_EQUAL(vmread(GUEST_LINEAR_ADDRESS), CODE + 0x1c);
    *entry_of(pt, CODE) = CODE | EPT_WRITE_BACK | 2; /* writable and not readable */
    invalidate();
    CHECK_EQUAL(run(CODE, 0), EXIT_EPT_MISCONFIGURATION);
    CHECK_EQUAL(vmread(GUEST_PHYSICAL_ADDRESS), CODE);
    CHECK_EQUAL(vmread(GUEST_RIP), CODE);
    *entry_of(pt, CODE) =
        CODE | EPT_WRITE_BACK | 3; /* read and write only: a fetch, of the second page of an instruction */
    PUT(CODE - 3 + PAGE, 0xbb, 7, 0);
    PUT(OTHER_CODE, 0, 0, 0x0f, 0x01, 0xc1);
    *entry_of(pt, CODE) |= EPT_EXECUTE;
    *entry_of(pt, OTHER_CODE) &= ~4ull;
    invalidate();
    registers.rbx = 0;
    CHECK_EQUAL(run(CODE + PAGE - 3, 0), EXIT_EPT_VIOLATION);
    CHECK_EQUAL(vmread(GUEST_RIP), CODE + PAGE - 3);
    CHECK_EQUAL(vmread(GUEST_PHYSICAL_ADDRESS), OTHER_CODE);
    CHECK_EQUAL(vmread(GUEST_LINEAR_ADDRESS), OTHER_CODE);
    CHECK_EQUAL(vmread(EXIT_QUALIFICATION) & 0x1bf, 4 | 3 << 3 | 3 << 7);
    CHECK_EQUAL(registers.rbx, 0);
    *entry_of(pt, OTHER_CODE) |= 4;
    CHECK_EQUAL(run(CODE + PAGE - 3, 0), EXIT_VMCALL); /* the violation left nothing cached */
    CHECK_EQUAL(registers.rbx, 7);
}

/* REP STOSB from an allowed sub-page into one that is not. */
static void repeated_store_over_sub_pages(void)
{
    PUT(CODE, 0xf3, 0xaa, 0x0f, 0x01, 0xc1);
    spp4[0] = (uint64_t)spp3 | 1;
    spp3[0] = (uint64_t)spp2 | 1;
    spp2[REGION >> 21] = (uint64_t)spp1 | 1;
    *entry_of(spp1, DATA) = 1 << 2; /* bytes 80H to FFH */
    vmwrite(SPP_TABLE_POINTER, (uint64_t)spp4);
    *entry_of(pt, DATA) = DATA | EPT_WRITE_BACK | 5 | SUB_PAGES;
    invalidate();
    registers = (struct guest_registers){.rax = 0xa5, .rcx = 200, .rdi = DATA + 0x80};
    CHECK_EQUAL(run(CODE, SUB_PAGE_WRITE_PERMISSIONS), EXIT_EPT_VIOLATION);
    CHECK_EQUAL(registers.rcx, 200 - 128);
    CHECK_EQUAL(registers.rdi, DATA + 0x100);
    CHECK_EQUAL(vmread(GUEST_RIP), CODE);
    CHECK_EQUAL(vmread(GUEST_PHYSICAL_ADDRESS), DATA + 0x100);
    CHECK_EQUAL(vmread(EXIT_QUALIFICATION) & 0x1bf, 2 | 5 << 3 | 3 << 7);
    CHECK_EQUAL(*(volatile uint8_t *)(DATA + 0xff), 0xa5);
    CHECK_EQUAL(*(volatile uint8_t *)(DATA + 0x100), 0);
    *entry_of(pt, DATA) = DATA | EPT_WRITE_BACK | EPT_ALL;
    invalidate();
}

/* REP STOSQ over three pages with room for two in the log. */
static void repeated_store_fills_the_log(void)
{
    PUT(CODE, 0xf3, 0x48, 0xab, 0x0f, 0x01, 0xc1);
    vmwrite(EPT_POINTER, (uint64_t)pml4 | EPT_POINTER_FORM | EPT_POINTER_FLAGS);
    vmwrite(PML_ADDRESS, (uint64_t)pml);
    vmwrite(PML_INDEX, 511);
    invalidate();
    registers =
        (struct guest_registers){.rax = 1, .rcx = 1, .rdi = DATA + 0x8000}; /* the tables are dirty then */
    CHECK_EQUAL(run(CODE, ENABLE_PML), EXIT_VMCALL);
    vmwrite(PML_INDEX, 1);
    registers = (struct guest_registers){.rax = 2, .rcx = 3 * 512, .rdi = DATA};
    CHECK_EQUAL(run(CODE, ENABLE_PML), EXIT_PML_FULL);
    CHECK_EQUAL(registers.rcx, 512);
    CHECK_EQUAL(registers.rdi, DATA + 2 * PAGE);
    CHECK_EQUAL(vmread(GUEST_RIP), CODE);
    CHECK_EQUAL(pml[1], DATA);
    CHECK_EQUAL(pml[0], DATA + PAGE);
    CHECK_EQUAL(vmread(PML_INDEX), 0xffff);
    CHECK_EQUAL(*entry_of(pt, DATA + 2 * PAGE) & (EPT_ACCESSED | EPT_DIRTY), 0);
    vmwrite(PML_INDEX, 511);
    CHECK_EQUAL(run(CODE, ENABLE_PML), EXIT_VMCALL);
    CHECK_EQUAL(pml[511], DATA + 2 * PAGE);
    CHECK_EQUAL(registers.rcx, 0);
    vmwrite(EPT_POINTER, (uint64_t)pml4 | EPT_POINTER_FORM);
    invalidate();
}

/* A 32-bit guest with PAE paging, MOV CR3 from RAX. */
static void pae_guest(void)
{
    uint64_t *pdptes = (uint64_t *)PAE_TABLES, *directory = (uint64_t *)PAE_DIRECTORY;
    PUT(CODE, 0x0f, 0x22, 0xd8, 0xa1, 0, 0, 1, 0, 0x0f, 0x01,
        0xc1); /* mov %eax, %cr3; mov 0x10000, %eax; vmcall */
    memset(directory, 0, PAGE);
    memset(pdptes, 0, PAGE);
    for (uint64_t i = 0; i < 512; i++)
        directory[i] = i << 21 | 0x83;
    pdptes[0] = PAE_DIRECTORY | 1;
    vmwrite(ENTRY_CONTROLS, vmread(ENTRY_CONTROLS) & ~(uint64_t)IA32E_MODE_GUEST);
    vmwrite(GUEST_IA32_EFER, 0);
    vmwrite(GUEST_CS_ACCESS_RIGHTS, CODE_RIGHTS_32);
    vmwrite(GUEST_CR3, PAE_TABLES);
    vmwrite(GUEST_CR4, 0x2000 | CR4_PAE);
    vmwrite(GUEST_PDPTE0, PAE_DIRECTORY | 1);
    for (unsigned i = 1; i < 4; i++)
        vmwrite(GUEST_PDPTE0 + 2 * i, 0);
    vmwrite(EXCEPTION_BITMAP, ~0ull);
    vmwrite(EPT_POINTER, (uint64_t)pml4 | EPT_POINTER_FORM | EPT_POINTER_FLAGS);
    registers = (struct guest_registers){.rax = PAE_TABLES + 0x20};
    pdptes[4] = PAE_DIRECTORY | 1;
    /* Loads of the PDPTEs are reads: accessed and not dirty, also from a page that cannot be written. */
    *entry_of(pt, PAE_TABLES) = PAE_TABLES | EPT_WRITE_BACK | 5;
    invalidate();
    CHECK_EQUAL(run(CODE, 0), EXIT_VMCALL);
    CHECK_EQUAL(*entry_of(pt, PAE_TABLES) & (EPT_ACCESSED | EPT_DIRTY), EPT_ACCESSED);
    CHECK_EQUAL(vmread(GUEST_CR3), PAE_TABLES + 0x20);
    CHECK_EQUAL(*entry_of(pt, PAE_DIRECTORY) & (EPT_ACCESSED | EPT_DIRTY),
                EPT_ACCESSED | EPT_DIRTY); /* the walk's are writes */
    /* The table is not there: a violation without a linear address, and CR3 keeps its value. */
    *entry_of(pt, PAE_TABLES) = 0;
    invalidate();
    registers.rax = PAE_TABLES + 0x40;
    CHECK_EQUAL(run(CODE, 0), EXIT_EPT_VIOLATION);
    CHECK_EQUAL(vmread(EXIT_QUALIFICATION) & 0xff, 1);
    CHECK_EQUAL(vmread(GUEST_PHYSICAL_ADDRESS), PAE_TABLES + 0x40);
    CHECK_EQUAL(vmread(GUEST_RIP), CODE);
    CHECK_EQUAL(vmread(GUEST_CR3), PAE_TABLES + 0x20);
    CHECK_EQUAL(vmread(GUEST_PDPTE0), PAE_DIRECTORY | 1);
    *entry_of(pt, PAE_TABLES) = PAE_TABLES | EPT_WRITE_BACK | EPT_ALL;
    /* A reserved bit: #GP, nothing loaded. */
    pdptes[8] = PAE_DIRECTORY | 1 | 1 << 5;
    CHECK_EQUAL(run(CODE, 0), EXIT_EXCEPTION);
    CHECK_EQUAL(vmread(EXIT_INTERRUPTION_INFORMATION), 0x80000b0d);
    CHECK_EQUAL(vmread(GUEST_CR3), PAE_TABLES + 0x20);
    /* On the APIC-access page: a guest-physical access, type 15. */
    pdptes[8] = PAE_DIRECTORY | 1;
    vmwrite(APIC_ACCESS_ADDRESS, PAE_TABLES);
    CHECK_EQUAL(run(CODE, VIRTUALIZE_APIC_ACCESSES), EXIT_APIC_ACCESS);
    CHECK_EQUAL(vmread(EXIT_QUALIFICATION) >> 12, 15);
    CHECK_EQUAL(vmread(GUEST_CR3), PAE_TABLES + 0x20);
    /* And the page directory there, which the next access reads. */
    vmwrite(APIC_ACCESS_ADDRESS, PAE_DIRECTORY);
    CHECK_EQUAL(run(CODE, VIRTUALIZE_APIC_ACCESSES), EXIT_APIC_ACCESS);
    CHECK_EQUAL(vmread(EXIT_QUALIFICATION) >> 12, 15);
    CHECK_EQUAL(vmread(GUEST_RIP), CODE);
    /* A directory that the EPT makes read-only: with accessed and dirty flags its reading is a write, too. */
    *entry_of(pt, PAE_DIRECTORY) = PAE_DIRECTORY | EPT_WRITE_BACK | 5;
    invalidate();
    CHECK_EQUAL(run(CODE, 0), EXIT_EPT_VIOLATION);
    CHECK_EQUAL(vmread(EXIT_QUALIFICATION) & 0x1ff, 3 | 5 << 3 | 1 << 7);
    CHECK_EQUAL(vmread(GUEST_PHYSICAL_ADDRESS), PAE_DIRECTORY + 8 * (CODE >> 21));
    CHECK_EQUAL(vmread(GUEST_LINEAR_ADDRESS), CODE);
}

int main(void)
{
    const struct vmx_wanted_controls wanted = {.secondary = ENABLE_EPT,
                                               .exit = HOST_ADDRESS_SPACE_SIZE | SAVE_EFER | LOAD_HOST_EFER,
                                               .entry = LOAD_GUEST_EFER};
    trap_install();
    if (!vmx_enable() || !vmcs_create_with(vmcs, &wanted))
        leave(1);
    memset((void *)REGION, 0, 1 << 21);
    vmcs_guest_long_mode(CODE, 0, read_cr3());
    build_ept(pml4, pdpt, pd, pt);
    build_ept(other_pml4, other_pdpt, other_pd, other_pt);
    vmwrite(VIRTUAL_PROCESSOR_IDENTIFIER, 7);
    switch_away_the_code(0);
    switch_away_the_code(ENABLE_VPID);
    remap_the_code(0);
    remap_the_code(ENABLE_VPID);
    execute_only();
    repeated_store_over_sub_pages();
    repeated_store_fills_the_log();
    pae_guest();
    check_end();
}
