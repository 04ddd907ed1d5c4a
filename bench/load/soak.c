/* Soak: everything at once, at a steady pace, for as long as is wanted.
 *
 *     load soak --port P --seconds S --every S [--w1 RATE] [--talks RATE] [--waits RATE] [--wait S]
 *               [--viewers RATE] [--keep SESSIONS]
 *
 * W1 sessions; talks, which are sessions that stream and have a viewer each, every other one of
 * them cut off once and back again; sessions that wait for a person, who answers after up to --wait
 * seconds, some twice at once; viewers of the talks that come, read from the first event on, some
 * of them not reading for a while, and go. All rates are a second.
 *
 * A JSON line every so many seconds: what was begun and ended, and latencies. {"talk":...}, when
 * one has ended: what its viewer saw. {"check":ID}, now and then: a session that has ended.
 * {"fault":...}: what must not be. At the end of the time nothing more is begun, and all that waits
 * is answered; then
 * {"end":...} says what did not end once. bench/soak.mjs judges.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "book.h"
#include "client.h"

#define ID_ROOM     (BOOK_ID_BYTES + 1)
#define CONNECTIONS 288
#define OPEN_MAX    65536 /* waits, and viewers */
#define W1_MAX      192   /* connections; the rest is for the others, should W1 fall behind */
#define DELETE_MAX  32    /* likewise, should the store be behind with what is deleted */
#define DELETED     25    /* sessions at once */
#define FAULTS_MAX  20    /* that are told */
#define DRAIN_S     120
#define TWICE       20  /* one answer of so many is given twice */
#define CHECKED     500 /* one W1 session of so many is looked at in the store */

/* ---- state ---- */

struct pacer {
    double per_s;
    unsigned long begun;
};

struct wait {
    char id[ID_ROOM];
    uint64_t due_ns;
    int open, taken; /* answers under way; that were taken */
    bool is_twice;
};

struct viewer {
    struct peer *peer;
    struct talk *talk; /* NULL: one that passes by */
    unsigned long seq; /* of the last event */
    uint64_t since_ns; /* it asked, until it was answered */
    uint64_t pause_ns, read_ns, leave_ns;
};

struct talk {
    char id[ID_ROOM], key[ID_ROOM]; /* key: what the model's server knows it by */
    struct viewer viewer;
    bool is_clock, is_ended;
    uint64_t cut_ns; /* 0: not, or not again */
    unsigned long words, resets;
    char *text; /* as in the JSON, without its quotes */
    size_t bytes, cap;
};

enum ask_kind { ASK_W1, ASK_TALK, ASK_WAIT, ASK_ANSWER, ASK_DELETE, ASK_KINDS };

struct ask {
    struct peer *peer;
    enum ask_kind kind;
    struct talk *talk;
    struct wait *wait;
};

static const char *const names[] = {"w1", "talks", "waits"};
static struct {
    uint64_t from_ns, now_ns;
    struct pacer w1, talk, wait, viewer;
    double wait_s;
    struct ask *idle[CONNECTIONS];
    size_t idle_first, idle_count, asks, open[ASK_KINDS];
    char (*kept)[BOOK_ID_BYTES]; /* a ring of sessions that have ended */
    size_t keep, kept_first, kept_count;
    struct wait *waits[OPEN_MAX];
    struct viewer *viewers[OPEN_MAX];
    struct talk *talks[OPEN_MAX]; /* those that stream */
    size_t wait_count, viewer_count, talk_count;
    unsigned long accepted[BOOK_KINDS], ended[BOOK_KINDS];
    unsigned long words, events, came, went, back, faults, deleted;
    struct samples took[BOOK_KINDS], delays, opened;
    bool is_draining;
} soak;

static void fault(const char *what, const char *id)
{
    if (soak.faults++ < FAULTS_MAX)
        printf("{\"fault\":\"%s\",\"id\":\"%s\"}\n", what, id);
}

static double chance(void)
{
    return (double)rand() / RAND_MAX;
}

static uint64_t later(double seconds)
{
    return soak.now_ns + (uint64_t)(seconds * 1e9);
}

/* ---- the book ---- */

static void settle(struct book_entry *e)
{
    if (!e->since_ns || !e->ended_ns)
        return;
    soak.ended[e->kind]++;
    samples_add(&soak.took[e->kind], e->ended_ns > e->since_ns ? e->ended_ns - e->since_ns : 0);
    if (e->kind == BOOK_W1 && soak.ended[BOOK_W1] % CHECKED == 0)
        printf("{\"check\":\"%.*s\"}\n", BOOK_ID_BYTES, e->id);
    if (soak.kept_count < soak.keep * 2) /* twice: should deleting fall behind */
        memcpy(soak.kept[(soak.kept_first + soak.kept_count++) % (soak.keep * 2)], e->id,
               BOOK_ID_BYTES);
    book_settle(e);
}

static void accepted(const char *id, enum book_kind kind, uint64_t since_ns)
{
    struct book_entry *e = book_get(id);

    if (e->since_ns)
        fault("one id was given to two sessions", id);
    e->kind = (uint8_t)kind;
    e->since_ns = since_ns;
    soak.accepted[kind]++;
    settle(e);
}

/* Frames of the channel: sessions that were completed. One that failed stays in the book. */
static void channel_framed(struct peer *peer, const char *p, size_t n)
{
    static const char key[] = "\"session_id\":\"";
    const char *end = p + n, *id = memmem(p, n, key, sizeof(key) - 1);

    (void)peer;
    while (id) {
        char text[ID_ROOM] = "";
        id += sizeof(key) - 1;
        const char *next = memmem(id, (size_t)(end - id), key, sizeof(key) - 1);
        size_t bytes = (size_t)((next ? next : end) - id);
        memcpy(text, id, bytes < BOOK_ID_BYTES ? bytes : BOOK_ID_BYTES);
        if (memmem(id, bytes, "\"to\":\"completed\"", 16)) {
            struct book_entry *e = book_get(text);
            if (e->ended_ns)
                fault("a session ended twice", text);
            e->ended_ns = now_ns();
            settle(e);
        }
        id = next;
    }
}

/* ---- requests ---- */

static struct talk *talk_create(void);
static void talk_watch(struct talk *t);
static void wait_done(struct wait *w, int status);

static void answered(struct peer *p, int status, const char *bytes, size_t count)
{
    struct ask *a = p->data;
    char id[ID_ROOM] = "";

    soak.idle[(soak.idle_first + soak.idle_count++) % CONNECTIONS] = a;
    soak.open[a->kind]--;
    if (a->kind == ASK_ANSWER) {
        wait_done(a->wait, status);
        return;
    }
    if (a->kind == ASK_DELETE) {
        soak.deleted += DELETED;
        if (status != 200)
            fault("deleting was refused", "");
        return;
    }
    if (status != 202 || !string_member(bytes, count, "session_id", id, sizeof(id))) {
        fprintf(stderr, "load: %d %.*s\n", status, (int)count, bytes);
        fault("execute was refused", names[a->kind]);
        free(a->talk);
        return;
    }
    accepted(id, (enum book_kind)a->kind, p->sent_ns);
    if (a->kind == ASK_TALK) {
        memcpy(a->talk->id, id, sizeof(id));
        talk_watch(a->talk);
    } else if (a->kind == ASK_WAIT) {
        struct wait *w = calloc(1, sizeof(*w));
        errno = 0;
        if (!w || soak.wait_count == OPEN_MAX)
            die("too many sessions wait");
        memcpy(w->id, id, sizeof(id));
        w->due_ns = soak.is_draining ? later(1) : later(1 + chance() * (soak.wait_s - 1));
        w->is_twice = rand() % TWICE == 0;
        soak.waits[soak.wait_count++] = w;
    }
}

/* A connection for a request; NULL: all are busy. In turns, so that none is idle for long. */
static struct ask *ask_take(enum ask_kind kind)
{
    static const struct peer_calls calls = {.answer = answered};
    static const size_t open_max[ASK_KINDS] = {
        [ASK_W1] = W1_MAX,          [ASK_TALK] = CONNECTIONS,  [ASK_WAIT] = CONNECTIONS,
        [ASK_ANSWER] = CONNECTIONS, [ASK_DELETE] = DELETE_MAX,
    };
    struct ask *a;

    if (soak.open[kind] == open_max[kind])
        return NULL;
    if (soak.idle_count) {
        a = soak.idle[soak.idle_first];
        soak.idle_first = (soak.idle_first + 1) % CONNECTIONS;
        soak.idle_count--;
    } else if (soak.asks < CONNECTIONS) {
        a = calloc(1, sizeof(*a));
        if (!a)
            die("connection");
        a->peer = peer_http(&calls, a);
        soak.asks++;
    } else {
        return NULL;
    }
    soak.open[kind]++;
    a->kind = kind;
    a->talk = NULL;
    return a;
}

static bool execute(enum ask_kind kind, const char *body, struct talk *talk)
{
    struct ask *a = ask_take(kind);

    if (!a)
        return false;
    a->talk = talk;
    peer_request(a->peer, "POST", "/workflows/execute", body);
    return true;
}

static bool begin_w1(void)
{
    return execute(ASK_W1, "{\"workflow_id\":\"soak-w1\",\"input\":{\"n\":1}}", NULL);
}

static bool begin_wait(void)
{
    return execute(ASK_WAIT, "{\"workflow_id\":\"soak-waits\",\"input\":{\"n\":1}}", NULL);
}

static bool begin_talk(void)
{
    struct talk *t = talk_create();
    bool is_begun = execute(
        ASK_TALK,
        t->is_clock ? "{\"workflow_id\":\"soak-talks\",\"input\":{\"say\":\"[[clock]]\"}}"
                    : "{\"workflow_id\":\"soak-talks\",\"input\":{\"say\":\"Tell me more.\"}}",
        t);

    if (!is_begun)
        free(t);
    return is_begun;
}

/* ---- sessions that wait ---- */

static bool wait_answer(struct wait *w)
{
    struct ask *a = ask_take(ASK_ANSWER);
    char path[128];

    if (!a)
        return false;
    a->wait = w;
    w->open++;
    snprintf(path, sizeof(path), "/sessions/%s/nodes/review/resume", w->id);
    book_get(w->id)->since_ns = now_ns();
    peer_request(a->peer, "POST", path, "{\"action\":\"approve\"}");
    return true;
}

static void wait_done(struct wait *w, int status)
{
    w->taken += status == 200;
    if (--w->open > 0)
        return;
    if (w->taken != 1)
        fault(w->taken ? "two answers to one question were taken" : "an answer was not taken",
              w->id);
    free(w);
}

static void answer_due(void)
{
    for (size_t i = 0; i < soak.wait_count;) {
        struct wait *w = soak.waits[i];
        if (w->due_ns > soak.now_ns) {
            i++;
            continue;
        }
        if (!wait_answer(w))
            return;
        if (w->is_twice)
            wait_answer(w);
        soak.waits[i] = soak.waits[--soak.wait_count];
    }
}

/* ---- what is old ---- */

static void delete_old(void)
{
    while (soak.keep && soak.kept_count >= soak.keep + DELETED) {
        char body[64 + DELETED * (BOOK_ID_BYTES + 3)];
        size_t n = 0;
        struct ask *a = ask_take(ASK_DELETE);
        if (!a)
            return;
        for (int i = 0; i < DELETED; i++, soak.kept_count--) {
            n += (size_t)snprintf(body + n, sizeof(body) - n, "%s\"%.*s\"",
                                  i ? "," : "{\"delete\":[", BOOK_ID_BYTES,
                                  soak.kept[soak.kept_first]);
            soak.kept_first = (soak.kept_first + 1) % (soak.keep * 2);
        }
        snprintf(body + n, sizeof(body) - n, "]}");
        peer_request(a->peer, "POST", "/sessions/batch", body);
    }
}

/* ---- viewers ---- */

static void talk_append(struct talk *t, const char *p, size_t n)
{
    if (t->bytes + n > t->cap) {
        t->cap = (t->bytes + n) * 2;
        t->text = realloc(t->text, t->cap);
        if (!t->text)
            die("text");
    }
    memcpy(t->text + t->bytes, p, n);
    t->bytes += n;
}

/* Words of [[clock]]: "t", the number, "-", microseconds in hexadecimal, a space. */
static void talk_clock(struct talk *t, const char *p, const char *end)
{
    uint64_t now = now_ns();

    while (p < end && *p == 't') {
        char *at;
        if (strtoul(p + 1, &at, 10) != t->words++)
            fault("a word was lost, doubled or out of order", t->id);
        uint64_t sent_ns = strtoull(at + 1, &at, 16) * 1000;
        samples_add(&soak.delays, now > sent_ns ? now - sent_ns : 0);
        soak.words++;
        p = at + 1;
    }
}

static void talk_take(struct talk *t, const char *p, const char *end)
{
    static const char key[] = "\"chunk\":\"";

    if (memmem(p, (size_t)(end - p), "\"type\":\"token_stream\"", 21)) {
        const char *chunk = memmem(p, (size_t)(end - p), key, sizeof(key) - 1), *quote;
        if (!chunk)
            return;
        chunk += sizeof(key) - 1;
        for (quote = chunk; quote < end && *quote != '"'; quote++)
            quote += *quote == '\\';
        if (!t->key[0])
            string_member(p, (size_t)(end - p), "run_id", t->key, sizeof(t->key));
        if (t->is_clock)
            talk_clock(t, chunk, quote);
        else
            talk_append(t, chunk, (size_t)(quote - chunk));
    } else if (memmem(p, (size_t)(end - p), "\"type\":\"stream_reset\"", 21)) {
        t->resets++;
    } else if (memmem(p, (size_t)(end - p), "\"to\":\"completed\"", 16) &&
               memmem(p, (size_t)(end - p), "\"type\":\"session_state_change\"", 29)) {
        t->is_ended = true;
    }
}

static void viewer_events(struct viewer *v, const char *at, const char *end)
{
    static const char key[] = "{\"seq\":"; /* in a string its quotes would be escaped */
    const char *id = v->talk ? v->talk->id : "";

    for (const char *next; at; at = next) {
        unsigned long seq = strtoul(at + sizeof(key) - 1, NULL, 10);
        next = memmem(at + 1, (size_t)(end - at - 1), key, sizeof(key) - 1);
        if (seq != v->seq + 1)
            fault(seq > v->seq ? "a viewer missed an event" : "a viewer was told twice", id);
        v->seq = seq;
        soak.events++;
        if (v->talk)
            talk_take(v->talk, at, next ? next : end);
    }
}

static void viewer_framed(struct peer *peer, const char *p, size_t n)
{
    struct viewer *v = peer->data;

    if (v->since_ns) {
        samples_add(&soak.opened, now_ns() - v->since_ns);
        v->since_ns = 0;
    }
    if (n > 20 && memcmp(p, "{\"type\":\"subscribed\"", 20) == 0) {
        if (!memmem(p, n, "\"verdict\":\"recovered\"", 21))
            fault("a viewer was not caught up", v->talk ? v->talk->id : "");
    } else if (n > 15 && memcmp(p, "{\"type\":\"error\"", 15) == 0) {
        fprintf(stderr, "load: %.*s\n", (int)n, p);
        fault("a viewer was told of an error", v->talk ? v->talk->id : "");
    } else {
        viewer_events(v, memmem(p, n, "{\"seq\":", 7), p + n);
    }
}

static void viewer_open(struct viewer *v, const char *id)
{
    static const struct peer_calls calls = {.frame = viewer_framed};
    char path[128];

    snprintf(path, sizeof(path), "/ws?session_id=%s&after=%lu%s", id, v->seq,
             rand() % 2 ? "&batch=1" : "");
    v->since_ns = now_ns();
    v->peer = peer_socket_soon(&calls, v, path);
}

static void talk_watch(struct talk *t)
{
    errno = 0;
    if (soak.talk_count == OPEN_MAX)
        die("too many talks");
    soak.talks[soak.talk_count++] = t;
    t->viewer.talk = t;
    viewer_open(&t->viewer, t->id);
}

static struct talk *talk_create(void)
{
    struct talk *t = calloc(1, sizeof(*t));

    if (!t)
        die("talk");
    /* A cut would count as delay. */
    t->is_clock = rand() % 2;
    t->cut_ns = t->is_clock ? 0 : later(0.5 + 8 * chance());
    return t;
}

static bool begin_viewer(void)
{
    if (soak.talk_count == 0)
        return true;
    struct viewer *v = calloc(1, sizeof(*v));
    errno = 0;
    if (!v || soak.viewer_count == OPEN_MAX)
        die("too many viewers");
    double stay = 0.2 + 5 * chance();
    v->leave_ns = later(stay);
    if (rand() % 10 == 0) { /* reads nothing for half of its time */
        v->pause_ns = later(stay / 4);
        v->read_ns = later(stay * 3 / 4);
    }
    viewer_open(v, soak.talks[(size_t)rand() % soak.talk_count]->id);
    soak.viewers[soak.viewer_count++] = v;
    soak.came++;
    return true;
}

static void viewers_turn(void)
{
    for (size_t i = 0; i < soak.viewer_count;) {
        struct viewer *v = soak.viewers[i];
        if (v->pause_ns && v->pause_ns <= soak.now_ns)
            peer_pause(v->peer, soak.now_ns < v->read_ns);
        if (v->leave_ns > soak.now_ns) {
            i++;
            continue;
        }
        peer_close(v->peer);
        free(v);
        soak.viewers[i] = soak.viewers[--soak.viewer_count];
        soak.went++;
    }
}

static void talk_end(struct talk *t)
{
    printf("{\"talk\":{\"id\":\"%s\",\"key\":\"%s\",\"events\":%lu,\"resets\":%lu,", t->id, t->key,
           t->viewer.seq, t->resets);
    if (t->is_clock)
        printf("\"words\":%lu}}\n", t->words);
    else
        printf("\"text\":\"%.*s\"}}\n", (int)t->bytes, t->text);
    peer_close(t->viewer.peer);
    free(t->text);
    free(t);
}

static void talks_turn(void)
{
    for (size_t i = 0; i < soak.talk_count;) {
        struct talk *t = soak.talks[i];
        if (t->is_ended) {
            soak.talks[i] = soak.talks[--soak.talk_count];
            talk_end(t);
            continue;
        }
        if (t->cut_ns && t->cut_ns <= soak.now_ns) {
            t->cut_ns = 0;
            peer_close(t->viewer.peer);
            viewer_open(&t->viewer, t->id);
            soak.back++;
        }
        i++;
    }
}

/* ---- time ---- */

static void pace(struct pacer *p, bool (*begin)(void))
{
    double due = (double)(soak.now_ns - soak.from_ns) / 1e9 * p->per_s;

    for (int i = 0; i < 256 && (double)p->begun < due && begin(); i++)
        p->begun++;
}

static void report_latency(const char *name, struct samples *s)
{
    printf(",\"%s\":{\"n\":%zu,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f}", name, s->count,
           samples_ms(s, 0.5), samples_ms(s, 0.99), samples_ms(s, 1));
    s->count = 0;
}

static void report(void)
{
    printf("{\"at\":%.1f,\"waiting\":%zu,\"talking\":%zu,\"viewers\":%zu,\"came\":%lu,\"back\":%lu,"
           "\"open\":%zu,\"events\":%lu,\"late\":%.0f",
           (double)(soak.now_ns - soak.from_ns) / 1e9, soak.wait_count, soak.talk_count,
           soak.viewer_count + soak.talk_count, soak.came, soak.back, book_count(), soak.events,
           (double)(soak.now_ns - soak.from_ns) / 1e9 * soak.w1.per_s - (double)soak.w1.begun);
    for (int k = 0; k < BOOK_KINDS; k++)
        report_latency(names[k], &soak.took[k]);
    report_latency("words", &soak.delays);
    report_latency("opened", &soak.opened);
    printf("}\n");
    fflush(stdout);
}

static void turn(void)
{
    client_turn(2);
    soak.now_ns = now_ns();
    answer_due();
    viewers_turn();
    talks_turn();
    if (soak.is_draining)
        return;
    delete_old();
    pace(&soak.w1, begin_w1);
    pace(&soak.talk, begin_talk);
    pace(&soak.wait, begin_wait);
    pace(&soak.viewer, begin_viewer);
}

/* Nothing more begins; who waits is answered soon. */
static void drain(void)
{
    uint64_t patience = soak.now_ns + (uint64_t)DRAIN_S * 1000000000u;

    soak.is_draining = true;
    for (size_t i = 0; i < soak.wait_count; i++)
        soak.waits[i]->due_ns = later(1 + 4 * chance());
    while ((book_count() || soak.talk_count || soak.wait_count || soak.idle_count < soak.asks) &&
           soak.now_ns < patience)
        turn();
    uint64_t late = later(1); /* an ending that comes twice */
    while (soak.now_ns < late)
        turn();
}

static void report_end(void)
{
    static const char *const kinds[] = {"w1", "talks", "waits"};
    const struct book_entry *e;
    size_t at = 0, told = 0;

    printf("{\"end\":{\"talking\":%zu,\"back\":%lu,\"came\":%lu,\"events\":%lu,\"faults\":%lu,"
           "\"deleted\":%lu",
           soak.talk_count, soak.back, soak.came, soak.events, soak.faults, soak.deleted);
    for (int k = 0; k < BOOK_KINDS; k++)
        printf(",\"%s\":{\"accepted\":%lu,\"ended\":%lu}", kinds[k], soak.accepted[k],
               soak.ended[k]);
    printf(",\"left\":%zu,\"examples\":[", book_count());
    while (told < FAULTS_MAX && (e = book_next(&at)))
        printf("%s{\"id\":\"%.*s\",\"accepted\":%s,\"ended\":%s}", told++ ? "," : "", BOOK_ID_BYTES,
               e->id, e->since_ns ? "true" : "false", e->ended_ns ? "true" : "false");
    printf("]}}\n");
    fflush(stdout);
}

int load_soak(void)
{
    static const struct peer_calls channel = {.frame = channel_framed};
    double seconds = option_number("seconds", 60), every = option_number("every", 5);

    soak.w1.per_s = option_number("w1", 1000);
    soak.talk.per_s = option_number("talks", 10);
    soak.wait.per_s = option_number("waits", 20);
    soak.viewer.per_s = option_number("viewers", 20);
    soak.wait_s = option_number("wait", 60);
    soak.keep = (size_t)option_number("keep", 0);
    soak.kept = soak.keep ? calloc(soak.keep * 2, sizeof(*soak.kept)) : NULL;
    if (soak.keep && !soak.kept)
        die("kept");
    book_init();
    srand((unsigned)option_number("seed", 1));
    struct peer *watcher = peer_socket(&channel, NULL, "/ws?batch=1");
    peer_message(
        watcher,
        "{\"type\":\"subscribe\",\"channel\":\"sessions\",\"filter\":{\"status\":\"completed\"}}");
    soak.from_ns = soak.now_ns = now_ns();
    uint64_t stop = later(seconds), next = later(every);
    while (soak.now_ns < stop) {
        turn();
        if (soak.now_ns >= next) {
            report();
            next += (uint64_t)(every * 1e9);
        }
    }
    drain();
    report_end();
    return 0;
}
