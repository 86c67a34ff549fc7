/*
 * conformance: IOPL and the I/O permission bit map of the TSS, for every size, in protected mode
 * SDM: 1, "I/O Privilege Level", "I/O Permission Bit Map"
 * SDM: 2, "IN—Input From Port", "OUT—Output to Port"
 * conformance-bits: 32
 */
#include "lab.h"

enum { MAP_AT = 0x68, MAP_BASE_AT = 0x66, MAP_BYTES = 8192, PORT = 0x237, IOPL3 = 0x3000 };

static uint8_t *const map = lab_tss + MAP_AT;

/* A map at MAP_AT, the TSS's limit as given. */
static void load_tr(unsigned map_base, unsigned limit, unsigned type)
{
    uint16_t base = (uint16_t)map_base;
    memcpy(lab_tss + MAP_BASE_AT, &base, sizeof base);
    lab_gdt[LAB_TSS / 8] = lab_descriptor((uint32_t)(uintptr_t)lab_tss, limit, type, 0);
    __asm__ volatile("ltr %w0" ::"r"(LAB_TSS));
}

static void deny(unsigned port, bool denied)
{
    map[port / 8] = (uint8_t)((map[port / 8] & ~(1u << port % 8)) | denied << port % 8);
}

struct form {
    const char *name;
    uint8_t code[4];
    unsigned bytes, size;
};
static const struct form forms[] = {
    {"IN AL, DX", {0xec}, 1, 1},  {"IN AX, DX", {0x66, 0xed}, 2, 2},  {"IN EAX, DX", {0xed}, 1, 4},
    {"OUT DX, AL", {0xee}, 1, 1}, {"OUT DX, AX", {0x66, 0xef}, 2, 2}, {"OUT DX, EAX", {0xef}, 1, 4},
    {"INSB", {0x6c}, 1, 1},       {"INSW", {0x66, 0x6d}, 2, 2},       {"INSD", {0x6d}, 1, 4},
    {"OUTSB", {0x6e}, 1, 1},      {"OUTSW", {0x66, 0x6f}, 2, 2},      {"OUTSD", {0x6f}, 1, 4},
};

static bool allowed(const struct form *f, unsigned port, unsigned long flags, unsigned ring)
{
    uint8_t code[8];
    static uint8_t data[16];
    memcpy(code, f->code, f->bytes);
    code[f->bytes] = 0xcd;
    code[f->bytes + 1] = LAB_DONE;
    struct lab_state s = lab_start(code, ring);
    s.dx = port;
    s.si = s.di = (unsigned long)data;
    s.flags |= flags;
    lab_go(&s);
    if (s.vector == LAB_GP && s.error_code == 0 && s.ip == (unsigned long)code)
        return false;
    if (s.vector != LAB_DONE)
        LAB_EVENT(&s, LAB_DONE, 0, code, "%s of port %x", f->name, port);
    return true;
}

/* Each of the ports that an access covers, alone denied; and the ones beside them. */
static void each_bit(void)
{
    for (unsigned i = 0; i < sizeof forms / sizeof *forms; i++) {
        const struct form *f = &forms[i];
        memset(map, 0, MAP_BYTES);
        map[MAP_BYTES] = 0xff;
        LAB_CHECK(allowed(f, PORT, 0, 3), "%s with no bit set: allowed", f->name);
        for (unsigned k = 0; k < f->size; k++) {
            deny(PORT + k, true);
            LAB_CHECK(!allowed(f, PORT, 0, 3), "%s with the bit of byte %u set: #GP(0)", f->name, k);
            LAB_CHECK(allowed(f, PORT, IOPL3, 3), "%s the same with IOPL 3: allowed", f->name);
            LAB_CHECK(allowed(f, PORT, 0, 0), "%s the same at CPL 0: allowed", f->name);
            deny(PORT + k, false);
        }
        deny(PORT - 1, true);
        deny(PORT + f->size, true);
        LAB_CHECK(allowed(f, PORT, 0, 3), "%s with the bits on both sides set: allowed", f->name);
    }
}

static void immediate_ports(void)
{
    static const uint8_t in[] = {0xe4, 0xf0, 0xcd, LAB_DONE}, out[] = {0xe6, 0xf0, 0xcd, LAB_DONE};
    memset(map, 0, MAP_BYTES);
    deny(0xf0, true);
    struct lab_state s = lab_start(in, 3);
    lab_go(&s);
    LAB_EVENT(&s, LAB_GP, 0, in, "IN AL, imm8 denied");
    s = lab_start(out, 3);
    lab_go(&s);
    LAB_EVENT(&s, LAB_GP, 0, out, "OUT imm8, AL denied");
    deny(0xf0, false);
    s = lab_start(out, 3);
    lab_go(&s);
    LAB_EVENT(&s, LAB_DONE, 0, out + 4, "OUT imm8, AL allowed");
}

/* Two bytes are read always: a map needs a byte behind its last port, within the limit. */
static void limits(void)
{
    const struct form *f = &forms[0];
    memset(map, 0, MAP_BYTES + 1);
    load_tr(MAP_AT, MAP_AT + PORT / 8 + 1, 0x89);
    LAB_CHECK(allowed(f, PORT, 0, 3), "limit one byte behind the port's: allowed");
    LAB_CHECK(!allowed(f, PORT + 8, 0, 3), "port beyond: #GP(0)");
    load_tr(MAP_AT, MAP_AT + PORT / 8, 0x89);
    LAB_CHECK(!allowed(f, PORT, 0, 3), "limit at the port's byte: #GP(0)");
    load_tr(MAP_AT, 0x67, 0x89);
    LAB_CHECK(!allowed(f, 0, 0, 3), "map beyond the limit: #GP(0)");
    uint32_t esp0;
    const uint16_t stack0[2] = {0x7000, LAB_DATA0}; /* of a 16-bit TSS: SP0, SS0 at 2 */
    memcpy(&esp0, lab_tss + 4, sizeof esp0);
    memcpy(lab_tss + 2, stack0, sizeof stack0);
    load_tr(MAP_AT, MAP_AT + MAP_BYTES, 0x81);
    LAB_CHECK(!allowed(f, PORT, 0, 3), "a 16-bit TSS has no map: #GP(0)");
    memcpy(lab_tss + 4, &esp0, sizeof esp0);
    load_tr(MAP_AT, MAP_AT + MAP_BYTES, 0x89);
    map[MAP_BYTES] = 0;
    LAB_CHECK(allowed(f, 0xffff, 0, 3), "port FFFFH with a byte of the map behind it: allowed");
}

int main(void)
{
    lab_init();
    load_tr(MAP_AT, MAP_AT + MAP_BYTES, 0x89);
    each_bit();
    immediate_ports();
    limits();
    lab_end();
}
