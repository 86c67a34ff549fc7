/*
 * selection.c: a profile without some of its features or VMX controls: "skylake,-la57,-enable-ept".
 *
 * They are only taken away: what is not in the profile's tables has no place in them.
 */
#include <stdio.h>
#include <string.h>

#include "sim/cpu/profiles/removable.h"

/* Shorter names that other tools have for controls. */
static const struct {
    const char *name, *control;
} short_names[] = {
    {"ept", "enable_ept"},
    {"vpid", "enable_vpid"},
    {"mbec", "mode_based_execute_control_for_ept"},
    {"spp", "sub_page_write_permissions_for_ept"},
    {"pml", "enable_pml"},
    {"preemption-timer", "activate_preemption_timer"},
};

static bool is(const char *name, const char *text, size_t length)
{
    return strlen(name) == length && !strncmp(name, text, length);
}

static const struct removable *find_feature(const char *text, size_t length)
{
    const struct removable *row;
    for (size_t i = 0; (row = removable_at(i)); i++)
        if (is(row->name, text, length))
            return row;
    return NULL;
}

/* "vmx-" may stand before a control's name. */
static const char *control_name(const char *text, size_t *length)
{
    static const char prefix[] = "vmx-";
    if (*length > strlen(prefix) && !strncmp(text, prefix, strlen(prefix))) {
        text += strlen(prefix);
        *length -= strlen(prefix);
    }
    for (size_t i = 0; i < sizeof short_names / sizeof *short_names; i++)
        if (is(short_names[i].name, text, *length)) {
            *length = strlen(short_names[i].control);
            return short_names[i].control;
        }
    return text;
}

static bool lacks(const struct cpu_selection *selection, const char *item, size_t length, char *message,
                  size_t size)
{
    snprintf(message, size, "%s has no %.*s to offer: features can only be taken away from a profile",
             selection->profile.name, (int)length, item);
    return false;
}

static bool apply_feature(struct cpu_selection *selection, const struct removable *row, bool add,
                          char *message, size_t size)
{
    const bool present = cpu_has_feature(&selection->profile, row->feature);
    if (add && !present)
        return lacks(selection, row->name, strlen(row->name), message, size);
    if (!add && present)
        removable_take(selection, row);
    return true;
}

static bool apply_control(struct cpu_selection *selection, const char *item, size_t length, bool add,
                          char *message, size_t size)
{
    size_t name_length = length;
    const char *name = control_name(item, &name_length);
    if (add && control_present(&selection->profile, name, name_length))
        return true;
    struct cpu_profile copy = selection->profile; /* changed by a question alone */
    switch (control_remove(add ? &copy : &selection->profile, name, name_length)) {
    case CONTROL_UNKNOWN:
        snprintf(
            message, size,
            "'%s%.*s' is no feature of a processor that can be switched, as -FEATURE; 'vtsim list features' "
            "shows them",
            add ? "+" : "-", (int)length, item);
        return false;
    case CONTROL_FIXED:
        snprintf(message, size, "the VMX control %.*s must be 1 on %s and cannot be taken away", (int)length,
                 item, selection->profile.name);
        return false;
    default:
        return add ? lacks(selection, item, length, message, size) : true;
    }
}

/* One of the items behind the name: "-FEATURE", or "+FEATURE" for what is there in any case. */
static bool apply(struct cpu_selection *selection, const char *item, size_t length, char *message,
                  size_t size)
{
    if (!length || (*item != '-' && *item != '+')) {
        snprintf(
            message, size,
            "'%.*s' is no feature to be taken away: it is written -FEATURE; 'vtsim list features' shows them",
            (int)length, item);
        return false;
    }
    const struct removable *row = find_feature(item + 1, length - 1);
    return row ? apply_feature(selection, row, *item == '+', message, size)
               : apply_control(selection, item + 1, length - 1, *item == '+', message, size);
}

const char *cpu_feature_name_at(size_t index)
{
    const struct removable *row = removable_at(index);
    return row ? row->name : NULL;
}

bool cpu_profile_select(const char *text, struct cpu_selection *selection, char *message, size_t size)
{
    const size_t length = strcspn(text, ",");
    const struct cpu_profile *profile = NULL;
    for (size_t i = 0; (profile = cpu_profile_at(i)); i++)
        if (is(profile->name, text, length))
            break;
    if (!profile || profile->cpuid_count > CPU_SELECTION_LEAVES) {
        snprintf(message, size, "there is no processor profile \"%.*s\"; vtsim list cpus shows them",
                 (int)length, text);
        return false;
    }
    selection->profile = *profile;
    memcpy(selection->cpuid, profile->cpuid, profile->cpuid_count * sizeof *profile->cpuid);
    selection->profile.cpuid = selection->cpuid;
    for (text += length; *text; text += strcspn(text, ",")) {
        text++;
        if (!apply(selection, text, strcspn(text, ","), message, size))
            return false;
    }
    return true;
}
