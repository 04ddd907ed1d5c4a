#include "cli/view.h"
#include "cli/lang.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

#define TEXT_BYTES_MAX    (16u << 20)
#define LABEL_COLUMNS_MAX 18
#define LABEL_COLUMNS_MIN 5
#define LINE_COLUMNS_MIN  24 /* for text, however narrow the terminal */
#define WORD_BYTES_MAX    64 /* more than this is shown without waiting for its end */

void view_init(struct view *v, struct term *t)
{
    *v = (struct view){.t = t, .owner = -1, .label_columns = LABEL_COLUMNS_MIN};
    v->nodes = mem_calloc(VIEW_NODES_MAX, sizeof(*v->nodes));
}

static void stream_free(struct view_stream *s)
{
    free(s->message_id);
    free(s->node_id);
    buf_deinit(&s->text);
}

void view_deinit(struct view *v)
{
    for (int i = 0; i < v->node_count; i++)
        free(v->nodes[i].id);
    for (int i = 0; i < v->stream_count; i++)
        stream_free(&v->streams[i]);
    free(v->nodes);
    free(v->prompt);
    free(v->last_text);
}

/* ---- nodes ---- */

static struct view_node *node_find(struct view *v, struct str id)
{
    for (int i = 0; i < v->node_count; i++)
        if (str_eqz(id, v->nodes[i].id))
            return &v->nodes[i];
    if (v->node_count == VIEW_NODES_MAX)
        return NULL;
    struct view_node *n = &v->nodes[v->node_count++];
    *n = (struct view_node){.id = str_dup(id), .iteration = 1, .attempt = 1};
    return n;
}

void view_expect(struct view *v, struct str node_id)
{
    int columns = text_columns(node_id);
    node_find(v, node_id);
    if (columns > LABEL_COLUMNS_MAX)
        columns = LABEL_COLUMNS_MAX;
    if (columns > v->label_columns)
        v->label_columns = columns;
}

/* The same node always has the same colour. */
static enum style label_style(const char *id)
{
    static const enum style styles[] = {STYLE_CYAN, STYLE_MAGENTA, STYLE_GREEN, STYLE_BLUE,
                                        STYLE_YELLOW};
    unsigned hash = 5381;
    for (const char *p = id; *p; p++)
        hash = hash * 33 + (unsigned char)*p;
    return styles[hash % (sizeof(styles) / sizeof(styles[0]))];
}

/* ---- lines ---- */

static void prompt_hide(struct view *v)
{
    if (v->prompt_shown)
        fputs("\r\033[K", v->t->file);
    v->prompt_shown = false;
}

static void line_end(struct view *v)
{
    if (v->column) {
        fprintf(v->t->file, "%s\n", term_reset(v->t));
        v->column = 0;
    }
}

/* `label   x ` at a line's beginning. */
static void label_print(struct view *v, const char *id, const char *mark, enum style mark_style)
{
    struct str s = str_of(id);
    prompt_hide(v);
    line_end(v);
    bool cut = text_columns(s) > v->label_columns;
    if (cut)
        s.n = text_fit(s, v->label_columns - 1);
    fprintf(v->t->file, "%s%.*s%s%s%*s %s%s%s ", term_style(v->t, label_style(id)), STR_FMT(s),
            cut ? "…" : "", term_reset(v->t), v->label_columns - text_columns(s) - cut, "",
            term_style(v->t, mark_style), mark, mark_style == STYLE_PLAIN ? "" : term_reset(v->t));
    v->column = v->label_columns + 3;
}

void view_note(struct view *v, enum style style, const char *fmt, ...)
{
    struct buf raw, clean;
    va_list ap;
    buf_init(&raw, TEXT_BYTES_MAX);
    buf_init(&clean, TEXT_BYTES_MAX);
    va_start(ap, fmt);
    buf_vprintf(&raw, fmt, ap);
    va_end(ap);
    text_clean(&clean, buf_str(&raw), false);
    prompt_hide(v);
    line_end(v);
    fprintf(v->t->file, "%s%s%s\n", term_style(v->t, style), clean.data ? clean.data : "",
            style == STYLE_PLAIN ? "" : term_reset(v->t));
    buf_deinit(&raw);
    buf_deinit(&clean);
}

static void node_note(struct view *v, const char *id, const char *mark, enum style style,
                      const char *fmt, ...) __attribute__((format(printf, 5, 6)));
static void node_note(struct view *v, const char *id, const char *mark, enum style style,
                      const char *fmt, ...)
{
    struct buf raw, clean;
    va_list ap;
    buf_init(&raw, TEXT_BYTES_MAX);
    buf_init(&clean, TEXT_BYTES_MAX);
    va_start(ap, fmt);
    buf_vprintf(&raw, fmt, ap);
    va_end(ap);
    text_clean(&clean, buf_str(&raw), true);
    label_print(v, id, mark, style);
    fputs(clean.data ? clean.data : "", v->t->file);
    line_end(v);
    buf_deinit(&raw);
    buf_deinit(&clean);
}

/* ---- text that streams ---- */

static int line_columns(const struct view *v)
{
    int room = v->t->columns - v->label_columns - 3;
    if (!v->t->columns)
        return 1 << 30;
    return room < LINE_COLUMNS_MIN ? LINE_COLUMNS_MIN : room;
}

/* Writes a piece without newlines that fits, beginning a line when none is open. */
static void piece_print(struct view *v, const char *id, struct str piece, enum style style)
{
    if (!v->column) {
        while (v->t->columns && piece.n && piece.p[0] == ' ') { /* not at a wrapped line's start */
            piece.p++;
            piece.n--;
        }
        if (!piece.n)
            return;
        label_print(v, id, "│", STYLE_DIM);
        fputs(term_style(v->t, style), v->t->file);
    }
    fwrite(piece.p, 1, piece.n, v->t->file);
    v->column += text_columns(piece);
}

static bool word_fits(const struct view *v, struct str word)
{
    int end = v->label_columns + 3 + line_columns(v);
    return !v->column || !v->t->columns || v->column + text_columns(word) <= end;
}

/* One word (with the space before it), on this line or on the next. */
static void word_print(struct view *v, const char *id, struct str word, enum style style)
{
    int end = v->label_columns + 3 + line_columns(v);
    if (!word_fits(v, word))
        line_end(v);
    while (word.n) {
        int room = v->t->columns ? end - (v->column ? v->column : v->label_columns + 3) : 1 << 30;
        size_t fit = text_fit(word, room);
        if (!fit)
            fit = word.n;
        piece_print(v, id, (struct str){word.p, fit}, style);
        word.p += fit;
        word.n -= fit;
        if (word.n)
            line_end(v);
    }
}

static size_t word_length(const char *p, size_t n)
{
    size_t i = 0;
    while (i < n && p[i] == ' ')
        i++;
    while (i < n && p[i] != ' ' && p[i] != '\n')
        i++;
    return i;
}

enum text_how {
    TEXT_WHOLE = 1,    /* its last word does not go on */
    TEXT_ONE_LINE = 2, /* stop where the line ends, so that somebody else may have the next */
};

/* Shows the beginning of text; returns how many bytes. */
static size_t text_print(struct view *v, const char *id, struct str text, enum style style, int how)
{
    size_t at = 0;
    while (at < text.n) {
        bool newline = text.p[at] == '\n';
        struct str word = {text.p + at, newline ? 1 : word_length(text.p + at, text.n - at)};
        bool may_go_on = at + word.n == text.n && !newline && !(how & TEXT_WHOLE);
        if (may_go_on && v->t->columns && word.n < WORD_BYTES_MAX)
            break;
        if (newline && !v->column)
            label_print(v, id, "│", STYLE_DIM);
        if (newline || ((how & TEXT_ONE_LINE) && !word_fits(v, word))) {
            line_end(v);
            at += newline;
            if (how & TEXT_ONE_LINE)
                break;
            continue;
        }
        word_print(v, id, word, style);
        at += word.n;
    }
    return at;
}

/* How much of a stream that does not own the line may be shown: whole lines. */
static size_t whole_lines(const struct view *v, const struct view_stream *s)
{
    const char *newline = s->text.len ? memrchr(s->text.data, '\n', s->text.len) : NULL;
    if (newline)
        return (size_t)(newline - s->text.data) + 1;
    if (!v->t->columns || text_columns(buf_str(&s->text)) < line_columns(v))
        return 0;
    size_t fit = text_fit(buf_str(&s->text), line_columns(v));
    const char *space = memrchr(s->text.data, ' ', fit + (fit < s->text.len));
    return space ? (size_t)(space - s->text.data) : fit;
}

static enum style stream_style(const struct view_stream *s)
{
    return s->is_thinking ? STYLE_DIM : STYLE_PLAIN;
}

/* Shows up to n bytes of a stream; true when some were. */
static bool stream_show(struct view *v, int i, size_t n, int how)
{
    struct view_stream *s = &v->streams[i];
    if (!n)
        return false;
    if (v->owner != i)
        line_end(v);
    v->owner = i;
    size_t shown = text_print(v, s->node_id, (struct str){s->text.data, n}, stream_style(s), how);
    buf_consume(&s->text, shown);
    return shown > 0;
}

/* The whole lines of those who do not own the line. */
static void others_show(struct view *v, int owner)
{
    for (int i = 0; i < v->stream_count; i++) {
        size_t n;
        while (i != owner && (n = whole_lines(v, &v->streams[i]))) {
            stream_show(v, i, n, TEXT_WHOLE);
            line_end(v);
        }
    }
    v->owner = owner;
}

/* Line by line: whoever has whole lines gets his turn when the owner of the line ends one. */
static void streams_show(struct view *v)
{
    bool more = true;
    if (v->prompt) {
        others_show(v, -1);
        return;
    }
    if (v->owner < 0 && v->stream_count)
        v->owner = 0;
    while (v->owner >= 0 && more) {
        int owner = v->owner, column = v->column;
        more = stream_show(v, owner, v->streams[owner].text.len, TEXT_ONE_LINE);
        more = more || (column && !v->column);
        if (!v->column)
            others_show(v, owner);
    }
}

static int stream_find(const struct view *v, struct str message_id)
{
    for (int i = 0; i < v->stream_count; i++)
        if (str_eqz(message_id, v->streams[i].message_id))
            return i;
    return -1;
}

static void stream_remove(struct view *v, int i)
{
    if (v->owner == i)
        line_end(v);
    stream_free(&v->streams[i]);
    memmove(&v->streams[i], &v->streams[i + 1],
            (size_t)(v->stream_count - i - 1) * sizeof(v->streams[0]));
    v->stream_count--;
    if (v->owner == i)
        v->owner = -1;
    else if (v->owner > i)
        v->owner--;
}

static int stream_add(struct view *v, struct str message_id, const char *node_id)
{
    if (v->stream_count == VIEW_STREAMS_MAX)
        return -1;
    struct view_stream *s = &v->streams[v->stream_count];
    *s = (struct view_stream){.message_id = str_dup(message_id), .node_id = mem_strdup(node_id)};
    buf_init(&s->text, TEXT_BYTES_MAX);
    return v->stream_count++;
}

void view_block(struct view *v, const char *node_id, struct str text, enum style style)
{
    struct buf clean;
    buf_init(&clean, TEXT_BYTES_MAX);
    text_clean(&clean, text, false);
    line_end(v);
    text_print(v, node_id, buf_str(&clean), style, TEXT_WHOLE);
    line_end(v);
    buf_deinit(&clean);
}

/* ---- events ---- */

static char *text_get(struct json data, const char *key)
{
    char *s = json_strdup(json_get(data, key));
    return s ? s : mem_strdup("");
}

static int64_t number_get(struct json data, const char *key, int64_t otherwise)
{
    int64_t n = otherwise;
    json_i64(json_get(data, key), &n);
    return n;
}

static void token_show(struct view *v, const char *node_id, struct json data)
{
    char *message_id = text_get(data, "message_id"), *chunk = text_get(data, "chunk");
    bool thinking = false;
    json_bool(json_get(data, "is_thinking"), &thinking);
    int i = stream_find(v, str_of(message_id));
    if (i < 0)
        i = stream_add(v, str_of(message_id), node_id);
    if (i >= 0) {
        struct view_stream *s = &v->streams[i];
        if (s->is_thinking != thinking && s->text.len) {
            stream_show(v, i, s->text.len, TEXT_WHOLE);
            line_end(v);
        }
        s->is_thinking = thinking;
        text_clean(&s->text, str_of(chunk), false);
        struct view_node *n = node_find(v, str_of(node_id));
        if (n)
            n->announce = false; /* its text says that it runs */
    }
    free(message_id);
    free(chunk);
}

static void message_show(struct view *v, const char *node_id, struct json data)
{
    char *message_id = text_get(data, "message_id"), *content = text_get(data, "content");
    int i = stream_find(v, str_of(message_id));
    if (i >= 0) {
        if (v->streams[i].text.len)
            stream_show(v, i, v->streams[i].text.len, TEXT_WHOLE);
        stream_remove(v, i);
    } else if (*content) {
        view_block(v, node_id, str_of(content), STYLE_PLAIN);
    }
    free(v->last_text);
    v->last_text = content;
    free(message_id);
}

static void reset_show(struct view *v, const char *node_id, struct json data)
{
    char *message_id = text_get(data, "message_id"), *reason = text_get(data, "reason");
    int i = stream_find(v, str_of(message_id));
    if (i >= 0) {
        buf_clear(&v->streams[i].text);
        stream_remove(v, i);
    }
    node_note(v, node_id, "↺", STYLE_YELLOW, T("begins again%s%s: what it said so far is void"),
              *reason ? ", " : "", reason);
    free(message_id);
    free(reason);
}

/* ` · attempt 2 · round 3`, as far as there is something to say. */
static void node_times(struct buf *out, const struct view_node *n)
{
    if (n->iteration > 1)
        buf_printf(out, T(" · iteration %d"), n->iteration);
    if (n->attempt > 1)
        buf_printf(out, T(" · attempt %d"), n->attempt);
}

static void node_ended(struct view *v, struct view_node *n, struct str to, struct json data,
                       int64_t at_ms)
{
    struct buf more;
    char took[32];
    buf_init(&more, 4096);
    if (n->started_ms && at_ms - n->started_ms >= 100) {
        duration_format(at_ms - n->started_ms, took);
        buf_printf(&more, " · %s", took);
    }
    node_times(&more, n);
    const char *rest = more.data ? more.data : "";
    if (str_eqz(to, "completed")) {
        node_note(v, n->id, "✓", STYLE_GREEN, T("completed%s"), rest);
    } else if (str_eqz(to, "skipped")) {
        node_note(v, n->id, "–", STYLE_DIM, T("skipped"));
    } else {
        char *message = text_get(json_get(data, "error"), "message");
        node_note(v, n->id, "✗", STYLE_RED, T("failed%s%s%s"), rest, *message ? ": " : "", message);
        free(message);
    }
    buf_deinit(&more);
}

static void node_moved(struct view *v, const char *node_id, struct json data, int64_t at_ms)
{
    struct view_node *n = node_find(v, str_of(node_id));
    char *to = text_get(data, "to");
    if (n) {
        n->iteration = (int)number_get(data, "iteration", 1);
        n->attempt = (int)number_get(data, "attempt", 1);
        n->announce = strcmp(to, "running") == 0;
        if (strcmp(to, "running") == 0)
            n->started_ms = at_ms;
        else if (strcmp(to, "completed") == 0 || strcmp(to, "failed") == 0 ||
                 strcmp(to, "skipped") == 0)
            node_ended(v, n, str_of(to), data, at_ms);
    }
    free(to);
}

static void session_moved(struct view *v, struct json data)
{
    char *to = text_get(data, "to"), *reason = text_get(data, "reason");
    char *error = text_get(json_get(data, "error"), "message");
    const char *why = *error ? error : reason;
    view_note(v, status_style(str_of(to)), "─── %s%s%s ───", status_word(to), *why ? ": " : "",
              why);
    free(to);
    free(reason);
    free(error);
}

static void round_show(struct view *v, const char *node_id, struct json data)
{
    char *why = text_get(data, "exit_reason");
    struct buf score;
    double d;
    buf_init(&score, 64);
    if (json_double(json_get(data, "score"), &d))
        buf_printf(&score, T(", score %g"), d);
    if (*why)
        node_note(v, node_id, "↻", STYLE_CYAN, T("left after round %lld%s: %s"),
                  (long long)number_get(data, "round", 0), score.data ? score.data : "", why);
    else
        node_note(v, node_id, "↻", STYLE_CYAN, T("round %lld of %lld%s"),
                  (long long)number_get(data, "round", 0),
                  (long long)number_get(data, "max_rounds", 0), score.data ? score.data : "");
    buf_deinit(&score);
    free(why);
}

static void question_show(struct view *v, const char *node_id, struct json data)
{
    char *reason = text_get(data, "reason"), *draft = text_get(data, "draft");
    /* What was just streamed need not be shown again. */
    if (*draft && !(v->last_text && strcmp(v->last_text, draft) == 0))
        view_block(v, node_id, str_of(draft), STYLE_PLAIN);
    node_note(v, node_id, "?", STYLE_YELLOW, "%s", *reason ? reason : T("waits for a person"));
    free(reason);
    free(draft);
}

static void answer_show(struct view *v, const char *node_id, struct json data)
{
    char *action = text_get(data, "action"), *who = text_get(data, "reviewer");
    struct view_node *n = node_find(v, str_of(node_id));
    bool told = n && n->said; /* what was said is the answer */
    if (n)
        n->said = false;
    if (!told)
        node_note(v, node_id, "»", STYLE_YELLOW, "%s%s%s", action, *who ? T(", by ") : "", who);
    free(action);
    free(who);
}

static void log_show(struct view *v, const char *node_id, struct json data)
{
    char *text = text_get(data, "text"), *level = text_get(data, "level");
    bool loud = strcmp(level, "error") == 0 || strcmp(level, "warn") == 0;
    node_note(v, node_id, "·", loud ? STYLE_YELLOW : STYLE_DIM, "%s", text);
    free(text);
    free(level);
}

static void tool_show(struct view *v, const char *node_id, struct json data)
{
    char *tool = text_get(data, json_exists(json_get_set(data, "name")) ? "name" : "tool");
    char *status = text_get(data, "status"), *error = text_get(json_get(data, "error"), "message");
    bool failed = strcmp(status, "failed") == 0;
    if (failed || strcmp(status, "started") == 0)
        node_note(v, node_id, "⚙", failed ? STYLE_YELLOW : STYLE_DIM, "%s%s%s", tool,
                  failed ? T(" failed: ") : "", failed ? error : "");
    free(tool);
    free(status);
    free(error);
}

static void error_show(struct view *v, const char *node_id, struct json data)
{
    char *text = text_get(data, "error");
    node_note(v, node_id, "!", STYLE_RED, "%s", text);
    free(text);
}

static void said_show(struct view *v, const char *node_id, struct json data)
{
    char *text = text_get(data, "content");
    struct view_node *n = *node_id ? node_find(v, str_of(node_id)) : NULL;
    if (n)
        n->said = true;
    node_note(v, *node_id ? node_id : T("you"), "»", STYLE_YELLOW, "%s", text);
    free(text);
}

static void usage_sum(struct view *v, struct json data)
{
    v->input_tokens += number_get(data, "input_tokens", 0);
    v->output_tokens += number_get(data, "output_tokens", 0);
}

void view_event(struct view *v, struct json event)
{
    static const struct {
        const char *type;
        void (*show)(struct view *v, const char *node_id, struct json data);
    } rows[] = {
        {"token_stream", token_show},
        {"message", message_show},
        {"stream_reset", reset_show},
        {"loop_round", round_show},
        {"node_resumed", answer_show},
        {"human_interaction_required", question_show},
        {"log", log_show},
        {"tool_execution", tool_show},
        {"error", error_show},
        {"user_input", said_show},
    };
    struct json type = json_get(event, "type"), data = json_get(event, "data");
    char *node_id = text_get(event, "node_id"), *time = text_get(event, "timestamp");
    int64_t at_ms = v->last_ms;
    if (clock_parse_rfc3339(str_of(time), &at_ms)) {
        v->first_ms = v->first_ms ? v->first_ms : at_ms;
        v->last_ms = at_ms;
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (json_string_eq(type, rows[i].type))
            rows[i].show(v, node_id, data);
    if (json_string_eq(type, "node_state_change"))
        node_moved(v, node_id, data, at_ms);
    else if (json_string_eq(type, "session_state_change"))
        session_moved(v, data);
    else if (json_string_eq(type, "token_usage"))
        usage_sum(v, data);
    free(node_id);
    free(time);
}

void view_settle(struct view *v)
{
    for (int i = 0; i < v->node_count; i++) {
        struct view_node *n = &v->nodes[i];
        if (!n->announce)
            continue;
        struct buf more;
        buf_init(&more, 256);
        node_times(&more, n);
        node_note(v, n->id, "▸", STYLE_BLUE, T("running%s"), more.data ? more.data : "");
        buf_deinit(&more);
        n->announce = false;
    }
    streams_show(v);
    if (v->prompt && !v->prompt_shown) {
        line_end(v);
        fprintf(v->t->file, "%s%s%s", term_style(v->t, STYLE_BOLD), v->prompt, term_reset(v->t));
        v->prompt_shown = true;
    }
    fflush(v->t->file);
}

void view_prompt(struct view *v, const char *text)
{
    prompt_hide(v);
    free(v->prompt);
    v->prompt = text ? mem_strdup(text) : NULL;
}

void view_prompt_done(struct view *v)
{
    v->prompt_shown = false; /* the terminal has made the new line already */
    view_prompt(v, NULL);
}

/* ---- JSON for people ---- */

static void indent(struct buf *out, unsigned depth)
{
    buf_append_char(out, '\n');
    for (; depth; depth--)
        buf_append_z(out, "  ");
}

/* Depth is bounded by json_check(). */
static void pretty(struct buf *out, struct json v, unsigned depth)
{
    bool object = json_type(v) == JSON_OBJECT;
    if ((!object && json_type(v) != JSON_ARRAY) || !json_length(v)) {
        buf_append_str(out, json_raw(v));
        return;
    }
    struct json_iter it;
    json_iter_init(&it, v);
    buf_append_char(out, object ? '{' : '[');
    while (json_iter_next(&it)) {
        if (it.index)
            buf_append_char(out, ',');
        indent(out, depth + 1);
        if (object)
            buf_printf(out, "\"%.*s\": ", STR_FMT(it.key));
        pretty(out, it.value, depth + 1);
    }
    indent(out, depth);
    buf_append_char(out, object ? '}' : ']');
}

void view_json(struct buf *out, struct json v)
{
    pretty(out, v, 0);
}
