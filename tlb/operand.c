/* operand.c: a memory operand of an instruction, from its encoding to the bytes; and what a failed
 * translation becomes. */
#include "tlb/mmu.h"
#include "vtsim/breakpoints.h"

#define EXIT_REASON_APIC_ACCESS 44u
#define EXIT_REASON_EPT_VIOLATION 48u
#define EXIT_REASON_EPT_MISCONFIGURATION 49u
#define EXIT_REASON_PML_FULL 62u
#define EXIT_REASON_SPP_RELATED_EVENT 66u
#define QUALIFICATION_LINEAR_VALID (1ull << 7)

/* SDM volume 3A, "Access Rights": explicit accesses; RFLAGS.AC lifts SMAP for supervisor mode. */
static struct mmu_mode mode_of(const struct cpu_state *state)
{
    bool user = cpu_cpl(state) == 3;
    return (struct mmu_mode){.user = user, .smap_ignored = !user && (state->rflags & RFLAGS_AC)};
}

/* Bytes to which the operand's address plus *at must be aligned where #AC is checked: SDM volume 3A, table
 * "Alignment Requirements by Data Type". A pseudo-descriptor is stored as a word and, behind it, the base:
 * "Segment Descriptor Tables" puts it where both are aligned. */
static unsigned alignment_of(const struct insn *insn, size_t size, unsigned *at)
{
    *at = 0;
    switch (insn->id) {
    case INSN_SGDT:
    case INSN_SIDT:
        *at = 2;
        return (unsigned)size - 2;
    case INSN_BNDMOV_TO: /* two bounds: SDM volume 2, "BNDMOV" */
    case INSN_BNDMOV_FROM:
        return (unsigned)size / 2;
    case INSN_CALL_FAR:
    case INSN_JMP_FAR:
        return (unsigned)size - 2; /* that of the offset */
    default:
        return size <= 8 ? (unsigned)size : 0;
    }
}

static bool operand_address(const struct cpu_state *state, const struct insn *insn, size_t size,
                            enum mmu_access access, uint64_t *linear, struct cpu_outcome *outcome)
{
    unsigned at;
    const unsigned alignment = alignment_of(insn, size, &at);
    if (!seg_linear_address(state, (enum cpu_segment_index)insn->segment, seg_effective_address(state, insn),
                            size, access, linear, outcome))
        return false;
    if (!cpu_misaligned(state, *linear + at, alignment))
        return true;
    *outcome = outcome_fault_code(VECTOR_AC, 0);
    return false;
}

bool mmu_read_operand(struct mmu *mmu, struct cpu_state *state, const struct insn *insn, void *to,
                      size_t size, struct cpu_outcome *outcome)
{
    struct mmu_fault fault;
    uint64_t linear;
    if (!operand_address(state, insn, size, MMU_READ, &linear, outcome))
        return false;
    enum mmu_status status = mmu_read(mmu, linear, to, size, mode_of(state), &fault);
    if (status == MMU_OK)
        breakpoints_note(state, linear, size, BREAKPOINT_ON_ACCESS);
    else
        *outcome = mmu_fault_outcome(status, &fault);
    return status == MMU_OK;
}

bool mmu_write_operand(struct mmu *mmu, struct cpu_state *state, const struct insn *insn, const void *from,
                       size_t size, struct cpu_outcome *outcome)
{
    struct mmu_fault fault;
    uint64_t linear;
    if (!operand_address(state, insn, size, MMU_WRITE, &linear, outcome))
        return false;
    enum mmu_status status = mmu_write(mmu, linear, from, size, mode_of(state), &fault);
    if (status == MMU_OK)
        breakpoints_note(state, linear, size, BREAKPOINT_ON_ACCESS | BREAKPOINT_ON_WRITE);
    else
        *outcome = mmu_fault_outcome(status, &fault);
    return status == MMU_OK;
}

static struct cpu_outcome page_fault(const struct mmu_fault *fault)
{
    struct cpu_outcome outcome = outcome_fault_code(VECTOR_PF, fault->error_code);
    outcome.event.cr2 = fault->linear;
    return outcome;
}

/* SDM volume 3C, "Information for VM Exits Due to ... EPT": the guest-linear address is saved for EPT
 * violations whose qualification has bit 7 set; a misconfiguration has no qualification. */
struct cpu_outcome mmu_fault_outcome(enum mmu_status status, const struct mmu_fault *fault)
{
    struct vm_exit exit = {.guest_physical_address = fault->guest_physical};
    switch (status) {
    case MMU_PAGE_FAULT:
        return page_fault(fault);
    case MMU_EPT_VIOLATION:
        exit.reason = EXIT_REASON_EPT_VIOLATION;
        exit.qualification = fault->qualification;
        exit.convertible = fault->convertible;
        exit.guest_linear_address = fault->qualification & QUALIFICATION_LINEAR_VALID ? fault->linear : 0;
        return outcome_vm_exit(&exit);
    case MMU_EPT_MISCONFIGURATION:
        exit.reason = EXIT_REASON_EPT_MISCONFIGURATION;
        return outcome_vm_exit(&exit);
    case MMU_SPP_EVENT:
        exit.reason = EXIT_REASON_SPP_RELATED_EVENT;
        exit.qualification = fault->qualification;
        exit.guest_linear_address = fault->linear;
        return outcome_vm_exit(&exit);
    case MMU_PML_FULL: /* no address is saved, and bits 11:0 of the qualification are undefined */
        return outcome_vm_exit(&(struct vm_exit){.reason = EXIT_REASON_PML_FULL});
    case MMU_APIC_ACCESS:
        exit.reason = EXIT_REASON_APIC_ACCESS;
        exit.qualification = fault->qualification;
        exit.instruction_length = fault->instruction_length;
        return outcome_vm_exit(&exit);
    case MMU_OK:
        break;
    }
    return outcome_of(OUTCOME_DONE);
}
