/* Tests of vmcs_fields.def and vmcs.c: SDM "VMREAD, VMWRITE, and Encodings of VMCS Fields". */
#include "instructions_fixture.h"

static const struct vmcs_field_info *field(uint32_t encoding)
{
    const struct vmcs_field_info *info = vmcs_field(encoding);

    assert_non_null(info);
    return info;
}

/* Table "Structure of VMCS Component Encoding": width in bits 14:13, type in 11:10, the rest of the bits 0.
 */
static void encodings_agree_with_width_and_area(void **unused)
{
    static const uint8_t sizes[] = {[VMCS_W16] = 2, [VMCS_W64] = 8, [VMCS_W32] = 4, [VMCS_NATURAL] = 8};
    const struct vmcs_field_info *info;
    size_t count = 0;

    (void)unused;
    for (; (info = vmcs_field_at(count)); count++) {
        assert_int_equal(info->encoding >> 13, info->width);
        assert_int_equal(info->encoding >> 10 & 3, info->area);
        assert_int_equal(info->encoding & 0x1001, 0);
        assert_int_equal(info->size, sizes[info->width]);
        assert_int_equal(info->access == VMCS_RO, info->area == VMCS_READ_ONLY);
        assert_ptr_equal(vmcs_field(info->encoding), info);
        assert_non_null(vmcs_exists_text((enum vmcs_exists)info->exists));
    }
    assert_int_equal(count, VMCS_FIELD_COUNT);
}

static void encodings_rise_within_a_group(void **unused)
{
    (void)unused;
    for (size_t i = 1; i < VMCS_FIELD_COUNT; i++) {
        const struct vmcs_field_info *last = vmcs_field_at(i - 1), *next = vmcs_field_at(i);

        if (last->encoding >> 10 == next->encoding >> 10)
            assert_true(last->encoding < next->encoding);
    }
}

/* One of each width and area, as hypervisors have them. */
static void well_known_encodings(void **unused)
{
    static const struct {
        uint32_t encoding;
        const char *identifier;
    } known[] = {
        {0x0000, "virtual_processor_identifier"},
        {0x080e, "guest_tr_selector"},
        {0x0c0c, "host_tr_selector"},
        {0x201a, "ept_pointer"},
        {0x2400, "guest_physical_address"},
        {0x2800, "vmcs_link_pointer"},
        {0x2c02, "host_ia32_efer"},
        {0x4002, "primary_proc_based_controls"},
        {0x401e, "secondary_proc_based_controls"},
        {0x4402, "exit_reason"},
        {0x482e, "vmx_preemption_timer_value"},
        {0x4c00, "host_ia32_sysenter_cs"},
        {0x6004, "cr0_read_shadow"},
        {0x640a, "guest_linear_address"},
        {0x681e, "guest_rip"},
        {0x6c16, "host_rip"},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        assert_string_equal(field(known[i].encoding)->identifier, known[i].identifier);
}

static void no_field_for_reserved_bits_and_high_halves(void **unused)
{
    (void)unused;
    assert_ptr_equal(vmcs_field(0x2011), vmcs_field(0x2010)); /* TSC offset, high */
    assert_null(vmcs_field(0x0801));                          /* high access of a 16-bit field */
    assert_null(vmcs_field(0x4401));
    assert_null(vmcs_field(0x681f));
    assert_null(vmcs_field(0x1000)); /* reserved bit 12 */
    assert_null(vmcs_field(0x8000)); /* reserved bit 15 */
    assert_null(vmcs_field(0x80002010));
    assert_null(vmcs_field(UINT32_MAX));
    assert_null(vmcs_field(0x2000 | 0x80)); /* index 40H: beyond every field */
    assert_null(vmcs_field(0x482c));        /* a hole */
    assert_null(vmcs_field_at(VMCS_FIELD_COUNT));
}

static void values_are_cut_to_the_width(void **unused)
{
    struct vmcs vmcs = {0};

    (void)unused;
    vmcs_write(&vmcs, field(0x0802), 0x123456789abcdef0);
    assert_int_equal(vmcs.guest_cs_selector, 0xdef0);
    assert_int_equal(vmcs.guest_ss_selector, 0);
    assert_int_equal(vmcs.guest_es_selector, 0);
    vmcs_write(&vmcs, field(0x4004), 0x123456789abcdef0);
    assert_int_equal(vmcs.exception_bitmap, 0x9abcdef0);
    assert_int_equal(vmcs_read(&vmcs, field(0x4004)), 0x9abcdef0);
    vmcs_write(&vmcs, field(0x6800), 0x123456789abcdef0);
    assert_int_equal(vmcs.guest_cr0, 0x123456789abcdef0);
}

/* "64-bit fields using the high access type" */
static void high_access(void **unused)
{
    struct vmcs vmcs = {.tsc_offset = 0x0123456789abcdef};

    (void)unused;
    assert_int_equal(vmcs_read_encoding(&vmcs, field(0x2011), 0x2011), 0x01234567);
    vmcs_write_encoding(&vmcs, field(0x2011), 0x2011, 0xffffffff76543210);
    assert_int_equal(vmcs.tsc_offset, 0x7654321089abcdef);
    vmcs_write_encoding(&vmcs, field(0x2010), 0x2010, 5);
    assert_int_equal(vmcs.tsc_offset, 5);
}

static void fields_exist_with_their_controls(void **unused)
{
    struct vmx_capabilities caps = fixture_profile().vmx;

    (void)unused;
    assert_true(vmcs_field_exists(field(0x0000), &caps));
    assert_true(vmcs_field_exists(field(0x201a), &caps));
    assert_false(vmcs_field_exists(field(0x0002), &caps)); /* posted interrupts */
    assert_false(vmcs_field_exists(field(0x2034), &caps)); /* tertiary controls */
    assert_true(vmcs_field_exists(field(0x482e), &caps));
    assert_true(vmcs_field_exists(field(0x600e), &caps));

    caps.misc = 1u << 16; /* one CR3-target value */
    assert_true(vmcs_field_exists(field(0x6008), &caps));
    assert_false(vmcs_field_exists(field(0x600a), &caps));
    caps.procbased_ctls2 = ALLOWED(SECONDARY_ENABLE_EPT, 0);
    assert_false(vmcs_field_exists(field(0x0000), &caps));
    /* Without "activate secondary controls" there are no secondary controls, whatever their MSR says. */
    caps.procbased_ctls &= ~(1ull << 63);
    caps.true_procbased_ctls &= ~(1ull << 63);
    assert_false(vmcs_field_exists(field(0x201a), &caps));
    assert_false(vmcs_field_exists(field(0x401e), &caps));
}

/* IA32_VMX_VMCS_ENUM bits 9:1: the highest index in use. 482EH has index 23, 2032H (TSC multiplier) 25,
 * 6826H 19. */
static void highest_index(void **unused)
{
    struct vmx_capabilities caps = fixture_profile().vmx;

    (void)unused;
    assert_int_equal(vmcs_enum_value(&caps), 23 << 1);
    caps.procbased_ctls2 |= (uint64_t)SECONDARY_USE_TSC_SCALING << 32;
    assert_int_equal(vmcs_enum_value(&caps), 25 << 1);
    caps = (struct vmx_capabilities){.basic = REVISION};
    assert_int_equal(vmcs_enum_value(&caps), 21 << 1); /* 482AH, Guest IA32_SYSENTER_CS */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encodings_agree_with_width_and_area),
        cmocka_unit_test(encodings_rise_within_a_group),
        cmocka_unit_test(well_known_encodings),
        cmocka_unit_test(no_field_for_reserved_bits_and_high_halves),
        cmocka_unit_test(values_are_cut_to_the_width),
        cmocka_unit_test(high_access),
        cmocka_unit_test(fields_exist_with_their_controls),
        cmocka_unit_test(highest_index),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
