/* schema.h: the form of a statistics file. docs/statistics.md describes it for those who query it. */
#ifndef VTSIM_TRACES_SCHEMA_H
#define VTSIM_TRACES_SCHEMA_H

/* PRAGMA user_version. To be raised with every change of the tables, with a migration in store.c. */
#define SCHEMA_VERSION 1
/* PRAGMA application_id: "vtSM". */
#define SCHEMA_APPLICATION_ID 0x7674534d

/* Creates all tables and views and sets both numbers. */
extern const char schema_sql[];

#endif
