/*
 * vmcs.h: the fields of a VMCS, as a struct and as a table; and its region in memory.
 *
 * Both come from vmcs_fields.def. Source: SDM chapter "Virtual-Machine Control Structures".
 */
#ifndef VTSIM_VMX_MODEL_VMCS_H
#define VTSIM_VMX_MODEL_VMCS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmx_model/controls.h"
#include "vmx_model/errors.h"
#include "vmx_model/exit_reasons.h"
#include "vtsim/phys_mem.h"
#include "vtsim/profile.h"

enum vmcs_width { VMCS_W16, VMCS_W64, VMCS_W32, VMCS_NATURAL };         /* as bits 14:13 of an encoding */
enum vmcs_area { VMCS_CONTROL, VMCS_READ_ONLY, VMCS_GUEST, VMCS_HOST }; /* as bits 11:10 of an encoding */
enum vmcs_access { VMCS_RW, VMCS_RO };

/* When a field exists. */
enum vmcs_exists {
    VMCS_EXISTS_ALWAYS,
#define VMCS_EXISTS(token, text, pin, primary, secondary, exit, entry) VMCS_EXISTS_##token,
#include "vmx_model/vmcs_exists.def"
#undef VMCS_EXISTS
    /* CR3-target value n exists if IA32_VMX_MISC[24:16] > n: SDM "CR3-Target Controls". */
    VMCS_EXISTS_IF_CR3_TARGET_0,
    VMCS_EXISTS_IF_CR3_TARGET_1,
    VMCS_EXISTS_IF_CR3_TARGET_2,
    VMCS_EXISTS_IF_CR3_TARGET_3,
    VMCS_EXISTS_COUNT
};

#define VMCS_TYPE_W16 uint16_t
#define VMCS_TYPE_W32 uint32_t
#define VMCS_TYPE_W64 uint64_t
#define VMCS_TYPE_NATURAL uint64_t

/* One member for each field, in the order of vmcs_fields.def. */
struct vmcs {
    bool launched; /* launch state: SDM "Overview" of the VMCS chapter */
#define VMCS_FIELD(encoding, name, identifier, width, area, access, exists) VMCS_TYPE_##width identifier;
#include "vmx_model/vmcs_fields.def"
#undef VMCS_FIELD
};

/* VMCS_INDEX_<identifier>: the position of a field in the table. */
enum vmcs_field_index {
#define VMCS_FIELD(encoding, name, identifier, width, area, access, exists) VMCS_INDEX_##identifier,
#include "vmx_model/vmcs_fields.def"
#undef VMCS_FIELD
    VMCS_FIELD_COUNT
};

/* VMCS_ENCODING_<identifier>: the (full) encoding of a field. */
enum vmcs_field_encoding {
#define VMCS_FIELD(encoding, name, identifier, width, area, access, exists)                                  \
    VMCS_ENCODING_##identifier = encoding,
#include "vmx_model/vmcs_fields.def"
#undef VMCS_FIELD
};

struct vmcs_field_info {
    const char *name;       /* the SDM's */
    const char *identifier; /* member of struct vmcs */
    uint16_t encoding;      /* full access */
    uint16_t offset;        /* in struct vmcs, bytes */
    uint8_t size;           /* bytes: 2, 4 or 8 */
    uint8_t width;          /* enum vmcs_width */
    uint8_t area;           /* enum vmcs_area */
    uint8_t access;         /* enum vmcs_access */
    uint8_t exists;         /* enum vmcs_exists */
};

/* The field of an encoding, in constant time; high access (bit 0) of a 64-bit field gives that field. Null:
 * no field has that encoding (reserved bits set, or high access of another width): SDM "VMREAD, VMWRITE, and
 * Encodings of VMCS Fields". Does not ask whether the processor has it: vmcs_field_exists. */
const struct vmcs_field_info *vmcs_field(uint32_t encoding);
/* The index'th field of the table, null past the end. */
const struct vmcs_field_info *vmcs_field_at(size_t index);
/* In which controls' presence the field exists, for a person: "always", "if enable EPT is supported" without
 * the frame words: "always" or the controls' names. */
const char *vmcs_exists_text(enum vmcs_exists exists);
/* Does the processor with these capability MSRs have the field? */
bool vmcs_field_exists(const struct vmcs_field_info *field, const struct vmx_capabilities *caps);
/* What IA32_VMX_VMCS_ENUM (bits 9:1) must report: the highest index of the encodings of fields that exist. */
uint64_t vmcs_enum_value(const struct vmx_capabilities *caps);

/* The whole value of a field, zero-extended. */
uint64_t vmcs_read(const struct vmcs *vmcs, const struct vmcs_field_info *field);
/* Sets the whole field; bits above its width are dropped. */
void vmcs_write(struct vmcs *vmcs, const struct vmcs_field_info *field, uint64_t value);
/* Access by encoding, as VMREAD and VMWRITE in 64-bit mode see it: high access names bits 63:32. */
uint64_t vmcs_read_encoding(const struct vmcs *vmcs, const struct vmcs_field_info *field, uint32_t encoding);
void vmcs_write_encoding(struct vmcs *vmcs, const struct vmcs_field_info *field, uint32_t encoding,
                         uint64_t value);

/* The VMCS region in memory: SDM "Format of the VMCS Region". Revision identifier in bits 30:0 of the first
 * word, the shadow-VMCS indicator in bit 31, the VMX-abort indicator in the second, data of the model's own
 * form behind. */
#define VMCS_REGION_ABORT_INDICATOR 4
#define VMCS_REGION_DATA 8
#define VMCS_REGION_SHADOW (1u << 31)

/* The first word of the region. */
uint32_t vmcs_region_identifier(const struct phys_mem *mem, uint64_t physical);
/* Reads the data of the region at a 4-KByte aligned address. Any bytes give a valid struct. */
void vmcs_region_load(const struct phys_mem *mem, uint64_t physical, struct vmcs *vmcs);
/* Writes the data back; neither identifier nor abort indicator changes. */
void vmcs_region_store(const struct phys_mem *mem, uint64_t physical, const struct vmcs *vmcs);
/* Access by encoding to one field of a region that is not cached: a shadow VMCS in VMX non-root operation. */
uint64_t vmcs_region_read(const struct phys_mem *mem, uint64_t physical, const struct vmcs_field_info *field,
                          uint32_t encoding);
void vmcs_region_write(const struct phys_mem *mem, uint64_t physical, const struct vmcs_field_info *field,
                       uint32_t encoding, uint64_t value);
/* Sets the launch state of a region that is not cached to clear. */
void vmcs_region_clear_launch_state(const struct phys_mem *mem, uint64_t physical);
/* Sets the VMX-abort indicator: SDM "VMX Aborts". */
void vmcs_region_set_abort(const struct phys_mem *mem, uint64_t physical, uint32_t indicator);

#endif
