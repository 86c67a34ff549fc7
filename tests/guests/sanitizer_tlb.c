/*
 * sanitizer_tlb: translations that were changed and not invalidated, and used again. SDM volume 3A "Invalidation of TLBs and
 * Paging-Structure Caches"; volume 3C "Guidelines for Use of the INVVPID Instruction", "... INVEPT Instruction".
 */
/* expect: status 0 */
/* expect: options --sanitize tlb */
/* expect: error stale_linear, 1 time: */
/* expect: error read of page 0x40403020000: linear mapping to 0x2030000 (VPID 0, PCID 0, EP4TA 0x0), the tables give 0x2033000; paging-structure entry at */
/* expect: error by processor 0 in root operation; missing: INVLPG, INVPCID or MOV to CR3 */
/* expect: error write of page 0x40403021000: linear mapping to 0x2031000 (VPID 0, PCID 0, EP4TA 0x0), the tables give no right to this access */
/* expect: error stale_dirty_flag, 1 time: */
/* expect: error write of page 0x40403022000: linear mapping to 0x2032000 (VPID 0, PCID 0, EP4TA 0x0), the tables give a clear dirty flag */
/* expect: error stale_ept, 1 time: */
/* expect: error the tables give an EPT violation; EPT entry at */
/* expect: error missing: INVEPT */
/* expect: error stale_address_space, 1 time: */
/* expect: error read of page 0x40403020000: combined mapping to 0x2030000 (VPID 1, PCID 0, EP4TA */
/* expect: error the tables give 0x2032000; where the tables were changed is unknown; missing: INVVPID */
#include "ept_set.h"
#include "trap.h"
#include "vmx.h"

enum {
    ENABLE_EPT = 1 << 1,
    ENABLE_VPID = 1 << 5,
    HOST_ADDRESS_SPACE_SIZE = 1 << 9,
    WRITABLE = 2,
    DIRTY = 0x40,
    PAGE = 4096,
};

static uint8_t vmcs[PAGE] __attribute__((aligned(PAGE))), guest_stack[PAGE] __attribute__((aligned(16)));
static struct guest_registers registers;
static bool launched;

static void invlpg(uint64_t linear)
{
    __asm__ volatile("invlpg (%0)" ::"r"(linear) : "memory");
}

static void host_forgets_invlpg(void)
{
    set_read(0);
    *entry_of(0) = (SET_FRAMES + 3 * PAGE) | SET_PRESENT_WRITABLE_USED;
    set_read(0); /* stale */
    invlpg(set_page(0));
    set_read(0);
    *entry_of(0) = SET_FRAMES | SET_PRESENT_WRITABLE_USED;
    invlpg(set_page(0));
    set_write(1);
    *entry_of(1) &= ~(uint64_t)WRITABLE;
    write_cr0(read_cr0() | 1u << 16); /* WP */
    set_read(1);
    set_write(1); /* stale */
    *entry_of(1) |= WRITABLE;
    set_write(2);
    *entry_of(2) &= ~(uint64_t)DIRTY;
    set_write(2); /* the flag is not set again */
    CHECK_EQUAL(*entry_of(2) & DIRTY, 0);
    *entry_of(2) |= DIRTY;
}

static void guest(void)
{
    uint64_t page = 0;
    for (;;) {
        set_read((unsigned)page);
        __asm__ volatile("vmcall" : "=a"(page)::"memory");
    }
}

static void run(uint64_t next_page)
{
    registers.rax = next_page;
    CHECK_EQUAL(vmx_run(&registers, launched), true);
    CHECK_EQUAL(vmread(EXIT_REASON), EXIT_VMCALL);
    vmwrite(GUEST_RIP, vmread(GUEST_RIP) + vmread(EXIT_INSTRUCTION_LENGTH));
    launched = true;
}

static void invept(void)
{
    const uint64_t descriptor[2] = {(uint64_t)ept_pml4 | EPT_POINTER_FORM, 0};
    __asm__ volatile("invept %0, %1" ::"m"(descriptor), "r"(1ull) : "cc", "memory");
}

int main(void)
{
    const struct vmx_wanted_controls wanted = {.secondary = ENABLE_EPT | ENABLE_VPID,
                                               .exit = HOST_ADDRESS_SPACE_SIZE};
    const uint64_t pointer = make_ept(), other = make_other_address_space();
    trap_install();
    set_map();
    host_forgets_invlpg();
    if (!vmx_enable() || !vmcs_create_with(vmcs, &wanted))
        leave(1);
    vmcs_guest_long_mode((uint64_t)guest, (uint64_t)guest_stack + sizeof guest_stack - 8, read_cr3());
    vmwrite(VIRTUAL_PROCESSOR_IDENTIFIER, 1);
    vmwrite(EPT_POINTER, pointer);
    run(0);
    run(3);
    ept_pt[SET_EPT_INDEX + 3] = 0;
    run(3); /* stale: the guest still reads it */
    ept_pt[SET_EPT_INDEX + 3] = (SET_FRAMES + 3 * PAGE) | EPT_WRITE_BACK | EPT_ALL;
    invept();
    run(0);
    vmwrite(GUEST_CR3, other); /* drops nothing */
    run(0);
    check_end();
}
