#include "llm/demo.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/mem.h"
#include "llm/demo_text.h"

/* Words of all calls that fall into one step of this grid come in one wake-up. */
#define STEP_US         8000u
#define PIECE_BYTES_MAX 24

struct demo {
    const struct llm *llm;
    uv_loop_t *loop;
    uv_timer_t timer;   /* one for all calls */
    uint64_t armed_us;  /* 0: not armed */
    struct list active; /* demo_call.link: begun and not held */
    void (*closed)(void *data);
    void *closed_data;
};

struct demo_call {
    struct llm_impl base;
    struct demo *demo;
    struct list link;
    struct buf text;
    struct buf tools; /* llm_call.tool_calls; empty: none */
    size_t at;        /* given out so far */
    uint64_t due_us;  /* of the next word, by the loop's clock */
    uint64_t gap_us;  /* on average */
    uint64_t random;
    int64_t max_words;
    int64_t input_words, output_words;
    bool is_busy, is_gone;
};

static void demo_timer_fired(uv_timer_t *timer);

static uint64_t demo_now_us(const struct demo *d)
{
    return uv_now(d->loop) * 1000;
}

static void demo_arm(struct demo *d, uint64_t due_us)
{
    if (d->armed_us && d->armed_us <= due_us)
        return;
    uint64_t now = demo_now_us(d);
    uint64_t at = (due_us + STEP_US - 1) / STEP_US * STEP_US;
    d->armed_us = at > now ? at : now + 1;
    uv_timer_start(&d->timer, demo_timer_fired, at > now ? (at - now) / 1000 : 0, 0);
}

/* 0.4 to 1.6 of the average. */
static uint64_t demo_gap(struct demo_call *call)
{
    return call->gap_us * (400 + demo_random(&call->random) % 1200) / 1000;
}

static void demo_call_free(struct demo_call *call)
{
    if (call->is_busy) {
        call->is_gone = true;
        return;
    }
    buf_deinit(&call->text);
    buf_deinit(&call->tools);
    free(call);
}

static void demo_call_finish(struct demo_call *call, const char *reason)
{
    struct llm_call *c = call->base.call;
    list_remove(&call->link);
    c->finish_reason = reason;
    if (call->tools.len && strcmp(reason, "stop") == 0) {
        c->tool_calls = buf_str(&call->tools);
        c->finish_reason = "tool_calls";
    }
    c->usage = (struct llm_usage){call->input_words, call->output_words};
    call->is_gone = true;
    llm_call_finish(&call->base);
    demo_call_free(call);
}

static bool demo_is_space(char c)
{
    return c == ' ' || c == '\n';
}

/* The spaces at `at` and the word after them; a long word comes in pieces, never in the middle of a
 * character. */
static size_t demo_piece(struct str text, size_t at)
{
    size_t end = at;
    while (end < text.n && demo_is_space(text.p[end]))
        end++;
    while (end < text.n && !demo_is_space(text.p[end])) {
        bool begins_char = ((unsigned char)text.p[end] & 0xC0) != 0x80;
        if (end - at >= PIECE_BYTES_MAX && begins_char)
            break;
        end++;
    }
    return end - at;
}

/* One word. False: the call is over, or gone, or held. */
static bool demo_call_speak(struct demo_call *call)
{
    struct str text = buf_str(&call->text);
    if (call->at >= text.n) {
        demo_call_finish(call, "stop");
        return false;
    }
    if (call->output_words >= call->max_words) {
        demo_call_finish(call, "length");
        return false;
    }
    struct str piece = {text.p + call->at, demo_piece(text, call->at)};
    call->at += piece.n;
    call->output_words++;
    call->due_us += demo_gap(call);
    llm_call_say(&call->base, piece, false);
    return !call->is_gone && !call->base.is_held;
}

static void demo_timer_fired(uv_timer_t *timer)
{
    struct demo *d = timer->data;
    struct list due, *first;
    uint64_t now = demo_now_us(d), earliest = UINT64_MAX;
    d->armed_us = 0;
    list_init(&due);
    list_splice(&due, &d->active);
    while ((first = list_pop(&due))) {
        struct demo_call *call = container_of(first, struct demo_call, link);
        list_append(&d->active, &call->link);
        call->is_busy = true;
        bool goes_on = true;
        while (goes_on && call->due_us <= now)
            goes_on = demo_call_speak(call);
        call->is_busy = false;
        if (call->is_gone)
            demo_call_free(call);
        else if (goes_on && call->due_us < earliest)
            earliest = call->due_us;
    }
    if (earliest != UINT64_MAX)
        demo_arm(d, earliest);
}

static int demo_prepare(void *self, size_t provider, struct llm_call *c, struct llm_impl **out,
                        struct errbuf *e)
{
    struct demo *d = self;
    struct demo_prompt prompt;
    unsigned seed = llm_provider_at(d->llm, provider)->demo_seed;
    struct id key = c->idempotency_key;
    if (seed) {
        key = (struct id){{0}};
        memcpy(key.b, &seed, sizeof(seed));
    }
    int rc = demo_prompt_init(&prompt, c->request, key, e);
    if (rc)
        return rc;
    struct demo_call *call = mem_zalloc(sizeof(*call));
    call->demo = d;
    list_init(&call->link);
    call->gap_us = 1000000 / llm_provider_at(d->llm, provider)->demo_tokens_per_s;
    call->random = prompt.seed;
    call->max_words = prompt.max_words;
    call->input_words = prompt.input_words;
    buf_init(&call->text, LLM_TEXT_BYTES_MAX);
    buf_init(&call->tools, LLM_TEXT_BYTES_MAX);
    demo_tools_write(&prompt, &call->tools);
    if (call->tools.len)
        demo_tools_say(json_root(buf_str(&call->tools)), &call->text);
    else
        demo_text_write(&prompt, &call->text);
    demo_prompt_deinit(&prompt);
    rc = buf_error(&call->text) ? buf_error(&call->text) : buf_error(&call->tools);
    if (rc) {
        buf_deinit(&call->text);
        buf_deinit(&call->tools);
        free(call);
        return err_set(e, ERR_INVALID, "response_schema: the smallest answer is too large");
    }
    buf_fit(&call->text);
    buf_fit(&call->tools);
    if (!c->model_used)
        c->model_used = "demo";
    *out = &call->base;
    return 0;
}

static void demo_schedule(struct demo_call *call)
{
    call->due_us = demo_now_us(call->demo) + demo_gap(call);
    list_remove(&call->link);
    list_append(&call->demo->active, &call->link);
    demo_arm(call->demo, call->due_us);
}

static void demo_begin(struct llm_impl *impl)
{
    struct demo_call *call = container_of(impl, struct demo_call, base);
    if (!impl->is_held)
        demo_schedule(call);
}

static void demo_cancel(struct llm_impl *impl)
{
    struct demo_call *call = container_of(impl, struct demo_call, base);
    list_remove(&call->link);
    demo_call_free(call);
}

static void demo_hold(struct llm_impl *impl)
{
    list_remove(&container_of(impl, struct demo_call, base)->link);
}

static void demo_unhold(struct llm_impl *impl)
{
    demo_schedule(container_of(impl, struct demo_call, base));
}

static void demo_timer_closed(uv_handle_t *handle)
{
    struct demo *d = handle->data;
    void (*closed)(void *data) = d->closed;
    void *data = d->closed_data;
    free(d);
    closed(data);
}

static void demo_close(void *self, void (*closed)(void *data), void *data)
{
    struct demo *d = self;
    d->closed = closed;
    d->closed_data = data;
    uv_close((uv_handle_t *)&d->timer, demo_timer_closed);
}

struct demo *demo_open(struct uv_loop_s *loop, const struct llm *llm)
{
    struct demo *d = mem_zalloc(sizeof(*d));
    d->llm = llm;
    d->loop = loop;
    list_init(&d->active);
    uv_timer_init(loop, &d->timer);
    d->timer.data = d;
    return d;
}

const struct llm_backend demo_backend = {
    .prepare = demo_prepare,
    .begin = demo_begin,
    .cancel = demo_cancel,
    .hold = demo_hold,
    .unhold = demo_unhold,
    .close = demo_close,
};
