/* The rows of a delta, table by table. */
#include "store/pg_commit.h"

#define JSON_EMPTY_OBJECT STR("{}")
#define JSON_EMPTY_ARRAY  STR("[]")

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
    pg_rows_str(r, packed->core.p ? JSON_EMPTY_OBJECT
                                  : commit_or(core->node_statuses_json, JSON_EMPTY_OBJECT));
    pg_rows_str(r, packed->core.p ? STR_NULL : core->waiting_json);
    pg_rows_str(r, rules_usage_stored(core->usage_json));
    pg_rows_str(r, core->vars_json);
    pg_rows_str(r, packed->core.p ? STR_NULL : core->state_json);
    pg_rows_packed(r, packed->core);
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
    pg_rows_packed(r, packed->runs);
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

void pg_commit_event(struct pg_rows *r, const struct delta *d, struct str packed)
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
static void commit_runs(struct pg_commit *c, const struct delta *d,
                        const struct rules_packed *packed)
{
    if (d->runs && !d->runs->next && !packed->runs.p) {
        commit_run(c, d, d->runs);
        return;
    }
    for (const struct run_row *run = d->runs; run; run = run->next)
        table_put(&c->runs, run->run_id, (void *)(uintptr_t)run);
    for (const struct run_row *run = d->runs; run; run = run->next)
        if (table_get(&c->runs, run->run_id) == run && !rules_run_is_packed(packed, run))
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
        pg_commit_event(&c->parts[PART_EVENTS], d, packed.events);
        pg_rows_packed(&c->parts[PART_EVENTS], packed.events);
    }
    commit_runs(c, d, &packed);
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

/* ---- of all deltas ---- */

void pg_commit_forget_packed(struct pg_commit *c)
{
    arena_deinit(&c->packed);
    arena_init(&c->packed);
}

/* What a session had in slots, as one row. */
static void commit_fold(struct pg_commit *c, const struct pg_ring_session *e)
{
    struct pg_rows *r = &c->parts[PART_EVENTS];
    struct str frames = {e->frames, e->bytes};
    struct str packed = rules_pack_frames(c->packer, frames, &c->packed);

    pg_rows_begin(r);
    pg_rows_id(r, &e->id);
    pg_rows_i64(r, e->seq_last);
    pg_rows_i64(r, e->seq_first);
    pg_rows_i64(r, e->at);
    pg_rows_str(r, packed.p ? STR("") : frames);
    pg_rows_packed(r, packed);
}

bool pg_commit_fill(struct pg_commit *c, const struct store_commit *req, const struct pg_ring *ring)
{
    bool fits = true;

    c->rows = 0;
    for (int i = 0; i < PART_COUNT; i++)
        pg_rows_clear(&c->parts[i]);
    for (size_t i = c->first; i < c->end; i++)
        if (c->verdicts[i] == VERDICT_WRITE)
            commit_delta(c, req->deltas[i]);
    list_foreach(it, &ring->touched)
    {
        const struct pg_ring_session *e = container_of(it, struct pg_ring_session, touched);
        if (e->folds && e->rows > 0)
            commit_fold(c, e);
    }
    for (int i = 0; i < PART_COUNT; i++) {
        fits = fits && !c->parts[i].overflow;
        c->rows += c->parts[i].count;
    }
    pg_commit_forget_packed(c);
    return fits;
}

void pg_commit_add_parts(struct pg_commit *c, struct pg_conn *conn)
{
    for (int i = 0; i < PART_COUNT; i++)
        pg_rows_add(&c->parts[i], conn);
}

int pg_commit_add_new(struct pg_job *j, const struct delta *d, const struct event_row *events)
{
    struct pg_commit *c = pg_commit_create(); /* the store's own is in the middle of a commit */
    struct pg_rows *r = &c->parts[PART_EVENTS];
    bool fits = true;

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
    for (int i = 0; i < PART_COUNT; i++)
        fits = fits && !c->parts[i].overflow;
    if (fits)
        pg_commit_add_parts(c, j->conn);
    pg_commit_destroy(c);
    return fits ? 0 : pg_refuse(j, ERR_TOO_LARGE, "too many bytes");
}