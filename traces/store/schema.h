/* schema.h: the form of a statistics file. docs/statistics.md describes it for those who query it. */
#ifndef VTSIM_TRACES_STORE_SCHEMA_H
#define VTSIM_TRACES_STORE_SCHEMA_H

/* PRAGMA user_version. To be raised with every change of the tables, with a migration. */
#define SCHEMA_VERSION 3
/* PRAGMA application_id: "vtSM". */
#define SCHEMA_APPLICATION_ID 0x7674534d

/* What version 3 has beyond version 2. */
#define SCHEMA_FINDINGS_SQL                                                                                  \
    "CREATE TABLE findings(run INTEGER NOT NULL REFERENCES runs(id) ON DELETE CASCADE, finding TEXT NOT "    \
    "NULL, count INTEGER NOT NULL CHECK(count > 0),"                                                         \
    " first_processor INTEGER NOT NULL CHECK(first_processor BETWEEN 0 AND 255), first_rip INTEGER NOT "     \
    "NULL, first_cycle INTEGER NOT NULL CHECK(first_cycle >= 0),"                                            \
    " PRIMARY KEY(run, finding)) WITHOUT ROWID;"

/* Creates all tables; all views; sets both numbers. */
extern const char schema_tables_sql[], schema_views_sql[], schema_numbers_sql[];

/* How the tables of an older version become those of SCHEMA_VERSION. All in one transaction: the views are
 * dropped, set_aside is executed, the tables are created anew, bring_back is executed, the views are created.
 */
struct schema_migration {
    int from;
    const char
        *set_aside; /* copies what is there into temporary tables, and drops it; null: the tables stay */
    const char *bring_back; /* fills the new tables from the temporary ones, and drops those */
    const char *add;        /* where the tables stay: creates what is new; else null */
};
/* Null: there is no such older version. */
const struct schema_migration *schema_migration_from(int version);

#endif
