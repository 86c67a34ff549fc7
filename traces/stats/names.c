/* names.c: names of instructions, mappings and exception vectors. */
#include "traces/stats/names.h"

#include <stddef.h>

#include "vtsim/findings.h"
#include "vtsim/trace.h"

static const char *const instruction_names[TRACE_VMX_INSTRUCTION_COUNT] = {
    [TRACE_VMXON] = "VMXON",     [TRACE_VMXOFF] = "VMXOFF",     [TRACE_VMCLEAR] = "VMCLEAR",
    [TRACE_VMPTRLD] = "VMPTRLD", [TRACE_VMPTRST] = "VMPTRST",   [TRACE_VMREAD] = "VMREAD",
    [TRACE_VMWRITE] = "VMWRITE", [TRACE_VMLAUNCH] = "VMLAUNCH", [TRACE_VMRESUME] = "VMRESUME",
    [TRACE_VMCALL] = "VMCALL",   [TRACE_INVEPT] = "INVEPT",     [TRACE_INVVPID] = "INVVPID",
    [TRACE_VMFUNC] = "VMFUNC",
};

static const char *const mapping_names[TRACE_MAPPING_COUNT] = {
    [TRACE_MAPPING_LINEAR] = "linear",
    [TRACE_MAPPING_GUEST_PHYSICAL] = "guest-physical",
    [TRACE_MAPPING_COMBINED] = "combined",
};

static const char *const vector_names[32] = {
    [0] = "#DE",  [1] = "#DB",  [2] = "NMI",  [3] = "#BP",  [4] = "#OF",  [5] = "#BR",  [6] = "#UD",
    [7] = "#NM",  [8] = "#DF",  [10] = "#TS", [11] = "#NP", [12] = "#SS", [13] = "#GP", [14] = "#PF",
    [16] = "#MF", [17] = "#AC", [18] = "#MC", [19] = "#XM", [20] = "#VE", [21] = "#CP",
};

const char *trace_vmx_instruction_name(unsigned instruction)
{
    return instruction < TRACE_VMX_INSTRUCTION_COUNT ? instruction_names[instruction] : NULL;
}

const char *trace_mapping_name(unsigned mapping)
{
    return mapping < TRACE_MAPPING_COUNT ? mapping_names[mapping] : NULL;
}

const char *trace_vector_name(unsigned vector)
{
    return vector < 32 ? vector_names[vector] : NULL;
}

const char *trace_finding_name(unsigned finding)
{
    static const char *const names[FINDING_COUNT] = {
#define FINDING(identifier, group, what, section, advice) [FINDING_##identifier] = #identifier,
#include "vtsim/findings.def"
#undef FINDING
    };
    return finding < FINDING_COUNT ? names[finding] : NULL;
}
