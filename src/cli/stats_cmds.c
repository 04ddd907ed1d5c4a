/* `sluice session stats`: sums over sessions. */
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/find.h"
#include "cli/lang.h"

/* Those that have a column; what programs made up counts in the total only. */
static const char *const states[] = {"pending",   "running", "paused",
                                     "completed", "failed",  "cancelled"};
#define STATES (sizeof(states) / sizeof(states[0]))

/* A row: what it is about, then how many of each state. */
static void counts_row(struct grid *g, const char *label, struct json row)
{
    struct json counts = json_get(row, "by_status");
    grid_cellz(g, label, STYLE_BOLD);
    grid_member(g, row, "total", STYLE_PLAIN);
    for (size_t i = 0; i < STATES; i++) {
        char *n = member_text(counts, states[i]);
        grid_cellz(g, strcmp(n, "0") == 0 ? "" : n, status_style(str_of(states[i])));
        free(n);
    }
}

static void counts_columns(struct grid *g, const char *title)
{
    grid_init(g);
    grid_column(g, title, false, 40);
    grid_column(g, T("TOTAL"), true, 0);
    for (size_t i = 0; i < STATES; i++)
        grid_column(g, status_word(states[i]), true, 0);
}

/* A list of the answer, each row named by `key`; the last row is the sum where one is wanted. */
static void counts_print(struct client *c, struct json rows, const char *key, const char *title,
                         struct json all)
{
    struct json_iter it;
    struct grid g;
    counts_columns(&g, title);
    json_iter_init(&it, rows);
    while (json_iter_next(&it)) {
        char *label = member_text(it.value, key);
        if (strcmp(key, "day") == 0)
            label[strcspn(label, "T")] = 0; /* it is the day's first moment */
        counts_row(&g, *label ? label : "-", it.value);
        free(label);
    }
    if (json_exists(all))
        counts_row(&g, T("all"), all);
    if (g.cell_count)
        grid_print(&g, &c->out);
    grid_deinit(&g);
}

static void duration_text(struct json durations, const char *key, char out[32])
{
    int64_t ms = 0;
    json_i64(json_get_set(durations, key), &ms);
    duration_format(ms, out);
}

static void durations_print(struct client *c, struct json durations)
{
    char mean[32], p50[32], p90[32], p99[32];
    int64_t count = 0;
    json_i64(json_get(durations, "count"), &count);
    if (!count)
        return;
    duration_text(durations, "mean_ms", mean);
    duration_text(durations, "p50_ms", p50);
    duration_text(durations, "p90_ms", p90);
    duration_text(durations, "p99_ms", p99);
    fprintf(c->out.file,
            T("\n%lld ended, after %s in the mean; half within %s, 90 %% within %s, "
              "99 %% within %s\n"),
            (long long)count, mean, p50, p90, p99);
}

static void failures_print(struct client *c, struct json failures)
{
    struct json_iter it;
    json_iter_init(&it, failures);
    while (json_iter_next(&it)) {
        char *code = member_text(it.value, "code"), *count = member_text(it.value, "count");
        fprintf(c->out.file, T("failed %s times: %s\n"), count, code);
        free(code);
        free(count);
    }
}

static void usage_print(struct client *c, struct json usage)
{
    int64_t in = 0, out = 0;
    double usd = 0;
    json_i64(json_get(usage, "input_tokens"), &in);
    json_i64(json_get(usage, "output_tokens"), &out);
    json_double(json_get(usage, "cost_usd"), &usd);
    if (in || out)
        fprintf(c->out.file, T("%lld tokens in, %lld out, $%.4f\n"), (long long)in, (long long)out,
                usd);
}

static void stats_print(struct client *c, struct json stats)
{
    bool truncated = false;
    counts_print(c, json_get(stats, "by_workflow"), "workflow_id", T("WORKFLOW"), stats);
    fputc('\n', c->out.file);
    counts_print(c, json_get(stats, "by_day"), "day", T("DAY"), JSON_ABSENT);
    durations_print(c, json_get(stats, "durations"));
    failures_print(c, json_get(stats, "failures"));
    usage_print(c, json_get(stats, "usage"));
    json_bool(json_get(stats, "truncated"), &truncated);
    if (truncated)
        fprintf(c->out.file, "%s\n", T("there are more: these are the newest 200,000"));
}

static int session_stats_command(struct client *c, const struct args *a)
{
    static const char *const options[] = {"workflow", "group", "after", "before"};
    static const char *const keys[] = {"workflow_id", "group_id", "created_after",
                                       "created_before"};
    struct http_reply r;
    struct buf path;
    http_reply_init(&r);
    buf_init(&path, 1u << 16);
    buf_append_z(&path, "/sessions/stats?");
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (!args_has(a, options[i]))
            continue;
        buf_printf(&path, "&%s=", keys[i]);
        http_escape(&path, args_get(a, options[i]));
    }
    int rc = client_call(c, "GET", path.data, NULL, &r);
    if (!rc && c->json)
        fprintf(c->out.file, "%.*s\n", STR_FMT(json_raw(json_root(buf_str(&r.body)))));
    else if (!rc)
        stats_print(c, json_root(buf_str(&r.body)));
    buf_deinit(&path);
    http_reply_deinit(&r);
    return rc;
}

static const struct option_def stats_options[] = {
    {"workflow", "ID", "only those of this workflow", false},
    {"group", "ID", "only those of this group", false},
    {"after", "TIME", "only those created after it, 2026-03-01T00:00:00Z", false},
    {"before", "TIME", "only those created before it", false},
    {0},
};

const struct command stats_commands[] = {
    {"session", "stats", "", "how many, how long, what failed, what it cost", stats_options, 0, 0,
     session_stats_command},
    {0},
};
