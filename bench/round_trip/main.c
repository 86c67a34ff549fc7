/* round_trip: a guest that runs CPUID for ever under EPT and VPID, and a handler in round_trip.S; as many exits as the command line says. */
#include "vmx.h"

enum { PAGE = 4096, GUEST_BYTES = 1 << 16, CODE_AT = 0x1000, TABLES_AT = 0x8000, STACK_AT = 0x7000, EPT_WALK = 0x1e };

extern const char guest_code[], guest_code_end[];
extern uint32_t boot_information[];
void handle_round_trips(uint64_t count);

static uint8_t memory[GUEST_BYTES] __attribute__((aligned(4096)));
static uint8_t vmcs[PAGE] __attribute__((aligned(4096)));
static uint64_t ept[4][PAGE / 8] __attribute__((aligned(4096)));

/* The second word of Multiboot's command line. */
static uint64_t count_from_command_line(void)
{
    const char *text = (const char *)(uintptr_t)((const uint32_t *)(uintptr_t)boot_information[0])[4];
    uint64_t count = 0;
    while (*text && *text != ' ')
        text++;
    for (text += *text == ' '; *text >= '0' && *text <= '9'; text++)
        count = count * 10 + (uint64_t)(*text - '0');
    return count;
}

int main(void)
{
    uint64_t *tables = (uint64_t *)(memory + TABLES_AT);
    if (!vmx_enable() || !vmcs_create(vmcs, 0, 0))
        return 1;
    vmwrite(VIRTUAL_PROCESSOR_IDENTIFIER, 1);
    for (int level = 0; level < 3; level++)
        ept[level][0] = (uint64_t)ept[level + 1] | 7;
    for (uint64_t i = 0; i < GUEST_BYTES / PAGE; i++)
        ept[3][i] = ((uint64_t)memory + i * PAGE) | 0x37;
    vmwrite(EPT_POINTER, (uint64_t)ept | EPT_WALK);
    tables[0] = (TABLES_AT + PAGE) | 3;
    tables[512] = (TABLES_AT + 2 * PAGE) | 3;
    tables[1024] = 0x83;
    memcpy(memory + CODE_AT, guest_code, (size_t)(guest_code_end - guest_code));
    vmcs_guest_long_mode(CODE_AT, STACK_AT, TABLES_AT);
    handle_round_trips(count_from_command_line());
    __asm__ volatile("outw %0, %1" ::"a"((uint16_t)0x2000), "Nd"((uint16_t)0x604));
    return 1;
}
