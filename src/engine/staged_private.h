/* What the files staged*.c share while one staged file is being read.
 *
 *     staged.c         life, the order of things, the repaired file as JSON
 *     staged_read.c    fields: texts, numbers, checklists; what each stage says
 *     staged_words.c   conditions: words, expressions, sentences
 *     staged_ways.c    transitions, what a stage depends on
 *     staged_flow.c    what nobody can reach, circles, ways out
 *     staged_native.c  the workflow; its validator's issues told of the staged file
 */
#ifndef SLUICE_ENGINE_STAGED_PRIVATE_H
#define SLUICE_ENGINE_STAGED_PRIVATE_H

#include "base/id.h"
#include "engine/staged.h"

#define STAGED_NAME_MAX    200
#define STAGED_ENTRY_MAX   256 /* bytes of an item's name */
#define STAGED_ENTRIES_MAX 200
#define STAGED_TO_END      (-1)
#define STAGED_FROM_START  ((unsigned)-1)

struct staged_entry {
    struct str name;
    bool required;
    struct json raw; /* the object it was, or JSON_ABSENT */
};
struct staged_entries {
    struct staged_entry *items;
    unsigned count, cap;
};

struct staged_stage {
    struct json raw;            /* the object it was */
    struct str id, name, given; /* given: the id as it stands in the file, or NULL */
    struct str description;     /* or NULL */
    double order;
    struct staged_entries checklist, deliverables;
    struct str weight, minutes; /* JSON numbers, or NULL */
    struct str *depends;
    unsigned depends_count;
    struct str *conditions; /* expressions that all have to hold */
    unsigned conditions_count;
    bool no_skip;
    unsigned index;     /* in the file */
    bool reached, mark; /* staged_flow.c */
};

enum staged_way {
    WAY_ALWAYS, /* or where no other way is taken */
    WAY_WHEN,   /* an expression */
    WAY_PEOPLE, /* people decide */
};
struct staged_transition {
    struct json raw; /* or JSON_ABSENT: it was added */
    unsigned from;   /* index of a stage, or STAGED_FROM_START */
    int to;          /* index, or STAGED_TO_END */
    enum staged_way way;
    struct str condition; /* as it is written; NULL: none */
    struct str code;      /* the expression of WAY_WHEN */
    struct str label;     /* for people; or NULL */
    unsigned index;       /* in the file, when raw is there */
    bool done;            /* its condition is a word for "the stage is done" */
    bool dropped;
};

struct staged_file {
    struct staged_result *r;
    struct expr_vm *vm;
    bool fix;
    struct json root;
    char path[256];
    size_t path_len;
    unsigned untold; /* issues that found no room */

    struct str id, name, description, type, version, source_rule; /* version: JSON; or NULL */
    struct staged_stage *stages;
    unsigned stage_count;
    unsigned *by_order; /* indexes of stages */
    struct staged_transition *ways;
    unsigned way_count, way_cap;
    int entry; /* the stage that comes first */
};

/* ---- issues ---- */

size_t staged_push(struct staged_file *f, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void staged_pop(struct staged_file *f, size_t len);
/* The issue, to be given a fix, or a place for one that is not told. Never NULL. */
struct staged_issue *staged_issue(struct staged_file *f, bool is_error, const char *code,
                                  const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void staged_fix(struct staged_file *f, struct staged_issue *it, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
struct str staged_copy(struct staged_file *f, struct str s);
struct str staged_text(struct staged_file *f, struct json v); /* of a string */

/* ---- reading ---- */

void staged_read_top(struct staged_file *f);
void staged_read_stages(struct staged_file *f);
/* By id, as written or as repaired, by name; -1: none. *near: one that may be meant, or -1. */
int staged_find(const struct staged_file *f, struct str ref, int *near);
void entries_add(struct staged_file *f, struct staged_entries *list, struct staged_entry e);
bool entries_have(const struct staged_entries *list, struct str name);
struct str staged_slug(struct staged_file *f, struct str name);
struct str staged_unique(struct staged_file *f, struct str id, unsigned count);

/* ---- conditions, ways ---- */

void staged_read_depends(struct staged_file *f);
void staged_read_conditions(struct staged_file *f);
void staged_read_ways(struct staged_file *f);
void staged_check_flow(struct staged_file *f);
/* A way that is taken when its stage is over: not dropped, not the one from the start. */
static inline bool way_counts(const struct staged_transition *t)
{
    return !t->dropped && t->from != STAGED_FROM_START;
}
struct staged_transition *staged_way_add(struct staged_file *f, unsigned from, int to,
                                         enum staged_way way);
/* How many ways of a kind lead on from a stage. */
unsigned ways_from(const struct staged_file *f, unsigned stage, enum staged_way way);

/* What a condition means. */
enum staged_meaning {
    MEANS_ALWAYS,
    MEANS_DONE,    /* the stage is done, and was not skipped */
    MEANS_SKIPPED, /* it was skipped */
    MEANS_PEOPLE,
    MEANS_CODE,
    MEANS_TEXT,   /* a sentence for people */
    MEANS_BROKEN, /* an expression with a mistake: *e says which */
};
/* *text may be corrected, when *corrected is set. */
enum staged_meaning staged_meaning_of(struct staged_file *f, struct str *text, bool *corrected,
                                      struct errbuf *e);

/* ---- the results ---- */

void staged_write(struct staged_file *f, struct buf *out);
void staged_native(struct staged_file *f, struct buf *out);

#endif
