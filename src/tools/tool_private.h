/* What the files of tools share. Private to src/tools. */
#ifndef SLUICE_TOOLS_TOOL_PRIVATE_H
#define SLUICE_TOOLS_TOOL_PRIVATE_H

#include <uv.h>

#include "base/arena.h"
#include "base/json.h"
#include "tools/address.h"
#include "tools/curl_fetch.h"
#include "tools/tool.h"

struct mcp_server;

struct tool_kind {
    const char *name;
    /* 0: j->impl is set, and tool_job_finish() follows, but not before it returned. Else the job
     * was failed by tool_job_fail(). */
    int (*start)(struct tool_job *j);
    void (*cancel)(struct tool_job *j); /* ends what is under way, frees j->impl */
};
extern const struct tool_kind tool_http, tool_web_search, tool_mcp, tool_mcp_describe;

struct tools {
    struct uv_loop_s *loop;
    struct arena arena; /* of the settings */
    struct address_rule *allow;
    size_t allow_count;
    const char *proxy, *secrets_dir;
    struct tool_search *searches;
    size_t search_count;
    struct mcp_server **mcp;
    size_t mcp_count;
    struct fetcher *outside; /* for URLs of workflows: every address is checked */
    struct fetcher *inside;  /* for URLs of the settings */
    struct list jobs, finished;
    size_t job_count;
    uv_idle_t kick;      /* gives out what is in finished */
    unsigned open_parts; /* while closing, and timers that go */
    void (*closed)(void *data);
    void *closed_data;
};

/* Sets status, code and sentence; returns status. */
int tool_job_fail(struct tool_job *j, int status, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* j->impl is freed, Out is set. The job is the caller's again when this returns. */
void tool_job_finish(struct tool_job *j);
void tool_job_finish_later(struct tool_job *j);
void tool_job_log(struct tool_job *j, const char *level, struct str text);
void tools_part_closed(struct tools *t);

/* Puts secrets in place of {{ secret.NAME }}. `meant`: text that must name them too (what the
 * author wrote), or NULL: none may be used. *count grows by those used, for redaction. The values
 * are at most SECRET_BYTES_MAX and hold no control character. ERR_INVALID. */
#define SECRET_BYTES_MAX 8192
#define SECRETS_MAX      16
struct secrets {
    char *values[SECRETS_MAX];
    size_t count;
};
void secrets_deinit(struct secrets *s); /* wipes and frees */
int secrets_expand(const struct tools *t, struct str text, struct str meant, struct secrets *s,
                   struct buf *out, struct errbuf *e);
/* Replaces every value in the text by ***. */
void secrets_hide(const struct secrets *s, struct buf *text);

void tool_percent_encode(struct buf *out, struct str s);
/* "Name: value" lines of the settings, which may name secrets themselves. ERR_INVALID. */
int tool_settings_headers(const struct tools *t, const char *const *lines, struct fetch *f,
                          struct secrets *secrets, struct errbuf *e);
/* An answer's body and type: JSON when it says so and is, else text; false: neither. */
bool tool_is_json_type(const char *content_type);
bool tool_is_text(struct str body);

#endif
