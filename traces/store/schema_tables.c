/*
 * schema_tables.c: tables and indices of a statistics file. docs/statistics.md describes each.
 *
 * One row for each thing that was counted at least once. Counts, cycles and sizes are integers; cycles are
 * simulated ones. Names of things are references into the tables of names. vpid -1 stands for all VPIDs
 * beyond the first 4096 of a processor, and, with page size 'any' and level 0, for what a file of version 1
 * did not tell apart.
 */
#include "traces/store/schema.h"

#define RUN "run INTEGER NOT NULL REFERENCES runs(id) ON DELETE CASCADE, "
#define PROCESSOR "processor INTEGER NOT NULL CHECK(processor BETWEEN 0 AND 255), "
#define VPID "vpid INTEGER NOT NULL CHECK(vpid BETWEEN -1 AND 65535), "
#define REASON "reason INTEGER NOT NULL REFERENCES exit_reasons(reason), "
#define CAUSE "cause TEXT NOT NULL REFERENCES flush_causes(cause), "
#define MAPPING "mapping TEXT NOT NULL CHECK(mapping IN ('linear', 'guest-physical', 'combined')), "
#define PAGE_SIZE "page_size TEXT NOT NULL CHECK(page_size IN ('4K', '2M', '4M', '1G', 'none', 'any')), "
#define COUNT "count INTEGER NOT NULL CHECK(count > 0), "
#define NUMBER(name) #name " INTEGER NOT NULL CHECK(" #name " >= 0), "
#define KEY(columns) "PRIMARY KEY(run, " columns ")) WITHOUT ROWID;"

/* clang-format off */
const char schema_tables_sql[] =
    "CREATE TABLE runs("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, label TEXT CHECK(label <> ''), image TEXT NOT NULL,"
    " image_digest TEXT CHECK(length(image_digest) = 16), options TEXT NOT NULL, cpu TEXT NOT NULL,"
    " memory_bytes INTEGER NOT NULL CHECK(memory_bytes >= 0), started TEXT, recorded TEXT,"
    " state TEXT NOT NULL DEFAULT 'unfinished' CHECK(state IN ('unfinished', 'finished')),"
    " outcome TEXT, exit_status INTEGER, message TEXT,"
    " " NUMBER(cycles) NUMBER(instructions)
    " checked_steps INTEGER CHECK(checked_steps >= 0), digest TEXT CHECK(length(digest) = 16),"
    " unknown_events INTEGER NOT NULL DEFAULT 0 CHECK(unknown_events >= 0),"
    " CHECK((state = 'finished') = (outcome IS NOT NULL AND exit_status IS NOT NULL)));"
    "CREATE INDEX runs_by_label ON runs(label);"
    "CREATE INDEX runs_by_image ON runs(image_digest, cpu);"

    /* The names of numbers, from the tables of vmx_model and of the events. */
    "CREATE TABLE exit_reasons(reason INTEGER PRIMARY KEY, name TEXT NOT NULL, kvm_name TEXT);"
    "CREATE TABLE instruction_errors(error INTEGER PRIMARY KEY, name TEXT NOT NULL);"
    "CREATE TABLE flush_causes(cause TEXT PRIMARY KEY) WITHOUT ROWID;"
    "CREATE TABLE cycle_causes(cause TEXT PRIMARY KEY, description TEXT NOT NULL) WITHOUT ROWID;"

    "CREATE TABLE cycles_by_cause(" RUN PROCESSOR
    " mode TEXT NOT NULL CHECK(mode IN ('root', 'non-root')),"
    " cause TEXT NOT NULL REFERENCES cycle_causes(cause), cycles INTEGER NOT NULL CHECK(cycles > 0), "
    KEY("processor, mode, cause")

    "CREATE TABLE vm_exits(" RUN PROCESSOR VPID REASON COUNT NUMBER(cycles) KEY("processor, vpid, reason")
    "CREATE INDEX vm_exits_by_reason ON vm_exits(reason, run);"
    "CREATE TABLE round_trips(" RUN PROCESSOR VPID REASON COUNT NUMBER(exit_cycles) NUMBER(monitor_cycles)
    NUMBER(entry_cycles) NUMBER(refill_cycles) KEY("processor, vpid, reason")
    "CREATE TABLE exit_histogram(" RUN PROCESSOR
    " measure TEXT NOT NULL CHECK(measure IN ('exit', 'round trip')), " REASON
    " bucket INTEGER NOT NULL CHECK(bucket BETWEEN 0 AND 64), " COUNT KEY("processor, measure, reason, bucket")
    "CREATE TABLE timeline(" RUN PROCESSOR NUMBER(begins) " width INTEGER NOT NULL CHECK(width > 0), " REASON COUNT
    NUMBER(cycles) " CHECK(begins % width = 0), " KEY("processor, begins, reason")

    "CREATE TABLE vm_entries(" RUN PROCESSOR VPID
    " instruction TEXT NOT NULL CHECK(instruction IN ('VMLAUNCH', 'VMRESUME')), " COUNT NUMBER(cycles)
    KEY("processor, vpid, instruction")
    "CREATE TABLE entry_failures(" RUN
    " kind TEXT NOT NULL CHECK(kind IN ('exit reason', 'VM-instruction error')), code INTEGER NOT NULL,"
    " rule TEXT NOT NULL, " COUNT KEY("kind, code, rule")
    "CREATE TABLE vmx_instructions(" RUN PROCESSOR
    " instruction TEXT NOT NULL, result TEXT NOT NULL,"
    " error INTEGER REFERENCES instruction_errors(error) CHECK((error IS NOT NULL) = (result LIKE 'VMfailValid%')), "
    COUNT NUMBER(cycles) KEY("processor, instruction, result")

    "CREATE TABLE tlb_hits(" RUN PROCESSOR VPID MAPPING
    " level INTEGER NOT NULL CHECK(level BETWEEN 0 AND 2), " PAGE_SIZE COUNT NUMBER(cycles)
    KEY("processor, vpid, mapping, level, page_size")
    "CREATE TABLE page_walks(" RUN PROCESSOR VPID MAPPING PAGE_SIZE COUNT NUMBER(memory_references)
    " ept_references INTEGER NOT NULL CHECK(ept_references BETWEEN 0 AND memory_references), " NUMBER(cycles)
    KEY("processor, vpid, mapping, page_size")

    "CREATE TABLE tlb_flushes(" RUN PROCESSOR VPID CAUSE COUNT NUMBER(cycles) NUMBER(dropped)
    " dropped_global INTEGER NOT NULL CHECK(dropped_global BETWEEN 0 AND dropped), " KEY("processor, vpid, cause")
    "CREATE TABLE tlb_dropped(" RUN PROCESSOR CAUSE MAPPING PAGE_SIZE
    " global INTEGER NOT NULL CHECK(global IN (0, 1)), " COUNT KEY("processor, cause, mapping, page_size, global")
    "CREATE TABLE tlb_refills(" RUN PROCESSOR VPID CAUSE MAPPING COUNT NUMBER(cycles)
    KEY("processor, vpid, cause, mapping")

    "CREATE TABLE events(" RUN PROCESSOR VPID
    " kind TEXT NOT NULL CHECK(kind IN ('exception', 'interrupt', 'triple fault')),"
    " vector INTEGER NOT NULL CHECK(vector BETWEEN 0 AND 255), name TEXT, " COUNT
    KEY("processor, vpid, kind, vector")
    SCHEMA_FINDINGS_SQL;
