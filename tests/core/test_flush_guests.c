/*
 * test_flush_guests.c: two guests with known working sets, and what their flushes must come to. SDM volume
 * 3C, "Operations that Invalidate Cached Mappings".
 *
 * By hand, on skylake. All paging-structure entries lie in the first-level cache by the time that something
 * is flushed, so a reference costs 4. A walk of a 4-KByte page makes 4 references: 16 cycles; of a 2-MByte
 * page 3: 12. An EPT walk makes as many: 16 and 12. A flush that comes with something else costs 30, INVLPG
 * 150, INVVPID and INVEPT 300.
 *
 * L is the 2-MByte page of code, stack and data; A and B are 4-KByte pages, G is a global one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "sim/machine.h"

enum { ORDINARY, GLOBAL };

static void run(const char *image, struct machine_result *result)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s.elf", GUEST_IMAGES, image);
    const struct machine_options options = {.cpu = "skylake",
                                            .memory_bytes = 64 << 20,
                                            .image = path,
                                            .serial = SERIAL_NULL,
                                            .max_cycles = 100000000,
                                            .messages = stderr};
    machine_run(&options, result);
    assert_string_equal(result->message, "");
    assert_int_equal(result->outcome, MACHINE_POWER_OFF);
    assert_int_equal(cycles_sum(&result->account), result->account.now);
}

/* Dropped mappings and refills of one kind. */
struct expected {
    uint64_t small, small_global, large; /* dropped: 4 KBytes, those global, 2 MBytes */
    uint64_t refills, refill_cycles;
};

static void booked(const struct machine_result *result, enum trace_flush_cause cause, uint64_t count,
                   uint64_t cycles)
{
    assert_int_equal(result->account.flush[cause].count, count);
    assert_int_equal(result->account.flush[cause].cycles, cycles);
}

static void dropped(const struct machine_result *result, enum trace_flush_cause cause,
                    enum trace_mapping kind, struct expected expected)
{
    const struct flush_account *flush = &result->account.flush[cause];
    assert_int_equal(flush->dropped[kind][TLB_PAGE_4K][ORDINARY], expected.small);
    assert_int_equal(flush->dropped[kind][TLB_PAGE_4K][GLOBAL], expected.small_global);
    assert_int_equal(flush->dropped[kind][TLB_PAGE_2M][ORDINARY], expected.large);
    assert_int_equal(flush->dropped[kind][TLB_PAGE_2M][GLOBAL], 0);
    assert_int_equal(flush->refills[kind], expected.refills);
    assert_int_equal(flush->refill_cycles[kind], expected.refill_cycles);
}

static void with_vpid(void **state)
{
    (void)state;
    struct machine_result r;
    run("flushes_vpid", &r);
    booked(&r, FLUSH_INVVPID_ADDRESS, 1, 300); /* A */
    dropped(&r, FLUSH_INVVPID_ADDRESS, TRACE_MAPPING_LINEAR, (struct expected){1, 0, 0, 1, 16});
    booked(&r, FLUSH_INVVPID_SINGLE, 1, 300); /* A, B, G, L: 3 * 16 + 12 = 60 */
    dropped(&r, FLUSH_INVVPID_SINGLE, TRACE_MAPPING_LINEAR, (struct expected){2, 1, 1, 4, 60});
    booked(&r, FLUSH_INVVPID_ALL, 1, 300); /* the same: there is one VPID besides 0 */
    dropped(&r, FLUSH_INVVPID_ALL, TRACE_MAPPING_LINEAR, (struct expected){2, 1, 1, 4, 60});
    booked(&r, FLUSH_INVVPID_SINGLE_NONGLOBAL, 1, 300); /* A, B, L: 2 * 16 + 12 = 44 */
    dropped(&r, FLUSH_INVVPID_SINGLE_NONGLOBAL, TRACE_MAPPING_LINEAR, (struct expected){2, 0, 1, 3, 44});
    booked(&r, FLUSH_INVLPG, 1, 150); /* G */
    dropped(&r, FLUSH_INVLPG, TRACE_MAPPING_LINEAR, (struct expected){0, 1, 0, 1, 16});
    /* One in the guest: A, B, L. The one of boot.S comes before paging and drops nothing; that with bit 63
     * does not count. */
    booked(&r, FLUSH_MOV_CR3, 2, 60);
    dropped(&r, FLUSH_MOV_CR3, TRACE_MAPPING_LINEAR, (struct expected){2, 0, 1, 3, 44});
}

/* The same image, its last two entries. VPID 0 is shared by monitor and guest, and so is L, as their CR3 is
 * the same: what one drops the other refills. Entries drop the monitor's L, twice; each time the guest
 * refills it: 2 * 12 = 24. Exits drop the guest's L, A, B and G, twice; each time the monitor refills L, and
 * the guest, the second time, A, B and G: 2 * 12 + 3 * 16 = 72. */
static void without_vpid(void **state)
{
    (void)state;
    struct machine_result r;
    run("flushes_vpid", &r);
    booked(&r, FLUSH_VM_ENTRY, 2, 60);
    dropped(&r, FLUSH_VM_ENTRY, TRACE_MAPPING_LINEAR, (struct expected){0, 0, 2, 2, 24});
    booked(&r, FLUSH_VM_EXIT, 2, 60);
    dropped(&r, FLUSH_VM_EXIT, TRACE_MAPPING_LINEAR, (struct expected){4, 2, 2, 5, 72});
    /* All ten exits were VMCALLs, and all but the last saw another entry. */
    assert_int_equal(r.account.exit[18].count, 10);
    /* Of the refills, those in the guest: all but the two of the monitor. */
    uint64_t all = 16 + 60 + 60 + 44 + 16 + 44 + 24 + 72;
    assert_int_equal(r.account.refill_cycles, all);
    assert_int_equal(r.account.exit[18].refill, all - 2 * 12);
}

/* INVEPT drops three combined mappings (L, A, B) and three guest-physical ones (that of L, which has the
 * paging structures too, and those of A and B). L: 3 references to the guest's tables, and the first of them
 * needs the EPT walk of its 2-MByte page: 12 and 12. A and B: 4 references and an EPT walk: 16 and 16 each.
 */
static void under_ept(void **state)
{
    (void)state;
    static const enum trace_flush_cause causes[] = {FLUSH_INVEPT_SINGLE, FLUSH_INVEPT_ALL};
    struct machine_result r;
    run("flushes_ept", &r);
    for (unsigned i = 0; i < 2; i++) {
        booked(&r, causes[i], 1, 300);
        dropped(&r, causes[i], TRACE_MAPPING_COMBINED, (struct expected){2, 0, 1, 3, 44});
        dropped(&r, causes[i], TRACE_MAPPING_GUEST_PHYSICAL, (struct expected){2, 0, 1, 3, 44});
    }
    /* The fourth page, cached as readable, is written: its combined and its guest-physical mapping go, and
     * come again. */
    booked(&r, FLUSH_EPT_VIOLATION, 1, 0);
    dropped(&r, FLUSH_EPT_VIOLATION, TRACE_MAPPING_COMBINED, (struct expected){1, 0, 0, 1, 16});
    dropped(&r, FLUSH_EPT_VIOLATION, TRACE_MAPPING_GUEST_PHYSICAL, (struct expected){1, 0, 0, 1, 16});
    assert_int_equal(r.account.exit[48].count, 1);
    assert_int_equal(r.account.exit[48].refill, 32);
    assert_int_equal(r.account.exit[18].refill, 2 * 88);
    booked(&r, FLUSH_VM_ENTRY, 0, 0);
    booked(&r, FLUSH_VM_EXIT, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(with_vpid),
        cmocka_unit_test(without_vpid),
        cmocka_unit_test(under_ept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
