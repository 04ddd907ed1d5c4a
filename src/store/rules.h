/* What every store decides the same way, whatever it keeps its rows in. */
#ifndef SLUICE_STORE_RULES_H
#define SLUICE_STORE_RULES_H

#include "base/json.h"
#include "base/pack.h"
#include "store/cursor.h"
#include "store/rules_vector.h"
#include "store/rules_words.h"
#include "store/store.h"
#include "store/store_audit.h"
#include "store/store_schedules.h"

/* Rows that one page of a filtered list may look at. */
#define STORE_EXAMINED_MAX 20000

#define STORE_WORKSPACE_DEFAULT "default"

/* Which rows that a list walks over make its page. Where the next one begins is kept by the caller:
 * after the last row that was taken or skipped. */
enum page_verdict {
    PAGE_TAKE,
    PAGE_SKIP,
    PAGE_STOP, /* this row belongs to the next page: there is one */
};
struct page {
    int left, examined;
};
struct page page_of(int limit); /* default and maximum applied */
enum page_verdict page_see(struct page *p, bool matches);

/* Part of text, any case (ASCII letters). An empty or NULL part is in every text. */
bool rules_contains(struct str text, struct str part);
/* Whether the filters of l but workspace and time hold for the row. */
bool rules_session_matches(const struct store_session_list *l, const struct session_row *row);
void rules_list_corrupt(struct store_session_list *l, struct id id); /* notes it, in order */
bool rules_metadata_matches(const struct store_session_list *l, struct str metadata_json);
bool rules_workflow_matches(const struct store_workflow_list *l, const struct workflow_row *row);
/* A session that may be deleted only by force: it runs, or could go on. */
bool rules_session_is_live(const struct session_row *row);
struct str rules_workspace(struct str workspace); /* NULL: the default one */
/* Whether a delta has nothing but events: what a token is. */
bool rules_delta_is_events(const struct delta *d);
/* Frames that a row of events holds when it is whole. */
bool rules_frames_are_whole(int64_t seq_first, int64_t seq_last, struct str frames);
/* The row without its token_stream frames: rows that are whole again, ascending; NULL: nothing is
 * left. *gone: the last event that was taken out; 0: none, and the row (then given as it is) stays.
 * A row that is not whole is left alone. Its texts point into row's. */
struct event_row *rules_fold(struct arena *a, const struct event_row *row, int64_t *gone);
/* What a session has used that has used nothing yet is stored as an empty text; and how that is
 * read: false: it does not read back. */
struct str rules_usage_stored(struct str usage_json);
bool rules_usage_read(struct str *usage_json);
/* What of a delta's texts is stored packed: its events; the runs of a session whose first commit
 * leaves it ended, or waiting for somebody; and what such a one waits for. What will lie there is
 * packed as short as it gets, the rest quickly. NULL: as it is. (rules_packed.c) */
struct rules_packed {
    struct str events;
    struct str core; /* [waiting, node statuses, state], in place of these columns */
    struct str runs; /* of a new session, in place of their rows: [[id, node, kind, iteration,
                        attempt, status, branch, started, ended, output, error, interrupt], …].
                        Written once, never changed: a run that moves on gets a row, which counts.
                        Of those that may, only first iterations are in it: so their rows are found
                        without a look into it */
};
#define RULES_PACKED_RUNS 64 /* a first commit with more runs has a row for each */
struct rules_packed rules_pack(struct packer *p, const struct delta *d, struct arena *a);
/* The frames of a row of session_events, packed; those with tokens, which retention takes out, in
 * the form with the mark. NULL: as they are. */
struct str rules_pack_frames(struct packer *p, struct str frames, struct arena *a);
bool rules_run_is_packed(const struct rules_packed *packed, const struct run_row *run);
struct str rules_pack_run(struct packer *p, const struct run_row *run, struct arena *a);
struct str rules_pack_interrupt(struct packer *p, const struct interrupt_row *i, struct arena *a);
/* Back, from checked JSON; false: it does not read back. A NULL text changes nothing. Rows ascend.
 */
bool rules_core_read(struct arena *a, struct str text, struct session_core *core);
bool rules_runs_add(struct arena *a, struct str text, const struct id *after,
                    struct run_row **rows);
/* For store_session_load: `rows` are the newest of each node, those that have not ended, and those
 * of first iterations, which may be newer than the packed ones; leaves the first two kinds. */
bool rules_runs_newest(struct arena *a, struct str text, struct run_row **rows);
/* Cuts the rows to a page; gives its last row when there were more, or NULL. */
const struct run_row *rules_runs_page(struct run_row *rows, int limit);
/* Whether the answer that stands in the inbox is this one. */
bool rules_answer_is_same(const struct command_row *old, const struct command_row *now);

/* A free task becomes this worker's, for as long as it says: a lease more. */
void rules_task_lease(struct arena *a, struct task_row *t, struct str worker, int64_t now);
bool rules_task_is_free(const struct task_row *t, int64_t now);
/* ERR_STALE unless the task is leased, as the attempt'th time (0: whichever). */
int rules_task_is_held(const struct task_row *t, int64_t attempt, struct errbuf *e);
/* Whether the newest version up to the one asked for is what was asked for. */
bool rules_file_is_asked(const struct file_row *f, int64_t version);
/* Where the page after this row begins; and where this one does: after c->key, before c->a. */
struct str rules_file_cursor(struct store_file_list *l, const struct file_row *last);
int rules_file_cursor_read(const struct store_file_list *l, struct cursor *c, struct errbuf *e);

/* What is looked for in memories (rules_memory.c). A text answers by the share of the question's
 * words that it holds; rare words count more than those that half of the group's texts have. */
#define RULES_QUESTION_WORDS 64   /* distinct ones; further words are not looked for */
#define RULES_COMMON         1000 /* texts: a word that more of them have is as common as can be */
struct memory_question {
    int count;
    uint64_t hashes[RULES_QUESTION_WORDS]; /* ascending */
    char words[RULES_QUESTION_WORDS][WORD_MAX + 1];
    double weights[RULES_QUESTION_WORDS]; /* 1 each, until they are weighed */
};
void rules_question_init(struct memory_question *q, struct str text);
/* In how many texts of the group each word is, out of `texts`, both up to RULES_COMMON. */
void rules_question_weigh(struct memory_question *q, const int64_t *found, int64_t texts);
/* 0 to 1; below 0: nothing in common. */
double rules_question_score(const struct memory_question *q, struct str content);
/* Which texts are looked at: those with any of the rarest words, as many as are not too many; where
 * that is too many already, the newest of them, and the newest with all words. */
struct memory_plan {
    int any_count, all_count; /* of picks, from the first */
    struct memory_pick {
        int word; /* of the question */
        int64_t found;
    } picks[RULES_QUESTION_WORDS];
};
void rules_question_plan(struct memory_plan *plan, const struct memory_question *q,
                         const int64_t *found);
/* How many of the nearest are looked at. */
size_t rules_memory_pool(const struct store_memory_query *m, const struct memory_question *q);
bool rules_memory_has_vector(const struct memory_row *row, const struct store_memory_query *m);
bool rules_memory_matches(const struct memory_row *row, const struct store_memory_query *m);
unsigned rules_memory_tiers(unsigned tiers); /* 0: working and long-term */
/* Scores the rows, each with its content and (or NULL) its vector, and gives the best, moved, not
 * copied. The only function that says what counts how much. */
struct memory_row *rules_memory_best(struct memory_row *rows, const struct store_memory_query *m,
                                     const struct memory_question *q);
struct str rules_memory_cursor(struct arena *a, const struct memory_row *last);
int rules_memory_cursor_read(struct str text, struct cursor *c, struct id *id, struct errbuf *e);

/* Agents, groups and templates (rules_catalog.c). A page of them ends when their bodies have so
 * many bytes, too. */
#define CATALOG_PAGE_BYTES  (4u << 20)
#define CATALOG_USERS_NAMED 20 /* of each kind, of those that use an agent */
struct name_list {
    struct name_list *next;
    struct str name;
};
struct catalog_users {
    struct name_list *groups, *workflows, *templates;
    int count; /* those that are not named, too */
};
enum catalog_user_kind { CATALOG_USER_GROUP, CATALOG_USER_WORKFLOW, CATALOG_USER_TEMPLATE };
bool rules_catalog_matches(const struct store_catalog_list *l, const struct catalog_row *row);
/* `now`: the object as it is; NULL: there is none. */
int rules_catalog_put_check(const struct store_catalog_put *p, const struct catalog_row *now,
                            struct errbuf *e);
int rules_catalog_delete_check(const struct store_catalog_delete *d, const struct catalog_row *now,
                               struct errbuf *e);
void rules_catalog_put_row(struct store_catalog_put *p, const struct catalog_row *now); /* Out */
bool rules_group_has_agent(struct str body, struct str id);
void rules_group_drop_agent(struct str body, struct str id, struct buf *out);
/* As agent_id of a node without a persona of its own, or as a voter. */
bool rules_graph_has_agent(struct json graph, struct str id);
/* Notes a group's or template's body or a workflow's graph, if it uses the agent. */
bool rules_user_seen(struct arena *a, enum catalog_user_kind kind, struct str id, struct str text,
                     struct str agent, struct catalog_users *u);
void rules_used_by_agent(struct store_catalog_delete *d, const struct catalog_users *u);
void rules_used_by_group(struct store_catalog_delete *d, int64_t memories, int64_t sessions);

/* Statistics, row by row; the newest first (rules_stats.c). */
struct stats_seen {
    struct str status, workflow_id, error_json, usage_json;
    int64_t created_at, started_at, ended_at;
};
struct stats_sum;
struct stats_sum *rules_stats_begin(struct store_session_stats *s);
bool rules_stats_add(struct stats_sum *sum, const struct stats_seen *row); /* false: enough */
void rules_stats_end(struct stats_sum *sum);                               /* fills in Out */
/* The value that a share of n sorted ones is not above, by its place from 1. */
int64_t rules_stats_rank(int64_t n, int percent);
/* Of a workflow's text (json_canonical.h). */
struct str rules_checksum(struct arena *a, struct str graph_json);
/* What a save or a delete asks of the session as it is (NULL: there is none); fills in Out. A
 * session of another workspace is none, and cannot be made. (rules_save.c) */
int rules_save_check(struct store_session_save *p, size_t i, const struct session_row *now,
                     struct errbuf *e);
int rules_save_delete_check(struct store_session_save *p, size_t i, const struct session_row *now,
                            struct errbuf *e);
/* A new stored session, as a delta that makes it; all it points to is p's or in the delta. */
struct save_new {
    struct delta delta;
    struct session_meta meta;
    struct session_core core;
};
void rules_save_new(const struct store_session_save *p, const struct session_save *s,
                    struct save_new *out);
/* Its answer's row, with its body; NULL: no key. */
const struct idempotency_row *rules_save_key(struct store_session_save *p);
/* Schedules and the audit log (rules_schedules.c). `now`: the schedule as it is, or NULL. */
int rules_schedule_put_check(const struct store_schedule_put *p, const struct schedule_row *now,
                             struct errbuf *e);
void rules_schedule_put_row(struct store_schedule_put *p, const struct schedule_row *now); /* Out */
struct schedule_row rules_schedule_copy(struct arena *a, const struct schedule_row *row);
struct audit_row rules_audit_copy(struct arena *a, const struct audit_row *row);
/* The page that a cursor of the kind names begins after *id; zero: at the first. */
int rules_id_cursor_read(struct str text, enum cursor_kind kind, struct id *id, struct errbuf *e);
struct str rules_id_cursor(struct arena *a, enum cursor_kind kind, const struct id *last);
/* Whether the filters but workspace hold. */
bool rules_audit_matches(const struct store_audit_list *l, const struct audit_row *row);
/* What is imported, as one delta of a new session without events (rules_portable.c). Its meta is
 * kept in *meta. */
void rules_import_delta(const struct store_session_import *m, struct session_meta *meta,
                        struct delta *out);

int rules_retention_limit(int limit);                 /* default and maximum applied */
struct str rules_text(struct str s);                  /* NULL becomes empty */
struct str rules_copy(struct arena *a, struct str s); /* NULL stays NULL */

#endif
