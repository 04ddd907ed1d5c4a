/* What of a session that waits is stored packed, and how it is read back: the same in every store.
 */
#include <stdlib.h>
#include <string.h>

#include "store/rules.h"

#define CORE_PARTS 3
#define RUN_PARTS  12

/* Of tokens: a shorter text is not worth its microsecond, each of so many times a second. */
#define PACK_TOKENS_MIN 1024

static bool pack_has_tokens(struct str frames)
{
    return memmem(frames.p, frames.n, "\"token_stream\"", 14) != NULL;
}

struct str rules_pack_frames(struct packer *p, struct str frames, struct arena *a)
{
    if (!pack_has_tokens(frames))
        return pack_quickly(p, frames, a);
    return frames.n < PACK_TOKENS_MIN ? STR_NULL : pack_marked(p, frames, a);
}

static struct str pack_events(struct packer *p, struct str frames, bool lies, struct arena *a)
{
    return lies && !pack_has_tokens(frames) ? pack(p, frames, a) : rules_pack_frames(p, frames, a);
}

static struct str pack_written(struct packer *p, struct buf *text, bool lies, struct arena *a)
{
    struct str out = buf_error(text) ? STR_NULL
                     : lies          ? pack(p, buf_str(text), a)
                                     : pack_quickly(p, buf_str(text), a);

    buf_deinit(text);
    return out;
}

/* As one text: their ids and words are the same ones, and each is there once. */
static struct str pack_core(struct packer *p, const struct session_core *core, struct arena *a)
{
    struct buf text;
    struct jw w;

    buf_init(&text, PACK_TEXT_MAX);
    jw_init(&w, &text);
    jw_array(&w);
    jw_raw(&w, core->waiting_json);
    jw_raw(&w, core->node_statuses_json.p ? core->node_statuses_json : STR("{}"));
    jw_raw(&w, core->state_json);
    jw_end(&w);
    return pack_written(p, &text, true, a);
}

static bool pack_is_null(struct str json)
{
    return str_eqz(json, "null");
}

/* A run whose texts come back as they were, and whose row, should it get one, will be found. */
static bool run_fits(const struct run_row *run)
{
    return (run->ended_at > 0 || run->iteration == 1) && !run->progress_json.p &&
           !pack_is_null(run->output_json) && !pack_is_null(run->error_json) &&
           !pack_is_null(run->interrupt_json);
}

/* Of a run that changed several times in one turn the last row counts. */
static const struct run_row *run_last(const struct run_row *run)
{
    const struct run_row *last = run;

    for (const struct run_row *later = run->next; later; later = later->next)
        if (id_eq(later->run_id, run->run_id))
            last = later;
    return last;
}

static void pack_word(struct jw *w, struct str s)
{
    if (s.p)
        jw_string(w, s);
    else
        jw_null(w);
}

static void pack_run(struct jw *w, const struct run_row *run)
{
    char id[ID_TEXT_BYTES + 1];

    id_format(run->run_id, id);
    jw_array(w);
    jw_stringz(w, id);
    pack_word(w, run->node_id);
    pack_word(w, run->kind);
    jw_i64(w, run->iteration);
    jw_i64(w, run->attempt);
    pack_word(w, run->status);
    pack_word(w, run->branch);
    jw_i64(w, run->started_at);
    jw_i64(w, run->ended_at);
    jw_raw(w, run->output_json);
    jw_raw(w, run->error_json);
    jw_raw(w, run->interrupt_json);
    jw_end(w);
}

static struct str pack_runs(struct packer *p, const struct delta *d, bool lies, struct arena *a)
{
    struct buf text;
    struct jw w;
    int count = 0, fit = 0;

    for (const struct run_row *run = d->runs; run && count <= RULES_PACKED_RUNS; run = run->next)
        count++;
    if (count > RULES_PACKED_RUNS)
        return STR_NULL;
    buf_init(&text, PACK_TEXT_MAX);
    jw_init(&w, &text);
    jw_array(&w);
    for (const struct run_row *run = d->runs; run; run = run->next) {
        if (run_last(run) != run || !run_fits(run))
            continue;
        pack_run(&w, run);
        fit++;
    }
    jw_end(&w);
    if (fit > 0)
        return pack_written(p, &text, lies, a);
    buf_deinit(&text);
    return STR_NULL;
}

struct rules_packed rules_pack(struct packer *p, const struct delta *d, struct arena *a)
{
    const struct session_core *core = d->core;
    struct rules_packed out = {STR_NULL, STR_NULL, STR_NULL};
    bool lies = core && !core->busy && core->ended_at == 0 && core->waiting_json.p;

    if (lies)
        out.core = pack_core(p, core, a);
    if (d->is_new && (lies || (core && core->ended_at > 0)))
        out.runs = pack_runs(p, d, lies, a);
    if (d->seq_last > 0)
        out.events = pack_events(p, buf_str(&d->events), lies, a);
    return out;
}

bool rules_run_is_packed(const struct rules_packed *packed, const struct run_row *run)
{
    return packed->runs.p && run_fits(run_last(run));
}

struct str rules_pack_run(struct packer *p, const struct run_row *run, struct arena *a)
{
    return run->ended_at == 0 ? pack(p, run->interrupt_json, a) : STR_NULL;
}

struct str rules_pack_interrupt(struct packer *p, const struct interrupt_row *i, struct arena *a)
{
    return str_eqz(i->status, "pending") ? pack(p, i->request_json, a) : STR_NULL;
}

/* ---- back ---- */

/* The elements of an array that has so many. */
static bool packed_parts(struct json array, struct json *parts, size_t count)
{
    struct json_iter it;

    if (json_type(array) != JSON_ARRAY || json_length(array) != count)
        return false;
    json_iter_init(&it, array);
    for (size_t i = 0; i < count; i++) {
        if (!json_iter_next(&it))
            return false;
        parts[i] = it.value;
    }
    return true;
}

static struct str packed_text(struct arena *a, struct json v)
{
    return json_type(v) == JSON_NULL ? STR_NULL : rules_copy(a, json_raw(v));
}

bool rules_core_read(struct arena *a, struct str text, struct session_core *core)
{
    struct json parts[CORE_PARTS];

    if (!text.p)
        return true;
    if (!packed_parts(json_root(text), parts, CORE_PARTS))
        return false;
    core->waiting_json = packed_text(a, parts[0]);
    core->node_statuses_json = packed_text(a, parts[1]);
    core->state_json = packed_text(a, parts[2]);
    return true;
}

static bool packed_word(struct arena *a, struct json v, struct str *out)
{
    *out = STR_NULL;
    if (json_type(v) == JSON_NULL)
        return true;
    char *text = json_strdup(v);
    if (!text)
        return false;
    *out = rules_copy(a, str_of(text));
    free(text);
    return true;
}

static bool packed_run(struct arena *a, struct json array, struct run_row *run)
{
    struct json v[RUN_PARTS];
    struct str id;

    *run = (struct run_row){.next = NULL};
    if (!packed_parts(array, v, RUN_PARTS) || !packed_word(a, v[0], &id) || !id.p ||
        !id_parse(id, &run->run_id) || !packed_word(a, v[1], &run->node_id) ||
        !packed_word(a, v[2], &run->kind) || !json_i64(v[3], &run->iteration) ||
        !json_i64(v[4], &run->attempt) || !packed_word(a, v[5], &run->status) ||
        !packed_word(a, v[6], &run->branch) || !json_i64(v[7], &run->started_at) ||
        !json_i64(v[8], &run->ended_at))
        return false;
    run->output_json = packed_text(a, v[9]);
    run->error_json = packed_text(a, v[10]);
    run->interrupt_json = packed_text(a, v[11]);
    return true;
}

/* Puts it where it belongs among ascending rows; a row of its own is newer, and counts. */
static void run_put(struct run_row **rows, struct run_row *run)
{
    while (*rows && memcmp((*rows)->run_id.b, run->run_id.b, sizeof(run->run_id.b)) < 0)
        rows = &(*rows)->next;
    if (*rows && id_eq((*rows)->run_id, run->run_id))
        return;
    run->next = *rows;
    *rows = run;
}

bool rules_runs_add(struct arena *a, struct str text, const struct id *after, struct run_row **rows)
{
    struct json_iter it;

    if (!text.p)
        return true;
    if (json_type(json_root(text)) != JSON_ARRAY)
        return false;
    json_iter_init(&it, json_root(text));
    while (json_iter_next(&it)) {
        struct run_row *run = arena_alloc(a, sizeof(*run));
        if (!packed_run(a, it.value, run))
            return false;
        if (memcmp(run->run_id.b, after->b, sizeof(after->b)) > 0)
            run_put(rows, run);
    }
    return true;
}

/* Whether a later iteration of the same node is among the rows. */
static bool run_is_old(const struct run_row *rows, const struct run_row *run)
{
    for (const struct run_row *r = rows; r; r = r->next)
        if (r->iteration > run->iteration && str_eq(r->node_id, run->node_id))
            return true;
    return false;
}

bool rules_runs_newest(struct arena *a, struct str text, struct run_row **rows)
{
    static const struct id first;
    int64_t newest = 0;

    if (!text.p)
        return true;
    if (!rules_runs_add(a, text, &first, rows))
        return false;
    for (const struct run_row *run = *rows; run; run = run->next)
        newest = run->iteration > newest ? run->iteration : newest;
    for (struct run_row **at = rows; *at;) {
        bool may_be_old = (*at)->ended_at > 0 && (*at)->iteration < newest;
        if (may_be_old && run_is_old(*rows, *at))
            *at = (*at)->next;
        else
            at = &(*at)->next;
    }
    return true;
}

const struct run_row *rules_runs_page(struct run_row *rows, int limit)
{
    struct run_row *last = rows;

    for (int i = 1; i < limit && last; i++)
        last = last->next;
    if (!last || !last->next)
        return NULL;
    last->next = NULL;
    return last;
}
