#include "app/catalog.h"

#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "app/catalog_body.h"
#include "app/catalog_files.h"
#include "base/yaml.h"

#define SYSTEM_BYTES_MAX (4u << 20) /* of one file, as JSON */

static struct {
    uv_once_t once;
    struct arena arena;
    const struct catalog_row **rows[CATALOG_KIND_COUNT];
    size_t count[CATALOG_KIND_COUNT];
} system_objects = {.once = UV_ONCE_INIT};

const char *catalog_word(enum catalog_kind kind)
{
    static const char *const words[] = {"agent", "group", "template"};
    return words[kind];
}

/* ---- system objects ---- */

/* A file that does not read is a mistake of the build, which a test finds. */
static struct catalog_row *system_read(const struct catalog_file *f)
{
    struct arena *a = &system_objects.arena;
    struct catalog_row *row = arena_alloc(a, sizeof(*row));
    struct catalog_body body;
    struct errbuf e = {""};
    struct buf json;
    buf_init(&json, SYSTEM_BYTES_MAX);
    int rc = yaml_to_json((struct str){(const char *)f->bytes, f->len}, NULL, &json, &e);
    if (rc == 0)
        rc = catalog_body_read(f->kind, buf_str(&json), a, &body, &e);
    if (rc == 0 && (!body.id.p || !body.name.p))
        rc = err_set(&e, ERR_INVALID, "id or name is missing");
    if (rc) {
        log_error("catalog", "%s: %s", f->name, e.text);
        abort();
    }
    buf_deinit(&json);
    catalog_body_row(&body, row);
    row->version = 1;
    return row;
}

static int system_order(const void *a, const void *b)
{
    const struct catalog_row *const *x = a, *const *y = b;
    size_t n = (*x)->id.n < (*y)->id.n ? (*x)->id.n : (*y)->id.n;
    int order = memcmp((*x)->id.p, (*y)->id.p, n);
    return order ? order : ((*x)->id.n > (*y)->id.n) - ((*x)->id.n < (*y)->id.n);
}

static void system_load(void)
{
    size_t count[CATALOG_KIND_COUNT] = {0};
    arena_init(&system_objects.arena);
    for (const struct catalog_file *f = catalog_files; f->bytes; f++)
        count[f->kind]++;
    for (int k = 0; k < CATALOG_KIND_COUNT; k++)
        system_objects.rows[k] =
            arena_calloc(&system_objects.arena, count[k] + 1, sizeof(system_objects.rows[k][0]));
    for (const struct catalog_file *f = catalog_files; f->bytes; f++)
        system_objects.rows[f->kind][system_objects.count[f->kind]++] = system_read(f);
    for (int k = 0; k < CATALOG_KIND_COUNT; k++)
        qsort(system_objects.rows[k], system_objects.count[k], sizeof(system_objects.rows[k][0]),
              system_order);
}

const struct catalog_row *const *catalog_system_list(enum catalog_kind kind, size_t *count)
{
    uv_once(&system_objects.once, system_load);
    *count = system_objects.count[kind];
    return system_objects.rows[kind];
}

const struct catalog_row *catalog_system_find(enum catalog_kind kind, struct str id)
{
    size_t count;
    const struct catalog_row key = {.id = id}, *p = &key;
    const struct catalog_row *const *rows = catalog_system_list(kind, &count);
    const struct catalog_row *const *found =
        count ? bsearch(&p, rows, count, sizeof(rows[0]), system_order) : NULL;
    return found ? *found : NULL;
}

/* ---- looking up ---- */

static const struct catalog_row *lookup_find(const struct catalog_lookup *l, struct str id)
{
    for (const struct catalog_row *row = l->get.rows; row; row = row->next)
        if (str_eq(row->id, id))
            return row;
    return catalog_system_find(l->kind, id);
}

static void lookup_got(struct store_req *r)
{
    struct catalog_lookup *l = r->data;
    l->status = r->status;
    l->error = r->error;
    l->rows = arena_calloc(&r->arena, l->count + 1, sizeof(l->rows[0]));
    for (size_t i = 0; r->status == 0 && i < l->count; i++)
        l->rows[i] = lookup_find(l, l->ids[i]);
    l->done(l);
}

void catalog_lookup(struct app *a, struct catalog_lookup *l)
{
    store_req_init(&l->get.req, STORE_CATALOG_GET, lookup_got, l);
    l->get.kind = l->kind;
    l->get.workspace = l->workspace;
    l->get.ids = l->ids;
    l->get.count = l->count;
    store_submit(a->store, &l->get.req);
}

void catalog_lookup_deinit(struct catalog_lookup *l)
{
    store_req_deinit(&l->get.req);
}
