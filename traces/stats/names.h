/*
 * names.h: the stable text names of what events carry as numbers.
 *
 * The names are stored in statistics files and printed in reports: scripts rely on them, so a name is never
 * changed. A number that has no name gives null. Exit reasons and VM-instruction errors have their names in
 * vmx_model.
 */
#ifndef VTSIM_TRACES_NAMES_H
#define VTSIM_TRACES_NAMES_H

/* enum trace_flush_cause. */
const char *trace_flush_cause_name(unsigned cause);
/* enum trace_vmx_instruction: the mnemonic. */
const char *trace_vmx_instruction_name(unsigned instruction);
/* enum trace_mapping: "linear", "guest-physical", "combined". */
const char *trace_mapping_name(unsigned mapping);
/* Exception vectors 0 to 31: the mnemonic, as "#GP". SDM volume 3A, "Exception and Interrupt Reference". */
const char *trace_vector_name(unsigned vector);
/* enum finding_id. */
const char *trace_finding_name(unsigned finding);

#endif
