/*
 * pic8259.h: the two cascaded 8259A interrupt controllers of a PC (Intel 8259A data sheet). Master at
 * 20H/21H, slave at A0H/A1H, slave on the master's line 2. Lines are 0 to 15.
 */
#ifndef VTSIM_SIM_PLATFORM_PIC8259_H
#define VTSIM_SIM_PLATFORM_PIC8259_H

#include <stdbool.h>
#include <stdint.h>

#define PIC_MASTER_PORT 0x20
#define PIC_SLAVE_PORT 0xa0
#define PIC_PORT_COUNT 2
#define PIC_CASCADE_LINE 2u
#define PIC_ELCR_PORT 0x4d0 /* and 4D1H for the slave */

struct pic8259_chip {
    uint8_t irr, isr, imr;
    uint8_t lines;       /* levels of the inputs */
    uint8_t edge_level;  /* ELCR: a line whose bit is set is level-triggered */
    uint8_t vector_base; /* ICW2, bits 7:3 */
    uint8_t lowest;      /* the line of lowest priority */
    uint8_t next_icw;    /* 2, 3 or 4 while initialisation words are awaited; 0 otherwise */
    bool needs_icw4, single, level_triggered;
    bool read_isr, poll, special_mask, auto_eoi, rotate_on_auto_eoi, special_fully_nested;
};

struct pic8259 {
    struct pic8259_chip chip[2]; /* master, slave */
};

/* As firmware leaves it: vectors 08H and 70H, every line masked. */
void pic8259_reset(struct pic8259 *pic);
/* chip 0 or 1, offset 0 or 1. False from write: the guest wants what is not modelled (*text). */
uint8_t pic8259_read(struct pic8259 *pic, unsigned chip, unsigned offset);
bool pic8259_write(struct pic8259 *pic, unsigned chip, unsigned offset, uint8_t value, const char **text);
void pic8259_set_line(struct pic8259 *pic, unsigned line, bool level);
/* "Edge/Level Control Registers" of the chipsets since EISA: one bit a line; lines 0, 1, 2, 8 and 13 stay
 * edge-triggered. ICW1 leaves them alone. */
uint8_t pic8259_read_elcr(const struct pic8259 *pic, unsigned chip);
void pic8259_write_elcr(struct pic8259 *pic, unsigned chip, uint8_t value);
/* The level of the master's INT output. */
bool pic8259_output(const struct pic8259 *pic);
/* INTA: the vector; a spurious one (line 7 of the chip) when the request went away. */
uint8_t pic8259_acknowledge(struct pic8259 *pic);

#endif
