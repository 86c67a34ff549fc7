/*
 * exits.c: which VM exit needs which control. SDM "Instructions That Cause VM Exits", "Other Causes of VM
 * Exits" and the sections on each feature, said again apart from the model.
 */
#include "tests/fuzz/vmx/lab.h"
#include "vmx_model/effective_controls.h"

struct need {
    bool modelled;
    uint32_t pin, primary, secondary; /* all of them */
};

#define ALWAYS                                                                                               \
    {                                                                                                        \
        true, 0, 0, 0                                                                                        \
    }
#define PIN(control)                                                                                         \
    {                                                                                                        \
        true, PIN_##control, 0, 0                                                                            \
    }
#define PRIMARY(control)                                                                                     \
    {                                                                                                        \
        true, 0, PRIMARY_##control, 0                                                                        \
    }
#define SECONDARY(control)                                                                                   \
    {                                                                                                        \
        true, 0, 0, SECONDARY_##control                                                                      \
    }

/* clang-format off */
static const struct need needs[CYCLE_EXIT_REASONS] = {
    [EXIT_REASON_EXCEPTION_OR_NMI] = ALWAYS, [EXIT_REASON_EXTERNAL_INTERRUPT] = PIN(EXTERNAL_INTERRUPT_EXITING),
    [EXIT_REASON_TRIPLE_FAULT] = ALWAYS, [EXIT_REASON_INIT_SIGNAL] = ALWAYS, [EXIT_REASON_START_UP_IPI] = ALWAYS,
    [EXIT_REASON_INTERRUPT_WINDOW] = PRIMARY(INTERRUPT_WINDOW_EXITING), [EXIT_REASON_NMI_WINDOW] = PRIMARY(NMI_WINDOW_EXITING),
    [EXIT_REASON_TASK_SWITCH] = ALWAYS, [EXIT_REASON_CPUID] = ALWAYS, [EXIT_REASON_HLT] = PRIMARY(HLT_EXITING),
    [EXIT_REASON_INVD] = ALWAYS, [EXIT_REASON_INVLPG] = PRIMARY(INVLPG_EXITING), [EXIT_REASON_RDPMC] = PRIMARY(RDPMC_EXITING),
    [EXIT_REASON_RDTSC] = PRIMARY(RDTSC_EXITING),
    [EXIT_REASON_VMCALL] = ALWAYS, [EXIT_REASON_VMCLEAR] = ALWAYS, [EXIT_REASON_VMLAUNCH] = ALWAYS, [EXIT_REASON_VMPTRLD] = ALWAYS,
    [EXIT_REASON_VMPTRST] = ALWAYS, [EXIT_REASON_VMREAD] = ALWAYS, [EXIT_REASON_VMRESUME] = ALWAYS,
    [EXIT_REASON_VMWRITE] = ALWAYS, [EXIT_REASON_VMXOFF] = ALWAYS, [EXIT_REASON_VMXON] = ALWAYS,
    [EXIT_REASON_CONTROL_REGISTER_ACCESSES] = ALWAYS, [EXIT_REASON_MOV_DR] = PRIMARY(MOV_DR_EXITING),
    [EXIT_REASON_IO_INSTRUCTION] = ALWAYS, [EXIT_REASON_RDMSR] = ALWAYS, [EXIT_REASON_WRMSR] = ALWAYS,
    [EXIT_REASON_MWAIT] = PRIMARY(MWAIT_EXITING), [EXIT_REASON_MONITOR_TRAP_FLAG] = ALWAYS,
    [EXIT_REASON_MONITOR] = PRIMARY(MONITOR_EXITING), [EXIT_REASON_PAUSE] = ALWAYS,
    [EXIT_REASON_TPR_BELOW_THRESHOLD] = PRIMARY(USE_TPR_SHADOW), [EXIT_REASON_APIC_ACCESS] = SECONDARY(VIRTUALIZE_APIC_ACCESSES),
    [EXIT_REASON_VIRTUALIZED_EOI] = SECONDARY(VIRTUAL_INTERRUPT_DELIVERY),
    [EXIT_REASON_ACCESS_TO_GDTR_OR_IDTR] = SECONDARY(DESCRIPTOR_TABLE_EXITING),
    [EXIT_REASON_ACCESS_TO_LDTR_OR_TR] = SECONDARY(DESCRIPTOR_TABLE_EXITING),
    [EXIT_REASON_EPT_VIOLATION] = SECONDARY(ENABLE_EPT), [EXIT_REASON_EPT_MISCONFIGURATION] = SECONDARY(ENABLE_EPT),
    [EXIT_REASON_INVEPT] = ALWAYS, [EXIT_REASON_INVVPID] = ALWAYS,
    [EXIT_REASON_RDTSCP] = {true, 0, PRIMARY_RDTSC_EXITING, SECONDARY_ENABLE_RDTSCP},
    [EXIT_REASON_PREEMPTION_TIMER_EXPIRED] = PIN(ACTIVATE_PREEMPTION_TIMER), [EXIT_REASON_WBINVD] = SECONDARY(WBINVD_EXITING),
    [EXIT_REASON_XSETBV] = ALWAYS, [EXIT_REASON_APIC_WRITE] = PRIMARY(USE_TPR_SHADOW),
    [EXIT_REASON_RDRAND] = SECONDARY(RDRAND_EXITING),
    [EXIT_REASON_INVPCID] = {true, 0, PRIMARY_INVLPG_EXITING, SECONDARY_ENABLE_INVPCID},
    [EXIT_REASON_VMFUNC] = SECONDARY(ENABLE_VM_FUNCTIONS), [EXIT_REASON_RDSEED] = SECONDARY(RDSEED_EXITING),
    [EXIT_REASON_PML_FULL] = {true, 0, 0, SECONDARY_ENABLE_PML | SECONDARY_ENABLE_EPT},
    [EXIT_REASON_XSAVES] = SECONDARY(ENABLE_XSAVES_XRSTORS), [EXIT_REASON_XRSTORS] = SECONDARY(ENABLE_XSAVES_XRSTORS),
    [EXIT_REASON_SPP_RELATED_EVENT] = SECONDARY(SUB_PAGE_WRITE_PERMISSIONS_FOR_EPT),
    [EXIT_REASON_UMWAIT] = {true, 0, PRIMARY_RDTSC_EXITING, SECONDARY_ENABLE_USER_WAIT_AND_PAUSE},
    [EXIT_REASON_TPAUSE] = {true, 0, PRIMARY_RDTSC_EXITING, SECONDARY_ENABLE_USER_WAIT_AND_PAUSE},
    [EXIT_REASON_BUS_LOCK] = SECONDARY(VMM_BUS_LOCK_DETECTION),
    [EXIT_REASON_INSTRUCTION_TIMEOUT] = SECONDARY(INSTRUCTION_TIMEOUT),
};
/* clang-format on */

/* SDM "Exception Bitmap"; NMIs by their pin-based control. */
static bool exception_exits(const struct vmcs *v)
{
    const uint32_t information = v->vm_exit_interruption_information, vector = information & 0xff;
    if (!(information & INTERRUPTION_VALID))
        return false;
    if ((information & INTERRUPTION_TYPE) >> INTERRUPTION_TYPE_SHIFT == EVENT_NMI)
        return v->pin_based_controls & PIN_NMI_EXITING;
    if (vector >= 32)
        return false;
    bool wanted = v->exception_bitmap >> vector & 1;
    if (vector == VECTOR_PF && (v->vm_exit_interruption_error_code & v->page_fault_error_code_mask) !=
                                   v->page_fault_error_code_match)
        wanted = !wanted;
    return wanted;
}

static bool control_register_exits(const struct vmcs *v)
{
    const unsigned number = v->exit_qualification & 15, type = v->exit_qualification >> 4 & 3;
    const uint32_t primary = v->primary_proc_based_controls;
    switch (number) {
    case 0:
        return v->cr0_guest_host_mask != 0 && type != 1;
    case 3:
        return primary & (type == 0 ? PRIMARY_CR3_LOAD_EXITING : PRIMARY_CR3_STORE_EXITING) && type < 2;
    case 4:
        return v->cr4_guest_host_mask != 0 && type == 0;
    case 8:
        return primary & (type == 0 ? PRIMARY_CR8_LOAD_EXITING : PRIMARY_CR8_STORE_EXITING) && type < 2;
    default:
        return false;
    }
}

bool lab_exit_allowed(const struct lab *lab, uint32_t reason)
{
    const struct vmcs *v = &lab->cpu.vmx.vmcs;
    if (reason >= CYCLE_EXIT_REASONS || !needs[reason].modelled)
        return false;
    const struct need *need = &needs[reason];
    if ((v->pin_based_controls & need->pin) != need->pin ||
        (v->primary_proc_based_controls & need->primary) != need->primary ||
        (vmcs_secondary_controls(v) & need->secondary) != need->secondary)
        return false;
    switch (reason) {
    case EXIT_REASON_EXCEPTION_OR_NMI:
        return exception_exits(v);
    case EXIT_REASON_CONTROL_REGISTER_ACCESSES:
        return control_register_exits(v);
    case EXIT_REASON_IO_INSTRUCTION:
        return v->primary_proc_based_controls & (PRIMARY_UNCONDITIONAL_IO_EXITING | PRIMARY_USE_IO_BITMAPS);
    case EXIT_REASON_PAUSE:
        return v->primary_proc_based_controls & PRIMARY_PAUSE_EXITING ||
               vmcs_secondary_controls(v) & SECONDARY_PAUSE_LOOP_EXITING;
    case EXIT_REASON_START_UP_IPI:
        return v->guest_activity_state == ACTIVITY_WAIT_FOR_SIPI;
    default:
        return true;
    }
}
