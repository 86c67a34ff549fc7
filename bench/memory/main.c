/* memory: 4 MiB of guest code, run once, with a thousand changes of DR7 in between. */
#include "machine.h"

enum { CODE_BYTES = 4 << 20, PIECE = 16, DR7_CHANGES = 1000, POWER_OFF_PORT = 0x604, POWER_OFF = 0x2000 };
#define CODE_AT ((uint8_t *)0x1000000)

/* Each piece is a block of its own: inc %rax; add $1, %rcx; jmp to the next piece. The last one returns. */
static const uint8_t piece[PIECE] = {0x48, 0xff, 0xc0, 0x48, 0x83, 0xc1, 0x01, 0xeb, 0x07};

int main(void)
{
    uint64_t count = 0;
    for (unsigned at = 0; at < CODE_BYTES; at += PIECE)
        memcpy(CODE_AT + at, piece, PIECE);
    CODE_AT[CODE_BYTES - PIECE] = 0xc3;
    for (unsigned i = 0; i < DR7_CHANGES; i++)
        __asm__ volatile("mov %0, %%dr7" ::"r"((uint64_t)(i & 1 ? 0x400 : 0x700)));
    __asm__ volatile("xor %%eax, %%eax; xor %%ecx, %%ecx; call *%1" : "=&a"(count) : "r"(CODE_AT) : "rcx", "memory");
    for (unsigned i = 0; i < DR7_CHANGES; i++)
        __asm__ volatile("mov %0, %%dr7" ::"r"((uint64_t)(i & 1 ? 0x400 : 0x700)));
    if (count != CODE_BYTES / PIECE - 1)
        return 1;
    __asm__ volatile("outw %0, %1" ::"a"((uint16_t)POWER_OFF), "Nd"((uint16_t)POWER_OFF_PORT));
    return 2;
}
