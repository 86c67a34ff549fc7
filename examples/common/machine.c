/* machine.c: console and exit of our guest programs. */
#include "machine.h"

enum { COM1 = 0x3f8, COM1_LINE_STATUS = 0x3fd, TRANSMITTER_EMPTY = 0x20, DEBUG_EXIT = 0xf4 };

void put_char(char c)
{
    while (!(in8(COM1_LINE_STATUS) & TRANSMITTER_EMPTY))
        ;
    out8(COM1, (uint8_t)c);
}

void put_text(const char *text)
{
    while (*text)
        put_char(*text++);
}

void put_hex(uint64_t v)
{
    for (int shift = 60; shift >= 0; shift -= 4)
        put_char("0123456789abcdef"[v >> shift & 15]);
}

void put_decimal(uint64_t v)
{
    if (v >= 10)
        put_decimal(v / 10);
    put_char((char)('0' + v % 10));
}

_Noreturn void leave(uint32_t code)
{
    out32(DEBUG_EXIT, code);
    for (;;)
        __asm__ volatile("cli; hlt");
}

void *memset(void *to, int value, size_t bytes)
{
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(bytes) : "a"(value) : "memory");
    return to;
}

void *memcpy(void *to, const void *from, size_t bytes)
{
    void *start = to;
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes)::"memory");
    return start;
}
