/*
 * cpuid_rows.h: bits and rows of CPUID that profiles share.
 *
 * Source: SDM volume 2, "CPUID". What is not here is in the profile itself. Bits are named only for what the
 * core executes (libunicorn 2.1.1: no AVX) or the model does.
 */
#ifndef VTSIM_SIM_CPU_CPUID_ROWS_H
#define VTSIM_SIM_CPU_CPUID_ROWS_H

#include "vtsim/profile.h"

/* Leaf 1, ECX. */
#define CPUID1_SSE3 (1u << 0)
#define CPUID1_PCLMULQDQ (1u << 1)
#define CPUID1_MONITOR (1u << 3)
#define CPUID1_VMX (1u << 5)
#define CPUID1_EIST (1u << 7)
#define CPUID1_SSSE3 (1u << 9)
#define CPUID1_CX16 (1u << 13)
#define CPUID1_XTPR (1u << 14)
#define CPUID1_PCID (1u << 17)
#define CPUID1_SSE4_1 (1u << 19)
#define CPUID1_SSE4_2 (1u << 20)
#define CPUID1_X2APIC (1u << 21)
#define CPUID1_MOVBE (1u << 22)
#define CPUID1_POPCNT (1u << 23)
#define CPUID1_TSC_DEADLINE (1u << 24)
#define CPUID1_AES (1u << 25)
#define CPUID1_XSAVE (1u << 26)
#define CPUID1_RDRAND (1u << 30)

/* What each generation has of them. */
#define CPUID1_PRESCOTT (CPUID1_SSE3 | CPUID1_MONITOR | CPUID1_VMX | CPUID1_EIST | CPUID1_CX16 | CPUID1_XTPR)
#define CPUID1_MEROM (CPUID1_PRESCOTT | CPUID1_SSSE3)
#define CPUID1_PENRYN (CPUID1_MEROM | CPUID1_SSE4_1)
#define CPUID1_NEHALEM (CPUID1_PENRYN | CPUID1_SSE4_2 | CPUID1_POPCNT)
#define CPUID1_WESTMERE (CPUID1_NEHALEM | CPUID1_PCLMULQDQ | CPUID1_AES | CPUID1_PCID)
#define CPUID1_SANDYBRIDGE (CPUID1_WESTMERE | CPUID1_X2APIC | CPUID1_TSC_DEADLINE | CPUID1_XSAVE)
#define CPUID1_IVYBRIDGE (CPUID1_SANDYBRIDGE | CPUID1_RDRAND)
#define CPUID1_HASWELL (CPUID1_IVYBRIDGE | CPUID1_MOVBE)

/* Leaf 1, EDX, the same in all: FPU VME DE PSE TSC MSR PAE MCE CX8 APIC SEP MTRR PGE MCA CMOV PAT PSE-36 CLFSH
 * MMX FXSR SSE SSE2. */
#define CPUID1_EDX 0x078bfbffu
/* Leaf 80000001H, EDX: SYSCALL, NX, Intel 64 in all; and what came later. */
#define CPUID_EXTENDED_EDX 0x20100800u
#define CPUID_EXTENDED_PAGE_1G (1u << 26)
#define CPUID_EXTENDED_RDTSCP (1u << 27)
/* The same leaf, ECX. */
#define CPUID_EXTENDED_LAHF (1u << 0)
#define CPUID_EXTENDED_LZCNT (1u << 5)
#define CPUID_EXTENDED_PREFETCHW (1u << 8)

/* Leaf 0DH, subleaf 1, EAX: what there is of the XSAVE feature set; the rest of the leaf is computed
 * (xstate.h). */
#define XSAVE_HAS_OPT (1u << 0)
#define XSAVE_HAS_COMPACTION (1u << 1)
#define XSAVE_HAS_XGETBV_1 (1u << 2)
#define XSAVE_HAS_SUPERVISOR (1u << 3)
#define XSAVE_HAS_ALL (XSAVE_HAS_OPT | XSAVE_HAS_COMPACTION | XSAVE_HAS_XGETBV_1 | XSAVE_HAS_SUPERVISOR)
#define ROW_XSAVE(features)                                                                                  \
    {                                                                                                        \
        0xd, 1, features, 0, 0, 0                                                                            \
    }

/* Leaf 18H: a second-level TLB that all but 1-GByte pages share, and one for 1-GByte pages. */
#define ROW_SHARED_TLBS(sets, ways, sets_1g, ways_1g)                                                        \
    {0x18, 0, 1, (ways) << 16 | 7u, sets, 2u << 5 | 3u},                                                     \
    {                                                                                                        \
        0x18, 1, 0, (ways_1g) << 16 | 8u, sets_1g, 2u << 5 | 3u                                              \
    }

/* "GenuineIntel" */
#define ROW_VENDOR(highest_leaf)                                                                             \
    {                                                                                                        \
        0x0, CPUID_ANY_SUBLEAF, highest_leaf, 0x756e6547, 0x6c65746e, 0x49656e69                             \
    }
/* EBX: CLFLUSH line 8 * 8 bytes, one logical processor. */
#define ROW_FEATURES(signature, ecx)                                                                         \
    {                                                                                                        \
        0x1, CPUID_ANY_SUBLEAF, signature, 0x00010800, ecx, CPUID1_EDX                                       \
    }
/* One cache of leaf 4: sets and ways; lines of 64 bytes; one logical processor shares it. */
#define CACHE_DATA 1u
#define CACHE_CODE 2u
#define CACHE_UNIFIED 3u
#define CACHE_INCLUSIVE 2u
#define ROW_CACHE(index, type, level, sets, ways, flags)                                                     \
    {                                                                                                        \
        0x4, index, 0x100u | (level) << 5 | (type), ((ways)-1u) << 22 | 63u, (sets)-1u, flags                \
    }
/* MONITOR and MWAIT: lines of 64 bytes, no extensions. */
#define ROW_MONITOR                                                                                          \
    {                                                                                                        \
        0x5, CPUID_ANY_SUBLEAF, 0x40, 0x40, 0, 0                                                             \
    }
/* The APIC timer always runs. */
#define ROW_POWER                                                                                            \
    {                                                                                                        \
        0x6, CPUID_ANY_SUBLEAF, 0x4, 0, 0, 0                                                                 \
    }
/* Architectural performance monitoring: version 2 whatever the generation (what came later is not modelled); as
 * many general-purpose counters as it has, three fixed-function ones, all of 48 bits. Of the seven events of EBX
 * core cycles, instructions and reference cycles are there; caches and branches (bits 3 to 6) are not counted. */
#define ROW_PERFORMANCE(counters)                                                                            \
    {                                                                                                        \
        0xa, CPUID_ANY_SUBLEAF, 7u << 24 | 48u << 16 | (counters) << 8 | 2u, 0x78, 0, 48u << 5 | 3u          \
    }
/* One thread, one core. */
#define ROWS_TOPOLOGY                                                                                        \
    {0xb, 0, 0, 1, 0x100, 0},                                                                                \
    {                                                                                                        \
        0xb, 1, 0, 1, 0x201, 0                                                                               \
    }
#define ROW_EXTENDED                                                                                         \
    {                                                                                                        \
        0x80000000, CPUID_ANY_SUBLEAF, 0x80000008, 0, 0, 0                                                   \
    }
#define ROW_EXTENDED_FEATURES(ecx, edx)                                                                      \
    {                                                                                                        \
        0x80000001, CPUID_ANY_SUBLEAF, 0, 0, ecx, edx                                                        \
    }
/* "vtsim " and up to ten characters; an eleventh on is in leaf 80000003H. */
#define CPUID_TEXT(a, b, c, d)                                                                               \
    ((uint32_t)(d) << 24 | (uint32_t)(c) << 16 | (uint32_t)(b) << 8 | (uint32_t)(a))
#define ROW_BRAND(a, b, c, d, e, f, g, h, i, j)                                                              \
    {                                                                                                        \
        0x80000002, CPUID_ANY_SUBLEAF, CPUID_TEXT('v', 't', 's', 'i'), CPUID_TEXT('m', ' ', a, b),           \
            CPUID_TEXT(c, d, e, f), CPUID_TEXT(g, h, i, j)                                                   \
    }
/* KiB of second-level cache, its ways as leaf 80000006H writes them; line of 64 bytes. */
#define WAYS_8 0x6u
#define WAYS_16 0x8u
#define ROW_SECOND_LEVEL(kib, ways)                                                                          \
    {                                                                                                        \
        0x80000006, CPUID_ANY_SUBLEAF, 0, 0, (kib) << 16 | (ways) << 12 | 0x40u, 0                           \
    }
#define ROW_INVARIANT_TSC                                                                                    \
    {                                                                                                        \
        0x80000007, CPUID_ANY_SUBLEAF, 0, 0, 0, 0x100                                                        \
    }
/* EBX bit 9: WBNOINVD. */
#define ROW_ADDRESS_WIDTHS_WBNOINVD(physical, linear)                                                        \
    {                                                                                                        \
        0x80000008, CPUID_ANY_SUBLEAF, (linear) << 8 | (physical), 1u << 9, 0, 0                             \
    }
#define ROW_ADDRESS_WIDTHS(physical, linear)                                                                 \
    {                                                                                                        \
        0x80000008, CPUID_ANY_SUBLEAF, (linear) << 8 | (physical), 0, 0, 0                                   \
    }

#endif
