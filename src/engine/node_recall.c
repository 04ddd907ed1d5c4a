#include <string.h>

#include "base/clock.h"
#include "engine/question.h"

/* What was said before: memory_retrieval asks the memories of a group, context_synth the messages
 * of this session. Both are answered by the shell (EFFECT_TOOL_START with internal: true), for the
 * engine keeps neither. */

#define DAY_MS 86400000.0

static double number_or(const struct session *s, unsigned n, const char *key, double otherwise)
{
    json_double(prop(s, n, key), &otherwise);
    return otherwise;
}

/* A template, or what came in. */
static int text_or_input(struct session *s, unsigned n, const char *key, struct str *out,
                         struct errbuf *e)
{
    struct json v = prop(s, n, key);
    if (json_type(v) == JSON_STRING)
        return eval_template(s, n, json_text(s, v), out, e);
    *out = prompt_default(s, n);
    return out->p ? 0 : err_set(e, ERR_TOO_LARGE, "What came in is too large.");
}

static void recall_begin(struct session *s, unsigned n, const char *tool, struct buf *arguments)
{
    struct tool_call t = {.tool = str_of(tool), .internal = true};
    t.arguments = tmp_copy(s, buf_str(arguments));
    struct str request = buf_error(arguments) ? STR_NULL : tool_request(s, n, &t);
    if (request.p)
        call_begin(s, n, WORK_TOOL, 0, request);
    else
        node_failz(s, n, "too_large", "The query is larger than allowed.");
}

/* ---- memory_retrieval ---- */

static struct str group_of(struct session *s, unsigned n, struct errbuf *e)
{
    struct json v = prop(s, n, "group_id");
    struct str group = s->meta.group_id;
    if (json_type(v) == JSON_STRING && eval_template(s, n, json_text(s, v), &group, e))
        return STR_NULL;
    if (!group.n)
        err_set(e, ERR_INVALID, "The session has no group: give the node a group_id.");
    return group;
}

void node_start_memory(struct session *s, unsigned n)
{
    struct errbuf e = {{0}};
    struct str query = STR_NULL, group, agent = STR_NULL;
    struct json of = prop(s, n, "agent_id");
    int rc = text_or_input(s, n, "query", &query, &e);
    if (!rc && json_type(of) == JSON_STRING)
        rc = eval_template(s, n, json_text(s, of), &agent, &e);
    if (rc) {
        node_failz(s, n, rc == ERR_TOO_LARGE ? "too_large" : "invalid_template", e.text);
        return;
    }
    group = group_of(s, n, &e);
    if (!group.n) {
        node_failz(s, n, "no_group", e.text);
        return;
    }
    double days = number_or(s, n, "time_range_days", 0);
    struct buf b;
    struct jw w;
    buf_init(&b, ENGINE_REQUEST_BYTES_MAX);
    jw_init(&w, &b);
    jw_object(&w);
    jw_kv_string(&w, "group_id", group);
    jw_kv_string(&w, "query", query);
    if (agent.n)
        jw_kv_string(&w, "agent_id", agent);
    jw_kv_i64(&w, "max_results", (int64_t)number_or(s, n, "max_results", 5));
    jw_kv_double(&w, "relevance_threshold", number_or(s, n, "relevance_threshold", 0));
    jw_kv_i64(&w, "created_after", days > 0 ? s->now - (int64_t)(days * DAY_MS) : 0);
    jw_end(&w);
    recall_begin(s, n, "memory_query", &b);
    buf_deinit(&b);
}

/* list: of ids, or of objects that have one. */
static void memory_event(struct session *s, unsigned n, const char *type, struct json list)
{
    struct json_iter it;
    struct jw *w = event_begin(s, type, (int)n);
    jw_kv_u64(w, "count", json_length(list));
    jw_key(w, "ids");
    jw_array(w);
    json_iter_init(&it, list);
    while (json_iter_next(&it))
        jw_raw(w,
               json_raw(json_type(it.value) == JSON_OBJECT ? json_get(it.value, "id") : it.value));
    jw_end(w);
    event_end(s);
}

void recall_told(struct session *s, const struct work *c, struct str output_json)
{
    struct json request = json_root(c->request), tool = json_get_set(request, "tool");
    struct json output = json_root(output_json);
    struct json items = json_get_set(output, "items"), ids = json_get_set(output, "ids");
    if (json_exists(json_get_set(request, "internal")))
        return; /* the node tells it itself */
    if (json_string_eq(tool, "memory_query") && json_type(items) == JSON_ARRAY)
        memory_event(s, c->node, "memory_retrieved", items);
    else if (json_string_eq(tool, "memory_ingest") && json_type(ids) == JSON_ARRAY)
        memory_event(s, c->node, "knowledge_updated", ids);
}

/* One line each, the best first. */
static void history_write(struct session *s, struct json items, struct buf *b)
{
    struct json_iter it;
    json_iter_init(&it, items);
    while (json_iter_next(&it)) {
        struct json content = json_get_set(it.value, "content");
        struct json at = json_get_set(it.value, "created_at");
        buf_append_z(b, b->len ? "\n- " : "- ");
        if (json_type(at) == JSON_STRING && at.n > 12)
            buf_printf(b, "(%.10s) ", at.p + 1);
        if (json_type(content) == JSON_STRING)
            buf_append_str(b, json_text(s, content));
    }
}

void memory_done(struct session *s, unsigned n, struct work *c, const struct engine_input *in)
{
    struct json items = json_get_set(json_root(in->output_json), "items");
    struct buf history, out;
    struct jw w;
    (void)c;
    if (json_type(items) != JSON_ARRAY)
        items = json_root(STR("[]"));
    memory_event(s, n, "memory_retrieved", items);
    buf_init(&history, ENGINE_OUTPUT_BYTES_MAX);
    history_write(s, items, &history);
    buf_init(&out, ENGINE_REQUEST_BYTES_MAX);
    jw_init(&w, &out);
    jw_object(&w);
    jw_kv_string(&w, "history_context", history.len ? buf_str(&history) : STR(""));
    jw_kv_raw(&w, "items", json_raw(items));
    jw_end(&w);
    if (buf_error(&history) || buf_error(&out))
        node_failz(s, n, "too_large", "The memories are larger than allowed.");
    else
        node_complete(s, n, tmp_copy(s, buf_str(&out)), EDGES_NEXT);
    buf_deinit(&history);
    buf_deinit(&out);
}

/* ---- context_synth: the rounds ---- */

/* The r-th message of a node belongs to round r; what people say belongs to the round that it falls
 * into. Progress: {"rounds", "summarised", "recent": [{round, speaker, content}]}. */

#define SPEAKERS_MAX    256 /* nodes whose rounds are counted; others fall into the newest */
#define SUMMARY_ORDINAL QUESTION_SPAN

struct said {
    int64_t round;
    struct str speaker, content; /* JSON strings */
};

/* Walks the messages in order, without this node's own. */
struct said_iter {
    struct session *s;
    struct json_iter it;
    struct str own; /* id of this node */
    struct {
        struct str id;
        int64_t count;
    } nodes[SPEAKERS_MAX];
    unsigned known;
    int64_t newest;
};

static void said_init(struct said_iter *i, struct session *s, unsigned n, struct json messages)
{
    memset(i, 0, sizeof(*i));
    i->s = s;
    i->own = node_def(s, n)->id;
    json_iter_init(&i->it, messages);
}

static int64_t *said_count(struct said_iter *i, struct str id)
{
    for (unsigned k = 0; k < i->known; k++)
        if (str_eq(i->nodes[k].id, id))
            return &i->nodes[k].count;
    if (i->known == SPEAKERS_MAX)
        return NULL;
    i->nodes[i->known].id = id;
    return &i->nodes[i->known++].count;
}

static bool said_next(struct said_iter *i, struct said *out)
{
    while (json_iter_next(&i->it)) {
        struct json m = i->it.value, id = json_get_set(m, "node_id"),
                    agent = json_get_set(m, "agent_id"), content = json_get_set(m, "content");
        struct str node = json_type(id) == JSON_STRING ? json_text(i->s, id) : STR_NULL;
        bool is_said = node.n && json_string_eq(json_get_set(m, "role"), "assistant");
        if (json_type(content) != JSON_STRING || content.n <= 2 || str_eq(node, i->own))
            continue;
        int64_t *count = is_said ? said_count(i, node) : NULL;
        out->round = count ? ++*count : i->newest ? i->newest : 1;
        if (out->round > i->newest)
            i->newest = out->round;
        out->speaker = json_exists(agent) ? json_raw(agent)
                       : json_exists(id)  ? json_raw(id)
                                          : STR("\"somebody\"");
        out->content = json_raw(content);
        return true;
    }
    return false;
}

static int64_t rounds_count(struct session *s, unsigned n, struct json messages)
{
    struct said_iter i;
    struct said m;
    said_init(&i, s, n, messages);
    while (said_next(&i, &m)) {}
    return i.newest;
}

/* Those of the rounds from `first` to `last`, as an array. */
static struct str rounds_array(struct session *s, unsigned n, struct json messages, int64_t first,
                               int64_t last)
{
    struct said_iter i;
    struct said m;
    struct buf b;
    struct jw w;
    buf_init(&b, ENGINE_REQUEST_BYTES_MAX);
    jw_init(&w, &b);
    jw_array(&w);
    said_init(&i, s, n, messages);
    while (said_next(&i, &m)) {
        if (m.round < first || m.round > last)
            continue;
        jw_object(&w);
        jw_kv_i64(&w, "round", m.round);
        jw_kv_raw(&w, "speaker", m.speaker);
        jw_kv_raw(&w, "content", m.content);
        jw_end(&w);
    }
    jw_end(&w);
    struct str out = buf_error(&b) ? STR_NULL : tmp_copy(s, buf_str(&b));
    buf_deinit(&b);
    return out;
}

static void rounds_text(struct session *s, struct json said, struct buf *b)
{
    struct json_iter it;
    int64_t round = 0, at;
    json_iter_init(&it, said);
    while (json_iter_next(&it)) {
        at = 0;
        json_i64(json_get(it.value, "round"), &at);
        if (at != round)
            buf_printf(b, "%s## Round %lld\n", b->len ? "\n" : "", (long long)at);
        round = at;
        buf_append_z(b, "\n### ");
        buf_append_str(b, json_text(s, json_get(it.value, "speaker")));
        buf_append_z(b, "\n\n");
        buf_append_str(b, json_text(s, json_get(it.value, "content")));
        buf_append_z(b, "\n");
    }
}

/* ---- context_synth: the summary ---- */

struct synth {
    int64_t rounds, summarised; /* rounds 1 to summarised are in the summary */
    struct str recent;          /* JSON array */
    struct str before;          /* JSON string: the summary that was there, "" */
};

static void synth_write(struct jw *w, const struct synth *c)
{
    jw_object(w);
    jw_kv_i64(w, "rounds", c->rounds);
    jw_kv_i64(w, "summarised", c->summarised);
    jw_kv_raw(w, "recent", c->recent);
    jw_kv_raw(w, "before", c->before);
    jw_end(w);
}

static bool synth_save(struct session *s, unsigned n, const struct synth *c)
{
    struct buf b;
    struct jw w;
    buf_init(&b, ENGINE_REQUEST_BYTES_MAX);
    jw_init(&w, &b);
    synth_write(&w, c);
    bool fits = !buf_error(&b);
    if (fits)
        progress_set(s, n, buf_str(&b));
    buf_deinit(&b);
    return fits;
}

static bool synth_load(struct session *s, unsigned n, struct synth *c)
{
    struct str progress = progress_get(s, n);
    if (!progress.p)
        return false;
    struct json v = json_root(tmp_copy(s, progress)), recent = json_get(v, "recent"),
                before = json_get(v, "before");
    json_i64(json_get(v, "rounds"), &c->rounds);
    json_i64(json_get(v, "summarised"), &c->summarised);
    c->recent = json_raw(recent);
    c->before = json_raw(before);
    return json_type(recent) == JSON_ARRAY && json_type(before) == JSON_STRING;
}

static void synth_finish(struct session *s, unsigned n, const struct synth *c, struct str summary)
{
    struct buf text, out;
    struct jw w;
    buf_init(&text, ENGINE_OUTPUT_BYTES_MAX);
    if (summary.n)
        buf_printf(&text, "## Rounds 1 to %lld, in short\n\n%.*s\n", (long long)c->summarised,
                   STR_FMT(summary));
    rounds_text(s, json_root(c->recent), &text);
    buf_init(&out, ENGINE_REQUEST_BYTES_MAX);
    jw_init(&w, &out);
    jw_object(&w);
    jw_kv_string(&w, "context", text.len ? buf_str(&text) : STR(""));
    jw_kv_string(&w, "summary", summary.p ? summary : STR(""));
    jw_kv_i64(&w, "rounds", c->rounds);
    jw_kv_i64(&w, "summarised_rounds", c->summarised);
    jw_kv_raw(&w, "recent", c->recent);
    jw_end(&w);
    if (buf_error(&text) || buf_error(&out))
        node_failz(s, n, "too_large", "The context is larger than allowed.");
    else
        node_complete(s, n, tmp_copy(s, buf_str(&out)), EDGES_NEXT);
    buf_deinit(&text);
    buf_deinit(&out);
}

/* Rolling: what was summarised before, and what has aged since. */
static void synth_ask(struct session *s, unsigned n, const struct synth *c, struct str aged)
{
    struct question q;
    struct buf b;
    struct errbuf e = {{0}};
    struct json prompt = prop(s, n, "prompt");
    struct str wanted = STR("Summarise the discussion so far: positions, arguments, what was "
                            "agreed, what is open. Be short; leave out nothing that was decided.");
    if (json_type(prompt) == JSON_STRING &&
        eval_template(s, n, json_text(s, prompt), &wanted, &e)) {
        node_failz(s, n, "invalid_template", e.text);
        return;
    }
    question_init(s, n, &q);
    buf_init(&b, ENGINE_REQUEST_BYTES_MAX);
    buf_append_str(&b, wanted);
    struct str before = json_text(s, json_root(c->before));
    if (before.n) {
        buf_append_z(&b, "\n\n## Summary of what came before\n\n");
        buf_append_str(&b, before);
    }
    buf_append_z(&b, "\n\n");
    rounds_text(s, json_root(aged), &b);
    q.user = tmp_copy(s, buf_str(&b));
    if (buf_error(&b) || !question_begin(s, n, SUMMARY_ORDINAL, &q))
        node_failz(s, n, "too_large", "The discussion is larger than allowed.");
    buf_deinit(&b);
}

/* The summary of this node's last run, and how many rounds it covers. */
static int64_t synth_before(struct session *s, unsigned n, struct str *summary)
{
    struct str output = s->at->nodes[n].output;
    int64_t covered = 0;
    *summary = STR("\"\"");
    if (!output.p)
        return 0;
    struct json v = json_root(tmp_copy(s, output)), text = json_get_set(v, "summary");
    if (json_type(text) == JSON_STRING &&
        json_i64(json_get_set(v, "summarised_rounds"), &covered) && covered > 0)
        *summary = json_raw(text);
    return covered > 0 ? covered : 0;
}

static void messages_done(struct session *s, unsigned n, struct json messages)
{
    struct synth c = {.rounds = rounds_count(s, n, messages)};
    int64_t recent = (int64_t)number_or(s, n, "max_recent_rounds", 3);
    int64_t covered = synth_before(s, n, &c.before);
    c.summarised = c.rounds > recent ? c.rounds - recent : 0;
    if (covered > c.summarised)
        c.summarised = covered;
    c.recent = rounds_array(s, n, messages, c.summarised + 1, c.rounds);
    struct str aged = rounds_array(s, n, messages, covered + 1, c.summarised);
    if (!c.recent.p || !aged.p || !synth_save(s, n, &c))
        node_failz(s, n, "too_large", "The discussion is larger than allowed.");
    else if (c.summarised > covered)
        synth_ask(s, n, &c, aged);
    else
        synth_finish(s, n, &c, json_text(s, json_root(c.before)));
}

void node_start_synth(struct session *s, unsigned n)
{
    struct buf b;
    buf_init(&b, 64);
    buf_append_z(&b, "{}");
    recall_begin(s, n, "session_messages", &b);
    buf_deinit(&b);
}

void synth_done(struct session *s, unsigned n, struct work *c, const struct engine_input *in)
{
    struct synth kept = {0};
    if (c->kind == WORK_TOOL) {
        messages_done(s, n, json_get_set(json_root(in->output_json), "messages"));
    } else if (!synth_load(s, n, &kept)) {
        node_failz(s, n, "lost", "The discussion that this is a summary of is not there.");
    } else {
        struct str text = tmp_copy(s, call_text(c));
        model_message(s, c, in->finish_reason.n ? in->finish_reason : STR("stop"),
                      in->output_tokens);
        synth_finish(s, n, &kept, text);
    }
}
