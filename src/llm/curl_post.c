#include "llm/curl_post.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "llm/curl_retry.h"
#include "llm/decoder.h"

struct curl_poster {
    struct curl_loop io;
    uv_loop_t *loop;
    struct curl_provider *providers; /* by index; url NULL: of another dialect */
    size_t provider_count;
    struct list waiting; /* curl_post.link: for the next attempt, by due_ms */
    uv_timer_t timer;
    struct id_source random;
    void (*closed)(void *data);
    void *closed_data;
    unsigned open_parts;
};

static void curl_post_attempt(struct curl_post *p);

/* ---- Waiting ---- */

static void curl_poster_timer_fired(uv_timer_t *timer);

static void curl_poster_arm(struct curl_poster *poster)
{
    if (list_empty(&poster->waiting)) {
        uv_timer_stop(&poster->timer);
        return;
    }
    uint64_t now = uv_now(poster->loop);
    uint64_t due = container_of(poster->waiting.next, struct curl_post, link)->due_ms;
    uv_timer_start(&poster->timer, curl_poster_timer_fired, due > now ? due - now : 1, 0);
}

static void curl_post_wait(struct curl_post *p, int64_t ms)
{
    struct curl_poster *poster = p->poster;
    struct list *after = poster->waiting.prev;
    p->due_ms = uv_now(poster->loop) + (uint64_t)ms;
    while (after != &poster->waiting &&
           container_of(after, struct curl_post, link)->due_ms > p->due_ms)
        after = after->prev;
    list_prepend(after, &p->link); /* right behind `after`, or first */
    curl_poster_arm(poster);
}

static void curl_poster_timer_fired(uv_timer_t *timer)
{
    struct curl_poster *poster = timer->data;
    struct list due;
    list_init(&due);
    while (!list_empty(&poster->waiting)) {
        struct curl_post *p = container_of(poster->waiting.next, struct curl_post, link);
        if (p->due_ms > uv_now(poster->loop))
            break;
        list_remove(&p->link);
        list_append(&due, &p->link);
    }
    curl_poster_arm(poster);
    for (struct list *it; (it = list_pop(&due));)
        curl_post_attempt(container_of(it, struct curl_post, link));
}

/* ---- The end ---- */

static void __attribute__((format(printf, 4, 5)))
curl_post_fail(struct curl_post *p, int status, const char *code, const char *fmt, ...)
{
    va_list ap;
    p->status = status;
    snprintf(p->error_code, sizeof(p->error_code), "%s", code);
    va_start(ap, fmt);
    err_vset(&p->error, status, fmt, ap);
    va_end(ap);
    curl_provider_redact(&p->poster->providers[p->provider], &p->error);
}

static void curl_post_fail_http(struct curl_post *p)
{
    struct errbuf said;
    char code[32];
    bool is_busy = p->http_status == 429 || p->http_status == 529;
    decoder_error_text(buf_str(&p->in), &said);
    snprintf(code, sizeof(code), is_busy ? "rate_limited" : "http_%ld", p->http_status);
    curl_post_fail(p, is_busy ? ERR_OVERLOAD : ERR_UPSTREAM, code,
                   "the model server answered %ld%s%s", p->http_status, said.text[0] ? ": " : "",
                   said.text);
}

/* What the last attempt came to. */
static void curl_post_judge(struct curl_post *p)
{
    bool is_good = p->http_status >= 200 && p->http_status < 300;
    if (p->is_overflow)
        curl_post_fail(p, ERR_TOO_LARGE, "too_large", "the answer is longer than %u bytes",
                       CURL_POST_ANSWER_BYTES_MAX);
    else if (p->http_status && !is_good)
        curl_post_fail_http(p);
    else if (p->result == CURLE_OPERATION_TIMEDOUT)
        curl_post_fail(p, ERR_TIMEOUT, "timeout", "the model server did not answer in time");
    else if (p->result != CURLE_OK && is_good)
        curl_post_fail(p, ERR_UPSTREAM, "truncated", "the model server broke off its answer");
    else if (p->result != CURLE_OK)
        curl_post_fail(p, ERR_UPSTREAM, "connect_failed", "the model server cannot be reached: %s",
                       curl_easy_strerror(p->result));
    else
        p->answer = buf_str(&p->in);
}

static bool curl_post_may_retry(const struct curl_post *p, int should_retry)
{
    const struct llm_provider *config = p->poster->providers[p->provider].config;
    bool is_good = p->http_status >= 200 && p->http_status < 300;
    if (p->attempt >= config->retries_max || p->is_overflow ||
        p->retry_after_ms > CURL_RETRY_ASKED_MS_MAX)
        return false;
    /* One that was slow once will be slow again, and somebody waits. */
    if (p->result == CURLE_OPERATION_TIMEDOUT)
        return false;
    if (is_good)
        return p->result != CURLE_OK;
    return curl_retry_helps(p->result, p->http_status, should_retry);
}

static void curl_post_finish(struct curl_post *p)
{
    struct buf in = p->in;
    curl_post_judge(p);
    p->poster = NULL;
    p->in = (struct buf){.max = in.max};
    p->on_done(p); /* p may be gone */
    buf_deinit(&in);
}

static void curl_post_ended(struct curl_post *p)
{
    int should_retry = -1;
    CURL *easy = p->easy;
    p->easy = NULL;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &p->http_status);
    if (p->http_status && (p->http_status < 200 || p->http_status > 299)) {
        should_retry = curl_should_retry(easy);
        p->retry_after_ms = curl_retry_after(easy);
    }
    curl_easy_cleanup(easy);
    if (!curl_post_may_retry(p, should_retry)) {
        curl_post_finish(p);
        return;
    }
    int64_t delay = curl_retry_delay(p->attempt, p->retry_after_ms, &p->poster->random);
    p->attempt++;
    curl_post_wait(p, delay);
}

/* Runs when libcurl has returned. */
static void curl_poster_settle(void *data)
{
    struct curl_poster *poster = data;
    struct list ended;
    CURLMsg *message;
    int left;
    list_init(&ended);
    while ((message = curl_multi_info_read(poster->io.multi, &left))) {
        if (message->msg != CURLMSG_DONE)
            continue;
        struct curl_post *p = NULL;
        CURLcode result = message->data.result; /* the message is gone with the handle */
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&p);
        curl_multi_remove_handle(poster->io.multi, p->easy);
        p->result = result;
        list_append(&ended, &p->link);
    }
    for (struct list *it; (it = list_pop(&ended));)
        curl_post_ended(container_of(it, struct curl_post, link));
}

/* ---- One attempt ---- */

/* CURLOPT_WRITEFUNCTION, within libcurl. */
static size_t curl_post_write(char *bytes, size_t size, size_t count, void *data)
{
    struct curl_post *p = data;
    size_t n = size * count;
    if (buf_append(&p->in, bytes, n) == 0)
        return n;
    p->is_overflow = true;
    return 0;
}

static void curl_post_attempt(struct curl_post *p)
{
    struct curl_poster *poster = p->poster;
    struct curl_provider *provider = &poster->providers[p->provider];
    buf_clear(&p->in);
    p->http_status = 0;
    p->retry_after_ms = -1;
    p->result = CURLE_OUT_OF_MEMORY;
    p->easy = curl_provider_easy(provider);
    if (p->easy) {
        curl_easy_setopt(p->easy, CURLOPT_PRIVATE, p);
        curl_easy_setopt(p->easy, CURLOPT_WRITEFUNCTION, curl_post_write);
        curl_easy_setopt(p->easy, CURLOPT_WRITEDATA, p);
        curl_easy_setopt(p->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)p->body.n);
        curl_easy_setopt(p->easy, CURLOPT_POSTFIELDS, p->body.p);
        curl_easy_setopt(p->easy, CURLOPT_HTTPHEADER, curl_provider_headers(provider));
        curl_easy_setopt(p->easy, CURLOPT_TIMEOUT_MS, (long)provider->config->idle_timeout_ms);
        if (curl_multi_add_handle(poster->io.multi, p->easy) == CURLM_OK)
            return;
        curl_easy_cleanup(p->easy);
        p->easy = NULL;
    }
    curl_post_finish(p);
}

void curl_post_start(struct curl_poster *poster, struct curl_post *p)
{
    p->poster = poster;
    p->status = 0;
    p->error_code[0] = '\0';
    p->error.text[0] = '\0';
    p->answer = STR_NULL;
    p->attempt = 0;
    p->is_overflow = false;
    buf_init(&p->in, CURL_POST_ANSWER_BYTES_MAX);
    list_init(&p->link);
    curl_post_wait(p, 0);
}

void curl_post_cancel(struct curl_post *p)
{
    struct curl_poster *poster = p->poster;
    if (!poster)
        return;
    p->poster = NULL;
    if (list_is_linked(&p->link))
        list_remove(&p->link);
    if (p->easy) {
        curl_multi_remove_handle(poster->io.multi, p->easy); /* again is harmless */
        curl_easy_cleanup(p->easy);
        p->easy = NULL;
    }
    buf_deinit(&p->in);
    curl_poster_arm(poster);
}

/* ---- The client ---- */

static void curl_poster_free(struct curl_poster *poster)
{
    for (size_t i = 0; i < poster->provider_count; i++)
        curl_provider_deinit(&poster->providers[i]);
    free(poster->providers);
    free(poster);
}

static void curl_poster_part_closed(struct curl_poster *poster)
{
    if (--poster->open_parts)
        return;
    void (*closed)(void *data) = poster->closed;
    void *data = poster->closed_data;
    curl_poster_free(poster);
    closed(data);
}

static void curl_poster_timer_closed(uv_handle_t *handle)
{
    curl_poster_part_closed(handle->data);
}

static void curl_poster_io_closed(void *data)
{
    curl_poster_part_closed(data);
}

void curl_poster_close(struct curl_poster *poster, void (*closed)(void *data), void *data)
{
    poster->closed = closed;
    poster->closed_data = data;
    poster->open_parts = 2;
    uv_close((uv_handle_t *)&poster->timer, curl_poster_timer_closed);
    curl_loop_close(&poster->io, curl_poster_io_closed);
}

int curl_poster_open(struct curl_poster **out, struct uv_loop_s *loop, const struct llm *llm,
                     size_t provider_count, const char *path, struct errbuf *e)
{
    struct curl_poster *poster = mem_zalloc(sizeof(*poster));
    int rc = 0;
    poster->loop = loop;
    poster->provider_count = provider_count;
    poster->providers = mem_calloc(provider_count, sizeof(*poster->providers));
    list_init(&poster->waiting);
    for (size_t i = 0; !rc && i < provider_count; i++)
        if (llm_provider_at(llm, i)->dialect == LLM_OPENAI)
            rc = curl_provider_init(&poster->providers[i], llm_provider_at(llm, i), path, e);
    if (!rc)
        rc = curl_loop_open(&poster->io, loop, curl_poster_settle, poster, e);
    if (rc) {
        curl_poster_free(poster);
        return rc;
    }
    id_source_init_random(&poster->random);
    uv_timer_init(loop, &poster->timer);
    poster->timer.data = poster;
    *out = poster;
    return 0;
}
