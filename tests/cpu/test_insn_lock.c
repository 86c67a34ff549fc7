/* Where LOCK may stand: SDM volume 2, "LOCK - Assert LOCK# Signal Prefix". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim/core/insn_decode.h"
#include "sim/core/insn_lock.h"

static bool allowed(const uint8_t *bytes, size_t size, unsigned mode)
{
    struct insn insn;
    assert_true(insn_decode(bytes, size, mode, &insn));
    assert_true(insn.lock);
    return insn_lock_allowed(&insn);
}
#define LOCK(mode, ...)                                                                                      \
    allowed((const uint8_t[]){0xf0, __VA_ARGS__}, sizeof((const uint8_t[]){0xf0, __VA_ARGS__}), mode)

static void memory_that_is_read_and_written(void **state)
{
    (void)state;
    assert_true(LOCK(32, 0x01, 0x00));             /* add [eax],eax */
    assert_true(LOCK(32, 0x66, 0x83, 0x28, 1));    /* sub word [eax],1 */
    assert_true(LOCK(64, 0x48, 0xff, 0x08));       /* dec qword [rax] */
    assert_true(LOCK(64, 0x44, 0x0f, 0xb1, 0x38)); /* cmpxchg [rax],r15d: REX.R is no part of the opcode */
    assert_true(LOCK(64, 0x48, 0x0f, 0xc7, 0x08)); /* cmpxchg16b [rax] */
    assert_true(LOCK(32, 0xf6, 0x18));             /* neg byte [eax] */
    assert_true(LOCK(32, 0x87, 0x00));             /* xchg [eax],eax */
    assert_true(LOCK(16, 0x0f, 0xba, 0x2f, 3));    /* bts word [bx],3 */
}

static void all_else_is_undefined(void **state)
{
    (void)state;
    assert_false(LOCK(32, 0x01, 0xc0));             /* add eax,eax */
    assert_false(LOCK(32, 0x03, 0x00));             /* add eax,[eax]: memory is the source */
    assert_false(LOCK(32, 0x83, 0x38, 1));          /* cmp [eax],1 */
    assert_false(LOCK(32, 0x0f, 0xba, 0xec, 0x35)); /* bts esp,35h */
    assert_false(LOCK(32, 0x0f, 0xba, 0x20, 3));    /* bt [eax],3 */
    assert_false(LOCK(32, 0xf7, 0x00, 0, 0, 0, 0)); /* test [eax],0 */
    assert_false(LOCK(32, 0x89, 0x00));             /* mov [eax],eax */
    assert_false(LOCK(32, 0xff, 0x30));             /* push [eax] */
    assert_false(LOCK(64, 0x0f, 0xc7, 0x30));       /* vmptrld [rax] */
    assert_false(LOCK(64, 0x0f, 0xa2));             /* cpuid */
    assert_false(LOCK(64, 0x90));                   /* nop */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_that_is_read_and_written),
        cmocka_unit_test(all_else_is_undefined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
