/* errors.c: SDM "VM Instruction Error Numbers", and which instruction's "Operation" gives which. */
#include "tests/fuzz/vmx/lab.h"

bool lab_error_allowed(uint32_t instruction, uint64_t error)
{
    static const uint8_t allowed[TRACE_VMX_INSTRUCTION_COUNT][6] = {[TRACE_VMXON] = {15},
                                                                    [TRACE_VMXOFF] = {23},
                                                                    [TRACE_VMCLEAR] = {2, 3},
                                                                    [TRACE_VMPTRLD] = {9, 10, 11},
                                                                    [TRACE_VMREAD] = {12},
                                                                    [TRACE_VMWRITE] = {12, 13},
                                                                    [TRACE_VMLAUNCH] = {4, 7, 8, 26},
                                                                    [TRACE_VMRESUME] = {5, 7, 8, 26},
                                                                    [TRACE_VMCALL] = {1},
                                                                    [TRACE_INVEPT] = {28},
                                                                    [TRACE_INVVPID] = {28}};
    if (instruction >= TRACE_VMX_INSTRUCTION_COUNT || !error)
        return false;
    for (unsigned i = 0; i < 6; i++)
        if (allowed[instruction][i] == error)
            return true;
    return false;
}
