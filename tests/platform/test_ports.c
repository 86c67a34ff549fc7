/* test_ports.c: fw_cfg, the ports that end a run, unknown ports, and the processor's view. */
#include "platform_fixture.h"

#include "sim/cpu/cpu.h"

static uint64_t fw_cfg_read(struct fixture *f, uint16_t key, unsigned bytes)
{
    uint64_t value = 0;
    platform_port_out(&f->p, 0x510, key, 2);
    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)in8(f, 0x511) << (8 * i);
    return value;
}

static void test_fw_cfg(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    assert_int_equal(fw_cfg_read(&f, 0, 4), 0x554d4551); /* QEMU */
    assert_int_equal(in8(&f, 0x511), 0);                 /* past the end */
    assert_int_equal(fw_cfg_read(&f, 1, 4), 1);
    assert_int_equal(fw_cfg_read(&f, 3, 8), 512u << 20);
    assert_int_equal(fw_cfg_read(&f, 5, 2), 1);
    assert_int_equal(fw_cfg_read(&f, 0x0f, 2), 1);
    assert_int_equal(fw_cfg_read(&f, 0x19, 4), 0);
    assert_int_equal(fw_cfg_read(&f, 0x11, 8), 0);
}

static void test_debug_exit(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    platform_port_out(&f.p, 0xf4, 0x12345678, 4);
    assert_int_equal(f.p.stop, PLATFORM_DEBUG_EXIT);
    assert_int_equal(f.p.stop_value, 0x12345678);
    platform_port_out(&f.p, 0xf4, 1, 1); /* the first one counts */
    assert_int_equal(f.p.stop_value, 0x12345678);
    assert_int_equal(debug_exit_status(3), 7);
}

static void test_debug_exit_is_configurable(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    f.p.config.debug_exit_port = 0x501;
    f.p.config.debug_exit_size = 2;
    platform_port_out(&f.p, 0xf4, 1, 4);
    platform_port_out(&f.p, 0x503, 1, 1);
    assert_int_equal(f.p.stop, PLATFORM_RUNS);
    platform_port_out(&f.p, 0x502, 0, 1);
    assert_int_equal(f.p.stop, PLATFORM_DEBUG_EXIT);
    fixture_init(&f);
    f.p.config.debug_exit_size = 0;
    platform_port_out(&f.p, 0xf4, 1, 4);
    assert_int_equal(f.p.stop, PLATFORM_RUNS);
}

static void test_reset_and_power(void **state)
{
    (void)state;
    static const struct {
        uint16_t port;
        uint32_t value;
        unsigned size;
        enum platform_stop stop;
    } cases[] = {
        {0x64, 0xfe, 1, PLATFORM_RESET},          {0x64, 0xff, 1, PLATFORM_RUNS},
        {0xcf9, 0x06, 1, PLATFORM_RESET},         {0xcf9, 0x02, 1, PLATFORM_RUNS},
        {0xcf8, 0x80000600, 4, PLATFORM_RUNS},    {0x92, 0x03, 1, PLATFORM_RESET},
        {0x92, 0x02, 1, PLATFORM_RUNS},           {0x92, 0x00, 1, PLATFORM_UNSUPPORTED},
        {0x604, 0x2000, 2, PLATFORM_POWER_OFF},   {0x604, 0x0001, 2, PLATFORM_RUNS},
        {0x604, 0x2400, 2, PLATFORM_UNSUPPORTED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture f;
        fixture_init(&f);
        platform_port_out(&f.p, cases[i].port, cases[i].value, cases[i].size);
        assert_int_equal(f.p.stop, cases[i].stop);
    }
}

/* Commands and data of the keyboard controller, one run each: what they come to. */
static void test_keyboard_controller(void **state)
{
    (void)state;
    static const struct {
        uint8_t command, data;
        enum platform_stop stop;
    } cases[] = {
        {0xd1, 0xdf, PLATFORM_RUNS},        {0xd1, 0xdd, PLATFORM_UNSUPPORTED}, {0xd1, 0xde, PLATFORM_RESET},
        {0xdd, 0xff, PLATFORM_UNSUPPORTED}, {0xdf, 0x00, PLATFORM_RUNS},        {0x60, 0x00, PLATFORM_RUNS},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture f;
        fixture_init(&f);
        platform_port_out(&f.p, 0x64, cases[i].command, 1);
        platform_port_out(&f.p, 0x60, cases[i].data, 1);
        assert_int_equal(f.p.stop, cases[i].stop);
    }
    struct fixture f;
    fixture_init(&f);
    assert_int_equal(in8(&f, 0x64), 0);
    platform_port_out(&f.p, 0x64, 0xd0, 1);
    assert_int_equal(in8(&f, 0x64), 1);
    assert_int_equal(in8(&f, 0x60), 3); /* not in reset, line 20 on */
    assert_int_equal(in8(&f, 0x64), 0);
    assert_int_equal(in8(&f, 0x60), 0xff);
}

static void test_ports_without_a_device(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    platform_port_out(&f.p, 0x80, 0x55, 1);
    platform_port_out(&f.p, 0xcf8, 0x80000000, 4);
    assert_int_equal(platform_port_in(&f.p, 0xcfc, 4), 0xffffffff);
    assert_int_equal(platform_port_in(&f.p, 0x80, 1), 0xff);
    assert_int_equal(platform_port_in(&f.p, 0x3e8, 2), 0xffff);
    assert_int_equal(f.p.stop, PLATFORM_RUNS);
}

/* A wide access to a byte device is one access for each byte. */
static void test_wide_access_is_split(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    platform_port_out(&f.p, 0x21, 0xff5a, 2);
    assert_int_equal(in8(&f, 0x21), 0x5a);
    platform_port_out(&f.p, 0x3fb, 0x0183, 2); /* LCR with DLAB, MCR */
    assert_int_equal(platform_port_in(&f.p, 0x3fb, 2), 0x0183);
    assert_int_equal(platform_port_in(&f.p, 0xa1, 2), 0xffff); /* the slave's mask, then no device */
}

static void test_bus(void **state)
{
    (void)state;
    struct fixture f;
    struct cpu_bus bus;
    fixture_init(&f);
    platform_bus(&f.p, &bus);
    bus.write_cr8(bus.opaque, 5);
    assert_int_equal(apic_read(&f, 0x80), 0x50);
    apic_write(&f, 0x80, 0x7f);
    assert_int_equal(bus.read_cr8(bus.opaque), 7);
    apic_write(&f, 0x310, 0);
    apic_write(&f, 0x300, 0x4400);
    assert_true(bus.nmi_pending(bus.opaque));
    bus.nmi_acknowledge(bus.opaque);
    assert_false(bus.nmi_pending(bus.opaque));
    apic_write(&f, 0x80, 0);
    apic_write(&f, 0x320, 0x40);
    apic_write(&f, 0x380, 10); /* divide by 2, 2 cycles a bus clock */
    assert_int_equal(bus.next_deadline(bus.opaque), 40);
    bus.advance(bus.opaque, 39);
    assert_int_equal(f.p.lapics[0].irr[2], 0);
    bus.advance(bus.opaque, 40);
    assert_int_equal(f.p.lapics[0].irr[2], 1);
    assert_int_equal(bus.interrupt_acknowledge(bus.opaque), 0x40);
    bus.port_out(bus.opaque, 0x604, 0x2000, 2);
    assert_int_equal(f.p.stop, PLATFORM_POWER_OFF);
}

/* SDM volume 3A, "Local Vector Table": the entry's mask is set when the interrupt is handled. */
static void test_performance_interrupt(void **state)
{
    (void)state;
    struct fixture f;
    struct cpu_bus bus;
    fixture_init(&f);
    platform_bus(&f.p, &bus);
    apic_write(&f, 0x340, 0x10041); /* masked */
    bus.performance_interrupt(bus.opaque);
    assert_false(bus.interrupt_pending(bus.opaque));
    apic_write(&f, 0x340, 0x41);
    bus.performance_interrupt(bus.opaque);
    assert_true(bus.interrupt_pending(bus.opaque));
    assert_int_equal(bus.interrupt_acknowledge(bus.opaque), 0x41);
    assert_int_equal(apic_read(&f, 0x340), 0x10041);
    apic_write(&f, 0xb0, 0);
    bus.performance_interrupt(bus.opaque);
    assert_false(bus.interrupt_pending(bus.opaque));
    apic_write(&f, 0x340, 0x400); /* NMI */
    bus.performance_interrupt(bus.opaque);
    assert_true(bus.nmi_pending(bus.opaque));
    assert_int_equal(apic_read(&f, 0x340), 0x10400);
}

static void test_memory_callbacks(void **state)
{
    (void)state;
    struct fixture f;
    struct phys_mem mem = {0};
    fixture_init(&f);
    platform_attach_memory(&f.p, &mem);
    assert_int_equal(phys_read(&mem, 0xfee00030, 4), 0x50014);
    phys_write(&mem, 0xfee00080, 0x20, 4);
    assert_int_equal(phys_read(&mem, 0xfee00080, 4), 0x20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fw_cfg),
        cmocka_unit_test(test_debug_exit),
        cmocka_unit_test(test_debug_exit_is_configurable),
        cmocka_unit_test(test_reset_and_power),
        cmocka_unit_test(test_keyboard_controller),
        cmocka_unit_test(test_ports_without_a_device),
        cmocka_unit_test(test_wide_access_is_split),
        cmocka_unit_test(test_bus),
        cmocka_unit_test(test_performance_interrupt),
        cmocka_unit_test(test_memory_callbacks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
