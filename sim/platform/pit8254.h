/*
 * pit8254.h: the 8254 programmable interval timer (Intel 8254 data sheet). Channel 0 drives interrupt line 0,
 * channel 2 is gated and read through port 61H. All six modes; BCD counting is refused. Counts are computed
 * from simulated time when somebody looks; nothing ticks.
 */
#ifndef VTSIM_SIM_PLATFORM_PIT8254_H
#define VTSIM_SIM_PLATFORM_PIT8254_H

#include <stdbool.h>
#include <stdint.h>

#define PIT_PORT 0x40
#define PIT_PORT_COUNT 4
#define PIT_SYSTEM_CONTROL_B 0x61
#define PIT_HZ 1193182u
#define PIT_IRQ 0

enum pit_access { PIT_ACCESS_LATCH, PIT_ACCESS_LOW, PIT_ACCESS_HIGH, PIT_ACCESS_BOTH };

struct pit8254_channel {
    uint8_t mode;   /* 0 to 5 */
    uint8_t access; /* enum pit_access */
    bool gate;
    bool counting;              /* a count was loaded and, in modes 1 and 5, triggered */
    bool paused;                /* gate low in modes 0, 2, 3, 4 */
    bool write_high, read_high; /* which byte of a two-byte access comes next */
    bool count_latched, status_latched;
    bool null_count; /* a mode was written and no count since */
    uint8_t low_byte;
    uint8_t latched_status;
    uint16_t latched;
    uint32_t reload;      /* 1 to 65536 */
    uint64_t start;       /* PIT tick at which the count was loaded; when paused: ticks done so far */
    uint32_t next_reload; /* modes 2 and 3: waits for the period to end at switch_tick; 0: none */
    uint64_t switch_tick;
    bool edge_pending;
    uint64_t edges; /* channel 0: rising edges of the output already seen since start */
};

struct pit8254 {
    struct pit8254_channel channel[3];
    uint8_t speaker; /* port 61H, bits 1:0 */
};

void pit8254_reset(struct pit8254 *pit);
/* tick: PIT clocks since power-on. offset 0 to 3. False from write: not modelled (*text). */
uint8_t pit8254_read(struct pit8254 *pit, unsigned offset, uint64_t tick);
bool pit8254_write(struct pit8254 *pit, unsigned offset, uint8_t value, uint64_t tick, const char **text);
uint8_t pit8254_read_system_control(struct pit8254 *pit, uint64_t tick);
void pit8254_write_system_control(struct pit8254 *pit, uint8_t value, uint64_t tick);
/* True if the output of channel 0 rose since the last call, at or before tick. */
bool pit8254_take_edge(struct pit8254 *pit, uint64_t tick);
/* The tick at which the output of channel 0 rises next; UINT64_MAX: never. */
uint64_t pit8254_next_edge(const struct pit8254 *pit);

#endif
