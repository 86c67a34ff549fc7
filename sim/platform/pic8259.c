/* pic8259.c: the two 8259As. Word names are the data sheet's ("Initialization Command Words", "Operation
 * Command Words"). */
#include "sim/platform/pic8259.h"

#include <stddef.h>
#include <string.h>

#define NO_LINE 8u
#define ICW1_INIT 0x10
#define ICW1_IC4 0x01
#define ICW1_SINGLE 0x02
#define ICW1_LEVEL 0x08
#define ICW4_8086 0x01
#define ICW4_AUTO_EOI 0x02
#define ICW4_SPECIAL_FULLY_NESTED 0x10
#define OCW3 0x08
#define OCW3_POLL 0x04

void pic8259_reset(struct pic8259 *pic)
{
    memset(pic, 0, sizeof *pic);
    for (unsigned i = 0; i < 2; i++) {
        pic->chip[i].imr = 0xff;
        pic->chip[i].lowest = 7;
        pic->chip[i].vector_base = i ? 0x70 : 0x08;
    }
}

/* Distance from the highest priority, 0 to 7, of the best line among bits; 8 if there is none. */
static unsigned best_rank(const struct pic8259_chip *c, uint8_t bits)
{
    for (unsigned rank = 0; rank < 8; rank++)
        if (bits >> ((c->lowest + 1 + rank) & 7) & 1)
            return rank;
    return NO_LINE;
}

static unsigned line_of_rank(const struct pic8259_chip *c, unsigned rank)
{
    return (c->lowest + 1 + rank) & 7;
}

/* The line that asks and has priority over what is in service; NO_LINE: none. "Fully Nested Mode", "Special
 * Mask Mode", "The Special Fully Nested Mode". */
static unsigned requesting_line(const struct pic8259_chip *c, bool master)
{
    unsigned rank = best_rank(c, (uint8_t)(c->irr & ~c->imr));
    if (rank == NO_LINE)
        return NO_LINE;
    uint8_t in_service = c->isr;
    if (c->special_mask)
        in_service &= (uint8_t)~c->imr; /* a masked line in service holds nobody up */
    unsigned line = line_of_rank(c, rank), served = best_rank(c, in_service);
    /* A slave in service is not locked out itself, what is below it is. */
    if (master && c->special_fully_nested && line == PIC_CASCADE_LINE && rank == served)
        return line;
    return rank < served ? line : NO_LINE;
}

static bool by_level(const struct pic8259_chip *c, uint8_t bit)
{
    return c->level_triggered || (c->edge_level & bit);
}

static void set_chip_line(struct pic8259_chip *c, unsigned line, bool level)
{
    uint8_t bit = (uint8_t)(1u << line);
    bool was = c->lines & bit;
    c->lines = (uint8_t)(level ? c->lines | bit : c->lines & ~bit);
    if (by_level(c, bit))
        c->irr = (uint8_t)(level ? c->irr | bit : c->irr & ~bit);
    else if (level && !was)
        c->irr |= bit; /* the edge stays latched until it is acknowledged */
}

/* The slave's output is the master's line 2. It follows the level: the slave holds it until it is served. */
static void update_cascade(struct pic8259 *pic)
{
    bool level = requesting_line(&pic->chip[1], false) != NO_LINE;
    struct pic8259_chip *master = &pic->chip[0];
    uint8_t bit = 1u << PIC_CASCADE_LINE;
    master->lines = (uint8_t)(level ? master->lines | bit : master->lines & ~bit);
    master->irr = (uint8_t)(level ? master->irr | bit : master->irr & ~bit);
}

void pic8259_set_line(struct pic8259 *pic, unsigned line, bool level)
{
    if (line == PIC_CASCADE_LINE || line > 15)
        return;
    set_chip_line(&pic->chip[line >> 3], line & 7, level);
    update_cascade(pic);
}

bool pic8259_output(const struct pic8259 *pic)
{
    return requesting_line(&pic->chip[0], true) != NO_LINE;
}

/* One chip's part of INTA: the line put in service; line 7 without service when the request is gone
 * ("Interrupt Sequence"). */
static unsigned acknowledge_chip(struct pic8259_chip *c, bool master)
{
    unsigned line = requesting_line(c, master);
    if (line == NO_LINE)
        return 7;
    uint8_t bit = (uint8_t)(1u << line);
    if (!(by_level(c, bit) || (master && line == PIC_CASCADE_LINE)))
        c->irr &= (uint8_t)~bit;
    if (!c->auto_eoi)
        c->isr |= bit;
    else if (c->rotate_on_auto_eoi)
        c->lowest = (uint8_t)line;
    return line;
}

uint8_t pic8259_acknowledge(struct pic8259 *pic)
{
    unsigned line = acknowledge_chip(&pic->chip[0], true);
    struct pic8259_chip *from = &pic->chip[0];
    if (line == PIC_CASCADE_LINE) {
        from = &pic->chip[1];
        line = acknowledge_chip(from, false);
    }
    update_cascade(pic);
    return (uint8_t)(from->vector_base | line);
}

static void write_icw1(struct pic8259_chip *c, uint8_t value)
{
    uint8_t lines = c->lines;
    *c = (struct pic8259_chip){.lines = lines, .edge_level = c->edge_level, .lowest = 7, .next_icw = 2};
    c->needs_icw4 = value & ICW1_IC4;
    c->single = value & ICW1_SINGLE;
    c->level_triggered = value & ICW1_LEVEL;
    c->irr = c->level_triggered ? lines : lines & c->edge_level;
}

/* ICW2 to ICW4, in turn. ICW3 only describes the cascade, which is wired here. */
static bool write_icw(struct pic8259_chip *c, uint8_t value, const char **text)
{
    switch (c->next_icw) {
    case 2:
        c->vector_base = value & 0xf8;
        c->next_icw = c->single ? (c->needs_icw4 ? 4 : 0) : 3;
        break;
    case 3:
        c->next_icw = c->needs_icw4 ? 4 : 0;
        break;
    default:
        c->next_icw = 0;
        c->auto_eoi = value & ICW4_AUTO_EOI;
        c->special_fully_nested = value & ICW4_SPECIAL_FULLY_NESTED;
        if (!(value & ICW4_8086)) {
            *text = "8259: MCS-80/85 mode is not modelled; set bit 0 of ICW4";
            return false;
        }
    }
    return true;
}

/* OCW2, bits 7:5: R, SL, EOI. */
static void write_ocw2(struct pic8259_chip *c, uint8_t value)
{
    bool rotate = value & 0x80, specific = value & 0x40, eoi = value & 0x20;
    unsigned line = value & 7u;
    if (!eoi && !specific) {
        c->rotate_on_auto_eoi = rotate;
        return;
    }
    if (eoi && !specific) {
        uint8_t served = c->special_mask ? (uint8_t)(c->isr & ~c->imr) : c->isr;
        unsigned rank = best_rank(c, served);
        if (rank == NO_LINE)
            return;
        line = line_of_rank(c, rank);
    }
    if (eoi)
        c->isr &= (uint8_t) ~(1u << line);
    if (rotate)
        c->lowest = (uint8_t)line;
}

static void write_ocw3(struct pic8259_chip *c, uint8_t value)
{
    c->poll = value & OCW3_POLL;
    if (value & 0x02)
        c->read_isr = value & 0x01;
    if (value & 0x40)
        c->special_mask = value & 0x20;
}

bool pic8259_write(struct pic8259 *pic, unsigned chip, unsigned offset, uint8_t value, const char **text)
{
    struct pic8259_chip *c = &pic->chip[chip];
    bool known = true;
    if (offset == 1 && c->next_icw)
        known = write_icw(c, value, text);
    else if (offset == 1)
        c->imr = value; /* OCW1 */
    else if (value & ICW1_INIT)
        write_icw1(c, value);
    else if (value & OCW3)
        write_ocw3(c, value);
    else
        write_ocw2(c, value);
    update_cascade(pic);
    return known;
}

/* "Poll Command": the read is an acknowledge; bit 7 says whether there was a request. */
static uint8_t read_poll(struct pic8259 *pic, unsigned chip)
{
    struct pic8259_chip *c = &pic->chip[chip];
    c->poll = false;
    if (requesting_line(c, chip == 0) == NO_LINE)
        return 0;
    unsigned line = acknowledge_chip(c, chip == 0);
    update_cascade(pic);
    return (uint8_t)(0x80 | line);
}

uint8_t pic8259_read(struct pic8259 *pic, unsigned chip, unsigned offset)
{
    const struct pic8259_chip *c = &pic->chip[chip];
    if (c->poll)
        return read_poll(pic, chip);
    if (offset == 1)
        return c->imr;
    return c->read_isr ? c->isr : c->irr;
}

static const uint8_t elcr_writable[2] = {0xf8, 0xde};

uint8_t pic8259_read_elcr(const struct pic8259 *pic, unsigned chip)
{
    return pic->chip[chip].edge_level;
}

/* A line that becomes level-triggered asks while it is high; one that becomes edge-triggered waits for an
 * edge. */
void pic8259_write_elcr(struct pic8259 *pic, unsigned chip, uint8_t value)
{
    struct pic8259_chip *c = &pic->chip[chip];
    uint8_t before = c->edge_level;
    c->edge_level = value & elcr_writable[chip];
    uint8_t changed = before ^ c->edge_level;
    c->irr = (uint8_t)((c->irr & ~changed) | (c->lines & c->edge_level & changed));
    update_cascade(pic);
}
