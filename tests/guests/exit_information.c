/*
 * exit_information: what VM exits of instructions tell: qualification, length, instruction information,
 * guest-linear address, in 64-bit, 32-bit and 16-bit code. Expected values are made by hand from SDM volume
 * 3C "Basic VM-Exit Information", "Information for VM Exits Due to Instruction Execution" and their tables;
 * undefined bits are masked.
 */
/* expect: status 0 */
/* expect: options --quiet */
#include "trap.h"
#include "vmx.h"

enum {
    PAGE = 4096,
    HOST_ADDRESS_SPACE_SIZE = 1 << 9,
    IA32E_MODE_GUEST = 1 << 9,
    GUEST_LINEAR_ADDRESS = 0x640a,
    EXIT_INSTRUCTION_INFORMATION = 0x440e,
    EXIT_INTERRUPTION_INFORMATION = 0x4404,
    PRIMARY_WANTED = 1 << 9 | 1 << 10 | 1 << 11 | 1 << 12 | 1 << 15 | 1 << 16 | 1 << 19 | 1 << 20 | 1 << 23 |
                     1 << 24 | 1 << 29 |
                     1 << 30, /* INVLPG MWAIT RDPMC RDTSC CR3 CR8 MOV-DR I/O MONITOR PAUSE */
    SECONDARY_WANTED = 1 << 2 | 1 << 3 | 1 << 6 | 1 << 11 | 1 << 12 | 1 << 16, /* descriptor tables RDTSCP
                                                                        WBINVD RDRAND INVPCID RDSEED */
    CR0_TS = 8,
    CR4_DE = 8,
    /* fields of the instruction information */
    SCALE = 3,
    REG1 = 15 << 3,
    ADDRESS = 7 << 7,
    REGISTER = 1 << 10,
    SIZE_OF_GDTR = 1 << 11,
    SIZE_OF_RANDOM = 3 << 11,
    SEGMENT = 7 << 15,
    INDEX = 15 << 18,
    NO_INDEX = 1 << 22,
    BASE = 15 << 23,
    NO_BASE = 1 << 27,
    IDENTITY = 3 << 28,
    MEMORY = ADDRESS | REGISTER | SEGMENT | NO_INDEX | NO_BASE,
    A16 = 0,
    A32 = 1 << 7,
    A64 = 2 << 7,
};
#define ACTIVATE_SECONDARY (1u << 31)
#define REG2 (15u << 28)
#define CODE 0x2000000ull
#define OPERAND 0x2001000ull
#define FS_BASE 0x1000ull
#define GS_BASE 0x712345000ull
#define VALUES_RSI 0x100000010ull
#define VALUES_RDI 0x200000020ull
enum { ES, CS, SS, DS, FS, GS };
#define SEG(n) ((n) << 15)
#define IDX(n) ((n) << 18)
#define BAS(n) ((n) << 23)

struct information_case {
    const char *name;
    uint8_t bits;
    uint8_t code[10];
    uint8_t bytes;
    uint8_t reason;
    uint64_t qualification, qualification_mask;
    uint32_t information, information_mask;
    uint64_t linear; /* 0: none */
};

#define C(...) {__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})
#define ALL ~0ull
#define GDTR 46
#define LDTR 47
#define IO 30
#define IO_OF(port, what) ((uint64_t)(port) << 16 | (what))
enum { BYTE = 0, WORD = 1, DWORD = 3, IN = 8, STRING = 16, REP = 32, IMMEDIATE = 64 };
static const struct information_case cases[] = {
    {"SGDT [rip + 10H]", 64, C(0x0f, 0x01, 0x05, 0x10, 0, 0, 0), GDTR, CODE + 7 + 0x10, ALL,
     A64 | SEG(DS) | NO_INDEX | NO_BASE, MEMORY | IDENTITY, 0},
    {"LIDT [r12 + rcx*8 - 8]", 64, C(0x41, 0x0f, 0x01, 0x5c, 0xcc, 0xf8), GDTR, -8ull, ALL,
     3 | A64 | SEG(DS) | IDX(1) | BAS(12) | 3 << 28, MEMORY | SCALE | INDEX | BASE | IDENTITY, 0},
    {"SIDT fs:[rsp + 4]", 64, C(0x64, 0x0f, 0x01, 0x4c, 0x24, 4), GDTR, 4, ALL,
     A64 | SEG(FS) | NO_INDEX | BAS(4) | 1 << 28, MEMORY | BASE | IDENTITY, 0},
    {"LGDT [r13d + 0]", 64, C(0x67, 0x41, 0x0f, 0x01, 0x55, 0), GDTR, 0, 0xffffffff,
     A32 | SEG(SS) | NO_INDEX | BAS(13) | 2 << 28, (MEMORY & ~SEGMENT) | BASE | IDENTITY, 0},
    {"STR r10", 64, C(0x41, 0x0f, 0x00, 0xca), LDTR, 0, ALL, 10 << 3 | REGISTER | 1 << 28,
     REG1 | REGISTER | IDENTITY, 0},
    {"LLDT [rbp + 12345678H]", 64, C(0x0f, 0x00, 0x95, 0x78, 0x56, 0x34, 0x12), LDTR, 0x12345678, ALL,
     A64 | SEG(SS) | NO_INDEX | BAS(5) | 2 << 28, MEMORY | BASE | IDENTITY, 0},
    {"SLDT [rbp] with a CS prefix, ignored", 64, C(0x2e, 0x0f, 0x00, 0x45, 0), LDTR, 0, ALL,
     A64 | SEG(SS) | NO_INDEX | BAS(5), MEMORY | BASE | IDENTITY, 0},
    {"INVLPG gs:[edi]", 64, C(0x65, 0x67, 0x0f, 0x01, 0x3f), 14, GS_BASE + 0x20, ALL, 0, 0, 0},
    {"INVLPG [rdi]", 64, C(0x0f, 0x01, 0x3f), 14, VALUES_RDI, ALL, 0, 0, 0},
    {"INVPCID rcx, [rbx]", 64, C(0x66, 0x0f, 0x38, 0x82, 0x0b), 58, 0, ALL,
     A64 | SEG(DS) | NO_INDEX | BAS(3) | 1 << 28, MEMORY | BASE | REG2, 0},
    {"REP INSB", 64, C(0xf3, 0x6c), IO, IO_OF(0x1234, BYTE | IN | STRING | REP), ALL, A64, ADDRESS,
     VALUES_RDI},
    {"OUTSD fs:", 64, C(0x64, 0x6f), IO, IO_OF(0x1234, DWORD | STRING), ALL, A64 | SEG(FS), ADDRESS | SEGMENT,
     FS_BASE + VALUES_RSI},
    {"OUTSB by ESI", 64, C(0x67, 0x6e), IO, IO_OF(0x1234, BYTE | STRING), ALL, A32 | SEG(DS),
     ADDRESS | SEGMENT, 0x10},
    {"OUTSD with REX.W", 64, C(0x48, 0x6f), IO, IO_OF(0x1234, DWORD | STRING), ALL, A64 | SEG(DS),
     ADDRESS | SEGMENT, VALUES_RSI},
    {"IN AL, 60H", 64, C(0xe4, 0x60), IO, IO_OF(0x60, BYTE | IN | IMMEDIATE), ALL, 0, 0, 0},
    {"OUT DX, AX", 64, C(0x66, 0xef), IO, IO_OF(0x1234, WORD), ALL, 0, 0, 0},
    {"LMSW fs:[rbx]", 64, C(0x64, 0x0f, 0x01, 0x33), 28, 0xfff8ull << 16 | 1 << 6 | 3 << 4, ALL, 0, 0,
     FS_BASE + OPERAND},
    {"LMSW r8w", 64, C(0x41, 0x0f, 0x01, 0xf0), 28, 0x0808ull << 16 | 3 << 4, ALL, 0, 0, 0},
    {"MOV CR4, r15", 64, C(0x41, 0x0f, 0x22, 0xe7), 28, 4 | 15 << 8, ALL, 0, 0, 0},
    {"MOV CR3, rsp", 64, C(0x0f, 0x22, 0xdc), 28, 3 | 4 << 8, ALL, 0, 0, 0},
    {"MOV r11, CR8", 64, C(0x45, 0x0f, 0x20, 0xc3), 28, 8 | 1 << 4 | 11 << 8, ALL, 0, 0, 0},
    {"MOV CR0, r8", 64, C(0x41, 0x0f, 0x22, 0xc0), 28, 8 << 8, ALL, 0, 0, 0},
    {"MOV DR7, r9", 64, C(0x41, 0x0f, 0x23, 0xf9), 29, 7 | 9 << 8, ALL, 0, 0, 0},
    {"MOV rbx, DR4 with CR4.DE", 64, C(0x0f, 0x21, 0xe3), 29, 4 | 1 << 4 | 3 << 8, ALL, 0, 0, 0},
    {"RDRAND r13w", 64, C(0x66, 0x41, 0x0f, 0xc7, 0xf5), 57, 0, ALL, 13 << 3, REG1 | SIZE_OF_RANDOM, 0},
    {"RDSEED rax", 64, C(0x48, 0x0f, 0xc7, 0xf8), 61, 0, ALL, 2 << 11, REG1 | SIZE_OF_RANDOM, 0},
    {"VMREAD [rsi + rdi*2], r14", 64, C(0x44, 0x0f, 0x78, 0x34, 0x7e), 23, 0, ALL,
     (14u << 28 | 1 | A64 | SEG(DS) | IDX(7) | BAS(6)), MEMORY | SCALE | INDEX | BASE | REG2, 0},
    {"VMWRITE rcx, rbx", 64, C(0x0f, 0x79, 0xcb), 25, 0, ALL, 1 << 28 | 3 << 3 | REGISTER,
     REG1 | REGISTER | REG2, 0},
    {"VMPTRLD [rsp]", 64, C(0x0f, 0xc7, 0x34, 0x24), 21, 0, ALL, A64 | SEG(SS) | NO_INDEX | BAS(4),
     MEMORY | BASE, 0},
    {"VMXON [r8]", 64, C(0xf3, 0x41, 0x0f, 0xc7, 0x30), 27, 0, ALL, A64 | SEG(DS) | NO_INDEX | BAS(8),
     MEMORY | BASE, 0},
    {"INVEPT r8, [rip + 1]", 64, C(0x66, 0x44, 0x0f, 0x38, 0x80, 0x05, 1, 0, 0, 0), 50, CODE + 11, ALL,
     8u << 28 | A64 | SEG(DS) | NO_INDEX | NO_BASE, MEMORY | REG2, 0},
    {"INVVPID rdx, [rax*4]", 64, C(0x66, 0x0f, 0x38, 0x81, 0x14, 0x85, 0x44, 0x33, 0x22, 0xf1), 53,
     0xfffffffff1223344, ALL, 2 | 2u << 28 | A64 | SEG(DS) | IDX(0) | NO_BASE, MEMORY | SCALE | INDEX | REG2,
     0},
    {"PAUSE with a prefix", 64, C(0x2e, 0xf3, 0x90), 40, 0, ALL, 0, 0, 0},
    {"RDTSCP", 64, C(0x0f, 0x01, 0xf9), 51, 0, ALL, 0, 0, 0},
    {"WBINVD", 64, C(0x0f, 0x09), 54, 0, ALL, 0, 0, 0},
    {"RDPMC of no counter", 64, C(0x0f, 0x33), 15, 0, ALL, 0, 0, 0},
    {"MWAIT", 64, C(0x0f, 0x01, 0xc9), 36, 0, 0, 0, 0, 0},
    {"WRMSR of no MSR", 64, C(0x0f, 0x30), 32, 0, ALL, 0, 0, 0},

    {"INSB, the base wraps", 32, C(0x6c), IO, IO_OF(0x1234, BYTE | IN | STRING), ALL, A32, ADDRESS,
     0xfffff020},
    {"OUTSB by SI", 32, C(0x67, 0x6e), IO, IO_OF(0x1234, BYTE | STRING), ALL, A16 | SEG(DS),
     ADDRESS | SEGMENT, 0x1010},
    {"OUTSW ss:", 32, C(0x36, 0x66, 0x6f), IO, IO_OF(0x1234, WORD | STRING), ALL, A32 | SEG(SS),
     ADDRESS | SEGMENT, 0x3010},
    {"SGDT [bx + si + 10H]", 32, C(0x67, 0x0f, 0x01, 0x40, 0x10), GDTR, 0x10, 0xffff,
     A16 | SIZE_OF_GDTR | SEG(DS) | IDX(6) | BAS(3), MEMORY | SCALE | INDEX | BASE | SIZE_OF_GDTR | IDENTITY,
     0},
    {"LIDT [ebp + ecx*4 - 4]", 32, C(0x0f, 0x01, 0x5c, 0x8d, 0xfc), GDTR, 0xfffffffc, 0xffffffff,
     2 | A32 | SIZE_OF_GDTR | SEG(SS) | IDX(1) | BAS(5) | 3 << 28,
     MEMORY | SCALE | INDEX | BASE | SIZE_OF_GDTR | IDENTITY, 0},
    {"LGDT [eax], 16-bit operand", 32, C(0x66, 0x0f, 0x01, 0x10), GDTR, 0, 0xffffffff,
     A32 | SEG(DS) | NO_INDEX | BAS(0) | 2 << 28, MEMORY | BASE | SIZE_OF_GDTR | IDENTITY, 0},
    {"INVLPG [FFFFFFF0H], the base wraps", 32, C(0x0f, 0x01, 0x3d, 0xf0, 0xff, 0xff, 0xff), 14, 0xff0, ALL, 0,
     0, 0},
    {"MOV CR0, ecx", 32, C(0x0f, 0x22, 0xc1), 28, 1 << 8, ALL, 0, 0, 0},
    {"LMSW ds:[ebx]", 32, C(0x0f, 0x01, 0x33), 28, 0xfff8ull << 16 | 1 << 6 | 3 << 4, ALL, 0, 0,
     0x1000 + OPERAND},
    {"VMCALL in compatibility mode", 32, C(0x0f, 0x01, 0xc1), 18, 0, ALL, 0, 0, 0},
    {"VMREAD in compatibility mode", 32, C(0x0f, 0x78, 0xc8), 0, 0, ALL, 0, 0, 0}, /* #UD */
    {"LGDT [bp + di - 2]", 16, C(0x0f, 0x01, 0x53, 0xfe), GDTR, 0xfffe, 0xffff,
     A16 | SEG(SS) | IDX(7) | BAS(5) | 2 << 28, MEMORY | SCALE | INDEX | BASE | SIZE_OF_GDTR | IDENTITY, 0},
    {"SIDT [1234H]", 16, C(0x0f, 0x01, 0x0e, 0x34, 0x12), GDTR, 0x1234, 0xffff,
     A16 | SEG(DS) | NO_INDEX | NO_BASE | 1 << 28, MEMORY | SIZE_OF_GDTR | IDENTITY, 0},
    {"INSD by EDI", 16, C(0x66, 0x67, 0x6d), IO, IO_OF(0x1234, DWORD | IN | STRING), ALL, A32, ADDRESS,
     0xfffff020},
};

static uint8_t vmcs[PAGE] __attribute__((aligned(PAGE)));
static struct guest_registers registers;
static bool launched;

static void set_mode(unsigned bits)
{
    static const uint32_t bases[6] = {0xfffff000, 0, 0x3000, 0x1000, FS_BASE, 0};
    vmwrite(GUEST_CS_ACCESS_RIGHTS, bits == 64 ? 0xa09b : bits == 32 ? 0xc09b : 0x809b);
    for (unsigned i = 0; i < 6; i++)
        vmwrite(GUEST_ES_BASE + 2 * i, bits == 64 ? 0 : bases[i]);
    vmwrite(GUEST_ES_BASE + 2 * FS, FS_BASE);
    vmwrite(GUEST_ES_BASE + 2 * GS, GS_BASE);
}

static void check(const struct information_case *c, const char *what, uint64_t value, uint64_t expected)
{
    if (value == expected)
        return;
    put_text(c->name);
    put_text(": ");
    check_equal(what, value, expected, (int)(c - cases));
}

static void try_case(const struct information_case *c)
{
    set_mode(c->bits);
    memcpy((void *)CODE, c->code, c->bytes);
    memset((void *)(CODE + c->bytes), 0, 8);
    registers = (struct guest_registers){
        .rax = 0x55, .rbx = OPERAND, .rcx = 0x1000a, .rdx = 0xabcd1234, .rsi = VALUES_RSI, .rdi = VALUES_RDI};
    registers.r8 = 0x0808;
    registers.r15 = 1ull << 40;
    vmwrite(GUEST_RIP, CODE);
    vmwrite(GUEST_RFLAGS, 0x10002);
    check(c, "entered", vmx_run(&registers, launched), true);
    launched = true;
    check(c, "exit reason", vmread(EXIT_REASON), c->reason);
    if (c->reason)
        check(c, "length", vmread(EXIT_INSTRUCTION_LENGTH), c->bytes);
    else
        check(c, "#UD", vmread(EXIT_INTERRUPTION_INFORMATION), 1u << 31 | 3 << 8 | 6);
    check(c, "qualification", vmread(EXIT_QUALIFICATION) & c->qualification_mask,
          c->qualification & c->qualification_mask);
    check(c, "instruction information", vmread(EXIT_INSTRUCTION_INFORMATION) & c->information_mask,
          c->information & c->information_mask);
    if (c->linear)
        check(c, "guest-linear address", vmread(GUEST_LINEAR_ADDRESS), c->linear);
    check(c, "RIP", vmread(GUEST_RIP), CODE);
    check(c, "RFLAGS", vmread(GUEST_RFLAGS), c->reason ? 2 : 0x10002);
}

int main(void)
{
    const struct vmx_wanted_controls wanted = {.primary = ACTIVATE_SECONDARY | PRIMARY_WANTED,
                                               .secondary = SECONDARY_WANTED,
                                               .exit = HOST_ADDRESS_SPACE_SIZE,
                                               .entry = IA32E_MODE_GUEST};
    trap_install();
    if (!vmx_enable() || !vmcs_create_with(vmcs, &wanted))
        leave(1);
    vmcs_guest_long_mode(CODE, 0x2010000, read_cr3());
    vmwrite(GUEST_CR4, 0x2020 | CR4_DE);
    vmwrite(EXCEPTION_BITMAP, 1 << 6);
    vmwrite(CR0_GUEST_HOST_MASK, CR0_TS);
    vmwrite(CR0_READ_SHADOW, 0);
    vmwrite(CR4_GUEST_HOST_MASK, ~0ull);
    vmwrite(CR4_READ_SHADOW, 0);
    *(uint16_t *)(OPERAND + FS_BASE) = 0xfff8;
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++)
        try_case(&cases[i]);
    check_end();
}
