/* watch.c: what the trace tells, checked while it is told. */
#include "tests/fuzz/vmx/lab.h"
#include "vmx_model/effective_controls.h"

void lab_fail(const struct lab *lab, const char *file, int line, const char *condition)
{
    const struct vmx *vmx = &lab->cpu.vmx;
    fprintf(stderr, "%s:%d: %s does not hold\n", file, line, condition);
    fprintf(stderr, "%s, %s, step: %s; RIP %#llx, last exit reason %#x qualification %#llx\n",
            lab->cpu.profile->name,
            vmx->non_root ? "non-root"
            : vmx->on     ? "root"
                          : "outside VMX operation",
            lab->step ? lab->step : "", (unsigned long long)lab->cpu.state.rip, vmx->vmcs.exit_reason,
            (unsigned long long)vmx->vmcs.exit_qualification);
    abort();
}

static void on_vm_entry(struct lab *lab)
{
    const struct vmx *vmx = &lab->cpu.vmx;
    lab->entries++;
    REQUIRE(lab, vmx->non_root && vmx->on && vmx->vmcs.launched && !vmx->current_vmcs_is_shadow);
    lab_require_enterable(lab, &vmx->vmcs, true);
    if (!vmcs_vpid_enabled(&vmx->vmcs) && !vmx->vmcs.vm_entry_msr_load_count)
        lab_require_no_vpid(lab, 0); /* SDM "Operations that Invalidate Cached Mappings" */
}

/* SDM "Exit Reason": bits that are reserved, or that nothing modelled sets. */
#define REASON_RESERVED 0x7fff0000u
#define INFORMATION_RESERVED 0x7fffe000u

static void require_event_information(const struct lab *lab, uint32_t information)
{
    const unsigned type = (information & INTERRUPTION_TYPE) >> INTERRUPTION_TYPE_SHIFT,
                   vector = information & 0xff;
    if (!(information & INTERRUPTION_VALID))
        return;
    REQUIRE(lab, !(information & INFORMATION_RESERVED));
    REQUIRE(lab, type != 1 && type != EVENT_OTHER);
    REQUIRE(lab, type != EVENT_NMI || vector == VECTOR_NMI);
    REQUIRE(lab, type != EVENT_HARDWARE_EXCEPTION || vector < 32);
    REQUIRE(lab, !(information & INTERRUPTION_ERROR_CODE) || type == EVENT_HARDWARE_EXCEPTION);
}

static void on_vm_exit(struct lab *lab, uint32_t reason)
{
    const struct vmx *vmx = &lab->cpu.vmx;
    const struct vmcs *v = &vmx->vmcs;
    lab->exits++;
    REQUIRE(lab, !vmx->non_root && vmx->on && !lab->exited);
    REQUIRE(lab, (v->exit_reason & 0xffff) == reason &&
                     !(v->exit_reason & (REASON_RESERVED | EXIT_REASON_VM_ENTRY_FAILURE)));
    REQUIRE(lab, lab_exit_allowed(lab, reason));
    REQUIRE(lab, v->vm_exit_instruction_length <= 15);
    REQUIRE(lab, !(v->vm_entry_interruption_information & INTERRUPTION_VALID));
    require_event_information(lab, v->vm_exit_interruption_information);
    require_event_information(lab, v->idt_vectoring_information);
    lab_require_enterable(lab, v, false);
    lab->exited = true;
    lab->at_exit = lab->cpu.state;
}

static void on_failed_entry(struct lab *lab, uint32_t code)
{
    lab->failures++;
    REQUIRE(lab, code == 7 || code == 8 || code == EXIT_REASON_ENTRY_FAILURE_GUEST_STATE ||
                     code == EXIT_REASON_ENTRY_FAILURE_MSR_LOADING);
    lab->entry_failed_late = code > 8;
}

/* SDM "Conventions" of the VMX instructions: VMfailInvalid is for no current VMCS, for VMXON, for VMREAD and
 * VMWRITE through a VMCS link pointer, and for an entry with a shadow VMCS. */
static bool may_fail_invalid(const struct vmx *vmx, uint32_t instruction)
{
    const bool entry = instruction == TRACE_VMLAUNCH || instruction == TRACE_VMRESUME;
    return instruction == TRACE_VMXON || vmx->current_vmcs == VMX_NO_VMCS || vmx->non_root ||
           (entry && vmx->current_vmcs_is_shadow);
}

static void on_vmx_instruction(struct lab *lab, const struct trace_event *event)
{
    const struct vmx *vmx = &lab->cpu.vmx;
    const uint64_t flags = lab->cpu.state.rflags & RFLAGS_ARITHMETIC;
    if (event->a == ~0ull)
        return;
    if (event->a == ~1ull) {
        REQUIRE(lab, flags == RFLAGS_CF && may_fail_invalid(vmx, event->code));
        return;
    }
    if (event->a == 0)
        return;
    REQUIRE(lab, vmx->on && flags == RFLAGS_ZF);
    REQUIRE(lab, lab_error_allowed(event->code, event->a));
}

void lab_watch(void *opaque, const struct trace_event *event)
{
    struct lab *lab = opaque;
    REQUIRE(lab, event->kind < TRACE_KIND_COUNT && event->cycles >= lab->now_before &&
                     event->cycles <= lab->cpu.account.now);
    switch (event->kind) {
    case TRACE_VM_ENTRY:
        on_vm_entry(lab);
        break;
    case TRACE_VM_EXIT:
        on_vm_exit(lab, event->code);
        break;
    case TRACE_VM_ENTRY_FAILED:
        on_failed_entry(lab, event->code);
        break;
    case TRACE_VMX_INSTRUCTION:
        on_vmx_instruction(lab, event);
        break;
    default:
        break;
    }
    if (lab->verbose)
        fprintf(stderr, "  %u code %u a %#llx b %#llx\n", event->kind, event->code,
                (unsigned long long)event->a, (unsigned long long)event->b);
}
