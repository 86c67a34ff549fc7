/*
 * schema_views.c: views for the common questions. docs/statistics.md lists them with their columns.
 *
 * They are made anew whenever a file is brought up to date, so they can change without a migration of their
 * own; their names and columns are stable all the same.
 */
#include "traces/store/schema.h"

/* clang-format off */

/* What a run's causes do not cover is shown as such, never spread over them: files of version 1 have none at all. Each of
 * several processors lives through all of a run's cycles; before its end some may be behind. */
#define VIEWS_OF_CYCLES \
    "CREATE VIEW cycles_attributed AS" \
    " SELECT run, mode, cause, sum(cycles) AS cycles FROM cycles_by_cause GROUP BY run, mode, cause" \
    " UNION ALL SELECT id, 'unknown', 'not attributed', rest FROM (" \
    "  SELECT id, state, count(DISTINCT processor) AS processors," \
    "   u.cycles * max(1, count(DISTINCT processor)) - coalesce(sum(c.cycles), 0) AS rest" \
    "  FROM runs u LEFT JOIN cycles_by_cause c ON c.run = u.id GROUP BY u.id)" \
    " WHERE rest <> 0 AND (processors < 2 OR state = 'finished');" \
    /* Shares in tenths of a percent, rounded so that those of a run add up to 100.0: all are cut off, and those that lost \
     * most get the tenths that are missing. */ \
    "CREATE VIEW where_cycles_went AS" \
    " WITH parts AS (" \
    "  SELECT run, mode, cause, cycles, sum(cycles) OVER (PARTITION BY run) AS total FROM cycles_attributed)," \
    " cut AS (SELECT *, cycles * 1000 / total AS tenths, cycles * 1000 % total AS lost FROM parts)," \
    " ranked AS (SELECT *, row_number() OVER (PARTITION BY run ORDER BY lost DESC, mode, cause) AS place," \
    "  1000 - sum(tenths) OVER (PARTITION BY run) AS missing FROM cut)" \
    " SELECT run, mode, cause, coalesce(c.description, '') AS description, cycles," \
    "  (tenths + (place <= missing)) / 10.0 AS share_percent" \
    " FROM ranked LEFT JOIN cycle_causes c USING(cause);"

#define VIEWS_OF_EXITS \
    "CREATE VIEW exits AS" \
    " SELECT x.run, x.processor, x.vpid, x.reason, r.name, r.kvm_name, x.count, x.cycles" \
    " FROM vm_exits x JOIN exit_reasons r USING(reason);" \
    "CREATE VIEW exits_by_reason AS" \
    " SELECT run, reason, name, kvm_name, sum(count) AS count, sum(cycles) AS cycles FROM exits GROUP BY run, reason;" \
    "CREATE VIEW round_trips_by_reason AS" \
    " SELECT run, reason, sum(count) AS count, sum(exit_cycles) AS exit_cycles, sum(monitor_cycles) AS monitor_cycles," \
    "  sum(entry_cycles) AS entry_cycles, sum(refill_cycles) AS refill_cycles FROM round_trips GROUP BY run, reason;" \
    /* total_cycles has all exits in it, and what followed those of them after which the guest ran on to another exit. */ \
    "CREATE VIEW top_exits AS" \
    " SELECT x.run, x.reason, x.name, x.kvm_name, x.count," \
    "  round(100.0 * x.count / sum(x.count) OVER (PARTITION BY x.run), 1) AS count_percent," \
    "  x.cycles AS exit_cycles, coalesce(t.monitor_cycles, 0) AS monitor_cycles," \
    "  coalesce(t.entry_cycles, 0) AS entry_cycles, coalesce(t.refill_cycles, 0) AS refill_cycles," \
    "  x.cycles + coalesce(t.monitor_cycles + t.entry_cycles + t.refill_cycles, 0) AS total_cycles," \
    "  coalesce(t.count, 0) AS round_trips," \
    "  round(1.0 * (t.exit_cycles + t.monitor_cycles + t.entry_cycles + t.refill_cycles) / t.count, 1) AS cycles_each," \
    "  round(100.0 * (x.cycles + coalesce(t.monitor_cycles + t.entry_cycles + t.refill_cycles, 0))" \
    "   / max(u.cycles, 1), 1) AS run_percent" \
    " FROM exits_by_reason x JOIN runs u ON u.id = x.run LEFT JOIN round_trips_by_reason t USING(run, reason);" \
    "CREATE VIEW exit_spread AS" \
    " SELECT run, measure, reason, name, CASE bucket WHEN 0 THEN 0 ELSE 1 << (bucket - 1) END AS from_cycles," \
    "  CASE bucket WHEN 0 THEN 0 WHEN 64 THEN 9223372036854775807 ELSE (1 << bucket) - 1 END AS to_cycles," \
    "  sum(count) AS count" \
    " FROM exit_histogram JOIN exit_reasons USING(reason) GROUP BY run, measure, reason, bucket;" \
    "CREATE VIEW exit_timeline AS" \
    " SELECT run, processor, begins, width, sum(count) AS exits, sum(cycles) AS exit_cycles" \
    " FROM timeline GROUP BY run, processor, begins;"

#define VIEWS_OF_ENTRIES \
    "CREATE VIEW failed_entries AS" \
    " SELECT f.run, f.kind, f.code, CASE f.kind WHEN 'exit reason' THEN r.name ELSE e.name END AS name, f.rule, f.count" \
    " FROM entry_failures f LEFT JOIN exit_reasons r ON r.reason = f.code" \
    " LEFT JOIN instruction_errors e ON e.error = f.code;"

#define VIEWS_OF_TLB \
    "CREATE VIEW tlb_by_page_size AS" \
    " WITH lookups AS (" \
    "  SELECT run, mapping, page_size, sum(CASE level WHEN 1 THEN count ELSE 0 END) AS level_1_hits," \
    "   sum(CASE level WHEN 2 THEN count ELSE 0 END) AS level_2_hits," \
    "   sum(CASE level WHEN 0 THEN count ELSE 0 END) AS hits_of_any_level," \
    "   sum(cycles) AS hit_cycles, 0 AS walks, 0 AS memory_references, 0 AS ept_references, 0 AS walk_cycles" \
    "  FROM tlb_hits GROUP BY run, mapping, page_size" \
    "  UNION ALL SELECT run, mapping, page_size, 0, 0, 0, 0, sum(count), sum(memory_references), sum(ept_references)," \
    "   sum(cycles) FROM page_walks GROUP BY run, mapping, page_size)" \
    " SELECT run, mapping, page_size, sum(level_1_hits) AS level_1_hits, sum(level_2_hits) AS level_2_hits," \
    "  sum(hits_of_any_level) AS hits_of_any_level, sum(walks) AS walks," \
    "  round(100.0 * sum(level_1_hits + level_2_hits + hits_of_any_level)" \
    "   / sum(level_1_hits + level_2_hits + hits_of_any_level + walks), 1) AS hit_percent," \
    "  sum(memory_references) AS memory_references, sum(ept_references) AS ept_references," \
    "  sum(hit_cycles) AS hit_cycles, sum(walk_cycles) AS walk_cycles," \
    "  round(1.0 * sum(walk_cycles) / nullif(sum(walks), 0), 1) AS cycles_each_walk" \
    " FROM lookups GROUP BY run, mapping, page_size;" \
    "CREATE VIEW flush_costs AS" \
    " WITH parts AS (" \
    "  SELECT run, cause, count, dropped, dropped_global, cycles AS direct_cycles, 0 AS refills, 0 AS refill_cycles" \
    "  FROM tlb_flushes UNION ALL SELECT run, cause, 0, 0, 0, 0, count, cycles FROM tlb_refills)" \
    " SELECT run, cause, sum(count) AS count, sum(dropped) AS dropped, sum(dropped_global) AS dropped_global," \
    "  sum(direct_cycles) AS direct_cycles, sum(refills) AS refills, sum(refill_cycles) AS refill_cycles," \
    "  sum(direct_cycles + refill_cycles) AS total_cycles," \
    "  round(1.0 * sum(direct_cycles + refill_cycles) / nullif(sum(count), 0), 1) AS cycles_each" \
    " FROM parts GROUP BY run, cause;" \
    "CREATE VIEW dropped_translations AS" \
    " SELECT run, cause, mapping, page_size, sum(CASE global WHEN 0 THEN count ELSE 0 END) AS not_global," \
    "  sum(CASE global WHEN 1 THEN count ELSE 0 END) AS global, sum(count) AS dropped" \
    " FROM tlb_dropped GROUP BY run, cause, mapping, page_size;"

#define VIEW_OF_VPIDS \
    "CREATE VIEW vpids AS" \
    " WITH parts AS (" \
    "  SELECT run, processor, vpid, count AS exits, cycles AS exit_cycles, 0 AS entries, 0 AS tlb_hits, 0 AS walks," \
    "   0 AS walk_cycles, 0 AS flushes, 0 AS dropped, 0 AS exceptions, 0 AS interrupts FROM vm_exits" \
    "  UNION ALL SELECT run, processor, vpid, 0, 0, count, 0, 0, 0, 0, 0, 0, 0 FROM vm_entries" \
    "  UNION ALL SELECT run, processor, vpid, 0, 0, 0, count, 0, 0, 0, 0, 0, 0 FROM tlb_hits" \
    "  UNION ALL SELECT run, processor, vpid, 0, 0, 0, 0, count, cycles, 0, 0, 0, 0 FROM page_walks" \
    "  UNION ALL SELECT run, processor, vpid, 0, 0, 0, 0, 0, 0, count, dropped, 0, 0 FROM tlb_flushes" \
    "  UNION ALL SELECT run, processor, vpid, 0, 0, 0, 0, 0, 0, 0, 0, (kind = 'exception') * count," \
    "   (kind = 'interrupt') * count FROM events)" \
    " SELECT run, processor, vpid, sum(exits) AS exits, sum(exit_cycles) AS exit_cycles, sum(entries) AS entries," \
    "  sum(tlb_hits) AS tlb_hits, sum(walks) AS walks, sum(walk_cycles) AS walk_cycles, sum(flushes) AS flushes," \
    "  sum(dropped) AS dropped, sum(exceptions) AS exceptions, sum(interrupts) AS interrupts" \
    " FROM parts GROUP BY run, processor, vpid;"

/* Everything that can be compared, as (section, item, measure, value). Within one section and measure the values add up. */
#define METRIC(order, section, item, measure, value, from) \
    " UNION ALL SELECT run, " #order ", '" section "', " item ", '" measure "', sum(" value ") FROM " from " GROUP BY run, 4"
#define VIEW_OF_METRICS \
    "CREATE VIEW run_metrics AS" \
    " SELECT run, 1 AS ord, 'cycles' AS section, mode || ' ' || cause AS item, 'cycles' AS measure, cycles AS value" \
    "  FROM cycles_attributed" \
    " UNION ALL SELECT id, 0, 'run', 'elapsed', 'cycles', cycles FROM runs" \
    " UNION ALL SELECT id, 0, 'run', 'all processors', 'instructions', instructions FROM runs" \
    " UNION ALL SELECT id, 0, 'run', 'all processors', 'checked_steps', coalesce(checked_steps, 0) FROM runs" \
    METRIC(3, "exits", "name", "count", "count", "exits_by_reason") \
    METRIC(3, "exits", "name", "exit_cycles", "exit_cycles", "top_exits") \
    METRIC(3, "exits", "name", "monitor_cycles", "monitor_cycles", "top_exits") \
    METRIC(3, "exits", "name", "entry_cycles", "entry_cycles", "top_exits") \
    METRIC(3, "exits", "name", "refill_cycles", "refill_cycles", "top_exits") \
    METRIC(4, "entries", "instruction", "count", "count", "vm_entries") \
    METRIC(4, "entries", "instruction", "cycles", "cycles", "vm_entries") \
    METRIC(5, "failed_entries", "kind || ' ' || code || ', ' || rule", "count", "count", "failed_entries") \
    METRIC(6, "vmx_instructions", "instruction || ': ' || result", "count", "count", "vmx_instructions") \
    METRIC(6, "vmx_instructions", "instruction || ': ' || result", "cycles", "cycles", "vmx_instructions") \
    METRIC(7, "tlb_hits", "mapping || ', ' || page_size || ', level ' || level", "count", "count", "tlb_hits") \
    METRIC(7, "tlb_hits", "mapping || ', ' || page_size || ', level ' || level", "cycles", "cycles", "tlb_hits") \
    METRIC(8, "page_walks", "mapping || ', ' || page_size", "count", "count", "page_walks") \
    METRIC(8, "page_walks", "mapping || ', ' || page_size", "memory_references", "memory_references", "page_walks") \
    METRIC(8, "page_walks", "mapping || ', ' || page_size", "cycles", "cycles", "page_walks") \
    METRIC(9, "flushes", "cause", "count", "count", "flush_costs") \
    METRIC(9, "flushes", "cause", "dropped", "dropped", "flush_costs") \
    METRIC(9, "flushes", "cause", "direct_cycles", "direct_cycles", "flush_costs") \
    METRIC(9, "flushes", "cause", "refills", "refills", "flush_costs") \
    METRIC(9, "flushes", "cause", "refill_cycles", "refill_cycles", "flush_costs") \
    METRIC(10, "events", "kind || ' ' || vector || coalesce(' (' || name || ')', '')", "count", "count", "events") \
    ";"

const char schema_views_sql[] =
    VIEWS_OF_CYCLES VIEWS_OF_EXITS VIEWS_OF_ENTRIES VIEWS_OF_TLB VIEW_OF_VPIDS VIEW_OF_METRICS;
