/*
 * sanitizer_regions: each mistake with a VMX region that one processor can make. SDM "Software Use of Virtual-Machine Control
 * Structures", "Initializing a VMCS", "VMXON Region", "Basic VMX Information".
 */
/* expect: status 0 */
/* expect: options --sanitize vmx */
/* expect: error vmcs_read, 1 time: */
/* expect: error active on processor 0: 8 bytes at offset 0x10 */
/* expect: error vmcs_written, 2 times: */
/* expect: error active on processor 0: 4 bytes at offset 0x0 */
/* expect: error vmxon_region_accessed, 1 time: */
/* expect: error vmcs_not_initialized, 1 time: */
/* expect: error vmxoff_with_active_vmcs, 1 time: */
/* expect: error region_memory_type, 1 time: */
/* expect: error the MTRRs make it uncacheable */
/* expect: error sanitizer (vmx): 6 findings */
#include "trap.h"
#include "vmx.h"

enum {
    MTRR_PHYSBASE0 = 0x200,
    MTRR_PHYSMASK0 = 0x201,
    MTRR_DEF_TYPE = 0x2ff,
    MTRR_ENABLE = 1 << 11,
    MTRR_VALID = 1 << 11,
    WRITE_BACK = 6,
    UNCACHEABLE = 0,
};
#define PHYSICAL_PAGE_MASK 0x7ffffff000ull /* 39 bits of physical addresses */

static volatile uint64_t vmxon[512] __attribute__((aligned(4096))), vmcs[3][512] __attribute__((aligned(4096)));

static void set_revision(volatile uint64_t *region)
{
    *(volatile uint32_t *)region = (uint32_t)rdmsr(IA32_VMX_BASIC) & 0x7fffffff;
}

static void vmx_on(void)
{
    uint64_t physical = (uint64_t)vmxon;
    bool failed;
    wrmsr(IA32_FEATURE_CONTROL, 5);
    write_cr4(read_cr4() | 1u << 13);
    set_revision(vmxon);
    __asm__ volatile("vmxon %1; setna %0" : "=q"(failed) : "m"(physical) : "cc", "memory");
    CHECK_EQUAL(failed, false);
}

int main(void)
{
    trap_install();
    vmx_on();
    for (unsigned i = 0; i < 3; i++)
        set_revision(vmcs[i]);
    (void)vmcs[0][3]; /* not active: nobody's business */
    vmcs[0][3] = 1;
    CHECK_EQUAL(vmclear((uint64_t)vmcs[0]), true);
    CHECK_EQUAL(vmptrld((uint64_t)vmcs[0]), true);
    (void)vmcs[0][0]; /* the revision identifier may be read */
    (void)vmcs[0][2];
    for (unsigned i = 0; i < 2; i++)
        set_revision(vmcs[0]);
    (void)vmxon[1];
    CHECK_EQUAL(vmptrld((uint64_t)vmcs[1]), true); /* never cleared */
    CHECK_EQUAL(vmclear((uint64_t)vmcs[1]), true);
    CHECK_EQUAL(vmclear((uint64_t)vmcs[2]), true);
    wrmsr(MTRR_PHYSBASE0, (uint64_t)vmcs[2] | UNCACHEABLE);
    wrmsr(MTRR_PHYSMASK0, PHYSICAL_PAGE_MASK | MTRR_VALID);
    wrmsr(MTRR_DEF_TYPE, MTRR_ENABLE | WRITE_BACK);
    CHECK_EQUAL(vmptrld((uint64_t)vmcs[2]), true);
    CHECK_EQUAL(vmclear((uint64_t)vmcs[2]), true);
    __asm__ volatile("vmxoff" ::: "cc"); /* vmcs[0] is active */
    vmcs[0][3] = 2;
    check_end();
}
