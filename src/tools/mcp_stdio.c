/* An MCP server as a child process: one JSON message a line on its standard input and output.
 *
 *     mcp_stdio_open ──> running ── mcp_stdio_end: its input is closed ─1 s─> SIGTERM ─2 s─>
 * SIGKILL └── it ends, or its output does ──> mcp_server_lost, then the same
 *
 * The process leads a group of its own, so that what npx and the like have started goes with it,
 * and a Ctrl-C in our terminal does not.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "tools/mcp_server.h"

#define EXIT_WAIT_MS     200 /* from the end of its output to that of the process, which says more */
#define CLOSE_WAIT_MS    1000
#define TERM_WAIT_MS     2000
#define ENV_MAX          64
#define WORDS_LOGGED_MAX 100         /* lines of its standard error; then no more are logged */
#define UNSENT_BYTES_MAX (32u << 20) /* a server that reads nothing */
#define READ_BYTES       65536

struct mcp_stdio {
    struct mcp_server *server; /* NULL: ended */
    struct tools *tools;
    uv_process_t process;
    uv_pipe_t pipes[3];
    uv_timer_t kill;
    struct buf line, words;
    unsigned words_logged;
    unsigned open_handles;
    bool is_running, is_term_sent;
    char bytes[READ_BYTES];
};

struct mcp_write {
    uv_write_t req;
    uv_buf_t buf;
};

static void stdio_handle_closed(uv_handle_t *h)
{
    struct mcp_stdio *p = h->data;
    if (--p->open_handles)
        return;
    struct tools *t = p->tools;
    buf_deinit(&p->line);
    buf_deinit(&p->words);
    free(p);
    tools_part_closed(t);
}

static void stdio_close(struct mcp_stdio *p, void *handle)
{
    (void)p;
    if (!uv_is_closing(handle))
        uv_close(handle, stdio_handle_closed);
}

static void stdio_lost(struct mcp_stdio *p, const char *how);

static void stdio_kill_fired(uv_timer_t *timer)
{
    struct mcp_stdio *p = timer->data;
    if (p->server) { /* its output has ended, and it goes on */
        stdio_lost(p, "closed its output");
        return;
    }
    if (!p->is_running)
        return;
    kill(-p->process.pid, p->is_term_sent ? SIGKILL : SIGTERM);
    p->is_term_sent = true;
    uv_timer_start(timer, stdio_kill_fired, TERM_WAIT_MS, 0);
}

/* Lets go of the server; the process follows in its own time. */
static void stdio_leave(struct mcp_stdio *p)
{
    p->server = NULL;
    stdio_close(p, &p->pipes[0]);
    if (p->is_running) {
        if (!uv_is_active((uv_handle_t *)&p->kill) && !uv_is_closing((uv_handle_t *)&p->kill))
            uv_timer_start(&p->kill, stdio_kill_fired, CLOSE_WAIT_MS, 0);
        return;
    }
    for (int i = 0; i < 3; i++)
        stdio_close(p, &p->pipes[i]);
    stdio_close(p, &p->kill);
    stdio_close(p, &p->process);
}

void mcp_stdio_end(struct mcp_stdio *p)
{
    stdio_leave(p);
}

static void stdio_lost(struct mcp_stdio *p, const char *how)
{
    struct mcp_server *s = p->server;
    stdio_leave(p);
    if (s)
        mcp_server_lost(s, how);
}

static void stdio_exited(uv_process_t *process, int64_t code, int signal)
{
    struct mcp_stdio *p = process->data;
    char how[64];
    p->is_running = false;
    kill(-process->pid, SIGKILL); /* what it left behind */
    if (signal)
        snprintf(how, sizeof(how), "was ended by signal %d", signal);
    else
        snprintf(how, sizeof(how), "ended with code %lld", (long long)code);
    stdio_lost(p, how);
}

/* ---- reading ---- */

static void stdio_alloc(uv_handle_t *h, size_t wanted, uv_buf_t *out)
{
    struct mcp_stdio *p = h->data;
    (void)wanted;
    *out = uv_buf_init(p->bytes, READ_BYTES);
}

static void stdio_line(struct mcp_stdio *p)
{
    struct str line = buf_str(&p->line);
    while (line.n && (line.p[line.n - 1] == '\r' || line.p[line.n - 1] == ' '))
        line.n--;
    if (line.n)
        mcp_server_received(p->server, line, NULL);
    buf_clear(&p->line);
}

static void stdio_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *bytes)
{
    struct mcp_stdio *p = stream->data;
    const char *at = bytes->base, *end = at + (n > 0 ? n : 0);
    if (n < 0 && p->is_running && p->server) {
        uv_read_stop(stream);
        uv_timer_start(&p->kill, stdio_kill_fired, EXIT_WAIT_MS, 0);
        return;
    }
    while (at < end && p->server) {
        const char *lf = memchr(at, '\n', (size_t)(end - at));
        size_t part = (size_t)((lf ? lf : end) - at);
        if (buf_append(&p->line, at, part)) {
            stdio_lost(p, "sent a message that is too long");
            return;
        }
        at += part + (lf ? 1 : 0);
        if (lf)
            stdio_line(p);
    }
}

static void stdio_words_line(struct mcp_stdio *p)
{
    struct str line = buf_str(&p->words);
    if (line.n && p->server) {
        snprintf(p->server->last_words, sizeof(p->server->last_words), "%.*s",
                 line.n > 190 ? 190 : (int)line.n, line.p);
        if (p->words_logged++ < WORDS_LOGGED_MAX)
            log_info("mcp", "server %s says: %.*s", p->server->settings->name, STR_FMT(line));
    }
    buf_clear(&p->words);
}

static void stdio_read_words(uv_stream_t *stream, ssize_t n, const uv_buf_t *bytes)
{
    struct mcp_stdio *p = stream->data;
    for (ssize_t i = 0; i < n; i++)
        if (bytes->base[i] == '\n')
            stdio_words_line(p);
        else
            buf_append_char(&p->words, bytes->base[i]); /* what is too long is cut */
    if (n < 0)
        uv_read_stop(stream);
}

/* ---- writing ---- */

static void stdio_written(uv_write_t *req, int status)
{
    struct mcp_write *w = container_of(req, struct mcp_write, req);
    (void)status; /* a pipe that is broken ends its process, or was left: that is told elsewhere */
    free(w->buf.base);
    free(w);
}

void mcp_stdio_send(struct mcp_stdio *p, struct str message)
{
    struct mcp_write *w;
    struct buf b;
    uv_stream_t *in = (uv_stream_t *)&p->pipes[0];
    if (!p->is_running || uv_is_closing((uv_handle_t *)in))
        return;
    if (uv_stream_get_write_queue_size(in) > UNSENT_BYTES_MAX) {
        kill(-p->process.pid, SIGKILL); /* its end is told as any other */
        return;
    }
    buf_init(&b, message.n + 1);
    buf_append_str(&b, message);
    buf_append_char(&b, '\n');
    w = mem_alloc(sizeof(*w));
    size_t n;
    char *bytes = buf_steal(&b, &n);
    w->buf = uv_buf_init(bytes, (unsigned)n);
    if (uv_write(&w->req, in, &w->buf, 1, stdio_written))
        stdio_written(&w->req, 0);
}

/* ---- starting ---- */

/* What a program needs to be found and to run; nothing that may be a secret of ours. */
static int stdio_environment(struct mcp_server *s, char **env, struct errbuf *e)
{
    static const char *const passed[] = {"PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "USER"};
    const char *const *own = s->settings->env;
    size_t n = 0;
    for (size_t i = 0; i < sizeof(passed) / sizeof(passed[0]); i++) {
        const char *v = getenv(passed[i]);
        char *text = NULL;
        if (v && asprintf(&text, "%s=%s", passed[i], v) > 0)
            env[n++] = text;
    }
    for (size_t i = 0; own && own[i]; i++) {
        struct secrets secrets = {.count = 0};
        struct buf text;
        int rc = n == ENV_MAX ? err_set(e, ERR_INVALID, "more than %d variables", ENV_MAX) : 0;
        buf_init(&text, SECRET_BYTES_MAX * 2);
        if (rc == 0)
            rc = secrets_expand(s->tools, str_of(own[i]), str_of(own[i]), &secrets, &text, e);
        secrets_deinit(&secrets);
        if (rc == 0)
            env[n++] = buf_steal(&text, NULL);
        buf_deinit(&text);
        if (rc)
            return rc;
    }
    env[n] = NULL;
    return 0;
}

static void environment_free(char **env)
{
    for (size_t i = 0; env[i]; i++) {
        explicit_bzero(env[i], strlen(env[i]));
        free(env[i]);
    }
}

static void stdio_init(struct mcp_stdio *p, struct mcp_server *s)
{
    p->server = s;
    p->tools = s->tools;
    buf_init(&p->line, MCP_MESSAGE_BYTES_MAX);
    buf_init(&p->words, 500);
    for (int i = 0; i < 3; i++) {
        uv_pipe_init(s->tools->loop, &p->pipes[i], 0);
        p->pipes[i].data = p;
    }
    uv_timer_init(s->tools->loop, &p->kill);
    p->kill.data = p->process.data = p;
    p->open_handles = 5;
    s->tools->open_parts++;
}

int mcp_stdio_open(struct mcp_server *s, struct errbuf *e)
{
    char *env[ENV_MAX + 1] = {NULL};
    if (stdio_environment(s, env, e)) {
        environment_free(env);
        return ERR_INVALID;
    }
    struct mcp_stdio *p = mem_zalloc(sizeof(*p));
    stdio_init(p, s);
    s->last_words[0] = '\0';
    uv_stdio_container_t stdio[3];
    for (int i = 0; i < 3; i++) {
        stdio[i].flags = UV_CREATE_PIPE | (i == 0 ? UV_READABLE_PIPE : UV_WRITABLE_PIPE);
        stdio[i].data.stream = (uv_stream_t *)&p->pipes[i];
    }
    uv_process_options_t options = {
        .exit_cb = stdio_exited,
        .file = s->settings->command[0],
        .args = (char **)s->settings->command,
        .env = env,
        .cwd = s->settings->cwd,
        .flags = UV_PROCESS_DETACHED,
        .stdio_count = 3,
        .stdio = stdio,
    };
    close_range(3, ~0u, CLOSE_RANGE_CLOEXEC); /* no socket of ours lives on in a child */
    int rc = uv_spawn(s->tools->loop, &p->process, &options);
    environment_free(env);
    p->process.data = p;
    if (rc) {
        err_set(e, ERR_IO, "MCP server %s: \"%s\" cannot be started: %s", s->settings->name,
                s->settings->command[0], uv_strerror(rc));
        stdio_leave(p);
        return ERR_IO;
    }
    p->is_running = true;
    uv_read_start((uv_stream_t *)&p->pipes[1], stdio_alloc, stdio_read);
    uv_read_start((uv_stream_t *)&p->pipes[2], stdio_alloc, stdio_read_words);
    s->stdio = p;
    return 0;
}
