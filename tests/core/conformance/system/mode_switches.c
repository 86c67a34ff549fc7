/*
 * conformance: paging and IA-32e mode on and off by CR0, CR4 and IA32_EFER, from 32-bit protected mode
 * SDM: 3A, "Initializing IA-32e Mode", "IA-32e Mode Segment Registers", "Paging Modes and Control Bits", "PDPTE Registers"
 * SDM: 2B, "MOV—Move to/from Control Registers"
 * conformance-bits: 32
 */
#include "lab.h"

#define CR0_PG (1ul << 31)
#define CR4_PAE (1ul << 5)
#define CR4_PCIDE (1ul << 17)
enum { EFER = 0xc0000080, EFER_LME = 1 << 8, EFER_LMA = 1 << 10, PAGE = 4096 };

static uint64_t pml4[512] __attribute__((aligned(PAGE))), pdpt[512] __attribute__((aligned(PAGE)));
static uint64_t directory[4][512] __attribute__((aligned(PAGE)));
static uint64_t pae_pdpt[4] __attribute__((aligned(32)));

static uint32_t address(const void *p)
{
    return (uint32_t)(uintptr_t)p;
}

static void build(void)
{
    pml4[0] = address(pdpt) | 3;
    for (unsigned i = 0; i < 4; i++) {
        pdpt[i] = address(directory[i]) | 3;
        pae_pdpt[i] = address(directory[i]) | 1;
        for (unsigned k = 0; k < 512; k++)
            directory[i][k] = ((uint64_t)i << 30 | (uint64_t)k << 21) | 0x83;
    }
}

static void write_efer(uint64_t value)
{
    wrmsr(EFER, value);
}

static void pae(void)
{
    write_cr4(read_cr4() | CR4_PAE);
    write_cr3(address(pae_pdpt));
    LAB_TRY("mov %0, %%cr0", ::"r"(read_cr0() | CR0_PG) : "memory");
    LAB_NO_EVENT("PAE paging on");
    LAB_TRY("mov %0, %%cr4", ::"r"(read_cr4() | CR4_PCIDE) : "memory");
    LAB_FAULT(LAB_GP, 0, "CR4.PCIDE outside of IA-32e mode: #GP(0)");
    pae_pdpt[3] |= 2; /* reserved in a PDPTE */
    LAB_TRY("mov %0, %%cr3", ::"r"(address(pae_pdpt)) : "memory");
    LAB_FAULT(LAB_GP, 0, "CR3 naming a PDPTE with a reserved bit: #GP(0)");
    pae_pdpt[3] &= ~2ull;
    LAB_TRY("wrmsr", ::"a"((uint32_t)rdmsr(EFER) | EFER_LME), "d"(0), "c"(EFER));
    LAB_FAULT(LAB_GP, 0, "EFER.LME with paging on: #GP(0)");
    write_cr0(read_cr0() & ~CR0_PG);
    pae_pdpt[0] |= 2;
    LAB_TRY("mov %0, %%cr0", ::"r"(read_cr0() | CR0_PG) : "memory");
    LAB_FAULT(LAB_GP, 0, "CR0.PG with a PDPTE's reserved bit: #GP(0)");
    pae_pdpt[0] &= ~2ull;
    LAB_EQUAL(read_cr0() & CR0_PG, 0, "paging stays off");
}

static void long_mode(void)
{
    uint64_t efer = rdmsr(EFER);
    write_cr4(read_cr4() & ~CR4_PAE);
    write_efer(efer | EFER_LME);
    LAB_EQUAL(rdmsr(EFER) & EFER_LMA, 0, "LME alone does not make LMA");
    LAB_TRY("mov %0, %%cr0", ::"r"(read_cr0() | CR0_PG) : "memory");
    LAB_FAULT(LAB_GP, 0, "CR0.PG with LME and without CR4.PAE: #GP(0)");
    write_cr4(read_cr4() | CR4_PAE);
    write_cr3(address(pml4));
    /* a 16-bit TSS */
    lab_gdt[LAB_FREE / 8] = lab_descriptor(address(lab_tss), 43, 0x81, 0);
    __asm__ volatile("ltr %w0" ::"r"(LAB_FREE));
    LAB_TRY("mov %0, %%cr0", ::"r"(read_cr0() | CR0_PG) : "memory");
    LAB_FAULT(LAB_GP, 0, "CR0.PG with LME while TR holds a 16-bit TSS: #GP(0)");
    lab_gdt[LAB_TSS / 8] = lab_descriptor(address(lab_tss), 0x67, 0x89, 0);
    __asm__ volatile("ltr %w0" ::"r"(LAB_TSS));
    /* CS.L = 1 outside of IA-32e mode */
    lab_gdt[LAB_FREE / 8] = lab_descriptor(0, 0xfffff, LAB_ACCESS_CODE, LAB_FLAGS_32 | 2);
    __asm__ volatile("ljmp %0, $1f\n1:" ::"i"(LAB_FREE));
    LAB_TRY("mov %0, %%cr0", ::"r"(read_cr0() | CR0_PG) : "memory");
    LAB_FAULT(LAB_GP, 0, "CR0.PG with LME and CS.L = 1: #GP(0)");
    __asm__ volatile("ljmp %0, $1f\n1:" ::"i"(LAB_CODE0));
    /* Legal: compatibility mode, no event may come (the IDT is a 32-bit one). */
    unsigned long with, without;
    uint32_t low, high;
    __asm__ volatile(
        "mov %%cr0, %%eax; or $0x80000000, %%eax; mov %%eax, %%cr0; mov $0xc0000080, %%ecx; rdmsr\n\t"
        "mov %%eax, %0; mov %%cr0, %%eax; and $0x7fffffff, %%eax; mov %%eax, %%cr0; rdmsr; mov %%eax, %1"
        : "=&S"(with), "=&D"(without), "=&a"(low), "=&d"(high)
        :
        : "ecx", "memory");
    LAB_EQUAL(with & (EFER_LMA | EFER_LME), EFER_LMA | EFER_LME,
              "CR0.PG with LME: LMA = 1, compatibility mode");
    LAB_EQUAL(without & (EFER_LMA | EFER_LME), EFER_LME, "PG to 0 in compatibility mode: LMA = 0");
    write_efer(efer);
}

static void combinations(void)
{
    LAB_TRY("mov %0, %%cr0", ::"r"((read_cr0() | CR0_PG) & ~1ul) : "memory");
    LAB_FAULT(LAB_GP, 0, "CR0.PG without PE: #GP(0)");
    LAB_TRY("mov %0, %%cr4", ::"r"(read_cr4() | 1ul << 12) : "memory");
    LAB_NO_EVENT("CR4.LA57 outside of IA-32e mode");
    write_cr4(read_cr4() & ~(1ul << 12));
}

int main(void)
{
    lab_init();
    build();
    pae();
    long_mode();
    combinations();
    lab_end();
}
