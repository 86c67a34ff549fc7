/*
 * vmx.h: VMX operation of one logical processor. Enter the room here.
 *
 * Pure C over a CPU state, a memory interface and the MMU. The processor (sim/cpu) asks it first about
 * everything that happens in VMX non-root operation; it says whether that is a VM exit, and carries exits and
 * entries out. Source: SDM volume 3C (see docs/sdm-edition.md).
 */
#ifndef VTSIM_VMX_MODEL_VMX_H
#define VTSIM_VMX_MODEL_VMX_H

#include <stdbool.h>
#include <stdint.h>

#include "tlb/mmu.h"
#include "vmx_model/vmcs.h"
#include "vtsim/cpu_state.h"
#include "vtsim/cycles.h"
#include "vtsim/insn.h"
#include "vtsim/outcome.h"
#include "vtsim/phys_mem.h"
#include "vtsim/profile.h"
#include "vtsim/trace.h"

#define VMX_NO_VMCS UINT64_MAX

/* What the model needs of the processor around it. None may be null. */
struct vmx_ops {
    /* RDMSR and WRMSR as software at CPL 0 does them; false where that raises #GP. */
    bool (*read_msr)(void *opaque, uint32_t index, uint64_t *value);
    bool (*write_msr)(void *opaque, uint32_t index, uint64_t value);
    /* CR8 (task priority, 0..15). */
    uint64_t (*read_cr8)(void *opaque);
    /* Acknowledge the highest-priority external interrupt for "acknowledge interrupt on exit"; its vector. */
    uint8_t (*acknowledge_interrupt)(void *opaque);
    /* Writes 0 to the EOI register of the local APIC: posted-interrupt processing. */
    void (*end_of_interrupt)(void *opaque);
    /* Sends the notification of a posted-interrupt descriptor: the fixed, physical IPI that a write of its
     * NDST and NV to the ICR would send in the local APIC's present mode (SDM "IPI Virtualization"). */
    void (*send_notification)(void *opaque, uint32_t destination, uint8_t vector);
    /* One line of an explanation of a failed VM entry, for a person. No newline. */
    void (*explain)(void *opaque, const char *line);
};

/* What the last VM exit came to so far (exit_cost.c). */
struct vmx_exit_cost {
    enum { EXIT_COST_NONE, EXIT_COST_IN_MONITOR, EXIT_COST_IN_GUEST } state;
    uint16_t reason, vpid;
    uint64_t exit, monitor, entry; /* cycles */
    uint64_t
        mark; /* in the monitor: when it began; in the guest: account->refill_cycles when it was entered */
};

/* A write to the APIC-access page that was virtualized; its emulation comes after the operation. */
struct vmx_apic_write {
    bool pending;
    uint16_t offset; /* in the page */
    uint8_t size;    /* bytes */
};

/* What a watch is told (the sanitizer: sim/sanitize). */
enum vmx_watch_event {
    VMX_WATCH_VMXON,       /* value: the region's physical address, as in the next two; it has succeeded */
    VMX_WATCH_VMPTRLD,     /* is about to make it current */
    VMX_WATCH_VMCLEAR,     /* is about to clear it */
    VMX_WATCH_VMXOFF,      /* is about to leave VMX operation */
    VMX_WATCH_FIELD,       /* VMREAD or VMWRITE; value: the encoding */
    VMX_WATCH_INVEPT,      /* value: the type, as is the next */
    VMX_WATCH_INVVPID,
    VMX_WATCH_ENTRY,       /* VMLAUNCH or VMRESUME comes to its checks; the state is the host's */
    VMX_WATCH_ENTERED,     /* the guest's state is loaded */
    VMX_WATCH_HOST_LOADED, /* a VM exit or a late failure has loaded the host's state */
    VMX_WATCH_CAPABILITY,  /* RDMSR in root operation; value: the MSR's index */
};
struct vmx;
struct vmx_watch {
    void (*event)(void *opaque, const struct vmx *vmx, enum vmx_watch_event event, uint64_t value);
    void *opaque;
};

struct vmx {
    const struct vmx_watch *watch; /* null: nobody */
    struct cpu_state *state;
    struct mmu *mmu;
    const struct phys_mem *mem;
    const struct cpu_profile *profile;
    const struct trace *trace;
    struct cycle_account *account;
    const struct vmx_ops *ops;
    void *opaque;
    uint8_t processor;

    bool on;       /* in VMX operation */
    bool non_root; /* in VMX non-root operation */
    bool aborted;  /* VMX abort: shutdown until reset */
    bool monitoring; /* MONITOR has armed address-range monitoring, which nothing has ended since */
    uint64_t vmxon_pointer;
    uint64_t current_vmcs; /* physical address or VMX_NO_VMCS */
    bool current_vmcs_is_shadow; /* its shadow-VMCS indicator, as VMPTRLD found it */
    struct vmcs vmcs;      /* the current VMCS, cached while it is current */

    /* Event that VM entry injects; the processor delivers it right after the entry. */
    bool injection_valid;
    struct cpu_event injection;

    /* VMX-preemption timer: valid in non-root operation when its control is on. */
    bool preemption_timer_on;
    uint64_t preemption_deadline; /* in cycles */

    /* A VM exit that comes after the present operation: TPR below threshold, virtualized EOI, APIC write. */
    bool trap_exit_pending;
    struct vm_exit trap_exit;
    struct vmx_apic_write apic_write;
    bool virtual_interrupt_recognized;

    bool monitor_trap;     /* "monitor trap flag" is 1 in the guest that runs */
    bool monitor_trap_due; /* an MTF VM exit is pending on this instruction boundary */

    /* PAUSE-loop exiting: times of the last execution of PAUSE at CPL 0 and of the first in the loop, in
     * cycles. */
    bool pause_seen;
    uint64_t pause_last, pause_first;

    bool bus_lock_detection; /* "VMM bus-lock detection" is 1 in the guest that runs */
    bool bus_lock_due;       /* an instruction asserted a bus lock: a VM exit after it */

    bool virtual_nmi_blocking; /* "virtual NMIs": blocking of virtual NMIs */
    uint64_t entry_began;      /* when VMLAUNCH or VMRESUME came to the last VM entry */
    uint64_t entry_cycles;     /* when the current guest was entered */
    struct vmx_exit_cost last_exit;
    bool controls_changed; /* since the last VM entry: the next one checks them anew */
};

static inline void vmx_tell(const struct vmx *vmx, enum vmx_watch_event event, uint64_t value)
{
    if (__builtin_expect(vmx->watch != NULL, 0))
        vmx->watch->event(vmx->watch->opaque, vmx, event, value);
}

void vmx_init(struct vmx *vmx, struct cpu_state *state, struct mmu *mmu, const struct phys_mem *mem,
              const struct cpu_profile *profile, const struct trace *trace, struct cycle_account *account,
              const struct vmx_ops *ops, void *opaque);

/* instructions/: VMXON .. INVVPID, and VMCALL in root operation. Executes a VMX instruction that was decoded;
 * all checks, in the SDM's order, including #UD outside of VMX operation and VM exits in non-root operation.
 */
struct cpu_outcome vmx_execute(struct vmx *vmx, const struct insn *insn);

/* VMLAUNCH and VMRESUME after the instruction's own checks (entry.c): checks, loading, MSR list, injection.
 */
struct cpu_outcome vmx_enter(struct vmx *vmx, bool launch, unsigned instruction_length);

/* VMX instruction results: SDM "Conventions". They set RFLAGS and, for vmx_fail_valid, the VM-instruction
 * error. */
void vmx_succeed(struct vmx *vmx);
void vmx_fail_invalid(struct vmx *vmx);
void vmx_fail_valid(struct vmx *vmx, uint32_t error);
void vmx_fail(struct vmx *vmx, uint32_t error); /* valid if there is a current VMCS, else invalid */

/* In non-root operation: does this instruction cause a VM exit, by the controls? For instructions whose
 * faults come first the caller has checked them (SDM "Relative Priority of Faults and VM Exits"). Fills *exit
 * with reason, qualification, instruction length and information (exit_conditions/). Always false in root
 * operation. RDMSR and WRMSR look at ECX; I/O at port and size; MOV CR at masks and shadows; LMSW, CLTS too.
 */
bool vmx_instruction_exits(struct vmx *vmx, const struct insn *insn, struct vm_exit *exit);
/* MOV from CR0 or CR4 and SMSW in non-root operation: the value through mask and read shadow. */
uint64_t vmx_read_cr_shadowed(const struct vmx *vmx, unsigned cr, uint64_t value);
/* MOV to CR0 or CR4, LMSW, CLTS that do not exit: the value to load, with bits owned by the host kept. */
uint64_t vmx_write_cr_masked(const struct vmx *vmx, unsigned cr, uint64_t wanted);
/* In non-root operation: exceptions, NMI, external interrupts (exception bitmap, page-fault mask and match).
 */
bool vmx_event_exits(struct vmx *vmx, const struct cpu_event *event, struct vm_exit *exit);
/* An EPT violation that is about to cause *exit, its qualification complete: is it a virtualization exception instead?
 * Then the information is saved and *event is the exception to deliver (or to cause a VM exit). */
bool vmx_ept_violation_converts(struct vmx *vmx, const struct vm_exit *exit, struct cpu_event *event);
/* IDT-vectoring information of an exit that came while event was being delivered. */
void vmx_note_vectoring(struct vm_exit *exit, const struct cpu_event *event);
/* The instruction that has just completed asserted a bus lock. */
void vmx_note_bus_lock(struct vmx *vmx);
/* Exit qualification of an APIC-access exit that MONITOR or UMONITOR met. */
void vmx_note_monitoring(struct vm_exit *exit);
/* "Instruction timeout": with no instruction boundary since that cycle, when is it a VM exit? False: never. */
bool vmx_instruction_deadline(const struct vmx *vmx, uint64_t since, uint64_t *deadline);
/* That VM exit, in the delivery of event. */
void vmx_instruction_timeout(struct vm_exit *exit, const struct cpu_event *event);
/* "NMI unblocking due to IRET": for a fault or EPT violation met in executing IRET, with exit's IDT-vectoring
 * information filled. nmis_were_blocked: blocking by NMI (with "virtual NMIs": of virtual NMIs) was in effect
 * before that IRET. */
void vmx_note_nmi_unblocking(const struct vmx *vmx, struct vm_exit *exit, bool nmis_were_blocked);

/* An external interrupt is pending: does it exit (whatever RFLAGS.IF says)? Fills *exit; acknowledges if so
 * asked. */
bool vmx_external_interrupt_exits(struct vmx *vmx, struct vm_exit *exit);
/* Exits that are due between two instructions by themselves: preemption timer, interrupt window, NMI window.
 * In the SDM's priority. nothing due: false. */
bool vmx_pending_exit(struct vmx *vmx, struct vm_exit *exit);
/* The earliest cycle at which vmx_pending_exit may become true by time alone; UINT64_MAX if never. */
uint64_t vmx_next_deadline(const struct vmx *vmx);

/* VM exits that come at once after an operation, before INIT signals and all else: TPR below threshold,
 * virtualized EOI, APIC write. False: none, or the activity state holds it. */
bool vmx_trap_exit(struct vmx *vmx, struct vm_exit *exit);
/* The same, then the monitor trap flag, which goes before debug traps. */
bool vmx_boundary_exit(struct vmx *vmx, struct vm_exit *exit);
/* Would vmx_boundary_exit give one, or is the emulation of a virtualized write to the APIC-access page due
 * before? */
bool vmx_boundary_due(const struct vmx *vmx);
/* An operation (an instruction, an iteration of a repeated one, or the delivery of an event) is over in VMX
 * non-root operation: SDM "Monitor Trap Flag". */
void vmx_note_operation(struct vmx *vmx);

/* APIC virtualization (apic/): SDM chapter "APIC Virtualization and Virtual Interrupts".
 * ------------------------------------------------------------------------------------- */

/* Do MOV to and from CR8 go to the virtual-APIC page? If so, the two functions after it do. value: bits 3:0.
 */
bool vmx_virtualizes_cr8(const struct vmx *vmx);
uint64_t vmx_read_virtual_cr8(const struct vmx *vmx);
void vmx_write_virtual_cr8(struct vmx *vmx, uint64_t value);

/* RDMSR and WRMSR that do not exit. NORMAL: not virtualized; FAULTS: #GP. */
enum vmx_msr_access { VMX_MSR_NORMAL, VMX_MSR_VIRTUALIZED, VMX_MSR_FAULTS };
enum vmx_msr_access vmx_read_virtual_apic_msr(const struct vmx *vmx, uint32_t index, uint64_t *value);
enum vmx_msr_access vmx_write_virtual_apic_msr(struct vmx *vmx, uint32_t index, uint64_t value);

/* A linear access to the APIC-access page: true if it goes to the virtual-APIC page instead, false if it is a
 * VM exit. offset in the page, size in bytes. */
bool vmx_virtualizes_apic_access(const struct vmx *vmx, unsigned offset, unsigned size,
                                 enum mmu_access access);
/* Such a write was made; vmx_emulate_apic_write is due after the operation that it is part of. */
void vmx_note_virtualized_write(struct vmx *vmx, unsigned offset, unsigned size);
void vmx_emulate_apic_write(struct vmx *vmx);

/* VM entry: PPR virtualization and evaluation, or the TPR threshold. */
void vmx_enter_virtual_apic(struct vmx *vmx);
/* Is a virtual interrupt recognized, and does nothing hold it back? */
bool vmx_virtual_interrupt_due(const struct vmx *vmx);
/* SDM "Virtual-Interrupt Delivery", up to the delivery through the IDT, which is the caller's: the vector. */
uint8_t vmx_take_virtual_interrupt(struct vmx *vmx);

/* "Process posted interrupts" is in effect: an external interrupt is acknowledged first, then its vector
 * asked about. */
bool vmx_posts_interrupts(const struct vmx *vmx);
/* False: another vector than that of notifications; a VM exit is due. */
bool vmx_process_posted_interrupts(struct vmx *vmx, uint8_t vector);
/* What becomes of an external interrupt that nothing holds back. POSTED: acknowledged and done with; EXITS:
 * *exit is filled, and it is acknowledged if so asked; NORMAL: to be delivered by the caller. */
enum vmx_external_interrupt { VMX_INTERRUPT_NORMAL, VMX_INTERRUPT_EXITS, VMX_INTERRUPT_POSTED };
enum vmx_external_interrupt vmx_external_interrupt(struct vmx *vmx, struct vm_exit *exit);

/* Carries a VM exit out: records, saves the guest state, MSR lists, loads the host state. OUTCOME_DONE, or
 * OUTCOME_VMX_ABORT, or OUTCOME_UNSUPPORTED. Afterwards the state is the host's. */
struct cpu_outcome vmx_exit(struct vmx *vmx, const struct vm_exit *exit);

/* The run ends: completes what is known of the last VM exit's cost. */
void vmx_exit_cost_end(struct vmx *vmx);

/* The regime of translation that follows from state, VMX mode and the current VMCS (regime.c). */
void vmx_update_regime(struct vmx *vmx);

/* CR4 and CR0 bits fixed in VMX operation: is the value allowed now? (MOV CR in VMX operation raises #GP.) */
bool vmx_cr_allowed(const struct vmx *vmx, unsigned cr, uint64_t value);
/* The TSC that the current mode sees, for RDTSC (offsetting). */
uint64_t vmx_tsc(const struct vmx *vmx);

/* Capability MSRs 480H..491H; false: no such MSR in this profile. */
bool vmx_capability_msr(const struct vmx_capabilities *caps, uint32_t index, uint64_t *value);

#endif
