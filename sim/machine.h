/*
 * machine.h: one deterministic loop that ties the rooms together: image in, outcome out.
 */
#ifndef VTSIM_SIM_MACHINE_H
#define VTSIM_SIM_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "vtsim/cycles.h"
#include "vtsim/trace.h"

enum machine_firmware {
    FIRMWARE_NONE, /* vectors and timer as the image sets them up */
    FIRMWARE_PC,   /* what a BIOS leaves for real mode: sim/boot/bios.h, platform_start_bios_timer */
};

enum machine_serial { SERIAL_STDIO, SERIAL_FILE, SERIAL_NULL, SERIAL_STREAM };

enum { MACHINE_PROCESSORS = 16 }; /* at most */

/* How far a run has come. */
struct machine_progress {
    uint64_t cycles;        /* of the processor that came furthest */
    uint64_t instructions;  /* of all processors, as is the next */
    uint64_t checked_steps; /* instructions that were checked one by one: docs/architecture.md */
    unsigned processor_count;
    const struct cycle_account *accounts[MACHINE_PROCESSORS]; /* where each processor's cycles went */
};

struct machine_options {
    const char *cpu;       /* name of a profile, with features to take away: see cpu_profile_select */
    unsigned processors;   /* 1 to MACHINE_PROCESSORS; 0 is as 1 */
    uint64_t memory_bytes; /* multiple of 4096, at least 1 MiB */
    const char *image;
    const char *append;         /* null: none */
    const char *const *modules; /* "file" or "file,command line" */
    size_t module_count;
    enum machine_firmware firmware;
    enum machine_serial serial;
    const char *serial_path;   /* SERIAL_FILE */
    FILE *serial_stream;       /* SERIAL_STREAM; flushed at the end, and not closed */
    uint64_t max_cycles;       /* 0: no limit */
    uint64_t max_instructions; /* 0: no limit; looked at once in a time slice */
    uint16_t debug_exit_port;  /* 0: 0xf4 */
    uint8_t debug_exit_size;   /* 0: 4 */
    struct trace *trace;       /* observer, or null */
    unsigned sanitize;         /* enum finding_group: what to look for, and to report to messages at the end; 0: nothing */
    const char *sanitize_minimum; /* name of a profile that has to suffice; null: none */
    FILE *messages;            /* explanations of failed entries and the like */
    bool quiet;                /* no explanations */
    /* Called with the time and where it went about every 50 million cycles and at the end; may be null. */
    void (*progress)(void *opaque, const struct machine_progress *progress);
    void *progress_opaque;
};

enum machine_outcome {
    MACHINE_POWER_OFF,
    MACHINE_DEBUG_EXIT,
    MACHINE_RESET, /* the guest asked for a reset */
    MACHINE_TRIPLE_FAULT,
    MACHINE_VMX_ABORT,
    MACHINE_UNSUPPORTED,
    MACHINE_LIMIT,
    MACHINE_HALTED_FOREVER, /* HLT with nothing left that could wake the processor */
    MACHINE_BAD_IMAGE,
    MACHINE_USAGE,
    MACHINE_INTERNAL,
};

struct machine_result {
    enum machine_outcome outcome;
    uint32_t debug_exit_value;
    int exit_status;   /* as DESIGN.md's command-line contract gives it */
    char message[512]; /* empty when there is nothing to say */
    uint64_t cycles;              /* of the processor that came furthest */
    uint64_t instructions;        /* of all processors */
    struct cycle_account account; /* where the cycles of all processors went */
    uint64_t image_digest;
};

/* Runs an image to its end. Always fills *result; returns result->exit_status. */
int machine_run(const struct machine_options *options, struct machine_result *result);

/* The stable name of an outcome: "debug-exit", "triple-fault" ... */
const char *machine_outcome_name(enum machine_outcome outcome);

#endif
