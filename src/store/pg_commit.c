/* STORE_COMMIT: the rows of many sessions in one transaction.
 *
 * Almost always all of them can be written, and then one round trip does it (fast): the sessions'
 * rows are locked and looked at (sluice_expect() of the first migration ends the transaction unless
 * all of them fit), and the rows of each table follow as one statement. Whatever is rare - a late
 * owner, a session that exists or is gone, a key that is taken, numbers that are there - ends in an
 * error, and nothing is written.
 *
 * Then the deltas are looked at one by one (judge), within a transaction that goes on; those that
 * stand already are passed over, those that cannot be written are refused, and the rest is written
 * as before. When even this fails, because two of the deltas get in each other's way or a value
 * fits no column, each is tried in a transaction of its own (alone).
 *
 * After a lost connection it begins with the judge: what was written counts as written.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/table.h"
#include "store/pg_array.h"
#include "store/pg_store.h"
#include "store/rules.h"

#define JSON_EMPTY_OBJECT STR("{}")
#define JSON_EMPTY_ARRAY  STR("[]")

/* In the order in which they are written. */
enum commit_part {
    PART_WORKSPACES,
    PART_SESSIONS,
    PART_DETAILS,
    PART_UPDATES,
    PART_META,
    PART_META_DETAILS,
    PART_EVENTS,
    PART_RUNS,
    PART_EFFECTS,
    PART_EFFECTS_DONE,
    PART_TIMERS,
    PART_TIMERS_DONE,
    PART_MESSAGES,
    PART_WITHHELD_CLEAR,
    PART_WITHHELD,
    PART_KEYS,
    PART_COMMANDS,
    PART_COMMANDS_NEW,
    PART_INTERRUPTS,
    PART_TASKS,
    PART_TASKS_DONE,
    PART_FILES,
    PART_USAGE,
    PART_COUNT,
};

/* Of the parts that commits of one session have, `one` is the statement of a row; nodes come in
 * twos and threes. */
static const struct {
    enum pg_sql sql;
    const char *types;
    enum pg_sql one;
    int ones;
} commit_parts[PART_COUNT] = {
    [PART_WORKSPACES] = {.sql = PG_WORKSPACES_MAKE, .types = "t"},
    [PART_SESSIONS] = {PG_SESSION_INSERT, PG_SESSION_TYPES, PG_SESSION_INSERT_ONE, 1},
    [PART_DETAILS] = {PG_DETAILS_INSERT, PG_DETAILS_TYPES, PG_DETAILS_INSERT_ONE, 1},
    [PART_META] = {.sql = PG_META_UPDATE, .types = PG_META_TYPES},
    [PART_META_DETAILS] = {.sql = PG_META_DETAILS, .types = PG_META_DETAILS_TYPES},
    [PART_UPDATES] = {PG_SESSION_UPDATE, "ubttiiiitttttttyy", PG_SESSION_UPDATE_ONE, 1},
    [PART_EVENTS] = {PG_EVENTS_INSERT, "uiiity", PG_EVENTS_INSERT_ONE, 1},
    [PART_RUNS] = {PG_RUNS_UPSERT, "uuttiittiitttity", PG_RUNS_UPSERT_ONE, 3},
    [PART_EFFECTS] = {.sql = PG_EFFECTS_INSERT, .types = "uutt"},
    [PART_EFFECTS_DONE] = {.sql = PG_EFFECTS_DELETE, .types = "uu"},
    [PART_TIMERS] = {.sql = PG_TIMERS_UPSERT, .types = "uuiti"},
    [PART_TIMERS_DONE] = {.sql = PG_TIMERS_DELETE, .types = "uu"},
    [PART_MESSAGES] = {PG_MESSAGES_INSERT, "uiiuuttttittt", PG_MESSAGES_INSERT_ONE, 1},
    [PART_WITHHELD_CLEAR] = {.sql = PG_WITHHELD_CLEAR, .types = "u"},
    [PART_WITHHELD] = {.sql = PG_WITHHELD_INSERT, .types = "uit"},
    [PART_KEYS] = {.sql = PG_KEYS_INSERT, .types = "ttiiiti"},
    [PART_COMMANDS] = {.sql = PG_COMMANDS_ANSWER, .types = "uuit"},
    [PART_COMMANDS_NEW] = {.sql = PG_COMMANDS_ADD, .types = "uuti"},
    [PART_INTERRUPTS] = {.sql = PG_INTERRUPTS_UPSERT, .types = "uuutttttiiiy"},
    [PART_TASKS] = {.sql = PG_TASKS_INSERT, .types = "uuutttii"},
    [PART_TASKS_DONE] = {.sql = PG_TASKS_DELETE, .types = "uu"},
    [PART_FILES] = {.sql = PG_FILES_INSERT, .types = "utiiutttiibiy"},
    [PART_USAGE] = {.sql = PG_USAGE_INSERT, .types = "uuuttttiiibi"},
};

/* What is to be done with a delta. */
enum verdict { VERDICT_WRITE, VERDICT_STANDS, VERDICT_REFUSE };

struct pg_commit {
    struct pg_rows parts[PART_COUNT];
    struct pg_rows lock, judge, keys, commands; /* to look at */
    struct pg_rows owned;                       /* events of one owner's sessions, and epochs */
    struct table runs;                          /* run ids of one delta */
    struct packer *packer;
    struct arena packed; /* what it made for the rows under way */
    enum verdict *verdicts;
    size_t *key_of; /* the delta of each Idempotency-Key that is looked at */
    size_t verdicts_cap;
    size_t first, end; /* the deltas that are tried */
    int looked_from;   /* the statement of the batch that judges */
    int64_t rows;
};

struct pg_commit *pg_commit_create(void)
{
    struct pg_commit *c = mem_zalloc(sizeof(*c));

    for (int i = 0; i < PART_COUNT; i++) {
        pg_rows_init(&c->parts[i], commit_parts[i].sql, commit_parts[i].types);
        c->parts[i].one = commit_parts[i].one;
        c->parts[i].ones = commit_parts[i].ones;
    }
    pg_rows_init(&c->lock, PG_COMMIT_CHECK, "uiii");
    pg_rows_init(&c->judge, PG_COMMIT_JUDGE, "uiity");
    pg_rows_init(&c->keys, PG_COMMIT_KEYS_TAKEN, "tt");
    pg_rows_init(&c->commands, PG_COMMIT_COMMANDS, "uu");
    pg_rows_init(&c->owned, PG_EVENTS_OF_OWNER, "uiiiti");
    table_init(&c->runs);
    c->packer = packer_create();
    arena_init(&c->packed);
    return c;
}

void pg_commit_destroy(struct pg_commit *c)
{
    if (!c)
        return;
    for (int i = 0; i < PART_COUNT; i++)
        pg_rows_deinit(&c->parts[i]);
    pg_rows_deinit(&c->lock);
    pg_rows_deinit(&c->judge);
    pg_rows_deinit(&c->keys);
    pg_rows_deinit(&c->commands);
    pg_rows_deinit(&c->owned);
    table_deinit(&c->runs);
    packer_destroy(c->packer);
    arena_deinit(&c->packed);
    free(c->verdicts);
    free(c->key_of);
    free(c);
}

/* ---- rows of one delta ---- */

static struct str commit_or(struct str s, struct str otherwise)
{
    return s.p ? s : otherwise;
}

/* In the order of PG_SESSION_UPDATE and of the end of PG_SESSION_INSERT. */
static void commit_core(struct pg_rows *r, const struct session_core *core,
                        const struct rules_packed *packed)
{
    pg_rows_bool(r, core->busy);
    pg_rows_str(r, core->status);
    pg_rows_str(r, core->reason);
    pg_rows_i64(r, core->last_seq);
    pg_rows_i64(r, core->started_at);
    pg_rows_i64(r, core->ended_at);
    pg_rows_i64(r, core->updated_at);
    pg_rows_str(r, core->output_json);
    pg_rows_str(r, core->error_json);
    pg_rows_str(r, commit_or(core->node_statuses_json, JSON_EMPTY_OBJECT));
    pg_rows_str(r, packed->waiting.p ? STR_NULL : core->waiting_json);
    pg_rows_str(r, rules_usage_stored(core->usage_json));
    pg_rows_str(r, core->vars_json);
    pg_rows_str(r, packed->state.p ? STR_NULL : core->state_json);
    pg_rows_packed(r, packed->waiting);
    pg_rows_packed(r, packed->state);
}

static void commit_workspace(struct pg_commit *c, struct str workspace)
{
    if (str_eqz(workspace, STORE_WORKSPACE_DEFAULT))
        return;
    pg_rows_begin(&c->parts[PART_WORKSPACES]);
    pg_rows_str(&c->parts[PART_WORKSPACES], workspace);
}

void pg_rows_session(struct pg_rows *r, const struct delta *d, const struct rules_packed *packed)
{
    const struct session_meta *meta = d->meta;

    pg_rows_begin(r);
    pg_rows_id(r, &d->session_id);
    pg_rows_str(r, rules_workspace(meta->workspace));
    pg_rows_i64(r, (int64_t)d->epoch);
    pg_rows_i64(r, d->created_at);
    pg_rows_bool(r, meta->stored_only);
    pg_rows_str(r, meta->name);
    pg_rows_str(r, meta->group_id);
    pg_rows_str(r, meta->user_id);
    pg_rows_str(r, commit_or(meta->tags_json, JSON_EMPTY_ARRAY));
    pg_rows_str(r, meta->workflow_id);
    pg_rows_i64(r, meta->workflow_version);
    pg_rows_id_or_null(r, &d->owner);
    pg_rows_id_or_null(r, &meta->parent_id);
    pg_rows_i64(r, meta->parent_seq);
    pg_rows_id_or_null(r, &meta->parent_run);
    commit_core(r, d->core, packed);
    pg_rows_i64(r, d->version ? d->version : 1);
}

void pg_rows_details(struct pg_rows *r, const struct delta *d)
{
    const struct session_meta *meta = d->meta;

    pg_rows_begin(r);
    pg_rows_id(r, &d->session_id);
    pg_rows_str(r, meta->input_json);
    pg_rows_str(r, meta->metadata_json);
    pg_rows_str(r, meta->settings_json);
    pg_rows_str(r, meta->thread_configs_json);
    pg_rows_str(r, meta->workflow_state_json);
    pg_rows_str(r, meta->budget_json);
    pg_rows_str(r, meta->graph_json);
    pg_rows_str(r, meta->checksum);
}

void pg_rows_meta(struct pg_rows *r, const struct id *id, const struct session_meta *meta,
                  int64_t version, int64_t at)
{
    pg_rows_begin(r);
    pg_rows_id(r, id);
    pg_rows_str(r, meta->name);
    pg_rows_str(r, commit_or(meta->tags_json, JSON_EMPTY_ARRAY));
    pg_rows_i64(r, version);
    pg_rows_i64(r, at);
}

void pg_rows_meta_details(struct pg_rows *r, const struct id *id, const struct session_meta *meta)
{
    pg_rows_begin(r);
    pg_rows_id(r, id);
    pg_rows_str(r, meta->metadata_json);
    pg_rows_str(r, meta->settings_json);
    pg_rows_str(r, meta->thread_configs_json);
    pg_rows_str(r, meta->workflow_state_json);
}

/* The end of PG_EVENTS_INSERT and PG_EVENTS_OF_OWNER is the caller's. */
static void commit_event(struct pg_rows *r, const struct delta *d, struct str packed)
{
    pg_rows_begin(r);
    pg_rows_id(r, &d->session_id);
    pg_rows_i64(r, d->seq_last);
    pg_rows_i64(r, d->seq_first);
    pg_rows_i64(r, d->is_new && d->at < d->created_at ? d->created_at : d->at);
    pg_rows_str(r, packed.p ? STR("") : buf_str(&d->events));
}

static void commit_run(struct pg_commit *c, const struct delta *d, const struct run_row *run)
{
    struct pg_rows *r = &c->parts[PART_RUNS];
    struct str packed = rules_pack_run(c->packer, run, &c->packed);

    pg_rows_begin(r);
    pg_rows_id(r, &d->session_id);
    pg_rows_id(r, &run->run_id);
    pg_rows_str(r, run->node_id);
    pg_rows_str(r, run->kind);
    pg_rows_i64(r, run->iteration);
    pg_rows_i64(r, run->attempt);
    pg_rows_str(r, run->status);
    pg_rows_str(r, run->branch);
    pg_rows_i64(r, run->started_at);
    pg_rows_i64(r, run->ended_at);
    pg_rows_str(r, run->output_json);
    pg_rows_str(r, run->error_json);
    pg_rows_str(r, packed.p ? STR_NULL : run->interrupt_json);
    pg_rows_i64(r, d->at);
    pg_rows_str(r, run->progress_json);
    pg_rows_packed(r, packed);
}

/* A run that changed several times in one turn has several rows: the last one counts, and one
 * statement must not write a row twice. */
static void commit_runs(struct pg_commit *c, const struct delta *d)
{
    if (d->runs && !d->runs->next) {
        commit_run(c, d, d->runs);
        return;
    }
    for (const struct run_row *run = d->runs; run; run = run->next)
        table_put(&c->runs, run->run_id, (void *)(uintptr_t)run);
    for (const struct run_row *run = d->runs; run; run = run->next)
        if (table_get(&c->runs, run->run_id) == run)
            commit_run(c, d, run);
    table_deinit(&c->runs);
    table_init(&c->runs);
}

static void commit_ids(struct pg_rows *r, const struct delta *d, const struct id_list *ids)
{
    for (; ids; ids = ids->next) {
        pg_rows_begin(r);
        pg_rows_id(r, &d->session_id);
        pg_rows_id(r, &ids->id);
    }
}

static void commit_effects(struct pg_commit *c, const struct delta *d)
{
    struct pg_rows *r = &c->parts[PART_EFFECTS];

    for (const struct effect_row *f = d->effects_new; f; f = f->next) {
        pg_rows_begin(r);
        pg_rows_id(r, &d->session_id);
        pg_rows_id(r, &f->run_id);
        pg_rows_str(r, f->kind);
        pg_rows_str(r, f->request_json);
    }
    commit_ids(&c->parts[PART_EFFECTS_DONE], d, d->effects_done);
}

/* As with runs: the last one of a timer that was set twice. */
static void commit_timers(struct pg_commit *c, const struct delta *d)
{
    struct pg_rows *r = &c->parts[PART_TIMERS];

    for (const struct timer_row *t = d->timers_set; t; t = t->next) {
        const struct timer_row *later = t->next;
        while (later && !id_eq(later->timer_id, t->timer_id))
            later = later->next;
        if (later)
            continue;
        pg_rows_begin(r);
        pg_rows_id(r, &d->session_id);
        pg_rows_id(r, &t->timer_id);
        pg_rows_i64(r, t->due_at);
        pg_rows_str(r, t->purpose_json);
        pg_rows_i64(r, d->at);
    }
    commit_ids(&c->parts[PART_TIMERS_DONE], d, d->timers_done);
}

static void commit_messages(struct pg_commit *c, const struct delta *d)
{
    struct pg_rows *r = &c->parts[PART_MESSAGES];

    for (const struct message_row *m = d->messages; m; m = m->next) {
        pg_rows_begin(r);
        pg_rows_id(r, &d->session_id);
        pg_rows_i64(r, m->created_at);
        pg_rows_i64(r, m->seq);
        pg_rows_id(r, &m->message_id);
        pg_rows_id_or_null(r, &m->run_id);
        pg_rows_str(r, m->node_id);
        pg_rows_str(r, m->role);
        pg_rows_str(r, m->agent_id);
        pg_rows_str(r, m->finish_reason);
        pg_rows_i64(r, m->token_count);
        pg_rows_str(r, commit_or(m->content, STR("")));
        pg_rows_str(r, m->thinking);
        pg_rows_str(r, m->tool_calls_json);
    }
}

static void commit_withheld(struct pg_commit *c, const struct delta *d)
{
    struct pg_rows *r = &c->parts[PART_WITHHELD];

    if (d->withheld_clear) {
        pg_rows_begin(&c->parts[PART_WITHHELD_CLEAR]);
        pg_rows_id(&c->parts[PART_WITHHELD_CLEAR], &d->session_id);
    }
    for (const struct withheld_row *w = d->withheld; w; w = w->next) {
        pg_rows_begin(r);
        pg_rows_id(r, &d->session_id);
        pg_rows_i64(r, w->ord);
        pg_rows_str(r, w->input_json);
    }
}

void pg_rows_key(struct pg_rows *r, const struct idempotency_row *k)
{
    pg_rows_begin(r);
    pg_rows_str(r, rules_workspace(k->workspace));
    pg_rows_str(r, k->key);
    pg_rows_i64(r, (int64_t)k->body_hash[0]);
    pg_rows_i64(r, (int64_t)k->body_hash[1]);
    pg_rows_i64(r, k->http_status);
    pg_rows_str(r, k->body_json);
    pg_rows_i64(r, k->created_at);
}

static void commit_answers(struct pg_commit *c, const struct delta *d)
{
    struct pg_rows *r = &c->parts[PART_KEYS];

    for (const struct idempotency_row *k = d->idempotency; k; k = k->next) {
        commit_workspace(c, rules_workspace(k->workspace));
        pg_rows_key(r, k);
    }
    r = &c->parts[PART_COMMANDS];
    for (const struct command_row *k = d->commands_done; k; k = k->next) {
        pg_rows_begin(r);
        pg_rows_id(r, &d->session_id);
        pg_rows_id(r, &k->command_id);
        pg_rows_i64(r, k->http_status);
        pg_rows_str(r, k->answer_json);
    }
    r = &c->parts[PART_COMMANDS_NEW];
    for (const struct command_row *k = d->commands_new; k; k = k->next) {
        pg_rows_begin(r);
        pg_rows_id(r, &k->command_id);
        pg_rows_id(r, &k->session_id);
        pg_rows_str(r, k->request_json);
        pg_rows_i64(r, k->created_at);
    }
}

/* As with timers: the last one of an interrupt that is there twice. */
static void commit_interrupts(struct pg_commit *c, const struct delta *d)
{
    struct pg_rows *r = &c->parts[PART_INTERRUPTS];

    for (const struct interrupt_row *i = d->interrupts; i; i = i->next) {
        const struct interrupt_row *later = i->next;
        while (later && !id_eq(later->interrupt_id, i->interrupt_id))
            later = later->next;
        if (later)
            continue;
        struct str packed = rules_pack_interrupt(c->packer, i, &c->packed);
        pg_rows_begin(r);
        pg_rows_id(r, &i->interrupt_id);
        pg_rows_id(r, &d->session_id);
        pg_rows_id(r, &i->run_id);
        pg_rows_str(r, i->node_id);
        pg_rows_str(r, i->kind);
        pg_rows_str(r, i->status);
        pg_rows_str(r, packed.p ? STR_NULL : i->request_json);
        pg_rows_str(r, i->answer_json);
        pg_rows_i64(r, i->expires_at);
        pg_rows_i64(r, i->created_at);
        pg_rows_i64(r, i->updated_at);
        pg_rows_packed(r, packed);
    }
}

static void commit_tasks(struct pg_commit *c, const struct delta *d)
{
    struct pg_rows *r = &c->parts[PART_TASKS];

    for (const struct task_row *t = d->tasks_new; t; t = t->next) {
        pg_rows_begin(r);
        pg_rows_id(r, &t->task_id);
        pg_rows_id(r, &d->session_id);
        pg_rows_id(r, &t->run_id);
        pg_rows_str(r, t->node_id);
        pg_rows_str(r, t->queue);
        pg_rows_str(r, t->input_json);
        pg_rows_i64(r, t->heartbeat_ms);
        pg_rows_i64(r, t->created_at);
    }
    commit_ids(&c->parts[PART_TASKS_DONE], d, d->tasks_done);
}

static void commit_files(struct pg_commit *c, const struct delta *d)
{
    struct pg_rows *r = &c->parts[PART_FILES];

    for (const struct file_row *f = d->files; f; f = f->next) {
        pg_rows_begin(r);
        pg_rows_id(r, &d->session_id);
        pg_rows_str(r, f->path);
        pg_rows_i64(r, f->version);
        pg_rows_i64(r, f->from_version);
        pg_rows_id_or_null(r, &f->run_id);
        pg_rows_str(r, f->author);
        pg_rows_str(r, f->reason);
        pg_rows_str(r, f->media_type);
        pg_rows_i64(r, f->size);
        pg_rows_i64(r, f->seq);
        pg_rows_bool(r, f->deleted);
        pg_rows_i64(r, f->created_at);
        pg_rows_bytes(r, f->content);
    }
}

static void commit_usage(struct pg_commit *c, const struct delta *d)
{
    struct pg_rows *r = &c->parts[PART_USAGE];

    for (const struct usage_row *u = d->usage; u; u = u->next) {
        pg_rows_begin(r);
        pg_rows_id(r, &d->session_id);
        pg_rows_id(r, &u->call_id);
        pg_rows_id(r, &u->run_id);
        pg_rows_str(r, u->node_id);
        pg_rows_str(r, u->agent_id);
        pg_rows_str(r, u->provider);
        pg_rows_str(r, u->model);
        pg_rows_i64(r, u->input_tokens);
        pg_rows_i64(r, u->output_tokens);
        pg_rows_i64(r, u->cost_micros);
        pg_rows_bool(r, u->estimated);
        pg_rows_i64(r, u->created_at);
    }
}

static void commit_delta(struct pg_commit *c, const struct delta *d)
{
    struct rules_packed packed = rules_pack(c->packer, d, &c->packed);

    if (d->is_new) {
        commit_workspace(c, rules_workspace(d->meta->workspace));
        pg_rows_session(&c->parts[PART_SESSIONS], d, &packed);
        pg_rows_details(&c->parts[PART_DETAILS], d);
    } else if (d->meta) {
        pg_rows_meta(&c->parts[PART_META], &d->session_id, d->meta, d->version, d->at);
        pg_rows_meta_details(&c->parts[PART_META_DETAILS], &d->session_id, d->meta);
    }
    if (d->core && !d->is_new) {
        pg_rows_begin(&c->parts[PART_UPDATES]);
        pg_rows_id(&c->parts[PART_UPDATES], &d->session_id);
        commit_core(&c->parts[PART_UPDATES], d->core, &packed);
    }
    if (d->seq_last > 0) {
        commit_event(&c->parts[PART_EVENTS], d, packed.events);
        pg_rows_packed(&c->parts[PART_EVENTS], packed.events);
    }
    commit_runs(c, d);
    commit_effects(c, d);
    commit_timers(c, d);
    commit_messages(c, d);
    commit_withheld(c, d);
    commit_answers(c, d);
    commit_interrupts(c, d);
    commit_tasks(c, d);
    commit_files(c, d);
    commit_usage(c, d);
}

/* ---- batches ---- */

static struct store_commit *commit_of(struct pg_job *j)
{
    return container_of(j->req, struct store_commit, req);
}

/* The rows have copies. */
static void commit_forget_packed(struct pg_commit *c)
{
    arena_deinit(&c->packed);
    arena_init(&c->packed);
}

/* The rows of the deltas that are tried and not yet decided. False: too many bytes for one
 * statement. */
static bool commit_fill(struct pg_commit *c, const struct store_commit *req)
{
    bool fits = true;

    c->rows = 0;
    for (int i = 0; i < PART_COUNT; i++)
        pg_rows_clear(&c->parts[i]);
    for (size_t i = c->first; i < c->end; i++)
        if (c->verdicts[i] == VERDICT_WRITE)
            commit_delta(c, req->deltas[i]);
    for (int i = 0; i < PART_COUNT; i++) {
        fits = fits && !c->parts[i].overflow;
        c->rows += c->parts[i].count;
    }
    commit_forget_packed(c);
    return fits;
}

static void commit_add_parts(struct pg_job *j)
{
    for (int i = 0; i < PART_COUNT; i++)
        pg_rows_add(&j->store->commit->parts[i], j->conn);
}

static int commit_judge(struct pg_job *j);
static int commit_alone(struct pg_job *j, size_t first);

/* All that were tried have their verdict. */
static int commit_decided(struct pg_job *j)
{
    struct store_commit *req = commit_of(j);
    struct pg_commit *c = j->store->commit;

    j->store->stats.commit_rows += (uint64_t)c->rows;
    for (size_t i = c->first; i < c->end; i++)
        req->refused[i] = c->verdicts[i] == VERDICT_REFUSE;
    return c->end < req->count ? commit_alone(j, c->end) : 0;
}

/* Whether the database itself is in trouble, rather than one of our rows. */
static bool commit_is_trouble(const struct pg_conn *c)
{
    return c->failed != ERR_CONFLICT && c->failed != ERR_TOO_LARGE &&
           strncmp(c->sqlstate, "40", 2) != 0;
}

static int commit_failed(struct pg_job *j)
{
    j->store->stats.failures++;
    return pg_refuse(j, j->conn->failed, "%s (%s)", j->conn->error.text, j->conn->sqlstate);
}

static int commit_fast_answered(struct pg_job *j)
{
    if (!j->conn->failed)
        return commit_decided(j);
    if (commit_is_trouble(j->conn))
        return commit_failed(j);
    return commit_judge(j);
}

/* The sessions of these rows; their first column is the id. */
static void commit_add_lock(struct pg_job *j, struct pg_rows *r)
{
    struct pgq q;

    pgq_start(&q, j->conn, PG_COMMIT_LOCK);
    pg_rows_close(r);
    pgq_bytes(&q, &r->column[0]);
    pgq_end(&q);
}

/* The numbers tell whether an old session's events are new. */
static void commit_add_check(struct pg_job *j)
{
    struct store_commit *req = commit_of(j);
    struct pg_commit *c = j->store->commit;
    struct pgq q;

    pg_rows_clear(&c->lock);
    for (size_t i = 0; i < req->count; i++) {
        const struct delta *d = req->deltas[i];
        if (d->is_new)
            continue;
        pg_rows_begin(&c->lock);
        pg_rows_id(&c->lock, &d->session_id);
        pg_rows_i64(&c->lock, (int64_t)d->epoch);
        pg_rows_i64(&c->lock, d->seq_last > 0 ? d->seq_first : INT64_MAX);
        pg_rows_i64(&c->lock, d->at);
    }
    if (c->lock.count == 0)
        return;
    if (c->lock.count == 1) {
        pgq_start(&q, j->conn, PG_COMMIT_CHECK_ONE);
        pg_rows_bind_first(&c->lock, &q);
        pgq_end(&q);
        return;
    }
    commit_add_lock(j, &c->lock);
    pgq_start(&q, j->conn, PG_COMMIT_CHECK);
    pg_rows_bind(&c->lock, &q);
    pgq_i64(&q, c->lock.count);
    pgq_end(&q);
}

/* Nothing but events: what a token is. */
static bool commit_is_events(const struct delta *d)
{
    return d->seq_last > 0 && !d->is_new && !d->meta && !d->core && !d->runs && !d->effects_new &&
           !d->effects_done && !d->timers_set && !d->timers_done && !d->messages &&
           !d->interrupts && !d->tasks_new && !d->tasks_done && !d->files && !d->usage &&
           !d->withheld && !d->withheld_clear && !d->idempotency && !d->commands_done &&
           !d->commands_new;
}

/* Whether all deltas are that, of the sessions of one owner. */
static bool commit_is_owned(const struct store_commit *req)
{
    const struct id *owner = &req->deltas[0]->owner;

    if (id_is_zero(*owner))
        return false;
    for (size_t i = 0; i < req->count; i++)
        if (!commit_is_events(req->deltas[i]) || !id_eq(req->deltas[i]->owner, *owner))
            return false;
    return true;
}

static int commit_owned_answered(struct pg_job *j)
{
    struct pg_commit *c = j->store->commit;

    if (j->conn->failed)
        return commit_fast_answered(j);
    return pgr_changed(j->conn, 0) == c->owned.count ? commit_decided(j) : commit_judge(j);
}

/* Events of one's own sessions, by one statement and with one lock. Numbers are looked at as far as
 * the session's row knows them: its owner gives each once, and rows that come again, after an
 * outcome that was not known, are no new ones for the primary key. */
static int commit_owned(struct pg_job *j)
{
    struct store_commit *req = commit_of(j);
    struct pg_commit *c = j->store->commit;
    struct pg_rows *r = &c->owned;
    struct pgq q;

    pg_rows_clear(r);
    for (size_t i = 0; i < req->count; i++) {
        const struct delta *d = req->deltas[i];
        commit_event(r, d, STR_NULL);
        pg_rows_i64(r, (int64_t)d->epoch);
    }
    if (r->overflow)
        return commit_alone(j, 0);
    c->rows = r->count;
    pgq_start(&q, j->conn, r->sql);
    pg_rows_bind(r, &q);
    pgq_id(&q, &req->deltas[0]->owner);
    pgq_end(&q);
    return pg_await(j, commit_owned_answered);
}

static int commit_fast(struct pg_job *j)
{
    struct pg_commit *c = j->store->commit;

    if (commit_is_owned(commit_of(j)))
        return commit_owned(j);
    if (!commit_fill(c, commit_of(j)))
        return commit_alone(j, 0);
    commit_add_check(j);
    commit_add_parts(j);
    if (j->conn->item_count == 0) /* nothing in any of them */
        return commit_decided(j);
    return pg_await(j, commit_fast_answered);
}

/* ---- one by one ---- */

static void commit_refuse(struct pg_job *j, size_t i, int code, const char *why)
{
    char id[ID_TEXT_BYTES + 1];

    id_format(commit_of(j)->deltas[i]->session_id, id);
    j->store->commit->verdicts[i] = VERDICT_REFUSE;
    pg_refuse(j, code, "session %s: %s", id, why); /* for the log; the request itself succeeds */
}

/* All refusals but those of commands and keys, from the rows of the sessions. */
static void commit_judge_sessions(struct pg_job *j, int n)
{
    struct store_commit *req = commit_of(j);
    struct pg_commit *c = j->store->commit;
    struct pgr r;

    for (size_t i = c->first; i < c->end; i++)
        if (!req->deltas[i]->is_new)
            c->verdicts[i] = VERDICT_REFUSE; /* until its row is seen */
    for (pgr_open(&r, j->conn, n); pgr_next(&r);) {
        size_t i = c->first + (size_t)pgr_i64(&r) - 1;
        const struct delta *d = req->deltas[i];
        uint64_t epoch = (uint64_t)pgr_i64(&r);
        bool same = pgr_bool(&r), taken = pgr_bool(&r);
        c->verdicts[i] = same ? VERDICT_STANDS : VERDICT_WRITE;
        if (d->epoch < epoch)
            commit_refuse(j, i, ERR_STALE, "it has another owner by now");
        else if (!same && d->is_new)
            commit_refuse(j, i, ERR_CONFLICT, "it exists already");
        else if (!same && taken)
            commit_refuse(j, i, ERR_CONFLICT, "other events have these numbers");
    }
}

static void commit_judge_keys(struct pg_job *j, int n)
{
    struct pg_commit *c = j->store->commit;
    struct pgr r;

    for (pgr_open(&r, j->conn, n); pgr_next(&r);) {
        size_t i = c->key_of[pgr_i64(&r) - 1];
        if (c->verdicts[i] == VERDICT_WRITE)
            commit_refuse(j, i, ERR_CONFLICT, "its Idempotency-Key is in use");
    }
}

/* The rows of one delta's commands, in their order. Without events, the answers tell that it was
 * written. */
static void commit_judge_answers(struct pg_job *j, size_t i, struct pgr *r, struct arena *a)
{
    const struct delta *d = commit_of(j)->deltas[i];
    bool same = true, answered = false;

    for (const struct command_row *k = d->commands_done; k && pgr_next(r); k = k->next) {
        pgr_i64(r); /* the row's number */
        struct command_row old = {.http_status = (int)pgr_i64(r)};
        old.answer_json = pgr_str(r, a);
        same = same && rules_answer_is_same(&old, k);
        answered = answered || old.http_status != 0;
    }
    if (!answered || j->store->commit->verdicts[i] != VERDICT_WRITE)
        return;
    if (same && d->seq_last == 0)
        j->store->commit->verdicts[i] = VERDICT_STANDS;
    else
        commit_refuse(j, i, ERR_CONFLICT, "its command was answered before");
}

static void commit_judge_commands(struct pg_job *j, int n)
{
    struct pg_commit *c = j->store->commit;
    struct arena scratch;
    struct pgr r;

    arena_init(&scratch);
    pgr_open(&r, j->conn, n);
    for (size_t i = c->first; i < c->end; i++)
        if (commit_of(j)->deltas[i]->commands_done)
            commit_judge_answers(j, i, &r, &scratch);
    arena_deinit(&scratch);
}

static bool commit_any(const struct pg_commit *c, enum verdict verdict)
{
    for (size_t i = c->first; i < c->end; i++)
        if (c->verdicts[i] == verdict)
            return true;
    return false;
}

static int commit_judged_answered(struct pg_job *j)
{
    struct pg_commit *c = j->store->commit;

    if (!j->conn->failed)
        return commit_decided(j);
    if (commit_is_trouble(j->conn))
        return commit_failed(j);
    if (c->end - c->first > 1)
        return commit_alone(j, c->first);
    log_error("store", "rows that cannot be stored: %s", j->conn->error.text);
    commit_refuse(j, c->first, ERR_CONFLICT, j->conn->error.text);
    c->rows = 0;
    return commit_decided(j);
}

static int commit_judged(struct pg_job *j)
{
    struct pg_commit *c = j->store->commit;
    int n = c->looked_from;

    if (j->conn->failed)
        return commit_judged_answered(j);
    commit_judge_sessions(j, n++);
    if (c->keys.count > 0)
        commit_judge_keys(j, n++);
    if (c->commands.count > 0)
        commit_judge_commands(j, n);
    if (!commit_fill(c, commit_of(j))) {
        commit_refuse(j, c->first, ERR_TOO_LARGE, "too many bytes");
        return commit_decided(j);
    }
    if (commit_any(c, VERDICT_WRITE))
        commit_add_parts(j);
    pg_conn_add(j->conn, PG_COMMIT);
    return pg_await(j, commit_judged_answered);
}

/* Room for a verdict of each delta, and for the delta of each key. */
static void commit_room(struct pg_commit *c, const struct store_commit *req)
{
    size_t rows = req->count;

    for (size_t i = 0; i < req->count; i++)
        for (const struct idempotency_row *k = req->deltas[i]->idempotency; k; k = k->next)
            rows++;
    if (rows > c->verdicts_cap) {
        c->verdicts_cap = rows * 2;
        c->verdicts = mem_realloc(c->verdicts, c->verdicts_cap * sizeof(*c->verdicts));
        c->key_of = mem_realloc(c->key_of, c->verdicts_cap * sizeof(*c->key_of));
    }
    for (size_t i = 0; i < req->count; i++)
        c->verdicts[i] = VERDICT_WRITE;
}

/* What the deltas that are tried must be told apart by. */
static void commit_look_fill(struct pg_commit *c, const struct store_commit *req)
{
    size_t row = 0;

    pg_rows_clear(&c->judge);
    pg_rows_clear(&c->keys);
    pg_rows_clear(&c->commands);
    for (size_t i = c->first; i < c->end; i++) {
        const struct delta *d = req->deltas[i];
        pg_rows_begin(&c->judge);
        pg_rows_id(&c->judge, &d->session_id);
        pg_rows_i64(&c->judge, d->seq_last > 0 ? d->seq_first : INT64_MAX);
        pg_rows_i64(&c->judge, d->seq_last);
        struct str packed = rules_pack(c->packer, d, &c->packed).events;
        pg_rows_str(&c->judge, d->seq_last > 0 && !packed.p ? buf_str(&d->events) : STR(""));
        pg_rows_packed(&c->judge, packed);
        for (const struct idempotency_row *k = d->idempotency; k; k = k->next) {
            pg_rows_begin(&c->keys);
            pg_rows_str(&c->keys, rules_workspace(k->workspace));
            pg_rows_str(&c->keys, k->key);
            c->key_of[row++] = i;
        }
    }
    commit_forget_packed(c);
    for (size_t i = c->first; i < c->end; i++)
        for (const struct command_row *k = req->deltas[i]->commands_done; k; k = k->next) {
            pg_rows_begin(&c->commands);
            pg_rows_id(&c->commands, &req->deltas[i]->session_id);
            pg_rows_id(&c->commands, &k->command_id);
        }
}

static int commit_judge(struct pg_job *j)
{
    struct store_commit *req = commit_of(j);
    struct pg_commit *c = j->store->commit;
    struct pgq q;

    commit_look_fill(c, req);
    for (size_t i = c->first; i < c->end; i++)
        c->verdicts[i] = VERDICT_WRITE;
    if (c->judge.overflow || c->keys.overflow) {
        if (c->end - c->first > 1)
            return commit_alone(j, c->first);
        commit_refuse(j, c->first, ERR_TOO_LARGE, "too many bytes");
        c->rows = 0;
        return commit_decided(j);
    }
    c->looked_from = 2;
    if (j->conn->in_transaction) { /* what is left of the try before */
        pg_conn_add(j->conn, PG_ROLLBACK);
        c->looked_from++;
    }
    pg_conn_add(j->conn, PG_BEGIN);
    commit_add_lock(j, &c->judge);
    pgq_start(&q, j->conn, PG_COMMIT_JUDGE);
    pg_rows_bind(&c->judge, &q);
    pgq_end(&q);
    pg_rows_add(&c->keys, j->conn);
    pg_rows_add(&c->commands, j->conn);
    return pg_await(j, commit_judged);
}

static int commit_alone(struct pg_job *j, size_t first)
{
    struct pg_commit *c = j->store->commit;

    c->first = first;
    c->end = first + 1;
    return commit_judge(j);
}

int pg_commit_add_new(struct pg_job *j, const struct delta *d, const struct event_row *events)
{
    struct pg_commit *c = j->store->commit;
    struct pg_rows *r = &c->parts[PART_EVENTS];

    for (int i = 0; i < PART_COUNT; i++)
        pg_rows_clear(&c->parts[i]);
    commit_delta(c, d);
    for (const struct event_row *row = events; row; row = row->next) {
        pg_rows_begin(r);
        pg_rows_id(r, &d->session_id);
        pg_rows_i64(r, row->seq_last);
        pg_rows_i64(r, row->seq_first);
        pg_rows_i64(r, d->at);
        pg_rows_str(r, row->frames);
        pg_rows_packed(r, STR_NULL);
    }
    commit_forget_packed(c);
    for (int i = 0; i < PART_COUNT; i++)
        if (c->parts[i].overflow)
            return pg_refuse(j, ERR_TOO_LARGE, "too many bytes");
    commit_add_parts(j);
    return 0;
}

int pg_commit_start(struct pg_job *j)
{
    struct store_commit *req = commit_of(j);
    struct pg_commit *c = j->store->commit;

    if (req->count == 0)
        return 0;
    for (size_t i = 0; i < req->count; i++)
        assert(!req->deltas[i]->is_new || (req->deltas[i]->meta && req->deltas[i]->core));
    commit_room(c, req);
    c->first = 0;
    c->end = req->count;
    j->catches = true;
    return j->repeated ? commit_judge(j) : commit_fast(j);
}
