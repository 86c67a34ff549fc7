/*
 * exit_cost.c: what a VM exit cost, as the guest sees it: the exit, the monitor's own cycles, the entry, and
 * the walks that flushes made necessary from there to the guest's next exit.
 *
 * The monitor's part is all that happens in VMX root operation from the end of the exit to the VMLAUNCH or
 * VMRESUME that enters, entries that fail included. Whichever guest is entered, the parts are those of the
 * exit that came last.
 */
#include "vmx_model/transition.h"

static struct exit_account *account_of(struct vmx *vmx)
{
    return &vmx->account->exit[vmx->last_exit.reason % CYCLE_EXIT_REASONS];
}

void vmx_exit_begins(struct vmx *vmx)
{
    vmx_exit_cost_end(vmx);
    vmx->account->mode = CYCLES_ROOT;
}

void vmx_exit_ended(struct vmx *vmx, uint32_t reason, uint16_t vpid, uint64_t began)
{
    vmx->last_exit = (struct vmx_exit_cost){.state = EXIT_COST_IN_MONITOR,
                                            .reason = (uint16_t)(reason & 0xffff),
                                            .vpid = vpid,
                                            .exit = vmx->account->now - began,
                                            .mark = vmx->account->now};
    struct exit_account *account = account_of(vmx);
    account->count++;
    account->exit += vmx->last_exit.exit;
}

void vmx_entry_ended(struct vmx *vmx)
{
    struct vmx_exit_cost *cost = &vmx->last_exit;
    vmx->account->mode = CYCLES_NON_ROOT;
    if (cost->state != EXIT_COST_IN_MONITOR)
        return; /* the first entry of all: no exit came before it */
    cost->monitor = vmx->entry_began - cost->mark;
    cost->entry = vmx->account->now - vmx->entry_began;
    cost->mark = vmx->account->refill_cycles;
    cost->state = EXIT_COST_IN_GUEST;
    struct exit_account *account = account_of(vmx);
    account->monitor += cost->monitor;
    account->entry += cost->entry;
}

void vmx_exit_cost_end(struct vmx *vmx)
{
    struct vmx_exit_cost *cost = &vmx->last_exit;
    if (cost->state != EXIT_COST_IN_GUEST)
        return;
    const uint64_t refill = vmx->account->refill_cycles - cost->mark;
    cost->state = EXIT_COST_NONE;
    account_of(vmx)->refill += refill;
    trace_emit(vmx->trace, &(struct trace_event){.kind = TRACE_EXIT_COST,
                                                 .processor = vmx->processor,
                                                 .vpid = cost->vpid,
                                                 .code = cost->reason,
                                                 .a = cost->exit,
                                                 .b = cost->monitor,
                                                 .c = cost->entry,
                                                 .d = refill,
                                                 .cost = cost->exit + cost->monitor + cost->entry + refill,
                                                 .cycles = vmx->account->now});
}
