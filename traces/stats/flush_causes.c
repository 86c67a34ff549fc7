/* flush_causes.c: one stable text name for each cause of a TLB flush. */
#include "traces/stats/names.h"

#include <stddef.h>

#include "vtsim/trace.h"

static const char *const names[FLUSH_CAUSE_COUNT] = {
    [FLUSH_VM_ENTRY] = "VM entry",
    [FLUSH_VM_EXIT] = "VM exit",
    [FLUSH_MOV_CR3] = "MOV to CR3",
    [FLUSH_MOV_CR0] = "MOV to CR0",
    [FLUSH_MOV_CR4] = "MOV to CR4",
    [FLUSH_EFER] = "WRMSR to IA32_EFER",
    [FLUSH_INVLPG] = "INVLPG",
    [FLUSH_INVPCID_ADDRESS] = "INVPCID individual-address",
    [FLUSH_INVPCID_SINGLE] = "INVPCID single-context",
    [FLUSH_INVPCID_ALL] = "INVPCID all-context, globals included",
    [FLUSH_INVPCID_ALL_NONGLOBAL] = "INVPCID all-context",
    [FLUSH_INVVPID_ADDRESS] = "INVVPID individual-address",
    [FLUSH_INVVPID_SINGLE] = "INVVPID single-context",
    [FLUSH_INVVPID_ALL] = "INVVPID all-context",
    [FLUSH_INVVPID_SINGLE_NONGLOBAL] = "INVVPID single-context, globals retained",
    [FLUSH_INVEPT_SINGLE] = "INVEPT single-context",
    [FLUSH_INVEPT_ALL] = "INVEPT all-context",
    [FLUSH_EPT_VIOLATION] = "EPT violation",
    [FLUSH_PAGE_FAULT] = "page fault",
    [FLUSH_TASK_SWITCH] = "task switch",
    [FLUSH_VMFUNC] = "VMFUNC",
};

const char *trace_flush_cause_name(unsigned cause)
{
    return cause < FLUSH_CAUSE_COUNT ? names[cause] : NULL;
}
