/* names.c: exit reasons and VM-instruction errors by number, from their tables. */
#include "vmx_model/errors.h"
#include "vmx_model/exit_reasons.h"

static const struct vmx_exit_reason_info reasons[] = {
#define VMX_EXIT_REASON(number, identifier, name, kvm_name, qualification)                                   \
    {number, #identifier, name, kvm_name, qualification},
#include "vmx_model/exit_reasons.def"
#undef VMX_EXIT_REASON
};

#define REASON_COUNT (sizeof(reasons) / sizeof(reasons[0]))

const struct vmx_exit_reason_info *vmx_exit_reason(uint32_t reason)
{
    for (size_t i = 0; i < REASON_COUNT; i++)
        if (reasons[i].number == reason)
            return &reasons[i];
    return NULL;
}

const struct vmx_exit_reason_info *vmx_exit_reason_at(size_t index)
{
    return index < REASON_COUNT ? &reasons[index] : NULL;
}

const char *vmx_instruction_error_text(uint32_t number)
{
    static const char *const texts[VMX_ERROR_LAST + 1] = {
#define VMX_ERROR(number, identifier, text) [number] = text,
#include "vmx_model/errors.def"
#undef VMX_ERROR
    };

    return number <= VMX_ERROR_LAST ? texts[number] : NULL;
}
