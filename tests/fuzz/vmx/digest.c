/* digest.c: all that a run comes to, in one number. */
#include "tests/fuzz/vmx/lab.h"

static uint64_t mix(uint64_t digest, uint64_t value)
{
    digest = (digest ^ value) * 0x9e3779b97f4a7c15;
    return digest ^ digest >> 29;
}

static uint64_t mix_state(uint64_t d, const struct cpu_state *s)
{
    for (unsigned i = 0; i < GPR_COUNT; i++)
        d = mix(d, s->gpr[i]);
    for (unsigned i = 0; i < SEG_COUNT; i++)
        d = mix(mix(mix(mix(d, s->seg[i].base), s->seg[i].limit), s->seg[i].access_rights),
                s->seg[i].selector);
    const uint64_t rest[] = {s->rip,
                             s->rflags,
                             s->cr0,
                             s->cr2,
                             s->cr3,
                             s->cr4,
                             s->xcr0,
                             s->pkru,
                             s->dr6,
                             s->dr7,
                             s->msr.efer,
                             s->msr.debugctl,
                             s->msr.pat,
                             s->activity_state,
                             s->interruptibility_state,
                             s->pending_debug_exceptions,
                             s->tsc_offset_root,
                             s->gdtr.base,
                             s->idtr.base};
    for (unsigned i = 0; i < sizeof rest / sizeof rest[0]; i++)
        d = mix(d, rest[i]);
    return d;
}

uint64_t lab_digest(const struct lab *lab)
{
    const struct cpu *cpu = &lab->cpu;
    uint64_t d = mix_state(lab->status, &cpu->state);
    for (size_t i = 0; i < VMCS_FIELD_COUNT; i++)
        d = mix(d, vmcs_read(&cpu->vmx.vmcs, vmcs_field_at(i)));
    for (unsigned mode = 0; mode < CYCLE_MODE_COUNT; mode++)
        for (unsigned cause = 0; cause < CYCLE_CAUSE_COUNT; cause++)
            d = mix(d, cpu->account.by[mode][cause]);
    for (size_t i = 0; i < LAB_RAM; i += 8) {
        uint64_t word;
        memcpy(&word, lab->ram + i, 8);
        d = mix(d, word);
    }
    return mix(mix(mix(d, lab->exits), lab->entries), lab->failures);
}
