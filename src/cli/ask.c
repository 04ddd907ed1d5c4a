#include "cli/ask.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "cli/input.h"
#include "cli/lang.h"

#define CONTENT_BYTES_MAX (4u << 20)

void ask_init(struct ask *a, struct client *c, struct view *v, const char *session_id, bool enabled)
{
    *a = (struct ask){.c = c, .v = v, .session_id = session_id, .enabled = enabled};
    buf_init(&a->content, CONTENT_BYTES_MAX);
}

static void waiting_free(struct ask_waiting *w)
{
    free(w->node_id);
    free(w->interrupt_id);
    free(w->kind);
    free(w->form_schema);
    for (int i = 0; i < w->action_count; i++)
        free(w->actions[i]);
}

void ask_deinit(struct ask *a)
{
    for (int i = 0; i < a->waiting_count; i++)
        waiting_free(&a->waiting[i]);
    buf_deinit(&a->content);
}

/* ---- what waits ---- */

static void waiting_add(struct ask *a, const char *node_id, struct json data)
{
    if (a->waiting_count == ASK_WAITING_MAX)
        return;
    struct ask_waiting *w = &a->waiting[a->waiting_count++];
    struct json schema = json_get_set(data, "form_schema");
    struct json_iter it;
    *w = (struct ask_waiting){.node_id = mem_strdup(node_id)};
    w->interrupt_id = member_text(data, "interrupt_id");
    w->kind = member_text(data, "kind");
    w->form_schema = json_exists(schema) ? str_dup(json_raw(schema)) : NULL;
    json_iter_init(&it, json_get(data, "actions"));
    while (json_iter_next(&it) && w->action_count < ASK_ACTIONS_MAX)
        if (json_type(it.value) == JSON_STRING)
            w->actions[w->action_count++] = json_strdup(it.value);
}

static void waiting_remove(struct ask *a, int i)
{
    if (i == 0 && a->step > ASK_NOTHING && a->step < ASK_MENU)
        a->step = ASK_NOTHING;
    waiting_free(&a->waiting[i]);
    a->waiting_count--;
    memmove(&a->waiting[i], &a->waiting[i + 1],
            (size_t)(a->waiting_count - i) * sizeof(a->waiting[0]));
}

static void waiting_answered(struct ask *a, const char *interrupt_id)
{
    for (int i = a->waiting_count; i-- > 0;)
        if (strcmp(a->waiting[i].interrupt_id, interrupt_id) == 0)
            waiting_remove(a, i);
}

void ask_event(struct ask *a, struct json event)
{
    struct json type = json_get(event, "type"), data = json_get(event, "data");
    if (json_string_eq(type, "human_interaction_required")) {
        char *node_id = member_text(event, "node_id");
        waiting_add(a, node_id, data);
        free(node_id);
    } else if (json_string_eq(type, "node_resumed") ||
               json_string_eq(type, "human_interaction_expired")) {
        char *id = member_text(data, "interrupt_id");
        bool final = true; /* not: one answer of several, the others are wanted still */
        if (!json_bool(json_get(data, "final"), &final) || final)
            waiting_answered(a, id);
        free(id);
    } else if (json_string_eq(type, "session_state_change")) {
        a->paused = json_string_eq(json_get(data, "to"), "paused");
        if (a->step == ASK_PAUSED && !a->paused)
            a->step = ASK_NOTHING;
    }
}

/* ---- requests ---- */

static void move(struct ask *a, const char *what)
{
    struct http_reply r;
    struct buf path;
    http_reply_init(&r);
    buf_init(&path, 4096);
    buf_printf(&path, "/sessions/%s/%s", a->session_id, what);
    client_post(a->c, path.data, STR("{}"), &r);
    buf_deinit(&path);
    http_reply_deinit(&r);
}

/* data: JSON, or empty. */
static void answer(struct ask *a, struct str data)
{
    struct ask_waiting *w = &a->waiting[0];
    struct http_reply r;
    struct buf path, body;
    struct jw jw;
    http_reply_init(&r);
    buf_init(&path, 4096);
    buf_init(&body, CONTENT_BYTES_MAX * 2);
    buf_printf(&path, "/sessions/%s/nodes/%s/resume", a->session_id, w->node_id);
    jw_init(&jw, &body);
    jw_object(&jw);
    jw_kv_stringz(&jw, "action", a->action);
    jw_kv_stringz(&jw, "interrupt_id", w->interrupt_id);
    if (data.n)
        jw_kv_raw(&jw, "data", data);
    jw_end(&jw);
    if (client_post(a->c, path.data, buf_str(&body), &r) == 0)
        waiting_remove(a, 0);
    else
        a->step = ASK_NOTHING; /* asked again */
    buf_deinit(&path);
    buf_deinit(&body);
    http_reply_deinit(&r);
}

static void answer_with(struct ask *a, const char *key, struct str text)
{
    struct buf data;
    struct jw jw;
    buf_init(&data, CONTENT_BYTES_MAX);
    if (text.n) {
        jw_init(&jw, &data);
        jw_object(&jw);
        jw_kv_string(&jw, key, text);
        jw_end(&jw);
    }
    answer(a, buf_str(&data));
    buf_deinit(&data);
}

static void say(struct ask *a, struct str text)
{
    struct http_reply r;
    struct buf path, body;
    struct jw jw;
    http_reply_init(&r);
    buf_init(&path, 4096);
    buf_init(&body, CONTENT_BYTES_MAX);
    buf_printf(&path, "/sessions/%s/input", a->session_id);
    jw_init(&jw, &body);
    jw_object(&jw);
    jw_kv_string(&jw, "content", text);
    jw_end(&jw);
    if (client_post(a->c, path.data, buf_str(&body), &r) == 0)
        waiting_remove(a, 0);
    buf_deinit(&path);
    buf_deinit(&body);
    http_reply_deinit(&r);
}

/* ---- forms ---- */

/* The n-th property of the form, or false after the last. */
static bool field_get(const struct ask_waiting *w, int n, struct input_field *f)
{
    if (!w->form_schema)
        return false;
    return input_field_nth(json_root(str_of(w->form_schema)), n, f);
}

static void form_begin(struct ask *a)
{
    struct input_field f;
    buf_clear(&a->content);
    a->field = 0;
    if (field_get(&a->waiting[0], 0, &f)) {
        a->step = ASK_FIELD;
        input_field_deinit(&f);
    } else {
        answer(a, STR_NULL);
    }
}

static void form_line(struct ask *a, struct str line)
{
    struct input_field f;
    struct errbuf e = {{0}};
    if (!field_get(&a->waiting[0], a->field, &f))
        return;
    int rc = input_field_write(&f, line, &a->content, &e);
    input_field_deinit(&f);
    if (rc) {
        view_note(a->v, STYLE_RED, "%s", e.text);
        return;
    }
    a->field++;
    if (field_get(&a->waiting[0], a->field, &f)) {
        input_field_deinit(&f);
        return;
    }
    struct buf data;
    buf_init(&data, CONTENT_BYTES_MAX + 2);
    buf_printf(&data, "{%.*s}", STR_FMT(buf_str(&a->content)));
    answer(a, buf_str(&data));
    buf_deinit(&data);
}

/* ---- lines ---- */

static struct str trimmed(struct str s)
{
    while (s.n && (s.p[0] == ' ' || s.p[0] == '\t')) {
        s.p++;
        s.n--;
    }
    while (s.n && strchr(" \t\r", s.p[s.n - 1]))
        s.n--;
    return s;
}

/* A number, the word, or a beginning of it that no other action has. */
static const char *action_find(const struct ask_waiting *w, struct str given)
{
    const char *found = NULL;
    char number[16];
    for (int i = 0; i < w->action_count; i++) {
        snprintf(number, sizeof(number), "%d", i + 1);
        if (str_eqz(given, number) || str_eqz(given, w->actions[i]))
            return w->actions[i];
    }
    for (int i = 0; i < w->action_count; i++) {
        if (!given.n || strncasecmp(w->actions[i], given.p, given.n) != 0)
            continue;
        if (found)
            return NULL;
        found = w->actions[i];
    }
    return found;
}

static void action_line(struct ask *a, struct str line)
{
    const struct ask_waiting *w = &a->waiting[0];
    a->action = action_find(w, line);
    if (!a->action) {
        view_note(a->v, STYLE_RED, T("that is none of the actions"));
        return;
    }
    if (strcmp(a->action, "modify") == 0) {
        a->step = ASK_CONTENT;
        buf_clear(&a->content);
        view_note(a->v, STYLE_DIM,
                  T("the changed text, line by line; a line with a single . ends it"));
    } else if (w->form_schema && strcmp(a->action, "reject") != 0 &&
               strcmp(a->action, "skip") != 0) {
        form_begin(a);
    } else if (strcmp(a->action, "reject") == 0) {
        a->step = ASK_COMMENT;
    } else {
        answer(a, STR_NULL);
    }
}

static void content_line(struct ask *a, struct str line)
{
    if (!str_eqz(line, ".")) {
        if (a->content.len)
            buf_append_char(&a->content, '\n');
        buf_append_str(&a->content, line);
        return;
    }
    answer_with(a, "content", buf_str(&a->content));
}

static void menu_line(struct ask *a, struct str line)
{
    char c = line.n ? line.p[0] : 0;
    a->step = ASK_NOTHING;
    if (c == 'p' && !a->paused)
        move(a, "pause");
    else if (c == 'r' && a->paused)
        move(a, "resume");
    else if (c == 'c')
        move(a, "cancel");
    else if (c == 'd')
        a->detached = true;
}

void ask_line(struct ask *a, struct str line)
{
    struct str text = trimmed(line);
    if (a->v->prompt)
        view_prompt_done(a->v);
    switch (a->step) {
    case ASK_NOTHING:
        break;
    case ASK_ACTION:
        action_line(a, text);
        break;
    case ASK_COMMENT:
        answer_with(a, "comment", text);
        break;
    case ASK_CONTENT:
        content_line(a, line);
        break;
    case ASK_FIELD:
        form_line(a, text);
        break;
    case ASK_SAY:
        if (text.n)
            say(a, text);
        break;
    case ASK_MENU:
    case ASK_PAUSED:
        menu_line(a, text);
        break;
    }
}

void ask_interrupt(struct ask *a)
{
    if (!a->enabled || a->step == ASK_MENU || a->step == ASK_PAUSED) {
        a->detached = true; /* pressed twice, or nobody to ask */
        return;
    }
    if (a->v->prompt_shown)
        fputc('\n', a->v->t->file);
    view_prompt_done(a->v);
    a->step = ASK_MENU;
}

void ask_eof(struct ask *a)
{
    a->detached = true;
}

/* ---- the question of the moment ---- */

static void actions_write(struct buf *out, const struct ask_waiting *w)
{
    for (int i = 0; i < w->action_count; i++)
        buf_printf(out, "%s%d %s", i ? ", " : "", i + 1, w->actions[i]);
}

static void question_write(const struct ask *a, struct buf *out)
{
    const struct ask_waiting *w = a->waiting;
    struct input_field f;
    switch (a->step) {
    case ASK_NOTHING:
        break;
    case ASK_ACTION:
        buf_printf(out, "%s: ", w->node_id);
        actions_write(out, w);
        buf_append_z(out, " > ");
        break;
    case ASK_COMMENT:
        buf_append_z(out, T("why (may be empty) > "));
        break;
    case ASK_CONTENT:
        buf_append_z(out, "| ");
        break;
    case ASK_FIELD:
        if (field_get(w, a->field, &f)) {
            input_field_ask(&f, out);
            input_field_deinit(&f);
        }
        break;
    case ASK_SAY:
        buf_printf(out, "%s > ", w->node_id);
        break;
    case ASK_MENU:
        buf_append_z(out, a->paused ? T("r resume, c cancel, d detach, Enter stays > ")
                                    : T("p pause, c cancel, d detach, Enter goes on > "));
        break;
    case ASK_PAUSED:
        buf_append_z(out, T("paused: r resume, c cancel, d detach > "));
        break;
    }
}

/* Nobody is here to be asked: where to answer, once for each that still waits. */
static void hints_show(struct ask *a)
{
    for (int i = 0; i < a->waiting_count; i++) {
        struct ask_waiting *w = &a->waiting[i];
        if (w->hinted)
            continue;
        w->hinted = true;
        if (strcmp(w->kind, "user_input") == 0 && !w->form_schema)
            view_note(a->v, STYLE_DIM, T("answer with: sluice session input %s TEXT"),
                      a->session_id);
        else
            view_note(a->v, STYLE_DIM, T("answer with: sluice session answer %s %s ACTION"),
                      a->session_id, w->node_id);
    }
}

void ask_refresh(struct ask *a)
{
    if (!a->enabled) {
        hints_show(a);
        return;
    }
    if (a->step == ASK_NOTHING && a->paused)
        a->step = ASK_PAUSED;
    else if (a->step == ASK_NOTHING && a->waiting_count)
        a->step = strcmp(a->waiting[0].kind, "user_input") == 0 && !a->waiting[0].form_schema
                      ? ASK_SAY
                      : ASK_ACTION;
    struct buf question;
    buf_init(&question, 1u << 20);
    question_write(a, &question);
    const char *text = question.len ? question.data : NULL;
    bool same = text && a->v->prompt && strcmp(text, a->v->prompt) == 0;
    if (!same && (text || a->v->prompt))
        view_prompt(a->v, text);
    buf_deinit(&question);
}
