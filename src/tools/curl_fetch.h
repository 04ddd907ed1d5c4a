/* HTTP requests of tools, by libcurl on the loop.
 *
 *     fetch_init, fetch_add_header ── fetch_start ──> on_bytes … ──> on_done ──> fetch_deinit
 *                                          └─────────── fetch_cancel ───────────────^
 *
 * A guarded fetcher looks at the address that a socket is about to be opened to, so a name that
 * resolves to something else the second time gains nothing. Its connections are its own, so that
 * none that somebody else may have is used again. Redirects are followed here and not by libcurl:
 * each is a request of its own, and headers that hold secrets stay with the origin they are for.
 *
 * Callbacks come from the loop, never from inside start; a callback may cancel or free its fetch.
 */
#ifndef SLUICE_TOOLS_CURL_FETCH_H
#define SLUICE_TOOLS_CURL_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/list.h"

#define FETCH_CONNECT_MS     10000
#define FETCH_REDIRECTS_MAX  5
#define FETCH_URL_BYTES_MAX  8192
#define FETCH_HEADERS_MAX    64 /* of a request */
#define FETCH_HEAD_BYTES_MAX (64u << 10)
#define FETCH_BODY_BYTES_MAX (16u << 20) /* of a request */

struct uv_loop_s;
struct address_rule;
struct fetcher;

struct fetcher_options {
    bool is_guarded;
    const struct address_rule *rules; /* of what a guarded one may reach; the owner's */
    size_t rule_count;
    const char *proxy; /* or NULL: none, not even from the environment */
};
int fetcher_open(struct fetcher **out, struct uv_loop_s *loop, const struct fetcher_options *o,
                 struct errbuf *e);
/* Every fetch is over or cancelled. */
void fetcher_close(struct fetcher *f, void (*closed)(void *data), void *data);

struct fetch_line {
    char *text;
    bool is_secret;
};

struct fetch {
    /* In */
    struct fetcher *fetcher;
    char *url; /* owned */
    char method[16];
    struct str body;  /* the caller's until the end; p NULL: none */
    size_t bytes_max; /* of the answer's body */
    unsigned redirects_max;
    long timeout_ms; /* of each request; 0: none, the owner sees to it */
    /* Where the body goes as it comes; NULL: into `in`, whole at on_done. */
    void (*on_bytes)(struct fetch *f, struct str bytes);
    void (*on_done)(struct fetch *f);
    void *data;

    /* Out. The http_status stands from the first on_bytes on. */
    int status;    /* 0: an answer came whole, whatever it says */
    char code[32]; /* "connect_failed", "address_refused", "timeout", … */
    struct errbuf error;
    long http_status;
    bool is_cut; /* the body was longer than bytes_max; `in` has its beginning */
    struct buf in;

    /* Private */
    struct fetch_line lines[FETCH_HEADERS_MAX];
    size_t line_count;
    void *easy;
    void *header_list;
    struct list ready;
    unsigned redirects;
    bool is_ended, is_left; /* is_left: it is not at the origin it began with */
    int result;
    char refused[64]; /* an address that was */
    char host[256];
    int port;
    char curl_error[256];
};

void fetch_init(struct fetch *f, struct fetcher *fetcher);
void fetch_deinit(struct fetch *f); /* cancels what is under way */
/* ERR_INVALID: no such header can be sent, or too many. */
int fetch_add_header(struct fetch *f, struct str name, struct str value, bool is_secret,
                     struct errbuf *e);
bool fetch_has_header(const struct fetch *f, const char *name);
/* A "Name: value" line of the settings. */
int fetch_add_line(struct fetch *f, struct str line, bool is_secret, struct errbuf *e);
void fetch_start(struct fetch *f);
void fetch_cancel(struct fetch *f);
/* A header of the answer, or NULL; from the first on_bytes until fetch_deinit. */
const char *fetch_header(const struct fetch *f, const char *name);
/* All of them, in order: index counts up until NULL. */
const char *fetch_header_at(const struct fetch *f, size_t index, const char **value);
/* Retry-After in ms, or -1. */
int64_t fetch_retry_after_ms(const struct fetch *f);

#endif
