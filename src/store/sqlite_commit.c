/* STORE_COMMIT: the rows of many sessions in one transaction.
 *
 * Each delta is either written whole or left out and marked refused: by its epoch (somebody else
 * owns the session), because its session is gone, because an Idempotency-Key is taken. All that can
 * refuse is looked at before the delta's first row is written.
 *
 * A delta that stands in the store already (the same events under the same numbers) is passed over
 * and counts as written, so that a batch whose outcome was unknown can simply be submitted again.
 */
#include <assert.h>
#include <string.h>

#include "base/log.h"
#include "store/rules.h"
#include "store/sqlite_store.h"

#define JSON_EMPTY_OBJECT STR("{}")
#define JSON_EMPTY_ARRAY  STR("[]")

static struct str commit_or(struct str s, struct str otherwise)
{
    return s.p ? s : otherwise;
}

static const struct rules_packed commit_plain;

/* In the order of SQL_SESSION_UPDATE and of SQL_SESSION_INSERT. */
static void commit_bind_core(struct sqlq *q, const struct session_core *core,
                             const struct rules_packed *packed)
{
    sqlq_bind_i64(q, core->busy);
    sqlq_bind_str(q, core->status);
    sqlq_bind_str(q, core->reason);
    sqlq_bind_i64(q, core->last_seq);
    sqlq_bind_i64(q, core->started_at);
    sqlq_bind_i64(q, core->ended_at);
    sqlq_bind_i64(q, core->updated_at);
    sqlq_bind_str(q, core->output_json);
    sqlq_bind_str(q, core->error_json);
    sqlq_bind_str(q, packed->core.p ? JSON_EMPTY_OBJECT
                                    : commit_or(core->node_statuses_json, JSON_EMPTY_OBJECT));
    sqlq_bind_str(q, packed->core.p ? STR_NULL : core->waiting_json);
    sqlq_bind_str(q, rules_usage_stored(core->usage_json));
    sqlq_bind_str(q, core->vars_json);
    sqlq_bind_str(q, packed->core.p ? STR_NULL : core->state_json);
    sqlq_bind_packed(q, packed->core);
}

static int commit_session_insert(struct sqlite_db *db, const struct delta *d,
                                 const struct rules_packed *packed, int64_t *key)
{
    const struct session_meta *meta = d->meta;
    int64_t workspace = 0;
    struct sqlq q;

    int status = sqlite_workspace_make(db, meta->workspace, &workspace);
    if (status < 0)
        return status;
    sqlq_start(&q, db, SQL_SESSION_INSERT);
    sqlq_bind_id(&q, &d->session_id);
    sqlq_bind_i64(&q, workspace);
    sqlq_bind_i64(&q, (int64_t)d->epoch);
    sqlq_bind_id_or_null(&q, d->core->ended_at > 0 ? &(struct id){{0}} : &d->owner);
    sqlq_bind_i64(&q, d->created_at);
    sqlq_bind_i64(&q, meta->stored_only);
    sqlq_bind_str(&q, meta->name);
    sqlq_bind_str(&q, meta->group_id);
    sqlq_bind_str(&q, meta->user_id);
    sqlq_bind_str(&q, commit_or(meta->tags_json, JSON_EMPTY_ARRAY));
    sqlq_bind_str(&q, meta->workflow_id);
    sqlq_bind_i64(&q, meta->workflow_version);
    commit_bind_core(&q, d->core, packed);
    sqlq_bind_id_or_null(&q, &meta->parent_id);
    sqlq_bind_i64(&q, meta->parent_seq);
    sqlq_bind_id_or_null(&q, &meta->parent_run);
    sqlq_bind_i64(&q, d->version ? d->version : 1);
    sqlq_bind_packed(&q, packed->runs);
    status = sqlq_run(&q);
    if (status < 0)
        return status;
    *key = sqlite3_last_insert_rowid(db->handle);

    sqlq_start(&q, db, SQL_DETAILS_INSERT);
    sqlq_bind_i64(&q, *key);
    sqlq_bind_str(&q, meta->input_json);
    sqlq_bind_str(&q, meta->metadata_json);
    sqlq_bind_str(&q, meta->settings_json);
    sqlq_bind_str(&q, meta->thread_configs_json);
    sqlq_bind_str(&q, meta->workflow_state_json);
    sqlq_bind_str(&q, meta->budget_json);
    sqlq_bind_str(&q, meta->graph_json);
    sqlq_bind_str(&q, meta->checksum);
    return sqlq_run(&q);
}

int sqlite_session_insert(struct sqlite_db *db, const struct delta *d, int64_t *key)
{
    return commit_session_insert(db, d, &commit_plain, key);
}

int sqlite_meta_update(struct sqlite_db *db, int64_t key, const struct session_meta *meta,
                       int64_t version, int64_t at)
{
    struct sqlq q;

    sqlq_start(&q, db, SQL_META_UPDATE);
    sqlq_bind_str(&q, meta->name);
    sqlq_bind_str(&q, commit_or(meta->tags_json, JSON_EMPTY_ARRAY));
    sqlq_bind_i64(&q, version);
    sqlq_bind_i64(&q, at);
    sqlq_bind_i64(&q, key);
    int status = sqlq_run(&q);
    if (status < 0)
        return status;
    sqlq_start(&q, db, SQL_META_DETAILS);
    sqlq_bind_str(&q, meta->metadata_json);
    sqlq_bind_str(&q, meta->settings_json);
    sqlq_bind_str(&q, meta->thread_configs_json);
    sqlq_bind_str(&q, meta->workflow_state_json);
    sqlq_bind_i64(&q, key);
    return sqlq_run(&q);
}

static int commit_session_update(struct sqlite_db *db, const struct delta *d,
                                 const struct rules_packed *packed, int64_t key)
{
    struct sqlq q;

    sqlq_start(&q, db, SQL_SESSION_UPDATE);
    commit_bind_core(&q, d->core, packed);
    sqlq_bind_i64(&q, key);
    return sqlq_run(&q);
}

static int commit_events_insert(struct sqlite_db *db, int64_t key, int64_t at,
                                const struct event_row *row, struct str packed)
{
    struct sqlq q;

    sqlq_start(&q, db, SQL_EVENTS_INSERT);
    sqlq_bind_i64(&q, key);
    sqlq_bind_i64(&q, row->seq_last);
    sqlq_bind_i64(&q, row->seq_first);
    sqlq_bind_i64(&q, at);
    sqlq_bind_str(&q, packed.p ? STR("") : row->frames);
    sqlq_bind_packed(&q, packed);
    return sqlq_run(&q);
}

int sqlite_events_insert(struct sqlite_db *db, int64_t key, int64_t at, const struct event_row *row)
{
    struct arena a;

    arena_init(&a);
    struct str packed = rules_pack_frames(sqlite_packer(db), row->frames, &a);
    int status = commit_events_insert(db, key, at, row, packed);
    arena_deinit(&a);
    return status;
}

/* 1: written; 0: there is a row with these numbers already. */
static int commit_events(struct sqlite_db *db, const struct delta *d, struct str packed,
                         int64_t key)
{
    struct event_row row = {NULL, d->seq_first, d->seq_last, buf_str(&d->events)};

    int status = commit_events_insert(db, key, d->at, &row, packed);
    return status < 0 ? status : sqlite3_changes(db->handle) > 0;
}

static int commit_runs(struct sqlite_db *db, struct arena *a, const struct delta *d,
                       const struct rules_packed *whole, int64_t key)
{
    int status = 0;
    struct sqlq q;

    for (const struct run_row *r = d->runs; r && status == 0; r = r->next) {
        if (rules_run_is_packed(whole, r))
            continue;
        struct str packed = rules_pack_run(sqlite_packer(db), r, a);
        sqlq_start(&q, db, SQL_RUN_UPSERT);
        sqlq_bind_i64(&q, key);
        sqlq_bind_id(&q, &r->run_id);
        sqlq_bind_str(&q, r->node_id);
        sqlq_bind_str(&q, r->kind);
        sqlq_bind_i64(&q, r->iteration);
        sqlq_bind_i64(&q, r->attempt);
        sqlq_bind_str(&q, r->status);
        sqlq_bind_str(&q, r->branch);
        sqlq_bind_i64(&q, r->started_at);
        sqlq_bind_i64(&q, r->ended_at);
        sqlq_bind_str(&q, r->output_json);
        sqlq_bind_str(&q, r->error_json);
        sqlq_bind_str(&q, packed.p ? STR_NULL : r->interrupt_json);
        sqlq_bind_i64(&q, d->at);
        sqlq_bind_str(&q, r->progress_json);
        sqlq_bind_packed(&q, packed);
        status = sqlq_run(&q);
    }
    return status;
}

int sqlite_delete_ids(struct sqlite_db *db, enum sqlite_sql sql, int64_t key,
                      const struct id_list *ids)
{
    int status = 0;
    struct sqlq q;

    for (; ids && status == 0; ids = ids->next) {
        sqlq_start(&q, db, sql);
        sqlq_bind_i64(&q, key);
        sqlq_bind_id(&q, &ids->id);
        status = sqlq_run(&q);
    }
    return status;
}

static int commit_effects(struct sqlite_db *db, const struct delta *d, int64_t key)
{
    int status = 0;
    struct sqlq q;

    for (const struct effect_row *f = d->effects_new; f && status == 0; f = f->next) {
        sqlq_start(&q, db, SQL_EFFECT_INSERT);
        sqlq_bind_i64(&q, key);
        sqlq_bind_id(&q, &f->run_id);
        sqlq_bind_str(&q, f->kind);
        sqlq_bind_str(&q, f->request_json);
        status = sqlq_run(&q);
    }
    return status < 0 ? status : sqlite_delete_ids(db, SQL_EFFECT_DELETE, key, d->effects_done);
}

static int commit_timers(struct sqlite_db *db, const struct delta *d, int64_t key)
{
    int status = 0;
    struct sqlq q;

    for (const struct timer_row *t = d->timers_set; t && status == 0; t = t->next) {
        sqlq_start(&q, db, SQL_TIMER_UPSERT);
        sqlq_bind_i64(&q, key);
        sqlq_bind_id(&q, &t->timer_id);
        sqlq_bind_i64(&q, t->due_at);
        sqlq_bind_str(&q, t->purpose_json);
        sqlq_bind_i64(&q, d->at);
        status = sqlq_run(&q);
    }
    return status < 0 ? status : sqlite_delete_ids(db, SQL_TIMER_DELETE, key, d->timers_done);
}

static int commit_messages(struct sqlite_db *db, const struct delta *d, int64_t key)
{
    int status = 0;
    struct sqlq q;

    for (const struct message_row *m = d->messages; m && status == 0; m = m->next) {
        sqlq_start(&q, db, SQL_MESSAGE_INSERT);
        sqlq_bind_i64(&q, key);
        sqlq_bind_i64(&q, m->created_at);
        sqlq_bind_i64(&q, m->seq);
        sqlq_bind_id(&q, &m->message_id);
        sqlq_bind_id_or_null(&q, &m->run_id);
        sqlq_bind_str(&q, m->node_id);
        sqlq_bind_str(&q, m->role);
        sqlq_bind_str(&q, m->agent_id);
        sqlq_bind_str(&q, m->finish_reason);
        sqlq_bind_i64(&q, m->token_count);
        sqlq_bind_str(&q, commit_or(m->content, STR("")));
        sqlq_bind_str(&q, m->thinking);
        sqlq_bind_str(&q, m->tool_calls_json);
        status = sqlq_run(&q);
    }
    return status;
}

static int commit_withheld(struct sqlite_db *db, const struct delta *d, int64_t key)
{
    int status = 0;
    struct sqlq q;

    if (d->withheld_clear) {
        sqlq_start(&q, db, SQL_WITHHELD_CLEAR);
        sqlq_bind_i64(&q, key);
        status = sqlq_run(&q);
    }
    for (const struct withheld_row *w = d->withheld; w && status == 0; w = w->next) {
        sqlq_start(&q, db, SQL_WITHHELD_INSERT);
        sqlq_bind_i64(&q, key);
        sqlq_bind_i64(&q, w->ord);
        sqlq_bind_str(&q, w->input_json);
        status = sqlq_run(&q);
    }
    return status;
}

/* Whether the row has the delta's events, as its own or among others that were folded with them. */
static bool commit_is_part(const struct event_row *row, const struct delta *d)
{
    struct str rest = row->frames, want = buf_str(&d->events);

    if (row->seq_first > d->seq_first)
        return false;
    for (int64_t seq = row->seq_first; seq < d->seq_first; seq++) {
        const char *nl = rest.n > 0 ? memchr(rest.p, '\n', rest.n) : NULL;
        if (!nl)
            return false;
        rest.n -= (size_t)(nl + 1 - rest.p);
        rest.p = nl + 1;
    }
    if (rest.n < want.n || memcmp(rest.p, want.p, want.n) != 0)
        return false;
    return rest.n == want.n ? row->seq_last == d->seq_last
                            : rest.p[want.n] == '\n' && row->seq_last > d->seq_last;
}

/* Whether the very events of the delta are stored: it was written before. Without events there is
 * nothing to tell by, and nothing to lose either: its other rows may be written twice. */
static int commit_is_repeated(struct sqlite_db *db, struct arena *a, const struct delta *d,
                              int64_t key, bool *out)
{
    struct sqlq q;

    *out = false;
    sqlq_start(&q, db, SQL_EVENTS_FROM);
    sqlq_bind_i64(&q, key);
    sqlq_bind_i64(&q, d->seq_last);
    int more = sqlq_next(&q);
    if (more > 0) {
        struct event_row row = {.seq_first = sqlq_i64(&q)};
        row.seq_last = sqlq_i64(&q);
        row.frames = sqlq_text(&q, a);
        *out = commit_is_part(&row, d);
        sqlq_end(&q);
    }
    return more < 0 ? more : 0;
}

static int commit_parts(struct sqlite_db *db, struct arena *a, const struct delta *d,
                        const struct rules_packed *packed, int64_t key)
{
    int status = commit_runs(db, a, d, packed, key);

    if (status == 0)
        status = commit_effects(db, d, key);
    if (status == 0)
        status = commit_timers(db, d, key);
    if (status == 0)
        status = commit_messages(db, d, key);
    if (status == 0)
        status = commit_withheld(db, d, key);
    if (status == 0)
        status = sqlite_commit_work(db, a, d, key);
    if (status == 0)
        status = sqlite_commit_usage(db, d, key);
    if (status == 0)
        status = sqlite_commands_answer(db, key, d->at, d->commands_done);
    if (status == 0)
        status = sqlite_idempotency_insert(db, d->idempotency);
    return status;
}

/* A session that is there already: 0 and *repeated, or a refusal. */
static int commit_admit(struct sqlite_db *db, struct arena *a, const struct delta *d,
                        const struct sqlite_session *session, bool *repeated)
{
    char id[ID_TEXT_BYTES + 1];

    *repeated = false;
    id_format(d->session_id, id);
    if (d->epoch < session->epoch)
        return sqlite_db_refuse(db, ERR_STALE, "session %s has another owner by now", id);
    /* Only these can have been written before and do harm: see the top of the file. */
    if (d->seq_last > 0 && (d->is_new || d->idempotency || d->commands_done)) {
        int status = commit_is_repeated(db, a, d, session->key, repeated);
        if (status < 0 || *repeated)
            return status;
    }
    if (d->is_new)
        return sqlite_db_refuse(db, ERR_CONFLICT, "session %s exists already", id);
    bool same = false;
    int status = d->commands_done ? sqlite_commands_check(db, a, d->commands_done, &same) : 0;
    /* Without events, the answers tell that it was written. */
    *repeated = status < 0 && !db->failed && same && d->seq_last == 0;
    return *repeated ? 0 : status;
}

/* The events of an old session come before anything else of its delta: their numbers tell whether
 * it was written before. 1: written; 0: it was; or a refusal. */
static int commit_events_first(struct sqlite_db *db, struct arena *a, const struct delta *d,
                               struct str packed, int64_t key)
{
    bool repeated = false;
    int64_t stored = 0;
    int status = d->seq_last > 0 && !d->is_new ? sqlite_events_stored(db, key, &stored) : 0;

    if (status < 0 || d->seq_last == 0)
        return status < 0 ? status : 1;
    /* A row may have these numbers among others, which no unique index tells. */
    int written = stored < d->seq_first ? commit_events(db, d, packed, key) : 0;
    if (written != 0)
        return written;
    status = commit_is_repeated(db, a, d, key, &repeated);
    if (status < 0 || repeated)
        return status;
    return sqlite_db_refuse(db, ERR_CONFLICT, "other events have these numbers");
}

int sqlite_commit_delta(struct sqlite_db *db, struct arena *a, const struct delta *d)
{
    struct sqlite_session session = {.key = 0};
    bool repeated = false;
    int status = 0;

    if (db->recent && !db->careful && sqlite_recent_fits(d)) {
        bool taken = false;
        status = sqlite_recent_append(db, d, &taken);
        if (status < 0 || taken)
            return status;
    }
    status = sqlite_recent_settle(db, &d->session_id);
    if (status < 0)
        return status;
    struct rules_packed packed = rules_pack(sqlite_packer(db), d, a);
    status = sqlite_session_find(db, &d->session_id, &session);
    if (status == 0)
        status = commit_admit(db, a, d, &session, &repeated);
    else if (status == ERR_NOT_FOUND && d->is_new)
        status = 0;
    if (status == 0 && !repeated)
        status = sqlite_idempotency_check(db, a, d->idempotency);
    if (status < 0 || repeated)
        return status;

    if (d->is_new)
        status = commit_session_insert(db, d, &packed, &session.key);
    if (status < 0)
        return status;
    int written = commit_events_first(db, a, d, packed.events, session.key);
    if (written <= 0)
        return written;
    if (d->meta && !d->is_new)
        status = sqlite_meta_update(db, session.key, d->meta, d->version, d->at);
    if (d->core && !d->is_new && status == 0)
        status = commit_session_update(db, d, &packed, session.key);
    return status < 0 ? status : commit_parts(db, a, d, &packed, session.key);
}

/* For a batch that failed as a whole, though the disk is well: a row that no table takes (our own
 * mistake) must not keep the other sessions from being written, again and again. */
static int commit_delta_alone(struct sqlite_db *db, struct arena *a, const struct delta *d)
{
    char id[ID_TEXT_BYTES + 1];

    int status =
        sqlite_recent_settle(db, &d->session_id); /* not to be rolled back with the delta */
    if (status == 0)
        status = sqlite_db_savepoint(db);
    if (status < 0)
        return status;
    status = sqlite_commit_delta(db, a, d);
    if (!db->failed || status == ERR_CONFLICT || status == ERR_TOO_LARGE) {
        id_format(d->session_id, id);
        if (db->failed)
            log_error("store", "session %s: rows that cannot be stored: %s", id, db->error.text);
        int released = sqlite_db_release(db, status == 0);
        return released < 0 ? released : status;
    }
    return status;
}

int sqlite_commit_run(struct sqlite_db *db, struct store_commit *c)
{
    for (size_t i = 0; i < c->count; i++) {
        const struct delta *d = c->deltas[i];
        assert(!d->is_new || (d->meta && d->core));
        int status = db->careful ? commit_delta_alone(db, &c->req.arena, d)
                                 : sqlite_commit_delta(db, &c->req.arena, d);
        if (db->failed)
            return status;
        c->refused[i] = status < 0;
        if (status < 0)
            c->req.error = db->error; /* for the log; the request itself succeeds */
    }
    int status = 0;
    for (size_t i = 0; i < c->count && status == 0; i++)
        if (!c->refused[i])
            status = sqlite_commands_insert(db, c->deltas[i]->commands_new);
    return status;
}
