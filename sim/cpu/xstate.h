/*
 * xstate.h: the state components that the XSAVE feature set manages, which of them a processor has, and where
 * they lie.
 *
 * x87 and SSE state are components 0 and 1, in the legacy region. What follows the header is a row of a table
 * in xstate.c. Source: SDM volume 1, "Managing State Using the XSAVE Feature Set".
 */
#ifndef VTSIM_SIM_CPU_XSTATE_H
#define VTSIM_SIM_CPU_XSTATE_H

#include "sim/cpu/cpu.h"

#define XSTATE_X87 (1ull << 0)
#define XSTATE_SSE (1ull << 1)
#define XSTATE_AVX (1ull << 2)
#define XSTATE_PKRU (1ull << 9)
#define XSTATE_COMPACTED (1ull << 63) /* in XCOMP_BV */

enum {
    XSAVE_MXCSR = 24,
    XSAVE_ST = 32,
    XSAVE_XMM = 160,
    XSAVE_LEGACY_END = 416, /* bytes 511:416 are not used */
    XSAVE_HEADER = 512,
    XSAVE_HEADER_SIZE = 64,
    XSAVE_EXTENDED = 576,
    XSAVE_AREA_MAXIMUM = 4096, /* more than any area has */
};

/* One component of the extended region. */
struct xstate_component {
    uint8_t bit;
    bool supervisor; /* enabled by IA32_XSS, not by XCR0 */
    uint16_t size;   /* bytes */
    uint16_t offset; /* in the standard format; 0 for a supervisor component */
    bool (*present)(const struct cpu_profile *profile);
    bool (*in_use)(const struct cpu *cpu); /* false: in its initial configuration */
    void (*save)(const struct cpu *cpu, uint8_t *to);
    /* false: a value that its register refuses (#GP), and nothing is changed */
    bool (*load)(struct cpu *cpu, const uint8_t *from);
};

/* The index'th component of the extended region, by bit; null past the end. */
const struct xstate_component *xstate_component_at(size_t index);

/* Bits that XCR0 and IA32_XSS may have; 0 without XSAVE (XSAVES). */
uint64_t xstate_user(const struct cpu_profile *profile);
uint64_t xstate_supervisor(const struct cpu_profile *profile);
/* May XCR0 hold the value: SDM volume 2, "XSETBV". */
bool xstate_xcr0_valid(const struct cpu_profile *profile, uint64_t value);

/* The bytes of an XSAVE area with the components, in the standard or the compacted format: CPUID leaf 0DH. */
uint32_t xstate_area_size(uint64_t components, bool compacted);
/* Where a component of the extended region lies: format is XCOMP_BV, or 0 for the standard format. */
uint32_t xstate_offset(const struct xstate_component *component, uint64_t format);
/* XINUSE: SDM volume 1, "Processor Tracking of XSAVE-Managed State". Components not in their initial
 * configuration. */
uint64_t xstate_in_use(const struct cpu *cpu, const struct fpu_state *fpu);

/* CPUID leaf 0DH; the profile's own row (subleaf 1) says which instructions there are. */
void xstate_cpuid(const struct cpu *cpu, uint32_t subleaf, uint32_t out[4]);

/* The x87 FPU after FNINIT with empty registers, and SSE state as at reset. */
void xstate_initial_x87(struct fpu_state *fpu);
void xstate_initial_sse(struct fpu_state *fpu, unsigned registers);

#endif
