/* One MCP server of the settings: its connection, its generation, requests on their way.
 *
 *     IDLE ── a request ──> GREETING ── discover answered ────────────> READY (modern)
 *      ^ ^                     │ └── refused ── initialize answered ──> READY (legacy)
 *      │ └── nobody there ─────┘                                          │
 *      └── RESTING (back-off, stdio) <── the process ended ───────────────┘
 *
 * Requests made before READY wait in order; those that were sent when a process dies fail, for
 * nobody knows whether they took effect, and their caller may repeat them. Over HTTP a session that
 * the server has forgotten is begun anew, once a request. The generation is remembered until the
 * process ends.
 */
#ifndef SLUICE_TOOLS_MCP_SERVER_H
#define SLUICE_TOOLS_MCP_SERVER_H

#include <uv.h>

#include "tools/mcp_message.h"
#include "tools/tool_private.h"

#define MCP_DISCOVER_MS    10000 /* without an answer: of the older generation */
#define MCP_GREETING_MS    60000 /* a server that is fetched by npx takes its time */
#define MCP_REST_MS        200   /* doubles with every death that follows soon */
#define MCP_REST_MS_MAX    30000
#define MCP_STEADY_MS      60000 /* who has lived so long begins at MCP_REST_MS again */
#define MCP_TOOLS_MAX      1000  /* of one server */
#define MCP_PAGES_MAX      50
#define MCP_LIST_FRESH_MS  300000 /* over HTTP nobody tells that a list has changed */
#define MCP_SESSION_ID_MAX 256

enum mcp_state { MCP_IDLE, MCP_GREETING, MCP_READY, MCP_RESTING };
enum mcp_era { MCP_ERA_UNKNOWN, MCP_ERA_MODERN, MCP_ERA_LEGACY };

struct mcp_stdio;
struct mcp_exchange;

struct mcp_request {
    /* In; init by mcp_request_init */
    const char *method;
    struct buf params;    /* members, without braces */
    char *tool;           /* of tools/call: for a header of the modern generation; or NULL */
    struct str arguments; /* of tools/call, for headers */
    char *schema;         /* of the tool over HTTP, if known; owned, as `tool` is */
    void (*on_progress)(struct mcp_request *r, struct json params); /* or NULL */
    /* m NULL: failed, see status. Not called after mcp_request_cancel(). */
    void (*on_end)(struct mcp_request *r, const struct mcp_message *m);
    void *data;
    /* Out */
    int status;
    char code[64];
    struct errbuf error;
    int64_t retry_after_ms;
    /* Private */
    struct list link; /* in server->waiting or server->sent */
    struct mcp_server *server;
    int64_t id; /* -1: not sent */
    bool is_greeting, was_repeated;
    struct mcp_exchange *exchange;
};

struct mcp_list_wait {
    struct list link;
    void (*done)(struct mcp_list_wait *w, const struct mcp_request *failed); /* NULL: it is known */
};

struct mcp_server {
    struct tools *tools;
    const struct tool_mcp_server *settings;
    enum mcp_state state;
    enum mcp_era era;
    const char *version;
    int64_t last_id;
    struct list waiting, sent, exchanges;
    struct mcp_request *greeting;
    uv_timer_t timer; /* of the greeting, or of the rest */
    bool is_closing;
    /* stdio */
    struct mcp_stdio *stdio;
    unsigned deaths;
    uint64_t ready_at;
    char last_words[200]; /* the last line on its standard error */
    /* HTTP, legacy */
    char session_id[MCP_SESSION_ID_MAX + 1];
    /* tools */
    struct buf list;    /* [{"name","description","parameters"}…] */
    struct buf listing; /* the one that is being made */
    bool is_listed, is_listing, is_list_stale;
    unsigned list_count, list_pages;
    uint64_t listed_at;
    struct list list_waits;
    struct mcp_request list_request;
};

struct mcp_server *mcp_server_create(struct tools *t, const struct tool_mcp_server *settings);
void mcp_servers_close(struct tools *t); /* tools_part_closed() once for each of their handles */
void mcp_servers_destroy(struct tools *t);
struct mcp_server *mcp_server_find(const struct tools *t, struct str name);

void mcp_request_init(struct mcp_request *r, const char *method);
void mcp_request_deinit(struct mcp_request *r);
void mcp_request_send(struct mcp_server *s, struct mcp_request *r);
void mcp_request_cancel(struct mcp_request *r); /* tells the server; fine when it is over */
/* Ends it with an error; r is the caller's again. */
void mcp_request_fail(struct mcp_request *r, int status, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Calls w->done when the list is known: later, or at once when `is_known` already (true is
 * returned then and done is not called). */
bool mcp_server_want_list(struct mcp_server *s, struct mcp_list_wait *w);
/* Fine when it is not waited for. With the last one the question itself is taken back. */
void mcp_server_unwant_list(struct mcp_server *s, struct mcp_list_wait *w);
/* A tool's description in the list, or JSON_ABSENT. */
struct json mcp_server_tool(const struct mcp_server *s, struct str name);

/* ---- for the transports ---- */

/* One message came. `of`: the request whose HTTP answer it is part of, or NULL. */
void mcp_server_received(struct mcp_server *s, struct str text, struct mcp_request *of);
/* The process is gone. */
void mcp_server_lost(struct mcp_server *s, const char *how);
/* The session it was asked in is not known any more: r waits for a new one. */
void mcp_server_session_lost(struct mcp_server *s, struct mcp_request *r, const char *session_id);
struct mcp_request *mcp_server_sent(const struct mcp_server *s, int64_t id);
/* r was answered. */
void mcp_request_end(struct mcp_request *r, const struct mcp_message *m);

/* mcp_stdio.c. ERR_IO: it cannot be started. */
int mcp_stdio_open(struct mcp_server *s, struct errbuf *e);
void mcp_stdio_end(struct mcp_stdio *p); /* no callbacks afterwards; it goes by itself */
void mcp_stdio_send(struct mcp_stdio *p, struct str message);

/* mcp_http.c */
void mcp_http_send(struct mcp_server *s, struct mcp_request *r, struct str message);
/* A notification or an answer, which nobody waits for. */
void mcp_http_tell(struct mcp_server *s, struct str message);
void mcp_http_drop(struct mcp_exchange *x); /* closes its stream */
void mcp_http_drop_all(struct mcp_server *s);

#endif
