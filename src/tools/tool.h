/* Tools: one call, one answer, whatever is behind it.
 *
 *     job ──> tool_job_start ──> http         a request to the world outside, addresses checked
 *                            ──> web_search   a source of the settings, or the offline demo
 *                            ──> mcp          a tool of a server of the settings
 *                            ──> mcp_describe what a server's tools are called and take
 *                ^ on_log (progress), then on_done once, both from the loop, never inside start
 *
 * mcp_describe is for those who offer tools to a model: server, and name for one tool alone; the
 * output is {"tools":[{"name","description","parameters"}]}, `parameters` a JSON Schema. Answers
 * are cached until the server says that its list changed.
 *
 * The request's texts are checked JSON and stay the caller's until on_done or cancel.
 */
#ifndef SLUICE_TOOLS_TOOL_H
#define SLUICE_TOOLS_TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"
#include "base/list.h"

struct uv_loop_s;

#define TOOL_TIMEOUT_MS       60000      /* of a job that names none */
#define TOOL_TIMEOUT_MS_MAX   3600000    /* longer ones are cut to it */
#define TOOL_OUTPUT_BYTES_MAX (4u << 20) /* of one answer, as JSON */
#define TOOL_JOBS_MAX         4096       /* under way at once; more: overload */

/* ---- settings; everything is copied by tools_create ---- */

/* A search source: GET url with {query} and {count} put in, percent-encoded. */
struct tool_search {
    const char *name, *url;
    const char *results; /* member of the answer that holds the list, "a.b" for nested; "results" */
    const char *title, *link, *snippet; /* members of a result; "title", "url", "content" */
    const char *const *headers;         /* "Name: value", NULL at the end; or NULL */
};

/* An MCP server: command (stdio) or url (streamable HTTP). */
struct tool_mcp_server {
    const char *name;
    const char *const *command; /* program and arguments, NULL at the end */
    const char *const *env;     /* "NAME=value", NULL at the end; or NULL. Nothing of the server's
                                   own environment is passed on but PATH, HOME, LANG, TMPDIR. */
    const char *cwd;            /* or NULL */
    const char *url;
    const char *const *headers; /* "Name: value" */
};

struct tools_settings {
    const char *const *allow; /* what http may reach of the inside: "127.0.0.1", "10.0.0.0/8",
                                 "host", each also with ":port"; NULL at the end; or NULL */
    const char *proxy;        /* of http; where it may go is the proxy's care then */
    const char *secrets_dir;  /* a file a secret; before the environment; or NULL */
    const struct tool_search *searches;
    size_t search_count;
    const struct tool_mcp_server *mcp;
    size_t mcp_count;
};

struct tools;
/* ERR_INVALID: a setting that cannot be used; e names it. Nothing is started yet. */
int tools_create(struct tools **out, struct uv_loop_s *loop, const struct tools_settings *settings,
                 struct errbuf *e);
/* All jobs must be done or cancelled. Servers are ended; `closed` comes when no handle is left. */
void tools_close(struct tools *t, void (*closed)(void *data), void *data);

/* ---- jobs ---- */

struct tool_job {
    /* In */
    struct str tool;           /* "http", "web_search", "mcp", "mcp_describe" */
    struct str server, name;   /* of mcp: which server, which tool of it */
    struct str arguments;      /* a JSON object, or NULL: {} */
    struct str secrets_of;     /* text whose {{ secret.NAME }} are meant; NULL: none are given */
    struct id idempotency_key; /* the same on every repeat */
    int64_t timeout_ms;        /* 0: TOOL_TIMEOUT_MS */
    void (*on_log)(struct tool_job *j, const char *level, struct str text); /* or NULL */
    void (*on_done)(struct tool_job *j);
    void *data;

    /* Out, valid in on_done until it returns */
    int status;             /* 0, or why not */
    char error_code[64];    /* "tool_error", "http_503", "timeout", "connect_failed", … */
    struct errbuf error;    /* a sentence, no secrets */
    int64_t retry_after_ms; /* what the server asked for, or -1 */
    struct buf output;      /* JSON; freed after on_done */

    /* Private */
    struct tools *tools;
    struct list link;
    const struct tool_kind *kind;
    void *impl;
    struct list later; /* in tools->finished: on_done comes in the next turn */
    struct uv_timer_s *timer;
    bool is_started;
};

/* 0: on_done will come. ERR_NOT_FOUND (no such tool, server or source), ERR_INVALID (arguments),
 * ERR_OVERLOAD: it does not come; error and error_code say why. */
int tool_job_start(struct tools *t, struct tool_job *j);
/* No callback afterwards; its request, if any, is ended before this returns. */
void tool_job_cancel(struct tool_job *j);

/* Is there such a tool; names of mcp servers are looked up when a job starts. */
bool tools_has(const struct tools *t, struct str tool);

#endif
