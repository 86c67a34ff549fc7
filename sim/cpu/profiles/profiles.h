/* profiles.h: the constant tables behind cpu_profile_find; one file each. */
#ifndef VTSIM_SIM_CPU_PROFILES_H
#define VTSIM_SIM_CPU_PROFILES_H

#include "vtsim/profile.h"

extern const struct cpu_profile profile_prescott;
extern const struct cpu_profile profile_merom;
extern const struct cpu_profile profile_penryn;
extern const struct cpu_profile profile_nehalem;
extern const struct cpu_profile profile_westmere;
extern const struct cpu_profile profile_sandybridge;
extern const struct cpu_profile profile_ivybridge;
extern const struct cpu_profile profile_haswell;
extern const struct cpu_profile profile_broadwell;
extern const struct cpu_profile profile_skylake;
extern const struct cpu_profile profile_icelake_server;
extern const struct cpu_profile profile_sapphirerapids;

#endif
