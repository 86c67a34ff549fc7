/*
 * ept_features: what later processors added to EPT and to the VMCS, on the whole machine: sub-page write permissions,
 * page-modification logging, EPTP switching, virtualization exceptions, VMCS shadowing. A 64-bit guest shares the host's page
 * tables; one of its pages is mapped by a 4-KByte entry of the EPT that the host changes.
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
    ENABLE_EPT = 1 << 1,
    ENABLE_VM_FUNCTIONS = 1 << 13,
    VMCS_SHADOWING = 1 << 14,
    ENABLE_PML = 1 << 17,
    EPT_VIOLATION_VE = 1 << 18,
    SUB_PAGE_WRITE_PERMISSIONS = 1 << 23,
    EXIT_EXCEPTION = 0,
    EXIT_VMREAD = 23,
    EXIT_VMFUNC = 59,
    EXIT_SPP = 66,
    VECTOR_VE = 20,
    EPT_ALL = 7,
    EPT_READ = 1,
    EPT_LARGE = 1 << 7,
    EPT_WRITE_BACK = 6 << 3,
    EPT_POINTER_FORM = 3 << 3 | 6,
    EPT_POINTER_FLAGS = 1 << 6,
    /* fields that vmx.h does not name */
    PML_INDEX = 0x0812,
    EPTP_INDEX = 0x0004,
    PML_ADDRESS = 0x200e,
    VM_FUNCTION_CONTROLS = 0x2018,
    EPTP_LIST_ADDRESS = 0x2024,
    VMREAD_BITMAP_ADDRESS = 0x2026,
    VMWRITE_BITMAP_ADDRESS = 0x2028,
    VE_INFORMATION_ADDRESS = 0x202a,
    SPP_TABLE_POINTER = 0x2030,
    EXIT_INTERRUPTION_INFORMATION = 0x4404,
};
#define SUPPRESS_VE (1ull << 63)
#define SUB_PAGES (1ull << 61)

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
TABLE(ve_area);
TABLE(bitmap);
TABLE(shadow);
static uint8_t vmcs[PAGE] __attribute__((aligned(PAGE)));
static uint8_t data[PAGE] __attribute__((aligned(PAGE)));
static uint8_t other_data[PAGE] __attribute__((aligned(PAGE)));
static struct guest_registers registers;
static bool launched;

void write_twice(void), switch_eptp(void), read_shadow(void);
__asm__("write_twice: mov %rax, (%rdi)\n\t"
        "mov %rax, (%rsi)\n\t"
        "vmcall\n"
        "switch_eptp: mov (%rdi), %rbx\n\t"
        "xor %eax, %eax\n\t"
        "vmfunc\n\t"
        "mov (%rdi), %rdx\n\t"
        "vmcall\n"
        "read_shadow: vmwrite %rbx, %rax\n\t"
        "vmread %rax, %rdx\n\t"
        "vmcall\n");

static uint64_t *entry_of(uint64_t *table, const void *page)
{
    return &table[(uint64_t)page >> 12 & 511];
}

/* One to one, in pages of 2 MBytes but for the data page's 2 MBytes. */
static void build_ept(uint64_t *root, uint64_t *third, uint64_t *second, uint64_t *first)
{
    uint64_t region = (uint64_t)data >> 21;
    root[0] = (uint64_t)third | EPT_ALL;
    third[0] = (uint64_t)second | EPT_ALL;
    for (uint64_t i = 0; i < 512; i++) {
        second[i] = i << 21 | EPT_LARGE | EPT_WRITE_BACK | EPT_ALL;
        first[i] = region << 21 | i << 12 | EPT_WRITE_BACK | EPT_ALL;
    }
    second[region] = (uint64_t)first | EPT_ALL;
}

static void invalidate(void)
{
    static const uint64_t descriptor[2];
    __asm__ volatile("invept %0, %1" ::"m"(descriptor), "r"(2ull) : "cc", "memory");
}

/* Runs the guest from code on; the exit's reason. */
static uint64_t run(void (*code)(void), uint32_t secondary)
{
    vmwrite(SECONDARY_CONTROLS, ENABLE_EPT | secondary);
    vmwrite(GUEST_RIP, (uint64_t)code);
    invalidate();
    if (!vmx_run(&registers, launched))
        leave(1);
    launched = true;
    return vmread(EXIT_REASON);
}

static uint64_t write_at(unsigned first, unsigned second, uint64_t value, uint32_t secondary)
{
    registers.rax = value;
    registers.rdi = (uint64_t)data + first;
    registers.rsi = (uint64_t)data + second;
    return run(write_twice, secondary);
}

static uint64_t word(unsigned offset)
{
    return *(volatile uint64_t *)(data + offset);
}

/* Writes to sub-pages 1 and 3 (bytes 80H to FFH and 180H to 1FFH) are allowed. */
static void sub_pages(void)
{
    uint64_t *pte = entry_of(pt, data), whole = *pte;
    spp4[0] = (uint64_t)spp3 | 1;
    spp3[0] = (uint64_t)spp2 | 1;
    spp2[(uint64_t)data >> 21] = (uint64_t)spp1 | 1;
    *entry_of(spp1, data) = 1 << 2 | 1 << 6;
    vmwrite(SPP_TABLE_POINTER, (uint64_t)spp4);
    *pte = (whole & ~2ull) | SUB_PAGES;
    CHECK_EQUAL(write_at(0x80, 0x180, 0x1111, SUB_PAGE_WRITE_PERMISSIONS), EXIT_VMCALL);
    CHECK_EQUAL(word(0x80), 0x1111);
    CHECK_EQUAL(word(0x180), 0x1111);
    /* one sub-page's permission is not another's */
    CHECK_EQUAL(write_at(0x88, 0x100, 0x2222, SUB_PAGE_WRITE_PERMISSIONS), EXIT_EPT_VIOLATION);
    CHECK_EQUAL(vmread(EXIT_QUALIFICATION) & 0x3f, 2 | 5 << 3);
    CHECK_EQUAL(vmread(GUEST_PHYSICAL_ADDRESS), (uint64_t)data + 0x100);
    CHECK_EQUAL(word(0x88), 0x2222);
    CHECK_EQUAL(word(0x100), 0);
    /* nor do both halves of a write across the two count for one */
    CHECK_EQUAL(write_at(0x90, 0xfc, 0x3333, SUB_PAGE_WRITE_PERMISSIONS), EXIT_EPT_VIOLATION);
    CHECK_EQUAL(word(0xf8), 0);
    CHECK_EQUAL(write_at(0x80, 0x180, 0x4444, 0), EXIT_EPT_VIOLATION);
    spp2[(uint64_t)data >> 21] = 0;
    CHECK_EQUAL(write_at(0x80, 0x180, 0x4444, SUB_PAGE_WRITE_PERMISSIONS), EXIT_SPP);
    CHECK_EQUAL(vmread(EXIT_QUALIFICATION), 1 << 11);
    CHECK_EQUAL(word(0x80), 0x1111);
    *pte = whole;
}

static void page_modification_log(void)
{
    vmwrite(EPT_POINTER, (uint64_t)pml4 | EPT_POINTER_FORM | EPT_POINTER_FLAGS);
    vmwrite(PML_ADDRESS, (uint64_t)pml);
    vmwrite(PML_INDEX, 511);
    CHECK_EQUAL(write_at(0, 8, 0x5555, ENABLE_PML), EXIT_VMCALL);
    unsigned found = 0;
    for (uint64_t i = 511; i != vmread(PML_INDEX); i--)
        found += pml[i] == (uint64_t)data;
    CHECK_EQUAL(found, 1);
    vmwrite(EPT_POINTER, (uint64_t)pml4 | EPT_POINTER_FORM);
}

static void eptp_switching(void)
{
    *entry_of(other_pt, data) = (uint64_t)other_data | EPT_WRITE_BACK | EPT_ALL;
    *(uint64_t *)data = 0xaaaa;
    *(uint64_t *)other_data = 0xbbbb;
    eptp_list[3] = (uint64_t)other_pml4 | EPT_POINTER_FORM;
    vmwrite(VM_FUNCTION_CONTROLS, 1);
    vmwrite(EPTP_LIST_ADDRESS, (uint64_t)eptp_list);
    registers.rdi = (uint64_t)data;
    registers.rcx = 3;
    CHECK_EQUAL(run(switch_eptp, ENABLE_VM_FUNCTIONS), EXIT_VMCALL);
    CHECK_EQUAL(registers.rbx, 0xaaaa);
    CHECK_EQUAL(registers.rdx, 0xbbbb);
    CHECK_EQUAL(vmread(EPT_POINTER), eptp_list[3]);
    CHECK_EQUAL(vmread(EPTP_INDEX), 3);
    vmwrite(EPT_POINTER, (uint64_t)pml4 | EPT_POINTER_FORM);
    registers.rcx = 4; /* an entry of 0 */
    CHECK_EQUAL(run(switch_eptp, ENABLE_VM_FUNCTIONS), EXIT_VMFUNC);
    CHECK_EQUAL(vmread(EXIT_INSTRUCTION_LENGTH), 3);
}

static void virtualization_exception(void)
{
    uint64_t *pte = entry_of(pt, data), whole = *pte;
    *pte = 0;
    vmwrite(VE_INFORMATION_ADDRESS, (uint64_t)ve_area);
    vmwrite(EXCEPTION_BITMAP, 1u << VECTOR_VE);
    CHECK_EQUAL(write_at(0x10, 0x18, 1, EPT_VIOLATION_VE), EXIT_EXCEPTION);
    CHECK_EQUAL(vmread(EXIT_INTERRUPTION_INFORMATION), 0x80000300 | VECTOR_VE);
    CHECK_EQUAL(ve_area[0], 0xffffffff00000030);
    CHECK_EQUAL(ve_area[1] & 0x1bf, 2 | 3 << 7);
    CHECK_EQUAL(ve_area[2], (uint64_t)data + 0x10);
    CHECK_EQUAL(ve_area[3], (uint64_t)data + 0x10);
    CHECK_EQUAL(ve_area[4] & 0xffff, 3); /* since the EPTP was switched */
    CHECK_EQUAL(write_at(0x10, 0x18, 1, EPT_VIOLATION_VE), EXIT_EPT_VIOLATION); /* the area is in use */
    ve_area[0] = 0;
    *pte = SUPPRESS_VE;
    CHECK_EQUAL(write_at(0x10, 0x18, 1, EPT_VIOLATION_VE), EXIT_EPT_VIOLATION);
    *pte = whole;
}

static void vmcs_shadowing(void)
{
    shadow[0] = (rdmsr(IA32_VMX_BASIC) & 0x7fffffff) | 1u << 31;
    vmclear((uint64_t)shadow);
    vmwrite(VMCS_LINK_POINTER, (uint64_t)shadow);
    vmwrite(VMREAD_BITMAP_ADDRESS, (uint64_t)bitmap);
    vmwrite(VMWRITE_BITMAP_ADDRESS, (uint64_t)bitmap);
    registers.rax = GUEST_RSP;
    registers.rbx = 0x123456789;
    CHECK_EQUAL(run(read_shadow, VMCS_SHADOWING), EXIT_VMCALL);
    CHECK_EQUAL(registers.rdx, 0x123456789);
    vmptrld((uint64_t)shadow);
    CHECK_EQUAL(vmread(GUEST_RSP), 0x123456789);
    CHECK_EQUAL(vmx_run(&registers, false), false); /* no entry with a shadow VMCS */
    vmptrld((uint64_t)vmcs);
    ((uint8_t *)bitmap)[GUEST_RSP >> 3] = 1 << (GUEST_RSP & 7);
    vmwrite(VMWRITE_BITMAP_ADDRESS, (uint64_t)ve_area + 0); /* zeros where the field's bit is */
    CHECK_EQUAL(run(read_shadow, VMCS_SHADOWING), EXIT_VMREAD);
}

int main(void)
{
    const struct vmx_wanted_controls wanted = {.secondary = ENABLE_EPT,
                                               .exit = HOST_ADDRESS_SPACE_SIZE | SAVE_EFER | LOAD_HOST_EFER,
                                               .entry = LOAD_GUEST_EFER};
    trap_install();
    if (!vmx_enable() || !vmcs_create_with(vmcs, &wanted))
        leave(1);
    vmcs_guest_long_mode((uint64_t)write_twice, 0, read_cr3());
    build_ept(pml4, pdpt, pd, pt);
    build_ept(other_pml4, other_pdpt, other_pd, other_pt);
    vmwrite(EPT_POINTER, (uint64_t)pml4 | EPT_POINTER_FORM);
    sub_pages();
    page_modification_log();
    eptp_switching();
    virtualization_exception();
    vmcs_shadowing();
    check_end();
}
