/*
 * instruction.c: one instruction that the core hands to the processor's model, from bytes, as the core
 * decodes it.
 */
#include "sim/core/insn_decode.h"
#include "tests/fuzz/vmx/lab.h"

bool lab_execute(struct lab *lab, const uint8_t *bytes, size_t size)
{
    struct cpu *cpu = &lab->cpu;
    struct insn insn;
    if (!insn_decode(bytes, size, cpu_code_bits(&cpu->state), &insn) || insn.id == INSN_UNKNOWN)
        return false;
    cpu->instructions++;
    lab->status = cpu_instruction(cpu, &insn);
    return true;
}

bool lab_execute_memory(struct lab *lab, const char *opcode, unsigned reg, uint32_t address)
{
    const unsigned bits = cpu_code_bits(&lab->cpu.state);
    const size_t length = strlen(opcode);
    uint8_t bytes[15] = {0};
    memcpy(bytes, opcode, length);
    uint8_t *at = bytes + length;
    *at++ = (uint8_t)(reg << 3 | (bits == 64 ? 4 : bits == 32 ? 5 : 6));
    if (bits == 64)
        *at++ = 0x25;
    memcpy(at, &address, bits == 16 ? 2 : 4);
    at += bits == 16 ? 2 : 4;
    return lab_execute(lab, bytes, (size_t)(at - bytes));
}

/* The eight registers that need no REX, RSP rarely. */
static unsigned any_register(struct choices *c)
{
    static const uint8_t registers[] = {0, 1, 2, 3, 5, 6, 7, 0, 1, 2, 3, 5, 6, 7, 4, 3};
    return registers[choose(c, sizeof registers)];
}

static uint64_t vmcs_pointer(struct choices *c)
{
    if (one_in(c, 12))
        return one_in(c, 2) ? GUEST_VMXON : choose_value(c);
    return LAB_VMCS + 0x1000 * choose(c, LAB_VMCSS);
}

static bool pointer_instruction(struct lab *lab)
{
    static const struct {
        const char *opcode;
        uint8_t reg;
    } rows[] = {{"\x66\x0f\xc7", 6}, {"\x0f\xc7", 6}, {"\x0f\xc7", 6}, {"\x0f\xc7", 7}, {"\xf3\x0f\xc7", 6}};
    struct choices *c = &lab->choices;
    const unsigned row = choose(c, 5);
    const uint64_t pointer = row == 4 && !one_in(c, 6) ? GUEST_VMXON : vmcs_pointer(c);
    memcpy(lab->ram + LAB_SCRATCH, &pointer, 8);
    return lab_execute_memory(lab, rows[row].opcode, rows[row].reg,
                              one_in(c, 24) ? choose_address(c) : LAB_SCRATCH);
}

/* VMREAD and VMWRITE of registers and memory. */
static bool field_instruction(struct lab *lab)
{
    struct choices *c = &lab->choices;
    const unsigned field = any_register(c), value = any_register(c), opcode = 0x78 + choose(c, 2);
    const uint32_t encoding = vmcs_field_at(choose(c, VMCS_FIELD_COUNT))->encoding;
    lab->cpu.state.gpr[value] = choose_value(c);
    lab->cpu.state.gpr[field] = one_in(c, 16) ? choose_value(c) : encoding | one_in(c, 16);
    if (one_in(c, 3))
        return lab_execute_memory(lab, opcode == 0x78 ? "\x0f\x78" : "\x0f\x79", field, LAB_SCRATCH);
    const uint8_t bytes[] = {0x0f, (uint8_t)opcode, (uint8_t)(0xc0 | field << 3 | value)};
    return lab_execute(lab, bytes, sizeof bytes);
}

/* INVEPT, INVVPID, INVPCID. */
static bool invalidation(struct lab *lab)
{
    static const char *const opcodes[] = {"\x66\x0f\x38\x80", "\x66\x0f\x38\x81", "\x66\x0f\x38\x82"};
    struct choices *c = &lab->choices;
    const unsigned which = choose(c, 3), reg = any_register(c);
    uint64_t operand[2] = {choose(c, 4), choose_address(c)};
    if (which == 0) {
        operand[0] = (one_in(c, 2) ? GUEST_EPT : LAB_EPT) | 0x1eu;
        operand[1] = 0;
    }
    if (one_in(c, 8))
        operand[choose(c, 2)] = choose_value(c);
    memcpy(lab->ram + LAB_SCRATCH, operand, sizeof operand);
    lab->cpu.state.gpr[reg] = one_in(c, 12) ? choose_value(c) : choose(c, 4);
    return lab_execute_memory(lab, opcodes[which], reg, LAB_SCRATCH);
}

static uint64_t control_register(const struct cpu_state *s, unsigned number)
{
    return number == 0 ? s->cr0 : number == 3 ? s->cr3 : number == 4 ? s->cr4 : 0;
}

static bool move_control_register(struct lab *lab)
{
    static const uint8_t numbers[] = {0, 3, 4, 0, 3, 4, 8, 2};
    struct choices *c = &lab->choices;
    struct cpu_state *s = &lab->cpu.state;
    const unsigned number = numbers[choose(c, 8)], reg = any_register(c);
    const uint8_t opcode = one_in(c, 3) ? 0x20 : 0x22;
    if (opcode == 0x22)
        s->gpr[reg] = one_in(c, 8) ? choose_value(c)
                      : number == 8
                          ? choose(c, 16)
                          : control_register(s, number) ^ (one_in(c, 3) ? 0 : 1ull << choose(c, 32));
    const uint8_t bytes[] = {0x44, 0x0f, opcode, (uint8_t)(0xc0 | (number & 7) << 3 | reg)};
    const bool rex = number == 8 && cpu_64bit_mode(s);
    return lab_execute(lab, bytes + !rex, sizeof bytes - !rex);
}

static bool move_debug_register(struct lab *lab)
{
    struct choices *c = &lab->choices;
    const unsigned reg = any_register(c);
    lab->cpu.state.gpr[reg] = choose_value(c);
    const uint8_t bytes[] = {0x0f, one_in(c, 2) ? 0x21 : 0x23, (uint8_t)(0xc0 | choose(c, 8) << 3 | reg)};
    return lab_execute(lab, bytes, sizeof bytes);
}

static uint32_t msr_index(struct choices *c)
{
    static const uint32_t indices[] = {
        0x10,       0x1b,       0x3a,       0x174,      0x175,      0x176,      0x1a0, 0x1d9,      0x277,
        0x38f,      0x3b,       0x48,       0x6a0,      0x6a2,      0x6e0,      0x6e1, 0xc0000080, 0xc0000081,
        0xc0000082, 0xc0000084, 0xc0000100, 0xc0000101, 0xc0000102, 0xc0000103, 0xda0, 0xe1,       0xd90};
    switch (choose(c, 4)) {
    case 0: /* x2APIC: any, or TPR, EOI, ICR, self-IPI */
        return one_in(c, 2)   ? 0x800 + choose(c, 0x40)
               : one_in(c, 2) ? 0x80b
                              : 0x808 + choose(c, 2) * 0x28 + choose(c, 2) * 0xf;
    case 1:
        return 0x480 + choose(c, 0x14); /* VMX capabilities */
    default:
        return one_in(c, 12) ? (uint32_t)choose_value(c)
                             : indices[choose(c, sizeof indices / sizeof indices[0])];
    }
}

/* What is written is often the present value with one bit changed. */
static bool msr_access(struct lab *lab)
{
    struct choices *c = &lab->choices;
    struct cpu_state *s = &lab->cpu.state;
    const uint32_t index = msr_index(c);
    uint64_t value = index >> 8 == 8 ? choose(c, 256) : choose_value(c);
    if (index >> 8 == 8 && one_in(c, 2))
        value = 0;
    else if (!one_in(c, 3) && cpu_read_msr(&lab->cpu, index, &value))
        value ^= one_in(c, 2) ? 0 : 1ull << choose(c, 64);
    s->gpr[GPR_RCX] = index;
    s->gpr[GPR_RAX] = (uint32_t)value;
    s->gpr[GPR_RDX] = value >> 32;
    const uint8_t bytes[] = {0x0f, one_in(c, 2) ? 0x32 : 0x30};
    return lab_execute(lab, bytes, sizeof bytes);
}

static bool port_access(struct lab *lab)
{
    struct choices *c = &lab->choices;
    static const uint8_t opcodes[] = {0xe4, 0xe5, 0xe6, 0xe7, 0xec, 0xed, 0xee, 0xef, 0x6c, 0x6d, 0x6e, 0x6f};
    static const uint8_t prefixes[] = {0x66, 0xf3, 0x67, 0x26};
    uint8_t bytes[15] = {prefixes[choose(c, 4)], opcodes[choose(c, sizeof opcodes)],
                         (uint8_t)choose_bits(c, 8)};
    const bool prefix = one_in(c, 3);
    lab->cpu.state.gpr[GPR_RDX] = choose(c, 0x10000);
    lab->cpu.state.gpr[GPR_RCX] = choose(c, 4);
    lab->cpu.state.gpr[GPR_RSI] = lab->cpu.state.gpr[GPR_RDI] = choose_address(c);
    return lab_execute(lab, bytes + !prefix, sizeof bytes - !prefix);
}

/* Instructions whose operands are what the registers hold, or an addressing form with its bytes. */
static bool other_instruction(struct lab *lab)
{
    static const char *const rows[] = {"\x0f\x01\xc1",
                                       "\x0f\x01\xc2",
                                       "\x0f\x01\xc3",
                                       "\x0f\x01\xc4",
                                       "\x0f\x01\xd4", /* VMCALL .. VMXOFF, VMFUNC */
                                       "\x0f\xa2",
                                       "\x0f\x31",
                                       "\x0f\x01\xf9",
                                       "\x0f\x33",
                                       "\xf4",
                                       "\x0f\x08",
                                       "\x0f\x09",
                                       "\xf3\x90",
                                       "\xf3\x90",
                                       "\x0f\x01\xc8",
                                       "\x0f\x01\xc9",
                                       "\x0f\x01\xd1",
                                       "\x0f\x01\xd0",
                                       "\x0f\xc7\xf0",
                                       "\x0f\xc7\xf8",
                                       "\x0f\x01\xee",
                                       "\x0f\x01\xef",
                                       "\x0f\x01\xf8",
                                       "\x0f\x01\xca",
                                       "\x0f\x01\xcb",
                                       "\x0f\x06",
                                       "\x0f\x01\xf0",
                                       "\x0f\x01\xe0",
                                       "\x0f\xaa",
                                       "\x0f\x37",
                                       "\x0f\x0b",
                                       "\x66\x0f\xae\xf0",
                                       "\xf2\x0f\xae\xf0",
                                       "\xf3\x0f\xae\xf0",
                                       "\x0f\x01\xe8",
                                       "\xfa",
                                       "\xfb",
                                       "\xfb",
                                       "\x9c",
                                       "\x9d",
                                       "\xcc",
                                       "\xf1",
                                       "\xce",
                                       "\xcf",
                                       "\x48\xcf",
                                       "\xcb",
                                       "\x0f\x05",
                                       "\x0f\x07",
                                       "\x0f\x34",
                                       "\x0f\x35",
                                       "\xf3\x0f\xc7\xf8"};
    static const struct {
        const char *opcode;
        uint8_t reg;
    } with_memory[] = {{"\x0f\x01", 0}, {"\x0f\x01", 1}, {"\x0f\x01", 2},    {"\x0f\x01", 3},
                       {"\x0f\x01", 4}, {"\x0f\x01", 6}, {"\x0f\x01", 7},    {"\x0f\x01", 7},
                       {"\x0f", 0},     {"\x0f", 0},     {"\x0f\xc7", 5},    {"\x0f\xc7", 3},
                       {"\xff", 5},     {"\xff", 3},     {"\x66\x0f\xae", 7}};
    struct choices *c = &lab->choices;
    if (one_in(c, 6)) {
        const uint8_t interrupt[] = {0xcd, (uint8_t)choose_bits(c, 8)};
        return lab_execute(lab, interrupt, sizeof interrupt);
    }
    if (one_in(c, 4)) {
        const unsigned row = choose(c, sizeof with_memory / sizeof with_memory[0]);
        const uint32_t at = choose_address(c);
        if (row == 8 || row == 9) { /* SLDT .. VERW: opcode 0F 00, which a string cannot hold */
            const uint8_t selector[] = {0x0f, 0x00, (uint8_t)(0xc0 | choose(c, 4) << 3)};
            lab->cpu.state.gpr[GPR_RAX] = choose_selector(c);
            return lab_execute(lab, selector, sizeof selector);
        }
        return lab_execute_memory(lab, with_memory[row].opcode, with_memory[row].reg, at);
    }
    if (one_in(c, 3)) { /* what VMFUNC, RDPMC and XSETBV take */
        lab->cpu.state.gpr[GPR_RAX] = choose(c, 8);
        lab->cpu.state.gpr[GPR_RCX] = choose(c, 5);
        lab->cpu.state.gpr[GPR_RDX] = 0;
    }
    const char *bytes = rows[choose(c, sizeof rows / sizeof rows[0])];
    return lab_execute(lab, (const uint8_t *)bytes, strlen(bytes));
}

bool lab_instruction(struct lab *lab)
{
    static bool (*const kinds[])(struct lab *) = {
        pointer_instruction,   field_instruction, invalidation,      move_control_register,
        move_control_register, msr_access,        msr_access,        port_access,
        move_debug_register,   other_instruction, other_instruction, other_instruction};
    return kinds[choose(&lab->choices, sizeof kinds / sizeof kinds[0])](lab);
}
