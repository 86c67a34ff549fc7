/* Tests of vmcs_region.c: SDM "Format of the VMCS Region". */
#include "instructions_fixture.h"

static uint64_t device[512]; /* a VMCS region outside of RAM */

static uint64_t device_read(void *opaque, uint64_t physical, unsigned size)
{
    (void)opaque, (void)size;
    return device[(physical & 0xfff) / 8];
}

static void device_write(void *opaque, uint64_t physical, uint64_t value, unsigned size)
{
    (void)opaque, (void)size;
    device[(physical & 0xfff) / 8] = value;
}

static struct phys_mem memory(uint8_t *ram)
{
    return (struct phys_mem){
        .ram = ram, .low_size = 0x2000, .mmio_read = device_read, .mmio_write = device_write};
}

static void fill(struct vmcs *vmcs)
{
    for (size_t i = 0; i < VMCS_FIELD_COUNT; i++)
        vmcs_write(vmcs, vmcs_field_at(i), 0x5a5a000000000000 + i * 0x100010001);
    vmcs->launched = true;
}

static void assert_same(const struct vmcs *a, const struct vmcs *b)
{
    for (size_t i = 0; i < VMCS_FIELD_COUNT; i++)
        assert_int_equal(vmcs_read(a, vmcs_field_at(i)), vmcs_read(b, vmcs_field_at(i)));
    assert_int_equal(a->launched, b->launched);
}

static void data_survive_in_ram_and_elsewhere(void **unused)
{
    static const uint64_t addresses[] = {0x1000, 0x9000};
    uint8_t ram[0x2000] = {0};
    struct phys_mem mem = memory(ram);

    (void)unused;
    for (unsigned i = 0; i < 2; i++) {
        struct vmcs written = {0}, read = {0};

        fill(&written);
        vmcs_region_store(&mem, addresses[i], &written);
        vmcs_region_load(&mem, addresses[i], &read);
        assert_same(&written, &read);
    }
}

/* "The VMCS revision identifier is never written by the processor." */
static void store_leaves_identifier_and_abort_indicator(void **unused)
{
    uint8_t ram[0x2000] = {0};
    struct phys_mem mem = memory(ram);
    struct vmcs vmcs = {0};

    (void)unused;
    phys_write64(&mem, 0x1000, 0x1122334455667788);
    fill(&vmcs);
    vmcs_region_store(&mem, 0x1000, &vmcs);
    assert_int_equal(phys_read64(&mem, 0x1000), 0x1122334455667788);
    assert_int_equal(vmcs_region_identifier(&mem, 0x1000), 0x55667788);
    vmcs_region_set_abort(&mem, 0x1000, 4);
    assert_int_equal(phys_read64(&mem, 0x1000), 0x0000000455667788);
    assert_int_equal(ram[0xfff], 0); /* nothing in front of it */
}

static void any_bytes_are_a_vmcs(void **unused)
{
    uint8_t ram[0x2000];
    struct phys_mem mem = memory(ram);
    struct vmcs vmcs;

    (void)unused;
    memset(ram, 0xa5, sizeof(ram));
    vmcs_region_load(&mem, 0x1000, &vmcs);
    assert_int_equal(*(const uint8_t *)&vmcs.launched, 1); /* a bool is 0 or 1 */
    assert_int_equal(vmcs.guest_rip, 0xa5a5a5a5a5a5a5a5);
    vmcs_region_clear_launch_state(&mem, 0x1000);
    vmcs_region_load(&mem, 0x1000, &vmcs);
    assert_false(vmcs.launched);
    assert_int_equal(vmcs.guest_rip, 0xa5a5a5a5a5a5a5a5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_survive_in_ram_and_elsewhere),
        cmocka_unit_test(store_leaves_identifier_and_abort_indicator),
        cmocka_unit_test(any_bytes_are_a_vmcs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
