#include "cli/stage_view.h"

#include <stdlib.h>
#include <string.h>

#include "cli/lang.h"

/* ---- all of a session ---- */

static int stages_count(struct json stages, const char *status)
{
    struct json_iter it;
    int n = 0;
    json_iter_init(&it, stages);
    while (json_iter_next(&it))
        n += json_string_eq(json_get(it.value, "status"), status);
    return n;
}

void progress_line(struct json progress, struct buf *out)
{
    static const char *const words[] = {"completed", "active",  "pending",
                                        "skipped",   "expired", "cancelled"};
    struct json stages = json_get(progress, "stages");
    double percent = 0;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        int n = stages_count(stages, words[i]);
        if (n)
            buf_printf(out, "%s%d %s", out->len ? ", " : "", n, status_word(words[i]));
    }
    json_double(json_get(progress, "percent"), &percent);
    buf_printf(out, "%s%.0f %%", out->len ? " · " : "", percent);
}

void progress_bar(double percent, char out[24])
{
    int full = (int)(percent / 5 + 1e-9);
    for (int i = 0; i < 20; i++)
        out[i] = i < full ? '#' : '-';
    out[20] = 0;
}

static void items_cell(struct grid *g, struct json stage)
{
    int64_t done = 0, total = 0;
    char text[48];
    json_i64(json_get(stage, "items_done"), &done);
    json_i64(json_get(stage, "items_total"), &total);
    snprintf(text, sizeof(text), "%lld/%lld", (long long)done, (long long)total);
    grid_cellz(g, total ? text : "-", STYLE_PLAIN);
}

static void stage_row(struct grid *g, struct json stage)
{
    char *percent = member_text(stage, "percent");
    char text[48];
    snprintf(text, sizeof(text), "%.30s %%", percent);
    grid_member(g, stage, "node_id", STYLE_BOLD);
    grid_status(g, stage);
    items_cell(g, stage);
    grid_cellz(g, text, STYLE_PLAIN);
    grid_time(g, stage, "active_since");
    grid_time(g, stage, "ended_at");
    grid_member(g, stage, "name", STYLE_PLAIN);
    free(percent);
}

void progress_table(struct client *c, struct json progress)
{
    struct json_iter it;
    struct grid g;
    grid_init(&g);
    grid_column(&g, T("STAGE"), false, 32);
    grid_column(&g, T("STATUS"), false, 0);
    grid_column(&g, T("ITEMS"), true, 0);
    grid_column(&g, T("DONE"), true, 0);
    grid_column(&g, T("BEGAN"), false, 0);
    grid_column(&g, T("ENDED"), false, 0);
    grid_column(&g, T("NAME"), false, 0);
    json_iter_init(&it, json_get(progress, "stages"));
    while (json_iter_next(&it))
        stage_row(&g, it.value);
    grid_print(&g, &c->out);
    grid_deinit(&g);
}

/* ---- one ---- */

/* `[x] 1 code (optional)`; number 0: none. */
static void item_print(struct client *c, struct json item, int number, bool done)
{
    char *name = member_text(item, "name");
    struct buf clean;
    bool required = true;
    json_bool(json_get(item, "required"), &required);
    buf_init(&clean, 1u << 20);
    text_clean(&clean, str_of(name), true);
    fprintf(c->out.file, "  %s[%c]%s ", term_style(&c->out, done ? STYLE_GREEN : STYLE_PLAIN),
            done ? 'x' : ' ', done ? term_reset(&c->out) : "");
    if (number)
        fprintf(c->out.file, "%d ", number);
    fprintf(c->out.file, "%s%s", clean.data ? clean.data : "", required ? "" : T(" (optional)"));
    buf_deinit(&clean);
    free(name);
}

static void items_print(struct client *c, struct json items)
{
    struct json_iter it;
    json_iter_init(&it, items);
    while (json_iter_next(&it)) {
        bool done = false;
        json_bool(json_get(it.value, "done"), &done);
        item_print(c, it.value, (int)it.index + 1, done);
        fputc('\n', c->out.file);
    }
}

static void deliverables_print(struct client *c, struct json deliverables)
{
    struct json_iter it;
    json_iter_init(&it, deliverables);
    if (json_length(deliverables))
        fprintf(c->out.file, "%s\n", T("to be handed over:"));
    while (json_iter_next(&it)) {
        struct json value = json_get_set(it.value, "value");
        char *text = member_text(it.value, "value");
        struct buf clean;
        buf_init(&clean, 1u << 20);
        text_clean(&clean, str_of(text), true);
        item_print(c, it.value, 0, json_exists(value));
        if (clean.len)
            fprintf(c->out.file, ": %s", clean.data);
        fputc('\n', c->out.file);
        buf_deinit(&clean);
        free(text);
    }
}

static void said_print(struct client *c, struct json stage, const char *key, const char *label)
{
    char *text = member_text(stage, key);
    struct buf clean;
    buf_init(&clean, 1u << 20);
    text_clean(&clean, str_of(text), true);
    if (clean.len && strcmp(clean.data, "{}") != 0)
        fprintf(c->out.file, "%s: %s\n", label, clean.data);
    buf_deinit(&clean);
    free(text);
}

/* "build · Make it work · active · 1/2 items" */
static void title_print(struct client *c, struct json stage)
{
    char *node = member_text(stage, "node_id"), *name = member_text(stage, "name");
    char *status = member_text(stage, "status");
    int64_t done = 0, total = 0;
    struct buf clean;
    buf_init(&clean, 1u << 20);
    text_clean(&clean, str_of(name), true);
    json_i64(json_get(stage, "done"), &done);
    json_i64(json_get(stage, "total"), &total);
    fprintf(c->out.file, "%s%s%s", term_style(&c->out, STYLE_BOLD), node, term_reset(&c->out));
    if (clean.len && strcmp(clean.data, node) != 0)
        fprintf(c->out.file, " · %s", clean.data);
    fprintf(c->out.file, " · %s%s%s", term_style(&c->out, status_style(str_of(status))),
            status_word(status), term_reset(&c->out));
    if (total)
        fprintf(c->out.file, T(" · %lld of %lld items, %d %%"), (long long)done, (long long)total,
                (int)(done * 100 / total));
    fputc('\n', c->out.file);
    buf_deinit(&clean);
    free(node);
    free(name);
    free(status);
}

void stage_print(struct client *c, struct json stage)
{
    title_print(c, stage);
    said_print(c, stage, "description", T("what to do"));
    items_print(c, json_get(stage, "items"));
    deliverables_print(c, json_get(stage, "deliverables"));
    said_print(c, stage, "context", T("noted"));
    said_print(c, stage, "skip_reason", T("left out"));
}
