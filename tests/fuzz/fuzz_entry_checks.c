/*
 * fuzz_entry_checks.c: random VMCS contents through every VM-entry rule and the explanation.
 *
 * Input: byte 0 picks a valid VMCS and the processor's mode; then changes of 9 bytes each: the field's number
 * in the table (modulo their count) and what is XORed to its value. Changes rather than raw contents, so that
 * inputs come near to the edges between valid and invalid. Build: clang -fsanitize=fuzzer,address,undefined,
 * with the model library.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/vmx_model/checks_fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                                   \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition);                    \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

static void build(struct fixture *f, const uint8_t *data, size_t size)
{
    static void (*const bases[])(struct fixture *) = {fixture_long, fixture_pae, fixture_v86, fixture_real};
    uint8_t choice = size ? data[0] : 0;
    bases[choice & 3](f);
    if (choice & 4)
        fixture_host_32(f);
    for (size_t i = 1; i + 9 <= size; i += 9) {
        const struct vmcs_field_info *field = vmcs_field_at(data[i] % VMCS_FIELD_COUNT);
        uint64_t change;
        memcpy(&change, data + i + 1, sizeof change);
        vmcs_write(&f->vmcs, field, vmcs_read(&f->vmcs, field) ^ change);
    }
}

struct seen {
    const struct vmx_rule *first;
    size_t count;
};

static void see(void *opaque, const struct vmx_rule *rule)
{
    struct seen *seen = opaque;
    if (!seen->first)
        seen->first = rule;
    seen->count++;
}

static void see_line(void *opaque, const char *text)
{
    size_t *lines = opaque;
    REQUIRE(text[0] && !strchr(text, '\n') && strlen(text) < 512);
    ++*lines;
}

static bool check_phase(const struct check_context *context, enum vmx_check_phase phase)
{
    struct seen seen = {NULL, 0};
    size_t lines = 0;
    uint64_t qualification = 0;
    const struct vmx_rule *first = vmx_check_first(context, phase, &qualification);
    REQUIRE(vmx_check_all(context, phase, see, &seen) == seen.count);
    REQUIRE(first == seen.first);
    REQUIRE(vmx_explain_violations(context, phase, see_line, &lines) == seen.count);
    REQUIRE(lines >= 3 * seen.count && lines <= 6 * seen.count);
    REQUIRE(phase == VMX_CHECK_GUEST ? qualification <= 4 && qualification != 1 : qualification == 0);
    return !first;
}

/* What no VMCS that passes may contradict: said again here, in other words than the tables'. */
static void require_sound(const struct check_context *context)
{
    const struct vmcs *v = context->vmcs;
    bool ia32e = v->vm_entry_controls & ENTRY_IA32E_MODE_GUEST;
    REQUIRE((v->guest_rflags & 2) && !(v->guest_rflags >> 22));
    REQUIRE(!(v->guest_cr0 & CR0_PG) || (v->guest_cr0 & CR0_PE));
    REQUIRE(!ia32e || ((v->guest_cr0 & CR0_PG) && (v->guest_cr4 & CR4_PAE)));
    REQUIRE(ia32e || !(v->guest_rip >> 32));
    REQUIRE(!(v->guest_rflags & RFLAGS_VM) || (v->guest_cs_access_rights == 0xf3 && !ia32e));
    REQUIRE((v->guest_tr_access_rights & 0x1ff) == 0x8b || (v->guest_tr_access_rights & 0x1ff) == 0x83 ||
            (v->guest_tr_access_rights & AR_DPL));
    REQUIRE(!((v->guest_cr3 | v->host_cr3) >> context->profile->physical_address_bits));
    REQUIRE(v->host_cs_selector && v->host_tr_selector && (v->host_cr4 & CR4_VMXE));
    REQUIRE(context->ia32e_mode == ((v->primary_vm_exit_controls & EXIT_HOST_ADDRESS_SPACE_SIZE) != 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fixture f; /* large; filled anew for each input */
    static struct vmcs before;
    bool sound = true;
    build(&f, data, size);
    const struct check_context *context = fixture_context(&f);
    memcpy(&before, &f.vmcs, sizeof before);
    for (int phase = 0; phase < VMX_CHECK_PHASES; phase++)
        sound &= check_phase(context, (enum vmx_check_phase)phase);
    REQUIRE(!memcmp(&before, &f.vmcs, sizeof before));
    if (sound)
        require_sound(context);
    return 0;
}
