/* What net asks of the rest of the program: one request per command or question, from HTTP or
 * WebSocket alike. net parses and checks the shape (wire_parse.h), app does the work, and the
 * answer is a status with a JSON body that net sends.
 *
 * The request is owned by net, strings In live in its arena, and `done` is called exactly once, on
 * the loop; it may be called from inside service_submit() when the answer is known at once. When
 * the client goes away, net keeps the request until `done` and then drops the answer: commands are
 * carried out all the same.
 */
#ifndef SLUICE_NET_SERVICE_H
#define SLUICE_NET_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"
#include "engine/records.h"
#include "net/access.h"

struct inbox_turn;

enum svc_op {
    SVC_WORKFLOW_LIST,     /* list */
    SVC_WORKFLOW_CREATE,   /* workflow */
    SVC_WORKFLOW_GET,      /* name, version */
    SVC_WORKFLOW_PUT,      /* name, workflow, if_match */
    SVC_WORKFLOW_DELETE,   /* name, if_match */
    SVC_WORKFLOW_VERSIONS, /* name, list */
    SVC_WORKFLOW_VALIDATE, /* workflow, import.fix */
    SVC_WORKFLOW_IMPORT,   /* workflow, import */
    SVC_WORKFLOW_EXPORT,   /* name, version, export */
    SVC_WORKFLOW_DIAGRAM,  /* name, version, diagram, session_id (zero: none) */
    SVC_WORKFLOW_SCHEMA,
    SVC_WORKFLOW_GENERATE, /* generate */
    SVC_WORKFLOW_ESTIMATE, /* execute: one of workflow_id, graph_json; input_json or NULL */
    SVC_EXECUTE,           /* execute */
    SVC_SESSION_LIST,      /* list */
    SVC_SESSION_GET,       /* session_id (GET and HEAD) */
    SVC_SESSION_DELETE,    /* session_id, force, if_match */
    SVC_SESSION_PUT,       /* session_id, stored.json, if_match */
    SVC_SESSION_PATCH,     /* the same: merged into what is there */
    SVC_SESSION_BATCH,     /* stored.save_json, stored.delete_json */
    SVC_SESSION_STATS,     /* list: workflow_id, group_id, created_after, created_before */
    SVC_PAUSE,             /* session_id, pause */
    SVC_RESUME,
    SVC_CANCEL,          /* session_id, reason */
    SVC_STOP,            /* session_id, reason */
    SVC_NODE_RESUME,     /* session_id, answer */
    SVC_SIGNAL,          /* session_id, signal */
    SVC_INPUT,           /* session_id, input */
    SVC_EVENTS,          /* session_id, events */
    SVC_MESSAGES,        /* session_id, list: node_id, agent_id, role, too */
    SVC_SESSION_USAGE,   /* session_id */
    SVC_USAGE,           /* usage */
    SVC_NODES,           /* session_id, list */
    SVC_SESSION_DIAGRAM, /* session_id, diagram */
    SVC_REVIEW_LIST,     /* list, session_id (zero: of all) */
    SVC_REVIEW_GET,      /* answer.interrupt_id */
    SVC_STAGE_LIST,      /* session_id, list, stage.history */
    SVC_STAGE_GET,       /* answer.interrupt_id, as the next two */
    SVC_STAGE_UPDATE,    /* answer: data_json, reviewer */
    SVC_STAGE_COMPLETE,  /* the same */
    SVC_STAGE_SKIP,      /* answer.interrupt_id, reviewer; reason */
    SVC_STAGE_START,     /* session_id, answer: node_id, reviewer */
    SVC_PROGRESS,        /* session_id */
    SVC_NEXT,            /* session_id */
    SVC_CONTEXT,         /* session_id, diagram.format: json or text */
    SVC_TIMELINE,        /* session_id, list */
    SVC_CURRENT_GET,     /* current.user_id, as the next two */
    SVC_CURRENT_PUT,     /* session_id */
    SVC_CURRENT_DELETE,
    SVC_FILES,                /* session_id, list */
    SVC_FILE_HISTORY,         /* session_id, file, list */
    SVC_FILE_CONTENT,         /* session_id, file, version */
    SVC_FILE_DIFF,            /* session_id, file */
    SVC_TASK_LEASE,           /* task: queue, worker, max, wait_ms */
    SVC_TASK_HEARTBEAT,       /* task: id, attempt, text, level */
    SVC_TASK_COMPLETE,        /* task: id, attempt, output_json */
    SVC_TASK_FAIL,            /* task: id, attempt, error_json, retry */
    SVC_FORK,                 /* session_id, fork */
    SVC_RETRY,                /* session_id, fork.node_id */
    SVC_CHILD_ENDED,          /* app's own: task.id (the parent's run), output_json or error_json */
    SVC_CHILD_RESUME,         /* app's own: it was paused with its parent */
    SVC_CATALOG_LIST,         /* catalog.kind, list: agents, groups, templates */
    SVC_CATALOG_CREATE,       /* catalog.kind, workflow.text: the object */
    SVC_CATALOG_GET,          /* catalog.kind, name */
    SVC_CATALOG_PUT,          /* catalog.kind, name, workflow.text, if_match */
    SVC_CATALOG_PATCH,        /* the same: merged into what is there */
    SVC_CATALOG_DELETE,       /* catalog.kind, name, catalog.detach, if_match */
    SVC_TEMPLATE_INSTANTIATE, /* name, catalog.new_id, new_name, values_json */
    SVC_MEMORY_INGEST,  /* memory: group_id, content, agent_id, session_id, metadata_json, tier */
    SVC_MEMORY_QUERY,   /* memory: group_id, query and what narrows it */
    SVC_MEMORY_LIST,    /* memory: group_id, agent_id, session_id, tier; list */
    SVC_MEMORY_GET,     /* memory.id */
    SVC_MEMORY_DELETE,  /* memory.id */
    SVC_MEMORY_PROMOTE, /* memory: id, tier */
    SVC_KNOWLEDGE,      /* session_id, memory.tier, list */
    SVC_STATUS_LIST,    /* list: type, status */
    SVC_STATUS_GET,     /* name: the entry's id */
    SVC_STATUS_PUT,     /* name, set_status, reason, if_match */
    SVC_SESSION_EXPORT, /* session_id: the answer is JSON lines */
    SVC_SESSION_IMPORT, /* portable.text */

    SVC_SCHEDULE_LIST,   /* list: q */
    SVC_SCHEDULE_CREATE, /* workflow.text: the object */
    SVC_SCHEDULE_GET,    /* schedule_id */
    SVC_SCHEDULE_PUT,    /* schedule_id, workflow.text, if_match */
    SVC_SCHEDULE_PATCH,  /* the same: merged into what is there */
    SVC_SCHEDULE_DELETE, /* schedule_id, if_match */
    SVC_SCHEDULE_RUN,    /* schedule_id: now, beside its times */
    SVC_AUDIT,           /* list, audit, session_id */
    SVC_WEBHOOK_LIST,    /* list; in the next: name is its id */
    SVC_WEBHOOK_CREATE,  /* workflow.text: the object */
    SVC_WEBHOOK_GET,
    SVC_WEBHOOK_PUT,        /* workflow.text, if_match */
    SVC_WEBHOOK_PATCH,      /* the same: merged into what is there */
    SVC_WEBHOOK_DELETE,     /* if_match */
    SVC_WEBHOOK_DELIVERIES, /* list: status; session_id */
    SVC_WEBHOOK_REDELIVER,  /* answer.interrupt_id: the delivery */
    SVC_WEBHOOK_REPLAY,     /* workflow.text: session_id, after */
    SVC_WEBHOOK_TEST,

    SVC_LLM_PROVIDERS,  /* list */
    SVC_MODELS_PRICING, /* list */
    SVC_INSTANCES,
    SVC_KEY_LIST,   /* list, key.workspace */
    SVC_KEY_CREATE, /* key */
    SVC_KEY_GET,    /* name: its id */
    SVC_KEY_REVOKE, /* name: its id */
    SVC_WHOAMI,
    SVC_TICKET_MAKE,
    SVC_TICKET_TAKE, /* net's own: name is the ticket; on success `who` is whoever it was made for
                      */
    SVC_READY,       /* is the store writable? */
    SVC_METRICS,     /* body: Prometheus text */
    SVC_OP_COUNT,
};

#define SVC_METADATA_MAX 8 /* filters of one list */

struct svc_req {
    enum svc_op op;
    /* In */
    struct arena arena;
    /* Who asks; workspace and actor are its workspace and name, as strings in the arena or static:
     * "default" and "anonymous" without auth. An internal request is ROLE_ADMIN. */
    struct principal who;
    struct str workspace;
    struct str actor;
    struct str remote; /* the address that it came from; p == NULL: the server itself asks */
    struct id session_id;
    struct id schedule_id;
    struct str name;  /* of a workflow */
    int64_t version;  /* ?version; 0: newest */
    int64_t if_match; /* 0: not given */
    bool force;
    struct str reason;
    struct str idempotency_key; /* p == NULL: none */
    uint64_t body_hash[2];      /* of method, route and body, for the key */
    struct {
        struct str text; /* an exported session, not looked at; the request's body */
    } portable;
    struct {
        struct str text; /* JSON of the definition, or of a stored object; YAML was converted */
    } workflow;
    struct {
        struct str workflow_id; /* one of workflow_id and graph_json */
        int64_t workflow_version;
        struct str graph_json;
        struct str input_json; /* object; "{}" when not given */
        struct str name, group_id, user_id, tags_json, metadata_json, budget_json;
        struct str attachments_json; /* any JSON, or NULL */
        struct str stage;            /* begins there; NULL: at its start */
        bool start_paused;
        struct id session_id; /* app's own: the id that it gets; zero: a new one */
    } execute;
    struct {
        struct str id; /* NULL: the definition's own */
        bool fix, update;
    } import;
    struct {
        struct str format, as; /* NULL: json, native */
    } export;
    struct {
        bool history; /* those that are over, too */
    } stage;
    struct {
        struct str user_id; /* NULL: whoever asks */
    } current;
    struct {
        bool hold, timers_run;
    } pause;
    struct {
        struct str budget_json, justification; /* or NULL */
    } resume;
    struct {
        struct str node_id, action, data_json, reviewer;
        struct id interrupt_id; /* zero: not given */
    } answer;
    struct {
        struct str node_id, name, payload_json;
    } signal;
    struct {
        struct str content, user_id;
    } input;
    struct {
        struct str format; /* NULL: mermaid */
    } diagram;
    struct {
        struct id id;
        struct str queue, worker;
        int64_t max, wait_ms;     /* 0: one task; no waiting */
        int64_t attempt;          /* 0: not given */
        struct str output_json;   /* NULL: null */
        struct str error_json;    /* {code, message} */
        bool retry;               /* as the node's policy says; else not again */
        struct str text, level;   /* a line for the session's log; NULL: none */
        int64_t lease_expires_at; /* app's own */
    } task;
    struct {
        struct str path;
        int64_t from, to; /* versions of a diff; 0: the one before, the newest */
    } file;
    struct {
        enum catalog_kind kind;
        bool detach;
        struct str new_id, new_name, values_json; /* or NULL */
    } catalog;
    struct {
        int64_t after_seq;  /* one of after_seq (from 1) and node_id; a retry may have neither */
        struct str node_id; /* or NULL */
        struct str input_json, vars_json; /* or NULL */
    } fork;
    struct {
        struct str group_id, by; /* or NULL; by: "day,group,agent,model" or some of them */
        int64_t from, until;     /* 0: not given */
    } usage;
    struct {
        struct str json;                   /* the object */
        struct str save_json, delete_json; /* arrays of objects, of UUIDs; or NULL */
    } stored;
    struct {
        struct str prompt, provider, model; /* NULL: the default ones */
    } generate;
    struct {
        struct id id;                  /* of a chunk or of a source */
        struct id session_id;          /* zero: none, any */
        struct str group_id, agent_id; /* agent NULL: the group's, any */
        struct str content, metadata_json, query;
        struct str tier; /* word; NULL: as usual */
        /* JSON of what was given, else NULL: an array of words, numbers, times */
        struct str tiers_json, days_json, threshold_json, after_json, before_json;
        int64_t max_results; /* 0: not given */
    } memory;
    struct {
        struct str status;        /* a word of the status system */
        struct str progress_json; /* a number, or NULL */
    } set_status;
    struct {
        struct str name, role, workspace; /* workspace NULL: the asker's own; of a list: all */
        struct str expires_json;          /* a JSON string, a time; or NULL */
    } key;
    struct {
        struct str actor, action, object; /* NULL: any */
        int64_t after, before;            /* 0: any */
    } audit;
    struct {
        int64_t after;
        int limit;
        struct str types; /* comma list, or NULL */
    } events;
    struct {
        int limit; /* 1 to 500 */
        struct str cursor, q, type, status, kind, workflow_id, group_id, user_id, tag, category;
        struct str node_id, agent_id, role;
        int64_t created_after, created_before;
        bool ascending;
        struct svc_metadata { /* ?metadata.a.b=value */
            struct str path, value;
        } metadata[SVC_METADATA_MAX];
        size_t metadata_count;
    } list;

    /* Out */
    int status;      /* 0 or ERR_… : error and details make the error body then */
    int http_status; /* 0: from status (200 when 0) */
    struct errbuf error;
    const char *error_code;   /* static; NULL: err_word(status) */
    struct buf details;       /* JSON value, or empty */
    struct buf body;          /* of content_type; initialised by svc_req_init */
    const char *content_type; /* of a success; static; NULL: application/json */
    int64_t etag_version;     /* 0: none */
    int retry_after_s;        /* with ERR_OVERLOAD, ERR_UNAVAILABLE */

    void (*done)(struct svc_req *req);
    void *data;
    /* Set by app on a request that may wait for long: the client has gone, its answer will not be
     * read. Called once at most, before `done`. */
    void (*gone)(struct svc_req *req);
    void *gone_data;

    /* Private, app's */
    struct inbox_turn *inbox; /* this is a command of the inbox, carried out here */
    unsigned moves;           /* how often it was begun anew because its session moved */
};
#define SVC_BODY_MAX (64u << 20)
void svc_req_init(struct svc_req *req, enum svc_op op); /* zeroes, inits arena and bufs */
void svc_req_deinit(struct svc_req *req);

const char *svc_op_word(enum svc_op op); /* "schedule_run"; made by op_words.cmake */

/* access.c: what an operation needs. Some are open to everybody (access_is_open). ROLE_NONE: it has
 * no row in the table, nobody may. */
enum role access_needs(enum svc_op op);
bool access_is_open(enum svc_op op);
/* Whether `who` may ask for `op` at all: else ERR_FORBIDDEN with a sentence that names the role. */
int access_check_op(const struct principal *who, enum svc_op op, struct errbuf *e);
/* The same, once the request is parsed: a graph of one's own needs more than a stored workflow. */
int access_check(const struct svc_req *req, struct errbuf *e);
/* Who asks, and its strings in the request. */
void svc_req_set_who(struct svc_req *req, const struct principal *who);

struct service;
struct service_vtable {
    void (*submit)(struct service *s, struct svc_req *req);
    /* Who shows these, answered at once; tickets are not looked at. ERR_UNAUTHORIZED with a
     * sentence that does not tell why more than it must. NULL: everybody is anonymous. */
    int (*authenticate)(struct service *s, const struct credentials *shown, struct principal *out,
                        struct errbuf *e);
    /* net has refused the request itself: 401, 403, 429. For the audit log; may be NULL. */
    void (*refused)(struct service *s, const struct svc_req *req);
    /* Whether what was let in once may stay: keys are revoked, and expire. NULL: yes. */
    bool (*may_stay)(struct service *s, const struct principal *who);
    /* Whether the session is of their workspace, answered at once: 1, 0, or -1: ask for it
     * (SVC_SESSION_GET). NULL: it is. */
    int (*sees)(struct service *s, const struct principal *who, struct id session_id);
};
struct service {
    const struct service_vtable *v;
};
static inline void service_submit(struct service *s, struct svc_req *req)
{
    s->v->submit(s, req);
}
static inline int service_authenticate(struct service *s, const struct credentials *shown,
                                       struct principal *out, struct errbuf *e)
{
    if (s->v->authenticate)
        return s->v->authenticate(s, shown, out, e);
    principal_anonymous(out);
    return 0;
}
static inline void service_refused(struct service *s, const struct svc_req *req)
{
    if (s->v->refused)
        s->v->refused(s, req);
}
static inline bool service_may_stay(struct service *s, const struct principal *who)
{
    return !s->v->may_stay || s->v->may_stay(s, who);
}
static inline int service_sees(struct service *s, const struct principal *who, struct id session_id)
{
    return s->v->sees ? s->v->sees(s, who, session_id) : 1;
}

#endif
