/* x87.c: what is left of x87 instructions for the model. Source: SDM volume 3A, "Control Registers", CR0.NE;
 * volume 1, "MS-DOS Compatibility Sub-mode". */
#include "sim/cpu/execute/execute.h"

/* The core did all that there was to do. */
struct cpu_outcome execute_x87(struct cpu *cpu, const struct insn *insn)
{
    (void)cpu;
    (void)insn;
    return done();
}

struct cpu_outcome execute_x87_external(struct cpu *cpu, const struct insn *insn)
{
    (void)cpu;
    (void)insn;
    return (struct cpu_outcome){
        .kind = OUTCOME_UNSUPPORTED,
        .text =
            "an unmasked x87 exception is pending while CR0.NE is 0: FERR#, IGNNE# and interrupt 13 are not "
            "modelled; set CR0.NE, so that it is reported as #MF, or mask the exception"};
}
