/* schema_migrations.c: older statistics files, brought up to date. */
#include "traces/store/schema.h"

#include <stddef.h>

#define TEXT_OF(number) TEXT_OF_(number)
#define TEXT_OF_(number) #number

const char schema_numbers_sql[] = "PRAGMA application_id = " TEXT_OF(
    SCHEMA_APPLICATION_ID) ";"
                           "PRAGMA user_version = " TEXT_OF(SCHEMA_VERSION) ";";

#define SET_ASIDE(table)                                                                                     \
    "CREATE TEMP TABLE old_" #table " AS SELECT * FROM main." #table "; DROP TABLE main." #table ";"
#define DONE_WITH(table) "DROP TABLE temp.old_" #table ";"

/* clang-format off */
static const struct schema_migration migrations[] = {
    /* Version 1 had no processors and no dates, called unfinished runs "running", told neither levels of the TLB nor sizes of
     * pages apart, and VPIDs only of exits, entries and translations. */
    {1,
     "CREATE TEMP TABLE old_sequence AS SELECT seq FROM main.sqlite_sequence WHERE name = 'runs';"
     SET_ASIDE(vm_exits) SET_ASIDE(vm_entries) SET_ASIDE(entry_failures) SET_ASIDE(vmx_instructions)
     SET_ASIDE(tlb_fills) SET_ASIDE(tlb_flushes) SET_ASIDE(events) SET_ASIDE(exit_reasons)
     SET_ASIDE(instruction_errors) SET_ASIDE(runs),

     "INSERT INTO main.runs(id, label, image, image_digest, options, cpu, memory_bytes, state, outcome, exit_status,"
     "  message, cycles, instructions, digest, unknown_events)"
     " SELECT id, nullif(label, ''), image, image_digest, options, cpu, memory_bytes,"
     "  CASE WHEN outcome = 'running' THEN 'unfinished' ELSE 'finished' END, nullif(outcome, 'running'),"
     "  CASE WHEN outcome <> 'running' THEN coalesce(exit_status, 0) END,"
     "  message, cycles, instructions, digest, unknown_events FROM old_runs;"
     "UPDATE main.sqlite_sequence SET seq = max(seq, (SELECT seq FROM old_sequence))"
     " WHERE name = 'runs' AND EXISTS (SELECT 1 FROM old_sequence);"
     "INSERT INTO main.exit_reasons SELECT reason, name, kvm_name FROM old_exit_reasons;"
     "INSERT OR IGNORE INTO main.exit_reasons SELECT reason, 'reason ' || reason, NULL FROM old_vm_exits;"
     "INSERT INTO main.instruction_errors SELECT error, name FROM old_instruction_errors;"
     "INSERT OR IGNORE INTO main.instruction_errors SELECT error, 'error ' || error FROM old_vmx_instructions"
     " WHERE error IS NOT NULL;"
     "INSERT OR IGNORE INTO main.flush_causes SELECT cause FROM old_tlb_flushes;"
     "INSERT INTO main.vm_exits SELECT run, 0, vpid, reason, count, cycles FROM old_vm_exits;"
     "INSERT INTO main.vm_entries SELECT run, 0, vpid, instruction, count, cycles FROM old_vm_entries;"
     "INSERT INTO main.entry_failures SELECT run,"
     "  CASE WHEN code IN (33, 34, 41) THEN 'exit reason' ELSE 'VM-instruction error' END, code, rule, count"
     " FROM old_entry_failures;"
     "INSERT INTO main.vmx_instructions SELECT run, 0, instruction, result, error, count, cycles FROM old_vmx_instructions;"
     "INSERT INTO main.tlb_hits SELECT run, 0, vpid, mapping, 0, 'any', hits, 0 FROM old_tlb_fills WHERE hits > 0;"
     "INSERT INTO main.page_walks SELECT run, 0, vpid, mapping, 'any', misses, memory_references, 0, cycles"
     " FROM old_tlb_fills WHERE misses > 0;"
     "INSERT INTO main.tlb_flushes SELECT run, 0, -1, cause, count, cycles, dropped, dropped_global FROM old_tlb_flushes;"
     "INSERT INTO main.events SELECT run, 0, -1, kind, vector, name, count FROM old_events;"
     DONE_WITH(sequence) DONE_WITH(vm_exits) DONE_WITH(vm_entries) DONE_WITH(entry_failures) DONE_WITH(vmx_instructions)
     DONE_WITH(tlb_fills) DONE_WITH(tlb_flushes) DONE_WITH(events) DONE_WITH(exit_reasons)
     DONE_WITH(instruction_errors) DONE_WITH(runs), NULL},
    /* Version 2 had no findings. */
    {2, NULL, NULL, SCHEMA_FINDINGS_SQL},
};
/* clang-format on */

const struct schema_migration *schema_migration_from(int version)
{
    for (size_t i = 0; i < sizeof migrations / sizeof *migrations; i++)
        if (migrations[i].from == version)
            return &migrations[i];
    return NULL;
}
