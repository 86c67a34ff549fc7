/*
 * fuzz_guest.c: whole guests made of random bytes, see guest/guest.h. Whatever the guest does, the simulator
 * neither crashes nor writes outside of its memory, and comes to an end in time.
 */
#include <stdlib.h>
#include <string.h>

#include "sim/machine_private.h"
#include "tests/fuzz/guest/guest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CYCLES = 100000 };

static void fill(struct machine *m, const uint8_t *data, size_t size)
{
    struct choices c;
    choices_begin(&c, data, size);
    enum guest_mode mode = choose(&c, GUEST_MODES);
    uint8_t *ram = m->mem.ram;
    for (unsigned i = 0; i < 0x1000; i++)
        ram[GUEST_DATA + i] = (uint8_t)(i * 7);
    bool with_vmx = (mode == GUEST_PROTECTED_32 || mode == GUEST_64) && !one_in(&c, 3);
    guest_fill_state(&c, mode, with_vmx, m->processors[0].cpu.profile, &m->processors[0].cpu.state);
    guest_fill_tables(&c, ram, mode, &m->processors[0].cpu.state);
    guest_fill_code(&c, ram, mode);
    if (with_vmx)
        guest_fill_vmx(&c, &m->processors[0].cpu, mode);
    vmx_update_regime(&m->processors[0].cpu.vmx);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct machine machine; /* large */
    static const char *const cpus[] = {"skylake", "nehalem"};
    struct machine_result result;
    const struct machine_options options = {.cpu = cpus[size & 1],
                                            .memory_bytes = GUEST_RAM,
                                            .serial = SERIAL_NULL,
                                            .max_cycles = CYCLES,
                                            .max_instructions = CYCLES,
                                            .messages = getenv("VTSIM_FUZZ_VERBOSE") ? stderr : NULL};
    if (!machine_open(&machine, &options, &result))
        abort();
    fill(&machine, data, size);
    machine_go(&machine);
    machine_close(&machine);
    if (result.outcome == MACHINE_INTERNAL || (result.outcome == MACHINE_UNSUPPORTED && !result.message[0]))
        abort();
    if (options.messages)
        fprintf(stderr, "%s %llu %llu: %s\n", machine_outcome_name(result.outcome),
                (unsigned long long)result.cycles, (unsigned long long)result.instructions, result.message);
    return 0;
}
