/* test_insn_decode.c: identity against a table made by hand, lengths against Capstone. SDM volume 2, "Opcode
 * Map". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <capstone/capstone.h>
#include <cmocka.h>

#include "sim/core/insn_decode.h"
#include "vtsim/cpu_state.h"

#define ALL 7 /* modes: 1, 2, 4 for 16, 32, 64 bits */
#define LEGACY 3
#define LONG 4

struct row {
    const char *bytes;
    uint8_t size;
    uint8_t modes;
    uint8_t id;
};
#define ROW(bytes, modes, id)                                                                                \
    {                                                                                                        \
        bytes, sizeof(bytes) - 1, modes, INSN_##id                                                           \
    }

static const struct row rows[] = {
    ROW("\x0f\xa2", ALL, CPUID),
    ROW("\x0f\x31", ALL, RDTSC),
    ROW("\x0f\x01\xf9", ALL, RDTSCP),
    ROW("\x0f\x33", ALL, RDPMC),
    ROW("\x0f\x32", ALL, RDMSR),
    ROW("\x0f\x30", ALL, WRMSR),
    ROW("\xf4", ALL, HLT),
    ROW("\x0f\x08", ALL, INVD),
    ROW("\x0f\x09", ALL, WBINVD),
    ROW("\xf3\x90", ALL, PAUSE),
    ROW("\x90", ALL, UNKNOWN),
    ROW("\x0f\x01\xc8", ALL, MONITOR),
    ROW("\x0f\x01\xc9", ALL, MWAIT),
    ROW("\x0f\xaa", ALL, RSM),
    ROW("\x0f\x37", ALL, GETSEC),
    ROW("\x0f\x01\xd0", ALL, XGETBV),
    ROW("\x0f\x01\xd1", ALL, XSETBV),
    ROW("\x0f\xae\x27", ALL, XSAVE),
    ROW("\x48\x0f\xae\x27", LONG, XSAVE),
    ROW("\x0f\xae\x2f", ALL, XRSTOR),
    ROW("\x0f\xae\x37", ALL, XSAVEOPT),
    ROW("\x0f\xc7\x27", ALL, XSAVEC),
    ROW("\x0f\xc7\x2f", ALL, XSAVES),
    ROW("\x0f\xc7\x1f", ALL, XRSTORS),
    ROW("\x0f\x01\xee", ALL, RDPKRU),
    ROW("\x0f\x01\xef", ALL, WRPKRU),
    ROW("\x0f\x01\xe8", ALL, SERIALIZE),
    ROW("\xf3\x0f\xc7\xf8", ALL, RDPID),
    ROW("\x0f\xae\x3f", ALL, CLFLUSH),
    ROW("\xf2\x0f\x79\xc0", ALL, RESERVED), /* AMD's INSERTQ, not VMWRITE */
    ROW("\xf3\x0f\x2b\x07", ALL, RESERVED),
    ROW("\x66\x0f\xae\x3f", ALL, CLFLUSHOPT),
    ROW("\x66\x0f\xae\x37", ALL, CLWB),
    ROW("\xf3\x0f\xae\xf0", ALL, UMONITOR),
    ROW("\xf2\x0f\xae\xf1", ALL, UMWAIT),
    ROW("\x66\x0f\xae\xf1", ALL, TPAUSE),
    ROW("\x0f\xc7\xf0", ALL, RDRAND),
    ROW("\x66\x0f\xc7\xf0", ALL, RDRAND),
    ROW("\x0f\xc7\xf8", ALL, RDSEED),
    ROW("\x49\x0f\xc7\xf0", LONG, RDRAND),
    ROW("\xf3\x0f\x1a\xc8", ALL, BNDCL),
    ROW("\xf2\x0f\x1a\xc8", ALL, BNDCU),
    ROW("\x66\x0f\x1a\xc8", ALL, BNDMOV_TO),
    ROW("\x0f\x1a\x48\x05", ALL, BNDLDX),
    ROW("\xf3\x0f\x1b\x48\x05", ALL, BNDMK),
    ROW("\xf2\x0f\x1b\xc8", ALL, BNDCN),
    ROW("\x66\x0f\x1b\xc8", ALL, BNDMOV_FROM),
    ROW("\x0f\x1b\x48\x05", ALL, BNDSTX),
    ROW("\x66\xf3\x0f\x1a\xc8", ALL, BNDCL), /* 66 does not count beside F3 */
    ROW("\x67\x0f\x1b\x48\x05", ALL, BNDSTX),
    ROW("\x0f\x20\xc0", ALL, MOV_FROM_CR),
    ROW("\x0f\x22\xd8", ALL, MOV_TO_CR),
    ROW("\x44\x0f\x22\xc0", LONG, MOV_TO_CR),
    ROW("\x0f\x21\xf8", ALL, MOV_FROM_DR),
    ROW("\x0f\x23\xf8", ALL, MOV_TO_DR),
    ROW("\x0f\x06", ALL, CLTS),
    ROW("\x0f\x01\xf0", ALL, LMSW),
    ROW("\x0f\x01\xe0", ALL, SMSW),
    ROW("\x0f\x01\xca", ALL, CLAC),
    ROW("\x0f\x01\xcb", ALL, STAC),
    ROW("\x0f\x01\xf8", LONG, SWAPGS),
    ROW("\x0f\x00\xc0", ALL, SLDT),
    ROW("\x0f\x00\xc8", ALL, STR),
    ROW("\x0f\x00\xd0", ALL, LLDT),
    ROW("\x0f\x00\xd8", ALL, LTR),
    ROW("\x0f\x01\xc1", ALL, VMCALL),
    ROW("\x0f\x01\xc2", ALL, VMLAUNCH),
    ROW("\x0f\x01\xc3", ALL, VMRESUME),
    ROW("\x0f\x01\xc4", ALL, VMXOFF),
    ROW("\x0f\x01\xd4", ALL, VMFUNC),
    ROW("\x0f\x78\xd8", ALL, VMREAD),
    ROW("\x0f\x79\xd8", ALL, VMWRITE),
    ROW("\x0f\x05", ALL, SYSCALL),
    ROW("\x0f\x07", ALL, SYSRET),
    ROW("\x48\x0f\x07", LONG, SYSRET),
    ROW("\x0f\x34", ALL, SYSENTER),
    ROW("\x0f\x35", ALL, SYSEXIT),
    ROW("\xec", ALL, IN),
    ROW("\xed", ALL, IN),
    ROW("\x66\xed", ALL, IN),
    ROW("\xe4\x60", ALL, IN),
    ROW("\xe5\x60", ALL, IN),
    ROW("\xee", ALL, OUT),
    ROW("\xe6\x80", ALL, OUT),
    ROW("\xef", ALL, OUT),
    ROW("\x6c", ALL, INS),
    ROW("\xf3\x6d", ALL, INS),
    ROW("\x6e", ALL, OUTS),
    ROW("\xf3\x66\x6f", ALL, OUTS),
    ROW("\xcd\x80", ALL, INT_N),
    ROW("\xcc", ALL, INT3),
    ROW("\xce", LEGACY, INTO),
    ROW("\xf1", ALL, INT1),
    ROW("\xcf", ALL, IRET),
    ROW("\x48\xcf", LONG, IRET),
    ROW("\xcb", ALL, RET_FAR),
    ROW("\xca\x08\x00", ALL, RET_FAR),
    ROW("\x9c", ALL, PUSHF),
    ROW("\x9d", ALL, POPF),
    ROW("\x0f\x0b", ALL, UD),
    /* memory operands, by address size */
    ROW("\x0f\x01\x38", 6, INVLPG),
    ROW("\x0f\x01\x3d\x78\x56\x34\x12", 6, INVLPG),
    ROW("\x0f\x01\x3c\x24", 6, INVLPG),
    ROW("\x0f\x01\x7c\x24\x10", 6, INVLPG),
    ROW("\x0f\x01\xbc\xc8\x00\x01\x00\x00", 6, INVLPG),
    ROW("\x0f\x01\x3c\x25\x00\x10\x00\x00", 6, INVLPG),
    ROW("\x0f\x01\x3e\x34\x12", 1, INVLPG),
    ROW("\x0f\x01\x7e\x10", 1, INVLPG),
    ROW("\x0f\x01\x17", ALL, LGDT),
    ROW("\x0f\x01\x1f", ALL, LIDT),
    ROW("\x0f\x01\x07", ALL, SGDT),
    ROW("\x0f\x01\x0f", ALL, SIDT),
    ROW("\x0f\xc7\x37", ALL, VMPTRLD),
    ROW("\x66\x0f\xc7\x37", ALL, VMCLEAR),
    ROW("\xf3\x0f\xc7\x37", ALL, VMXON),
    ROW("\x0f\xc7\x3f", ALL, VMPTRST),
    ROW("\x66\x0f\x38\x80\x07", ALL, INVEPT),
    ROW("\x66\x0f\x38\x81\x07", ALL, INVVPID),
    ROW("\x66\x0f\x38\x82\x07", ALL, INVPCID),
    ROW("\x65\x0f\x78\x18", 6, VMREAD),
    ROW("\xff\x1f", ALL, CALL_FAR),
    ROW("\xff\x2f", ALL, JMP_FAR),
    ROW("\x48\xff\x2f", LONG, JMP_FAR),
    ROW("\x9a\x78\x56\x34\x12\x08\x00", 2, CALL_FAR),
    ROW("\xea\x34\x12\x00\xf0", 1, JMP_FAR),
    ROW("\x66\xea\x78\x56\x34\x12\x08\x00", 1, JMP_FAR),
    /* not ours: lengths alone matter */
    ROW("\x89\xd8", ALL, UNKNOWN),
    ROW("\x8b\x44\x24\x08", 6, UNKNOWN),
    ROW("\x48\xb8\x01\x02\x03\x04\x05\x06\x07\x08", LONG, UNKNOWN),
    ROW("\xf6\xc0\x01", ALL, UNKNOWN),
    ROW("\xf6\xd8", ALL, UNKNOWN),
    ROW("\xf7\xc0\x01\x00\x00\x00", 6, UNKNOWN),
    ROW("\xf7\xd8", ALL, UNKNOWN),
    ROW("\xe8\x00\x00\x00\x00", 6, UNKNOWN),
    ROW("\x0f\x84\x00\x00\x00\x00", 6, UNKNOWN),
    ROW("\x0f\xba\xe0\x05", ALL, UNKNOWN),
    ROW("\x0f\xc7\x0f", ALL, UNKNOWN),
    ROW("\x66\x0f\x3a\x0f\xc1\x08", ALL, UNKNOWN),
    ROW("\x66\x0f\x70\xc1\x1b", ALL, UNKNOWN),
    ROW("\xc8\x10\x00\x00", ALL, UNKNOWN),
    ROW("\x81\xc0\x01\x00\x00\x00", 6, UNKNOWN),
    ROW("\x66\x81\xc0\x01\x00", 6, UNKNOWN),
    ROW("\x83\xc0\x01", ALL, UNKNOWN),
    ROW("\x48\x81\xc0\x01\x00\x00\x00", LONG, UNKNOWN),
    ROW("\xa1\x01\x02\x03\x04", 2, UNKNOWN),
    ROW("\xa1\x01\x02\x03\x04\x05\x06\x07\x08", LONG, UNKNOWN),
    ROW("\x67\x8b\x46\x10", 2, UNKNOWN),
    ROW("\x0f\x10\x44\x24\x10", 6, UNKNOWN),
    ROW("\xfa", ALL, CLI),
    ROW("\xfb", ALL, STI),
    ROW("\x0f\x0d\x08", ALL, UNKNOWN),
    ROW("\xf3\x0f\xb8\xc1", ALL, UNKNOWN),
};

static const unsigned mode_bits[3] = {16, 32, 64};

static void decode(const void *bytes, size_t size, unsigned bits, struct insn *insn)
{
    assert_true(insn_decode(bytes, size, bits, insn));
}

static void test_identity_and_length(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (int mode = 0; mode < 3; mode++) {
            struct insn insn;
            if (!(rows[i].modes >> mode & 1))
                continue;
            decode(rows[i].bytes, rows[i].size, mode_bits[mode], &insn);
            assert_int_equal(insn.id, rows[i].id);
            assert_int_equal(insn.length, rows[i].size);
            /* with less than all of its bytes it is never complete */
            for (size_t got = 0; got < rows[i].size; got++)
                assert_false(insn_decode((const uint8_t *)rows[i].bytes, got, mode_bits[mode], &insn));
        }
}

static void test_lengths_agree_with_capstone(void **unused)
{
    static const cs_mode modes[3] = {CS_MODE_16, CS_MODE_32, CS_MODE_64};

    (void)unused;
    for (int mode = 0; mode < 3; mode++) {
        csh handle;
        assert_int_equal(cs_open(CS_ARCH_X86, modes[mode], &handle), CS_ERR_OK);
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
            uint8_t padded[16];
            struct insn insn;
            cs_insn *reference;
            if (!(rows[i].modes >> mode & 1))
                continue;
            memset(padded, 0x90, sizeof(padded));
            memcpy(padded, rows[i].bytes, rows[i].size);
            /* Capstone 4 lacks a few (SYSRET and SYSCALL outside of 64-bit mode, VMFUNC, CLAC): skip what it
             * cannot read. */
            size_t count = cs_disasm(handle, padded, sizeof(padded), 0, 1, &reference);
            if (!count)
                continue;
            decode(padded, 15, mode_bits[mode], &insn);
            assert_int_equal(insn.length, reference[0].size);
            cs_free(reference, count);
        }
        cs_close(&handle);
    }
}

/* Opcodes at which Capstone is no reference: prefixes and escapes, VEX, EVEX, XOP, 3DNow, VIA's A6 and A7;
 * and UD0 and UD1, to which Capstone 4 gives no ModRM. */
static bool is_reference(bool two_byte, uint8_t opcode)
{
    static const uint8_t one_byte_map[] = {0x0f, 0x62, 0x8f, 0xc4, 0xc5};
    static const uint8_t map_0f[] = {0x0f, 0x38, 0x3a, 0xa6, 0xa7, 0xb9, 0xff};

    return two_byte ? !memchr(map_0f, opcode, sizeof(map_0f))
                    : !memchr(one_byte_map, opcode, sizeof(one_byte_map));
}

/* Every opcode of both maps with many ModRM bytes: lengths as Capstone's where it knows the instruction. */
static void test_maps_agree_with_capstone(void **unused)
{
    unsigned different = 0;
    csh handle;

    (void)unused;
    assert_int_equal(cs_open(CS_ARCH_X86, CS_MODE_64, &handle), CS_ERR_OK);
    for (unsigned opcode = 0; opcode < 512; opcode++)
        for (unsigned modrm = 0; modrm < 256; modrm += 5) {
            uint8_t bytes[16] = {0x0f, (uint8_t)opcode, (uint8_t)modrm};
            uint8_t *code = opcode >= 256 ? bytes : bytes + 1;
            struct insn insn;
            cs_insn *reference;
            if (!is_reference(opcode >= 256, (uint8_t)opcode) ||
                !cs_disasm(handle, code, 15, 0, 1, &reference))
                continue;
            assert_true(insn_decode(code, 15, 64, &insn));
            if (insn.length != reference[0].size) {
                print_error("%02x %02x %02x: %u, Capstone %u (%s)\n", code[0], code[1], code[2], insn.length,
                            reference[0].size, reference[0].mnemonic);
                different++;
            }
            cs_free(reference, 1);
        }
    cs_close(&handle);
    assert_int_equal(different, 0);
}

static void test_operands(void **unused)
{
    struct insn insn;

    (void)unused;
    /* vmread [r12 + r9 * 4 + 10H], r11 */
    decode("\x47\x0f\x78\x5c\x8c\x10", 6, 64, &insn);
    assert_true(insn.is_memory && insn.has_base && insn.has_index);
    assert_int_equal(insn.reg, GPR_R11);
    assert_int_equal(insn.base, GPR_R12);
    assert_int_equal(insn.index, GPR_R9);
    assert_int_equal(insn.scale, 2);
    assert_int_equal(insn.displacement, 0x10);
    assert_int_equal(insn.segment, SEG_DS);
    assert_int_equal(insn.operand_bits, 64);
    /* RIP-relative, negative */
    decode("\x0f\x01\x15\xf0\xff\xff\xff", 7, 64, &insn);
    assert_true(insn.rip_relative && !insn.has_base);
    assert_int_equal(insn.displacement, -16);
    assert_int_equal(insn.operand_bits, 64);
    /* the same bytes in 32-bit mode: an absolute address */
    decode("\x0f\x01\x15\xf0\xff\xff\xff", 7, 32, &insn);
    assert_false(insn.rip_relative);
    assert_int_equal(insn.operand_bits, 32);
    /* EBP as base: SS; overridden by FS; an override of ES does nothing in 64-bit mode */
    decode("\x0f\x01\x7d\x00", 4, 32, &insn);
    assert_int_equal(insn.segment, SEG_SS);
    decode("\x64\x0f\x01\x7d\x00", 5, 32, &insn);
    assert_int_equal(insn.segment, SEG_FS);
    decode("\x26\x0f\x01\x38", 4, 64, &insn);
    assert_int_equal(insn.segment, SEG_DS);
    assert_false(insn.segment_override);
    /* 16-bit addressing: [bp + di - 2] */
    decode("\x0f\x01\x7b\xfe", 4, 16, &insn);
    assert_int_equal(insn.base, GPR_RBP);
    assert_int_equal(insn.index, GPR_RDI);
    assert_int_equal(insn.displacement, -2);
    assert_int_equal(insn.segment, SEG_SS);
}

static void test_io_and_far_operands(void **unused)
{
    struct insn insn;

    (void)unused;
    decode("\xe5\x60", 2, 16, &insn);
    assert_true(insn.port_is_immediate);
    assert_int_equal(insn.immediate, 0x60);
    assert_int_equal(insn.io_size, 2);
    decode("\x66\xed", 2, 16, &insn);
    assert_int_equal(insn.io_size, 4);
    assert_false(insn.port_is_immediate);
    decode("\x48\xed", 2, 64, &insn); /* REX.W does not make eight bytes */
    assert_int_equal(insn.io_size, 4);
    decode("\x64\x6c", 2, 32, &insn); /* INS: always ES */
    assert_int_equal(insn.segment, SEG_ES);
    decode("\x64\x6e", 2, 32, &insn);
    assert_int_equal(insn.segment, SEG_FS);
    decode("\xea\x78\x56\x34\x12\x10\x00", 7, 32, &insn);
    assert_int_equal(insn.immediate, 0x12345678);
    assert_int_equal(insn.far_selector, 0x10);
}

/* Mode, form and mandatory prefix that make another instruction or none of it. */
static void test_not_recognised(void **unused)
{
    static const struct row none[] = {
        ROW("\xce", LONG, UNKNOWN),                /* INTO */
        ROW("\x0f\x01\xf8", LEGACY, UNKNOWN),      /* SWAPGS */
        ROW("\x66\x0f\x01\xc1", ALL, UNKNOWN),     /* VMCALL has no prefix */
        ROW("\x66\x0f\xae\x27", ALL, UNKNOWN),     /* XSAVE has no prefix */
        ROW("\x0f\xae\xf0", ALL, UNKNOWN),         /* MFENCE is not XSAVEOPT */
        ROW("\x0f\xc7\xe0", ALL, UNKNOWN),         /* XSAVEC with a register */
        ROW("\xf2\x0f\xc7\xf8", ALL, UNKNOWN),
        ROW("\x0f\x38\x80\x07", ALL, UNKNOWN),     /* INVEPT without 66 */
        ROW("\x66\x0f\x38\x80\xc7", ALL, UNKNOWN), /* INVEPT with a register */
    };

    (void)unused;
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        for (int mode = 0; mode < 3; mode++) {
            struct insn insn;
            if (!(none[i].modes >> mode & 1))
                continue;
            decode(none[i].bytes, none[i].size, mode_bits[mode], &insn);
            assert_int_equal(insn.id, INSN_UNKNOWN);
        }
    for (int mode = 0; mode < 3; mode++) { /* AMD's EXTRQ, not VMREAD */
        struct insn insn;
        decode("\x66\x0f\x78\xc0\x01\x01", 6, mode_bits[mode], &insn);
        assert_int_equal(insn.id, INSN_RESERVED);
    }
}

/* SDM volume 2, "Instruction Format": at most 15 bytes. */
static void test_longest(void **unused)
{
    static const uint8_t bytes[16] = {0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e,
                                      0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x0f, 0xa2, 0x90};
    struct insn insn;

    (void)unused;
    assert_true(insn_decode(bytes, 15, 64, &insn));
    assert_int_equal(insn.id, INSN_CPUID);
    assert_int_equal(insn.length, 15);
    uint8_t longer[17];
    longer[0] = 0x2e;
    memcpy(longer + 1, bytes, 16);
    assert_false(insn_decode(longer, 17, 64, &insn));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_identity_and_length),
        cmocka_unit_test(test_lengths_agree_with_capstone),
        cmocka_unit_test(test_maps_agree_with_capstone),
        cmocka_unit_test(test_operands),
        cmocka_unit_test(test_io_and_far_operands),
        cmocka_unit_test(test_not_recognised),
        cmocka_unit_test(test_longest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
