/* Sessions as files: written, read, through every store and back: the same bytes. Random rows, from
 * a seed that is printed when it fails. */
#include "app/portable.h"
#include "app/portable_fields.h"
#include "base/clock.h"
#include "base/mem.h"
#include "store/copy.h"
#include "test_store_rig.h"

#define ROUNDS 12

/* ---- random rows ---- */

struct dice {
    struct id_source source;
    struct arena *a;
    int64_t now;
};

static int64_t roll(struct dice *d, int64_t n)
{
    return (int64_t)(id_source_random(&d->source) % (uint64_t)n);
}

static struct id dice_id(struct dice *d)
{
    return id_new(&d->source, (uint64_t)d->now++);
}

static struct str dice_text(struct dice *d)
{
    static const char *const parts[] = {"a",    "\"",       "\\", "\n", "\t",           "ü",
                                        "🍵",    "\x7f",     " ",  "{}", "\xe2\x80\xa8", "\x01",
                                        "word", "</script>"};
    struct buf b;

    buf_init(&b, 1000);
    for (int64_t n = roll(d, 6); n > 0; n--)
        buf_append_z(&b, parts[roll(d, 14)]);
    struct str s = {arena_strdup(d->a, buf_str(&b)), b.len};
    buf_deinit(&b);
    return s;
}

static struct str dice_text_or_null(struct dice *d)
{
    return roll(d, 3) ? dice_text(d) : STR_NULL;
}

static struct str dice_json(struct dice *d, bool object)
{
    static const char *const values[] = {"null",           "1",   "-2.50e3", "\"\\u00fc\\n\"", "[]",
                                         "[1,{\"b\":[]}]", "true"};
    struct buf b;

    buf_init(&b, 1000);
    if (object) {
        buf_append_z(&b, "{\"x\":");
        buf_append_z(&b, values[roll(d, 7)]);
        buf_append_z(&b, ",\"a b\":{}}");
    } else {
        buf_append_z(&b, values[roll(d, 7)]);
    }
    struct str s = {arena_strdup(d->a, buf_str(&b)), b.len};
    buf_deinit(&b);
    return s;
}

static struct str dice_json_or_null(struct dice *d)
{
    return roll(d, 2) ? dice_json(d, false) : STR_NULL;
}

static struct str dice_bytes(struct dice *d)
{
    size_t n = (size_t)roll(d, 40);
    char *p = arena_alloc(d->a, n + 1);

    if (roll(d, 2))
        return dice_text(d);
    for (size_t i = 0; i < n; i++)
        p[i] = (char)roll(d, 256);
    return (struct str){p, n};
}

static void dice_field(struct dice *d, const struct field *f, void *row)
{
    void *at = (char *)row + f->at;

    switch (f->kind) {
    case FIELD_ID:
        if (!f->optional || roll(d, 2))
            *(struct id *)at = dice_id(d);
        return;
    case FIELD_TEXT:
        *(struct str *)at = f->optional ? dice_text_or_null(d) : dice_text(d);
        return;
    case FIELD_JSON:
        if (f->type == JSON_NONE)
            *(struct str *)at = f->optional ? dice_json_or_null(d) : dice_json(d, false);
        else if (!f->optional || roll(d, 2))
            *(struct str *)at = f->type == JSON_ARRAY ? STR("[\"a\",\"ü\"]") : dice_json(d, true);
        return;
    case FIELD_STATUSES:
        *(struct str *)at = STR("{\"b\":\"completed\",\"aa\":\"failed\",\"a\":\"pending\"}");
        return;
    case FIELD_INT:
        *(int64_t *)at = (f->min > 0 ? f->min : 0) + roll(d, 1000);
        return;
    case FIELD_BOOL:
        *(bool *)at = roll(d, 2);
        return;
    case FIELD_TIME:
        *(int64_t *)at = f->optional && roll(d, 2) ? 0 : T0 + d->now++;
        return;
    case FIELD_CONTENT:
        *(struct str *)at = dice_bytes(d);
        return;
    }
}

static void dice_rows(struct dice *d, struct session_whole *w, const struct section *s)
{
    struct portable_link **tail = (struct portable_link **)((char *)w + s->list_at);

    for (int64_t n = roll(d, 4); s->fields && n > 0; n--) {
        struct portable_link *row = arena_alloc(d->a, s->row_bytes), **at = tail;
        memset(row, 0, s->row_bytes);
        for (size_t i = 0; i < s->count; i++)
            dice_field(d, &s->fields[i], row);
        if (strcmp(s->word, "file") == 0) {
            struct file_row *f = (struct file_row *)row;
            f->path = f->path.n ? f->path : STR("p");
        }
        while (*at && s->compare(*at, row) < 0)
            at = &(*at)->next;
        if (*at && s->compare(*at, row) == 0)
            continue; /* there is one already */
        row->next = *at;
        *at = row;
    }
}

static void dice_events(struct dice *d, struct session_whole *w)
{
    struct event_row **tail = &w->events;
    char id[ID_TEXT_BYTES + 1];
    int64_t seq = 0;
    struct buf b;

    id_format(w->row.id, id);
    for (int64_t rows = 1 + roll(d, 4); rows > 0; rows--, tail = &(*tail)->next) {
        *tail = arena_alloc(d->a, sizeof(**tail));
        (*tail)->seq_first = seq + 1;
        buf_init(&b, 100000);
        for (int64_t n = 1 + roll(d, 5); n > 0; n--) {
            struct str data = dice_json(d, true);
            buf_printf(&b,
                       "%s{\"seq\":%lld,\"session_id\":\"%s\",\"type\":\"log\",\"timestamp\":"
                       "\"2026-01-01T00:00:00.000Z\",\"data\":%.*s}",
                       b.len ? "\n" : "", (long long)++seq, id, STR_FMT(data));
        }
        (*tail)->seq_last = seq;
        (*tail)->frames = (struct str){arena_strdup(d->a, buf_str(&b)), b.len};
        buf_deinit(&b);
    }
    w->row.core.last_seq = seq;
    w->folded_seq = roll(d, 2) ? 0 : 1 + roll(d, seq);
}

/* Rows that stores take; whether they make sense to the engine is not asked here. */
static void dice_whole(struct dice *d, struct session_whole *w)
{
    *w = (struct session_whole){.folded_seq = 0};
    for (size_t i = 0; i < portable_session_count; i++)
        dice_field(d, &portable_session_fields[i], w);
    w->row.meta.workspace = STR("default");
    w->row.core.status = STR("paused");
    w->row.meta.stored_only = false;
    w->workflow_json = STR("{\"nodes\": {}\n}");
    for (int i = 0; i < PORTABLE_SECTIONS; i++)
        dice_rows(d, w, &portable_sections[i]);
    for (struct file_row *f = w->files; f; f = f->next) {
        f->from_version = 0;
        if (!f->content.p)
            f->content = STR("");
        f->size = (int64_t)f->content.n;
    }
    for (struct usage_row *u = w->usage; u; u = u->next)
        u->cost_micros = roll(d, 2) ? -1 : u->cost_micros;
    dice_events(d, w);
}

/* ---- through a store ---- */

static struct buf text_of(const struct session_whole *w)
{
    struct errbuf e = {""};
    struct buf b;

    buf_init(&b, PORTABLE_BYTES_MAX);
    if (portable_write(w, &b, &e))
        fail_msg("%s", e.text);
    return b;
}

static int import_into(struct rig *r, const struct session_whole *w)
{
    RIG_REQ(store_session_import, m, STORE_SESSION_IMPORT);
    m.whole = w;
    m.now_ms = T0;
    int status = rig_run(r, &m.req);
    store_req_deinit(&m.req);
    return status;
}

static struct buf export_from(struct rig *r, struct id id)
{
    RIG_REQ(store_session_export, x, STORE_SESSION_EXPORT);
    x.load.id = id;
    x.bytes_max = PORTABLE_BYTES_MAX;
    if (rig_run(r, &x.req))
        fail_msg("export: %s", x.req.error.text);
    struct buf b = text_of(&x.whole);
    store_req_deinit(&x.req);
    return b;
}

static void assert_same(const struct buf *a, const struct buf *b, uint64_t seed)
{
    if (!str_eq(buf_str(a), buf_str(b)))
        fail_msg("seed %llu:\n%s\n--- is not ---\n%s", (unsigned long long)seed, a->data, b->data);
}

static void what_goes_in_comes_out(void **state)
{
    struct rig *r = *state;

    for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
        struct session_whole w, read;
        struct errbuf e = {""};
        struct arena a;
        struct dice d = {.a = &a, .now = T0 + (int64_t)seed * 100000};
        arena_init(&a);
        id_source_init_seed(&d.source, seed);
        dice_whole(&d, &w);
        struct buf first = text_of(&w);
        if (portable_read(buf_str(&first), &a, &read, &e))
            fail_msg("seed %llu: %s\n%s", (unsigned long long)seed, e.text, first.data);
        struct buf again = text_of(&read);
        assert_same(&first, &again, seed);
        assert_int_equal(import_into(r, &read), 0);
        struct buf stored = export_from(r, w.row.id);
        assert_same(&first, &stored, seed);
        assert_int_equal(import_into(r, &read), ERR_CONFLICT);
        buf_deinit(&first);
        buf_deinit(&again);
        buf_deinit(&stored);
        arena_deinit(&a);
    }
}

static void nothing_of_others_is_taken(void **state)
{
    struct rig *r = *state;
    struct session_whole w;
    struct arena a;
    struct dice d = {.a = &a, .now = T0};

    arena_init(&a);
    id_source_init_seed(&d.source, 7);
    dice_whole(&d, &w);
    struct interrupt_row mine = {.interrupt_id = dice_id(&d),
                                 .run_id = dice_id(&d),
                                 .node_id = STR("n"),
                                 .kind = STR("form"),
                                 .status = STR("pending"),
                                 .request_json = STR("{}"),
                                 .created_at = T0,
                                 .updated_at = T0};
    w.interrupts = &mine;
    assert_int_equal(import_into(r, &w), 0);
    struct id first = w.row.id;
    struct buf before = export_from(r, first);
    w.row.id = dice_id(&d);
    w.tasks = NULL;
    assert_int_equal(import_into(r, &w), ERR_CONFLICT);
    RIG_REQ(store_session_get, g, STORE_SESSION_GET);
    g.id = w.row.id;
    assert_int_equal(rig_run(r, &g.req), ERR_NOT_FOUND);
    store_req_deinit(&g.req);
    struct buf after = export_from(r, first);
    assert_same(&before, &after, 7);
    buf_deinit(&before);
    buf_deinit(&after);
    arena_deinit(&a);
}

static void too_much_is_not_exported(void **state)
{
    struct rig *r = *state;
    struct id id = rig_session(r, "completed", T0);

    RIG_REQ(store_session_export, x, STORE_SESSION_EXPORT);
    x.load.id = id;
    x.bytes_max = 3; /* its event has more */
    assert_int_equal(rig_run(r, &x.req), ERR_TOO_LARGE);
    store_req_deinit(&x.req);
    RIG_REQ(store_session_export, other, STORE_SESSION_EXPORT);
    other.load.id = id;
    other.workspace = STR("another");
    other.bytes_max = PORTABLE_BYTES_MAX;
    assert_int_equal(rig_run(r, &other.req), ERR_NOT_FOUND);
    store_req_deinit(&other.req);
}

/* ---- the file ---- */

static void a_changed_byte_is_seen(void **state)
{
    struct session_whole w, read;
    struct errbuf e;
    struct arena a;
    struct dice d = {.a = &a, .now = T0};

    (void)state;
    arena_init(&a);
    id_source_init_seed(&d.source, 3);
    dice_whole(&d, &w);
    struct buf text = text_of(&w);
    for (size_t i = 0; i < text.len; i++) {
        char was = text.data[i];
        text.data[i] = was == 'x' ? 'y' : 'x';
        e.text[0] = '\0';
        assert_int_equal(portable_read(buf_str(&text), &a, &read, &e), ERR_INVALID);
        assert_true(strncmp(e.text, "line ", 5) == 0);
        text.data[i] = was;
    }
    for (size_t n = 0; n < text.len; n++)
        assert_int_equal(portable_read((struct str){text.data, n}, &a, &read, &e), ERR_INVALID);
    assert_int_equal(portable_read(buf_str(&text), &a, &read, &e), 0);
    buf_deinit(&text);
    arena_deinit(&a);
}

/* What a session has must be in its file, or stand here: a column more is a question. */
static void every_column_is_decided(void **state)
{
    /* not in a file: keys of this store, who has it, when rows were written, other forms of texts
     * that are in it */
    static const char *const left_out[] = {"sessions.key",
                                           "sessions.workspace",
                                           "sessions.epoch",
                                           "sessions.owner",
                                           "session_events.at",
                                           "node_runs.updated_at",
                                           "timers.updated_at",
                                           "session_files.updated_at",
                                           "llm_usage.workspace",
                                           "llm_usage.session_id",
                                           "llm_usage.group_id",
                                           "llm_usage.workflow_id",
                                           "tasks.status",
                                           "tasks.attempt",
                                           "tasks.output",
                                           "tasks.error",
                                           "tasks.worker",
                                           "tasks.lease_expires_at",
                                           "tasks.updated_at",
                                           "sessions.waiting_packed",
                                           "sessions.state_packed",
                                           "sessions.core_packed",
                                           "sessions.runs_packed",
                                           "session_events.frames_packed",
                                           "node_runs.interrupt_packed",
                                           "interrupts.request_packed",
                                           NULL};
    static const struct {
        const char *table;
        int columns; /* that are in a file */
    } tables[] = {{"sessions", 28},   {"session_details", 8},   {"session_events", 3},
                  {"node_runs", 13},  {"session_messages", 12}, {"effects", 3},
                  {"timers", 3},      {"withheld_inputs", 2},   {"llm_usage", 11},
                  {"interrupts", 10}, {"session_files", 12},    {"tasks", 7}};
    struct copy_table all[COPY_TABLES_MAX];
    int n = copy_tables(all);

    (void)state;
    for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++) {
        int columns = 0;
        for (int i = 0; i < n; i++)
            for (int c = 0; c < all[i].count && !strcmp(all[i].name, tables[t].table); c++) {
                char name[100];
                bool left = all[i].columns[c].kind == COPY_SESSION;
                snprintf(name, sizeof(name), "%s.%.*s", all[i].name,
                         STR_FMT(all[i].columns[c].name));
                for (const char *const *p = left_out; *p; p++)
                    left = left || !strcmp(*p, name);
                columns += !left;
            }
        if (columns != tables[t].columns)
            fail_msg("%s has %d columns that files may have, not %d: are new ones in "
                     "portable_fields.c, or left out?",
                     tables[t].table, columns, tables[t].columns);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        EVERY(what_goes_in_comes_out),
        EVERY(nothing_of_others_is_taken),
        EVERY(too_much_is_not_exported),
        cmocka_unit_test(a_changed_byte_is_seen),
        cmocka_unit_test(every_column_is_decided),
    };
    return RIG_RUN_TESTS(tests);
}
