#include "engine/files.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "engine/session.h"

/* ---- paths ---- */

static bool part_is_plain(const char *p, size_t n)
{
    return n > 0 && !(n == 1 && p[0] == '.') && !(n == 2 && p[0] == '.' && p[1] == '.');
}

int file_path_check(struct str path, struct errbuf *e)
{
    size_t begin = 0;
    if (path.n == 0 || path.n > FILE_PATH_BYTES_MAX)
        return err_set(e, ERR_INVALID, "The path must have 1 to %d bytes.", FILE_PATH_BYTES_MAX);
    if (!utf8_is_valid(path))
        return err_set(e, ERR_INVALID, "The path is not UTF-8.");
    for (size_t i = 0; i <= path.n; i++) {
        unsigned char c = i < path.n ? (unsigned char)path.p[i] : '/';
        if (c < 0x20 || c == 0x7f || c == '\\')
            return err_set(e, ERR_INVALID, "The path has a character that no path may have.");
        if (c != '/')
            continue;
        if (!part_is_plain(path.p + begin, i - begin))
            return err_set(e, ERR_INVALID,
                           "The path must be relative, without empty parts, \".\" "
                           "and \"..\".");
        begin = i + 1;
    }
    return 0;
}

/* ---- the set ---- */

void files_deinit(struct file_set *f)
{
    for (unsigned i = 0; i < f->count; i++)
        free((char *)f->items[i].path.p);
    free(f->items);
    *f = (struct file_set){.count = 0};
}

static int path_compare(struct str a, struct str b)
{
    int order = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);
    return order ? order : a.n < b.n ? -1 : a.n > b.n;
}

/* Where the path is, or would be. */
static unsigned file_place(const struct file_set *f, struct str path)
{
    unsigned low = 0, high = f->count;
    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        if (path_compare(f->items[middle].path, path) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct file_entry *file_find(const struct file_set *f, struct str path)
{
    unsigned at = file_place(f, path);
    return at < f->count && str_eq(f->items[at].path, path) ? &f->items[at] : NULL;
}

static struct file_entry *file_add(struct file_set *f, struct str path)
{
    unsigned at = file_place(f, path);
    if (f->count == f->cap) {
        f->cap = f->cap ? f->cap * 2 : 8;
        f->items = mem_realloc(f->items, f->cap * sizeof(*f->items));
    }
    memmove(f->items + at + 1, f->items + at, (f->count - at) * sizeof(*f->items));
    f->items[at] = (struct file_entry){.version = 0};
    own_set(&f->items[at].path, path);
    f->count++;
    return &f->items[at];
}

/* ---- writing ---- */

static struct str out_text(struct session *s, struct str text)
{
    return text.p ? (struct str){arena_strdup(&s->made->out.arena, text), text.n} : STR_NULL;
}

/* The next version's row; the entry is that of before. Its number in the log is that of the event
 * that tells of it, the next one. */
static struct file_row *row_add(struct session *s, unsigned n, struct file_entry *f)
{
    struct file_row *row = arena_alloc(&s->made->out.arena, sizeof(*row)),
                    **tail = &s->made->out.files;
    f->version++;
    row->path = out_text(s, f->path);
    row->version = f->version;
    row->run_id = s->at->nodes[n].run_id;
    row->seq = s->seq + 1;
    row->created_at = s->now;
    while (*tail)
        tail = &(*tail)->next;
    *tail = row;
    s->files.versions++;
    s->core_dirty = s->out_any = true;
    return row;
}

static int write_judge(const struct session *s, struct str path, struct str content,
                       struct errbuf *e)
{
    const struct file_entry *f = file_find(&s->files, path);
    if (content.n > FILE_BYTES_MAX)
        return err_set(e, ERR_TOO_LARGE, "A file may have %d bytes, this one has %zu.",
                       FILE_BYTES_MAX, content.n);
    if (!f && s->files.count >= FILES_PATHS_MAX)
        return err_set(e, ERR_TOO_LARGE, "A session may have %d files.", FILES_PATHS_MAX);
    if (s->files.versions >= FILES_VERSIONS_MAX)
        return err_set(e, ERR_TOO_LARGE, "A session may write %d versions of files.",
                       FILES_VERSIONS_MAX);
    if (s->files.bytes + (int64_t)content.n > FILES_BYTES_MAX)
        return err_set(e, ERR_TOO_LARGE, "All versions of a session's files may have %d bytes.",
                       FILES_BYTES_MAX);
    return 0;
}

static struct str text_get(struct session *s, struct json v, const char *key, size_t max)
{
    struct json m = json_get_set(v, key);
    struct str text = json_type(m) == JSON_STRING ? json_text(s, m) : STR_NULL;
    if (text.n > max)
        text.n = utf8_cut(text.p, max);
    return text;
}

static struct str write_result(struct session *s, const struct file_entry *f)
{
    struct buf b;
    struct jw w;
    buf_init(&b, 4096);
    jw_init(&w, &b);
    jw_object(&w);
    jw_kv_string(&w, "path", f->path);
    jw_kv_i64(&w, "version", f->version);
    jw_kv_i64(&w, "size", f->size);
    if (f->deleted)
        jw_kv_bool(&w, "deleted", true);
    jw_end(&w);
    struct str out = tmp_copy(s, buf_str(&b));
    buf_deinit(&b);
    return out;
}

int file_write(struct session *s, unsigned n, struct json arguments, struct str author,
               struct str *output, struct errbuf *e)
{
    struct json content = json_get(arguments, "content");
    struct str path = text_get(s, arguments, "path", FILE_PATH_BYTES_MAX + 1), text;
    bool deletes = json_type(content) == JSON_NULL;
    if (!json_exists(content))
        return err_set(e, ERR_INVALID, "content is missing.");
    text = json_type(content) == JSON_STRING ? json_text(s, content) : json_raw(content);
    if (deletes)
        text = STR("");
    int rc = file_path_check(path, e);
    if (!rc)
        rc = write_judge(s, path, text, e);
    if (rc)
        return rc;
    struct file_entry *f = file_find(&s->files, path);
    if (deletes && (!f || f->deleted))
        return err_set(e, ERR_NOT_FOUND, "There is no such file.");
    if (!f)
        f = file_add(&s->files, path);
    struct file_row *row = row_add(s, n, f);
    row->author = out_text(s, author.p ? author : node_def(s, n)->id);
    row->reason = out_text(s, text_get(s, arguments, "reason", FILE_REASON_MAX));
    row->media_type = out_text(s, text_get(s, arguments, "media_type", 100));
    row->content = out_text(s, text);
    row->deleted = f->deleted = deletes;
    row->size = f->size = (int64_t)text.n;
    f->origin = f->version;
    s->files.bytes += f->size;
    *output = write_result(s, f);
    return 0;
}

void file_attach(struct session *s, struct str path, struct str content, struct str media_type)
{
    struct file_entry *f = file_find(&s->files, path);
    struct errbuf e;
    if (write_judge(s, path, content, &e))
        return; /* was looked at before */
    if (!f)
        f = file_add(&s->files, path);
    struct file_row *row = row_add(s, s->at->wf->start, f); /* no run has begun: a person's */
    row->author = out_text(s, s->meta.user_id.p ? s->meta.user_id : STR("user"));
    row->reason = out_text(s, STR("attachment"));
    row->media_type = out_text(s, media_type);
    row->content = out_text(s, content);
    row->size = f->size = (int64_t)content.n;
    f->origin = f->version;
    s->files.bytes += f->size;
}

/* ---- the tools ---- */

static struct str list_result(struct session *s)
{
    struct buf b;
    struct jw w;
    buf_init(&b, FILES_PATHS_MAX * (FILE_PATH_BYTES_MAX * 6 + 100));
    jw_init(&w, &b);
    jw_array(&w);
    for (unsigned i = 0; i < s->files.count; i++) {
        const struct file_entry *f = &s->files.items[i];
        if (f->deleted)
            continue;
        jw_object(&w);
        jw_kv_string(&w, "path", f->path);
        jw_kv_i64(&w, "version", f->version);
        jw_kv_i64(&w, "size", f->size);
        jw_end(&w);
    }
    jw_end(&w);
    struct str out = tmp_copy(s, buf_str(&b));
    buf_deinit(&b);
    return out;
}

bool tool_runs_inside(struct str tool)
{
    return str_eqz(tool, "write_file") || str_eqz(tool, "list_files");
}

int tool_inside(struct session *s, unsigned n, struct json request, struct str author,
                struct str *output, struct errbuf *e)
{
    if (json_string_eq(json_get_set(request, "tool"), "write_file"))
        return file_write(s, n, json_get_set(request, "arguments"), author, output, e);
    *output = list_result(s);
    return 0;
}

/* ---- going back ---- */

struct str files_mark(struct session *s)
{
    struct buf b;
    struct jw w;
    buf_init(&b, FILES_PATHS_MAX * (FILE_PATH_BYTES_MAX * 6 + 100));
    jw_init(&w, &b);
    jw_object(&w);
    for (unsigned i = 0; i < s->files.count; i++) {
        const struct file_entry *f = &s->files.items[i];
        if (f->deleted)
            continue;
        jw_key_str(&w, f->path);
        jw_array(&w);
        jw_i64(&w, f->origin);
        jw_i64(&w, f->size);
        jw_end(&w);
    }
    jw_end(&w);
    struct str out = tmp_copy(s, buf_str(&b));
    buf_deinit(&b);
    return out;
}

/* What the mark says of a path: the version whose content it had, 0: it did not exist. */
static int64_t mark_origin(struct json mark, struct str path, int64_t *size)
{
    struct json_iter it, pair;
    int64_t values[2] = {0, 0};
    json_iter_init(&it, mark);
    while (json_iter_next(&it)) {
        struct buf key;
        buf_init(&key, it.key.n + 1);
        json_iter_key(&it, &key);
        bool same = str_eq(buf_str(&key), path);
        buf_deinit(&key);
        if (!same)
            continue;
        json_iter_init(&pair, it.value);
        while (json_iter_next(&pair) && pair.index < 2)
            json_i64(pair.value, &values[pair.index]);
        break;
    }
    *size = values[1] > 0 && values[1] <= FILE_BYTES_MAX ? values[1] : 0;
    return values[0] > 0 ? values[0] : 0;
}

unsigned files_roll_back(struct session *s, unsigned n, struct json mark, struct str reason)
{
    unsigned changed = 0;
    for (unsigned i = 0; i < s->files.count; i++) {
        struct file_entry *f = &s->files.items[i];
        int64_t size = 0, origin = mark_origin(mark, f->path, &size);
        bool gone = origin == 0;
        bool same = gone ? f->deleted : !f->deleted && origin == f->origin;
        if (same || origin > f->version)
            continue;
        struct file_row *row = row_add(s, n, f);
        row->author = out_text(s, node_def(s, n)->id);
        row->reason = out_text(s, reason);
        row->deleted = f->deleted = gone;
        row->from_version = gone ? 0 : origin;
        row->content = gone ? STR("") : STR_NULL;
        row->size = f->size = size;
        f->origin = gone ? f->version : origin;
        changed++;
    }
    return changed;
}

/* ---- state ---- */

void files_write(const struct session *s, struct jw *w)
{
    if (!s->files.count)
        return;
    jw_key(w, "files");
    jw_object(w);
    jw_kv_i64(w, "bytes", s->files.bytes);
    jw_kv_i64(w, "versions", s->files.versions);
    jw_key(w, "paths");
    jw_object(w);
    for (unsigned i = 0; i < s->files.count; i++) {
        const struct file_entry *f = &s->files.items[i];
        jw_key_str(w, f->path);
        jw_array(w);
        jw_i64(w, f->version);
        jw_i64(w, f->origin);
        jw_i64(w, f->size);
        jw_i64(w, f->deleted);
        jw_end(w);
    }
    jw_end(w);
    jw_end(w);
}

static bool entry_restore(struct session *s, struct str path, struct json v)
{
    int64_t values[4] = {0, 0, -1, -1};
    struct json_iter it;
    if (file_path_check(path, NULL) || file_find(&s->files, path) ||
        s->files.count >= FILES_PATHS_MAX || json_type(v) != JSON_ARRAY)
        return false;
    json_iter_init(&it, v);
    while (json_iter_next(&it))
        if (it.index >= 4 || !json_i64(it.value, &values[it.index]))
            return false;
    if (values[0] < 1 || values[0] > INT32_MAX || values[1] < 1 || values[1] > values[0] ||
        values[2] < 0 || values[2] > FILE_BYTES_MAX || values[3] < 0 || values[3] > 1)
        return false;
    struct file_entry *f = file_add(&s->files, path);
    f->version = values[0];
    f->origin = values[1];
    f->size = values[2];
    f->deleted = values[3];
    return true;
}

bool files_restore(struct session *s, struct json state)
{
    struct json files = json_get_set(state, "files");
    struct json_iter it;
    if (!json_exists(files))
        return true;
    if (!json_i64(json_get(files, "bytes"), &s->files.bytes) || s->files.bytes < 0 ||
        s->files.bytes > FILES_BYTES_MAX ||
        !json_i64(json_get(files, "versions"), &s->files.versions) || s->files.versions < 0)
        return false;
    json_iter_init(&it, json_get(files, "paths"));
    while (json_iter_next(&it)) {
        struct buf path;
        buf_init(&path, it.key.n + 1);
        json_iter_key(&it, &path);
        bool fits = entry_restore(s, buf_str(&path), it.value);
        buf_deinit(&path);
        if (!fits)
            return false;
    }
    return true;
}
