/* insn_lock.h: where a LOCK prefix may stand. Pure C over a decoded instruction. */
#ifndef VTSIM_SIM_CORE_INSN_LOCK_H
#define VTSIM_SIM_CORE_INSN_LOCK_H

#include <stdbool.h>

#include "vtsim/insn.h"

/* May the instruction have the LOCK prefix that it has? If not it raises #UD. insn: as insn_decode gave it,
 * INSN_UNKNOWN included. Source: SDM volume 2, "LOCK - Assert LOCK# Signal Prefix". */
bool insn_lock_allowed(const struct insn *insn);

#endif
