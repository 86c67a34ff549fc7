/* private.h: what the files of this room share. */
#ifndef VTSIM_SIM_SANITIZE_PRIVATE_H
#define VTSIM_SIM_SANITIZE_PRIVATE_H

#include "sim/sanitize/sanitizer.h"

enum {
    FINDINGS_KEPT = 256, /* different ones; more are only counted */
    REGIONS_KEPT = 1024,
    WRITES_KEPT = 1 << 16, /* who wrote to which entry last, by the low bits of its address */
    NOT_ACTIVE = -1,
};

/* Where something happened. */
struct place {
    uint64_t rip, cycles;
    unsigned processor;
    bool non_root;
};

struct finding {
    enum finding_id id;
    char detail[400];
    uint64_t count;
    struct place first;
};

/* A region that VMPTRLD, VMCLEAR or VMXON named. */
struct region {
    uint64_t address;
    int active_on; /* the processor on which the VMCS is active, or that is in VMX operation by VMXON, or
                      NOT_ACTIVE */
    bool vmxon;
    bool cleared; /* VMCLEAR was executed for it */
};

/* The last write of software to an entry of a paging structure. */
struct entry_write {
    uint64_t address; /* of 8 bytes; 0: none */
    struct place place;
};

/* What a VM exit does not bring back, as software had it before the VM entry. */
struct host_limits {
    bool known;
    uint32_t gdtr, idtr, tr;
    bool lost_gdtr, lost_idtr, lost_tr; /* since the last VM exit */
};

struct sanitizer_processor {
    struct sanitizer *sanitizer;
    unsigned number;
    struct vmx *vmx;
    struct mmu *mmu;
    struct vmx_watch vmx_watch;
    struct mmu_watch mmu_watch;
    struct host_limits limits;
    struct cpu_state host; /* before the last VM entry */
};

struct sanitizer {
    struct sanitizer_options options;
    const struct phys_mem *mem;
    struct sanitizer_processor *processors;
    struct finding findings[FINDINGS_KEPT];
    size_t finding_count;
    uint64_t not_kept; /* occurrences for which there was no room */
    struct region regions[REGIONS_KEPT];
    size_t region_count;
    uint32_t capabilities_read; /* a bit for each of the MSRs from 480H on */
    uint8_t *watched_pages,
        *tables; /* a bit for each page of RAM: watched for anything; holds paging structures */
    struct entry_write *writes;
};

/* report.c: counts a finding; the first time it keeps the place. detail (printf): which VMCS, field, entry:
 * findings with another detail are other findings. */
void sanitizer_find(struct sanitizer_processor *p, enum finding_id id, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
struct place sanitizer_place(const struct sanitizer_processor *p);
bool sanitizer_wants(const struct sanitizer_processor *p, enum finding_id id);

/* regions.c */
void regions_vmxon(struct sanitizer_processor *p, uint64_t address);
void regions_vmxoff(struct sanitizer_processor *p);
void regions_vmptrld(struct sanitizer_processor *p, uint64_t address);
void regions_vmclear(struct sanitizer_processor *p, uint64_t address);
void regions_entered(struct sanitizer_processor *p);
void regions_accessed(struct sanitizer_processor *p, uint64_t physical, size_t size, enum mmu_access access);

/* controls.c */
void controls_capability_read(struct sanitizer *s, uint64_t index);
void controls_entry(struct sanitizer_processor *p);
void controls_field(struct sanitizer_processor *p, uint32_t encoding);
void controls_invalidation(struct sanitizer_processor *p, bool invvpid, uint64_t type);

/* host_state.c */
void host_state_entry(struct sanitizer_processor *p);
void host_state_loaded(struct sanitizer_processor *p);
void host_state_check_limits(struct sanitizer_processor *p);

/* stale.c */
bool stale_used(struct sanitizer_processor *p, const struct mmu_stale *stale);

/* pages.c */
bool pages_init(struct sanitizer *s);
void pages_free(struct sanitizer *s);
/* The region begins or ends to be watched. */
void pages_watch(struct sanitizer *s, uint64_t physical, bool watch);
void pages_note_tables(struct sanitizer *s, const struct mmu_path *path);
/* Software is about to write to a watched page. */
void pages_written(struct sanitizer_processor *p, uint64_t physical, size_t size);
/* The last known write to an entry; null: none is known. */
const struct place *pages_last_write(const struct sanitizer *s, uint64_t entry);

#endif
