/* Calls and libcurl: how a transfer begins and ends, and what it brings. */
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "llm/curl_call.h"
#include "llm/curl_retry.h"

#define ERROR_BYTES_MAX (64u << 10) /* what is kept of an answer with an error status */

void curl_call_make_ready(struct curl_call *call)
{
    struct curl_client *cl = call->client;
    if (!list_is_linked(&call->ready))
        list_append(&cl->ready, &call->ready);
}

void curl_call_drop_transfer(struct curl_call *call)
{
    if (!call->easy)
        return;
    CURL *easy = call->easy;
    call->easy = NULL;
    call->is_paused = false;
    list_remove(&call->rest);
    list_remove(&call->connecting);
    curl_multi_remove_handle(call->client->io.multi, easy);
    curl_provider_give(call->provider, easy);
}

static bool says_chunked(struct str codings)
{
    while (codings.n > 0) {
        const char *comma = memchr(codings.p, ',', codings.n);
        struct str one = {codings.p, comma ? (size_t)(comma - codings.p) : codings.n};
        codings.p += one.n + (comma != NULL);
        codings.n -= one.n + (comma != NULL);
        while (one.n > 0 && (one.p[0] == ' ' || one.p[0] == '\t')) {
            one.p++;
            one.n--;
        }
        while (one.n > 0 && (one.p[one.n - 1] == ' ' || one.p[one.n - 1] == '\t'))
            one.n--;
        if (one.n == strlen("chunked") && strncasecmp(one.p, "chunked", one.n) == 0)
            return true;
    }
    return false;
}

/* As libcurl decides it. */
static bool curl_call_is_chunked(CURL *easy)
{
    struct curl_header *h;
    for (size_t i = 0;
         curl_easy_header(easy, "Transfer-Encoding", i, CURLH_HEADER, -1, &h) == CURLHE_OK; i++)
        if (says_chunked(str_of(h->value)))
            return true;
    return false;
}

static void curl_call_read_head(struct curl_call *call)
{
    const char *type = NULL;
    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &call->http_status);
    curl_easy_getinfo(call->easy, CURLINFO_CONTENT_TYPE, &type);
    if (call->http_status < 200 || call->http_status > 299)
        call->kind = BODY_OTHER;
    else if (type && strncasecmp(type, "application/json", 16) == 0)
        call->kind = BODY_JSON;
    else if (type && strncasecmp(type, "text/html", 9) == 0)
        call->kind = BODY_OTHER;
    else
        call->kind = BODY_EVENTS; /* whatever it is called: the parser will tell */
    call->is_named = type && strncasecmp(type, "text/event-stream", 17) == 0;
    call->is_chunked = curl_call_is_chunked(call->easy);
    call->has_tap = call->is_chunked && call->kind == BODY_EVENTS && call->provider->has_tap;
}

/* A call is moved in its list, whose neighbours are out of the caches, once in so long and not for
 * each chunk; so much later than its idle timeout it may be noticed that it is silent. */
static uint64_t idle_slack_ms(const struct curl_provider *p)
{
    return (uint64_t)p->config->idle_timeout_ms / 64;
}

uint64_t curl_call_idle_ms(const struct curl_provider *p)
{
    return (uint64_t)p->config->idle_timeout_ms + idle_slack_ms(p);
}

void curl_call_touch(struct curl_call *call)
{
    if (call->reader.decoder.is_done || call->base.is_held)
        return; /* the first has a deadline of its own, the second none */
    uint64_t now = uv_now(call->client->loop);
    if (list_is_linked(&call->link) && now - call->since_ms < idle_slack_ms(call->provider))
        return;
    call->since_ms = now;
    list_remove(&call->link);
    list_append(&call->provider->reading, &call->link);
}

/* What came of the body. False: it is too much. */
static bool curl_call_take(struct curl_call *call, struct str raw)
{
    struct curl_client *cl = call->client;
    call->turn_bytes += raw.n;
    cl->io.turn_bytes += raw.n;
    curl_call_touch(call);
    curl_call_make_ready(call);
    bool is_other = call->kind == BODY_OTHER;
    if (raw.n > (is_other ? ERROR_BYTES_MAX : ANSWER_BYTES_MAX) - call->in.len) {
        call->is_cut = is_other;
        call->is_overflow = !is_other;
    }
    if (call->is_cut || call->is_overflow)
        return call->is_cut;
    if (!call->in.data && cl->spare_in_count > 0)
        call->in = cl->spare_in[--cl->spare_in_count];
    int rc = call->is_chunked ? chunked_read(&call->chunked, raw, &call->in)
                              : buf_append_str(&call->in, raw);
    return rc == 0 || rc == ERR_INVALID; /* libcurl says what is wrong with it */
}

/* CURLOPT_WRITEFUNCTION, within libcurl. */
static size_t curl_call_write(char *p, size_t size, size_t count, void *data)
{
    struct curl_call *call = data;
    size_t n = size * count;
    if (call->base.is_held) {
        call->is_paused = true;
        return CURL_WRITEFUNC_PAUSE; /* libcurl keeps these bytes and gives them again */
    }
    if (call->turn_bytes >= CURL_CALL_TURN_BYTES) {
        call->is_paused = true;
        call->round = call->client->io.round;
        list_append(&call->client->resting, &call->rest);
        return CURL_WRITEFUNC_PAUSE;
    }
    if (call->kind == BODY_UNKNOWN)
        curl_call_read_head(call);
    return curl_call_take(call, (struct str){p, n}) ? n : 0;
}

/* libcurl finds a transfer by its socket, looks after its timeouts, and asks the kernel once more
 * when it has read: for a token three microseconds, most of which it waits for memory. A chunk that
 * stands whole in the socket, and begins where one does for libcurl too, can be taken away without
 * it: what it sees is a stream that lacks that chunk. All else is for libcurl: the last chunk,
 * which ends the transfer, a part of one, the end of the connection. */
bool curl_call_tap(void *owner, int fd, size_t *taken)
{
    struct curl_call *call = owner;
    char raw[CURL_CALL_TURN_BYTES];
    if (!call->has_tap || call->base.is_held || call->is_paused ||
        call->turn_bytes >= CURL_CALL_TURN_BYTES || !chunked_is_between(&call->chunked))
        return false;
    ssize_t n = recv(fd, raw, sizeof(raw), MSG_PEEK | MSG_DONTWAIT);
    size_t whole = n > 0 ? chunked_whole((struct str){raw, (size_t)n}) : 0;
    if (whole == 0)
        return false;
    if (!curl_call_take(call, (struct str){raw, whole})) {
        curl_call_end_transfer(call, CURLE_WRITE_ERROR);
        return true;
    }
    *taken = whole;
    return whole == (size_t)n || n == sizeof(raw); /* what follows these has its next turn */
}

/* libcurl keeps a connect timeout in its tree of timeouts until that time has come, connected or
 * not, and each chunk takes its call out of the tree and puts it back: a microsecond a token. It
 * needs to know of it where a name has several addresses to try; elsewhere it is seen to here. */
static void curl_call_await_connect(struct curl_call *call)
{
    if (!call->provider->is_address)
        return;
    call->begun_ms = uv_now(call->client->loop);
    list_append(&call->provider->connecting, &call->connecting);
    curl_client_arm(call->client);
}

void curl_call_begin_transfer(struct curl_call *call)
{
    struct curl_client *cl = call->client;
    CURL *easy = curl_provider_take(call->provider);
    call->result = CURLE_OUT_OF_MEMORY;
    if (!easy)
        goto failed;
    call->curl_error[0] = '\0';
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->curl_error);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, curl_call_write);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.len);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call->body.data);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, &call->key_header);
    curl_easy_setopt(easy, CURLOPT_HTTP_TRANSFER_DECODING, 0L); /* chunked_read() does it */
    if (curl_multi_add_handle(cl->io.multi, easy) == CURLM_OK) {
        call->easy = easy;
        curl_call_await_connect(call);
        return;
    }
    curl_easy_cleanup(easy);
failed:
    call->is_ended = true;
    curl_call_kick(call);
}

void curl_call_end_transfer(struct curl_call *call, CURLcode result)
{
    if (result == CURLE_OK && call->chunked.state == CHUNKED_BROKEN)
        result = CURLE_RECV_ERROR;
    call->result = result;
    call->is_ended = true;
    if (call->kind == BODY_UNKNOWN)
        curl_call_read_head(call);
    if (call->http_status && (call->http_status < 200 || call->http_status > 299)) {
        call->should_retry = curl_should_retry(call->easy);
        call->retry_after_ms = curl_retry_after(call->easy);
    }
    curl_call_drop_transfer(call);
    list_remove(&call->link);
    curl_call_make_ready(call);
}

void curl_call_go_on_reading(struct curl_call *call)
{
    call->is_paused = false;
    list_remove(&call->rest);
    CURLcode result = curl_easy_pause(call->easy, CURLPAUSE_CONT);
    if (result != CURLE_OK)
        curl_call_end_transfer(call, result);
}
