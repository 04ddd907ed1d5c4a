#include "net/query.h"

#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/utf8.h"

typedef unsigned __int128 op_set;
#define OPS(op) ((op_set)1 << (op))
_Static_assert(SVC_OP_COUNT <= 128, "operations are bits of params[].ops");

#define LISTS                                                                                      \
    (OPS(SVC_WORKFLOW_LIST) | OPS(SVC_WORKFLOW_VERSIONS) | OPS(SVC_SESSION_LIST) |                 \
     OPS(SVC_MESSAGES) | OPS(SVC_NODES) | OPS(SVC_INSTANCES) | REVIEWS | OPS(SVC_STAGE_LIST) |     \
     OPS(SVC_TIMELINE) | OPS(SVC_FILES) | OPS(SVC_FILE_HISTORY) | CATALOG | MEMORIES |             \
     OPS(SVC_KNOWLEDGE) | OPS(SVC_LLM_PROVIDERS) | OPS(SVC_KEY_LIST) | OPS(SVC_MODELS_PRICING) |   \
     STATUSES | OPS(SVC_SCHEDULE_LIST) | AUDIT | OPS(SVC_WEBHOOK_LIST) |                           \
     OPS(SVC_WEBHOOK_DELIVERIES))
#define AUDIT    OPS(SVC_AUDIT)
#define CATALOG  OPS(SVC_CATALOG_LIST)
#define SESSIONS OPS(SVC_SESSION_LIST)
#define MEMORIES OPS(SVC_MEMORY_LIST)
#define STATUSES OPS(SVC_STATUS_LIST)
#define REVIEWS  OPS(SVC_REVIEW_LIST)
#define DIAGRAMS (OPS(SVC_WORKFLOW_DIAGRAM) | OPS(SVC_SESSION_DIAGRAM))

#define FILES (OPS(SVC_FILE_HISTORY) | OPS(SVC_FILE_CONTENT) | OPS(SVC_FILE_DIFF))

enum query_type {
    QUERY_TEXT,
    QUERY_LIMIT,
    QUERY_NUMBER,
    QUERY_TIME,
    QUERY_ORDER,
    QUERY_BOOL,
    QUERY_ID
};

struct query_param {
    const char *name;
    op_set ops;
    enum query_type type;
    size_t offset;
};

#define PARAM(name, ops, type, member)                                                             \
    {                                                                                              \
        name, ops, type, offsetof(struct svc_req, member)                                          \
    }

static const struct query_param params[] = {
    PARAM("limit", LISTS, QUERY_LIMIT, list.limit),
    PARAM("cursor", LISTS, QUERY_TEXT, list.cursor),
    PARAM("q", OPS(SVC_WORKFLOW_LIST) | SESSIONS | CATALOG | OPS(SVC_KNOWLEDGE), QUERY_TEXT,
          list.q),
    PARAM("q", OPS(SVC_SCHEDULE_LIST), QUERY_TEXT, list.q),
    PARAM("type", OPS(SVC_WORKFLOW_LIST) | STATUSES, QUERY_TEXT, list.type),
    PARAM("status", SESSIONS | REVIEWS | STATUSES, QUERY_TEXT, list.status),
    PARAM("status", OPS(SVC_WEBHOOK_DELIVERIES), QUERY_TEXT, list.status),
    PARAM("session_id", OPS(SVC_WEBHOOK_DELIVERIES), QUERY_ID, session_id),
    PARAM("kind", REVIEWS, QUERY_TEXT, list.kind),
    PARAM("workflow_id", SESSIONS | OPS(SVC_SESSION_STATS), QUERY_TEXT, list.workflow_id),
    PARAM("group_id", SESSIONS | OPS(SVC_SESSION_STATS), QUERY_TEXT, list.group_id),
    PARAM("group_id", OPS(SVC_USAGE), QUERY_TEXT, usage.group_id),
    PARAM("from", OPS(SVC_USAGE), QUERY_TIME, usage.from),
    PARAM("until", OPS(SVC_USAGE), QUERY_TIME, usage.until),
    PARAM("by", OPS(SVC_USAGE), QUERY_TEXT, usage.by),
    PARAM("node_id", OPS(SVC_MESSAGES), QUERY_TEXT, list.node_id),
    PARAM("agent_id", OPS(SVC_MESSAGES), QUERY_TEXT, list.agent_id),
    PARAM("role", OPS(SVC_MESSAGES), QUERY_TEXT, list.role),
    PARAM("user_id", SESSIONS, QUERY_TEXT, list.user_id),
    PARAM("tag", SESSIONS, QUERY_TEXT, list.tag),
    PARAM("created_after", SESSIONS | OPS(SVC_SESSION_STATS), QUERY_TIME, list.created_after),
    PARAM("created_before", SESSIONS | OPS(SVC_SESSION_STATS), QUERY_TIME, list.created_before),
    PARAM("order", SESSIONS, QUERY_ORDER, list.ascending),
    PARAM("fix", OPS(SVC_WORKFLOW_IMPORT) | OPS(SVC_WORKFLOW_VALIDATE), QUERY_BOOL, import.fix),
    PARAM("update", OPS(SVC_WORKFLOW_IMPORT), QUERY_BOOL, import.update),
    PARAM("id", OPS(SVC_WORKFLOW_IMPORT), QUERY_TEXT, import.id),
    PARAM("format", OPS(SVC_WORKFLOW_EXPORT), QUERY_TEXT, export.format),
    PARAM("as", OPS(SVC_WORKFLOW_EXPORT), QUERY_TEXT, export.as),
    PARAM("version", OPS(SVC_WORKFLOW_GET) | OPS(SVC_WORKFLOW_EXPORT) | OPS(SVC_WORKFLOW_DIAGRAM),
          QUERY_NUMBER, version),
    PARAM("format", DIAGRAMS | OPS(SVC_CONTEXT), QUERY_TEXT, diagram.format),
    PARAM("session_id", OPS(SVC_WORKFLOW_DIAGRAM) | REVIEWS, QUERY_ID, session_id),
    PARAM("history", OPS(SVC_STAGE_LIST), QUERY_BOOL, stage.history),
    PARAM("user_id", OPS(SVC_CURRENT_GET) | OPS(SVC_CURRENT_DELETE), QUERY_TEXT, current.user_id),
    PARAM("path", FILES, QUERY_TEXT, file.path),
    PARAM("version", OPS(SVC_FILE_CONTENT), QUERY_NUMBER, version),
    PARAM("from", OPS(SVC_FILE_DIFF), QUERY_NUMBER, file.from),
    PARAM("to", OPS(SVC_FILE_DIFF), QUERY_NUMBER, file.to),
    PARAM("category", CATALOG, QUERY_TEXT, list.category),
    PARAM("detach", OPS(SVC_CATALOG_DELETE), QUERY_BOOL, catalog.detach),
    PARAM("group_id", MEMORIES, QUERY_TEXT, memory.group_id),
    PARAM("agent_id", MEMORIES, QUERY_TEXT, memory.agent_id),
    PARAM("session_id", MEMORIES, QUERY_ID, memory.session_id),
    PARAM("tier", MEMORIES, QUERY_TEXT, memory.tier),
    PARAM("layer", OPS(SVC_KNOWLEDGE), QUERY_TEXT, memory.tier),
    PARAM("workspace", OPS(SVC_KEY_LIST), QUERY_TEXT, key.workspace),
    PARAM("force", OPS(SVC_SESSION_DELETE), QUERY_BOOL, force),
    PARAM("actor", AUDIT, QUERY_TEXT, audit.actor),
    PARAM("action", AUDIT, QUERY_TEXT, audit.action),
    PARAM("object", AUDIT, QUERY_TEXT, audit.object),
    PARAM("session_id", AUDIT, QUERY_ID, session_id),
    PARAM("after", AUDIT, QUERY_TIME, audit.after),
    PARAM("before", AUDIT, QUERY_TIME, audit.before),
    PARAM("after", OPS(SVC_EVENTS), QUERY_NUMBER, events.after),
    PARAM("cursor", OPS(SVC_EVENTS), QUERY_NUMBER, events.after),
    PARAM("limit", OPS(SVC_EVENTS), QUERY_LIMIT, events.limit),
    PARAM("types", OPS(SVC_EVENTS), QUERY_TEXT, events.types),
};

void query_defaults(struct svc_req *req)
{
    req->list.limit = QUERY_LIMIT_DEFAULT;
    req->events.limit = QUERY_LIMIT_DEFAULT;
}

bool query_number(struct str text, int64_t *out)
{
    int64_t n = 0;

    if (text.n == 0 || text.n > 18)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return false;
        n = n * 10 + (text.p[i] - '0');
    }
    *out = n;
    return true;
}

int query_if_match(struct str text, int64_t *out, struct errbuf *e)
{
    if (str_eqz(text, "*")) {
        *out = 0;
        return 0;
    }
    if (text.n > 2 && memcmp(text.p, "W/", 2) == 0) {
        text.p += 2;
        text.n -= 2;
    }
    if (text.n > 2 && text.p[0] == '"' && text.p[text.n - 1] == '"') {
        text.p++;
        text.n -= 2;
    }
    if (!query_number(text, out) || *out == 0)
        return err_set(e, ERR_INVALID, "If-Match: expected a version");
    return 0;
}

static int query_read_text(const struct query_param *p, struct str value, struct svc_req *req,
                           struct errbuf *e)
{
    struct str *out = (struct str *)((char *)req + p->offset);

    if (value.n > QUERY_VALUE_MAX)
        return err_set(e, ERR_INVALID, "%s: longer than %d bytes", p->name, QUERY_VALUE_MAX);
    if (!utf8_is_valid(value))
        return err_set(e, ERR_INVALID, "%s: not valid UTF-8", p->name);
    if (value.n == 0)
        return 0; /* as if it was not given */
    out->p = arena_strdup(&req->arena, value);
    out->n = value.n;
    return 0;
}

static int query_read_word(const struct query_param *p, struct str value, const char *no,
                           const char *yes, bool *out, struct errbuf *e)
{
    *out = str_eqz(value, yes);
    if (!*out && !str_eqz(value, no))
        return err_set(e, ERR_INVALID, "%s: expected \"%s\" or \"%s\"", p->name, no, yes);
    return 0;
}

static int query_read(const struct query_param *p, struct str value, struct svc_req *req,
                      struct errbuf *e)
{
    void *out = (char *)req + p->offset;
    int64_t n;

    switch (p->type) {
    case QUERY_TEXT:
        return query_read_text(p, value, req, e);
    case QUERY_LIMIT:
        if (!query_number(value, &n) || n < 1 || n > QUERY_LIMIT_MAX)
            return err_set(e, ERR_INVALID, "%s: expected 1 to %d", p->name, QUERY_LIMIT_MAX);
        *(int *)out = (int)n;
        return 0;
    case QUERY_NUMBER:
        if (!query_number(value, out))
            return err_set(e, ERR_INVALID, "%s: expected a whole number from 0", p->name);
        return 0;
    case QUERY_TIME:
        if (!clock_parse_rfc3339(value, out))
            return err_set(e, ERR_INVALID, "%s: expected a time as 2026-01-31T12:00:00Z", p->name);
        return 0;
    case QUERY_ORDER:
        return query_read_word(p, value, "desc", "asc", out, e);
    case QUERY_BOOL:
        if (str_eqz(value, "0") || str_eqz(value, "1"))
            return query_read_word(p, value, "0", "1", out, e);
        return query_read_word(p, value, "false", "true", out, e);
    case QUERY_ID:
        if (!id_parse(value, out))
            return err_set(e, ERR_INVALID, "%s: expected a UUID", p->name);
        return 0;
    }
    return ERR_INTERNAL;
}

/* ?metadata.<path>=value: several are ANDed. */
static int query_metadata(struct str path, struct str value, struct svc_req *req, struct errbuf *e)
{
    if (req->list.metadata_count == SVC_METADATA_MAX)
        return err_set(e, ERR_INVALID, "metadata: more than %d filters", SVC_METADATA_MAX);
    if (path.n == 0 || path.n > QUERY_VALUE_MAX || value.n > QUERY_VALUE_MAX)
        return err_set(e, ERR_INVALID, "metadata.<key>: expected 1 to %d bytes", QUERY_VALUE_MAX);
    if (!utf8_is_valid(path) || !utf8_is_valid(value))
        return err_set(e, ERR_INVALID, "metadata.<key>: not valid UTF-8");
    struct svc_metadata *m = &req->list.metadata[req->list.metadata_count++];
    m->path = (struct str){arena_strdup(&req->arena, path), path.n};
    m->value = (struct str){arena_strdup(&req->arena, value), value.n};
    return 0;
}

int query_apply(struct svc_req *req, struct str pair, struct errbuf *e)
{
    const char *eq = pair.n ? memchr(pair.p, '=', pair.n) : NULL;
    struct str name = {pair.p, eq ? (size_t)(eq - pair.p) : pair.n};
    struct str value = eq ? (struct str){eq + 1, pair.n - name.n - 1} : STR("");

    if (req->op >= SVC_OP_COUNT)
        return 0;
    if (req->op == SVC_SESSION_LIST && name.n > 9 && memcmp(name.p, "metadata.", 9) == 0)
        return query_metadata((struct str){name.p + 9, name.n - 9}, value, req, e);
    for (size_t i = 0; i < sizeof(params) / sizeof(params[0]); i++)
        if (params[i].ops & OPS(req->op) && str_eqz(name, params[i].name))
            return query_read(&params[i], value, req, e);
    return 0;
}
