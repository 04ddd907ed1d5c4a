/* Commands that can come next. `#` begins a comment of the shell, so a hint works as it stands. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli/find.h"
#include "cli/lang.h"

/* The reasons that the server gives. */
static const char *const reasons[] = {
    N_("tick off the next item"),
    N_("see what is to be handed over"),
    N_("say that you begin with it"),
    N_("it is done: go on to what follows"),
    N_("leave it out, with a reason"),
    N_("see what is asked"),
    N_("decide it"),
    N_("follow what it does"),
    N_("stop for a while"),
    N_("go on"),
    N_("see why"),
    N_("go on from the failed node, in a new session"),
    N_("see how it went"),
    N_("see it"),
};

static const char *reason_word(const char *why)
{
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
        if (strcmp(reasons[i], why) == 0)
            return T(why);
    return strcmp(why, "end it") == 0 ? T("end it") : why;
}

static void line_print(struct client *c, const char *command, const char *why)
{
    struct buf clean;
    if (!c->hinted)
        fprintf(c->out.file, "%s%s\n", c->bare ? "" : "\n", T("next:"));
    c->hinted = true;
    buf_init(&clean, 1u << 20);
    text_clean(&clean, str_of(command), true);
    fprintf(c->out.file, "  %s%s%s", term_style(&c->out, STYLE_BOLD), clean.data,
            term_reset(&c->out));
    buf_clear(&clean);
    text_clean(&clean, str_of(why), true);
    if (clean.len)
        fprintf(c->out.file, "  %s# %s%s", term_style(&c->out, STYLE_DIM), clean.data,
                term_reset(&c->out));
    fputc('\n', c->out.file);
    buf_deinit(&clean);
}

void hint_print(struct client *c, const char *why, const char *fmt, ...)
{
    struct buf command;
    va_list ap;
    if (c->json)
        return;
    buf_init(&command, 1u << 16);
    va_start(ap, fmt);
    buf_vprintf(&command, fmt, ap);
    va_end(ap);
    line_print(c, command.data ? command.data : "", why);
    buf_deinit(&command);
}

void hint_file(struct client *c, const char *why, const char *command, const char *file)
{
    bool plain = file[strspn(file, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                   "0123456789-_./")] == 0;
    struct buf word;
    buf_init(&word, 1u << 16);
    for (const char *p = file; *p && !plain; p++) {
        if (*p == '\'')
            buf_append_z(&word, "'\\''");
        else
            buf_append_char(&word, *p);
    }
    hint_print(c, why, plain ? "%s %s" : "%s '%s'", command, plain ? file : word.data);
    buf_deinit(&word);
}

void hints_tell(struct client *c, struct json answer)
{
    struct json_iter it;
    json_iter_init(&it, json_get(answer, "commands"));
    while (json_iter_next(&it)) {
        char *command = member_text(it.value, "command"), *why = member_text(it.value, "why");
        line_print(c, command, reason_word(why));
        free(command);
        free(why);
    }
}

void hints_of_session(struct client *c, const char *id)
{
    struct http_reply r;
    char path[64];
    if (c->json)
        return;
    http_reply_init(&r);
    snprintf(path, sizeof(path), "/sessions/%.36s/next", id);
    if (client_try(c, "GET", path, STR_NULL, &r) == 0)
        hints_tell(c, json_root(buf_str(&r.body)));
    http_reply_deinit(&r);
}
