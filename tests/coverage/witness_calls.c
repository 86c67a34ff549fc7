/* witness_calls.c: what stands before the model's functions: see witness.h. */
#include "tests/coverage/witness.h"
#include "vmx_model/exit_reasons.h"
#include "vmx_model/transition.h"

static bool in_guest_after(const struct vmx *vmx, const struct insn *insn)
{
    return vmx->non_root || insn->id == INSN_VMLAUNCH || insn->id == INSN_VMRESUME;
}

static void see_exit_if(bool exits, const struct vm_exit *exit)
{
    if (exits)
        witness_exit(exit->reason);
}

static void see_outcome(const struct cpu_outcome *outcome)
{
    see_exit_if(outcome->kind == OUTCOME_VM_EXIT, &outcome->exit);
}

/* An exit that a test made up is no witness. */
static void see_exit_of_model(const struct vm_exit *exit)
{
    see_exit_if(witness_inside(), exit);
}

/* VM entries that fail after the checks on controls and host state. */
static void see_entry(const struct vmx *vmx, const struct cpu_outcome *outcome)
{
    if (outcome->kind != OUTCOME_VM_ENTRY && outcome->kind != OUTCOME_DONE &&
        (vmx->vmcs.exit_reason & EXIT_REASON_VM_ENTRY_FAILURE))
        witness_exit(vmx->vmcs.exit_reason);
}

#define nothing ((void)0)
#define COVER(name, type, parameters, arguments, of, acts, see)                                              \
    type __real_##name parameters;                                                                           \
    type __wrap_##name parameters;                                                                           \
    type __wrap_##name parameters                                                                            \
    {                                                                                                        \
        struct witness_call call = witness_begin(of, acts);                                                  \
        const type result = __real_##name arguments;                                                         \
        see;                                                                                                 \
        witness_end(&call);                                                                                  \
        return result;                                                                                       \
    }
#define COVER_VOID(name, parameters, arguments, of, acts)                                                    \
    void __real_##name parameters;                                                                           \
    void __wrap_##name parameters;                                                                           \
    void __wrap_##name parameters                                                                            \
    {                                                                                                        \
        struct witness_call call = witness_begin(of, acts);                                                  \
        __real_##name arguments;                                                                             \
        witness_end(&call);                                                                                  \
    }
#include "tests/coverage/witness_calls.def"
#undef COVER
#undef COVER_VOID

/* The checks of VM entry see the controls as they are. */
void __real_vmx_check_prepare(struct check_context *context);
void __wrap_vmx_check_prepare(struct check_context *context);
void __wrap_vmx_check_prepare(struct check_context *context)
{
    witness_show(context->vmcs, false);
    __real_vmx_check_prepare(context);
    witness_show(context->vmcs, true);
}

const struct vmx_rule *__real_vmx_check_first(const struct check_context *context, enum vmx_check_phase phase,
                                              uint64_t *qualification);
const struct vmx_rule *__wrap_vmx_check_first(const struct check_context *context, enum vmx_check_phase phase,
                                              uint64_t *qualification);
const struct vmx_rule *__wrap_vmx_check_first(const struct check_context *context, enum vmx_check_phase phase,
                                              uint64_t *qualification)
{
    witness_show(context->vmcs, false);
    const struct vmx_rule *rule = __real_vmx_check_first(context, phase, qualification);
    witness_show(context->vmcs, true);
    witness_rule(rule);
    return rule;
}

struct violations {
    void (*violated)(void *opaque, const struct vmx_rule *rule);
    void *opaque;
};

static void see_violation(void *opaque, const struct vmx_rule *rule)
{
    const struct violations *to = opaque;
    witness_rule(rule);
    if (to->violated)
        to->violated(to->opaque, rule);
}

size_t __real_vmx_check_all(const struct check_context *context, enum vmx_check_phase phase,
                            void (*violated)(void *opaque, const struct vmx_rule *rule), void *opaque);
size_t __wrap_vmx_check_all(const struct check_context *context, enum vmx_check_phase phase,
                            void (*violated)(void *opaque, const struct vmx_rule *rule), void *opaque);
size_t __wrap_vmx_check_all(const struct check_context *context, enum vmx_check_phase phase,
                            void (*violated)(void *opaque, const struct vmx_rule *rule), void *opaque)
{
    struct violations to = {violated, opaque};
    witness_show(context->vmcs, false);
    const size_t count = __real_vmx_check_all(context, phase, see_violation, &to);
    witness_show(context->vmcs, true);
    return count;
}

/* VM-instruction errors. */
void __real_vmx_fail_valid(struct vmx *vmx, uint32_t error);
void __wrap_vmx_fail_valid(struct vmx *vmx, uint32_t error);
void __wrap_vmx_fail_valid(struct vmx *vmx, uint32_t error)
{
    __real_vmx_fail_valid(vmx, error);
    if (vmx->vmcs.vm_instruction_error == error)
        witness_error(error);
}

void __real_vmx_fail(struct vmx *vmx, uint32_t error);
void __wrap_vmx_fail(struct vmx *vmx, uint32_t error);
void __wrap_vmx_fail(struct vmx *vmx, uint32_t error)
{
    __real_vmx_fail(vmx, error);
    if (vmx->current_vmcs != VMX_NO_VMCS && vmx->vmcs.vm_instruction_error == error)
        witness_error(error);
}
