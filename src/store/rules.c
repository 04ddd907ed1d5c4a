#include "store/rules.h"

#include <string.h>

#include "base/json.h"
#include "engine/state.h"

static char rules_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
}

bool rules_contains(struct str text, struct str part)
{
    for (size_t at = 0; part.n <= text.n && at <= text.n - part.n; at++) {
        size_t i = 0;
        while (i < part.n && rules_lower(text.p[at + i]) == rules_lower(part.p[i]))
            i++;
        if (i == part.n)
            return true;
    }
    return part.n == 0;
}

static bool rules_has_tag(struct str tags_json, struct str tag)
{
    struct json_iter it;
    struct buf text;
    bool found = false;

    if (!tags_json.p)
        return false;
    buf_init(&text, tags_json.n);
    json_iter_init(&it, json_root(tags_json));
    while (!found && json_iter_next(&it)) {
        buf_clear(&text);
        found = json_string(it.value, &text) && str_eq(buf_str(&text), tag);
    }
    buf_deinit(&text);
    return found;
}

static bool rules_equal_if_set(struct str filter, struct str value)
{
    return !filter.p || (value.p && str_eq(filter, value));
}

bool rules_session_matches(const struct store_session_list *l, const struct session_row *row)
{
    char id[ID_TEXT_BYTES + 1];

    if (!rules_equal_if_set(l->status, row->core.status) ||
        !rules_equal_if_set(l->workflow_id, row->meta.workflow_id) ||
        !rules_equal_if_set(l->group_id, row->meta.group_id) ||
        !rules_equal_if_set(l->user_id, row->meta.user_id))
        return false;
    if (l->tag.p && !rules_has_tag(row->meta.tags_json, l->tag))
        return false;
    if (!l->q.p || rules_contains(row->meta.name, l->q))
        return true;
    id_format(row->id, id);
    return rules_contains(str_of(id), l->q);
}

bool rules_workflow_matches(const struct store_workflow_list *l, const struct workflow_row *row)
{
    return rules_equal_if_set(l->type, row->type) &&
           (!l->q.p || rules_contains(row->id, l->q) || rules_contains(row->name, l->q));
}

bool rules_session_is_live(const struct session_row *row)
{
    enum session_status status;

    return !row->meta.stored_only &&
           !(session_status_parse(row->core.status, &status) && session_status_is_terminal(status));
}

struct page page_of(int limit)
{
    if (limit <= 0)
        limit = STORE_LIMIT_DEFAULT;
    return (struct page){limit > STORE_LIMIT_MAX ? STORE_LIMIT_MAX : limit, 0};
}

enum page_verdict page_see(struct page *p, bool matches)
{
    if (p->examined == STORE_EXAMINED_MAX || (matches && p->left == 0))
        return PAGE_STOP;
    p->examined++;
    if (!matches)
        return PAGE_SKIP;
    p->left--;
    return PAGE_TAKE;
}

struct str rules_workspace(struct str workspace)
{
    return workspace.p ? workspace : STR(STORE_WORKSPACE_DEFAULT);
}

bool rules_delta_is_events(const struct delta *d)
{
    return d->seq_last > 0 && !d->is_new && !d->meta && !d->core && !d->runs && !d->effects_new &&
           !d->effects_done && !d->timers_set && !d->timers_done && !d->messages &&
           !d->interrupts && !d->tasks_new && !d->tasks_done && !d->files && !d->usage &&
           !d->withheld && !d->withheld_clear && !d->idempotency && !d->commands_done &&
           !d->commands_new;
}

bool rules_frames_are_whole(int64_t seq_first, int64_t seq_last, struct str frames)
{
    int64_t count = 1;
    const char *p = frames.p, *end = frames.p + frames.n;

    if (seq_first < 1 || seq_last < seq_first || frames.n < 2 || *p != '{' || end[-1] != '}')
        return false;
    while ((p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
        if (p[-1] != '}' || p[1] != '{')
            return false;
        count++;
        p++;
    }
    return count == seq_last - seq_first + 1;
}

struct str rules_copy(struct arena *a, struct str s)
{
    return (struct str){s.p ? arena_strdup(a, s) : NULL, s.n};
}

static bool rules_is_token(struct str frame)
{
    static const char word[] = "\"token_stream\"";

    if (!memmem(frame.p, frame.n, word, sizeof(word) - 1) || json_check(frame, NULL, NULL) < 0)
        return false;
    struct json type = json_get(json_root(frame), "type");
    return type.n == sizeof(word) - 1 && memcmp(type.p, word, type.n) == 0;
}

struct event_row *rules_fold(struct arena *a, const struct event_row *row, int64_t *gone)
{
    struct event_row *first = NULL, *last = NULL;
    const char *at = row->frames.p, *end = at + row->frames.n;

    *gone = 0;
    if (!at || !rules_frames_are_whole(row->seq_first, row->seq_last, row->frames))
        return (struct event_row *)row;
    for (int64_t seq = row->seq_first; at < end; seq++) {
        const char *nl = memchr(at, '\n', (size_t)(end - at));
        struct str frame = {at, (size_t)((nl ? nl : end) - at)};
        at += frame.n + 1;
        if (rules_is_token(frame)) {
            *gone = seq;
        } else if (last && last->seq_last == seq - 1) {
            last->seq_last = seq;
            last->frames.n = (size_t)(frame.p + frame.n - last->frames.p);
        } else {
            struct event_row *kept = arena_alloc(a, sizeof(*kept));
            *kept = (struct event_row){NULL, seq, seq, frame};
            *(last ? &last->next : &first) = kept;
            last = kept;
        }
    }
    return *gone ? first : (struct event_row *)row;
}

#define USAGE_NONE STR("{\"input_tokens\":0,\"output_tokens\":0,\"cost_usd\":null}")

struct str rules_usage_stored(struct str usage_json)
{
    return str_eq(usage_json, USAGE_NONE) ? STR("") : usage_json;
}

bool rules_usage_read(struct str *usage_json)
{
    static const struct json_limits limits = {.bytes_max = 1u << 30};

    if (usage_json->p && usage_json->n == 0)
        *usage_json = USAGE_NONE;
    return !usage_json->p || json_check(*usage_json, &limits, NULL) != ERR_INVALID;
}

bool rules_answer_is_same(const struct command_row *old, const struct command_row *now)
{
    return old->http_status == now->http_status && str_eq(old->answer_json, now->answer_json);
}

int rules_retention_limit(int limit)
{
    if (limit <= 0)
        return STORE_LIMIT_DEFAULT;
    return limit > STORE_LIMIT_MAX ? STORE_LIMIT_MAX : limit;
}

struct str rules_text(struct str s)
{
    return s.p ? s : STR("");
}

void rules_task_lease(struct arena *a, struct task_row *t, struct str worker, int64_t now)
{
    t->status = STR("leased");
    t->worker = rules_copy(a, worker);
    t->attempt++;
    t->lease_expires_at = now + t->heartbeat_ms;
}

bool rules_task_is_free(const struct task_row *t, int64_t now)
{
    return str_eqz(t->status, "waiting") || t->lease_expires_at <= now;
}

int rules_task_is_held(const struct task_row *t, int64_t attempt, struct errbuf *e)
{
    if (!str_eqz(t->status, "leased"))
        return err_set(e, ERR_STALE, "the task is not leased");
    if (attempt > 0 && attempt != t->attempt)
        return err_set(e, ERR_STALE, "the task was leased again since: attempt %lld, not %lld",
                       (long long)t->attempt, (long long)attempt);
    return 0;
}

bool rules_file_is_asked(const struct file_row *f, int64_t version)
{
    return version > 0 ? f->version == version : !f->deleted;
}

struct str rules_file_cursor(struct store_file_list *l, const struct file_row *last)
{
    if (l->path.p)
        return cursor_encode(&l->req.arena, CURSOR_FILE, last->version, 0, STR_NULL);
    return cursor_encode(&l->req.arena, CURSOR_FILES, 0, 0, last->path);
}

int rules_file_cursor_read(const struct store_file_list *l, struct cursor *c, struct errbuf *e)
{
    *c = (struct cursor){.a = INT64_MAX};
    if (l->cursor.n == 0)
        return 0;
    return cursor_decode(l->cursor, l->path.p ? CURSOR_FILE : CURSOR_FILES, c, e);
}
