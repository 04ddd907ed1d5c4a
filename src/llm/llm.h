/* Model calls: one streamed chat completion each, on the loop.
 *
 *     llm_call_start ──> on_delta* ──> on_done          (exactly once, never inside start)
 *            └── llm_call_cancel: the socket is closed before it returns; no callback afterwards
 *            └── llm_call_hold / unhold: stops reading, so that TCP holds the model back
 *
 * Ownership: the caller owns struct llm_call and everything In points to, until on_done has started
 * or llm_call_cancel() has returned; the request only until on_delta has started. All functions and
 * callbacks are on the loop's thread.
 *
 * Dialects: openai (chat completions over HTTP, any base URL) and demo (offline, canned, says so).
 * A call waits for a slot of its provider; callers take turns (fair_key). While no delta was given
 * out, a failed attempt (connect errors, 408, 409, 429, 5xx, obeying x-should-retry) goes on to the
 * call's next target; the last target is asked again, at most retries_max times, obeying
 * retry-after-ms and Retry-After. A provider that says 429 or 529, or fails again and again, is
 * left alone for a while (circuit.h): calls without another target wait, for queue_timeout_ms in
 * all. After the first delta a failure is the caller's to handle (stream_reset).
 * Wire: protocols of OpenAI-compatible servers; docs/ARCHITECTURE.md, "Models".
 */
#ifndef SLUICE_LLM_LLM_H
#define SLUICE_LLM_LLM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"
#include "base/list.h"

struct uv_loop_s;

#define LLM_TEXT_BYTES_MAX (8u << 20) /* of one completion; more is an error, finish "length" */

enum llm_dialect { LLM_OPENAI, LLM_DEMO, LLM_ANTHROPIC };

struct llm_provider {
    const char *id; /* "default", "demo", … */
    enum llm_dialect dialect;
    const char *base_url;       /* with its /v1, no trailing slash; NULL for demo */
    const char *api_key_file;   /* where its key is read, or NULL: for lists */
    const char *api_key;        /* NULL: no Authorization header. Never logged. */
    const char *default_model;  /* used when a call names none */
    unsigned max_concurrent;    /* calls at once; more wait in order; 0: 512 */
    int64_t connect_timeout_ms; /* 0: 10 s */
    int64_t idle_timeout_ms;    /* no byte for so long, or a 64th longer: timeout; 0: 120 s */
    int64_t queue_timeout_ms;   /* how long a call may wait for a slot; 0: 10 min */
    unsigned retries_max;       /* before the first delta; default 2 */
    unsigned demo_tokens_per_s; /* demo only; 0: 25 */
    unsigned demo_seed; /* demo only; not 0: the same request gives the same text in every call */
    const char *const *models; /* those that people may choose, for lists; not a restriction */
    unsigned model_count;
};

struct llm_usage {
    int64_t input_tokens, output_tokens; /* as the server said; -1: it did not say */
};

#define LLM_TARGETS_MAX 8 /* of one call */

struct llm_target {
    const char *provider; /* id; NULL or "": the first configured */
    const char *model;    /* NULL or "": the provider's default */
};

#define LLM_SOON_STEPS 6

struct llm_call {
    /* In */
    const char *provider, *model;     /* as of a target */
    const struct llm_target *targets; /* in order; with target_count 0 the two above are the only */
    unsigned target_count;
    /* {"messages":[{"role","content"}…], "tools":[{"name","description"?,"parameters"?}…]?,
     *  "temperature"?, "top_p"?, "max_tokens"?, "response_schema"?}; "provider" and "model", from
     * which the targets were made, may stand there and are not looked at; a message may also be
     *  {"role":"assistant","content"?,"tool_calls":[{"id","name","arguments"}…]} or
     *  {"role":"tool","tool_call_id","content"}: checked JSON, in our own neutral form; the dialect
     * writes its own. */
    struct str request;
    struct id idempotency_key; /* the same on every repeat: sent as Idempotency-Key; seeds demo */
    struct id fair_key; /* whose call it is (a session): those that wait for a provider take turns
                           by it; zero: its own */
    void (*on_delta)(struct llm_call *c, struct str utf8, bool is_thinking);
    void (*on_done)(struct llm_call *c);
    /* Or NULL. on_delta() is next, for several calls: what it looks at is to be fetched into the
     * caches meanwhile, in LLM_SOON_STEPS steps, each of them for all of the calls. */
    void (*on_soon)(const struct llm_call *c, unsigned step);
    void *data;

    /* Out, valid in on_done (strings until it returns) */
    int status; /* 0; ERR_UPSTREAM, ERR_TIMEOUT, ERR_OVERLOAD (429 to the end), ERR_TOO_LARGE,
                   ERR_INVALID */
    char error_code[64];    /* "rate_limited", "provider_unavailable" (waited to the end),
                               "truncated", "connect_failed", "http_503", "model_error",
                               "bad_response", … */
    struct errbuf error;    /* a sentence with what the server said, no secrets */
    int64_t retry_after_ms; /* what the server asked for, or -1 */
    struct str tool_calls;  /* [{"id","name","arguments": text that should be JSON}…], or NULL */
    const char *finish_reason; /* "stop", "length", "content_filter", "tool_calls" */
    const char *model_used;    /* as the server reported, else as asked */
    const char *provider_used;
    struct llm_usage usage;

    /* Private */
    void *impl;
    struct list link;
};

/* ---- vectors ---- */

#define LLM_EMBED_TEXTS_MAX      256        /* of one request; more: ERR_INVALID */
#define LLM_EMBED_BYTES_MAX      (1u << 20) /* of all its texts */
#define LLM_EMBED_DIMENSIONS_MAX 4096

/* One request for the vectors of some texts. Ownership, repeats and errors as for a call. */
struct llm_embed {
    /* In */
    const char *provider, *model; /* NULL: the first configured, its default */
    const struct str *texts;
    size_t count;
    unsigned dimensions; /* wanted of models that can do several; what comes must have so many. 0:
                            as many as the model gives */
    struct id fair_key;
    void (*on_done)(struct llm_embed *c);
    void *data;
    /* Out, valid in on_done */
    int status;
    char error_code[64];
    struct errbuf error;
    int64_t retry_after_ms;
    const float *vectors; /* count * dimensions_used, each of length 1 */
    unsigned dimensions_used;
    const char *model_used, *provider_used;
    int64_t input_tokens; /* -1: not told */
    /* Private */
    void *impl;
    struct list link;
};

struct llm;
int llm_create(struct llm **out, struct uv_loop_s *loop, const struct llm_provider *providers,
               size_t count, struct errbuf *e); /* copies the providers */
/* All calls must be done or cancelled. Handles close asynchronously; `closed` comes later. */
void llm_close(struct llm *llm, void (*closed)(void *data), void *data);

/* 0: on_done will come. ERR_NOT_FOUND (provider), ERR_INVALID (request): on_done does not come. */
int llm_call_start(struct llm *llm, struct llm_call *c, struct errbuf *e);
void llm_call_cancel(struct llm *llm, struct llm_call *c);
void llm_call_hold(struct llm *llm, struct llm_call *c);
void llm_call_unhold(struct llm *llm, struct llm_call *c);

/* Set aside: what models send wakes the loop no more, and waits in its sockets for llm_read().
 * False: nothing was set aside, for models are quicker than the loop. */
bool llm_set_aside(struct llm *llm, bool is_aside);
/* Reads what models have sent, a bounded share of it; not from a callback of a call. False: there
 * may be more. */
bool llm_read(struct llm *llm);
/* What llm_read() leaves to be done in sockets that are set aside: when nobody waits, or the next
 * one does it. */
void llm_discard(struct llm *llm);

/* As llm_call_start(). The dialects openai and demo have vectors; others: ERR_INVALID. */
int llm_embed_start(struct llm *llm, struct llm_embed *c, struct errbuf *e);
void llm_embed_cancel(struct llm *llm, struct llm_embed *c);

const char *llm_dialect_name(enum llm_dialect dialect); /* as the settings have it */
/* Another key for a provider, by its index; calls that were asked keep the one they had. Copied.
 * ERR_INVALID: it cannot be one, the old one stays. */
int llm_set_key(struct llm *llm, size_t provider, const char *key, struct errbuf *e);
bool llm_has_provider(const struct llm *llm, const char *id);

/* ---- what is going on, for lists and metrics ---- */

struct llm_provider_stats {
    const struct llm_provider *config; /* its key is nobody's business */
    const char *circuit;               /* "closed", "open", "recovering" */
    int64_t open_ms;                   /* of an open one: until one call tries */
    size_t in_flight, waiting;
    uint64_t opened;              /* how often the circuit has */
    uint64_t done, failed, moved; /* attempts: well, not well, not well and on to the next target */
    uint64_t waited_ms;           /* of all that got a slot */
    const uint64_t *waits;        /* how many waited how long: wait_classes, and one for more */
    const uint64_t *wait_ends_ms; /* wait_classes upper ends */
    unsigned wait_classes;
};
size_t llm_provider_count(const struct llm *llm);
void llm_provider_stats(const struct llm *llm, size_t index, struct llm_provider_stats *out);

#endif
