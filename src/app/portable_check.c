/* Whether the rows of an import fit together, as far as no workflow is needed to tell. */
#include <stdlib.h>

#include "app/portable.h"
#include "base/mem.h"
#include "engine/files.h"
#include "engine/state.h"

#define WRONG(...) return err_set(e, ERR_INVALID, __VA_ARGS__)

static int check_events(const struct session_whole *w, struct errbuf *e)
{
    int64_t last = 0;

    for (const struct event_row *row = w->events; row; row = row->next) {
        if (row->seq_first != last + 1 && row->seq_first > w->folded_seq)
            WRONG("events %lld to %lld are missing", (long long)last + 1,
                  (long long)row->seq_first - 1);
        last = row->seq_last;
    }
    if (last != w->row.core.last_seq)
        WRONG("the last event is %lld, but last_seq says %lld", (long long)last,
              (long long)w->row.core.last_seq);
    if (w->folded_seq > last)
        WRONG("first_seq_held is behind last_seq");
    return 0;
}

static int file_wrong(const struct file_row *f, struct errbuf *e)
{
    WRONG("file %.*s: version %lld has not the content that it says", STR_FMT(f->path),
          (long long)f->version);
}

/* The row of that version among those of one path, ascending; or NULL. */
static const struct file_row *file_version(const struct file_row *const *rows, size_t n,
                                           int64_t version)
{
    size_t from = 0;

    while (from < n) {
        size_t half = from + (n - from) / 2;
        if (rows[half]->version == version)
            return rows[half];
        if (rows[half]->version < version)
            from = half + 1;
        else
            n = half;
    }
    return NULL;
}

static int check_files(const struct session_whole *w, struct errbuf *e)
{
    size_t count = 0, first = 0, n = 0; /* first: of the path */
    int rc = 0;

    for (const struct file_row *f = w->files; f; f = f->next)
        count++;
    const struct file_row **rows = mem_calloc(count + 1, sizeof(*rows));
    for (const struct file_row *f = w->files; f && rc == 0; f = f->next) {
        rows[n] = f;
        if (n > 0 && !str_eq(rows[first]->path, f->path))
            first = n;
        const struct file_row *from =
            f->from_version ? file_version(rows + first, n - first, f->from_version) : f;
        n++;
        rc = file_path_check(f->path, e);
        if (rc == 0 && (!from || !from->content.p || (f->from_version && f->content.p) ||
                        (int64_t)from->content.n != f->size))
            rc = file_wrong(f, e);
    }
    free(rows);
    return rc < 0 ? ERR_INVALID : 0;
}

/* Rows that stores look through for each other. */
static int check_counts(const struct session_whole *w, struct errbuf *e)
{
    size_t n = 0;

    for (const struct timer_row *t = w->timers; t; t = t->next)
        n++;
    for (const struct interrupt_row *i = w->interrupts; i; i = i->next)
        n++;
    for (const struct task_row *t = w->tasks; t; t = t->next)
        n++;
    if (n > PORTABLE_OPEN_MAX)
        WRONG("more than %d timers, interrupts and tasks", PORTABLE_OPEN_MAX);
    return 0;
}

static bool word_is_one_of(struct str s, const char *const *words)
{
    for (; *words; words++)
        if (str_eqz(s, *words))
            return true;
    return false;
}

static int check_words(const struct session_whole *w, struct errbuf *e)
{
    static const char *const effects[] = {"model", "script", "tool", "plugin", "child", NULL};
    static const char *const states[] = {"pending", "answered", "expired", "cancelled", NULL};
    enum node_status status;

    for (const struct run_row *r = w->runs; r; r = r->next)
        if (!node_status_parse(r->status, &status))
            WRONG("a run's status is \"%.*s\"", STR_FMT(r->status));
    for (const struct effect_row *f = w->effects; f; f = f->next)
        if (!word_is_one_of(f->kind, effects))
            WRONG("an effect's kind is \"%.*s\"", STR_FMT(f->kind));
    for (const struct interrupt_row *i = w->interrupts; i; i = i->next)
        if (!word_is_one_of(i->status, states))
            WRONG("an interrupt's status is \"%.*s\"", STR_FMT(i->status));
    return 0;
}

int portable_check(const struct session_whole *w, struct errbuf *e)
{
    const struct session_core *core = &w->row.core;
    bool under_way = core->busy || w->effects || w->timers || w->tasks || w->withheld;
    enum session_status status;

    int rc = check_events(w, e);
    if (rc == 0)
        rc = check_files(w, e);
    if (rc == 0)
        rc = check_words(w, e);
    if (rc == 0)
        rc = check_counts(w, e);
    if (rc < 0)
        return rc;
    if (w->row.meta.stored_only && under_way)
        WRONG("nothing runs a stored session, but something is under way in it");
    if (w->row.meta.stored_only)
        return 0;
    if (!session_status_parse(core->status, &status))
        WRONG("the session's status is \"%.*s\"", STR_FMT(core->status));
    if (session_status_is_terminal(status) != (core->ended_at > 0))
        WRONG("the session is %.*s, but its end does not say so", STR_FMT(core->status));
    if (session_status_is_terminal(status) && under_way)
        WRONG("the session has ended, but something is under way in it");
    if (!w->workflow_json.p || w->row.core.last_seq == 0)
        WRONG("a session that ran has a definition and events");
    return 0;
}
