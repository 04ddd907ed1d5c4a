#include "net/access.h"

#include <string.h>

#include "net/service.h"

static const char *const words[] = {"none", "viewer", "operator", "editor", "admin"};

const char *role_word(enum role r)
{
    return words[r];
}

enum role role_parse(struct str word)
{
    for (int r = ROLE_VIEWER; r <= ROLE_ADMIN; r++)
        if (str_eqz(word, words[r]))
            return (enum role)r;
    return ROLE_NONE;
}

void principal_anonymous(struct principal *out)
{
    memset(out, 0, sizeof(*out));
    out->kind = PRINCIPAL_ANONYMOUS;
    out->role = ROLE_ADMIN;
    memcpy(out->workspace, "default", sizeof("default"));
    memcpy(out->name, "anonymous", sizeof("anonymous"));
}

/* What each operation needs (docs/SECURITY.md has it as a table, too). One that is not here is
 * refused; a test asks for every one. */
#define VIEWER                                                                                     \
    {                                                                                              \
        ROLE_VIEWER, false                                                                         \
    }
#define OPERATOR                                                                                   \
    {                                                                                              \
        ROLE_OPERATOR, false                                                                       \
    }
#define EDITOR                                                                                     \
    {                                                                                              \
        ROLE_EDITOR, false                                                                         \
    }
#define ADMIN                                                                                      \
    {                                                                                              \
        ROLE_ADMIN, false                                                                          \
    }
#define OPEN                                                                                       \
    {                                                                                              \
        ROLE_NONE, true                                                                            \
    }

static const struct {
    enum role role;
    bool open;
} needs[SVC_OP_COUNT] = {
    [SVC_WORKFLOW_LIST] = VIEWER,
    [SVC_WORKFLOW_CREATE] = EDITOR,
    [SVC_WORKFLOW_GET] = VIEWER,
    [SVC_WORKFLOW_PUT] = EDITOR,
    [SVC_WORKFLOW_DELETE] = EDITOR,
    [SVC_WORKFLOW_VERSIONS] = VIEWER,
    [SVC_WORKFLOW_VALIDATE] = VIEWER,
    [SVC_WORKFLOW_IMPORT] = EDITOR,
    [SVC_WORKFLOW_EXPORT] = VIEWER,
    [SVC_WORKFLOW_DIAGRAM] = VIEWER,
    [SVC_WORKFLOW_SCHEMA] = VIEWER,
    [SVC_WORKFLOW_GENERATE] = EDITOR, /* costs money */
    [SVC_WORKFLOW_ESTIMATE] = VIEWER,
    [SVC_EXECUTE] = OPERATOR, /* a graph of one's own: EDITOR, see access_check() */
    [SVC_SESSION_LIST] = VIEWER,
    [SVC_SESSION_GET] = VIEWER,
    [SVC_SESSION_DELETE] = EDITOR,
    [SVC_SESSION_PUT] = OPERATOR,
    [SVC_SESSION_PATCH] = OPERATOR,
    [SVC_SESSION_BATCH] = EDITOR, /* it may delete */
    [SVC_SESSION_STATS] = VIEWER,
    [SVC_PAUSE] = OPERATOR,
    [SVC_RESUME] = OPERATOR,
    [SVC_CANCEL] = OPERATOR,
    [SVC_STOP] = OPERATOR,
    [SVC_NODE_RESUME] = OPERATOR,
    [SVC_SIGNAL] = OPERATOR,
    [SVC_INPUT] = OPERATOR,
    [SVC_EVENTS] = VIEWER,
    [SVC_MESSAGES] = VIEWER,
    [SVC_SESSION_USAGE] = VIEWER,
    [SVC_USAGE] = VIEWER,
    [SVC_NODES] = VIEWER,
    [SVC_SESSION_DIAGRAM] = VIEWER,
    [SVC_REVIEW_LIST] = VIEWER,
    [SVC_REVIEW_GET] = VIEWER,
    [SVC_STAGE_LIST] = VIEWER,
    [SVC_STAGE_GET] = VIEWER,
    [SVC_STAGE_UPDATE] = OPERATOR,
    [SVC_STAGE_COMPLETE] = OPERATOR,
    [SVC_STAGE_SKIP] = OPERATOR,
    [SVC_STAGE_START] = OPERATOR,
    [SVC_PROGRESS] = VIEWER,
    [SVC_NEXT] = VIEWER,
    [SVC_CONTEXT] = VIEWER,
    [SVC_TIMELINE] = VIEWER,
    [SVC_CURRENT_GET] = VIEWER,
    [SVC_CURRENT_PUT] = OPERATOR,
    [SVC_CURRENT_DELETE] = OPERATOR,
    [SVC_FILES] = VIEWER,
    [SVC_FILE_HISTORY] = VIEWER,
    [SVC_FILE_CONTENT] = VIEWER,
    [SVC_FILE_DIFF] = VIEWER,
    [SVC_TASK_LEASE] = OPERATOR,
    [SVC_TASK_HEARTBEAT] = OPERATOR,
    [SVC_TASK_COMPLETE] = OPERATOR,
    [SVC_TASK_FAIL] = OPERATOR,
    [SVC_FORK] = OPERATOR,
    [SVC_RETRY] = OPERATOR,
    [SVC_CHILD_ENDED] = ADMIN, /* app's own, as the next: no route leads here */
    [SVC_CHILD_RESUME] = ADMIN,
    [SVC_CATALOG_LIST] = VIEWER,
    [SVC_CATALOG_CREATE] = EDITOR,
    [SVC_CATALOG_GET] = VIEWER,
    [SVC_CATALOG_PUT] = EDITOR,
    [SVC_CATALOG_PATCH] = EDITOR,
    [SVC_CATALOG_DELETE] = EDITOR,
    [SVC_TEMPLATE_INSTANTIATE] = EDITOR,
    [SVC_MEMORY_INGEST] = EDITOR,
    [SVC_MEMORY_QUERY] = VIEWER,
    [SVC_MEMORY_LIST] = VIEWER,
    [SVC_MEMORY_GET] = VIEWER,
    [SVC_MEMORY_DELETE] = EDITOR,
    [SVC_MEMORY_PROMOTE] = EDITOR,
    [SVC_KNOWLEDGE] = VIEWER,
    [SVC_STATUS_LIST] = VIEWER,
    [SVC_STATUS_GET] = VIEWER,
    [SVC_STATUS_PUT] = OPERATOR,
    [SVC_SESSION_EXPORT] = OPERATOR, /* with what is under way: more than a viewer sees */
    [SVC_SESSION_IMPORT] = EDITOR,   /* with a graph of its own */
    [SVC_SCHEDULE_LIST] = VIEWER,
    [SVC_SCHEDULE_CREATE] = EDITOR,
    [SVC_SCHEDULE_GET] = VIEWER,
    [SVC_SCHEDULE_PUT] = EDITOR,
    [SVC_SCHEDULE_PATCH] = EDITOR,
    [SVC_SCHEDULE_DELETE] = EDITOR,
    [SVC_SCHEDULE_RUN] = OPERATOR,
    [SVC_AUDIT] = ADMIN,
    [SVC_WEBHOOK_LIST] = ADMIN,
    [SVC_WEBHOOK_CREATE] = ADMIN,
    [SVC_WEBHOOK_GET] = ADMIN,
    [SVC_WEBHOOK_PUT] = ADMIN,
    [SVC_WEBHOOK_PATCH] = ADMIN,
    [SVC_WEBHOOK_DELETE] = ADMIN,
    [SVC_WEBHOOK_DELIVERIES] = ADMIN,
    [SVC_WEBHOOK_REDELIVER] = ADMIN,
    [SVC_WEBHOOK_REPLAY] = ADMIN,
    [SVC_WEBHOOK_TEST] = ADMIN,
    [SVC_LLM_PROVIDERS] = VIEWER,
    [SVC_MODELS_PRICING] = VIEWER,
    [SVC_INSTANCES] = ADMIN,
    [SVC_KEY_LIST] = ADMIN,
    [SVC_KEY_CREATE] = ADMIN,
    [SVC_KEY_GET] = ADMIN,
    [SVC_KEY_REVOKE] = ADMIN,
    [SVC_WHOAMI] = VIEWER,
    [SVC_TICKET_MAKE] = VIEWER,
    [SVC_TICKET_TAKE] = OPEN, /* no route leads here: it is asked for by net, to know who comes */
    [SVC_READY] = OPEN,
    [SVC_METRICS] = VIEWER,
};

enum role access_needs(enum svc_op op)
{
    return op < SVC_OP_COUNT ? needs[op].role : ROLE_NONE;
}

bool access_is_open(enum svc_op op)
{
    return op < SVC_OP_COUNT && needs[op].open;
}

static int access_refuse(const struct principal *who, enum role needed, const char *what,
                         struct errbuf *e)
{
    return err_set(e, ERR_FORBIDDEN, "%s needs the role %s; this %s has %s", what,
                   role_word(needed), who->kind == PRINCIPAL_TOKEN ? "token" : "key",
                   role_word(who->role));
}

int access_check_op(const struct principal *who, enum svc_op op, struct errbuf *e)
{
    enum role needed = access_needs(op);

    if (access_is_open(op))
        return 0;
    if (needed == ROLE_NONE)
        return err_set(e, ERR_FORBIDDEN, "nobody may do that");
    return who->role >= needed ? 0 : access_refuse(who, needed, "this", e);
}

int access_check(const struct svc_req *req, struct errbuf *e)
{
    bool own_graph = req->op == SVC_EXECUTE && req->execute.graph_json.p;

    if (own_graph && req->who.role < ROLE_EDITOR)
        return access_refuse(&req->who, ROLE_EDITOR, "running a graph that is not stored", e);
    return access_check_op(&req->who, req->op, e);
}
