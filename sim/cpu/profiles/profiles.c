/* profiles.c: the list of processors. To add one, add its file, its line in profiles.h and its row here. */
#include "sim/cpu/profiles/profiles.h"

#include <string.h>

/* Oldest generation first. */
static const struct cpu_profile *const profiles[] = {
    &profile_prescott,  &profile_merom,       &profile_penryn,         &profile_nehalem,
    &profile_westmere,  &profile_sandybridge, &profile_ivybridge,      &profile_haswell,
    &profile_broadwell, &profile_skylake,     &profile_icelake_server, &profile_sapphirerapids};

const struct cpu_profile *cpu_profile_at(size_t index)
{
    return index < sizeof(profiles) / sizeof(profiles[0]) ? profiles[index] : NULL;
}

const struct cpu_profile *cpu_profile_find(const char *name)
{
    const struct cpu_profile *profile;

    for (size_t i = 0; (profile = cpu_profile_at(i)) != NULL; i++)
        if (strcmp(profile->name, name) == 0)
            return profile;
    return NULL;
}
