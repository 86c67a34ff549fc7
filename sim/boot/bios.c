/*
 * bios.c: see bios.h. The layout of vectors and data area is the IBM PC/AT's (Technical Reference, "ROM
 * BIOS"), which every PC firmware with a compatibility part has kept since.
 */
#include "sim/boot/bios.h"

#include "sim/boot/multiboot.h"

#define VECTORS 256u
#define VECTOR_IRQ0 0x08u
#define VECTOR_IRQ8 0x70u
#define VECTOR_FIRST_SERVICE 0x10u
#define VECTOR_LAST_SERVICE 0x1au
#define COM1 0x3f8u
#define CONVENTIONAL_KIB 639u         /* up to the place of an extended data area */
#define EQUIPMENT (1u << 9 | 1u << 1) /* one serial port (11:9), a coprocessor */

/* 16-bit code; each part starts on an address of its own, 40H apart. */
enum { AT_RETURN = 0x00, AT_SERVICE = 0x40, AT_MASTER = 0x80, AT_SLAVE = 0xc0, AT_TICK = 0x100 };

static const uint8_t code_return[] = {0xcf}; /* iret */

/* clang-format off */
static const uint8_t code_service[] = {
    0x55,                   /* push bp */
    0x89, 0xe5,             /* mov bp, sp */
    0x83, 0x4e, 0x06, 0x01, /* or word [bp+6], 1: carry in the caller's flags */
    0x5d,                   /* pop bp */
    0xb4, 0x86,             /* mov ah, 86h */
    0xcf,                   /* iret */
};

/* Nothing in service: the interrupt was spurious and takes no EOI (8259A data sheet, "Interrupt Sequence"). */
static const uint8_t code_master[] = {
    0x50,                   /* push ax */
    0xb0, 0x0b,             /* mov al, 0bh: OCW3, read the in-service register */
    0xe6, 0x20,             /* out 20h, al */
    0xe4, 0x20,             /* in al, 20h */
    0x84, 0xc0,             /* test al, al */
    0x74, 0x04,             /* jz 1f */
    0xb0, 0x20,             /* mov al, 20h: non-specific EOI */
    0xe6, 0x20,             /* out 20h, al */
    0x58,                   /* 1: pop ax */
    0xcf,                   /* iret */
};
static const uint8_t code_slave[] = {
    0x50,                   /* push ax */
    0xb0, 0x0b,             /* mov al, 0bh */
    0xe6, 0xa0,             /* out a0h, al */
    0xe4, 0xa0,             /* in al, a0h */
    0x84, 0xc0,             /* test al, al */
    0xb0, 0x20,             /* mov al, 20h */
    0x74, 0x02,             /* jz 1f */
    0xe6, 0xa0,             /* out a0h, al */
    0xe6, 0x20,             /* 1: out 20h, al: the master had the cascade line in service in any case */
    0x58,                   /* pop ax */
    0xcf,                   /* iret */
};

/* 1800B0H ticks are a day. */
static const uint8_t code_tick[] = {
    0x1e,                               /* push ds */
    0x50,                               /* push ax */
    0xb8, 0x40, 0x00,                   /* mov ax, 40h */
    0x8e, 0xd8,                         /* mov ds, ax */
    0x83, 0x06, 0x6c, 0x00, 0x01,       /* add word [6ch], 1 */
    0x83, 0x16, 0x6e, 0x00, 0x00,       /* adc word [6eh], 0 */
    0x83, 0x3e, 0x6e, 0x00, 0x18,       /* cmp word [6eh], 18h */
    0x72, 0x19,                         /* jb 1f */
    0x81, 0x3e, 0x6c, 0x00, 0xb0, 0x00, /* cmp word [6ch], 0b0h */
    0x72, 0x11,                         /* jb 1f */
    0xc7, 0x06, 0x6c, 0x00, 0x00, 0x00, /* mov word [6ch], 0 */
    0xc7, 0x06, 0x6e, 0x00, 0x00, 0x00, /* mov word [6eh], 0 */
    0xc6, 0x06, 0x70, 0x00, 0x01,       /* mov byte [70h], 1 */
    0xcd, 0x1c,                         /* 1: int 1ch */
    0xb0, 0x20,                         /* mov al, 20h */
    0xe6, 0x20,                         /* out 20h, al */
    0x58,                               /* pop ax */
    0x1f,                               /* pop ds */
    0xcf,                               /* iret */
};
/* clang-format on */

static unsigned handler_of(unsigned vector)
{
    if (vector == VECTOR_IRQ0)
        return AT_TICK;
    if (vector > VECTOR_IRQ0 && vector < VECTOR_IRQ0 + 8)
        return AT_MASTER;
    if (vector >= VECTOR_IRQ8 && vector < VECTOR_IRQ8 + 8)
        return AT_SLAVE;
    if (vector >= VECTOR_FIRST_SERVICE && vector <= VECTOR_LAST_SERVICE)
        return AT_SERVICE;
    return AT_RETURN;
}

static void write_code(const struct phys_mem *mem, unsigned at, const uint8_t *code, size_t size)
{
    boot_write(mem, BIOS_SEGMENT * 16u + BIOS_CODE + at, code, size);
}

static void write_word(const struct phys_mem *mem, uint32_t address, uint16_t value)
{
    boot_write(mem, address, &value, sizeof value);
}

void bios_write(const struct phys_mem *mem)
{
    write_code(mem, AT_RETURN, code_return, sizeof code_return);
    write_code(mem, AT_SERVICE, code_service, sizeof code_service);
    write_code(mem, AT_MASTER, code_master, sizeof code_master);
    write_code(mem, AT_SLAVE, code_slave, sizeof code_slave);
    write_code(mem, AT_TICK, code_tick, sizeof code_tick);
    for (unsigned vector = 0; vector < VECTORS; vector++) {
        write_word(mem, vector * 4, (uint16_t)(BIOS_CODE + handler_of(vector)));
        write_word(mem, vector * 4 + 2, BIOS_SEGMENT);
    }
    write_word(mem, BIOS_DATA_AREA + BIOS_DATA_COM1, COM1);
    write_word(mem, BIOS_DATA_AREA + BIOS_DATA_EQUIPMENT, EQUIPMENT);
    write_word(mem, BIOS_DATA_AREA + BIOS_DATA_MEMORY, CONVENTIONAL_KIB);
}
