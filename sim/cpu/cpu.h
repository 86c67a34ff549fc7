/*
 * cpu.h: one logical processor, VMX included. Enter the room here.
 *
 * The core (sim/core) runs translated code and hands every trap to these functions; the machine
 * (sim/machine.c) ties both together. A function returns when the processor is ready to run translated code
 * again, or cannot go on.
 */
#ifndef VTSIM_SIM_CPU_CPU_H
#define VTSIM_SIM_CPU_CPU_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/cpu/pmu/pmu.h"
#include "tlb/mmu.h"
#include "vmx_model/vmx.h"
#include "vtsim/cpu_state.h"
#include "vtsim/cycles.h"
#include "vtsim/fpu_state.h"
#include "vtsim/insn.h"
#include "vtsim/outcome.h"
#include "vtsim/phys_mem.h"
#include "vtsim/profile.h"
#include "vtsim/trace.h"

enum { CPU_SIGNAL_INIT = 1, CPU_SIGNAL_SIPI = 2 };

/* The platform as the processor sees it. None may be null. */
struct cpu_bus {
    uint32_t (*port_in)(void *opaque, uint16_t port, unsigned size);
    void (*port_out)(void *opaque, uint16_t port, uint32_t value, unsigned size);
    /* Is an external interrupt (LAPIC or 8259) asking, at the current task priority? */
    bool (*interrupt_pending)(void *opaque);
    uint8_t (*interrupt_acknowledge)(void *opaque);
    bool (*nmi_pending)(void *opaque);
    void (*nmi_acknowledge)(void *opaque);
    /* INIT and start-up IPIs that wait, CPU_SIGNAL_*; and one of them is taken (a SIPI gives its vector). */
    uint8_t (*signals)(void *opaque);
    uint8_t (*take_signal)(void *opaque, uint8_t signal);
    /* An INIT resets the processor, and its local APIC with it; one that causes a VM exit does not. */
    void (*reset_apic)(void *opaque);
    uint64_t (*read_cr8)(void *opaque);
    void (*write_cr8)(void *opaque, uint64_t value);
    /* IA32_APIC_BASE, x2APIC MSRs 800H..8FFH and IA32_TSC_DEADLINE. False: #GP. */
    bool (*apic_read_msr)(void *opaque, uint32_t index, uint64_t *value);
    bool (*apic_write_msr)(void *opaque, uint32_t index, uint64_t value);
    /* A performance counter overflowed: LVT performance counter register. */
    void (*performance_interrupt)(void *opaque);
    /* The next cycle at which a device does something by itself; UINT64_MAX: never. */
    uint64_t (*next_deadline)(void *opaque);
    /* Let devices act up to the given cycle. */
    void (*advance)(void *opaque, uint64_t cycles);
    void *opaque;
};

enum cpu_status {
    CPU_RUN,          /* go on with translated code at state.rip */
    CPU_HALTED,       /* HLT (or MWAIT, or activity state HLT): nothing to do until an event */
    CPU_TRIPLE_FAULT, /* shutdown in root operation */
    CPU_VMX_ABORT,
    CPU_UNSUPPORTED, /* text: what the guest asked for that is not modelled */
};

/* Places for MSRs that nothing but RDMSR and WRMSR looks at: one for each row of msr.c. */
#define CPU_MISC_MSRS 96

struct cpu {
    struct cpu_state state;
    struct vmx vmx;
    struct mmu mmu;
    const struct cpu_profile *profile;
    const struct phys_mem *mem;
    const struct trace *trace;
    const struct cpu_bus *bus;
    void (*explain)(void *opaque, const char *line); /* failed VM entries, for a person; may be null */
    void *explain_opaque;
    struct cycle_account account; /* simulated time, and where it went */
    uint64_t instructions;        /* executed */
    const char *text;             /* of CPU_UNSUPPORTED, CPU_VMX_ABORT, CPU_TRIPLE_FAULT */
    char text_buffer[320];
    struct fpu_access fpu; /* x87 and SSE state: in fpu_state until a core that keeps it is attached */
    struct fpu_state fpu_state;
    /* Deliveries that have reached no instruction boundary yet: the debug exception of the last one is next, before an
     * instruction or an interrupt. Since that cycle. */
    bool boundary_missed;
    uint64_t no_boundary_since;
    uint64_t random_state;            /* RDRAND and RDSEED: seeded, never the host's */
    uint64_t misc_msr[CPU_MISC_MSRS]; /* values of plainly stored MSRs, see msr.h */
    struct pmu pmu;     /* performance counters */
    uint8_t processor;  /* 0: the bootstrap processor; also its APIC ID */
    uint8_t processors; /* in the package; 0 is as 1 */
};

/* Power-on state (SDM "Processor State After Reset"), RAM and platform attached. False: out of memory. The
 * caller zeroes *cpu or sets cpu->processor and processors in it first; all else is overwritten. Processors other than the
 * first wait for a start-up IPI. */
bool cpu_init(struct cpu *cpu, const struct cpu_profile *profile, const struct phys_mem *mem,
              const struct trace *trace, const struct cpu_bus *bus);
void cpu_free(struct cpu *cpu);

/* The core met an instruction that it does not execute itself. state is that before the instruction. */
enum cpu_status cpu_instruction(struct cpu *cpu, const struct insn *insn);
/* The same from inside translated code, for what changes gpr and, if *sets_flags, arithmetic flags alone; of
 * state only rip and gpr need be up to date besides what the model changes by itself. False: nothing was
 * changed, cpu_instruction is to be called. */
bool cpu_quick(struct cpu *cpu, const struct insn *insn, bool *sets_flags);
/* The core met an exception of translated code. state.rip is at the faulting instruction. */
enum cpu_status cpu_exception(struct cpu *cpu, const struct cpu_event *event);
/* The core's TLB fill failed. */
enum cpu_status cpu_memory_fault(struct cpu *cpu, enum mmu_status status, const struct mmu_fault *fault);
/* The core ran one instruction of translated code, or one iteration of a repeated one, by itself, because
 * vmx.monitor_trap was true. */
void cpu_stepped(struct cpu *cpu);
/* The instruction of translated code that has just completed asserted a bus lock: a VM exit becomes due by "VMM bus-lock
 * detection"; gives what OS bus-lock detection adds to the debug trap after it (SDM volume 3B, "OS Bus-Lock Detection"). */
uint64_t cpu_bus_lock(struct cpu *cpu);
/* Between two instructions: time has advanced; take what is due (exits, NMI, interrupts), wake from HLT. */
enum cpu_status cpu_poll(struct cpu *cpu);
/* The next cycle at which cpu_poll must be called even if nothing else happens; CPU_AT_ONCE: again before the next
 * instruction. */
#define CPU_AT_ONCE 0u
uint64_t cpu_next_deadline(const struct cpu *cpu);
/* May an interrupt or a window exit be taken as soon as RFLAGS.IF or a shadow changes? Then the core must
 * stop after STI, POPF, MOV SS and their like. */
bool cpu_wants_interrupt_window(const struct cpu *cpu);

/* Parts of the room, for one another and for tests.
 * --------------------------------------------------------------- */

/* SDM volume 3A, table "IA-32 and Intel 64 Processor States Following Power-up, Reset, or INIT", column INIT. */
void cpu_reset_by_init(struct cpu *cpu);
/* Takes INIT and start-up IPIs that wait, if nothing blocks them (start_up.c). CPU_RUN: go on with what else is due. */
enum cpu_status cpu_take_signals(struct cpu *cpu);
bool cpu_signal_due(const struct cpu *cpu);
/* Executes one instruction (execute/): faults, VM-exit checks, effect. Does not advance RIP on OUTCOME_DONE.
 */
struct cpu_outcome cpu_execute(struct cpu *cpu, const struct insn *insn);
/* Carries an outcome through to the end: events are delivered or cause VM exits, #DF and triple faults
 * included. insn may be null when the outcome is not an instruction's. */
enum cpu_status cpu_settle(struct cpu *cpu, const struct cpu_outcome *outcome, const struct insn *insn);
/* Delivers through the IVT or IDT (delivery/): OUTCOME_JUMPED or OUTCOME_TASK_SWITCHED, or OUTCOME_EVENT with
 * the fault met in delivery, or OUTCOME_VM_EXIT (EPT violation, task switch). Does not look at the exception
 * bitmap. */
struct cpu_outcome cpu_deliver(struct cpu *cpu, const struct cpu_event *event);
/* Far control transfers (transfer/): CALL, JMP, RET far, IRET, SYSCALL, SYSRET, SYSENTER, SYSEXIT. */
struct cpu_outcome cpu_far_transfer(struct cpu *cpu, const struct insn *insn);
/* RDMSR and WRMSR at CPL 0. False: #GP. */
bool cpu_read_msr(struct cpu *cpu, uint32_t index, uint64_t *value);
bool cpu_write_msr(struct cpu *cpu, uint32_t index, uint64_t value);
/* CPUID with the bits that follow the state (OSXSAVE, APIC) filled in. */
void cpu_cpuid(const struct cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4]);
/* MOV to CR0, CR3, CR4 with all checks and flushes; the value is after VMX masking. */
struct cpu_outcome cpu_write_cr0(struct cpu *cpu, uint64_t value);
struct cpu_outcome cpu_write_cr3(struct cpu *cpu, uint64_t value);
struct cpu_outcome cpu_write_cr4(struct cpu *cpu, uint64_t value);
/* OUTCOME_DONE, or OUTCOME_UNSUPPORTED when the state has control-flow enforcement switched on, which is not modelled. For
 * the instructions that can do that. */
struct cpu_outcome cpu_done_unless_cet(const struct cpu *cpu);
/* WRPKRU and XRSTOR: PKRU, and what translation may do under it. */
void cpu_write_pkru(struct cpu *cpu, uint32_t value);

#endif
