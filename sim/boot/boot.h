/*
 * boot.h: guest RAM and the loading of an image into it. Enter the room here.
 *
 * An image that cannot be loaded is a status with a text that says what is wrong, where, and the way out.
 * Whatever an image holds, nothing here crashes or reads outside of it.
 */
#ifndef VTSIM_SIM_BOOT_BOOT_H
#define VTSIM_SIM_BOOT_BOOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vtsim/phys_mem.h"

struct cpu_state; /* vtsim/cpu_state.h; not included here: its PF_W is also a name of <elf.h> */

#define BOOT_LOW_MAX (3ull << 30) /* RAM below 4 GiB; the rest goes above */
#define BOOT_MEMORY_MIN (1ull << 20)
#define BOOT_MEMORY_MAX                                                                                      \
    (1ull << 38) /* of the smallest physical-address width that a profile has, half is left for devices */

enum boot_status {
    BOOT_OK,
    BOOT_UNREADABLE,   /* a file is missing, is no regular file or cannot be read */
    BOOT_NO_HEADER,    /* no Multiboot header */
    BOOT_BAD_IMAGE,    /* what the image says of itself contradicts itself */
    BOOT_TRUNCATED,    /* it names bytes beyond the end of the file */
    BOOT_OUTSIDE_RAM,  /* a part does not fit in RAM */
    BOOT_OVERLAP,      /* two parts want the same memory */
    BOOT_UNSUPPORTED,  /* well formed, but it asks for what is not there */
    BOOT_OUT_OF_MEMORY /* of the host */
};

struct boot_module {
    const char *path;
    const char *command_line; /* after the path in the module's string; may be null */
};

struct boot_options {
    const char *image_path;
    const char *append; /* may be null */
    const struct boot_module *modules;
    size_t module_count;
};

struct boot_result {
    enum boot_status status;
    uint32_t entry;        /* physical address of the first instruction */
    uint32_t eax, ebx;     /* at entry: the magic number, the Multiboot information structure */
    uint64_t image_digest; /* FNV-1a, 64 bits, of the image file */
    char text[512];        /* of a failure: one line, no newline */
    char note[160];        /* of a success: what the image asked for in vain; empty if nothing */
};

/* RAM of size bytes (a multiple of 4 KiB, BOOT_MEMORY_MIN to BOOT_MEMORY_MAX), zeroed, allocated by the host
 * as it is touched. Until a platform is attached, everything else reads as all ones. False: *text says why.
 */
bool boot_memory_init(struct phys_mem *mem, uint64_t size, const char **text);
void boot_memory_free(struct phys_mem *mem);

/* Reads the files and loads them as a Multiboot 1 loader does. The same value as result->status. */
enum boot_status boot_load(const struct phys_mem *mem, const struct boot_options *options,
                           struct boot_result *result);

/* The machine state of the Multiboot specification, section "Machine state": flat 32-bit protected mode,
 * paging and interrupts off. Touches no MSR but IA32_EFER (0). result must be that of a success. */
void boot_set_cpu_state(const struct boot_result *result, struct cpu_state *state);

#endif
