#include "cli/follow.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/sse.h"
#include "cli/ask.h"
#include "cli/lang.h"

#define EVENT_BYTES_MAX (16u << 20)
#define RETRY_FIRST_MS  200
#define RETRY_MAX_MS    5000
#define GIVE_UP_MS      120000 /* without any answer */
#define LINE_BYTES_MAX  65536

struct follow {
    struct client *c;
    const char *id;
    struct view view;
    struct ask ask;
    struct sse sse;
    int64_t last_seq;
    bool ended, corrupt;
    char *ending;    /* the last session_state_change, once it is terminal */
    struct buf line; /* typed so far */
    int signals;     /* signalfd */
    bool detached;
};

/* ---- events ---- */

static bool word_is_terminal(struct json status)
{
    return json_string_eq(status, "completed") || json_string_eq(status, "failed") ||
           json_string_eq(status, "cancelled");
}

static bool is_terminal(struct json event)
{
    return json_string_eq(json_get(event, "type"), "session_state_change") &&
           word_is_terminal(json_get(json_get(event, "data"), "to"));
}

/* A session that ended without our seeing the event that says so. */
static void ending_from(struct follow *f, struct json session)
{
    struct json status = json_get(session, "status");
    struct buf b;
    struct jw w;
    if (f->ended || !word_is_terminal(status))
        return;
    buf_init(&b, EVENT_BYTES_MAX);
    jw_init(&w, &b);
    jw_object(&w);
    jw_key(&w, "data");
    jw_object(&w);
    jw_kv_raw(&w, "to", json_raw(status));
    jw_kv_raw(&w, "output", json_raw(json_get(session, "output")));
    jw_end(&w);
    jw_end(&w);
    f->ended = true;
    f->ending = buf_steal(&b, NULL);
}

/* The log no longer holds what we asked for: the session as it is now comes instead. */
static void follow_snapshot(struct follow *f, struct str text)
{
    struct json message = json_root(text), session = json_get(message, "session");
    json_i64(json_get(message, "last_seq"), &f->last_seq);
    if (!f->c->json) {
        char *word = member_text(session, "status");
        view_note(&f->view, STYLE_DIM, T("earlier events are no longer kept; the session is %s"),
                  word);
        free(word);
    }
    ending_from(f, session);
}

static void follow_event(struct follow *f, struct str name, struct str text)
{
    static const struct json_limits limits = {.bytes_max = EVENT_BYTES_MAX};
    int64_t seq;
    if (!text.n)
        return;
    if (json_check(text, &limits, NULL)) {
        f->corrupt = true;
        return;
    }
    struct json event = json_root(text);
    if (str_eqz(name, "snapshot"))
        follow_snapshot(f, text);
    if (name.n || !json_i64(json_get(event, "seq"), &seq))
        return;
    if (seq <= f->last_seq || f->ended)
        return; /* seen before a break */
    f->last_seq = seq;
    if (f->c->json) {
        fprintf(f->c->out.file, "%.*s\n", STR_FMT(text));
    } else {
        view_event(&f->view, event);
        ask_event(&f->ask, event);
    }
    if (is_terminal(event)) {
        f->ended = true;
        f->ending = str_dup(text);
    }
}

static void stream_came(void *data, struct str bytes)
{
    struct follow *f = data;
    struct sse_event ev;
    int rc;
    while ((rc = sse_next(&f->sse, &bytes, &ev)) == 1)
        follow_event(f, ev.name, ev.data);
    if (rc < 0)
        f->corrupt = true;
}

/* ---- keyboard and signals ---- */

static void keyboard_read(struct follow *f)
{
    char chunk[4096];
    ssize_t n = read(STDIN_FILENO, chunk, sizeof(chunk));
    if (n == 0)
        ask_eof(&f->ask);
    if (n <= 0 || buf_append(&f->line, chunk, (size_t)n))
        return;
    char *newline;
    while (f->line.len && (newline = memchr(f->line.data, '\n', f->line.len))) {
        size_t len = (size_t)(newline - f->line.data);
        char *line = str_dup((struct str){f->line.data, len});
        buf_consume(&f->line, len + 1);
        ask_line(&f->ask, (struct str){line, len});
        free(line);
    }
}

static void signal_read(struct follow *f)
{
    struct signalfd_siginfo info;
    if (read(f->signals, &info, sizeof(info)) != sizeof(info))
        return;
    if (info.ssi_signo == SIGWINCH)
        term_measure(&f->c->out);
    else if (info.ssi_signo == SIGINT && !f->c->json)
        ask_interrupt(&f->ask);
    else
        f->detached = true;
}

static unsigned fds_fill(struct follow *f, struct pollfd *fds)
{
    fds[0] = (struct pollfd){.fd = f->signals, .events = POLLIN};
    fds[1] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
    return f->ask.enabled ? 2 : 1;
}

static void fds_look(struct follow *f, const struct pollfd *fds, unsigned count)
{
    if (fds[0].revents)
        signal_read(f);
    if (count > 1 && fds[1].revents)
        keyboard_read(f);
    f->detached = f->detached || f->ask.detached;
}

static void follow_settle(struct follow *f)
{
    if (!f->c->json) {
        ask_refresh(&f->ask);
        view_settle(&f->view);
    }
    fflush(f->c->out.file);
    if (ferror(f->c->out.file))
        f->detached = true; /* nobody reads on */
}

/* ---- the stream ---- */

/* No content: the session has ended, and there is nothing after the event we named. */
static int follow_ended(struct follow *f)
{
    struct http_reply r;
    struct buf path;
    http_reply_init(&r);
    buf_init(&path, 4096);
    buf_printf(&path, "/sessions/%s", f->id);
    int rc = client_call(f->c, "GET", path.data, NULL, &r);
    if (!rc)
        ending_from(f, json_root(buf_str(&r.body)));
    buf_deinit(&path);
    http_reply_deinit(&r);
    return rc;
}

/* One connection, until it breaks or all is done. 0, or why it is no use to try again. */
static int follow_stream(struct follow *f, bool *answered)
{
    struct pollfd fds[2];
    struct buf path;
    buf_init(&path, 4096);
    buf_printf(&path, "/sessions/%s/stream", f->id);
    if (f->last_seq == 0)
        buf_append_z(&path, "?after=0");
    sse_reset(&f->sse);
    struct http_stream *s = http_stream_open(f->c->http, path.data, f->last_seq, stream_came, f);
    bool going = true;
    while (going && !f->ended && !f->detached && !f->corrupt) {
        unsigned count = fds_fill(f, fds);
        going = http_stream_turn(s, fds, count, 1000);
        fds_look(f, fds, count);
        follow_settle(f);
    }
    long status = http_stream_status(s);
    *answered = status == 200;
    int rc = 0;
    if (!f->ended && !f->detached && status >= 400 && status < 500 && status != 429) {
        struct str body = http_stream_body(s);
        char *sentence =
            json_check(body, NULL, NULL) ? NULL : json_strdup(json_get(json_root(body), "error"));
        client_complain("%s (HTTP %ld)", sentence ? sentence : T("the server refused"), status);
        free(sentence);
        rc = status == 404                    ? EXIT_NOT_FOUND
             : status == 401 || status == 403 ? EXIT_NOT_ALLOWED
                                              : EXIT_USAGE;
    }
    http_stream_close(s);
    buf_deinit(&path);
    return status == 204 && !f->ended && !f->detached ? follow_ended(f) : rc;
}

static void follow_wait(struct follow *f, int ms)
{
    struct pollfd fds[2];
    uint64_t until = clock_mono_ns() + (uint64_t)ms * 1000000;
    while (!f->detached && clock_mono_ns() < until) {
        unsigned count = fds_fill(f, fds);
        int left = (int)((until - clock_mono_ns()) / 1000000);
        if (poll(fds, count, left < 1 ? 1 : left) > 0)
            fds_look(f, fds, count);
        follow_settle(f);
    }
}

static int follow_all(struct follow *f)
{
    int delay = RETRY_FIRST_MS;
    uint64_t silent_since = clock_mono_ns();
    bool told = false;
    for (;;) {
        bool answered;
        int rc = follow_stream(f, &answered);
        if (rc || f->ended || f->detached)
            return rc;
        if (f->corrupt) {
            client_complain(T("%s sends events that cannot be read"), http_server(f->c->http));
            return EXIT_UNREACHABLE;
        }
        if (answered) {
            silent_since = clock_mono_ns();
            delay = RETRY_FIRST_MS;
            told = false;
        }
        if (clock_mono_ns() - silent_since > (uint64_t)GIVE_UP_MS * 1000000) {
            client_complain(T("%s does not answer; the session goes on when it does"),
                            http_server(f->c->http));
            return EXIT_UNREACHABLE;
        }
        if (!told && !f->c->json)
            view_note(&f->view, STYLE_DIM, T("connection lost, trying again …"));
        told = true;
        follow_wait(f, delay);
        if (f->detached)
            return 0;
        delay = delay * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : delay * 2;
    }
}

/* ---- the end ---- */

static void output_show(struct follow *f, struct json output)
{
    char *text = json_strdup(output);
    struct buf b;
    if (!json_exists(output) || json_type(output) == JSON_NULL ||
        (text && f->view.last_text && strcmp(text, f->view.last_text) == 0)) {
        free(text); /* streamed already */
        return;
    }
    buf_init(&b, EVENT_BYTES_MAX);
    if (text)
        text_clean(&b, str_of(text), false);
    else
        view_json(&b, output);
    view_note(&f->view, STYLE_PLAIN, "%s", b.data ? b.data : "");
    buf_deinit(&b);
    free(text);
}

static int ending_show(struct follow *f)
{
    struct json data = json_get(json_root(str_of(f->ending)), "data");
    bool done = json_string_eq(json_get(data, "to"), "completed");
    char took[32];
    if (f->c->json)
        return done ? EXIT_DONE : EXIT_SESSION_FAILED;
    view_prompt(&f->view, NULL);
    output_show(f, json_get(data, "output"));
    duration_format(f->view.last_ms - f->view.first_ms, took);
    if (f->view.input_tokens || f->view.output_tokens)
        view_note(&f->view, STYLE_DIM, T("%s · %lld tokens in · %lld out · %s"), took,
                  (long long)f->view.input_tokens, (long long)f->view.output_tokens, f->id);
    else
        view_note(&f->view, STYLE_DIM, "%s · %s", took, f->id);
    view_settle(&f->view);
    return done ? EXIT_DONE : EXIT_SESSION_FAILED;
}

static int detached_show(struct follow *f)
{
    if (!f->c->json && !ferror(f->c->out.file)) {
        if (f->view.prompt_shown)
            fputc('\n', f->c->out.file);
        view_prompt_done(&f->view);
        view_note(&f->view, STYLE_DIM, T("detached; the session goes on: sluice session watch %s"),
                  f->id);
        view_settle(&f->view);
    }
    return EXIT_DETACHED;
}

static void follow_init(struct follow *f, struct client *c, const char *id, struct json nodes,
                        int64_t after)
{
    struct json_iter it;
    *f = (struct follow){.c = c, .id = id, .last_seq = after};
    view_init(&f->view, &c->out);
    ask_init(&f->ask, c, &f->view, id, !c->json && c->out.is_tty && isatty(STDIN_FILENO));
    sse_init(&f->sse, EVENT_BYTES_MAX);
    buf_init(&f->line, LINE_BYTES_MAX);
    json_iter_init(&it, nodes);
    while (json_type(nodes) == JSON_OBJECT && json_iter_next(&it))
        view_expect(&f->view, it.key);
}

int follow_session(struct client *c, const char *id, struct json nodes, int64_t after)
{
    struct follow f;
    sigset_t ours, before;
    follow_init(&f, c, id, nodes, after);
    sigemptyset(&ours);
    sigaddset(&ours, SIGINT);
    sigaddset(&ours, SIGTERM);
    sigaddset(&ours, SIGWINCH);
    sigprocmask(SIG_BLOCK, &ours, &before);
    f.signals = signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK);
    int rc = follow_all(&f);
    if (!rc)
        rc = f.ended ? ending_show(&f) : detached_show(&f);
    close(f.signals);
    sigprocmask(SIG_SETMASK, &before, NULL);
    free(f.ending);
    buf_deinit(&f.line);
    sse_deinit(&f.sse);
    ask_deinit(&f.ask);
    view_deinit(&f.view);
    return rc;
}
