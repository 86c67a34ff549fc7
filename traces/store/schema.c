/*
 * schema.c: tables and views of a statistics file.
 *
 * One row in a table for each thing that was counted at least once. Counts, cycles and sizes are integers;
 * cycles are simulated ones. vpid -1 stands for all VPIDs beyond the first 4096 of a run.
 */
#include "traces/store/schema.h"

#define TEXT_OF(number) TEXT_OF_(number)
#define TEXT_OF_(number) #number

#define RUN_REFERENCE "run INTEGER NOT NULL REFERENCES runs(id) ON DELETE CASCADE, "
#define SUMS "count INTEGER NOT NULL, cycles INTEGER NOT NULL,"

/* clang-format off */
const char schema_sql[] =
    "CREATE TABLE runs("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, label TEXT, image TEXT NOT NULL, image_digest TEXT,"
    " options TEXT NOT NULL, cpu TEXT NOT NULL, memory_bytes INTEGER NOT NULL,"
    " outcome TEXT NOT NULL, exit_status INTEGER, message TEXT,"
    " cycles INTEGER NOT NULL, instructions INTEGER NOT NULL,"
    " digest TEXT, unknown_events INTEGER NOT NULL DEFAULT 0);"
    "CREATE INDEX runs_by_label ON runs(label);"

    "CREATE TABLE vm_exits(" RUN_REFERENCE "vpid INTEGER NOT NULL, reason INTEGER NOT NULL, " SUMS
    " PRIMARY KEY(run, vpid, reason)) WITHOUT ROWID;"
    "CREATE TABLE vm_entries(" RUN_REFERENCE "vpid INTEGER NOT NULL, instruction TEXT NOT NULL, " SUMS
    " PRIMARY KEY(run, vpid, instruction)) WITHOUT ROWID;"
    "CREATE TABLE entry_failures(" RUN_REFERENCE "code INTEGER NOT NULL, rule TEXT NOT NULL, count INTEGER NOT NULL,"
    " PRIMARY KEY(run, code, rule)) WITHOUT ROWID;"
    "CREATE TABLE vmx_instructions(" RUN_REFERENCE "instruction TEXT NOT NULL, result TEXT NOT NULL, error INTEGER, " SUMS
    " PRIMARY KEY(run, instruction, result)) WITHOUT ROWID;"
    "CREATE TABLE tlb_fills(" RUN_REFERENCE "vpid INTEGER NOT NULL, mapping TEXT NOT NULL,"
    " hits INTEGER NOT NULL, misses INTEGER NOT NULL, memory_references INTEGER NOT NULL, cycles INTEGER NOT NULL,"
    " PRIMARY KEY(run, vpid, mapping)) WITHOUT ROWID;"
    "CREATE TABLE tlb_flushes(" RUN_REFERENCE "cause TEXT NOT NULL, " SUMS
    " dropped INTEGER NOT NULL, dropped_global INTEGER NOT NULL,"
    " PRIMARY KEY(run, cause)) WITHOUT ROWID;"
    "CREATE TABLE events(" RUN_REFERENCE "kind TEXT NOT NULL, vector INTEGER NOT NULL, name TEXT, count INTEGER NOT NULL,"
    " PRIMARY KEY(run, kind, vector)) WITHOUT ROWID;"

    /* The names of numbers, from the tables of vmx_model. */
    "CREATE TABLE exit_reasons(reason INTEGER PRIMARY KEY, name TEXT NOT NULL, kvm_name TEXT);"
    "CREATE TABLE instruction_errors(error INTEGER PRIMARY KEY, name TEXT NOT NULL);"

    "CREATE VIEW exits AS"
    " SELECT x.run, x.reason, coalesce(r.name, 'reason ' || x.reason) AS name, r.kvm_name, x.vpid, x.count, x.cycles,"
    "  round(1.0 * x.cycles / max(x.count, 1), 1) AS cycles_each,"
    "  round(100.0 * x.cycles / max(u.cycles, 1), 1) AS percent_of_run"
    " FROM vm_exits x JOIN runs u ON u.id = x.run LEFT JOIN exit_reasons r USING(reason);"
    "CREATE VIEW exits_by_reason AS"
    " SELECT run, reason, name, kvm_name, sum(count) AS count, sum(cycles) AS cycles FROM exits GROUP BY run, reason;"
    "CREATE VIEW failed_entries AS"
    /* Exit reasons 33, 34 and 41 are failed entries; the other codes are VM-instruction errors. */
    " SELECT f.run, f.code, CASE WHEN f.code IN (33, 34, 41) THEN 'exit reason' ELSE 'VM-instruction error' END AS kind,"
    "  CASE WHEN f.code IN (33, 34, 41) THEN r.name ELSE e.name END AS name, f.rule, f.count"
    " FROM entry_failures f LEFT JOIN exit_reasons r ON r.reason = f.code"
    " LEFT JOIN instruction_errors e ON e.error = f.code;"
    "CREATE VIEW tlb_hit_rates AS"
    " SELECT run, mapping, sum(hits) AS hits, sum(misses) AS misses,"
    "  round(100.0 * sum(hits) / max(sum(hits) + sum(misses), 1), 1) AS hit_percent,"
    "  round(1.0 * sum(memory_references) / max(sum(misses), 1), 1) AS references_each,"
    "  round(1.0 * sum(cycles) / max(sum(misses), 1), 1) AS cycles_each FROM tlb_fills GROUP BY run, mapping;"
    "CREATE VIEW flush_costs AS"
    " SELECT run, cause, count, dropped, round(1.0 * dropped / max(count, 1), 1) AS dropped_each, cycles"
    " FROM tlb_flushes;"

    /* Everything as (section, metric, value): what `vtsim compare` puts side by side. */
    "CREATE VIEW run_metrics AS"
    " SELECT id AS run, 1 AS ord, 'run' AS section, 'cycles' AS metric, cycles AS value FROM runs"
    " UNION ALL SELECT id, 1, 'run', 'instructions', instructions FROM runs"
    " UNION ALL SELECT run, 2, 'exits', name || ': count', count FROM exits_by_reason"
    " UNION ALL SELECT run, 2, 'exits', name || ': cycles', cycles FROM exits_by_reason"
    " UNION ALL SELECT run, 3, 'entries', instruction || ': count', sum(count) FROM vm_entries GROUP BY run, instruction"
    " UNION ALL SELECT run, 3, 'entries', instruction || ': cycles', sum(cycles) FROM vm_entries GROUP BY run, instruction"
    " UNION ALL SELECT run, 4, 'failed_entries', kind || ' ' || code || ': count', sum(count)"
    "  FROM failed_entries GROUP BY run, code"
    " UNION ALL SELECT run, 5, 'vmx_instructions', instruction || ': count', sum(count)"
    "  FROM vmx_instructions GROUP BY run, instruction"
    " UNION ALL SELECT run, 5, 'vmx_instructions', instruction || ': cycles', sum(cycles)"
    "  FROM vmx_instructions GROUP BY run, instruction"
    " UNION ALL SELECT run, 5, 'vmx_instructions', instruction || ': failed', sum(count)"
    "  FROM vmx_instructions WHERE result <> 'success' GROUP BY run, instruction"
    " UNION ALL SELECT run, 6, 'tlb', mapping || ': hits', sum(hits) FROM tlb_fills GROUP BY run, mapping"
    " UNION ALL SELECT run, 6, 'tlb', mapping || ': misses', sum(misses) FROM tlb_fills GROUP BY run, mapping"
    " UNION ALL SELECT run, 6, 'tlb', mapping || ': references', sum(memory_references) FROM tlb_fills GROUP BY run, mapping"
    " UNION ALL SELECT run, 6, 'tlb', mapping || ': cycles', sum(cycles) FROM tlb_fills GROUP BY run, mapping"
    " UNION ALL SELECT run, 7, 'flushes', cause || ': count', count FROM tlb_flushes"
    " UNION ALL SELECT run, 7, 'flushes', cause || ': dropped', dropped FROM tlb_flushes"
    " UNION ALL SELECT run, 7, 'flushes', cause || ': cycles', cycles FROM tlb_flushes"
    " UNION ALL SELECT run, 8, 'events', kind || ' ' || vector || coalesce(' (' || name || ')', ''), count FROM events;"

    "PRAGMA application_id = " TEXT_OF(SCHEMA_APPLICATION_ID) ";"
    "PRAGMA user_version = " TEXT_OF(SCHEMA_VERSION) ";";
