/* The log's reads behind its tails, carried to the store. */
#include <stdlib.h>

#include "app/app.h"
#include "base/mem.h"

#define LOG_READ_EVENTS 100000 /* the byte limit is what counts */

struct log_read_job {
    struct log_read *read;
    struct store_events_read events;
};

static void log_read_answered(struct store_req *r)
{
    struct log_read_job *job = r->data;
    struct store_events_read *ev = &job->events;
    struct buf frames;
    int64_t first = 0, last = 0;
    buf_init(&frames, SIZE_MAX / 2); /* bounded by the store's bytes_max and one row */
    for (struct event_row *row = ev->rows; r->status == 0 && row; row = row->next) {
        if (first == 0)
            first = row->seq_first;
        else
            buf_append_char(&frames, '\n');
        last = row->seq_last;
        buf_append_str(&frames, row->frames);
    }
    int status = r->status ? r->status : buf_error(&frames);
    log_read_done(job->read, status, first, last, ev->first_seq_held, buf_str(&frames));
    buf_deinit(&frames);
    store_req_deinit(r);
    free(job);
}

static void app_log_read(struct log_reader *reader, struct log_read *read)
{
    struct app *a = container_of(reader, struct app, reader);
    struct log_read_job *job = mem_zalloc(sizeof(*job));
    job->read = read;
    store_req_init(&job->events.req, STORE_EVENTS_READ, log_read_answered, job);
    job->events.session_id = read->session_id;
    job->events.after = read->after;
    job->events.limit = LOG_READ_EVENTS;
    job->events.bytes_max = LOG_READ_BYTES;
    store_submit(a->store, &job->events.req);
}

void app_log_reader_init(struct app *a)
{
    a->reader.read = app_log_read;
}
