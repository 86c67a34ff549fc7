/*
 * flushes_vpid: flushes of a guest's linear mappings, one after the other; tests/core/test_flush_guests.c has
 * what each must come to. The guest's working set: the 2-MByte page of code, stack and data, and three
 * 4-KByte pages, the last one global.
 */
/* expect: status 0 */
#include "trap.h"
#include "vmx.h"
#include "working_set.h"

enum {
    ENABLE_VPID = 1 << 5,
    HOST_ADDRESS_SPACE_SIZE = 1 << 9,
    CR4_PAE_PGE_VMXE_PCIDE = 1 << 5 | 1 << 7 | 1 << 13 | 1 << 17,
    VPID = 1,
};
#define CR3_NO_FLUSH (1ull << 63)

enum guest_operation { READ_ONLY, INVLPG_GLOBAL, MOV_CR3, MOV_CR3_NO_FLUSH };
enum invvpid_type { INVVPID_ADDRESS, INVVPID_SINGLE, INVVPID_ALL, INVVPID_SINGLE_NONGLOBAL };

static uint8_t vmcs[4096] __attribute__((aligned(4096))), guest_stack[4096] __attribute__((aligned(16)));
static struct guest_registers registers;
static bool launched;

static void guest(void)
{
    uint64_t operation = READ_ONLY;
    for (;;) {
        if (operation == INVLPG_GLOBAL)
            __asm__ volatile("invlpg (%0)" ::"r"(set_page(2)) : "memory");
        else if (operation == MOV_CR3)
            write_cr3(read_cr3());
        else if (operation == MOV_CR3_NO_FLUSH)
            write_cr3(read_cr3() | CR3_NO_FLUSH);
        for (unsigned i = 0; i < 3; i++)
            set_read(i);
        __asm__ volatile("vmcall" : "=a"(operation)::"memory");
    }
}

static void run(enum guest_operation operation)
{
    registers.rax = operation;
    CHECK_EQUAL(vmx_run(&registers, launched), true);
    CHECK_EQUAL(vmread(EXIT_REASON), EXIT_VMCALL);
    vmwrite(GUEST_RIP, vmread(GUEST_RIP) + vmread(EXIT_INSTRUCTION_LENGTH));
    launched = true;
}

static void invvpid(uint64_t type, uint64_t vpid, uint64_t linear)
{
    const uint64_t descriptor[2] = {vpid, linear};
    bool failed;
    __asm__ volatile("invvpid %1, %2; setna %0" : "=q"(failed) : "m"(descriptor), "r"(type) : "cc", "memory");
    CHECK_EQUAL(failed, false);
}

int main(void)
{
    const struct vmx_wanted_controls wanted = {.secondary = ENABLE_VPID, .exit = HOST_ADDRESS_SPACE_SIZE};
    trap_install();
    set_map();
    if (!vmx_enable() || !vmcs_create_with(vmcs, &wanted))
        leave(1);
    vmcs_guest_long_mode((uint64_t)guest, (uint64_t)guest_stack + sizeof guest_stack - 8, read_cr3());
    vmwrite(GUEST_CR4, CR4_PAE_PGE_VMXE_PCIDE);
    vmwrite(VIRTUAL_PROCESSOR_IDENTIFIER, VPID);
    run(READ_ONLY);
    invvpid(INVVPID_ADDRESS, VPID, set_page(0));
    run(READ_ONLY);
    invvpid(INVVPID_SINGLE, VPID, 0);
    run(READ_ONLY);
    invvpid(INVVPID_ALL, 0, 0);
    run(READ_ONLY);
    invvpid(INVVPID_SINGLE_NONGLOBAL, VPID, 0);
    run(READ_ONLY);
    run(INVLPG_GLOBAL);
    run(MOV_CR3);
    run(MOV_CR3_NO_FLUSH);
    vmwrite(SECONDARY_CONTROLS, 0); /* from here on without VPID */
    run(READ_ONLY);
    run(READ_ONLY);
    check_end();
}
