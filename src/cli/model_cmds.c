#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/client.h"
#include "cli/commands.h"
#include "cli/follow.h"
#include "cli/lang.h"

struct column {
    const char *title;
    bool right;
};

static int grid_of(struct client *c, const char *path, const struct column *columns,
                   void (*row)(void *data, struct json item))
{
    struct grid g;
    grid_init(&g);
    for (; columns->title; columns++)
        grid_column(&g, T(columns->title), columns->right, 0);
    int rc = client_each(c, path, 0, row, &g);
    if (!rc && !c->json)
        grid_print(&g, &c->out);
    grid_deinit(&g);
    return rc;
}

static void cell_text(struct grid *g, struct json row, const char *key)
{
    char *text = member_text(row, key);
    grid_cellz(g, text, STYLE_PLAIN);
    free(text);
}

/* ---- models ---- */

static void models_row(void *data, struct json provider)
{
    struct grid *g = data;
    struct json models = json_get(provider, "models"), first = json_get(provider, "default_model");
    struct json_iter it;
    json_iter_init(&it, models);
    while (json_iter_next(&it)) {
        char *name = json_strdup(it.value);
        grid_cellz(g, name ? name : "", STYLE_PLAIN);
        cell_text(g, provider, "id");
        grid_cellz(g, json_eq(it.value, first) ? T("default") : "", STYLE_GREEN);
        free(name);
    }
}

static int model_list_command(struct client *c, const struct args *a)
{
    static const struct column columns[] = {
        {N_("MODEL"), false}, {N_("PROVIDER"), false}, {"", false}, {0}};
    (void)a;
    return grid_of(c, "/llm/providers?limit=500", columns, models_row);
}

/* ---- providers ---- */

static void cell_state(struct grid *g, struct json row)
{
    char *state = member_text(row, "state"), text[64];
    int64_t ms = 0;
    json_i64(json_get(row, "retry_in_ms"), &ms);
    if (ms > 0)
        snprintf(text, sizeof(text), T("%.20s for %lld s"), state, (long long)((ms + 999) / 1000));
    else
        snprintf(text, sizeof(text), "%.20s", state);
    grid_cellz(g, text,
               strcmp(state, "closed") == 0 ? STYLE_GREEN
               : strcmp(state, "open") == 0 ? STYLE_RED
                                            : STYLE_YELLOW);
    free(state);
}

static void provider_row(void *data, struct json row)
{
    struct grid *g = data;
    cell_text(g, row, "id");
    cell_text(g, row, "dialect");
    cell_state(g, row);
    cell_text(g, row, "in_flight");
    cell_text(g, row, "max_concurrent");
    cell_text(g, row, "queue");
    cell_text(g, row, "default_model");
}

static int model_providers_command(struct client *c, const struct args *a)
{
    static const struct column columns[] = {{N_("PROVIDER"), false}, {N_("DIALECT"), false},
                                            {N_("CIRCUIT"), false},  {N_("CALLS"), true},
                                            {N_("AT MOST"), true},   {N_("WAIT"), true},
                                            {N_("DEFAULT"), false},  {0}};
    (void)a;
    return grid_of(c, "/llm/providers?limit=500", columns, provider_row);
}

/* ---- prices ---- */

static void price_row(void *data, struct json row)
{
    static const char *const keys[] = {"model", "provider", "input", "output", "source"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        cell_text(data, row, keys[i]);
}

static int model_prices_command(struct client *c, const struct args *a)
{
    static const struct column columns[] = {{N_("MODEL"), false},    {N_("PROVIDER"), false},
                                            {N_("INPUT $/M"), true}, {N_("OUTPUT $/M"), true},
                                            {N_("SOURCE"), false},   {0}};
    (void)a;
    return grid_of(c, "/models/pricing?limit=500", columns, price_row);
}

/* ---- the table ---- */

const struct command model_commands[] = {
    {"model", "list", "", "the models that may be chosen", no_options, 0, 0, model_list_command},
    {"model", "providers", "", "who is asked, and how busy they are", no_options, 0, 0,
     model_providers_command},
    {"model", "prices", "", "what models cost", no_options, 0, 0, model_prices_command},
    {0},
};
