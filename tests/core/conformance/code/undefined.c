/*
 * conformance: UD0, UD1, UD2 and opcodes that 64-bit mode does not have
 * SDM: 2B, "UD—Undefined Instruction"
 * SDM: 1, "Undefined Instructions" and 2D, "Opcode Map"
 * SDM: 3A, "Interrupt 6—Invalid Opcode Exception (#UD)"
 */
#include "lab.h"

enum { PAGE = 4096 };

static uint8_t pages[2 * PAGE] __attribute__((aligned(PAGE)));

struct piece {
    const char *name;
    uint8_t code[16];
};
static const struct piece pieces[] = {
    {"UD2", {0x0f, 0x0b}},
    {"UD1 EAX, EAX", {0x0f, 0xb9, 0xc0}},
    {"UD1 with a memory operand: not accessed", {0x0f, 0xb9, 0x04, 0x25, 0, 0, 0, 0}},
    {"UD0 EAX, EAX", {0x0f, 0xff, 0xc0}},
    {"LOCK UD2", {0xf0, 0x0f, 0x0b}},
    {"PUSH ES", {0x06}},
    {"POP ES", {0x07}},
    {"PUSH CS", {0x0e}},
    {"PUSH SS", {0x16}},
    {"POP SS", {0x17}},
    {"PUSH DS", {0x1e}},
    {"POP DS", {0x1f}},
    {"DAA", {0x27}},
    {"DAS", {0x2f}},
    {"AAA", {0x37}},
    {"AAS", {0x3f}},
    {"PUSHA", {0x60}},
    {"POPA", {0x61}},
    {"82H group", {0x82, 0xc0, 0}},
    {"CALL far direct", {0x9a, 0, 0, 0, 0, 8, 0}},
    {"INTO", {0xce}},
    {"AAM", {0xd4, 10}},
    {"AAD", {0xd5, 10}},
    {"SALC (D6H)", {0xd6}},
    {"JMP far direct", {0xea, 0, 0, 0, 0, 8, 0}},
    {"LES", {0xc4, 0x00, 0}},
    {"LDS", {0xc5, 0x00, 0}},
    {"LOCK ADD to a register", {0xf0, 0x01, 0xc0}},
    {"LOCK MOV", {0xf0, 0x89, 0x00}},
    {"LOCK NOP", {0xf0, 0x90}},
    {"MOV to CS", {0x8e, 0xc8}},
    {"MOV from segment register 6", {0x8c, 0xf0}},
    {"LEA of a register", {0x8d, 0xc0}},
    {"MOV to CR1", {0x0f, 0x22, 0xc8}},
    {"MOV from CR5", {0x0f, 0x20, 0xe8}},
    {"FFH /7", {0xff, 0xf8}},
    {"FEH /2", {0xfe, 0xd0}},
    {"8FH /1", {0x8f, 0xc8}},
    {"8FH /7 with a memory operand", {0x8f, 0x38}},
    {"C6H /1", {0xc6, 0xc8, 0}},
    {"C7H /1", {0xc7, 0xc8, 0, 0, 0, 0}},
    {"0FH 04H", {0x0f, 0x04}},
    {"0FH 0AH", {0x0f, 0x0a}},
    {"66H 0FH 78H (EXTRQ is not Intel's)", {0x66, 0x0f, 0x78, 0xc0, 1, 1}},
    {"F2H 0FH 78H (INSERTQ)", {0xf2, 0x0f, 0x78, 0xc0, 1, 1}},
    {"66H 0FH 79H (EXTRQ)", {0x66, 0x0f, 0x79, 0xc0}},
    {"F2H 0FH 79H (INSERTQ)", {0xf2, 0x0f, 0x79, 0xc0}},
    {"F2H 0FH 2BH (MOVNTSD)", {0xf2, 0x0f, 0x2b, 0x04, 0x24}},
    {"F3H 0FH 2BH (MOVNTSS)", {0xf3, 0x0f, 0x2b, 0x04, 0x24}},
    {"0FH 0EH (FEMMS is not Intel's)", {0x0f, 0x0e}},
    {"0FH 0FH (3DNow! is not Intel's)", {0x0f, 0x0f, 0xc0, 0x9e}},
    {"0FH 24H", {0x0f, 0x24, 0xc0}},
    {"0FH 36H", {0x0f, 0x36}},
    {"0FH 3FH", {0x0f, 0x3f}},
    {"0FH 7AH", {0x0f, 0x7a, 0xc0}},
    {"RSM outside of SMM", {0x0f, 0xaa}},
    {"VMMCALL (not Intel's)", {0x0f, 0x01, 0xd9}},
    {"VMRUN (not Intel's)", {0x0f, 0x01, 0xd8}},
    {"0FH A6H", {0x0f, 0xa6, 0xc0}},
    {"0FH BAH /0", {0x0f, 0xba, 0xc0, 0}},
    {"0FH C7H /1 with a register", {0x0f, 0xc7, 0xc8}},
};

int main(void)
{
    lab_init();
    for (unsigned ring = 0; ring <= 3; ring += 3) {
        if (ring == 3)
            lab_user_pages();
        for (unsigned i = 0; i < sizeof pieces / sizeof *pieces; i++) {
            struct lab_state s;
            memset(pages, 0x90, sizeof pages);
            memcpy(pages + PAGE, pieces[i].code, sizeof pieces[i].code);
            s = lab_start(pages + PAGE, ring);
            s.ax = (unsigned long)lab_stack3;
            s.flags |= 0x8d5;
            lab_go(&s);
            LAB_EVENT(&s, LAB_UD, 0, pages + PAGE, "%s: #UD at ring %u", pieces[i].name, ring);
        }
    }
    lab_end();
}
