/*
 * lab.h: one processor with a made-up platform, driven by a fuzzer's choices through VMX. Enter here.
 *
 * The core is not there: instructions are decoded from made-up bytes and handed to cpu_instruction, memory
 * accesses go through the MMU, exceptions of translated code are thrown in. Choices, guest states and tables
 * come from ../guest.
 */
#ifndef VTSIM_TESTS_FUZZ_VMX_LAB_H
#define VTSIM_TESTS_FUZZ_VMX_LAB_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cpu/cpu.h"
#include "tests/fuzz/guest/guest.h"

/* Physical addresses, in addition to those of guest.h; all tables map the first 2 MiB one to one, or nearly
 * so. */
enum {
    LAB_RAM = 0x80000,
    LAB_EPT = 0x27000,  /* seven pages, as GUEST_EPT */
    LAB_VMCS = 0x30000, /* LAB_VMCSS of them */
    LAB_VMCSS = 4,
    LAB_PDPT = 0x34000,  /* for guests with PAE paging under a 64-bit host */
    LAB_PAGES = 0x38000, /* bitmaps, virtual-APIC pages, MSR lists and the like */
    LAB_PAGE_COUNT = 8,
    LAB_SCRATCH = 0x14e00, /* operands of instructions, at the end of GUEST_DATA's page */
};

struct lab {
    struct cpu cpu;
    struct cpu_bus bus;
    struct phys_mem mem;
    struct trace trace;
    struct choices choices;
    uint8_t *ram;
    enum guest_mode host_mode;
    struct cpu_state host; /* as it was at the start */
    enum cpu_status status;
    bool verbose;

    /* The platform. */
    bool interrupt, nmi;
    uint8_t interrupt_vector, signals, sipi_vector;
    uint64_t cr8, apic_base, deadline;

    /* What the trace said in this step (watch.c). */
    bool exited, entry_failed_late;
    struct cpu_state at_exit; /* just after the exit */
    uint64_t exits, entries, failures;
    uint32_t activity_before; /* the step */
    uint64_t now_before;
    const char *step; /* what the step was, for a person */
};

#define REQUIRE(lab, condition)                                                                              \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            lab_fail((lab), __FILE__, __LINE__, #condition);                                                 \
    } while (0)
/* Tells what the lab was at, and aborts. */
void lab_fail(const struct lab *lab, const char *file, int line, const char *condition);

/* platform.c */
void lab_platform(struct lab *lab);
/* world.c: the profile, memory, the VMCSs. */
void lab_open(struct lab *lab, const uint8_t *data, size_t size);
void lab_close(struct lab *lab);
/* A VMCS that most often passes all checks of a VM entry from the host that the lab started with. */
void lab_fill_vmcs(struct lab *lab, struct vmcs *v);
/* steps.c: something happens. */
void lab_step(struct lab *lab);
/* instruction.c: one random instruction. False: the core would execute it itself; nothing happened. */
bool lab_instruction(struct lab *lab);
/* One given by its bytes. */
bool lab_execute(struct lab *lab, const uint8_t *bytes, size_t size);
/* "66 F2 F3" and so on, then opcode bytes, then a memory operand at the address: a form for each code size.
 */
bool lab_execute_memory(struct lab *lab, const char *opcode, unsigned reg, uint32_t address);

/* watch.c: the trace's events. */
void lab_watch(void *lab, const struct trace_event *event);
/* exits.c: may a VM exit with this reason happen under the current VMCS? */
bool lab_exit_allowed(const struct lab *lab, uint32_t reason);
/* errors.c: may this VMX instruction give this VM-instruction error? */
bool lab_error_allowed(uint32_t instruction, uint64_t error);
/* legal.c: the rules on guest state hold for the VMCS; save: with the processor's state in its guest-state
 * area. */
void lab_require_enterable(struct lab *lab, const struct vmcs *saved, bool save);
void lab_require_host_state(struct lab *lab, const struct cpu_state *s);
void lab_require_sane(struct lab *lab);
/* translations.c: counts of the TLB agree with its contents; no mapping with this tag is left. */
void lab_require_tlb(const struct lab *lab);
void lab_require_no_vpid(const struct lab *lab, uint16_t vpid);
/* digest.c */
uint64_t lab_digest(const struct lab *lab);

#endif
