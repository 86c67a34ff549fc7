/*
 * worlds: a host and six guests with different code at one linear address, entered in turn. Whatever is kept
 * of one for its return, none may see another's translation or code; INVEPT and stores by the host reach
 * those that are not running. SDM volume 3C "Caching Translation Information".
 */
/* expect: status 0 */
#include "trap.h"
#include "vmx.h"

enum {
    GUESTS = 6,
    PAGE = 4096,
    HOST_ADDRESS_SPACE_SIZE = 1 << 9,
    IA32E_MODE_GUEST = 1 << 9,
    SECONDARY_EPT = 1 << 1,
    SECONDARY_VPID = 1 << 5,
    EPT_READ_WRITE_EXECUTE = 7,
    EPT_WRITE_BACK = 6 << 3,
    EPT_LARGE = 1 << 7,
    EPTP_FOUR_LEVELS_WRITE_BACK = 3 << 3 | 6,
    INVEPT_SINGLE = 1,
    INVVPID_ALL = 2,
    HOST_ANSWER = 100,
};
#define ACTIVATE_SECONDARY (1u << 31)
#define CODE 0x2000000ull   /* where everyone's code is, linearly and guest-physically */
#define FRAMES 0x2200000ull /* where that of the guests is in truth: 2 MiB each */
#define FRAME_BYTES 0x200000ull

static uint8_t vmcs[GUESTS][PAGE] __attribute__((aligned(PAGE)));
static uint64_t tables[GUESTS][3][512] __attribute__((aligned(PAGE)));
static struct guest_registers registers[GUESTS];

static uint8_t *frame_of(unsigned guest)
{
    return (uint8_t *)(FRAMES + guest * FRAME_BYTES);
}

/* mov eax, answer; vmcall; jmp to the start */
static void write_guest(unsigned guest, uint32_t answer)
{
    const uint8_t code[] = {0xb8, (uint8_t)answer, (uint8_t)(answer >> 8), 0, 0, 0x0f, 0x01, 0xc1, 0xeb,
                            0xf6};
    memcpy(frame_of(guest), code, sizeof code);
}

static unsigned call_host_code(void)
{
    return ((unsigned (*)(void))(uintptr_t)CODE)();
}

static void map_code(unsigned guest, unsigned to)
{
    tables[guest][2][CODE / FRAME_BYTES] =
        (FRAMES + to * FRAME_BYTES) | EPT_LARGE | EPT_WRITE_BACK | EPT_READ_WRITE_EXECUTE;
}

static uint64_t ept_of(unsigned guest)
{
    uint64_t(*t)[512] = tables[guest];
    t[0][0] = (uint64_t)t[1] | EPT_READ_WRITE_EXECUTE;
    t[1][0] = (uint64_t)t[2] | EPT_READ_WRITE_EXECUTE;
    for (uint64_t i = 0; i < 512; i++)
        t[2][i] = i * FRAME_BYTES | EPT_LARGE | EPT_WRITE_BACK | EPT_READ_WRITE_EXECUTE;
    map_code(guest, guest);
    return (uint64_t)t[0] | EPTP_FOUR_LEVELS_WRITE_BACK;
}

static bool create(unsigned guest)
{
    const struct vmx_wanted_controls wanted = {.primary = ACTIVATE_SECONDARY,
                                               .secondary = SECONDARY_EPT | SECONDARY_VPID,
                                               .exit = HOST_ADDRESS_SPACE_SIZE,
                                               .entry = IA32E_MODE_GUEST};
    if (!vmcs_create_with(vmcs[guest], &wanted))
        return false;
    vmcs_guest_long_mode(CODE, 0, read_cr3());
    vmwrite(EPT_POINTER, ept_of(guest));
    vmwrite(VIRTUAL_PROCESSOR_IDENTIFIER, 1 + guest / 2); /* pairs share one; their EPT pointers differ */
    write_guest(guest, guest);
    return true;
}

static void enter(unsigned guest, bool resume, uint64_t answer)
{
    vmptrld((uint64_t)vmcs[guest]);
    check_equal("entered", vmx_run(&registers[guest], resume), true, (int)guest);
    CHECK_EQUAL(vmread(EXIT_REASON), EXIT_VMCALL);
    CHECK_EQUAL(registers[guest].rax, answer);
    vmwrite(GUEST_RIP, CODE); /* its code is begun anew */
    CHECK_EQUAL(call_host_code(), HOST_ANSWER);
}

static void invept(unsigned guest)
{
    const uint64_t descriptor[2] = {(uint64_t)tables[guest][0] | EPTP_FOUR_LEVELS_WRITE_BACK, 0};
    __asm__ volatile("invept %0, %1" ::"m"(descriptor), "r"((uint64_t)INVEPT_SINGLE) : "cc", "memory");
}

static void invvpid_all(void)
{
    static const uint64_t descriptor[2];
    __asm__ volatile("invvpid %0, %1" ::"m"(descriptor), "r"((uint64_t)INVVPID_ALL) : "cc", "memory");
}

int main(void)
{
    static const uint8_t host_code[] = {0xb8, HOST_ANSWER, 0, 0, 0, 0xc3};
    trap_install();
    memcpy((void *)CODE, host_code, sizeof host_code);
    if (!vmx_enable())
        leave(1);
    for (unsigned i = 0; i < GUESTS; i++)
        if (!create(i))
            leave(1);
    for (unsigned round = 0; round < 50; round++)
        for (unsigned i = 0; i < GUESTS; i++)
            enter(i, round != 0, i);
    for (unsigned round = 0; round < 50; round++) { /* two alone: nothing is ever replaced */
        enter(1, true, 1);
        enter(4, true, 4);
    }
    map_code(4, 5);
    invept(4);
    enter(1, true, 1);
    enter(4, true, 5);
    write_guest(1, 77);
    enter(4, true, 5);
    enter(1, true, 77);
    invvpid_all();
    for (unsigned i = 0; i < GUESTS; i++)
        enter(i, true, i == 1 ? 77 : i == 4 ? 5 : i);
    check_end();
}
