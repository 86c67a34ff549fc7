/*
 * test_checks_corners.c: VM-entry rules over whole ranges of values, where one passing and one failing state
 * say too little. Expectations are written from the SDM's text (volume 3C, chapter "VM Entries"), section by
 * section.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "checks_fixture.h"

static bool passes(struct fixture *f, enum vmx_check_phase phase)
{
    return !vmx_check_first(fixture_context(f), phase, NULL);
}

/* SDM "VM-Execution Control Fields": no checks on the secondary controls while they are not active. */
static void secondary_controls_are_ignored_when_inactive(void **state)
{
    static struct fixture f;
    (void)state;
    fixture_long(&f);
    f.vmcs.secondary_proc_based_controls = UINT32_MAX;
    assert_false(passes(&f, VMX_CHECK_CONTROLS));
    f.vmcs.primary_proc_based_controls &= ~PRIMARY_ACTIVATE_SECONDARY_CONTROLS;
    assert_true(passes(&f, VMX_CHECK_CONTROLS));
    /* "unrestricted guest" counts as 0 then: CR0.PE must be 1 again. */
    assert_true(passes(&f, VMX_CHECK_GUEST));
    f.vmcs.guest_cr0 &= ~(CR0_PE | CR0_PG);
    assert_false(passes(&f, VMX_CHECK_GUEST));
}

/* SDM tables "Format of Pending-Debug-Exceptions" and "IA32_DEBUGCTL": bits that OS bus-lock detection
 * brings. */
static void bus_lock_bits(void **state)
{
    static struct fixture f;
    (void)state;
    for (unsigned supported = 0; supported < 2; supported++) {
        fixture_long(&f);
        f.cpuid[0].ecx = supported << 24;
        f.vmcs.guest_pending_debug_exceptions = 1 << 12 | 1 << 11;
        assert_int_equal(passes(&f, VMX_CHECK_GUEST), supported);
        f.vmcs.guest_pending_debug_exceptions = 0;
        f.vmcs.vm_entry_controls |= ENTRY_LOAD_DEBUG_CONTROLS;
        f.vmcs.guest_dr7 = 0x400;
        f.vmcs.guest_ia32_debugctl = 4;
        assert_int_equal(passes(&f, VMX_CHECK_GUEST), supported);
        f.vmcs.guest_ia32_debugctl = 8;
        assert_false(passes(&f, VMX_CHECK_GUEST));
    }
}

/* SDM appendix A: without IA32_VMX_BASIC[55] the TRUE capability MSRs do not exist. */
static void true_capabilities_hold_only_with_basic_55(void **state)
{
    static struct fixture f;
    (void)state;
    fixture_long(&f);
    f.profile.vmx.basic &= ~(1ull << 55);
    assert_false(passes(&f, VMX_CHECK_CONTROLS));
    f.profile.vmx.pinbased_ctls = f.profile.vmx.true_pinbased_ctls;
    f.profile.vmx.procbased_ctls = f.profile.vmx.true_procbased_ctls;
    f.profile.vmx.exit_ctls = f.profile.vmx.true_exit_ctls;
    f.profile.vmx.entry_ctls = f.profile.vmx.true_entry_ctls;
    assert_true(passes(&f, VMX_CHECK_CONTROLS));
}

/* SDM "VM-Execution Control Fields": the EPTP. The fixture supports WB and 4 levels only. */
static void eptp_values(void **state)
{
    static struct fixture f;
    (void)state;
    fixture_long(&f);
    for (uint64_t type = 0; type < 8; type++)
        for (uint64_t length = 0; length < 8; length++) {
            f.vmcs.ept_pointer = 0x5000 | length << 3 | type;
            assert_int_equal(passes(&f, VMX_CHECK_CONTROLS), type == 6 && length == 3);
        }
    for (unsigned bit = 6; bit < 64; bit++) {
        f.vmcs.ept_pointer = 3 << 3 | 6 | 1ull << bit;
        assert_int_equal(passes(&f, VMX_CHECK_CONTROLS), bit >= 12 && bit < 39);
    }
    f.vmcs.secondary_proc_based_controls &= ~SECONDARY_ENABLE_EPT;
    f.vmcs.ept_pointer = UINT64_MAX;
    assert_true(passes(&f, VMX_CHECK_CONTROLS));
}

/* SDM "VM-Exit Control Fields": addresses are not looked at while the count is 0; the sum does not wrap. */
static void msr_lists(void **state)
{
    static struct fixture f;
    (void)state;
    fixture_long(&f);
    f.vmcs.vm_exit_msr_load_address = UINT64_MAX;
    assert_true(passes(&f, VMX_CHECK_CONTROLS));
    f.vmcs.vm_exit_msr_load_count = UINT32_MAX;
    f.vmcs.vm_exit_msr_load_address = 0;
    assert_true(passes(&f, VMX_CHECK_CONTROLS)); /* 2^36 - 17 < 2^39 */
    f.vmcs.vm_exit_msr_load_address = UINT64_MAX - 15;
    assert_false(passes(&f, VMX_CHECK_CONTROLS));
    /* IA32_VMX_BASIC[48]: addresses are limited to 32 bits. */
    f.vmcs.vm_exit_msr_load_count = 2;
    f.vmcs.vm_exit_msr_load_address = 0xfffffff0;
    assert_true(passes(&f, VMX_CHECK_CONTROLS));
    f.profile.vmx.basic |= 1ull << 48;
    assert_false(passes(&f, VMX_CHECK_CONTROLS));
    f.vmcs.vm_exit_msr_load_count = 1;
    assert_true(passes(&f, VMX_CHECK_CONTROLS));
}

static bool injection_passes(struct fixture *f, uint32_t type, uint32_t vector, bool error_code)
{
    f->vmcs.vm_entry_interruption_information = INTERRUPTION_VALID | type << INTERRUPTION_TYPE_SHIFT |
                                                vector | (error_code ? INTERRUPTION_ERROR_CODE : 0);
    return passes(f, VMX_CHECK_CONTROLS);
}

/* SDM "VM-Entry Control Fields", the items about event injection, for all types and vectors in protected
 * mode. The fixture does not support "monitor trap flag", which makes type 7 reserved. */
static void injection_in_protected_mode(void **state)
{
    static struct fixture f;
    (void)state;
    fixture_long(&f);
    f.vmcs.vm_entry_instruction_length = 1;
    for (uint32_t type = 0; type < 8; type++)
        for (uint32_t vector = 0; vector < 256; vector++) {
            bool coded = vector == 8 || (vector >= 10 && vector <= 14) || vector == 17;
            bool without = type == 0 || (type == 2 && vector == 2) || (type == 3 && vector <= 31 && !coded) ||
                           (type >= 4 && type <= 6);
            assert_int_equal(injection_passes(&f, type, vector, false), without);
            assert_int_equal(injection_passes(&f, type, vector, true), type == 3 && coded);
        }
    /* The valid bit is 0: nothing is checked. */
    f.vmcs.vm_entry_interruption_information = ~INTERRUPTION_VALID;
    assert_true(passes(&f, VMX_CHECK_CONTROLS));
    /* IA32_VMX_BASIC[56]: an error code may come with any hardware exception, or not. */
    f.profile.vmx.basic |= 1ull << 56;
    assert_true(injection_passes(&f, EVENT_HARDWARE_EXCEPTION, VECTOR_UD, true));
    assert_true(injection_passes(&f, EVENT_HARDWARE_EXCEPTION, VECTOR_GP, false));
    assert_false(injection_passes(&f, EVENT_SOFTWARE_EXCEPTION, VECTOR_BP, true));
}

/* Without "unrestricted guest" CR0.PE counts as 1 here, whatever the field says (see controls_entry.c): the
 * entry fails later, for the guest's CR0. */
static void injection_without_unrestricted_guest(void **state)
{
    static struct fixture f;
    (void)state;
    fixture_long(&f);
    f.vmcs.guest_cr0 &= ~(CR0_PE | CR0_PG);
    assert_true(injection_passes(&f, EVENT_HARDWARE_EXCEPTION, VECTOR_GP, true));
    assert_false(injection_passes(&f, EVENT_HARDWARE_EXCEPTION, VECTOR_GP, false));
    assert_false(passes(&f, VMX_CHECK_GUEST));
}

/* The same in real mode: never an error code. And the instruction length of software events. */
static void injection_in_real_mode_and_lengths(void **state)
{
    static struct fixture f;
    (void)state;
    fixture_real(&f);
    for (uint32_t vector = 0; vector < 32; vector++) {
        assert_true(injection_passes(&f, EVENT_HARDWARE_EXCEPTION, vector, false));
        assert_false(injection_passes(&f, EVENT_HARDWARE_EXCEPTION, vector, true));
    }
    for (uint32_t type = EVENT_SOFTWARE_INTERRUPT; type <= EVENT_SOFTWARE_EXCEPTION; type++) {
        f.vmcs.vm_entry_instruction_length = 0;
        assert_false(injection_passes(&f, type, 3, false));
        f.profile.vmx.misc |= 1ull << 30; /* zero-length injection */
        assert_true(injection_passes(&f, type, 3, false));
        f.profile.vmx.misc &= ~(1ull << 30);
        f.vmcs.vm_entry_instruction_length = UINT32_MAX;
        assert_false(injection_passes(&f, type, 3, false));
    }
}

/* SDM "Checks on Host Control Registers, MSRs, and SSP": the values of a PAT byte, in every byte. */
static void pat_bytes(void **state)
{
    static struct fixture f;
    (void)state;
    fixture_long(&f);
    for (unsigned value = 0; value < 256; value++)
        for (unsigned byte = 0; byte < 8; byte++) {
            bool valid = value < 2 || (value >= 4 && value <= 7);
            f.vmcs.host_ia32_pat = f.vmcs.guest_ia32_pat = (uint64_t)value << (byte * 8);
            f.vmcs.primary_vm_exit_controls |= EXIT_LOAD_IA32_PAT;
            f.vmcs.vm_entry_controls |= ENTRY_LOAD_IA32_PAT;
            assert_int_equal(passes(&f, VMX_CHECK_HOST), valid);
            assert_int_equal(passes(&f, VMX_CHECK_GUEST), valid);
            f.vmcs.primary_vm_exit_controls &= ~EXIT_LOAD_IA32_PAT;
            f.vmcs.vm_entry_controls &= ~ENTRY_LOAD_IA32_PAT;
            assert_true(passes(&f, VMX_CHECK_HOST) && passes(&f, VMX_CHECK_GUEST));
        }
}

/* SDM "Checks on Guest Segment Registers": the types of CS and of data segments. */
static void segment_types(void **state)
{
    static struct fixture f;
    (void)state;
    for (unsigned type = 0; type < 16; type++) {
        bool accessed_code = type == 9 || type == 11 || type == 13 || type == 15;
        fixture_pae(&f);
        f.vmcs.guest_cs_access_rights = 0xc090 | type;
        assert_int_equal(passes(&f, VMX_CHECK_GUEST), accessed_code);
        fixture_real(&f);
        f.vmcs.guest_cs_access_rights = 0x90 | type;
        assert_int_equal(passes(&f, VMX_CHECK_GUEST), accessed_code || type == 3);
        fixture_long(&f);
        f.vmcs.guest_es_access_rights = 0xc090 | type;
        assert_int_equal(passes(&f, VMX_CHECK_GUEST), (type & 1) && type != 9 && type != 13);
        f.vmcs.guest_es_access_rights |= AR_UNUSABLE;
        assert_true(passes(&f, VMX_CHECK_GUEST));
        fixture_long(&f);
        f.vmcs.guest_ss_access_rights = 0xc090 | type;
        assert_int_equal(passes(&f, VMX_CHECK_GUEST), type == 3 || type == 7);
    }
}

/* SDM "Checks on Guest Segment Registers": an unusable segment may hold anything, but FS and GS bases stay
 * canonical and the DPL of SS stays judged. */
static void unusable_segments(void **state)
{
    static struct fixture f;
    (void)state;
    fixture_long(&f);
    f.vmcs.guest_ldtr_access_rights = UINT32_MAX;
    f.vmcs.guest_ldtr_selector = UINT16_MAX;
    f.vmcs.guest_ldtr_base = 1ull << 47;
    f.vmcs.guest_ds_access_rights = f.vmcs.guest_es_access_rights = UINT32_MAX;
    f.vmcs.guest_ds_base = f.vmcs.guest_es_base = f.vmcs.guest_ss_base = UINT64_MAX;
    f.vmcs.guest_fs_access_rights = f.vmcs.guest_gs_access_rights = UINT32_MAX;
    f.vmcs.guest_ss_access_rights = UINT32_MAX & ~(uint32_t)AR_DPL;
    assert_true(passes(&f, VMX_CHECK_GUEST));
    f.vmcs.guest_ss_access_rights = AR_UNUSABLE | 3 << AR_DPL_SHIFT;
    assert_false(passes(&f, VMX_CHECK_GUEST));
}

/* Canonical is meant by the processor's linear-address width; RIP needs only bits 63:N alike: SDM "Checks on
 * Guest RIP, RFLAGS, and SSP". */
static void linear_address_width(void **state)
{
    static struct fixture f;
    (void)state;
    for (unsigned width = 48; width <= 57; width += 9) {
        fixture_long(&f);
        f.profile.linear_address_bits = (uint8_t)width;
        uint64_t *const fields[] = {&f.vmcs.guest_fs_base, &f.vmcs.guest_gdtr_base,
                                    &f.vmcs.guest_ia32_sysenter_eip, &f.vmcs.guest_tr_base};
        for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
            *fields[i] = (1ull << (width - 1)) - 1;
            assert_true(passes(&f, VMX_CHECK_GUEST));
            *fields[i] = UINT64_MAX << (width - 1);
            assert_true(passes(&f, VMX_CHECK_GUEST));
            *fields[i] = 1ull << (width - 1);
            assert_false(passes(&f, VMX_CHECK_GUEST));
            *fields[i] = 0;
        }
        f.vmcs.guest_rip = 1ull << (width - 1);
        assert_true(passes(&f, VMX_CHECK_GUEST));
        f.vmcs.guest_rip = 1ull << width;
        assert_false(passes(&f, VMX_CHECK_GUEST));
        uint64_t *const host[] = {&f.vmcs.host_gs_base, &f.vmcs.host_idtr_base,
                                  &f.vmcs.host_ia32_sysenter_esp, &f.vmcs.host_rip};
        for (size_t i = 0; i < sizeof host / sizeof host[0]; i++) {
            *host[i] = UINT64_MAX << (width - 1);
            assert_true(passes(&f, VMX_CHECK_HOST));
            *host[i] = UINT64_MAX << width;
            assert_false(passes(&f, VMX_CHECK_HOST));
            *host[i] = 0;
        }
    }
}

/* SDM "Checks on Guest Non-Register State": events by activity state: HLT, shutdown, wait-for-SIPI. */
static void activity_states_and_injection(void **state)
{
    static struct fixture f;
    (void)state;
    fixture_long(&f);
    for (uint32_t type = 0; type < 7; type++)
        for (uint32_t vector = 0; vector < 32; vector++) {
            bool nmi = type == EVENT_NMI;
            bool db = type == EVENT_HARDWARE_EXCEPTION && vector == 1;
            bool mc = type == EVENT_HARDWARE_EXCEPTION && vector == 18;
            f.vmcs.vm_entry_interruption_information = INTERRUPTION_VALID | type << 8 | vector;
            f.vmcs.guest_activity_state = ACTIVITY_ACTIVE;
            assert_true(passes(&f, VMX_CHECK_GUEST));
            f.vmcs.guest_activity_state = ACTIVITY_HLT;
            assert_int_equal(passes(&f, VMX_CHECK_GUEST),
                             type == EVENT_EXTERNAL_INTERRUPT || nmi || db || mc);
            f.vmcs.guest_activity_state = ACTIVITY_SHUTDOWN;
            assert_int_equal(passes(&f, VMX_CHECK_GUEST), nmi || mc);
            f.vmcs.guest_activity_state = ACTIVITY_WAIT_FOR_SIPI;
            assert_false(passes(&f, VMX_CHECK_GUEST));
        }
    /* IA32_VMX_MISC[8:6]: states that the processor does not support. */
    f.vmcs.vm_entry_interruption_information = 0;
    f.profile.vmx.misc = 1ull << 6;
    for (uint32_t activity = 0; activity < 4; activity++) {
        f.vmcs.guest_activity_state = activity;
        assert_int_equal(passes(&f, VMX_CHECK_GUEST), activity <= ACTIVITY_HLT);
    }
}

/* SDM "Checks on Guest Page-Directory-Pointer-Table Entries": only for PAE paging; reserved are bits 2:1, 8:5
 * and those from the physical-address width up (volume 3A, "PDPTE Registers"), and only if the entry is
 * present. */
static void pdpte_bits(void **state)
{
    static struct fixture f;
    uint64_t qualification = 0;
    (void)state;
    fixture_pae(&f);
    for (unsigned bit = 1; bit < 64; bit++) {
        bool reserved = bit == 1 || bit == 2 || (bit >= 5 && bit <= 8) || bit >= 39;
        f.vmcs.guest_pdpte3 = 1ull << bit;
        assert_true(passes(&f, VMX_CHECK_GUEST));
        f.vmcs.guest_pdpte3 |= 1;
        assert_int_equal(passes(&f, VMX_CHECK_GUEST), !reserved);
    }
    assert_non_null(vmx_check_first(&f.context, VMX_CHECK_GUEST, &qualification));
    assert_int_equal(qualification, 2);
    f.vmcs.guest_cr4 &= ~CR4_PAE; /* 32-bit paging has no PDPTEs */
    assert_true(passes(&f, VMX_CHECK_GUEST));
    /* Without EPT they come from memory: bits 31:5 of CR3. There is no RAM at 10000H. */
    f.vmcs.guest_cr4 |= CR4_PAE;
    f.vmcs.secondary_proc_based_controls &= ~SECONDARY_ENABLE_EPT;
    f.vmcs.guest_cr3 = FIXTURE_CR3 | 0x1f;
    assert_true(passes(&f, VMX_CHECK_GUEST));
    f.vmcs.guest_cr3 = FIXTURE_RAM;
    assert_false(passes(&f, VMX_CHECK_GUEST));
}

/* Bits 62:61 are those of linear-address masking, which is of IA-32e mode; bit 63 stays reserved. */
static void cr3_with_linear_address_masking(void **state)
{
    static struct fixture f;
    (void)state;
    for (unsigned offered = 0; offered < 2; offered++)
        for (unsigned bit = 39; bit < 64; bit++) {
            fixture_long(&f);
            f.profile.has_lam = offered;
            const bool lam = offered && (bit == 61 || bit == 62);
            f.vmcs.guest_cr3 |= 1ull << bit;
            assert_int_equal(passes(&f, VMX_CHECK_GUEST), lam);
            assert_true(passes(&f, VMX_CHECK_HOST));
            f.vmcs.host_cr3 |= 1ull << bit;
            assert_int_equal(passes(&f, VMX_CHECK_HOST), lam);
        }
    for (unsigned bit = 61; bit < 63; bit++) {
        fixture_pae(&f);
        f.profile.has_lam = true;
        assert_true(passes(&f, VMX_CHECK_GUEST));
        f.vmcs.guest_cr3 |= 1ull << bit;
        assert_false(passes(&f, VMX_CHECK_GUEST));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secondary_controls_are_ignored_when_inactive),
        cmocka_unit_test(bus_lock_bits),
        cmocka_unit_test(true_capabilities_hold_only_with_basic_55),
        cmocka_unit_test(eptp_values),
        cmocka_unit_test(msr_lists),
        cmocka_unit_test(injection_in_protected_mode),
        cmocka_unit_test(injection_without_unrestricted_guest),
        cmocka_unit_test(injection_in_real_mode_and_lengths),
        cmocka_unit_test(pat_bytes),
        cmocka_unit_test(cr3_with_linear_address_masking),
        cmocka_unit_test(segment_types),
        cmocka_unit_test(unusable_segments),
        cmocka_unit_test(linear_address_width),
        cmocka_unit_test(activity_states_and_injection),
        cmocka_unit_test(pdpte_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
