/*
 * fuzz_vmx.c: random VMX instruction sequences, VMCSs, guests, bitmaps, EPT structures and events on every
 * profile, at the level of sim/cpu, with invariants that are asked about after every step: see vmx/lab.h.
 * Every input is run twice and must come to the same.
 */
#include "tests/fuzz/vmx/lab.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEPS = 150, STEPS_BETWEEN_TLB_CHECKS = 25 };

static uint64_t run(struct lab *lab, const uint8_t *data, size_t size)
{
    lab_open(lab, data, size);
    lab->verbose = getenv("VTSIM_FUZZ_VERBOSE") != NULL;
    for (unsigned i = 0; i < STEPS && (lab->status == CPU_RUN || lab->status == CPU_HALTED); i++) {
        lab_step(lab);
        if (lab->verbose)
            fprintf(stderr, "%3u %s: status %d, RIP %#llx\n", i, lab->step, lab->status,
                    (unsigned long long)lab->cpu.state.rip);
        if (i % STEPS_BETWEEN_TLB_CHECKS == 0)
            lab_require_tlb(lab);
    }
    lab_require_tlb(lab);
    if (lab->verbose)
        fprintf(stderr, "%s: %llu entries, %llu failed, %llu exits, status %d %s\n", lab->cpu.profile->name,
                (unsigned long long)lab->entries, (unsigned long long)lab->failures,
                (unsigned long long)lab->exits, lab->status, lab->status > CPU_HALTED ? lab->cpu.text : "");
    const uint64_t digest = lab_digest(lab);
    lab_close(lab);
    return digest;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct lab lab; /* large */
    static _Alignas(4096) uint8_t ram[LAB_RAM];
    lab.ram = ram;
    const uint64_t first = run(&lab, data, size), second = run(&lab, data, size);
    if (first != second)
        lab_fail(&lab, __FILE__, __LINE__, "the same input gives the same run");
    return 0;
}
