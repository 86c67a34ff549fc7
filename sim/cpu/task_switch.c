/* task_switch.c: see task_switch.h. */
#include "sim/cpu/task_switch.h"

#include <stdio.h>

/* The smallest limit of a TSS: SDM "TSS Descriptor", and the 44 bytes of a 16-bit TSS. */
static uint32_t least_limit(unsigned type)
{
    return type == DESCRIPTOR_TSS32 || type == DESCRIPTOR_TSS32_BUSY ? 0x67 : 0x2b;
}

/* IRET goes back to a busy TSS, everything else to an available one. */
static bool type_fits(const struct descriptor *d, enum task_switch_source source)
{
    const unsigned type = descriptor_type(d);
    if (!descriptor_is_system(d))
        return false;
    if (source == TASK_SWITCH_IRET)
        return type == DESCRIPTOR_TSS16_BUSY || type == DESCRIPTOR_TSS32_BUSY;
    return type == DESCRIPTOR_TSS16 || type == DESCRIPTOR_TSS32;
}

static bool privilege_fits(const struct cpu *cpu, const struct descriptor *d)
{
    return descriptor_dpl(d) >= cpu_cpl(&cpu->state) && descriptor_dpl(d) >= selector_rpl(d->selector);
}

static bool checks_pass(struct cpu *cpu, uint16_t selector, enum task_switch_source source,
                        bool privilege_checked, uint32_t ext, struct cpu_outcome *outcome)
{
    /* SDM "Task Switching", the checks' table: #TS for the link of IRET, else #GP, names the TSS selector. */
    const uint8_t vector = source == TASK_SWITCH_IRET ? VECTOR_TS : VECTOR_GP;
    const uint32_t code = (selector & 0xfffcu) | ext;
    struct descriptor d;
    *outcome = outcome_fault_code(vector, code);
    if (selector_is_null(selector) || (selector & SELECTOR_TI))
        return false;
    if (!descriptor_read(cpu, selector, vector, ext, &d, outcome))
        return false;
    *outcome = outcome_fault_code(vector, code);
    if (!type_fits(&d, source) || (privilege_checked && !privilege_fits(cpu, &d)))
        return false;
    if (!descriptor_present(&d)) {
        *outcome = outcome_fault_code(VECTOR_NP, code);
        return false;
    }
    *outcome = outcome_fault_code(VECTOR_TS, code);
    return descriptor_segment(&d).limit >= least_limit(descriptor_type(&d));
}

struct cpu_outcome task_switch(struct cpu *cpu, uint16_t selector, enum task_switch_source source,
                               bool privilege_checked, uint32_t ext, unsigned instruction_length)
{
    struct cpu_outcome outcome;
    if (!checks_pass(cpu, selector, source, privilege_checked, ext, &outcome))
        return outcome;
    if (cpu->vmx.non_root)
        return outcome_vm_exit(&(struct vm_exit){.reason = EXIT_REASON_TASK_SWITCH,
                                                 .qualification = selector | (uint64_t)source << 30,
                                                 .instruction_length = instruction_length});
    static const char *const by[] = {"CALL", "IRET", "JMP", "a task gate in the IDT"};
    snprintf(cpu->text_buffer, sizeof cpu->text_buffer,
             "hardware task switch to TSS %#x by %s at RIP %#llx: task switching is not modelled", selector,
             by[source], (unsigned long long)cpu->state.rip);
    return (struct cpu_outcome){.kind = OUTCOME_UNSUPPORTED, .text = cpu->text_buffer};
}
