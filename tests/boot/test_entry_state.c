/* test_entry_state.c: the processor as a Multiboot image finds it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim/boot/boot.h"
#include "vtsim/cpu_state.h"

/* Multiboot Specification, "Machine state". */
static void test_entry_state(void **state)
{
    (void)state;
    struct boot_result result = {.entry = 0x100020, .eax = 0x2badb002, .ebx = 0x9500};
    struct cpu_state s;
    memset(&s, 0xff, sizeof s);
    boot_set_cpu_state(&result, &s);
    assert_int_equal(s.rip, 0x100020);
    assert_int_equal(s.gpr[GPR_RAX], 0x2badb002);
    assert_int_equal(s.gpr[GPR_RBX], 0x9500);
    assert_int_equal(s.rflags, 2);
    assert_int_equal(s.cr0, 0x11);
    assert_int_equal(s.cr4, 0);
    assert_int_equal(s.msr.efer, 0);
    assert_int_equal(s.seg[SEG_CS].access_rights, 0xc09b);
    assert_int_equal(s.seg[SEG_SS].access_rights, 0xc093);
    for (unsigned i = SEG_ES; i <= SEG_GS; i++) {
        assert_int_equal(s.seg[i].base, 0);
        assert_int_equal(s.seg[i].limit, 0xffffffff);
    }
    assert_int_equal(s.seg[SEG_TR].access_rights, 0x8b);
    assert_int_equal(s.seg[SEG_LDTR].access_rights & AR_UNUSABLE, AR_UNUSABLE);
    assert_int_equal(cpu_code_bits(&s), 32);
    assert_int_equal(cpu_cpl(&s), 0);
    assert_int_equal(s.activity_state, ACTIVITY_ACTIVE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_entry_state)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
