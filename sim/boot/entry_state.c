/* entry_state.c: Multiboot Specification, "Machine state". */
#include "sim/boot/boot.h"
#include "vtsim/cpu_state.h"

#define CODE_SELECTOR 0x08
#define DATA_SELECTOR 0x10
#define TYPE_CODE 0xbu /* execute, read, accessed */
#define TYPE_DATA 0x3u /* read, write, accessed */
#define TYPE_LDT 0x2u
#define TYPE_BUSY_TSS 0xbu /* 32-bit */
#define FLAT (AR_S | AR_P | AR_DB | AR_G)

static struct cpu_segment flat(uint16_t selector, uint32_t type)
{
    return (struct cpu_segment){.limit = 0xffffffffu, .access_rights = FLAT | type, .selector = selector};
}

void boot_set_cpu_state(const struct boot_result *result, struct cpu_state *state)
{
    static const uint8_t data[] = {SEG_ES, SEG_SS, SEG_DS, SEG_FS, SEG_GS};
    memset(state->gpr, 0, sizeof state->gpr);
    state->gpr[GPR_RAX] = result->eax;
    state->gpr[GPR_RBX] = result->ebx;
    state->rip = result->entry;
    state->rflags = RFLAGS_FIXED1;
    state->seg[SEG_CS] = flat(CODE_SELECTOR, TYPE_CODE);
    for (unsigned i = 0; i < sizeof data; i++)
        state->seg[data[i]] = flat(DATA_SELECTOR, TYPE_DATA);
    state->seg[SEG_LDTR] =
        (struct cpu_segment){.limit = 0xffff, .access_rights = AR_UNUSABLE | AR_P | TYPE_LDT};
    state->seg[SEG_TR] = (struct cpu_segment){.limit = 0xffff, .access_rights = AR_P | TYPE_BUSY_TSS};
    /* GDTR may be invalid and IDTR must be set up by the image: both are empty. */
    state->gdtr = state->idtr = (struct cpu_descriptor_table){0};
    state->cr0 = CR0_PE | CR0_ET;
    state->cr2 = state->cr3 = state->cr4 = 0;
    state->msr.efer = 0;
    state->activity_state = ACTIVITY_ACTIVE;
    state->interruptibility_state = 0;
    state->pending_debug_exceptions = 0;
}
