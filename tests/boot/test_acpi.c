/* test_acpi.c: the tables as a guest walks them; offsets of the ACPI Specification's tables. */
#include "boot_fixture.h"

#include "sim/boot/acpi.h"

static const struct acpi_hardware hardware = {
    .local_apic = 0xfee00000,
    .io_apic = 0xfec00000,
    .hpet = 0xfed00000,
    .hpet_id = 0x8086a201,
    .io_apic_pin_of_isa_0 = 2,
    .sci_irq = 9,
    .pm1_event = 0x600,
    .pm1_control = 0x604,
    .pm_timer = 0x608,
    .reset_port = 0xcf9,
    .reset_value = 6,
    .rtc_century = 0x32,
};

static uint64_t ram(const struct fixture *f, uint64_t at, unsigned size)
{
    return phys_read(&f->mem, at, size);
}

static void open_tables(struct fixture *f)
{
    fixture_init(f, 1u << 20);
    acpi_write(&f->mem, &hardware, 1);
}

static void assert_sum(const struct fixture *f, uint64_t at, uint32_t size)
{
    uint8_t sum = 0;
    for (uint32_t i = 0; i < size; i++)
        sum = (uint8_t)(sum + ram(f, at + i, 1));
    assert_int_equal(sum, 0);
}

static bool is(const struct fixture *f, uint64_t at, const char *signature)
{
    return !memcmp(phys_ram(&f->mem, at, 8), signature, strlen(signature));
}

/* As a guest searches: the first 16-byte boundary from E0000H with the signature. */
static uint64_t find_rsdp(const struct fixture *f)
{
    for (uint64_t at = 0xe0000; at < 0x100000; at += 16)
        if (is(f, at, "RSD PTR "))
            return at;
    fail_msg("no RSDP");
    return 0;
}

/* A table through the XSDT; the RSDT must name the same. */
static uint64_t find(const struct fixture *f, const char *signature)
{
    uint64_t rsdp = find_rsdp(f), rsdt = ram(f, rsdp + 16, 4), xsdt = ram(f, rsdp + 24, 8);
    unsigned count = (unsigned)(ram(f, xsdt + 4, 4) - 36) / 8;
    assert_int_equal(ram(f, rsdt + 4, 4), 36 + 4 * count);
    for (unsigned i = 0; i < count; i++) {
        uint64_t table = ram(f, xsdt + 36 + 8 * i, 8);
        assert_int_equal(ram(f, rsdt + 36 + 4 * i, 4), table);
        if (is(f, table, signature))
            return table;
    }
    fail_msg("no %s", signature);
    return 0;
}

static void test_roots(void **state)
{
    (void)state;
    struct fixture f;
    open_tables(&f);
    uint64_t rsdp = find_rsdp(&f);
    assert_sum(&f, rsdp, 20);
    assert_sum(&f, rsdp, 36);
    assert_int_equal(ram(&f, rsdp + 15, 1), 2);
    assert_int_equal(ram(&f, rsdp + 20, 4), 36);
    assert_true(is(&f, ram(&f, rsdp + 16, 4), "RSDT"));
    assert_true(is(&f, ram(&f, rsdp + 24, 8), "XSDT"));
    const uint64_t tables[] = {ram(&f, rsdp + 16, 4), ram(&f, rsdp + 24, 8),
                               find(&f, "FACP"),      find(&f, "APIC"),
                               find(&f, "HPET"),      ram(&f, find(&f, "FACP") + 40, 4)};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        assert_sum(&f, tables[i], (uint32_t)ram(&f, tables[i] + 4, 4));
        assert_true(is(&f, tables[i] + 10, "VTSIM VT"));
        assert_true(tables[i] >= ACPI_AREA && tables[i] < ACPI_AREA + ACPI_AREA_SIZE);
    }
    fixture_free(&f);
}

static void test_fadt(void **state)
{
    (void)state;
    static const struct {
        unsigned offset, size;
        uint64_t value;
    } fields[] = {
        {4, 4, 244},    {8, 1, 4},   {46, 2, 9},       {48, 4, 0},      {56, 4, 0x600},  {64, 4, 0x604},
        {76, 4, 0x608}, {88, 1, 4},  {89, 1, 2},       {91, 1, 4},      {96, 2, 0xffff}, {98, 2, 0xffff},
        {108, 1, 0x32}, {109, 2, 5}, {112, 4, 0x1475}, {116, 1, 1},     {117, 1, 8},     {120, 8, 0xcf9},
        {128, 1, 6},    {148, 1, 1}, {152, 8, 0x600},  {176, 8, 0x604}, {208, 1, 1},     {212, 8, 0x608},
    };
    struct fixture f;
    open_tables(&f);
    uint64_t fadt = find(&f, "FACP");
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (ram(&f, fadt + fields[i].offset, fields[i].size) != fields[i].value)
            fail_msg("FADT offset %u: %#llx", fields[i].offset,
                     (unsigned long long)ram(&f, fadt + fields[i].offset, fields[i].size));
    uint64_t facs = ram(&f, fadt + 36, 4), dsdt = ram(&f, fadt + 40, 4);
    assert_int_equal(ram(&f, fadt + 132, 8), facs);
    assert_int_equal(ram(&f, fadt + 140, 8), dsdt);
    assert_true(is(&f, facs, "FACS"));
    assert_int_equal(facs % 64, 0);
    assert_int_equal(ram(&f, facs + 4, 4), 64);
    assert_int_equal(ram(&f, facs + 32, 1), 1);
    assert_true(is(&f, dsdt, "DSDT"));
    assert_int_equal(ram(&f, dsdt + 4, 4), 36 + 13);
    assert_true(is(&f, dsdt + 37, "\\_S5_"));
    fixture_free(&f);
}

static void test_madt(void **state)
{
    (void)state;
    static const uint8_t entries[] = {
        0, 8,  0,    0, 1, 0, 0,    0,                   /* local APIC 0, enabled */
        1, 12, 0,    0, 0, 0, 0xc0, 0xfe, 0,    0, 0, 0, /* I/O APIC at FEC00000H from interrupt 0 */
        2, 10, 0,    0, 2, 0, 0,    0,    0,    0,       /* ISA 0 is pin 2 */
        2, 10, 0,    9, 9, 0, 0,    0,    0x0d, 0,       /* ISA 9: active high, level */
        4, 6,  0xff, 0, 0, 1,                            /* NMI at LINT1 */
    };
    struct fixture f;
    open_tables(&f);
    uint64_t madt = find(&f, "APIC");
    assert_int_equal(ram(&f, madt + 36, 4), 0xfee00000);
    assert_int_equal(ram(&f, madt + 40, 4), 1);
    assert_int_equal(ram(&f, madt + 4, 4), 44 + sizeof entries);
    assert_memory_equal(phys_ram(&f.mem, madt + 44, sizeof entries), entries, sizeof entries);
    fixture_free(&f);
}

static void test_hpet(void **state)
{
    (void)state;
    struct fixture f;
    open_tables(&f);
    uint64_t hpet = find(&f, "HPET");
    assert_int_equal(ram(&f, hpet + 4, 4), 56);
    assert_int_equal(ram(&f, hpet + 36, 4), 0x8086a201);
    assert_int_equal(ram(&f, hpet + 40, 4), 0x4000); /* memory, 64 bits */
    assert_int_equal(ram(&f, hpet + 44, 8), 0xfed00000);
    fixture_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_roots),
        cmocka_unit_test(test_fadt),
        cmocka_unit_test(test_madt),
        cmocka_unit_test(test_hpet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
