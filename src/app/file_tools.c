#include "app/file_tools.h"

#include <stdlib.h>

#include "app/app.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/utf8.h"

void file_content_write(struct jw *w, struct str content)
{
    bool is_text = utf8_is_valid(content);
    struct buf b;

    jw_kv_stringz(w, "encoding", is_text ? "utf-8" : "base64");
    if (is_text) {
        jw_kv_string(w, "content", content);
        return;
    }
    buf_init(&b, content.n / 3 * 4 + 8);
    base64_append(&b, content.p, content.n);
    jw_kv_string(w, "content", buf_str(&b));
    buf_deinit(&b);
}

/* ---- read_file ---- */

struct file_read {
    struct tool_run *run;
    struct store_file_get get;
    char *path;
    int64_t offset, limit;
};

static void file_read_destroy(struct file_read *f)
{
    store_req_deinit(&f->get.req);
    free(f->path);
    free(f);
}

/* The part that was asked for. Of a text, no half characters at its end; that an offset falls into
 * the middle of one is the caller's doing. */
static struct str file_read_part(const struct file_read *f, struct str content)
{
    bool is_text = utf8_is_valid(content);
    size_t from = f->offset < (int64_t)content.n ? (size_t)f->offset : content.n;
    struct str part = {content.p + from, content.n - from};

    if (part.n > (size_t)f->limit)
        part.n = is_text ? utf8_cut(part.p, (size_t)f->limit) : (size_t)f->limit;
    return part;
}

static void file_read_answer(struct file_read *f)
{
    const struct file_row *row = &f->get.row;
    struct str part = file_read_part(f, row->content);
    struct tool_run *t = f->run;
    struct buf b;
    struct jw w;

    buf_init(&b, 8u * FILE_READ_BYTES_MAX);
    jw_init(&w, &b);
    jw_object(&w);
    jw_kv_string(&w, "path", row->path);
    jw_kv_i64(&w, "version", row->version);
    jw_kv_i64(&w, "size", row->size);
    file_content_write(&w, part);
    if (f->offset + (int64_t)part.n < row->size)
        jw_kv_bool(&w, "truncated", true);
    jw_end(&w);
    file_read_destroy(f);
    tool_run_done(t, buf_str(&b));
    buf_deinit(&b);
}

static void file_read_got(struct store_req *r)
{
    struct file_read *f = r->data;
    struct tool_run *t = f->run;

    if (r->status == 0) {
        file_read_answer(f);
        return;
    }
    struct errbuf e = r->error;
    int status = r->status;
    file_read_destroy(f);
    tool_run_failed(t, err_word(status),
                    status == ERR_NOT_FOUND ? "The session has no such file or version." : e.text);
}

void file_tool_read(struct tool_run *t)
{
    struct json arguments = tool_run_arguments(t);
    struct file_read *f = mem_zalloc(sizeof(*f));

    f->run = t;
    f->path = json_strdup(json_get(arguments, "path"));
    f->limit = FILE_READ_BYTES_MAX;
    json_i64(json_get_set(arguments, "version"), &f->get.version);
    json_i64(json_get_set(arguments, "offset"), &f->offset);
    json_i64(json_get_set(arguments, "limit"), &f->limit);
    if (f->limit < 1 || f->limit > FILE_READ_BYTES_MAX)
        f->limit = FILE_READ_BYTES_MAX;
    int64_t version = f->get.version;
    store_req_init(&f->get.req, STORE_FILE_GET, file_read_got, f);
    f->get.session_id = t->run.live->id;
    f->get.path = str_of(f->path);
    f->get.version = version;
    if (f->path && *f->path && f->offset >= 0 && version >= 0) {
        store_submit(t->run.app->store, &f->get.req);
        return;
    }
    file_read_destroy(f);
    tool_run_failed(t, "invalid_arguments",
                    "read_file takes a path, and may take version, offset and limit.");
}

void file_tool_inside(struct tool_run *t)
{
    tool_run_done(t, STR("null"));
}
