/*
 * guest.h: random whole guests out of a fuzzer's input. Enter here.
 *
 * The input's bytes are choices; when they are used up a generator seeded by them goes on, so that a short
 * input makes a whole guest too. The same input makes the same guest.
 */
#ifndef VTSIM_TESTS_FUZZ_GUEST_H
#define VTSIM_TESTS_FUZZ_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/cpu/cpu.h"

/* Where things lie in guest RAM, linear and physical. */
enum {
    GUEST_RAM = 4 << 20,
    GUEST_PML4 = 0x1000,
    GUEST_PDPT = 0x2000,
    GUEST_PD = 0x3000, /* four of them */
    GUEST_PT = 0x7000,
    GUEST_GDT = 0x8000,
    GUEST_LDT = 0x8800,
    GUEST_IDT = 0x9000,
    GUEST_TSS = 0xa000, /* four, of 0x400 bytes */
    GUEST_VMXON = 0xc000,
    GUEST_VMCS = 0xd000,
    GUEST_VMX_PAGES = 0xe000, /* two: bitmaps, APIC pages and the like */
    GUEST_EPT = 0x20000,      /* six pages */
    GUEST_CODE = 0x10000,     /* where execution starts */
    GUEST_CODE_BYTES = 0x4000,
    GUEST_DATA = 0x14000,
    GUEST_STACK = 0x18000,
    GUEST_STACK_TOP = 0x1c000,
    GUEST_LAPIC = 0xfee00000,
};

struct choices {
    const uint8_t *bytes;
    size_t left;
    uint64_t random;
};

void choices_begin(struct choices *c, const uint8_t *bytes, size_t size);
/* limit: 1 or more; gives 0 to limit - 1. */
unsigned choose(struct choices *c, unsigned limit);
bool one_in(struct choices *c, unsigned times);
uint64_t choose_bits(struct choices *c, unsigned bits);
/* An address in which something interesting lies, or near its end. */
uint32_t choose_address(struct choices *c);
/* A value with which something interesting happens. */
uint64_t choose_value(struct choices *c);
/* A selector, most often of a descriptor that is there. */
uint16_t choose_selector(struct choices *c);

enum guest_mode {
    GUEST_REAL,
    GUEST_V86,
    GUEST_PROTECTED_16,
    GUEST_PROTECTED_32,
    GUEST_COMPATIBILITY,
    GUEST_64,
    GUEST_MODES
};

/* GDT, LDT, IDT, TSSs and page tables. */
void guest_fill_tables(struct choices *c, uint8_t *ram, enum guest_mode mode, struct cpu_state *s);
/* Registers of a processor in this mode. with_vmx: such that it may go into VMX operation. */
void guest_fill_state(struct choices *c, enum guest_mode mode, bool with_vmx,
                      const struct cpu_profile *profile, struct cpu_state *s);
/* Fills the code pages. */
void guest_fill_code(struct choices *c, uint8_t *ram, enum guest_mode mode);
/* A VMCS after the present state, with changes, and code at RIP that goes into VMX operation and enters the
 * guest. */
void guest_fill_vmx(struct choices *c, struct cpu *cpu, enum guest_mode mode);
/* Its parts: controls that the processor has; guest and host state after *s; seven pages of EPT structures at
 * the address. */
void guest_vmcs_controls(struct choices *c, struct vmcs *v, const struct cpu *cpu,
                         const struct cpu_state *host);
void guest_vmcs_guest(struct choices *c, struct vmcs *v, const struct cpu_state *s);
void guest_vmcs_host(struct choices *c, struct vmcs *v, const struct cpu_state *s);
void guest_fill_ept(struct choices *c, uint8_t *ram, uint32_t at);

#endif
