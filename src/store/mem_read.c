/* Reads of the store in memory. */
#include <assert.h>
#include <string.h>

#include "base/json.h"
#include "store/cursor.h"
#include "store/mem_data.h"
#include "store/rules.h"

struct mem_workflow *mem_workflow_get(const struct mem_data *d, struct str workspace, struct str id)
{
    struct mem_workflow key = {.workspace = rules_workspace(workspace), .id = id};

    return mem_vec_get(&d->workflows, &key, mem_cmp_workflow);
}

const struct workflow_row *mem_workflow_newest(const struct mem_workflow *w)
{
    return &((struct mem_version *)w->versions.rows[w->versions.count - 1])->row;
}

struct mem_session *mem_session_get(const struct mem_data *d, struct str workspace, struct id id)
{
    struct mem_session *s = table_get(&d->sessions_by_id, id);

    return s && (!workspace.p || str_eq(s->row.meta.workspace, workspace)) ? s : NULL;
}

const struct idempotency_row *mem_idempotency_get(const struct mem_data *d, struct str workspace,
                                                  struct str key)
{
    struct mem_idempotency find = {.row = {.workspace = rules_workspace(workspace), .key = key}};
    const struct mem_idempotency *row = mem_vec_get(&d->idempotency, &find, mem_cmp_idempotency);

    return row ? &row->row : NULL;
}

static int64_t session_last_seq(const struct mem_session *s)
{
    int64_t seq = s->core->core.last_seq;

    if (s->events.count > 0) {
        const struct mem_events *last = (struct mem_events *)s->events.rows[s->events.count - 1];
        seq = last->row.seq_last > seq ? last->row.seq_last : seq;
    }
    return seq;
}

struct session_row mem_session_row(struct arena *a, const struct mem_session *s, bool whole)
{
    struct session_row row = s->row;

    row.meta = mem_copy_meta(a, &s->row.meta);
    row.core = mem_copy_core(a, &s->core->core);
    row.core.last_seq = session_last_seq(s);
    row.checksum_now = STR_NULL;
    if (!whole) {
        row.meta.graph_json = STR_NULL;
        row.core.state_json = STR_NULL;
    }
    return row;
}

void mem_checksum_now(const struct mem_data *d, struct session_row *row)
{
    const struct mem_workflow *w =
        row->meta.workflow_id.p ? mem_workflow_get(d, row->meta.workspace, row->meta.workflow_id)
                                : NULL;

    if (w && !w->deleted)
        row->checksum_now = mem_workflow_newest(w)->checksum;
}

static int read_no_session(struct store_req *req)
{
    return err_set(&req->error, ERR_NOT_FOUND, "no such session");
}

/* ---- workflows ---- */

static int read_workflow(struct mem_data *d, struct store_workflow_get *g)
{
    const struct mem_workflow *w = mem_workflow_get(d, g->workspace, g->id);
    struct mem_version key = {.row.version = g->version};
    const struct mem_version *v = NULL;

    if (w && g->version == 0 && !w->deleted)
        key.row.version = mem_workflow_newest(w)->version;
    if (w)
        v = mem_vec_get(&w->versions, &key, mem_cmp_version);
    if (!v)
        return err_set(&g->req.error, ERR_NOT_FOUND, "no such workflow or version");
    g->row = mem_copy_workflow(&g->req.arena, &v->row);
    g->row.created_at = w->created_at;
    return 0;
}

static int read_workflows(struct mem_data *d, struct store_workflow_list *l)
{
    struct workflow_row **tail = &l->rows;
    struct page page = page_of(l->limit);
    struct cursor c = {.key_bytes = 0};
    struct str last = STR_NULL;

    l->rows = NULL;
    l->next_cursor = STR_NULL;
    if (l->cursor.n > 0 && cursor_decode(l->cursor, CURSOR_WORKFLOWS, &c, &l->req.error) < 0)
        return ERR_INVALID;
    struct mem_workflow key = {.workspace = rules_workspace(l->workspace),
                               .id = {(const char *)c.key, c.key_bytes}};
    bool found;
    size_t at = mem_vec_find(&d->workflows, &key, mem_cmp_workflow, &found);
    for (at += found; at < d->workflows.count; at++) {
        const struct mem_workflow *w = (struct mem_workflow *)d->workflows.rows[at];
        if (!str_eq(w->workspace, key.workspace))
            break;
        if (w->deleted)
            continue;
        struct workflow_row row = *mem_workflow_newest(w);
        enum page_verdict verdict = page_see(&page, rules_workflow_matches(l, &row));
        if (verdict == PAGE_STOP) {
            l->next_cursor = cursor_encode(&l->req.arena, CURSOR_WORKFLOWS, 0, 0, last);
            break;
        }
        last = w->id;
        if (verdict == PAGE_SKIP)
            continue;
        row.graph_json = STR_NULL;
        row.created_at = w->created_at;
        *tail = arena_alloc(&l->req.arena, sizeof(row));
        **tail = mem_copy_workflow(&l->req.arena, &row);
        tail = &(*tail)->next;
    }
    return 0;
}

static int read_versions(struct mem_data *d, struct store_workflow_versions *l)
{
    const struct mem_workflow *w = mem_workflow_get(d, l->workspace, l->id);
    struct workflow_row **tail = &l->rows;
    struct page page = page_of(l->limit);
    struct cursor c = {.a = INT64_MAX};
    int64_t last = 0;

    l->rows = NULL;
    l->next_cursor = STR_NULL;
    if (l->cursor.n > 0 && cursor_decode(l->cursor, CURSOR_VERSIONS, &c, &l->req.error) < 0)
        return ERR_INVALID;
    if (!w || w->deleted)
        return err_set(&l->req.error, ERR_NOT_FOUND, "no such workflow");
    for (size_t i = w->versions.count; i-- > 0;) {
        struct workflow_row row = ((struct mem_version *)w->versions.rows[i])->row;
        if (row.version >= c.a || row.version < w->first_version)
            continue;
        if (page_see(&page, true) == PAGE_STOP) {
            l->next_cursor = cursor_encode(&l->req.arena, CURSOR_VERSIONS, last, 0, STR_NULL);
            break;
        }
        last = row.version;
        row.graph_json = STR_NULL;
        row.created_at = w->created_at;
        *tail = arena_alloc(&l->req.arena, sizeof(row));
        **tail = mem_copy_workflow(&l->req.arena, &row);
        tail = &(*tail)->next;
    }
    return 0;
}

/* ---- sessions ---- */

static int read_session(struct mem_data *d, struct store_session_get *g)
{
    const struct mem_session *s = mem_session_get(d, g->workspace, g->id);

    if (!s)
        return read_no_session(&g->req);
    g->row = mem_session_row(&g->req.arena, s, true);
    mem_checksum_now(d, &g->row);
    g->row.core.state_json = STR_NULL;
    return 0;
}

/* Where the walk starts, from the newest or the oldest row on; after the cursor, if there is one.
 */
static int sessions_start(struct mem_data *d, struct store_session_list *l, size_t *at)
{
    struct cursor c;
    bool found;

    *at = l->ascending ? 0 : d->sessions.count;
    if (l->cursor.n == 0)
        return 0;
    int status = cursor_decode(l->cursor, CURSOR_SESSIONS, &c, &l->req.error);
    if (status < 0)
        return status;
    struct mem_session key = {.row.created_at = c.a, .key = c.b};
    *at = mem_vec_find(&d->sessions, &key, mem_cmp_session, &found);
    if (l->ascending && found)
        ++*at;
    return 0;
}

static bool sessions_in_range(const struct store_session_list *l, const struct mem_session *s)
{
    return str_eq(s->row.meta.workspace, rules_workspace(l->workspace)) &&
           (l->created_after == 0 || s->row.created_at > l->created_after) &&
           (l->created_before == 0 || s->row.created_at < l->created_before);
}

static int read_sessions(struct mem_data *d, struct store_session_list *l)
{
    struct session_item **tail = &l->rows;
    struct page page = page_of(l->limit);
    const struct mem_session *last = NULL;
    size_t at;

    l->rows = NULL;
    l->corrupt = NULL;
    l->next_cursor = STR_NULL;
    int status = sessions_start(d, l, &at);
    if (status < 0)
        return status;
    while (l->ascending ? at < d->sessions.count : at > 0) {
        const struct mem_session *s =
            (struct mem_session *)d->sessions.rows[l->ascending ? at++ : --at];
        if (!sessions_in_range(l, s))
            continue;
        struct session_row row = s->row;
        row.core = s->core->core;
        enum page_verdict verdict =
            page_see(&page, rules_session_matches(l, &row) &&
                                rules_metadata_matches(l, s->row.meta.metadata_json));
        if (verdict == PAGE_STOP) {
            assert(last);
            l->next_cursor = cursor_encode(&l->req.arena, CURSOR_SESSIONS, last->row.created_at,
                                           last->key, STR_NULL);
            break;
        }
        last = s;
        if (verdict == PAGE_SKIP)
            continue;
        *tail = arena_alloc(&l->req.arena, sizeof(**tail));
        (*tail)->row = mem_session_row(&l->req.arena, s, false);
        mem_checksum_now(d, &(*tail)->row);
        tail = &(*tail)->next;
    }
    return 0;
}

/* ---- load ---- */

static int load_workflow(struct mem_data *d, struct store_session_load *l)
{
    const struct session_meta *meta = &l->row.meta;

    l->workflow_json = meta->graph_json;
    if (meta->graph_json.p || !meta->workflow_id.p || meta->stored_only)
        return 0;
    struct store_workflow_get g = {.workspace = meta->workspace, .id = meta->workflow_id};
    const struct mem_workflow *w = mem_workflow_get(d, g.workspace, g.id);
    struct mem_version key = {.row.version = meta->workflow_version};
    const struct mem_version *v = w ? mem_vec_get(&w->versions, &key, mem_cmp_version) : NULL;
    char id[ID_TEXT_BYTES + 1];
    id_format(l->id, id);
    if (!v)
        return err_set(&l->req.error, ERR_CORRUPT,
                       "session %s: its workflow's text does not read back", id);
    l->workflow_json = rules_copy(&l->req.arena, v->row.graph_json);
    return 0;
}

/* Whether no run of the same node has a higher iteration. */
static bool load_is_newest(const struct mem_session *s, const struct run_row *r)
{
    for (size_t i = 0; i < s->runs.count; i++) {
        const struct run_row *other = &((struct mem_run *)s->runs.rows[i])->row;
        if (other->iteration > r->iteration && str_eq(other->node_id, r->node_id))
            return false;
    }
    return true;
}

static void load_lists(struct store_session_load *l, const struct mem_session *s)
{
    struct run_row **run = &l->runs;
    struct effect_row **effect = &l->effects;
    struct timer_row **timer = &l->timers;
    struct withheld_row **withheld = &l->withheld;
    struct arena *a = &l->req.arena;

    for (size_t i = 0; i < s->runs.count; i++) {
        const struct run_row *row = &((struct mem_run *)s->runs.rows[i])->row;
        if (row->ended_at > 0 && !load_is_newest(s, row))
            continue;
        *run = arena_alloc(a, sizeof(**run));
        **run = mem_copy_run(a, row);
        run = &(*run)->next;
    }
    for (size_t i = 0; i < s->effects.count; i++, effect = &(*effect)->next) {
        *effect = arena_alloc(a, sizeof(**effect));
        **effect = mem_copy_effect(a, &((struct mem_effect *)s->effects.rows[i])->row);
    }
    for (size_t i = 0; i < s->timers.count; i++, timer = &(*timer)->next) {
        *timer = arena_alloc(a, sizeof(**timer));
        **timer = mem_copy_timer(a, &((struct mem_timer *)s->timers.rows[i])->row);
    }
    for (size_t i = 0; i < s->withheld.count; i++, withheld = &(*withheld)->next) {
        *withheld = arena_alloc(a, sizeof(**withheld));
        **withheld = mem_copy_withheld(a, &((struct mem_withheld *)s->withheld.rows[i])->row);
    }
}

static int load_claim(struct mem_data *d, struct store_session_load *l, struct mem_session *s)
{
    if (l->row.core.ended_at > 0 || l->row.meta.stored_only || id_eq(l->row.owner, l->claim_for))
        return 0;
    if (!mem_session_is_free(d, s, (struct id){{0}}))
        return err_set(&l->req.error, ERR_STALE, "another instance has the session");
    l->row.epoch = ++s->row.epoch;
    l->row.owner = s->row.owner = l->claim_for;
    return 0;
}

int mem_session_load(struct mem_data *d, struct store_session_load *l)
{
    struct mem_session *s = mem_session_get(d, STR_NULL, l->id);
    char id[ID_TEXT_BYTES + 1];

    l->runs = NULL;
    l->effects = NULL;
    l->timers = NULL;
    l->withheld = NULL;
    if (!s)
        return read_no_session(&l->req);
    l->row = mem_session_row(&l->req.arena, s, true);
    id_format(l->id, id);
    if (l->row.core.state_json.p && json_check(l->row.core.state_json, NULL, NULL) == ERR_INVALID)
        return err_set(&l->req.error, ERR_CORRUPT, "session %s: its state do not read back", id);
    int status = load_workflow(d, l);
    if (status < 0)
        return status;
    load_lists(l, s);
    return id_is_zero(l->claim_for) ? 0 : load_claim(d, l, s);
}

/* ---- what hangs on a session ---- */

static int read_events(struct mem_data *d, struct store_events_read *r)
{
    const struct mem_session *s = mem_session_get(d, STR_NULL, r->session_id);
    struct mem_events key = {.row.seq_last = r->after};
    int64_t limit = r->limit > 0 ? r->limit : STORE_LIMIT_DEFAULT;
    struct event_row **tail = &r->rows;
    size_t bytes = 0;
    bool found;

    r->rows = NULL;
    r->first_seq_held = 0;
    if (!s)
        return read_no_session(&r->req);
    r->last_seq = session_last_seq(s);
    if (s->events.count > 0)
        r->first_seq_held = ((struct mem_events *)s->events.rows[0])->row.seq_first;
    if (r->first_seq_held < s->folded_seq)
        r->first_seq_held = s->folded_seq;
    size_t at = mem_vec_find(&s->events, &key, mem_cmp_events, &found);
    for (at += found; at < s->events.count && limit > 0; at++) {
        const struct event_row *row = &((struct mem_events *)s->events.rows[at])->row;
        *tail = arena_alloc(&r->req.arena, sizeof(*row));
        **tail = mem_copy_events(&r->req.arena, row);
        tail = &(*tail)->next;
        bytes += row->frames.n;
        limit -= row->seq_last - (r->after >= row->seq_first ? r->after : row->seq_first - 1);
        if (bytes >= r->bytes_max)
            break;
    }
    return 0;
}

static bool message_matches(const struct store_messages_list *l, const struct message_row *m)
{
    return (!l->node_id.p || (m->node_id.p && str_eq(l->node_id, m->node_id))) &&
           (!l->agent_id.p || (m->agent_id.p && str_eq(l->agent_id, m->agent_id))) &&
           (!l->role.p || (m->role.p && str_eq(l->role, m->role)));
}

static int read_messages(struct mem_data *d, struct store_messages_list *l)
{
    const struct mem_session *s = mem_session_get(d, STR_NULL, l->session_id);
    struct mem_message key = {.row = {.created_at = INT64_MIN}};
    struct message_row **tail = &l->rows, *last = NULL;
    struct page page = page_of(l->limit);
    struct cursor c;
    bool found;

    l->rows = NULL;
    l->next_cursor = STR_NULL;
    if (l->cursor.n > 0) {
        if (cursor_decode(l->cursor, CURSOR_MESSAGES, &c, &l->req.error) < 0)
            return ERR_INVALID;
        key.row.created_at = c.a;
        key.row.seq = c.b;
        memcpy(key.row.message_id.b, c.key, sizeof(key.row.message_id.b));
    }
    if (!s)
        return read_no_session(&l->req);
    size_t at = mem_vec_find(&s->messages, &key, mem_cmp_message, &found);
    for (at += found; at < s->messages.count; at++) {
        const struct message_row *row = &((struct mem_message *)s->messages.rows[at])->row;
        if (!message_matches(l, row))
            continue;
        if (page_see(&page, true) == PAGE_STOP) {
            assert(last);
            l->next_cursor =
                cursor_encode(&l->req.arena, CURSOR_MESSAGES, last->created_at, last->seq,
                              (struct str){(const char *)last->message_id.b, 16});
            break;
        }
        last = *tail = arena_alloc(&l->req.arena, sizeof(**tail));
        *last = mem_copy_message(&l->req.arena, row);
        tail = &last->next;
    }
    return 0;
}

static int read_runs(struct mem_data *d, struct store_runs_list *l)
{
    const struct mem_session *s = mem_session_get(d, STR_NULL, l->session_id);
    struct run_row **tail = &l->rows, *last = NULL;
    struct mem_run key = {.row.next = NULL};
    struct page page = page_of(l->limit);
    struct cursor c;
    bool found;

    l->rows = NULL;
    l->next_cursor = STR_NULL;
    if (l->cursor.n > 0) {
        if (cursor_decode(l->cursor, CURSOR_RUNS, &c, &l->req.error) < 0)
            return ERR_INVALID;
        memcpy(key.row.run_id.b, c.key, sizeof(key.row.run_id.b));
    }
    if (!s)
        return read_no_session(&l->req);
    size_t at = mem_vec_find(&s->runs, &key, mem_cmp_run, &found);
    for (at += found; at < s->runs.count; at++) {
        if (page_see(&page, true) == PAGE_STOP) {
            assert(last);
            l->next_cursor = cursor_encode(&l->req.arena, CURSOR_RUNS, 0, 0,
                                           (struct str){(const char *)last->run_id.b, 16});
            break;
        }
        last = *tail = arena_alloc(&l->req.arena, sizeof(**tail));
        *last = mem_copy_run(&l->req.arena, &((struct mem_run *)s->runs.rows[at])->row);
        last->progress_json = STR_NULL;
        tail = &last->next;
    }
    return 0;
}

/* ---- scans: quadratic, over what a test has ---- */

static int read_busy(struct mem_data *d, struct store_scan_busy *scan)
{
    int left = scan->limit > 0 ? scan->limit : STORE_LIMIT_DEFAULT;
    struct id_list **tail = &scan->ids;
    struct id after = scan->after;

    scan->ids = NULL;
    for (; left > 0; left--) {
        const struct mem_session *first = NULL;
        for (size_t i = 0; i < d->sessions.count; i++) {
            const struct mem_session *s = (struct mem_session *)d->sessions.rows[i];
            if (s->core->core.busy && mem_session_is_free(d, s, (struct id){{0}}) &&
                memcmp(s->row.id.b, after.b, 16) > 0 &&
                (!first || memcmp(s->row.id.b, first->row.id.b, 16) < 0))
                first = s;
        }
        if (!first)
            break;
        *tail = arena_alloc(&scan->req.arena, sizeof(**tail));
        (*tail)->id = after = first->row.id;
        tail = &(*tail)->next;
    }
    return 0;
}

/* The earliest timer after `last` in the order of due_at, session, timer. */
static bool timers_next(const struct mem_data *d, struct id instance, const struct timer_due *last,
                        int64_t last_session, struct timer_due *out, int64_t *out_session)
{
    bool found = false;

    for (size_t i = 0; i < d->sessions.count; i++) {
        const struct mem_session *s = (struct mem_session *)d->sessions.rows[i];
        bool ours = id_is_zero(instance) || mem_session_is_free(d, s, instance);
        for (size_t k = 0; ours && k < s->timers.count; k++) {
            const struct timer_row *t = &((struct mem_timer *)s->timers.rows[k])->row;
            bool after = t->due_at != last->due_at ? t->due_at > last->due_at
                         : s->key != last_session  ? s->key > last_session
                                                  : memcmp(t->timer_id.b, last->timer_id.b, 16) > 0;
            bool earlier = !found || t->due_at < out->due_at ||
                           (t->due_at == out->due_at && s->key < *out_session);
            if (!after || !earlier)
                continue;
            *out = (struct timer_due){NULL, s->row.id, t->timer_id, t->due_at};
            *out_session = s->key;
            found = true;
        }
    }
    return found;
}

static int read_timers(struct mem_data *d, struct store_scan_timers *scan)
{
    struct timer_due last = {.due_at = INT64_MIN}, row = last;
    struct timer_due **tail = &scan->rows;
    int left = scan->limit > 0 ? scan->limit : STORE_LIMIT_DEFAULT;
    int64_t last_session = 0, session = 0;

    scan->rows = NULL;
    scan->next_due_at = 0;
    while (timers_next(d, scan->instance, &last, last_session, &row, &session)) {
        if (row.due_at > scan->until || left-- == 0) {
            scan->next_due_at = row.due_at;
            break;
        }
        *tail = arena_alloc(&scan->req.arena, sizeof(row));
        **tail = row;
        tail = &(*tail)->next;
        last = row;
        last_session = session;
    }
    return 0;
}

static int read_idempotency(struct mem_data *d, struct store_idempotency_get *g)
{
    const struct idempotency_row *row = mem_idempotency_get(d, g->workspace, g->key);

    if (!row)
        return err_set(&g->req.error, ERR_NOT_FOUND, "this Idempotency-Key was not used");
    g->row = mem_copy_idempotency(&g->req.arena, row);
    return 0;
}

/* One line an operation. */
#define READS(X)                                                                                   \
    X(STORE_WORKFLOW_GET, store_workflow_get, read_workflow)                                       \
    X(STORE_WORKFLOW_LIST, store_workflow_list, read_workflows)                                    \
    X(STORE_WORKFLOW_VERSIONS, store_workflow_versions, read_versions)                             \
    X(STORE_SESSION_GET, store_session_get, read_session)                                          \
    X(STORE_SESSION_LIST, store_session_list, read_sessions)                                       \
    X(STORE_SESSION_LOAD, store_session_load, mem_session_load)                                    \
    X(STORE_EVENTS_READ, store_events_read, read_events)                                           \
    X(STORE_MESSAGES_LIST, store_messages_list, read_messages)                                     \
    X(STORE_RUNS_LIST, store_runs_list, read_runs)                                                 \
    X(STORE_SCAN_BUSY, store_scan_busy, read_busy)                                                 \
    X(STORE_SCAN_TIMERS, store_scan_timers, read_timers)                                           \
    X(STORE_IDEMPOTENCY_GET, store_idempotency_get, read_idempotency)                              \
    X(STORE_INSTANCE_LIST, store_instance_list, mem_instance_list)                                 \
    X(STORE_COMMAND_GET, store_command_get, mem_command_get)                                       \
    X(STORE_COMMAND_LIST, store_command_list, mem_command_list)                                    \
    X(STORE_INTERRUPT_GET, store_interrupt_get, mem_interrupt_get)                                 \
    X(STORE_INTERRUPT_LIST, store_interrupt_list, mem_interrupt_list)                              \
    X(STORE_TASK_GET, store_task_get, mem_task_get)                                                \
    X(STORE_FILE_GET, store_file_get, mem_file_get)                                                \
    X(STORE_FILE_LIST, store_file_list, mem_file_list)                                             \
    X(STORE_MEMORY_QUERY, store_memory_query, mem_memory_query)                                    \
    X(STORE_MEMORY_LIST, store_memory_list, mem_memory_list)                                       \
    X(STORE_MEMORY_GET, store_memory_get, mem_memory_get)                                          \
    X(STORE_CHILDREN_LIST, store_children_list, mem_children_list)                                 \
    X(STORE_CATALOG_GET, store_catalog_get, mem_catalog_get)                                       \
    X(STORE_CATALOG_LIST, store_catalog_list, mem_catalog_list)                                    \
    X(STORE_USAGE_SUM, store_usage_sum, mem_usage_sum)                                             \
    X(STORE_SESSION_EXPORT, store_session_export, mem_session_export)                              \
    X(STORE_SESSION_STATS, store_session_stats, mem_session_stats)                                 \
    X(STORE_KEY_LIST, store_key_list, mem_key_list)                                                \
    X(STORE_ACTIVE_GET, store_active_get, mem_active_get)                                          \
    X(STORE_SCHEDULE_GET, store_schedule_get, mem_schedule_get)                                    \
    X(STORE_SCHEDULE_LIST, store_schedule_list, mem_schedule_list)                                 \
    X(STORE_SCHEDULE_DUE, store_schedule_due, mem_schedule_due)                                    \
    X(STORE_AUDIT_LIST, store_audit_list, mem_audit_list)

#define OP_FUNCTION(op, type, run)                                                                 \
    static int run_##op(struct mem_data *d, struct store_req *req)                                 \
    {                                                                                              \
        return run(d, container_of(req, struct type, req));                                        \
    }
READS(OP_FUNCTION)

#define OP_ROW(op, type, run) [op] = run_##op,
static int (*const reads[STORE_OP_COUNT])(struct mem_data *d,
                                          struct store_req *req) = {READS(OP_ROW)};

int mem_read_run(struct mem_data *d, struct store_req *req)
{
    if (req->op >= STORE_HOOK_PUT && req->op <= STORE_HOOK_DELIVERIES)
        return mem_hook_run(d, req);
    if (req->op < STORE_OP_COUNT && reads[req->op])
        return reads[req->op](d, req);
    return err_set(&req->error, ERR_INTERNAL, "operation %d is no read", (int)req->op);
}
