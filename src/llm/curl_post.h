/* Requests to a provider whose answer is read whole: POST a JSON text, get a JSON text. Repeated as
 * model calls are (llm.h); nothing of an answer is used before all of it is there, so a broken one
 * is asked for again, too.
 *
 *     curl_post_start ──> on_done        (exactly once, never inside start)
 *            └── curl_post_cancel: no callback afterwards
 */
#ifndef SLUICE_LLM_CURL_POST_H
#define SLUICE_LLM_CURL_POST_H

#include "base/buf.h"
#include "base/curl_loop.h"
#include "base/list.h"
#include "llm/backend.h"
#include "llm/curl_provider.h"

#define CURL_POST_ANSWER_BYTES_MAX (16u << 20)

struct curl_poster;

/* In the caller's memory, zeroed before its first use. */
struct curl_post {
    /* In */
    size_t provider; /* index */
    struct str body; /* stays until on_done */
    void (*on_done)(struct curl_post *p);
    /* Out, valid in on_done */
    int status; /* 0; ERR_UPSTREAM, ERR_TIMEOUT, ERR_OVERLOAD, ERR_TOO_LARGE */
    char error_code[64];
    struct errbuf error;
    int64_t retry_after_ms;
    struct str answer;
    /* Private */
    struct curl_poster *poster;
    struct list link; /* curl_poster.waiting or .ended */
    uint64_t due_ms;
    unsigned attempt;
    CURL *easy;
    CURLcode result;
    long http_status;
    bool is_overflow;
    struct buf in;
};

/* For the providers of dialect openai. path: behind their base URLs. */
int curl_poster_open(struct curl_poster **out, struct uv_loop_s *loop, const struct llm *llm,
                     size_t provider_count, const char *path, struct errbuf *e);
/* All are done or cancelled. */
void curl_poster_close(struct curl_poster *poster, void (*closed)(void *data), void *data);

void curl_post_start(struct curl_poster *poster, struct curl_post *p);
void curl_post_cancel(struct curl_post *p);

#endif
