/*
 * sections.c: one query for each section of a report.
 *
 * The first query gives all there is, for programs: names of its columns are stable (docs/statistics.md). The
 * second one is for people: the rows that matter most, the rest of them together, sums, and bars.
 */
#include "traces/report/sections.h"

#include <stddef.h>

#define BARS "'########################################'"
#define BAR(value, most) "substr(" BARS ", 1, (40 * " value " + " most " - 1) / " most ")"

/* clang-format off */
#define RUN_COLUMNS \
    "SELECT id, label, image, image_digest, cpu, memory_bytes / 1048576 AS memory_mib, options, started, recorded, state," \
    " outcome, exit_status," \
    " coalesce(message, CASE state WHEN 'unfinished' THEN 'no end is recorded: it still runs, or was killed' END) AS message," \
    " cycles, instructions, checked_steps," \
    " (SELECT coalesce(sum(count), 0) FROM vm_exits WHERE run = id) AS vm_exits, (SELECT coalesce(sum(count), 0) FROM vm_entries WHERE run = id) AS vm_entries," \
    " (SELECT sum(share_percent) FROM where_cycles_went WHERE run = id AND mode = 'root') AS root_percent," \
    " (SELECT sum(share_percent) FROM where_cycles_went WHERE run = id AND mode = 'non-root') AS non_root_percent," \
    " digest, unknown_events"

/* Each column is a line; those without a value are left out. */
#define RUN_TEXT \
    "SELECT r.id, label, image, options, cpu, (memory_bytes / 1048576) || ' MiB' AS memory, started, state, outcome, exit_status," \
    " message, cycles, instructions, round(1.0 * cycles / nullif(instructions, 0), 2) AS cycles_per_instruction," \
    " root_percent || ' %' AS \"cycles_in_root_operation\", non_root_percent || ' %' AS \"cycles_in_non-root_operation\"," \
    " vm_exits, vm_entries, nullif(checked_steps, 0) AS instructions_stepped_through, nullif(unknown_events, 0) AS events_not_counted," \
    " digest FROM (" RUN_COLUMNS ", memory_bytes FROM runs WHERE id = ?1) r"

#define CYCLES_COLUMNS "SELECT mode, cause, cycles, share_percent, description FROM "
/* The causes of each mode, most cycles first, then their sum; at last the sum of all. */
#define CYCLES_TEXT \
    CYCLES_COLUMNS "(" \
    " SELECT mode, 0 AS sums, cause, cycles, share_percent, description FROM where_cycles_went WHERE run = ?1" \
    " UNION ALL SELECT mode, 1, 'together', sum(cycles), sum(share_percent), '' FROM where_cycles_went WHERE run = ?1 GROUP BY mode" \
    " UNION ALL SELECT 'all', 2, 'together', sum(cycles), sum(share_percent), '' FROM where_cycles_went WHERE run = ?1" \
    "  HAVING count(*) > 0)" \
    " ORDER BY sums = 2, mode = 'unknown', mode DESC, sums, cycles DESC, cause"

#define EXITS_COLUMNS \
    "SELECT reason, name, kvm_name, count, count_percent, exit_cycles, monitor_cycles, entry_cycles, refill_cycles," \
    " total_cycles, round_trips, cycles_each, run_percent FROM top_exits WHERE run = ?1" \
    " ORDER BY total_cycles DESC, count DESC, reason"
#define EXITS_SUMS(name, where) \
    " SELECT " name ", sum(count), round(100.0 * sum(count) / (SELECT sum(count) FROM ranked), 1), sum(exit_cycles), sum(monitor_cycles), sum(entry_cycles)," \
    " sum(refill_cycles), sum(total_cycles), round(1.0 * sum(cycles_each * round_trips) / nullif(sum(round_trips), 0), 1)," \
    " round(100.0 * sum(total_cycles) / (SELECT max(cycles, 1) FROM runs WHERE id = ?1), 1) FROM ranked " where " HAVING count(*) > 0"
#define EXITS_TEXT \
    "WITH ranked AS (SELECT *, row_number() OVER (ORDER BY total_cycles DESC, count DESC, reason) AS place" \
    " FROM top_exits WHERE run = ?1)" \
    " SELECT * FROM (SELECT name, count, count_percent, exit_cycles, monitor_cycles, entry_cycles, refill_cycles," \
    "  total_cycles, cycles_each, run_percent FROM ranked WHERE place <= ?2 ORDER BY place)" \
    " UNION ALL" EXITS_SUMS("(count(*) || ' other reasons')", "WHERE place > ?2") \
    " UNION ALL" EXITS_SUMS("'together'", "")

/* The five reasons with most cycles; whole round trips where there are any, else the exits alone. */
#define SPREAD_TEXT \
    "WITH chosen AS (SELECT reason, total_cycles FROM top_exits WHERE run = ?1 ORDER BY total_cycles DESC, reason LIMIT 5)," \
    " kind AS (SELECT max(measure) AS measure FROM exit_spread WHERE run = ?1)," \
    " parts AS (SELECT s.*, total_cycles, max(s.count) OVER (PARTITION BY s.reason) AS most FROM exit_spread s JOIN kind USING(measure)" \
    "  JOIN chosen USING(reason) WHERE run = ?1)" \
    " SELECT name, measure, from_cycles, to_cycles, count, " BAR("count", "most") " AS chart FROM parts" \
    " ORDER BY total_cycles DESC, reason, from_cycles"

#define FLUSHES_COLUMNS \
    "SELECT cause, count, dropped, dropped_global, direct_cycles, refills, refill_cycles, total_cycles, cycles_each FROM "
#define FLUSHES_ORDER " ORDER BY sums, total_cycles DESC, dropped DESC, count DESC, cause"
#define FLUSHES_TEXT \
    FLUSHES_COLUMNS "(SELECT *, 0 AS sums FROM flush_costs WHERE run = ?1" \
    " UNION ALL SELECT run, 'together', sum(count), sum(dropped), sum(dropped_global), sum(direct_cycles), sum(refills)," \
    "  sum(refill_cycles), sum(total_cycles), round(1.0 * sum(total_cycles) / nullif(sum(count), 0), 1), 1" \
    " FROM flush_costs WHERE run = ?1 HAVING count(*) > 0)" FLUSHES_ORDER

#define TLB_COLUMNS \
    "SELECT mapping, page_size, level_1_hits, level_2_hits, hits_of_any_level, walks, hit_percent, memory_references," \
    " ept_references, hit_cycles, walk_cycles, cycles_each_walk FROM tlb_by_page_size WHERE run = ?1" \
    " ORDER BY mapping = 'linear' DESC, mapping, page_size"
#define TLB_TEXT \
    "SELECT mapping, page_size, level_1_hits, level_2_hits, level_1_hits + level_2_hits + hits_of_any_level AS all_hits, walks," \
    " hit_percent, memory_references, ept_references, hit_cycles, walk_cycles, cycles_each_walk FROM tlb_by_page_size" \
    " WHERE run = ?1 ORDER BY mapping = 'linear' DESC, mapping, page_size"

/* At most 24 rows for each processor: as many slices together as that takes, and none left out. */
#define TIMELINE_TEXT \
    "WITH RECURSIVE used AS (SELECT processor, width, max(max(begins) + 1, (SELECT cycles FROM runs WHERE id = ?1)) AS ends" \
    "  FROM timeline WHERE run = ?1 GROUP BY processor)," \
    " span AS (SELECT processor, width, (ends + width - 1) / width AS slices, (ends + 24 * width - 1) / (24 * width) * width AS step" \
    "  FROM used)," \
    " row(processor, step, line, lines) AS (SELECT processor, step, 0, (slices * width + step - 1) / step FROM span" \
    "  UNION ALL SELECT processor, step, line + 1, lines FROM row WHERE line + 1 < lines)," \
    " parts AS (SELECT processor, begins / step AS line, reason, sum(count) AS count, sum(cycles) AS cycles" \
    "  FROM timeline JOIN span USING(processor) WHERE run = ?1 GROUP BY processor, line, reason)," \
    " filled AS (SELECT r.processor, r.line, r.step, coalesce(sum(p.count), 0) AS exits, coalesce(sum(p.cycles), 0) AS exit_cycles," \
    "  (SELECT e.name FROM parts q JOIN exit_reasons e USING(reason) WHERE q.processor = r.processor AND q.line = r.line" \
    "   ORDER BY q.count DESC, q.reason LIMIT 1) AS most_often" \
    "  FROM row r LEFT JOIN parts p USING(processor, line) GROUP BY r.processor, r.line)" \
    " SELECT processor, line * step AS from_cycle, exits, exit_cycles, " BAR("exits", "max(exits) OVER ()") " AS chart," \
    " most_often FROM filled ORDER BY processor, line"

const struct report_section report_sections[] = {
    {"run", "Run", true, RUN_COLUMNS " FROM runs WHERE id = ?1", RUN_TEXT},
    {"cycles", "Where the cycles went", false,
     CYCLES_COLUMNS "where_cycles_went WHERE run = ?1 ORDER BY cycles DESC, mode, cause", CYCLES_TEXT},
    {"exits", "VM exits, by what they cost in cycles", false, EXITS_COLUMNS, EXITS_TEXT},
    {"exit_spread", "What single VM exits cost, in cycles", false,
     "SELECT measure, reason, name, from_cycles, to_cycles, count FROM exit_spread WHERE run = ?1"
     " ORDER BY measure, reason, from_cycles", SPREAD_TEXT},
    {"vpids", "By processor and VPID", false,
     "SELECT processor, vpid, exits, exit_cycles, entries, tlb_hits, walks, walk_cycles, flushes, dropped, exceptions, interrupts"
     " FROM vpids WHERE run = ?1 ORDER BY processor, vpid", NULL},
    {"entries", "VM entries", false,
     "SELECT processor, vpid, instruction, count, cycles, round(1.0 * cycles / count, 1) AS cycles_each"
     " FROM vm_entries WHERE run = ?1 ORDER BY processor, vpid, instruction", NULL},
    {"failed_entries", "VM entries that failed, and the rule that each broke first", false,
     "SELECT kind, code, name, rule, count FROM failed_entries WHERE run = ?1 ORDER BY count DESC, kind, code, rule", NULL},
    {"vmx_instructions", "VMX instructions", false,
     "SELECT instruction, result, sum(count) AS count, sum(cycles) AS cycles FROM vmx_instructions WHERE run = ?1"
     " GROUP BY instruction, result ORDER BY instruction, error IS NOT NULL, error, result DESC", NULL},
    {"tlb", "TLB, by mapping and size of the page", false, TLB_COLUMNS, TLB_TEXT},
    {"flushes", "TLB flushes, and what they cost in cycles", false,
     FLUSHES_COLUMNS "(SELECT *, 0 AS sums FROM flush_costs) WHERE run = ?1" FLUSHES_ORDER, FLUSHES_TEXT},
    {"dropped", "Translations that flushes dropped", false,
     "SELECT cause, mapping, page_size, not_global, global, dropped FROM dropped_translations WHERE run = ?1"
     " ORDER BY cause, mapping, page_size", NULL},
    {"events", "Exceptions and interrupts delivered", false,
     "SELECT kind, vector, name, sum(count) AS count FROM events WHERE run = ?1 GROUP BY kind, vector ORDER BY kind, vector", NULL},
    {"findings", "What the sanitizer found ('vtsim list findings' says what each means)", false,
     "SELECT finding, count, first_processor, printf('0x%x', first_rip) AS first_rip, first_cycle FROM findings WHERE run = ?1"
     " ORDER BY finding", NULL},
    {"timeline", "VM exits in the course of time", false,
     "SELECT processor, begins, width, reason, name, count, cycles FROM timeline JOIN exit_reasons USING(reason)"
     " WHERE run = ?1 ORDER BY processor, begins, reason", TIMELINE_TEXT},
    {0},
};
