/*
 * conformance: fetches that run into a page that is absent, no-execute or a supervisor's: RIP, CR2, error code
 * SDM: 3A, "Interrupt 14—Page-Fault Exception (#PF)" (error code: I/D; CR2)
 * SDM: 3A, "Execute-Disable Bit", "Instruction Fetches" under "Determination of Access Rights"
 */
#include "window.h"

enum { FIRST = 1, SECOND = 2 };

/* 10 bytes: MOV RAX, imm64 */
static const uint8_t ten[] = {0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8};

struct rights {
    const char *name;
    unsigned long flags;
    unsigned code; /* error code, at CPL 3 */
};

static const struct rights second[] = {
    {"absent", 0, PF_I | PF_U},
    {"no-execute", PAGE_ALL | PAGE_NX, PF_I | PF_U | PF_P},
    {"supervisor's", PAGE_P | PAGE_W, PF_I | PF_U | PF_P},
};

static struct lab_state go(const void *code, unsigned ring)
{
    struct lab_state s = lab_start(code, ring);
    lab_go(&s);
    return s;
}

static void put(uint8_t *at, const uint8_t *bytes, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        ((volatile uint8_t *)at)[i] = bytes[i];
}

static void crossing(void)
{
    uint8_t *end = window_at(SECOND);
    static const uint8_t done[] = {0xcd, LAB_DONE};
    for (unsigned r = 0; r < sizeof second / sizeof *second; r++)
        for (unsigned inside = 1; inside < sizeof ten; inside++) {
            window_map(SECOND, SECOND, PAGE_ALL);
            put(end - inside - 3, (const uint8_t[]){0x90, 0x90, 0x90}, 3);
            put(end - inside, ten, sizeof ten);
            put(end - inside + sizeof ten, done, sizeof done);
            struct lab_state s = go(end - inside - 3, 3);
            LAB_EQUAL(s.ax, 0x0807060504030201ul, "%u bytes in the first page: executed", inside);
            window_map(SECOND, SECOND, second[r].flags);
            s = go(end - inside - 3, 3);
            LAB_EVENT(&s, LAB_PF, second[r].code, end - inside, "%u bytes, then a page that is %s", inside,
                      second[r].name);
            LAB_EQUAL(s.cr2, end, "CR2 is the second page");
            LAB_EQUAL(s.ax, 0, "RAX");
        }
}

/* The first instruction after the page's end. */
static void running_on(void)
{
    uint8_t *end = window_at(SECOND);
    put(end - 2, (const uint8_t[]){0x90, 0x90}, 2);
    for (unsigned r = 0; r < sizeof second / sizeof *second; r++) {
        window_map(SECOND, SECOND, second[r].flags);
        struct lab_state s = go(end - 2, 3);
        LAB_EVENT(&s, LAB_PF, second[r].code, end, "running on into a page that is %s", second[r].name);
        LAB_EQUAL(s.cr2, end, "CR2");
        s = go(end + 5, 3);
        LAB_EVENT(&s, LAB_PF, second[r].code, end + 5, "starting in it");
        LAB_EQUAL(s.cr2, end + 5, "CR2 is RIP");
    }
}

/* A branch at the end of a page does not need the next one, whether it is taken or not fetched beyond. */
static void not_needed(void)
{
    uint8_t *end = window_at(SECOND), *page = window_at(FIRST);
    window_map(SECOND, SECOND, 0);
    put(page, (const uint8_t[]){0xcd, LAB_DONE}, 2);
    put(end - 5, (const uint8_t[]){0xe9, 0x05, 0xf0, 0xff, 0xff}, 5); /* JMP to the page's begin */
    const int distance = (int)(page - end);
    put(end - 4, (const uint8_t *)&distance, 4);
    struct lab_state s = go(end - 5, 3);
    LAB_EVENT(&s, LAB_DONE, 0, page + 2, "a jump that ends its page");
    put(end - 2, (const uint8_t[]){0xcd, LAB_DONE}, 2);
    s = go(end - 2, 3);
    LAB_EVENT(&s, LAB_DONE, 0, end, "INT n that ends its page");
    put(end - 2, (const uint8_t[]){0x74, 0x80}, 2); /* JZ, not taken */
    s = go(end - 2, 3);
    LAB_EVENT(&s, LAB_PF, PF_I | PF_U, end,
              "a branch that is not taken: the fault is the next instruction's");
    put(end - 2, (const uint8_t[]){0x0f, 0x0b}, 2);
    s = go(end - 2, 3);
    LAB_EVENT(&s, LAB_UD, 0, end - 2, "UD2 that ends its page");
    put(end - 1, (const uint8_t[]){0xf4}, 1);
    s = go(end - 1, 3);
    LAB_EVENT(&s, LAB_GP, 0, end - 1, "HLT at CPL 3 that ends its page");
}

/* 15 bytes are the most. A fault of the fetch comes before those of decoding: SDM 3A, "Prioritization of Concurrent
 * Events". */
static void too_long(void)
{
    uint8_t *end = window_at(SECOND);
    window_map(SECOND, SECOND, 0);
    for (unsigned i = 1; i <= 15; i++)
        put(end - i, (const uint8_t[]){0x66}, 1);
    struct lab_state s = go(end - 15, 3);
    LAB_EVENT(&s, LAB_PF, PF_I | PF_U, end - 15, "15 prefixes, and the page ends");
    window_map(SECOND, SECOND, PAGE_ALL);
    put(end, (const uint8_t[]){0x90, 0xcd, LAB_DONE}, 3);
    s = go(end - 15, 3);
    LAB_EVENT(&s, LAB_GP, 0, end - 15, "16 bytes, all there");
    s = go(end - 14, 3);
    LAB_EVENT(&s, LAB_DONE, 0, end + 3, "15 bytes, all there");
    window_map(SECOND, SECOND, 0);
    s = go(end - 14, 3);
    LAB_EVENT(&s, LAB_PF, PF_I | PF_U, end - 14, "14 prefixes, and the page ends");
    LAB_EQUAL(s.cr2, end, "CR2");
}

/* At CPL 0, without CR4.SMEP. */
static void supervisor(void)
{
    uint8_t *page = window_map(FIRST, FIRST, PAGE_ALL);
    put(page, (const uint8_t[]){0x90, 0xcd, LAB_DONE}, 3);
    struct lab_state s = go(page, 0);
    LAB_EVENT(&s, LAB_DONE, 0, page + 3, "a user's page at CPL 0");
    window_map(FIRST, FIRST, PAGE_P | PAGE_W | PAGE_NX);
    s = go(page, 0);
    LAB_EVENT(&s, LAB_PF, PF_I | PF_P, page, "a no-execute page at CPL 0");
}

int main(void)
{
    lab_init();
    lab_user_pages();
    window_open();
    crossing();
    running_on();
    not_needed();
    too_long();
    supervisor();
    lab_end();
}
