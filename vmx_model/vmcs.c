/* vmcs.c: the table of VMCS fields and access by it. */
#include "vmx_model/vmcs.h"

#include <string.h>

#include "vmx_model/capabilities.h"

#define VMCS_WIDTH_W16 VMCS_W16
#define VMCS_WIDTH_W32 VMCS_W32
#define VMCS_WIDTH_W64 VMCS_W64
#define VMCS_WIDTH_NATURAL VMCS_NATURAL

static const struct vmcs_field_info fields[VMCS_FIELD_COUNT] = {
#define VMCS_FIELD(encoding_, name_, identifier_, width_, area_, access_, exists_)                           \
    {.name = name_,                                                                                          \
     .identifier = #identifier_,                                                                             \
     .encoding = encoding_,                                                                                  \
     .offset = offsetof(struct vmcs, identifier_),                                                           \
     .size = sizeof(VMCS_TYPE_##width_),                                                                     \
     .width = VMCS_WIDTH_##width_,                                                                           \
     .area = VMCS_##area_,                                                                                   \
     .access = VMCS_##access_,                                                                               \
     .exists = VMCS_EXISTS_##exists_},
#include "vmx_model/vmcs_fields.def"
#undef VMCS_FIELD
};

/* An encoding's width, type and the low 6 bits of its index: SDM "VMREAD, VMWRITE, and Encodings of VMCS
 * Fields". No field has a higher index. */
#define LOOKUP_SLOT(encoding)                                                                                \
    (((encoding) >> 13 & 3) << 8 | ((encoding) >> 10 & 3) << 6 | ((encoding) >> 1 & 0x3f))
#define LOOKUP_INDEX_LIMIT 0x40u

/* Position in the table plus one; 0: none. */
static const uint8_t lookup[1024] = {
#define VMCS_FIELD(encoding, name, identifier, width, area, access, exists)                                  \
    [LOOKUP_SLOT(encoding)] = VMCS_INDEX_##identifier + 1,
#include "vmx_model/vmcs_fields.def"
#undef VMCS_FIELD
};

_Static_assert(VMCS_FIELD_COUNT < UINT8_MAX, "the lookup table has 8-bit positions");
#define VMCS_FIELD(encoding, name, identifier, width, area, access, exists)                                  \
    _Static_assert(((encoding) >> 1 & 0x1ff) < LOOKUP_INDEX_LIMIT, "the lookup table has 6-bit indices");
#include "vmx_model/vmcs_fields.def"
#undef VMCS_FIELD

const struct vmcs_field_info *vmcs_field(uint32_t encoding)
{
    const struct vmcs_field_info *field;
    uint8_t position;

    if (encoding >> 15 || encoding & 1u << 12 || (encoding >> 1 & 0x1ff) >= LOOKUP_INDEX_LIMIT)
        return NULL;
    position = lookup[LOOKUP_SLOT(encoding)];
    if (!position)
        return NULL;
    field = &fields[position - 1];
    if (encoding & 1 && field->width != VMCS_W64)
        return NULL;
    return field;
}

const struct vmcs_field_info *vmcs_field_at(size_t index)
{
    return index < VMCS_FIELD_COUNT ? &fields[index] : NULL;
}

struct existence {
    const char *text;
    uint32_t controls[VMX_CONTROL_WORDS]; /* the field exists if any of these may be 1 */
};

static const struct existence existences[VMCS_EXISTS_COUNT] = {
    [VMCS_EXISTS_ALWAYS] = {.text = "always"},
#define VMCS_EXISTS(token, text_, pin, primary, secondary, exit, entry)                                      \
    [VMCS_EXISTS_##token] = {.text = text_,                                                                  \
                             .controls = {[VMX_PIN_BASED] = pin,                                             \
                                          [VMX_PRIMARY] = primary,                                           \
                                          [VMX_SECONDARY] = secondary,                                       \
                                          [VMX_EXIT] = exit,                                                 \
                                          [VMX_ENTRY] = entry}},
#include "vmx_model/vmcs_exists.def"
#undef VMCS_EXISTS
    [VMCS_EXISTS_IF_CR3_TARGET_0] = {.text = "1 or more CR3-target values"},
    [VMCS_EXISTS_IF_CR3_TARGET_1] = {.text = "2 or more CR3-target values"},
    [VMCS_EXISTS_IF_CR3_TARGET_2] = {.text = "3 or more CR3-target values"},
    [VMCS_EXISTS_IF_CR3_TARGET_3] = {.text = "4 or more CR3-target values"},
};

const char *vmcs_exists_text(enum vmcs_exists exists)
{
    return exists < VMCS_EXISTS_COUNT ? existences[exists].text : NULL;
}

/* The tertiary processor-based control that brings the field; 0: none does. */
static uint64_t tertiary_control_of(enum vmcs_exists exists)
{
    switch (exists) {
    case VMCS_EXISTS_IF_HLAT:
        return TERTIARY_ENABLE_HLAT;
    case VMCS_EXISTS_IF_IPI_VIRTUALIZATION:
        return TERTIARY_IPI_VIRTUALIZATION;
    case VMCS_EXISTS_IF_VIRTUALIZE_SPEC_CTRL:
        return TERTIARY_VIRTUALIZE_IA32_SPEC_CTRL;
    default:
        return 0;
    }
}

bool vmcs_field_exists(const struct vmcs_field_info *field, const struct vmx_capabilities *caps)
{
    if (field->exists == VMCS_EXISTS_ALWAYS)
        return true;
    /* SDM "VM-Function Controls": by the capability MSR of the VM functions. */
    if (field->exists == VMCS_EXISTS_IF_EPTP_SWITCHING)
        return vmx_vm_functions(caps) & VM_FUNCTION_EPTP_SWITCHING;
    if (field->exists >= VMCS_EXISTS_IF_CR3_TARGET_0) {
        uint64_t targets = caps->misc >> VMX_MISC_CR3_TARGETS_SHIFT & VMX_MISC_CR3_TARGETS;

        return targets > (unsigned)(field->exists - VMCS_EXISTS_IF_CR3_TARGET_0);
    }
    if (vmx_tertiary_controls_may_be_1(caps) & tertiary_control_of((enum vmcs_exists)field->exists))
        return true;
    for (unsigned word = 0; word < VMX_CONTROL_WORDS; word++) {
        uint32_t controls = existences[field->exists].controls[word];

        if (controls && vmx_controls_may_be_1(caps, (enum vmx_control_word)word) & controls)
            return true;
    }
    return false;
}

uint64_t vmcs_enum_value(const struct vmx_capabilities *caps)
{
    uint64_t highest = 0;

    for (size_t i = 0; i < VMCS_FIELD_COUNT; i++) {
        uint64_t index_bits = fields[i].encoding & 0x3feu;

        if (index_bits > highest && vmcs_field_exists(&fields[i], caps))
            highest = index_bits;
    }
    return highest;
}

uint64_t vmcs_read(const struct vmcs *vmcs, const struct vmcs_field_info *field)
{
    uint64_t value = 0;

    memcpy(&value, (const uint8_t *)vmcs + field->offset,
           field->size); /* little-endian, as all of the model */
    return value;
}

void vmcs_write(struct vmcs *vmcs, const struct vmcs_field_info *field, uint64_t value)
{
    memcpy((uint8_t *)vmcs + field->offset, &value, field->size);
}

uint64_t vmcs_read_encoding(const struct vmcs *vmcs, const struct vmcs_field_info *field, uint32_t encoding)
{
    uint64_t value = vmcs_read(vmcs, field);

    return encoding & 1 ? value >> 32 : value;
}

void vmcs_write_encoding(struct vmcs *vmcs, const struct vmcs_field_info *field, uint32_t encoding,
                         uint64_t value)
{
    if (encoding & 1)
        value = value << 32 | (uint32_t)vmcs_read(vmcs, field);
    vmcs_write(vmcs, field, value);
}
