/* What a dialect gives to llm.c, and what llm.c gives to it. Private to src/llm.
 *
 *     prepare ──(a slot is free)──> begin ──> llm_call_say* ──> llm_call_finish
 *        └─────────── cancel, hold, unhold at any time ────────┘
 */
#ifndef SLUICE_LLM_BACKEND_H
#define SLUICE_LLM_BACKEND_H

#include "llm/circuit.h"
#include "llm/llm.h"

/* The first member of what a dialect keeps for a call (llm_call.impl). */
struct llm_impl {
    struct llm_task *task; /* of call.c */
    struct llm_call *call;
    size_t provider; /* index */
    bool is_held;
    /* Of a call that failed, set before llm_call_finish(): */
    enum circuit_result fault; /* CIRCUIT_GOOD: the request's own, the provider did well */
    bool may_repeat;           /* the same may go well a little later */
};

struct llm_backend {
    /* Checks the request and sets *out; the request is not looked at afterwards. c->model_used is
     * the model to ask for, or NULL. */
    int (*prepare)(void *self, size_t provider, struct llm_call *c, struct llm_impl **out,
                   struct errbuf *e);
    /* May not call back before it returned; a failure here comes by llm_call_finish(), later. */
    void (*begin)(struct llm_impl *impl);
    /* Begun or not: closes what is open and frees impl. */
    void (*cancel)(struct llm_impl *impl);
    /* is_held was changed just before. Only called when begun. */
    void (*hold)(struct llm_impl *impl);
    void (*unhold)(struct llm_impl *impl);
    /* See llm_set_aside(). NULL: it has no sockets. */
    bool (*set_aside)(void *self, bool is_aside);
    bool (*read)(void *self);
    void (*discard)(void *self);
    /* No calls are left. Frees self, then calls `closed` when its handles are gone. */
    void (*close)(void *self, void (*closed)(void *data), void *data);
};

const struct llm_provider *llm_provider_at(const struct llm *llm, size_t index);

/* A piece of the answer. The call may be cancelled when it returns. */
void llm_call_say(struct llm_impl *impl, struct str utf8, bool is_thinking);

/* Gives the slot to the next call that waits; then the call is repeated, goes to another provider,
 * or on_done is called. The Out fields are set; the backend has unlinked the call from everything
 * of its own and frees impl after this returned. */
void llm_call_finish(struct llm_impl *impl);

/* Sets status, code and sentence of a call that failed. */
void llm_call_fail(struct llm_call *c, int status, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#endif
