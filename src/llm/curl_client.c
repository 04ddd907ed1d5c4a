#include "llm/curl_client.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "llm/curl_call.h"
#include "llm/curl_retry.h"
#include "llm/dialect.h"

#define BODY_BYTES_MAX     (64u << 20) /* of one request */
#define TOOLS_BYTES_MAX    (64u << 20) /* escaped once more than they came */
#define FINISHING_MS       1000        /* from [DONE] to the end of the stream */
#define SPARE_IN_BYTES_MAX 4096        /* of one: a few chunks */

static void curl_client_kick_fired(uv_idle_t *kick);

void curl_call_kick(struct curl_call *call)
{
    curl_call_make_ready(call);
    uv_idle_start(&call->client->kick, curl_client_kick_fired);
}

/* ---- The end of a call ---- */

static void curl_call_free(struct curl_call *call)
{
    reader_deinit(&call->reader);
    buf_deinit(&call->body);
    buf_deinit(&call->in);
    buf_deinit(&call->late);
    buf_deinit(&call->tools);
    free(call);
}

static void curl_client_free_dead(struct curl_client *cl)
{
    list_foreach_safe(it, next, &cl->dead)
        curl_call_free(container_of(it, struct curl_call, ready));
    list_init(&cl->dead);
}

static void curl_call_close(struct curl_call *call)
{
    struct curl_client *cl = call->client;
    curl_call_drop_transfer(call);
    list_remove(&call->link);
    list_remove(&call->ready);
    call->is_gone = true;
    list_append(&cl->dead, &call->ready);
    uv_idle_start(&cl->kick, curl_client_kick_fired);
}

/* Status and sentence are set. */
static void curl_call_finish(struct curl_call *call)
{
    struct llm_call *c = call->base.call;
    curl_call_close(call);
    if (c->status)
        curl_provider_redact(call->provider, &c->error);
    if (call->reader.decoder.model[0])
        c->model_used = call->reader.decoder.model;
    if (!c->finish_reason)
        c->finish_reason = call->reader.decoder.finish_reason;
    c->usage = call->reader.decoder.usage;
    llm_call_finish(&call->base);
}

static void curl_call_give_tools(struct curl_call *call)
{
    struct llm_call *c = call->base.call;
    if (decoder_tools_write(&call->reader.decoder, &call->tools)) {
        llm_call_fail(c, ERR_TOO_LARGE, "too_large", "the model's tool calls are too large");
        return;
    }
    c->tool_calls = buf_str(&call->tools);
    c->finish_reason = "tool_calls";
}

static void curl_call_succeed(struct curl_call *call)
{
    struct llm_call *c = call->base.call;
    const char *reason = call->reader.decoder.finish_reason;
    bool says_tools = reason && strcmp(reason, "tool_calls") == 0;
    c->finish_reason = reason && !says_tools ? reason : "stop";
    if (call->has_offer && call->reader.decoder.tool_call_count)
        curl_call_give_tools(call);
    else if (says_tools && !call->has_offer)
        llm_call_fail(c, ERR_UPSTREAM, "unexpected_tool_calls",
                      "the model asked for tool \"%s\", but it was offered none",
                      call->reader.decoder.tool_call_count ? call->reader.decoder.tool_calls[0].name
                                                           : "");
    curl_call_finish(call);
}

/* ---- Failures ---- */

static bool curl_call_may_repeat(const struct curl_call *call)
{
    return !call->text_bytes &&
           curl_retry_helps(call->result, call->http_status, call->should_retry);
}

static bool curl_status_is_busy(long status)
{
    return status == 429 || status == 529;
}

/* Whose fault is an answer without success? That the server says "not now" for good (a quota) is
 * nothing that waiting helps. */
static enum circuit_result curl_call_fault(const struct curl_call *call)
{
    long s = call->http_status;
    if (curl_status_is_busy(s))
        return call->should_retry == 0 ? CIRCUIT_GOOD : CIRCUIT_BUSY;
    return !s || s == 408 || s >= 500 ? CIRCUIT_FAILED : CIRCUIT_GOOD;
}

/* ---- Reading ---- */

static void curl_call_fail_http(struct curl_call *call)
{
    struct llm_call *c = call->base.call;
    struct errbuf said;
    char code[32];
    long status = call->http_status;
    decoder_error_text(buf_str(&call->in), &said);
    bool is_busy = curl_status_is_busy(status);
    bool is_spent = is_busy && call->in.len &&
                    memmem(call->in.data, call->in.len, "\"insufficient_quota\"", 20);
    snprintf(code, sizeof(code),
             is_spent  ? "insufficient_quota"
             : is_busy ? "rate_limited"
                       : "http_%ld",
             status);
    if (is_spent) { /* waiting does not help, another provider may */
        call->base.may_repeat = false;
        call->base.fault = CIRCUIT_FAILED;
    }
    if (status >= 200 && status < 300) {
        call->base.fault = CIRCUIT_FAILED;
        llm_call_fail(c, ERR_UPSTREAM, "bad_response",
                      "the server answered with a web page, not as a model server");
    } else {
        c->retry_after_ms = call->retry_after_ms;
        llm_call_fail(c, is_busy ? ERR_OVERLOAD : ERR_UPSTREAM, code,
                      "the model server answered %ld%s%s", status, said.text[0] ? ": " : "",
                      said.text);
    }
    curl_call_finish(call);
}

static void curl_call_fail_transport(struct curl_call *call)
{
    const char *what = call->curl_error[0] ? call->curl_error : curl_easy_strerror(call->result);
    llm_call_fail(call->base.call, ERR_UPSTREAM, "connect_failed",
                  "the model server cannot be reached: %s", what);
    curl_call_finish(call);
}

static void curl_call_fail_too_large(struct curl_call *call)
{
    call->base.call->finish_reason = "length";
    llm_call_fail(call->base.call, ERR_TOO_LARGE, "too_large",
                  "the model's answer is longer than %u bytes", LLM_TEXT_BYTES_MAX);
    curl_call_finish(call);
}

/* False: the call is over, or gone. */
static bool curl_call_give(struct curl_call *call, struct str text, bool is_thinking)
{
    if (text.n == 0)
        return true;
    call->text_bytes += text.n;
    if (call->text_bytes > LLM_TEXT_BYTES_MAX) {
        curl_call_fail_too_large(call);
        return false;
    }
    llm_call_say(&call->base, text, is_thinking);
    return !call->is_gone;
}

static bool curl_call_give_both(struct curl_call *call, const struct llm_delta *delta)
{
    if (!curl_call_give(call, delta->thinking, true))
        return false;
    if (!call->base.is_held)
        return curl_call_give(call, delta->text, false);
    buf_append_str(&call->late, delta->text);
    return true;
}

static bool curl_call_give_late(struct curl_call *call)
{
    if (call->late.len == 0)
        return true;
    bool goes_on = curl_call_give(call, buf_str(&call->late), false);
    if (goes_on)
        buf_clear(&call->late);
    return goes_on;
}

/* rc of decode(); e has its sentence. */
static void curl_call_fail_decode(struct curl_call *call, int rc, const struct errbuf *e)
{
    struct llm_call *c = call->base.call;
    bool is_large = rc == ERR_TOO_LARGE || rc == ERR_NOMEM;
    call->base.fault = is_large ? CIRCUIT_GOOD : CIRCUIT_FAILED;
    if (rc == ERR_UPSTREAM && call->reader.decoder.is_overloaded) {
        call->base.fault = CIRCUIT_BUSY;
        call->base.may_repeat = call->text_bytes == 0;
        llm_call_fail(c, ERR_OVERLOAD, "rate_limited", "the model server reported: %s", e->text);
    } else if (rc == ERR_UPSTREAM)
        llm_call_fail(c, rc, "model_error", "the model server reported: %s", e->text);
    else if (is_large)
        llm_call_fail(c, ERR_TOO_LARGE, "too_large", "the model's answer is too large: %s",
                      e->text);
    else
        llm_call_fail(c, ERR_UPSTREAM, "bad_response",
                      "the model server sent what cannot be read: %s", e->text);
    curl_call_finish(call);
}

/* All that came was looked at: the next call that reads has the buffer, while the caches have it.
 */
static void curl_call_empty(struct curl_call *call)
{
    struct curl_client *cl = call->client;
    call->in_at = 0;
    buf_clear(&call->in);
    if (call->in.cap > SPARE_IN_BYTES_MAX || cl->spare_in_count == SPARE_IN_MAX)
        return;
    cl->spare_in[cl->spare_in_count++] = call->in;
    buf_init(&call->in, ANSWER_BYTES_MAX);
}

/* Looks at what came until it is used up, held or [DONE]. False: the call is over, or gone. */
static bool curl_call_read_events(struct curl_call *call)
{
    while (!call->base.is_held && call->in_at < call->in.len && !call->reader.decoder.is_done) {
        struct str rest = {call->in.data + call->in_at, call->in.len - call->in_at};
        struct errbuf e = {""};
        struct llm_delta delta;
        int rc = reader_next(&call->reader, &rest, &delta, &e);
        call->in_at = call->in.len - rest.n;
        if (rc < 0) {
            curl_call_fail_decode(call, rc, &e);
            return false;
        }
        call->has_event = call->has_event || rc == 1;
        if (rc == 1 && !curl_call_give_both(call, &delta))
            return false;
    }
    if (call->in_at == call->in.len || call->reader.decoder.is_done) {
        curl_call_empty(call);
    }
    return true;
}

/* May the stream end here? */
static bool curl_call_is_whole(const struct curl_call *call)
{
    return call->reader.decoder.is_done ||
           (call->provider->dialect->ends_by_reason && call->reader.decoder.finish_reason);
}

/* The rest of a stream that has ended: an event without its empty line, half a surrogate pair. A
 * cut event is no event. False: the call is over, or gone. */
static bool curl_call_read_rest(struct curl_call *call)
{
    struct llm_delta delta;
    struct errbuf e;
    int rc = call->reader.decoder.is_done ? 0 : reader_end(&call->reader, &delta, &e);
    if (rc == ERR_UPSTREAM) {
        curl_call_fail_decode(call, rc, &e);
        return false;
    }
    if (rc == 1 && !curl_call_give_both(call, &delta))
        return false;
    if (call->base.is_held)
        return true;
    decoder_end(&call->reader.decoder, &delta);
    return curl_call_give_both(call, &delta);
}

static void curl_call_conclude_events(struct curl_call *call)
{
    if (!curl_call_read_rest(call) || call->base.is_held)
        return;
    if (curl_call_is_whole(call)) {
        curl_call_succeed(call);
        return;
    }
    call->base.fault = CIRCUIT_FAILED;
    if (!call->is_named && !call->has_event && call->result == CURLE_OK) {
        llm_call_fail(call->base.call, ERR_UPSTREAM, "bad_response",
                      "the server answered with something else than a stream of events");
        curl_call_finish(call);
        return;
    }
    llm_call_fail(call->base.call, ERR_UPSTREAM, "truncated",
                  "the model server broke off in the middle of its answer%s%s",
                  call->curl_error[0] ? ": " : "", call->curl_error);
    curl_call_finish(call);
}

static void curl_call_conclude_json(struct curl_call *call)
{
    struct errbuf e = {""};
    struct llm_delta delta;
    if (call->result != CURLE_OK) {
        call->base.fault = CIRCUIT_FAILED;
        llm_call_fail(call->base.call, ERR_UPSTREAM, "truncated",
                      "the model server broke off its answer");
        curl_call_finish(call);
        return;
    }
    int rc = call->provider->dialect->decode(&call->reader.decoder, STR(""), buf_str(&call->in),
                                             &delta, &e);
    const struct llm_decoder *d = &call->reader.decoder;
    if (!rc && !d->finish_reason && !d->tool_call_count && !delta.text.n && !delta.thinking.n)
        rc = err_set(&e, ERR_INVALID, "no answer is in it");
    buf_clear(&call->in);
    if (rc) {
        curl_call_fail_decode(call, rc, &e);
        return;
    }
    call->kind = BODY_EVENTS; /* a hold in between comes back to the end of a stream */
    call->reader.decoder.is_done = true;
    if (curl_call_give_both(call, &delta) && !call->base.is_held)
        curl_call_conclude_events(call);
}

/* The transfer is over and all its bytes were looked at. */
static void curl_call_conclude(struct curl_call *call)
{
    bool is_failure = !call->http_status || call->http_status < 200 || call->http_status > 299;
    if (is_failure) {
        call->base.may_repeat = curl_call_may_repeat(call);
        call->base.fault = curl_call_fault(call);
    }
    if (!call->http_status) {
        curl_call_fail_transport(call);
        return;
    }
    if (call->is_overflow) {
        curl_call_fail_too_large(call);
        return;
    }
    switch (call->kind) {
    case BODY_JSON:
        curl_call_conclude_json(call);
        return;
    case BODY_EVENTS:
        curl_call_conclude_events(call);
        return;
    case BODY_UNKNOWN:
    case BODY_OTHER:
        curl_call_fail_http(call);
        return;
    }
}

/* The stream may stay open after [DONE] for a moment: waiting for its end lets the connection be
 * used again. */
static void curl_call_await_end(struct curl_call *call)
{
    struct curl_client *cl = call->client;
    call->since_ms = uv_now(cl->loop);
    list_remove(&call->link);
    list_append(&cl->finishing, &call->link);
    curl_client_arm(cl);
}

static void curl_call_drain(struct curl_call *call)
{
    call->turn_bytes = 0;
    bool was_done = call->reader.decoder.is_done, goes_on = true;
    if (!call->base.is_held)
        goes_on = curl_call_give_late(call);
    if (goes_on && call->kind == BODY_EVENTS)
        goes_on = curl_call_read_events(call);
    if (goes_on && !call->base.is_held && call->late.len == 0) {
        if (call->is_ended)
            curl_call_conclude(call);
        else if (call->reader.decoder.is_done && !was_done)
            curl_call_await_end(call);
    }
}

/* ---- The client ---- */

static void curl_client_collect_ended(struct curl_client *cl)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(cl->io.multi, &left))) {
        if (message->msg != CURLMSG_DONE)
            continue;
        struct curl_call *call = NULL;
        CURLcode result = message->data.result; /* the message is gone with the handle */
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&call);
        curl_call_end_transfer(call, result);
    }
}

/* What came for several calls is looked at one after the other; what that needs is fetched for so
 * many of them at once. */
#define SOON_MAX 32

static void curl_client_fetch(const struct list *ready)
{
    const struct curl_call *soon[SOON_MAX];
    unsigned n = 0;
    list_foreach(it, ready)
    {
        if (n == SOON_MAX)
            break;
        soon[n++] = container_of(it, struct curl_call, ready);
        mem_fetch(soon[n - 1]->base.call, offsetof(struct llm_call, status));
    }
    for (unsigned i = 0; i < n; i++) {
        mem_fetch(soon[i]->reader.shape.data, soon[i]->reader.shape.len);
        mem_fetch(soon[i]->base.task, 3 * MEM_LINE_BYTES);
    }
    for (unsigned step = 0; n > 1 && step < LLM_SOON_STEPS; step++)
        for (unsigned i = 0; i < n; i++)
            if (soon[i]->base.call->on_soon)
                soon[i]->base.call->on_soon(soon[i]->base.call, step);
}

/* What came ready meanwhile is for the next turn. */
static void curl_client_settle(void *data)
{
    struct curl_client *cl = data;
    struct list now;
    curl_client_collect_ended(cl);
    list_init(&now);
    list_splice(&now, &cl->ready);
    for (unsigned i = 0; !list_empty(&now); i++) {
        if (i % SOON_MAX == 0)
            curl_client_fetch(&now);
        curl_call_drain(container_of(list_pop(&now), struct curl_call, ready));
    }
    if (list_empty(&cl->ready) && list_empty(&cl->resting))
        uv_idle_stop(&cl->kick);
    else
        uv_idle_start(&cl->kick, curl_client_kick_fired);
    curl_client_free_dead(cl);
}

/* Those that had their share go on when all sockets that were ready have had theirs, or none is.
 * Each may have a whole share of the turn. */
static void curl_client_kick_fired(uv_idle_t *kick)
{
    struct curl_client *cl = kick->data;
    bool is_idle = cl->reads_then == cl->io.reads;
    size_t bytes = 0;
    cl->reads_then = cl->io.reads;
    while (bytes < CURL_LOOP_TURN_BYTES && !list_empty(&cl->resting)) {
        struct curl_call *call = container_of(cl->resting.next, struct curl_call, rest);
        if (!is_idle && call->round == cl->io.round)
            break;
        list_remove(&call->rest);
        if (call->base.is_held) /* unhold sees to it */
            continue;
        bytes += CURL_CALL_TURN_BYTES;
        curl_call_go_on_reading(call);
    }
    curl_client_settle(cl);
}

static void curl_call_expired(struct curl_call *call)
{
    struct llm_call *c = call->base.call;
    if (curl_call_is_whole(call)) {
        call->is_ended = true;
        call->result = CURLE_OK;
        curl_call_drop_transfer(call);
        list_remove(&call->link);
        curl_call_kick(call);
        return;
    }
    call->base.fault = CIRCUIT_FAILED;
    llm_call_fail(c, ERR_TIMEOUT, "timeout", "the model server sent nothing for %lld ms",
                  (long long)call->provider->config->idle_timeout_ms);
    curl_call_finish(call);
}

/* As long as a call may take until its request is sent, TLS included. */
static void curl_call_look_connected(struct curl_call *call)
{
    curl_off_t sent_us = 0;
    curl_easy_getinfo(call->easy, CURLINFO_PRETRANSFER_TIME_T, &sent_us);
    if (sent_us > 0)
        return; /* the idle timeout sees to the rest */
    snprintf(call->curl_error, sizeof(call->curl_error), "not connected after %lld ms",
             (long long)call->provider->config->connect_timeout_ms);
    curl_call_end_transfer(call, CURLE_OPERATION_TIMEDOUT);
    curl_call_kick(call);
}

static void curl_provider_look_connected(struct curl_provider *p, uint64_t now)
{
    while (!list_empty(&p->connecting)) {
        struct curl_call *call = container_of(p->connecting.next, struct curl_call, connecting);
        if (call->begun_ms + (uint64_t)p->config->connect_timeout_ms > now)
            return;
        list_remove(&call->connecting);
        curl_call_look_connected(call);
    }
}

static struct curl_call *curl_call_first(const struct list *l)
{
    return list_empty(l) ? NULL : container_of(l->next, struct curl_call, link);
}

static void curl_client_expire(struct curl_client *cl, struct list *l, uint64_t after_ms)
{
    struct curl_call *call;
    while ((call = curl_call_first(l)) && call->since_ms + after_ms <= uv_now(cl->loop)) {
        list_remove(&call->link);
        curl_call_expired(call);
    }
}

static void curl_client_deadline_fired(uv_timer_t *timer)
{
    struct curl_client *cl = timer->data;
    cl->deadline_ms = 0;
    for (size_t i = 0; i < cl->provider_count; i++)
        if (cl->providers[i].url) {
            curl_provider_look_connected(&cl->providers[i], uv_now(cl->loop));
            curl_client_expire(cl, &cl->providers[i].reading, curl_call_idle_ms(&cl->providers[i]));
        }
    curl_client_expire(cl, &cl->finishing, FINISHING_MS);
    curl_client_arm(cl);
}

static void curl_client_consider_time(uint64_t *earliest, uint64_t at)
{
    if (*earliest == 0 || at < *earliest)
        *earliest = at;
}

static void curl_client_consider(uint64_t *earliest, const struct list *l, uint64_t after_ms)
{
    const struct curl_call *call = curl_call_first(l);
    if (call)
        curl_client_consider_time(earliest, call->since_ms + after_ms);
}

static void curl_client_consider_provider(uint64_t *earliest, const struct curl_provider *p)
{
    curl_client_consider(earliest, &p->reading, curl_call_idle_ms(p));
    if (!list_empty(&p->connecting))
        curl_client_consider_time(
            earliest, container_of(p->connecting.next, struct curl_call, connecting)->begun_ms +
                          (uint64_t)p->config->connect_timeout_ms);
}

/* Bytes that come do not move the timer; it finds out when it fires. */
void curl_client_arm(struct curl_client *cl)
{
    uint64_t earliest = 0, now = uv_now(cl->loop);
    for (size_t i = 0; i < cl->provider_count; i++)
        if (cl->providers[i].url)
            curl_client_consider_provider(&earliest, &cl->providers[i]);
    curl_client_consider(&earliest, &cl->finishing, FINISHING_MS);
    if (!earliest || (cl->deadline_ms && cl->deadline_ms <= earliest))
        return;
    cl->deadline_ms = earliest;
    uv_timer_start(&cl->deadline, curl_client_deadline_fired, earliest > now ? earliest - now : 0,
                   0);
}

/* ---- The backend ---- */

static int curl_client_prepare(void *self, size_t provider, struct llm_call *c,
                               struct llm_impl **out, struct errbuf *e)
{
    struct curl_client *cl = self;
    struct curl_provider *p = &cl->providers[provider];
    struct dialect_options options = {.model = c->model_used, .is_openai = p->is_openai};
    struct curl_call *call = mem_zalloc(sizeof(*call));
    buf_init(&call->body, BODY_BYTES_MAX);
    int rc = p->dialect->encode(c->request, &options, &call->body, e);
    if (rc) {
        buf_deinit(&call->body);
        free(call);
        return rc;
    }
    call->client = cl;
    call->provider = p;
    call->has_offer = json_exists(json_get_set(json_root(c->request), "tools"));
    list_init(&call->ready);
    list_init(&call->rest);
    list_init(&call->link);
    list_init(&call->connecting);
    buf_init(&call->in, ANSWER_BYTES_MAX);
    buf_init(&call->late, LLM_TEXT_BYTES_MAX);
    buf_init(&call->tools, TOOLS_BYTES_MAX);
    reader_init(&call->reader, p->dialect, 0);
    call->should_retry = -1;
    call->retry_after_ms = -1;
    char id[ID_TEXT_BYTES + 1];
    id_format(c->idempotency_key, id);
    snprintf(call->key_text, sizeof(call->key_text), "Idempotency-Key: %s", id);
    call->key_header = (struct curl_slist){call->key_text, curl_provider_headers(p)};
    *out = &call->base;
    return 0;
}

static void curl_client_begin(struct llm_impl *impl)
{
    struct curl_call *call = container_of(impl, struct curl_call, base);
    curl_call_touch(call);
    curl_client_arm(call->client);
    curl_call_begin_transfer(call);
}

static void curl_client_cancel(struct llm_impl *impl)
{
    curl_call_close(container_of(impl, struct curl_call, base));
}

/* Nothing to do but to forget the idle timeout: the next bytes find is_held and pause libcurl. */
static void curl_client_hold(struct llm_impl *impl)
{
    struct curl_call *call = container_of(impl, struct curl_call, base);
    bool is_reading = call->easy && !call->reader.decoder.is_done;
    if (is_reading)
        list_remove(&call->link);
}

static void curl_client_unhold(struct llm_impl *impl)
{
    struct curl_call *call = container_of(impl, struct curl_call, base);
    if (call->easy) {
        curl_call_touch(call);
        curl_client_arm(call->client);
    }
    if (call->is_paused)
        curl_call_go_on_reading(call);
    curl_call_kick(call);
}

static void curl_client_free(struct curl_client *cl)
{
    curl_client_free_dead(cl);
    for (size_t i = 0; i < cl->provider_count; i++)
        curl_provider_deinit(&cl->providers[i]);
    while (cl->spare_in_count > 0)
        buf_deinit(&cl->spare_in[--cl->spare_in_count]);
    free(cl->providers);
    free(cl);
}

static void curl_client_part_closed(struct curl_client *cl)
{
    if (--cl->open_parts)
        return;
    void (*closed)(void *data) = cl->closed;
    void *data = cl->closed_data;
    curl_client_free(cl);
    closed(data);
}

static void curl_client_handle_closed(uv_handle_t *handle)
{
    curl_client_part_closed(handle->data);
}

static void curl_client_io_closed(void *data)
{
    curl_client_part_closed(data);
}

static bool curl_client_set_aside(void *self, bool is_aside)
{
    struct curl_client *cl = self;
    if (is_aside && (cl->io.is_full || !list_empty(&cl->resting)))
        return false;
    curl_loop_set_aside(&cl->io, is_aside);
    return true;
}

static bool curl_client_read(void *self)
{
    struct curl_client *cl = self;
    return curl_loop_read(&cl->io);
}

static void curl_client_discard(void *self)
{
    struct curl_client *cl = self;
    curl_loop_discard(&cl->io);
}

/* May be called from a callback of the last call: what the callers up the stack still look at stays
 * until the handles are closed. */
static void curl_client_close(void *self, void (*closed)(void *data), void *data)
{
    struct curl_client *cl = self;
    cl->closed = closed;
    cl->closed_data = data;
    cl->open_parts = 3;
    for (size_t i = 0; i < cl->provider_count; i++)
        curl_provider_drop_spares(&cl->providers[i]);
    uv_close((uv_handle_t *)&cl->kick, curl_client_handle_closed);
    uv_close((uv_handle_t *)&cl->deadline, curl_client_handle_closed);
    curl_loop_close(&cl->io, curl_client_io_closed);
}

int curl_client_open(struct curl_client **out, struct uv_loop_s *loop, const struct llm *llm,
                     size_t provider_count, struct errbuf *e)
{
    struct curl_client *cl = mem_zalloc(sizeof(*cl));
    cl->loop = loop;
    list_init(&cl->ready);
    list_init(&cl->resting);
    list_init(&cl->dead);
    list_init(&cl->finishing);
    cl->provider_count = provider_count;
    cl->providers = mem_calloc(provider_count, sizeof(*cl->providers));
    int rc = 0;
    for (size_t i = 0; !rc && i < provider_count; i++)
        if (llm_provider_at(llm, i)->dialect != LLM_DEMO)
            rc = curl_provider_init(&cl->providers[i], llm_provider_at(llm, i), NULL, e);
    if (!rc)
        rc = curl_loop_open(&cl->io, loop, curl_client_settle, cl, e);
    if (rc) {
        curl_client_free(cl);
        return rc;
    }
    cl->io.tap = curl_call_tap;
    cl->io.tap_bytes = offsetof(struct curl_call, reader.decoder.is_done) + sizeof(bool);
    uv_idle_init(loop, &cl->kick);
    uv_timer_init(loop, &cl->deadline);
    cl->kick.data = cl->deadline.data = cl;
    *out = cl;
    return 0;
}

const struct llm_backend curl_client_backend = {
    .prepare = curl_client_prepare,
    .begin = curl_client_begin,
    .cancel = curl_client_cancel,
    .hold = curl_client_hold,
    .unhold = curl_client_unhold,
    .set_aside = curl_client_set_aside,
    .read = curl_client_read,
    .discard = curl_client_discard,
    .close = curl_client_close,
};
