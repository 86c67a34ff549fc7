/*
 * flushes_ept: flushes of a guest's mappings under EPT; tests/core/test_flush_guests.c has what each must
 * come to. The guest's working set: the 2-MByte page of code, stack, data and paging structures, which the
 * EPT maps with one page, and 4-KByte pages that the EPT maps with such.
 */
/* expect: status 0 */
#include "ept_set.h"
#include "trap.h"
#include "vmx.h"

enum {
    ENABLE_EPT = 1 << 1,
    ENABLE_VPID = 1 << 5,
    HOST_ADDRESS_SPACE_SIZE = 1 << 9,
    EPT_READ = 1,
    READ_ONLY_PAGE = 3,
};

enum guest_operation { READ_TWO, READ_FOURTH, WRITE_FOURTH };
enum invept_type { INVEPT_SINGLE = 1, INVEPT_ALL = 2 };

static uint8_t vmcs[4096] __attribute__((aligned(4096))), guest_stack[4096] __attribute__((aligned(16)));
static struct guest_registers registers;
static bool launched;

static void guest(void)
{
    uint64_t operation = READ_TWO;
    for (;;) {
        if (operation == WRITE_FOURTH)
            set_write(READ_ONLY_PAGE);
        else if (operation == READ_FOURTH)
            set_read(READ_ONLY_PAGE);
        else
            for (unsigned i = 0; i < 2; i++)
                set_read(i);
        __asm__ volatile("vmcall" : "=a"(operation)::"memory");
    }
}

static void run(uint64_t reason)
{
    CHECK_EQUAL(vmx_run(&registers, launched), true);
    CHECK_EQUAL(vmread(EXIT_REASON), reason);
    if (reason == EXIT_VMCALL)
        vmwrite(GUEST_RIP, vmread(GUEST_RIP) + vmread(EXIT_INSTRUCTION_LENGTH));
    launched = true;
}

static void run_operation(enum guest_operation operation, uint64_t reason)
{
    registers.rax = operation;
    run(reason);
}

static void invept(uint64_t type, uint64_t pointer)
{
    const uint64_t descriptor[2] = {pointer, 0};
    bool failed;
    __asm__ volatile("invept %1, %2; setna %0" : "=q"(failed) : "m"(descriptor), "r"(type) : "cc", "memory");
    CHECK_EQUAL(failed, false);
}

int main(void)
{
    const struct vmx_wanted_controls wanted = {.secondary = ENABLE_EPT | ENABLE_VPID,
                                               .exit = HOST_ADDRESS_SPACE_SIZE};
    const uint64_t pointer = make_ept();
    ept_pt[SET_EPT_INDEX + READ_ONLY_PAGE] &= ~(uint64_t)EPT_ALL | EPT_READ;
    trap_install();
    set_map();
    if (!vmx_enable() || !vmcs_create_with(vmcs, &wanted))
        leave(1);
    vmcs_guest_long_mode((uint64_t)guest, (uint64_t)guest_stack + sizeof guest_stack - 8, read_cr3());
    vmwrite(VIRTUAL_PROCESSOR_IDENTIFIER, 1);
    vmwrite(EPT_POINTER, pointer);
    run_operation(READ_TWO, EXIT_VMCALL);
    invept(INVEPT_SINGLE, pointer);
    run_operation(READ_TWO, EXIT_VMCALL);
    invept(INVEPT_ALL, 0);
    run_operation(READ_TWO, EXIT_VMCALL);
    run_operation(READ_FOURTH, EXIT_VMCALL);
    run_operation(WRITE_FOURTH, EXIT_EPT_VIOLATION);
    ept_pt[SET_EPT_INDEX + READ_ONLY_PAGE] |= EPT_ALL;
    run(EXIT_VMCALL);
    check_end();
}
