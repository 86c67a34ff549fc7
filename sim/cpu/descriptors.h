/*
 * descriptors.h: segment descriptors and gates in the GDT and LDT: reading, taking apart, flags.
 *
 * Used by event delivery, far transfers, LTR, LLDT and their like. Everything here is an implicit supervisor
 * access (SDM volume 3A "Determination of Access Rights"): paging faults and EPT violations come back as
 * outcomes. Source: SDM volume 3A "Segment Descriptors", "System Descriptor Types", "Segment Selectors".
 */
#ifndef VTSIM_SIM_CPU_DESCRIPTORS_H
#define VTSIM_SIM_CPU_DESCRIPTORS_H

#include "sim/cpu/cpu.h"

/* Types of system descriptors (S = 0): SDM "System-Segment and Gate-Descriptor Types". In IA-32e mode 2, 9,
 * 11, 12, 14 and 15 alone are defined, as their 64-bit forms. */
enum descriptor_type {
    DESCRIPTOR_TSS16 = 1,
    DESCRIPTOR_LDT = 2,
    DESCRIPTOR_TSS16_BUSY = 3,
    DESCRIPTOR_CALL_GATE16 = 4,
    DESCRIPTOR_TASK_GATE = 5,
    DESCRIPTOR_INTERRUPT_GATE16 = 6,
    DESCRIPTOR_TRAP_GATE16 = 7,
    DESCRIPTOR_TSS32 = 9,
    DESCRIPTOR_TSS32_BUSY = 11,
    DESCRIPTOR_CALL_GATE32 = 12,
    DESCRIPTOR_INTERRUPT_GATE32 = 14,
    DESCRIPTOR_TRAP_GATE32 = 15,
};

/* Bits of the type of a code or data segment (S = 1). */
#define SEGMENT_TYPE_ACCESSED 1u
#define SEGMENT_TYPE_WRITABLE 2u    /* data */
#define SEGMENT_TYPE_READABLE 2u    /* code */
#define SEGMENT_TYPE_EXPAND_DOWN 4u /* data */
#define SEGMENT_TYPE_CONFORMING 4u  /* code */
#define SEGMENT_TYPE_CODE 8u

/* The bit of an error code that says "event external to the program": SDM "Error Code". */
#define ERROR_CODE_EXT 1u
#define ERROR_CODE_IDT 2u
#define SELECTOR_RPL 3u
#define SELECTOR_TI 4u

struct descriptor {
    uint64_t low;     /* bytes 0 to 7 */
    uint64_t high;    /* bytes 8 to 15 of a system descriptor in IA-32e mode, else 0 */
    uint64_t address; /* linear address of the entry */
    uint16_t selector;
};

static inline bool selector_is_null(uint16_t selector)
{
    return (selector & 0xfffc) == 0;
}
static inline unsigned selector_rpl(uint16_t selector)
{
    return selector & SELECTOR_RPL;
}
static inline unsigned descriptor_type(const struct descriptor *d)
{
    return (unsigned)(d->low >> 40) & 0xf;
}
static inline bool descriptor_is_system(const struct descriptor *d)
{
    return !(d->low >> 44 & 1);
}
static inline unsigned descriptor_dpl(const struct descriptor *d)
{
    return (unsigned)(d->low >> 45) & 3;
}
static inline bool descriptor_present(const struct descriptor *d)
{
    return (d->low >> 47 & 1) != 0;
}
static inline bool descriptor_long(const struct descriptor *d)
{
    return (d->low >> 53 & 1) != 0;
}
static inline bool descriptor_big(const struct descriptor *d)
{
    return (d->low >> 54 & 1) != 0;
}
static inline bool descriptor_is_code(const struct descriptor *d)
{
    return !descriptor_is_system(d) && (descriptor_type(d) & SEGMENT_TYPE_CODE);
}
static inline bool descriptor_is_conforming(const struct descriptor *d)
{
    return descriptor_is_code(d) && (descriptor_type(d) & SEGMENT_TYPE_CONFORMING);
}
static inline bool descriptor_is_writable_data(const struct descriptor *d)
{
    return !descriptor_is_system(d) &&
           (descriptor_type(d) & (SEGMENT_TYPE_CODE | SEGMENT_TYPE_WRITABLE)) == SEGMENT_TYPE_WRITABLE;
}

/* Base, limit in bytes and access rights as the segment register's hidden part gets them (bits 63:32 of the
 * base of a system descriptor in IA-32e mode included). The selector is d->selector. */
struct cpu_segment descriptor_segment(const struct descriptor *d);

/* Reads the eight-byte descriptor that selector names in the GDT or LDT. Does not look for a null selector.
 * False: *outcome is the fault: vector with error code (selector & fffcH) | ext beyond the table's limit or
 * with no usable LDT; or #PF, or the VM exit of an EPT violation. */
bool descriptor_read(struct cpu *cpu, uint16_t selector, uint8_t vector, uint32_t ext, struct descriptor *d,
                     struct cpu_outcome *outcome);
/* The same, and in IA-32e mode also bytes 8 to 15 when it is a system descriptor (call gate, TSS, LDT), with
 * the fault when they are beyond the limit or their type field (bits 12:8 of the last doubleword) is not 0.
 */
bool descriptor_read_system(struct cpu *cpu, uint16_t selector, uint8_t vector, uint32_t ext,
                            struct descriptor *d, struct cpu_outcome *outcome);

/* Sets the accessed bit of a code or data segment's descriptor in memory and in *d. No access when it is set
 * already. */
bool descriptor_set_accessed(struct cpu *cpu, struct descriptor *d, struct cpu_outcome *outcome);
/* Marks a TSS descriptor busy, in memory and in *d (LTR). */
bool descriptor_set_busy(struct cpu *cpu, struct descriptor *d, struct cpu_outcome *outcome);

/* Loads a null selector: unusable, with the selector kept. dpl is put in the access rights (SS in 64-bit
 * mode). */
void segment_load_null(struct cpu_segment *segment, uint16_t selector, unsigned dpl);

/* Loads a segment register by the rules of virtual-8086 mode: SDM volume 3A "8086 Emulation". */
void segment_load_v86(struct cpu_segment *segment, uint16_t selector);

/* Reads and writes of linear memory by the processor itself, as supervisor whatever the CPL. At most one page
 * boundary is crossed. False: *outcome is the #PF or the VM exit. */
bool system_read(struct cpu *cpu, uint64_t linear, void *to, size_t size, struct cpu_outcome *outcome);
bool system_write(struct cpu *cpu, uint64_t linear, const void *from, size_t size,
                  struct cpu_outcome *outcome);

#endif
