#include "client/follow.h"

#include <stdio.h>
#include <string.h>

#define DELAY_FIRST_MS 200
#define DELAY_MAX_MS   5000

void follow_init(struct follow *f, const struct sluice_client *c, const char *session_id,
                 int64_t after, int64_t now_ms)
{
    f->client = c;
    f->last_seq = after < 0 ? 0 : after;
    f->delay_ms = DELAY_FIRST_MS;
    f->silent_since_ms = now_ms;
    buf_init(&f->session_id, 1u << 16);
    if (session_id)
        buf_append_z(&f->session_id, session_id);
    sse_init(&f->sse, SLUICE_EVENT_BYTES_MAX);
    buf_init(&f->json, SLUICE_EVENT_BYTES_MAX);
    buf_init(&f->words, SLUICE_EVENT_BYTES_MAX);
}

void follow_deinit(struct follow *f)
{
    buf_deinit(&f->session_id);
    sse_deinit(&f->sse);
    buf_deinit(&f->json);
    buf_deinit(&f->words);
}

struct sluice_request *follow_request(struct follow *f)
{
    struct sluice_request *r;
    char seq[32];

    if (buf_error(&f->session_id))
        return NULL;
    r = request_make("GET", "/sessions/%/stream", f->session_id.data, NULL);
    snprintf(seq, sizeof(seq), "%lld", (long long)f->last_seq);
    /* The header makes the server say that there is nothing more; the first event has no number
     * before it. */
    if (f->last_seq > 0)
        sluice_set_header(r, "Last-Event-ID", seq);
    else
        sluice_set_query(r, "after", seq);
    sluice_set_header(r, "Accept", "text/event-stream");
    sse_reset(&f->sse);
    f->has_answered = false;
    return r;
}

bool follow_is_over(const struct follow *f)
{
    return f->has_ended || f->is_stopped || f->fault;
}

/* ---- events ---- */

/* Keeps a string of the event until the next one: its place in `words`, which may still move. */
static size_t word_keep(struct follow *f, struct json v)
{
    size_t at = f->words.len;

    if (json_type(v) != JSON_STRING)
        return SIZE_MAX;
    if (json_string(v, &f->words))
        buf_append_char(&f->words, '\0');
    return at;
}

static const char *word_at(const struct follow *f, size_t at)
{
    return at == SIZE_MAX ? NULL : f->words.data + at;
}

static void give_change(struct follow *f, struct json event, int64_t seq)
{
    struct json data = json_get(event, "data");
    struct sluice_change ch = {.seq = seq, .json = f->json.data, .session_id = f->session_id.data};

    if (!json_string_eq(json_get(event, "type"), "session_state_change"))
        return;
    size_t from = word_keep(f, json_get(data, "from"));
    size_t to = word_keep(f, json_get(data, "to"));
    size_t reason = word_keep(f, json_get(data, "reason"));
    if (buf_error(&f->words) || to == SIZE_MAX) {
        f->fault = buf_error(&f->words) ? SLUICE_E_NOMEM : SLUICE_E_PROTOCOL;
        return;
    }
    ch.from = from == SIZE_MAX ? "" : word_at(f, from);
    ch.to = word_at(f, to);
    ch.reason = word_at(f, reason);
    ch.from_status = sluice_status_of_session(ch.from);
    ch.to_status = sluice_status_of_session(ch.to);
    if (f->changed(f->data, &ch))
        f->is_stopped = true; /* it may have been already: by a call within */
}

static void give_event(struct follow *f, struct json event, int64_t seq, const char *type)
{
    struct sluice_event e = {.seq = seq, .type = type, .json_bytes = f->json.len};
    size_t type_at = word_keep(f, json_get(event, "type"));
    size_t node_at = word_keep(f, json_get(event, "node_id"));

    if (buf_error(&f->words) || (!type && type_at == SIZE_MAX)) {
        f->fault = buf_error(&f->words) ? SLUICE_E_NOMEM : SLUICE_E_PROTOCOL;
        return;
    }
    e.json = f->json.data;
    e.session_id = f->session_id.data;
    e.node_id = word_at(f, node_at);
    if (!type)
        e.type = word_at(f, type_at);
    if (f->event(f->data, &e))
        f->is_stopped = true; /* it may have been already: by a call within */
}

/* A stream's event: of the log (no name), or `snapshot`. Others are none of ours. */
static void follow_take(struct follow *f, const struct sse_event *ev)
{
    static const struct json_limits limits = {.bytes_max = SLUICE_EVENT_BYTES_MAX};
    bool is_snapshot = str_eqz(ev->name, "snapshot");
    int64_t seq = 0;

    if (str_eqz(ev->name, "end")) {
        f->has_ended = true;
        return;
    }
    if ((ev->name.n && !is_snapshot) || !ev->data.n)
        return;
    buf_clear(&f->words);
    buf_clear(&f->json);
    if (buf_append_str(&f->json, ev->data)) {
        f->fault = SLUICE_E_NOMEM;
        return;
    }
    int rc = json_check(buf_str(&f->json), &limits, NULL);
    if (rc) {
        f->fault = rc == ERR_NOMEM ? SLUICE_E_NOMEM : SLUICE_E_PROTOCOL;
        return;
    }
    struct json event = json_root(buf_str(&f->json));
    if (!json_i64(json_get(event, is_snapshot ? "last_seq" : "seq"), &seq) || seq < 0) {
        f->fault = SLUICE_E_PROTOCOL;
        return;
    }
    if (!is_snapshot && seq <= f->last_seq)
        return; /* given before a break */
    f->last_seq = seq;
    if (!f->changed)
        give_event(f, event, is_snapshot ? 0 : seq, is_snapshot ? "snapshot" : NULL);
    else if (!is_snapshot)
        give_change(f, event, seq);
}

void follow_bytes(void *data, const char *bytes, size_t count)
{
    struct follow *f = data;
    struct str in = {bytes, count};
    struct sse_event ev;
    int rc = 0;

    f->has_answered = true;
    while (!follow_is_over(f) && (rc = sse_next(&f->sse, &in, &ev)) == 1)
        follow_take(f, &ev);
    if (rc < 0)
        f->fault = rc == ERR_NOMEM ? SLUICE_E_NOMEM : SLUICE_E_PROTOCOL;
}

/* ---- between two streams ---- */

static bool fault_is_final(int result, const struct sluice_reply *reply)
{
    if (reply->status == 0 && result != SLUICE_OK)
        return result == SLUICE_E_INVALID || result == SLUICE_E_PROTOCOL ||
               result == SLUICE_E_NOMEM || result == SLUICE_E_CANCELLED;
    return reply->status != 200 && reply->status != 429 && reply->status < 500;
}

static bool is_stream(const struct sluice_reply *reply)
{
    return strncmp(reply->type, "text/event-stream", 17) == 0;
}

static const char *fault_sentence(int fault)
{
    return fault == SLUICE_E_NOMEM ? "out of memory"
                                   : "the server sends events that cannot be read";
}

bool follow_again(struct follow *f, int *result, struct sluice_reply *reply, int64_t now_ms)
{
    if (f->has_ended || f->is_stopped || reply->status == 204) {
        sluice_reply_free(reply);
        *result = reply_fail(reply, SLUICE_OK, "");
        return false;
    }
    if (!f->fault && reply->status == 200 && !is_stream(reply))
        f->fault = SLUICE_E_PROTOCOL;
    if (f->fault) {
        sluice_reply_free(reply);
        *result = reply_fail(reply, f->fault, fault_sentence(f->fault));
        return false;
    }
    if (fault_is_final(*result, reply))
        return false;
    if (f->has_answered) {
        f->delay_ms = DELAY_FIRST_MS;
        f->silent_since_ms = now_ms;
    } else {
        f->delay_ms = f->delay_ms * 2 > DELAY_MAX_MS ? DELAY_MAX_MS : f->delay_ms * 2;
    }
    if (!f->has_answered && f->client->patience_ms &&
        now_ms - f->silent_since_ms >= f->client->patience_ms) {
        if (*result == SLUICE_OK) {
            sluice_reply_free(reply);
            *result = reply_fail(reply, SLUICE_E_UNAVAILABLE, "the server sends no events");
        }
        return false;
    }
    sluice_reply_free(reply);
    return true;
}

/* ---- the words of the status system ---- */

static const char *const status_words[][2] = {
    {"pending", "PENDING"},     {"running", "IN_PROGRESS"}, {"paused", "ON_HOLD"},
    {"completed", "COMPLETED"}, {"failed", "FAILED"},       {"cancelled", "CANCELED"},
};

static const char *status_translated(const char *word, int from)
{
    for (size_t i = 0; word && i < sizeof(status_words) / sizeof(status_words[0]); i++)
        if (strcmp(word, status_words[i][from]) == 0)
            return status_words[i][!from];
    return NULL;
}

const char *sluice_status_of_session(const char *session_status)
{
    return status_translated(session_status, 0);
}

const char *sluice_session_of_status(const char *status)
{
    return status_translated(status, 1);
}
