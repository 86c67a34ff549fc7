/* fpu.c: x87 and SSE state, out of the library and in, by its public interface. */
#include "sim/core/x87_core.h"

enum { STATUS_TOP_SHIFT = 11, REGISTERS = 8 };

static unsigned top_of(uint16_t status)
{
    return status >> STATUS_TOP_SHIFT & 7u;
}

/* The public interface has two bits for each register, 11 for an empty one; written, the others mean the same. */
static uint8_t valid_of(uint16_t tags)
{
    uint8_t valid = 0;
    for (unsigned i = 0; i < REGISTERS; i++)
        if ((tags >> 2 * i & 3) != 3)
            valid |= (uint8_t)(1u << i);
    return valid;
}

static uint16_t tags_of(uint8_t valid)
{
    uint16_t tags = 0;
    for (unsigned i = 0; i < REGISTERS; i++)
        if (!(valid >> i & 1))
            tags |= (uint16_t)(3u << 2 * i);
    return tags;
}

void core_read_fpu(void *opaque, struct fpu_state *to)
{
    struct core *core = opaque;
    uint16_t tags = 0;
    x87_settle_pointers(core);
    *to = (struct fpu_state){0};
    uc_reg_read(core->uc, UC_X86_REG_FPCW, &to->control);
    uc_reg_read(core->uc, UC_X86_REG_FPSW, &to->status);
    uc_reg_read(core->uc, UC_X86_REG_FPTAG, &tags);
    uc_reg_read(core->uc, UC_X86_REG_FOP, &to->opcode);
    uc_reg_read(core->uc, UC_X86_REG_FIP, &to->instruction_pointer);
    uc_reg_read(core->uc, UC_X86_REG_FDP, &to->data_pointer);
    uc_reg_read(core->uc, UC_X86_REG_FCS, &to->instruction_selector);
    uc_reg_read(core->uc, UC_X86_REG_FDS, &to->data_selector);
    uc_reg_read(core->uc, UC_X86_REG_MXCSR, &to->mxcsr);
    to->valid = valid_of(tags);
    for (unsigned i = 0; i < REGISTERS; i++)
        uc_reg_read(core->uc, UC_X86_REG_FP0 + (int)((top_of(to->status) + i) & 7), to->st[i]);
    for (int i = 0; i < 16; i++)
        uc_reg_read(core->uc, UC_X86_REG_XMM0 + i, to->xmm[i]);
}

void core_write_fpu(void *opaque, const struct fpu_state *from)
{
    struct core *core = opaque;
    const uint16_t tags = tags_of(from->valid);
    uc_reg_write(core->uc, UC_X86_REG_FPCW, &from->control);
    uc_reg_write(core->uc, UC_X86_REG_FPSW, &from->status);
    uc_reg_write(core->uc, UC_X86_REG_FPTAG, &tags);
    uc_reg_write(core->uc, UC_X86_REG_FOP, &from->opcode);
    uc_reg_write(core->uc, UC_X86_REG_FIP, &from->instruction_pointer);
    uc_reg_write(core->uc, UC_X86_REG_FDP, &from->data_pointer);
    uc_reg_write(core->uc, UC_X86_REG_FCS, &from->instruction_selector);
    uc_reg_write(core->uc, UC_X86_REG_FDS, &from->data_selector);
    uc_reg_write(core->uc, UC_X86_REG_MXCSR, &from->mxcsr);
    for (unsigned i = 0; i < REGISTERS; i++)
        uc_reg_write(core->uc, UC_X86_REG_FP0 + (int)((top_of(from->status) + i) & 7), from->st[i]);
    for (int i = 0; i < 16; i++)
        uc_reg_write(core->uc, UC_X86_REG_XMM0 + i, from->xmm[i]);
    core->x87_kept = false;
    x87_summarize(core->x87);
}
