#include "store/mem_store.h"

#include <assert.h>
#include <stdlib.h>
#include <uv.h>

#include "base/mem.h"
#include "store/mem_data.h"
#include "store/rules.h"

struct mem_store {
    struct store base;
    struct mem_data data;
    struct list waiting;
    size_t waiting_count;
    bool held, closing, has_loop;
    uv_idle_t idle; /* active while there is something to carry out */
    struct {
        unsigned nth, times;
        int code;
    } faults[MEM_FAULT_COUNT];
    struct store_stats stats;
    void (*closed)(void *data);
    void *closed_data;
};

static struct mem_store *mem_of(const struct store *base)
{
    return (struct mem_store *)base;
}

/* Whether this request is one that was chosen to fail; counts down. */
static bool mem_fault_hits(struct mem_store *s, enum mem_fault fault)
{
    if (s->faults[fault].times == 0)
        return false;
    if (s->faults[fault].nth > 1) {
        s->faults[fault].nth--;
        return false;
    }
    s->faults[fault].times--;
    return true;
}

static int mem_fail(struct mem_store *s, struct store_req *req, enum mem_fault fault)
{
    s->stats.failures++;
    return err_set(&req->error, s->faults[fault].code, "a fault that was asked for");
}

static int mem_write(struct mem_store *s, struct store_req *req)
{
    bool lost = mem_fault_hits(s, MEM_FAULT_WRITE_LOST);
    bool unknown = mem_fault_hits(s, MEM_FAULT_WRITE_UNKNOWN);

    s->stats.writes++;
    s->stats.commits += req->op == STORE_COMMIT;
    if (lost)
        return mem_fail(s, req, MEM_FAULT_WRITE_LOST);
    int status = mem_write_run(&s->data, req);
    return unknown ? mem_fail(s, req, MEM_FAULT_WRITE_UNKNOWN) : status;
}

static int mem_read(struct mem_store *s, struct store_req *req)
{
    s->stats.reads++;
    if (mem_fault_hits(s, MEM_FAULT_READ))
        return mem_fail(s, req, MEM_FAULT_READ);
    return mem_read_run(&s->data, req);
}

static struct store_req *mem_pop(struct mem_store *s)
{
    struct list *link = list_pop(&s->waiting);

    if (link)
        s->waiting_count--;
    return link ? container_of(link, struct store_req, link) : NULL;
}

static void mem_end(struct mem_store *s)
{
    void (*closed)(void *data) = s->closed;
    void *data = s->closed_data;

    mem_data_deinit(&s->data);
    free(s);
    if (closed)
        closed(data);
}

static void mem_idle_closed(uv_handle_t *handle)
{
    mem_end(handle->data);
}

size_t mem_store_turn(struct store *base, size_t max)
{
    struct mem_store *s = mem_of(base);
    size_t count = s->waiting_count < max ? s->waiting_count : max;
    struct store_req *req;

    for (size_t i = 0; i < count && (req = mem_pop(s)) != NULL; i++) {
        if (store_op_is_write(req))
            req->status = mem_write(s, req);
        else if (s->closing)
            req->status = err_set(&req->error, ERR_CANCELLED, "the store is closing");
        else
            req->status = mem_read(s, req);
        req->done(req);
    }
    if (s->closing && list_empty(&s->waiting)) {
        if (!s->has_loop)
            mem_end(s);
        else if (!uv_is_closing((uv_handle_t *)&s->idle))
            uv_close((uv_handle_t *)&s->idle, mem_idle_closed);
    }
    return count;
}

static void mem_idle_turn(uv_idle_t *idle)
{
    struct mem_store *s = idle->data;

    if ((s->held && !s->closing) || (list_empty(&s->waiting) && !s->closing))
        uv_idle_stop(idle);
    else
        mem_store_turn(&s->base, SIZE_MAX);
}

static void mem_wake(struct mem_store *s)
{
    if (s->has_loop)
        uv_idle_start(&s->idle, mem_idle_turn);
}

size_t mem_store_waiting(const struct store *base)
{
    return mem_of(base)->waiting_count;
}

void mem_store_hold(struct store *base, bool held)
{
    mem_of(base)->held = held;
    mem_wake(mem_of(base));
}

void mem_store_fail(struct store *base, enum mem_fault fault, unsigned nth, unsigned times,
                    int code)
{
    struct mem_store *s = mem_of(base);

    s->faults[fault].nth = nth;
    s->faults[fault].times = times;
    s->faults[fault].code = code;
}

void mem_store_crash(struct store *base, size_t reached)
{
    struct mem_store *s = mem_of(base);
    struct store_req *req;

    for (; (req = mem_pop(s)) != NULL; reached -= reached > 0)
        if (reached > 0 && store_op_is_write(req))
            mem_write_run(&s->data, req);
}

void mem_store_set_time(struct store *base, int64_t now)
{
    mem_of(base)->data.time = now;
}

void mem_store_corrupt_state(struct store *base, struct id session)
{
    struct mem_session *s = mem_session_get(&mem_of(base)->data, STR_NULL, session);

    assert(s);
    s->core->core.state_json = STR("{\"torn\":");
}

static void mem_submit(struct store *base, struct store_req *req)
{
    struct mem_store *s = mem_of(base);

    assert(!list_is_linked(&req->link));
    req->status = 0;
    list_append(&s->waiting, &req->link);
    s->waiting_count++;
    mem_wake(s);
}

static void mem_stats(struct store *base, struct store_stats *out)
{
    *out = mem_of(base)->stats;
}

static void mem_close(struct store *base, void (*closed)(void *data), void *data)
{
    struct mem_store *s = mem_of(base);

    assert(!s->closing);
    s->closing = true;
    s->closed = closed;
    s->closed_data = data;
    mem_wake(s);
}

static const struct store_vtable mem_vtable = {
    .name = "memory",
    .submit = mem_submit,
    .stats = mem_stats,
    .close = mem_close,
};

int mem_store_open(struct store **out, struct uv_loop_s *loop)
{
    struct mem_store *s = mem_zalloc(sizeof(*s));

    s->base.v = &mem_vtable;
    list_init(&s->waiting);
    table_init(&s->data.sessions_by_id);
    s->has_loop = loop != NULL;
    if (loop) {
        uv_idle_init(loop, &s->idle);
        s->idle.data = s;
    }
    *out = &s->base;
    return 0;
}
