#include <stdlib.h>

#include "base/clock.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/follow.h"
#include "cli/lang.h"

static void cell_text(struct grid *g, struct json row, const char *key)
{
    char *text = member_text(row, key);
    grid_cellz(g, text, STYLE_PLAIN);
    free(text);
}

static void cell_state(struct grid *g, struct json row)
{
    bool self = false, leaving = false;
    bool over = json_string_eq(json_get(row, "lease"), "over");
    json_bool(json_get(row, "self"), &self);
    json_bool(json_get(row, "leaving"), &leaving);
    grid_cellz(g,
               leaving ? T("leaving")
               : over  ? T("lease over")
               : self  ? T("answers")
                       : T("alive"),
               leaving || over ? STYLE_YELLOW : STYLE_GREEN);
}

static void instance_row(void *data, struct json row)
{
    struct grid *g = data;
    char ago[32];
    cell_text(g, row, "id");
    cell_state(g, row);
    cell_text(g, row, "sessions");
    ago_format(member_time(row, "started_at"), clock_wall_ms(), ago);
    grid_cellz(g, ago, STYLE_PLAIN);
    cell_text(g, row, "version");
    cell_text(g, row, "address");
    cell_text(g, row, "name");
}

static int instance_list_command(struct client *c, const struct args *a)
{
    static const struct {
        const char *title;
        bool right;
    } columns[] = {{N_("INSTANCE"), false}, {N_("STATE"), false},   {N_("SESSIONS"), true},
                   {N_("STARTED"), false},  {N_("VERSION"), false}, {N_("ADDRESS"), false},
                   {N_("NAME"), false}};
    struct grid g;
    (void)a;
    grid_init(&g);
    for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
        grid_column(&g, T(columns[i].title), columns[i].right, 0);
    int rc = client_each(c, "/instances", 0, instance_row, &g);
    if (!rc && !c->json)
        grid_print(&g, &c->out);
    grid_deinit(&g);
    return rc;
}

/* ---- the table ---- */

const struct command instance_commands[] = {
    {"instance", "list", "", "the servers that share this one's store", no_options, 0, 0,
     instance_list_command},
    {0},
};
