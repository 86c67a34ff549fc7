/*
 * conformance: virtual-8086 mode: operands, pushes, strings and instructions at offset FFFFH
 * SDM: 3A, "Segment Limit Checking"
 * SDM: 3B, "Virtual-8086 Mode" with "Address Translation in Virtual-8086 Mode"
 * SDM: 3B, "Real-Address Mode" with "Interrupt 12" and "Interrupt 13" of its table of exceptions
 * conformance-bits: 32
 */
#include "v86.h"

enum { DATA = 0x30000 };

struct piece {
    const char *name;
    uint8_t code[12];
    uint8_t bytes;
    unsigned vector; /* LAB_GP of the HLT: none */
    uint32_t bx, sp;
};

static const struct piece pieces[] = {
    {"MOV AL, [FFFFH]", {0x8a, 0x07}, 2, 0, 0xffff, V86_SP},
    {"MOV AX, [FFFFH]", {0x8b, 0x07}, 2, LAB_GP, 0xffff, V86_SP},
    {"MOV [FFFFH], AX", {0x89, 0x07}, 2, LAB_GP, 0xffff, V86_SP},
    {"MOV AX, [FFFEH]", {0x8b, 0x07}, 2, 0, 0xfffe, V86_SP},
    {"MOV EAX, [FFFDH]", {0x66, 0x8b, 0x07}, 3, LAB_GP, 0xfffd, V86_SP},
    {"MOV EAX, [FFFCH]", {0x66, 0x8b, 0x07}, 3, 0, 0xfffc, V86_SP},
    {"[BX + 1] wraps at 16 bits", {0x8b, 0x47, 0x01}, 3, 0, 0xffff, V86_SP},
    {"[EBX] at 10000H", {0x67, 0x8a, 0x03}, 3, LAB_GP, 0x10000, V86_SP},
    {"[EBX] at FFFFH", {0x67, 0x8a, 0x03}, 3, 0, 0xffff, V86_SP},
    {"INC word at FFFFH", {0xff, 0x07}, 2, LAB_GP, 0xffff, V86_SP},
    {"XCHG at FFFFH", {0x87, 0x07}, 2, LAB_GP, 0xffff, V86_SP},
    {"MOV AX, SS:[FFFFH]", {0x36, 0x8b, 0x07}, 3, LAB_SS, 0xffff, V86_SP},
    {"LES at FFFDH", {0xc4, 0x07}, 2, LAB_GP, 0xfffd, V86_SP},
    {"FLD m64 at FFF9H", {0xdd, 0x07}, 2, LAB_GP, 0xfff9, V86_SP},
    {"PUSH with SP = 1", {0x50}, 1, LAB_SS, 0, 1},
    {"PUSH with SP = 0 wraps", {0x50}, 1, 0, 0, 0},
    {"POP with SP = FFFFH", {0x58}, 1, LAB_SS, 0, 0xffff},
    {"POP with SP = FFFEH", {0x58}, 1, 0, 0, 0xfffe},
    {"PUSHA with SP = 7", {0x60}, 1, LAB_SS, 0, 7},
};

static void one(const struct piece *p)
{
    struct lab_state s = v86_start(p->code, p->bytes, 0);
    s.bx = p->bx;
    s.sp = p->sp;
    memset((uint8_t *)DATA, 0x22, 0x10010);
    lab_go(&s);
    LAB_EQUAL(s.vector, p->vector ? p->vector : LAB_GP, "%s: vector", p->name);
    LAB_EQUAL(s.ip, p->vector ? 0 : p->bytes, "%s: IP", p->name);
    LAB_EQUAL(s.error_code, 0, "%s: error code", p->name);
    if (p->vector) {
        LAB_EQUAL(s.sp, p->sp, "%s: SP", p->name);
        LAB_CHECK(*(uint8_t *)(DATA + 0xffff) == 0x22 && *(uint8_t *)DATA == 0x22 &&
                      *(uint8_t *)(DATA + 0x10000) == 0x22,
                  "%s: nothing is stored", p->name);
    }
}

static void pushed_at_the_end(void)
{
    static const uint8_t push[] = {0x50};
    struct lab_state s = v86_start(push, sizeof push, 0);
    s.ax = 0x1234;
    s.sp = 0;
    lab_go(&s);
    LAB_EQUAL(s.sp, 0xfffe, "PUSH with SP = 0: SP");
    LAB_EQUAL(*v86_stack(0xfffe), 0x1234, "and the word is at FFFEH");
}

static void strings(void)
{
    static const uint8_t bytes[] = {0xf3, 0xa4}, words[] = {0xf3, 0xa5};
    struct lab_state s = v86_start(bytes, sizeof bytes, 0);
    s.si = 0xfffe;
    s.di = 0x100;
    s.cx = 4;
    memset((uint8_t *)DATA, 0, 0x200);
    *(uint16_t *)(DATA + 0xfffe) = 0x0201;
    *(uint16_t *)DATA = 0x0403;
    lab_go(&s);
    LAB_EQUAL(s.ip, sizeof bytes, "REP MOVSB over FFFFH goes on at 0");
    LAB_EQUAL(s.si, 2, "SI");
    LAB_EQUAL(*(uint32_t *)(DATA + 0x100), 0x04030201, "what it moved");
    s = v86_start(words, sizeof words, 0);
    s.si = 0xfffb;
    s.di = 0x100;
    s.cx = 4;
    lab_go(&s);
    LAB_EVENT(&s, LAB_GP, 0, 0, "REP MOVSW with a word at FFFFH");
    LAB_EQUAL(s.si, 0xffff, "SI");
    LAB_EQUAL(s.di, 0x104, "DI");
    LAB_EQUAL(s.cx, 2, "CX");
}

static void code(void)
{
    uint8_t *segment = (uint8_t *)(V86_CODE * 16);
    struct lab_state s = v86_start("", 0, 0);
    segment[0xffff] = 0xb0; /* MOV AL, imm8, whose second byte is beyond */
    segment[0x10000] = 0x77;
    s.ip = 0xffff;
    lab_go(&s);
    LAB_EVENT(&s, LAB_GP, 0, 0xffff, "an instruction of two bytes at FFFFH");
    s = v86_start("", 0, 0);
    segment[0xffff] = 0x40; /* INC AX */
    s.ip = 0xffff;
    lab_go(&s);
    LAB_EQUAL(s.vector, LAB_GP, "execution runs on from FFFFH: #GP");
    LAB_EQUAL(s.ax, 1, "behind the instruction of one byte there");
    s = v86_start("", 0, 0);
    segment[0xfffe] = 0xeb; /* JMP to 2 */
    segment[0xffff] = 2;
    segment[2] = V86_HLT;
    s.ip = 0xfffe;
    lab_go(&s);
    LAB_EVENT(&s, LAB_GP, 0, 2, "a jump of 16 bits over FFFFH wraps");
}

int main(void)
{
    lab_init();
    lab_user_pages();
    for (unsigned i = 0; i < sizeof pieces / sizeof *pieces; i++)
        one(&pieces[i]);
    pushed_at_the_end();
    strings();
    code();
    lab_end();
}
