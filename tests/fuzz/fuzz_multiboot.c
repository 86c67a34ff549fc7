/*
 * fuzz_multiboot.c: libFuzzer on the image loader. The input is the image; its last byte says how much RAM
 * there is and whether a module comes along. Nothing may crash, and a failure must explain itself.
 */
#include <stdint.h>
#include <stdlib.h>

#include "sim/boot/multiboot.h"
#include "vtsim/cpu_state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct phys_mem mem;
    struct boot_result result;
    struct cpu_state state = {0};
    const char *text;
    uint8_t choice = size ? data[size - 1] : 0;
    uint64_t memory = (1ull + (choice & 3)) << 20;
    struct boot_file image = {"fuzz", data, size, "fuzz input"};
    struct boot_file module = {"module", data, size, "module"};
    if (!boot_memory_init(&mem, memory, &text))
        abort();
    enum boot_status status = multiboot_load(&mem, &image, &module, choice >> 2 & 1, &result);
    if (status != result.status || (status != BOOT_OK && !result.text[0]))
        abort();
    if (status == BOOT_OK) {
        boot_set_cpu_state(&result, &state);
        if (result.entry >= mem.low_size || result.ebx < 0x1000 || result.ebx >= 0x9fc00)
            abort();
    }
    boot_memory_free(&mem);
    return 0;
}
