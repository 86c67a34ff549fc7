/* io.c: IN, OUT, INS, OUTS. SDM "Instructions That Cause VM Exits Conditionally", "I/O-Bitmap Addresses" and
 * table "Exit Qualification for I/O Instructions". */
#include "vmx_model/exit_conditions/exit_conditions.h"

#define DIRECTION_IN (1u << 3)
#define STRING (1u << 4)
#define REP_PREFIXED (1u << 5)
#define IMMEDIATE (1u << 6)
#define PORT_SHIFT 16

/* Bitmap A holds ports 0000H to 7FFFH, B the rest; the bit of a port is that of its low 15 bits. */
static bool bitmap_bit(const struct vmx *vmx, uint32_t port)
{
    const uint64_t bitmap = port < 0x8000 ? vmx->vmcs.io_bitmap_a_address : vmx->vmcs.io_bitmap_b_address;
    return phys_read(vmx->mem, bitmap + ((port & 0x7fff) >> 3), 1) >> (port & 7) & 1;
}

static bool intercepted(const struct vmx *vmx, uint32_t port, unsigned size)
{
    const uint32_t controls = vmx->vmcs.primary_proc_based_controls;
    if (!(controls & PRIMARY_USE_IO_BITMAPS))
        return (controls & PRIMARY_UNCONDITIONAL_IO_EXITING) != 0;
    if (port + size > 0x10000)
        return true; /* wraps around the I/O-port space */
    for (unsigned i = 0; i < size; i++)
        if (bitmap_bit(vmx, port + i))
            return true;
    return false;
}

/* Guest-linear address: base of ES and (E)DI for INS, base of DS or what overrides it and (E)SI for OUTS; as
 * of each data access, behind linear-address masking. */
static uint64_t string_linear_address(const struct cpu_state *state, const struct insn *insn)
{
    const bool input = insn->id == INSN_INS;
    const uint64_t offset = vmx_exit_low_bits(state->gpr[input ? GPR_RDI : GPR_RSI], insn->address_bits);
    return cpu_data_address(state, vmx_exit_linear_address(state, input ? SEG_ES : insn->segment, offset));
}

bool vmx_exit_io(struct vmx *vmx, const struct insn *insn, struct vm_exit *exit)
{
    const bool string = insn->id == INSN_INS || insn->id == INSN_OUTS;
    const bool input = insn->id == INSN_IN || insn->id == INSN_INS;
    const uint32_t port = insn->port_is_immediate ? (uint32_t)insn->immediate & 0xff
                                                  : (uint32_t)vmx->state->gpr[GPR_RDX] & 0xffff;
    if (!intercepted(vmx, port, insn->io_size))
        return false;
    exit->qualification = (insn->io_size - 1u) | (input ? DIRECTION_IN : 0) | (string ? STRING : 0) |
                          (string && insn->rep ? REP_PREFIXED : 0) |
                          (insn->port_is_immediate ? IMMEDIATE : 0) | (uint64_t)port << PORT_SHIFT;
    if (string)
        exit->guest_linear_address = string_linear_address(vmx->state, insn);
    return true;
}
