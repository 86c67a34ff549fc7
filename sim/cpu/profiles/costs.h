/*
 * costs.h: costs that profiles share, each with its source: where no publication gives a figure, "assumed".
 */
#ifndef VTSIM_SIM_CPU_COSTS_H
#define VTSIM_SIM_CPU_COSTS_H

#define ASSUMED(cycles_)                                                                                     \
    {                                                                                                        \
        cycles_, "assumed"                                                                                   \
    }
#define NOT_THERE(what)                                                                                      \
    {                                                                                                        \
        0, "none: the processor has no " what                                                                \
    }

#define ADAMS_AGESEN "Adams, Agesen, ASPLOS 2006, Table 1"

/* A published round trip, and the only published split of one between exit and entry; entry and exit are in
 * the ratio of 937 to 1186, which is 0.441 of the sum for the entry. */
#define ROUND_TRIP(cycles_)                                                                                  \
    "round trip of " cycles_ " (Agesen et al., USENIX ATC 2012, Table 1), split as Core 2 in " ADAMS_AGESEN
/* Without VPID each entry and each exit empties the TLB of what the next instructions need: the flush, and
 * three references each for the code of the guest and of the host, in pages of 2 MBytes. They are in the
 * published figure and come on top of entry and exit here. */
#define ROUND_TRIP_WITH_REFILLS(cycles_)                                                                     \
    ROUND_TRIP(cycles_) ", less two flushes and the six references of page walks that follow them"
/* VMREAD and VMWRITE where no later figure is known. */
#define VMREAD_AS_CORE_2                                                                                     \
    {                                                                                                        \
        52, "Core 2 in " ADAMS_AGESEN "; the same here is assumed"                                           \
    }
#define VMWRITE_AS_CORE_2                                                                                    \
    {                                                                                                        \
        44, "Core 2 in " ADAMS_AGESEN "; the same here is assumed"                                           \
    }

#define COSTS_OF_TRANSLATED_CODE .instruction = ASSUMED(1), .branch = ASSUMED(1), .memory_access = ASSUMED(1)
/* From Merom to Haswell. */
#define COSTS_OF_SYSTEM_INSTRUCTIONS                                                                         \
    .system_instruction = ASSUMED(25), .invlpg = ASSUMED(200), .mov_cr = ASSUMED(150),                       \
    .event_delivery = ASSUMED(300), .io_port = ASSUMED(1000), .wbinvd = ASSUMED(100000),                     \
    .vmptrld = ASSUMED(200), .vmclear = ASSUMED(200), .vmxon = ASSUMED(250), .msr_list_entry = ASSUMED(120), \
    .task_switch = ASSUMED(300), .load_pdptes = ASSUMED(20), .transition_msr = ASSUMED(20)
/* The manual does not say it: Linux commits 804939ea200d and 3af80fec6e7f tell that from Westmere on a VM
 * entry does not check again what did not change, and that a VMWRITE to a control makes it do so. */
#define RECHECK                                                                                              \
    {                                                                                                        \
        300, "assumed, of \"several hundred\" in Linux commits 804939ea200d, 3af80fec6e7f"                   \
    }
#define NO_RECHECK                                                                                           \
    {                                                                                                        \
        0, "none: every VM entry checks everything"                                                          \
    }
#define ONE_LEVEL                                                                                            \
    {                                                                                                        \
        0, "none: the TLB has one level"                                                                     \
    }

/* The caches as page walks see them: data of translated code, which the model does not see, is in the rest.
 */
#define SHARE "an eighth of it for paging structures is assumed"
#define WALK_CACHE_32K_256K                                                                                  \
    {64, 8, "32 KiB, 8 ways (CPUID leaf 4); " SHARE},                                                        \
    {                                                                                                        \
        512, 8, "256 KiB, 8 ways (CPUID leaf 4); " SHARE                                                     \
    }
/* No publication gives the latencies of these; Haswell's are 4, 12 and 42. */
#define WALKS_AS_HASWELL                                                                                     \
    .walk_l1 = {4, "assumed, as Haswell"}, .walk_l2 = {12, "assumed, as Haswell"},                           \
    .walk_l3 = {42, "assumed, as Haswell"}, .walk_memory = ASSUMED(200)
#define WALKS_OF_CORE_2(l2_)                                                                                 \
    .walk_l1 = ASSUMED(3), .walk_l2 = ASSUMED(l2_), .walk_l3 = NOT_THERE("third-level cache"),               \
    .walk_memory = ASSUMED(200)

#define COSTS_OF_EPT_AND_VPID .invept = ASSUMED(400), .invvpid = ASSUMED(400)
#define COSTS_WITHOUT_EPT_AND_VPID .invept = NOT_THERE("EPT"), .invvpid = NOT_THERE("VPID")

#endif
