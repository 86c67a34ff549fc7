/*
 * vmx_controls.h: words for the capability MSRs of a profile.
 *
 * A control MSR has the bits that must be 1 in 31:0 and those that may be 1 in 63:32. The default1 classes
 * are what a processor without the TRUE MSRs wants set. Source: SDM appendix "VMX Capability Reporting
 * Facility", "Reserved Controls and Default Settings" to "VM-Entry Controls".
 */
#ifndef VTSIM_SIM_CPU_VMX_CONTROLS_H
#define VTSIM_SIM_CPU_VMX_CONTROLS_H

#include "vmx_model/capabilities.h"
#include "vmx_model/controls.h"

#define PIN_DEFAULT1 0x00000016u     /* bits 1, 2, 4 */
#define PRIMARY_DEFAULT1 0x0401e172u /* bits 1, 4-6, 8, 13-16, 26 */
#define EXIT_DEFAULT1 0x00036dffu    /* bits 0-8, 10, 11, 13, 14, 16, 17 */
#define ENTRY_DEFAULT1 0x000011ffu   /* bits 0-8, 12 */

/* Of these the TRUE MSRs allow the 0-setting. */
#define PRIMARY_DEFAULT1_OPTIONAL (PRIMARY_CR3_LOAD_EXITING | PRIMARY_CR3_STORE_EXITING)
#define EXIT_DEFAULT1_OPTIONAL EXIT_SAVE_DEBUG_CONTROLS
#define ENTRY_DEFAULT1_OPTIONAL ENTRY_LOAD_DEBUG_CONTROLS

#define CONTROL_MSR(must, may) ((uint64_t)((may) | (must)) << 32 | (must))
/* The secondary controls' MSR: every bit may be 0. */
#define CONTROL_MSR_SECONDARY(may) ((uint64_t)(may) << 32)

/* IA32_VMX_BASIC: region of 4096 bytes, write-back memory (type 6); no TRUE MSRs. */
#define VMX_BASIC_DEFAULT1_OF(revision) ((revision) | 4096ull << 32 | 6ull << 50)
/* The same with INS and OUTS information and the TRUE MSRs. */
#define VMX_BASIC_OF(revision)                                                                               \
    (VMX_BASIC_DEFAULT1_OF(revision) | VMX_BASIC_INS_OUTS_INFORMATION | VMX_BASIC_TRUE_CONTROLS)

/* Controls that vtsim models and that every profile from Nehalem on has. */
#define MODELLED_PIN                                                                                         \
    (PIN_EXTERNAL_INTERRUPT_EXITING | PIN_NMI_EXITING | PIN_VIRTUAL_NMIS | PIN_ACTIVATE_PREEMPTION_TIMER)
#define MODELLED_PRIMARY                                                                                     \
    (PRIMARY_INTERRUPT_WINDOW_EXITING | PRIMARY_USE_TSC_OFFSETTING | PRIMARY_HLT_EXITING |                   \
     PRIMARY_INVLPG_EXITING | PRIMARY_MWAIT_EXITING | PRIMARY_RDPMC_EXITING | PRIMARY_RDTSC_EXITING |        \
     PRIMARY_CR3_LOAD_EXITING | PRIMARY_CR3_STORE_EXITING | PRIMARY_CR8_LOAD_EXITING |                       \
     PRIMARY_CR8_STORE_EXITING | PRIMARY_NMI_WINDOW_EXITING | PRIMARY_MOV_DR_EXITING |                       \
     PRIMARY_UNCONDITIONAL_IO_EXITING | PRIMARY_USE_IO_BITMAPS | PRIMARY_USE_MSR_BITMAPS |                   \
     PRIMARY_MONITOR_EXITING | PRIMARY_PAUSE_EXITING | PRIMARY_ACTIVATE_SECONDARY_CONTROLS |                 \
     PRIMARY_USE_TPR_SHADOW | PRIMARY_MONITOR_TRAP_FLAG)
#define MODELLED_EXIT                                                                                        \
    (EXIT_SAVE_DEBUG_CONTROLS | EXIT_HOST_ADDRESS_SPACE_SIZE | EXIT_ACKNOWLEDGE_INTERRUPT |                  \
     EXIT_SAVE_IA32_PAT | EXIT_LOAD_IA32_PAT | EXIT_SAVE_IA32_EFER | EXIT_LOAD_IA32_EFER |                   \
     EXIT_SAVE_PREEMPTION_TIMER_VALUE | EXIT_LOAD_IA32_PERF_GLOBAL_CTRL)
#define MODELLED_ENTRY                                                                                       \
    (ENTRY_LOAD_DEBUG_CONTROLS | ENTRY_IA32E_MODE_GUEST | ENTRY_LOAD_IA32_PAT | ENTRY_LOAD_IA32_EFER |       \
     ENTRY_LOAD_IA32_PERF_GLOBAL_CTRL)
#define MODELLED_SECONDARY                                                                                   \
    (SECONDARY_ENABLE_EPT | SECONDARY_DESCRIPTOR_TABLE_EXITING | SECONDARY_ENABLE_RDTSCP |                   \
     SECONDARY_ENABLE_VPID | SECONDARY_WBINVD_EXITING | SECONDARY_VIRTUALIZE_APIC_ACCESSES |                 \
     SECONDARY_VIRTUALIZE_X2APIC_MODE)
/* What server parts have from Ivy Bridge on: all of APIC virtualization but IPIs, and posted interrupts. */
#define SERVER_PIN (MODELLED_PIN | PIN_PROCESS_POSTED_INTERRUPTS)
#define SERVER_SECONDARY (SECONDARY_APIC_REGISTER_VIRTUALIZATION | SECONDARY_VIRTUAL_INTERRUPT_DELIVERY)

/* Secondary controls that a later generation added. */
#define HASWELL_ADDED_SECONDARY (SECONDARY_ENABLE_VM_FUNCTIONS | SECONDARY_VMCS_SHADOWING)
#define BROADWELL_ADDED_SECONDARY                                                                            \
    (HASWELL_ADDED_SECONDARY | SECONDARY_ENABLE_PML | SECONDARY_EPT_VIOLATION_VE)
#define SKYLAKE_ADDED_SECONDARY (SECONDARY_ENABLE_XSAVES_XRSTORS | SECONDARY_USE_TSC_SCALING)
#define MPX_EXIT EXIT_CLEAR_IA32_BNDCFGS /* with Intel MPX */
#define MPX_ENTRY ENTRY_LOAD_IA32_BNDCFGS
/* Kaby Lake's and the Skylake servers'. */
#define SKYLAKE_SERVER_ADDED_SECONDARY SECONDARY_MODE_BASED_EXECUTE_CONTROL_FOR_EPT
#define ICELAKE_ADDED_SECONDARY                                                                              \
    SECONDARY_SUB_PAGE_WRITE_PERMISSIONS_FOR_EPT /* which server was the first: assumed */
#define SAPPHIRERAPIDS_ADDED_EXIT                                                                            \
    (EXIT_LOAD_CET_STATE | EXIT_LOAD_PKRS | EXIT_SAVE_IA32_PERF_GLOBAL_CTL | MPX_EXIT)
#define SAPPHIRERAPIDS_ADDED_ENTRY (ENTRY_LOAD_CET_STATE | ENTRY_LOAD_PKRS | MPX_ENTRY)
#define SAPPHIRERAPIDS_ADDED_SECONDARY                                                                       \
    (SECONDARY_ENABLE_USER_WAIT_AND_PAUSE | SECONDARY_INSTRUCTION_TIMEOUT | SECONDARY_VMM_BUS_LOCK_DETECTION)

/* What the first processors with VT-x had of these (2005): no virtual NMIs, MSR bitmaps or secondary
 * controls; of the state that came later (IA32_PAT, IA32_EFER, the VMX-preemption timer) nothing is saved or
 * loaded. */
#define FIRST_PIN (PIN_EXTERNAL_INTERRUPT_EXITING | PIN_NMI_EXITING)
#define FIRST_PRIMARY                                                                                        \
    (MODELLED_PRIMARY & ~(PRIMARY_NMI_WINDOW_EXITING | PRIMARY_USE_MSR_BITMAPS |                             \
                          PRIMARY_ACTIVATE_SECONDARY_CONTROLS | PRIMARY_MONITOR_TRAP_FLAG))
#define FIRST_EXIT (EXIT_SAVE_DEBUG_CONTROLS | EXIT_HOST_ADDRESS_SPACE_SIZE | EXIT_ACKNOWLEDGE_INTERRUPT)
#define FIRST_ENTRY (ENTRY_LOAD_DEBUG_CONTROLS | ENTRY_IA32E_MODE_GUEST)

/* Core 2 adds virtual NMIs and MSR bitmaps. */
#define CORE_2_PIN (FIRST_PIN | PIN_VIRTUAL_NMIS)
#define CORE_2_PRIMARY (FIRST_PRIMARY | PRIMARY_NMI_WINDOW_EXITING | PRIMARY_USE_MSR_BITMAPS)

/* The control words' MSRs for a struct vmx_capabilities: every bit of the default1 class must be 1. */
#define CONTROL_MSRS_DEFAULT1(pin, primary, exit, entry)                                                     \
    .pinbased_ctls = CONTROL_MSR(PIN_DEFAULT1, pin),                                                         \
    .procbased_ctls = CONTROL_MSR(PRIMARY_DEFAULT1, primary), .exit_ctls = CONTROL_MSR(EXIT_DEFAULT1, exit), \
    .entry_ctls = CONTROL_MSR(ENTRY_DEFAULT1, entry)
/* The same with the TRUE MSRs; pin: the pin-based controls; the others: beyond those that all have. */
#define CONTROL_MSRS_OF(pin, primary, exit, entry)                                                           \
    CONTROL_MSRS_DEFAULT1(pin, MODELLED_PRIMARY | (primary), MODELLED_EXIT | (exit),                         \
                          MODELLED_ENTRY | (entry)),                                                         \
        .true_pinbased_ctls = CONTROL_MSR(PIN_DEFAULT1, pin),                                                \
        .true_procbased_ctls =                                                                               \
            CONTROL_MSR(PRIMARY_DEFAULT1 & ~PRIMARY_DEFAULT1_OPTIONAL, MODELLED_PRIMARY | (primary)),        \
        .true_exit_ctls = CONTROL_MSR(EXIT_DEFAULT1 & ~EXIT_DEFAULT1_OPTIONAL, MODELLED_EXIT | (exit)),      \
        .true_entry_ctls = CONTROL_MSR(ENTRY_DEFAULT1 & ~ENTRY_DEFAULT1_OPTIONAL, MODELLED_ENTRY | (entry))
#define MODELLED_CONTROL_MSRS CONTROL_MSRS_OF(MODELLED_PIN, 0u, 0u, 0u)
#define SKYLAKE_CONTROL_MSRS CONTROL_MSRS_OF(MODELLED_PIN, 0u, MPX_EXIT, MPX_ENTRY)
#define SERVER_CONTROL_MSRS CONTROL_MSRS_OF(SERVER_PIN, 0u, 0u, 0u)
#define SAPPHIRERAPIDS_CONTROL_MSRS                                                                          \
    CONTROL_MSRS_OF(SERVER_PIN, PRIMARY_ACTIVATE_TERTIARY_CONTROLS, SAPPHIRERAPIDS_ADDED_EXIT,               \
                    SAPPHIRERAPIDS_ADDED_ENTRY)

/* IA32_VMX_MISC: the activity states that a VM entry may set; every processor with VT-x has all three. */
#define VMX_MISC_ACTIVITY_ALL                                                                                \
    (VMX_MISC_ACTIVITY_HLT | VMX_MISC_ACTIVITY_SHUTDOWN | VMX_MISC_ACTIVITY_WAIT_FOR_SIPI)

/* SDM appendix "VMX-Fixed Bits in CR0" and "... CR4": PE, NE and PG; VMXE. */
#define VMX_CR0_FIXED0 0x80000021ull
#define VMX_CR0_FIXED1 0xffffffffull
#define VMX_CR4_FIXED0 0x00002000ull

/* EPT and VPID as every profile from Nehalem on has them. */
#define MODELLED_EPT_VPID                                                                                    \
    (EPT_CAP_EXECUTE_ONLY | EPT_CAP_WALK_LENGTH_4 | EPT_CAP_MEMORY_TYPE_UC | EPT_CAP_MEMORY_TYPE_WB |        \
     EPT_CAP_PAGE_2M | EPT_CAP_INVEPT | EPT_CAP_INVEPT_TYPE(1) | EPT_CAP_INVEPT_TYPE(2) | EPT_CAP_INVVPID |  \
     EPT_CAP_INVVPID_TYPE(0) | EPT_CAP_INVVPID_TYPE(1) | EPT_CAP_INVVPID_TYPE(2) | EPT_CAP_INVVPID_TYPE(3))

#endif
