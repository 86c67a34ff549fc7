/* v86.h: a virtual-8086 program of a few bytes for lab_go; 32-bit guests. Its HLT gives #GP and so ends it.
 */
#ifndef TESTS_CORE_CONFORMANCE_V86_H
#define TESTS_CORE_CONFORMANCE_V86_H

#include "lab.h"

enum {
    V86_CODE = 0x2000, /* segments */
    V86_STACK = 0x3000,
    V86_SP = 0x1000,
    V86_CF = 1,
    V86_TF = 1 << 8,
    V86_IF = 1 << 9,
    V86_IOPL = 3 << 12,
    V86_NT = 1 << 14,
    V86_VM = 1 << 17,
    V86_AC = 1 << 18,
    V86_VIF = 1 << 19,
    V86_VIP = 1 << 20,
    V86_HLT = 0xf4,
};

/* code, then HLT; flags beside VM. */
static inline struct lab_state v86_start(const void *code, unsigned bytes, unsigned long flags)
{
    struct lab_state s = {.cs = V86_CODE, .ss = V86_STACK, .sp = V86_SP, .ds = V86_STACK, .es = V86_STACK};
    uint8_t *to = (uint8_t *)(V86_CODE * 16ul);
    memcpy(to, code, bytes);
    to[bytes] = V86_HLT;
    s.flags = LAB_FLAGS_FIXED | V86_VM | flags;
    return s;
}

static inline uint16_t *v86_stack(unsigned long sp)
{
    return (uint16_t *)(V86_STACK * 16ul + (sp & 0xffff));
}

/* The handler of vector in the table at 0: CS:IP. */
static inline void v86_set_vector(unsigned vector, unsigned segment, unsigned offset)
{
    volatile uint32_t *table = (volatile uint32_t *)(uintptr_t)(vector * 4ul);
    __asm__ volatile("movl %1, (%0)" ::"r"(table), "r"((uint32_t)segment << 16 | offset) : "memory");
}

#endif
