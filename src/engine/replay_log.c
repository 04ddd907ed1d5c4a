#include <string.h>

#include "engine/replay.h"

/* A log as outcomes. What counts of them:
 *
 * - with after_seq all up to there; with node_id all but what that node's newest iteration and the
 *   nodes that follow it did since it began;
 * - of runs that had not ended, or were ended by the session's own end, that they had begun;
 * - of the node whose failure ended the session nothing of that iteration, so that it begins anew
 *   with all its attempts. */

static int corrupt(const struct record_log *log, const char *what, struct errbuf *e)
{
    return err_set(e, ERR_CORRUPT, "The log does not read back after event %lld: %s.",
                   (long long)(log->last ? log->last->seq : 0), what);
}

static struct str string_of(struct json v)
{
    return json_type(v) == JSON_STRING ? (struct str){v.p + 1, v.n - 2} : STR_NULL;
}

/* ---- nodes by id ---- */

struct record_node *record_node_of(struct record_log *log, struct str id)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < id.n; i++)
        h = (h ^ (uint8_t)id.p[i]) * 16777619u;
    struct record_node **at = &log->nodes[h % RECORD_BUCKETS];
    while (*at && !str_eq((*at)->id, id))
        at = &(*at)->next;
    if (!*at) {
        *at = arena_calloc(&log->arena, 1, sizeof(**at));
        (*at)->id = id;
    }
    return *at;
}

/* ---- reading ---- */

static const struct {
    const char *type;
    enum record_kind kind;
} record_types[] = {
    {"node_resumed", RECORD_RESUMED},
    {"human_interaction_expired", RECORD_EXPIRED},
    {"user_input", RECORD_SAID},
    {"signal_received", RECORD_SIGNAL},
    {"message", RECORD_SHOWN},
    {"tool_execution", RECORD_SHOWN},
    {"vote_cast", RECORD_SHOWN},
    {"vote_result", RECORD_SHOWN},
    {"fact_check_progress", RECORD_SHOWN},
    {"memory_retrieved", RECORD_SHOWN},
    {"knowledge_updated", RECORD_SHOWN},
};

static bool node_move_kind(struct json data, enum record_kind *kind)
{
    struct json from = json_get(data, "from"), to = json_get(data, "to");
    if (json_string_eq(to, "running") && json_string_eq(from, "pending"))
        *kind = RECORD_STARTED;
    else if (json_string_eq(to, "completed"))
        *kind = RECORD_COMPLETED;
    else if (json_string_eq(to, "failed"))
        *kind = RECORD_FAILED;
    else if (json_string_eq(to, "skipped"))
        *kind = RECORD_SKIPPED;
    else
        return false;
    return true;
}

/* Is it something that a replay looks at? */
static bool record_kind_of(struct json type, struct json data, enum record_kind *kind,
                           const char **word)
{
    if (json_string_eq(type, "node_state_change"))
        return node_move_kind(data, kind);
    if (json_string_eq(type, "session_state_change")) {
        enum session_status to;
        *kind = RECORD_OVER;
        return session_status_parse(string_of(json_get(data, "to")), &to) &&
               session_status_is_terminal(to);
    }
    for (size_t i = 0; i < sizeof(record_types) / sizeof(record_types[0]); i++) {
        if (json_string_eq(type, record_types[i].type)) {
            *kind = record_types[i].kind;
            *word = record_types[i].type;
            return true;
        }
    }
    return false;
}

/* Ties it to the start of its run. */
static void record_link(struct record_log *log, struct record *r)
{
    struct record *start = r->kind == RECORD_STARTED ? NULL : table_get(&log->runs, r->run_id);
    if (r->kind == RECORD_STARTED && !id_is_zero(r->run_id))
        table_put(&log->runs, r->run_id, r);
    r->start = start;
    if (!start)
        return;
    if (r->kind == RECORD_COMPLETED || r->kind == RECORD_FAILED)
        start->end = r;
    if (r->kind == RECORD_SHOWN) {
        struct record **tail = &start->shown;
        while (*tail)
            tail = &(*tail)->next_shown;
        *tail = r;
    }
}

static int frame_read(struct record_log *log, struct str frame, struct errbuf *e)
{
    const struct json_limits limits = {.bytes_max = 256u << 20};
    enum record_kind kind;
    const char *word = "";
    int64_t seq;
    if (json_check(frame, &limits, NULL))
        return corrupt(log, "an event is damaged", e);
    struct json root = json_root(frame), data = json_get(root, "data");
    if (!json_i64(json_get(root, "seq"), &seq) || json_type(data) != JSON_OBJECT)
        return corrupt(log, "an event has no number or no data", e);
    if (json_exists(json_get(data, "begin_at")) &&
        json_string_eq(json_get(root, "type"), "session_state_change"))
        log->begin_at = string_of(json_get(data, "begin_at"));
    if (!record_kind_of(json_get(root, "type"), data, &kind, &word))
        return 0;
    struct record *r = arena_calloc(&log->arena, 1, sizeof(*r));
    r->kind = kind;
    r->seq = seq;
    r->data = data;
    r->type = word;
    r->node_id = string_of(json_get(root, "node_id"));
    struct str run = string_of(json_get(root, "run_id"));
    if (run.p && !id_parse(run, &r->run_id))
        return corrupt(log, "a run has no id", e);
    json_i64(json_get(data, "iteration"), &r->iteration);
    json_i64(json_get(data, "attempt"), &r->attempt);
    r->prev = log->last;
    if (log->last)
        log->last->next = r;
    else
        log->first = r;
    log->last = r;
    record_link(log, r);
    return 0;
}

static int frames_read(struct record_log *log, const struct replay *r, struct errbuf *e)
{
    struct str left = r->events;
    int rc = 0;
    while (!rc && left.n) {
        const char *end = memchr(left.p, '\n', left.n);
        size_t n = end ? (size_t)(end - left.p) : left.n;
        if (n)
            rc = frame_read(log, (struct str){left.p, n}, e);
        n += end ? 1 : 0;
        left.p += n;
        left.n -= n;
    }
    return rc;
}

/* ---- what does not count ---- */

static bool code_is(const struct record *r, const char *code)
{
    return json_string_eq(json_get(json_get(r->data, "error"), "code"), code);
}

static bool is_node_move(const struct record *r)
{
    return r->kind <= RECORD_SKIPPED;
}

/* Everything of one iteration of a node. */
static void drop_iteration(struct record_log *log, struct str node_id, int64_t iteration)
{
    for (struct record *r = log->first; r; r = r->next) {
        const struct record *of = is_node_move(r) ? r : r->start;
        if (of && of->iteration == iteration && str_eq(of->node_id, node_id))
            r->dropped = true;
    }
}

static void drop_run(struct record *start)
{
    start->dropped = true;
    if (start->end)
        start->end->dropped = true;
    for (struct record *r = start->next; r; r = r->next)
        if (r->start == start)
            r->dropped = true;
}

/* The attempt before it, when that was only cut off by a restart of the server. */
static struct record *interrupted_before(struct record *start)
{
    for (struct record *r = start->prev; r; r = r->prev)
        if (r->kind == RECORD_FAILED && r->start && r->iteration == start->iteration &&
            r->attempt == start->attempt - 1 && str_eq(r->node_id, start->node_id))
            return code_is(r, "interrupted") ? r->start : NULL;
    return NULL;
}

/* What a run of it has inside (the items of a container) has outcomes of its own. */
static bool is_container(const struct session *s, struct str node_id)
{
    int n = workflow_find(s->wf, node_id);
    return n >= 0 && s->wf->nodes[n].inner;
}

static bool is_member(const struct session *s, struct str node_id)
{
    int n = workflow_find(s->wf, node_id);
    return n >= 0 && s->wf->nodes[n].owner >= 0;
}

/* With a new input or variables, what had not ended is not even begun before they are there: it is
 * to see them. Members of containers are
 * started in the replay: their iterations are counted in the order of their starts. */
static void drop_unended(struct record_log *log, const struct session *s)
{
    for (struct record *r = log->last; r; r = r->prev) {
        if (r->kind != RECORD_STARTED || r->dropped || (r->end && !r->end->dropped) ||
            is_member(s, r->node_id) || is_container(s, r->node_id))
            continue;
        for (struct record *run = r; run; run = interrupted_before(run))
            drop_run(run);
    }
}

/* The failures of the step that ended the session stand right before its ending: those of what was
 * cut off by it do not count, nor that of the node that failed. */
static void drop_ending(struct record_log *log, const struct session *s, int64_t after_seq)
{
    struct record *over = log->last;
    if (!over || over->kind != RECORD_OVER ||
        json_string_eq(json_get(over->data, "to"), "completed"))
        return;
    struct str failed = string_of(json_get(json_get(over->data, "error"), "node_id"));
    bool inside = false;
    for (struct record *r = over->prev; r && (r->kind == RECORD_FAILED || r->kind == RECORD_SHOWN);
         r = r->prev) {
        if (r->kind == RECORD_SHOWN || r->dropped || r->seq > after_seq)
            continue;
        if (code_is(r, "cancelled")) {
            r->dropped = true;
        } else if (failed.p && str_eq(r->node_id, failed)) {
            inside = is_container(s, failed);
            if (inside)
                r->dropped = true;
            else
                drop_iteration(log, failed, r->iteration);
            failed = STR_NULL;
        } else if (inside && is_member(s, r->node_id)) {
            drop_iteration(log, r->node_id,
                           r->iteration); /* the member that the container failed of */
            inside = false;
        }
    }
}

/* Does node `to`, or a container around it, follow node `from`, or one around that? */
static bool node_follows(const struct session *s, int from, int to)
{
    const struct node_def *nodes = s->wf->nodes;
    for (int f = from; f >= 0; f = nodes[f].owner) {
        const struct workflow *graph = nodes[f].owner < 0 ? s->wf : nodes[nodes[f].owner].inner;
        for (int t = to; t >= 0; t = nodes[t].owner)
            if (nodes[t].owner == nodes[f].owner && (t != f || f == from) &&
                workflow_reaches_forward(graph, nodes[f].local, nodes[t].local))
                return true;
    }
    return false;
}

static int drop_from_node(struct record_log *log, const struct session *s, struct str node_id,
                          struct errbuf *e)
{
    struct record *begun = NULL;
    for (struct record *r = log->first; r; r = r->next)
        if (r->kind == RECORD_STARTED && str_eq(r->node_id, node_id) &&
            (!begun || r->iteration > begun->iteration))
            begun = r;
    if (!begun)
        return err_set(e, ERR_CONFLICT, "Node \"%.*s\" has not run in this session.",
                       (int)(node_id.n > 64 ? 64 : node_id.n), node_id.p);
    int from = workflow_find(s->wf, node_id);
    drop_iteration(log, node_id, begun->iteration);
    for (struct record *r = begun; r; r = r->next) {
        const struct record *of = is_node_move(r) ? r : r->start;
        int to = of ? workflow_find(s->wf, of->node_id) : -1;
        if (r->kind == RECORD_SAID || r->kind == RECORD_SIGNAL)
            r->dropped = true;
        else if (from >= 0 && to >= 0 && to != from && node_follows(s, from, to))
            r->dropped = true;
    }
    return 0;
}

static void drop_later(struct record_log *log, int64_t after_seq)
{
    for (struct record *r = log->last; r && r->seq > after_seq; r = r->prev)
        r->dropped = true;
}

int record_log_read(struct record_log *log, const struct session *s, const struct replay *r,
                    struct errbuf *e)
{
    memset(log, 0, sizeof(*log));
    arena_init(&log->arena);
    table_init(&log->runs);
    int rc = frames_read(log, r, e);
    if (!rc && r->node_id.p)
        rc = drop_from_node(log, s, r->node_id, e);
    if (rc)
        return rc;
    int64_t after_seq = r->node_id.p ? INT64_MAX : r->after_seq;
    drop_ending(log, s, after_seq);
    drop_later(log, after_seq);
    if (r->input_json.p || r->vars_json.p)
        drop_unended(log, s);
    for (struct record *it = log->first; it; it = it->next)
        if (!it->dropped && (it->kind == RECORD_STARTED || it->kind == RECORD_SKIPPED))
            record_node_of(log, it->node_id)->allowed++;
    return 0;
}

void record_log_deinit(struct record_log *log)
{
    table_deinit(&log->runs);
    arena_deinit(&log->arena);
}
