#include "app/examples.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/yaml.h"

#define EXAMPLE_BYTES_MAX (1u << 20)

/* One reading of a folder; it goes when the last of its files was answered. */
struct examples {
    struct app *app;
    void (*done)(struct app *a);
    unsigned waiting;
};

struct example {
    struct examples *all;
    struct svc_req req;
    char path[4096];
};

static void examples_answered(struct examples *all)
{
    if (--all->waiting > 0)
        return;
    struct app *a = all->app;
    void (*done)(struct app *) = all->done;
    free(all);
    done(a);
}

static void example_stored(struct svc_req *req)
{
    struct example *ex = req->data;
    if (req->status && req->status != ERR_CONFLICT)
        log_warn("examples", "%s: %s", ex->path, req->error.text);
    struct examples *all = ex->all;
    svc_req_deinit(req);
    free(ex);
    examples_answered(all);
}

static int example_read(const char *path, struct buf *json, struct errbuf *e)
{
    struct buf text;
    buf_init(&text, EXAMPLE_BYTES_MAX);
    size_t len = strlen(path);
    int rc = file_append(path, &text, e);
    if (rc == 0 && len > 5 && strcmp(path + len - 5, ".json") == 0) {
        rc = json_check(buf_str(&text), NULL, e);
        buf_append_str(json, buf_str(&text));
    } else if (rc == 0) {
        rc = yaml_to_json(buf_str(&text), NULL, json, e);
    }
    buf_deinit(&text);
    return rc;
}

static void example_put(struct examples *all, const char *path)
{
    struct buf json;
    struct errbuf e = {""};
    buf_init(&json, 4 * EXAMPLE_BYTES_MAX);
    int rc = example_read(path, &json, &e);
    if (rc) {
        log_warn("examples", "%s: %s", path, e.text);
        buf_deinit(&json);
        return;
    }
    struct example *ex = mem_zalloc(sizeof(*ex));
    ex->all = all;
    all->waiting++;
    snprintf(ex->path, sizeof(ex->path), "%s", path);
    svc_req_init(&ex->req, SVC_WORKFLOW_CREATE);
    ex->req.workspace = STR("default");
    ex->req.actor = STR("examples");
    ex->req.workflow.text = str_of(arena_strdup(&ex->req.arena, buf_str(&json)));
    ex->req.done = example_stored;
    ex->req.data = ex;
    buf_deinit(&json);
    service_submit(&all->app->service, &ex->req);
}

static int example_is_one(const struct dirent *d)
{
    size_t n = strlen(d->d_name);
    return d->d_name[0] != '.' && ((n > 5 && strcmp(d->d_name + n - 5, ".yaml") == 0) ||
                                   (n > 5 && strcmp(d->d_name + n - 5, ".json") == 0) ||
                                   (n > 4 && strcmp(d->d_name + n - 4, ".yml") == 0));
}

void examples_put(struct app *a, const char *dir, void (*done)(struct app *a))
{
    struct examples *all = mem_zalloc(sizeof(*all));
    struct dirent **names = NULL;
    all->app = a;
    all->done = done;
    all->waiting = 1; /* this function itself */
    int n = scandir(dir, &names, example_is_one, alphasort);
    if (n < 0)
        log_warn("examples", "%s: cannot be read", dir);
    for (int i = 0; i < n; i++) {
        char path[4096];
        int len = snprintf(path, sizeof(path), "%s/%s", dir, names[i]->d_name);
        if (len > 0 && (size_t)len < sizeof(path))
            example_put(all, path);
        free(names[i]);
    }
    free(names);
    examples_answered(all);
}
