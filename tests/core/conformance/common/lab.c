/* lab.c: see lab.h. Descriptor tables and what an event leaves. */
#include "lab.h"

#ifdef __x86_64__
enum { GATE_BYTES = 16, TSS_STACK0 = 4, TSS_MAP_BASE = 0x66, WIDTH_FLAGS = LAB_FLAGS_64 };
#else
enum { GATE_BYTES = 8, TSS_STACK0 = 4, TSS_SS0 = 8, TSS_MAP_BASE = 0x66, WIDTH_FLAGS = LAB_FLAGS_32 };
#endif
enum {
    STUB_BYTES = 16, /* lab32.S, lab64.S */
    TSS_LIMIT = 0x67,
    TYPE_TSS = 0x89,
    UNEXPECTED = 127,
    PAGE_USER = 4,
};

extern const uint8_t lab_stubs[];

uint64_t lab_gdt[LAB_GDT_ENTRIES] __attribute__((aligned(16)));
uint8_t lab_idt[256 * 16] __attribute__((aligned(16))),
    lab_tss[0x68 + 32 + 8192 + 1] __attribute__((aligned(4096)));
uint8_t lab_stack0[LAB_STACK_BYTES] __attribute__((aligned(16)));
uint8_t lab_stack3[LAB_STACK_BYTES] __attribute__((aligned(16)));
uint8_t lab_stack_event[LAB_STACK_BYTES] __attribute__((aligned(16)));
struct lab_state *lab_current;
struct lab_tried lab_tried;
volatile unsigned long lab_try_from, lab_try_to;

uint64_t lab_descriptor(uint32_t base, uint32_t limit, unsigned access, unsigned flags)
{
    return (limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 | (uint64_t)access << 40 |
           (uint64_t)(limit >> 16 & 0xf) << 48 | (uint64_t)flags << 52 | (uint64_t)(base >> 24) << 56;
}

void lab_set_gate(unsigned vector, unsigned selector, unsigned long offset, unsigned type, unsigned dpl)
{
    uint8_t *gate = lab_idt + vector * GATE_BYTES;
    uint64_t low = (offset & 0xffff) | (uint64_t)selector << 16 | (uint64_t)(type | dpl << 5) << 40 |
                   (uint64_t)(offset >> 16 & 0xffff) << 48;
    memcpy(gate, &low, sizeof low);
#ifdef __x86_64__
    uint64_t high = offset >> 32;
    memcpy(gate + 8, &high, sizeof high);
#endif
}

static void load_tables(void)
{
    struct __attribute__((packed)) {
        uint16_t limit;
        unsigned long base;
    } gdtr = {sizeof lab_gdt - 1, (unsigned long)lab_gdt},
      idtr = {256 * GATE_BYTES - 1, (unsigned long)lab_idt};
    __asm__ volatile("lgdt %0; lidt %1; ltr %w2" ::"m"(gdtr), "m"(idtr), "r"(LAB_TSS) : "memory");
    __asm__ volatile("mov %0, %%ds; mov %0, %%es; mov %0, %%fs; mov %0, %%gs; mov %0, %%ss" ::"r"(LAB_DATA0));
}

void lab_init(void)
{
    unsigned long stack = (unsigned long)lab_stack_event + LAB_STACK_BYTES;
    uint16_t map_base = sizeof lab_tss; /* beyond the limit: no I/O permission map */
    uint32_t flat = 0xfffff;
    lab_gdt[LAB_CODE0 / 8] = lab_descriptor(0, flat, LAB_ACCESS_CODE, WIDTH_FLAGS);
    lab_gdt[LAB_DATA0 / 8] = lab_descriptor(0, flat, LAB_ACCESS_DATA, LAB_FLAGS_32);
    lab_gdt[LAB_TSS / 8] = lab_descriptor((uint32_t)(unsigned long)lab_tss, TSS_LIMIT, TYPE_TSS, 0);
    lab_gdt[LAB_CODE3 / 8] = lab_descriptor(0, flat, LAB_ACCESS_CODE | LAB_ACCESS_DPL3, WIDTH_FLAGS);
    lab_gdt[LAB_DATA3 / 8] = lab_descriptor(0, flat, LAB_ACCESS_DATA | LAB_ACCESS_DPL3, LAB_FLAGS_32);
    lab_gdt[LAB_CODE32 / 8] = lab_descriptor(0, flat, LAB_ACCESS_CODE, LAB_FLAGS_32);
    lab_gdt[LAB_CODE32_3 / 8] = lab_descriptor(0, flat, LAB_ACCESS_CODE | LAB_ACCESS_DPL3, LAB_FLAGS_32);
    lab_gdt[LAB_CODE16 / 8] = lab_descriptor(0, flat, LAB_ACCESS_CODE, 0);
    lab_gdt[LAB_DATA16 / 8] = lab_descriptor(0, flat, LAB_ACCESS_DATA, 0);
    memcpy(lab_tss + TSS_STACK0, &stack, sizeof stack);
#ifndef __x86_64__
    lab_tss[TSS_SS0] = LAB_DATA0;
#endif
    memcpy(lab_tss + TSS_MAP_BASE, &map_base, sizeof map_base);
    for (unsigned i = 0; i < 256; i++)
        lab_set_gate(i, LAB_CODE0, (unsigned long)lab_stubs + i * STUB_BYTES, LAB_INTERRUPT_GATE,
                     i == LAB_DONE ? 3 : 0);
    load_tables();
}

#ifdef __x86_64__
void lab_user_pages(void)
{
    extern uint64_t boot_pml4[];
    uint64_t *pdpt = (uint64_t *)(boot_pml4[0] & ~0xfffull);
    boot_pml4[0] |= PAGE_USER;
    for (unsigned i = 0; i < 4; i++) {
        uint64_t *directory = (uint64_t *)(pdpt[i] & ~0xfffull);
        pdpt[i] |= PAGE_USER;
        for (unsigned k = 0; k < 512; k++)
            directory[k] |= PAGE_USER;
    }
    write_cr3(read_cr3());
}
#else
void lab_user_pages(void)
{
    static uint32_t directory[1024] __attribute__((aligned(4096)));
    uint32_t cr0;
    for (uint32_t i = 0; i < 1024; i++)
        directory[i] = i << 22 | 0x87;                                /* PS, U/S, R/W, P */
    __asm__ volatile("mov %%cr4, %0; or $0x10, %0; mov %0, %%cr4\n\t" /* PSE */
                     "mov %1, %%cr3; mov %%cr0, %0; or $0x80000000, %0; mov %0, %%cr0"
                     : "=&r"(cr0)
                     : "r"(directory)
                     : "memory");
}
#endif

struct lab_state lab_start(const void *code, unsigned ring)
{
    struct lab_state s = {.ip = (unsigned long)code, .flags = LAB_FLAGS_FIXED};
    s.cs = ring ? LAB_CODE3 : LAB_CODE0;
    s.ss = s.ds = s.es = s.fs = s.gs = ring ? LAB_DATA3 : LAB_DATA0;
    s.sp = (unsigned long)(ring ? lab_stack3 : lab_stack0) + LAB_STACK_BYTES - 64;
    return s;
}

/* From lab32.S and lab64.S, with what they saved; true: the frame is to be returned to (LAB_TRY). */
bool lab_record(const struct lab_state *event, unsigned long *frame_ip)
{
    if (lab_current) {
        unsigned long cr2;
        *lab_current = *event;
        __asm__ volatile("mov %%cr2, %0" : "=r"(cr2));
        lab_current->cr2 = cr2;
        lab_current = NULL;
        return false;
    }
    if (!lab_try_to) {
        lab_print("not ok: unexpected event: vector %lx, error code %lx at %lx:%lx\n", event->vector,
                  event->error_code, event->cs, event->ip);
        leave(UNEXPECTED);
    }
    lab_tried =
        (struct lab_tried){event->vector, event->error_code, 0, event->flags, event->ip == lab_try_from};
    __asm__ volatile("mov %%cr2, %0" : "=r"(lab_tried.cr2));
    *frame_ip = lab_try_to;
    lab_try_to = 0;
    return true;
}
