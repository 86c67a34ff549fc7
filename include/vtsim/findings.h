/* findings.h: names of what the sanitizer finds, for whoever counts or lists it. The texts are in findings.def. */
#ifndef VTSIM_FINDINGS_H
#define VTSIM_FINDINGS_H

enum finding_id {
#define FINDING(identifier, group, what, section, advice) FINDING_##identifier,
#include "vtsim/findings.def"
#undef FINDING
    FINDING_COUNT
};

/* As `vtsim run --sanitize` names them. A bit each. */
enum finding_group { FINDINGS_VMX = 1, FINDINGS_TLB = 2, FINDINGS_LIMITS = 4 };

#endif
