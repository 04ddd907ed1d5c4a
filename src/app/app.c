#include "app/app.h"

#include <stdlib.h>

#include "engine/expr.h"

static void app_timer_fired(struct timers *t, struct id session_id, struct id timer_id)
{
    struct app *a = t->data;
    struct live *l = live_find(a, session_id);
    struct engine_input in = {.kind = IN_TIMER, .timer_id = timer_id};
    struct errbuf e;
    if (l && !a->stopping && live_step(l, &in, &e))
        log_error("timers", "a timer was refused: %s", e.text);
}

void app_init(struct app *a)
{
    uv_loop_init(&a->loop);
    id_source_init_random(&a->ids);
    table_init(&a->live);
    table_init(&a->parked);
    list_init(&a->loads);
    list_init(&a->keys_in_flight);
    plans_init(&a->plans);
    app_service_init(a);
    app_log_reader_init(a);
    a->vm = expr_vm_create();
    a->log = log_hub_create(&a->reader);
    journal_open(&a->journal, a);
    timers_open(&a->timers, &a->loop, app_timer_fired, a);
    recovery_open(&a->recovery, a);
    remote_open(&a->remote, a);
    retention_open(&a->retention, a);
    schedules_open(&a->schedules, a);
    audit_open(&a->audit, a);
    tasks_init(&a->tasks, a);
    instances_open(&a->instances, a);
    keys_open(&a->keys, a);
    inbox_open(&a->inbox, a);
    children_open(&a->children, a);
    handover_open(&a->handover, a);
    generate_open(&a->generate, a);
    memory_open(&a->memory, a);
    webhooks_open(&a->webhooks, &a->loop);
    list_init(&a->webhook_jobs);
    uv_timer_init(&a->loop, &a->evict_timer);
    uv_timer_init(&a->loop, &a->park_timer);
}

void app_drop_sessions(struct app *a)
{
    size_t n;
    struct live **all = live_all(a, &n);
    for (size_t i = 0; i < n; i++)
        live_destroy(all[i]);
    free(all);
}

void app_close_handles(struct app *a)
{
    journal_close(&a->journal);
    timers_close(&a->timers);
    recovery_close(&a->recovery);
    remote_close(&a->remote);
    retention_close(&a->retention);
    schedules_close(&a->schedules);
    audit_close(&a->audit);
    tasks_close(&a->tasks);
    instances_close(&a->instances);
    keys_close(&a->keys);
    inbox_close(&a->inbox);
    children_close(&a->children);
    handover_close(&a->handover);
    memory_close(&a->memory);
    webhooks_close(&a->webhooks);
    uv_close((uv_handle_t *)&a->evict_timer, NULL);
    uv_close((uv_handle_t *)&a->park_timer, NULL);
}

void app_deinit(struct app *a)
{
    instances_deinit(&a->instances);
    webhooks_deinit(&a->webhooks);
    keys_deinit(&a->keys);
    workspaces_deinit(&a->workspaces);
    inbox_deinit(&a->inbox);
    handover_deinit(&a->handover);
    plans_deinit(&a->plans);
    log_hub_destroy(a->log);
    table_deinit(&a->live);
    table_deinit(&a->parked);
    expr_vm_destroy(a->vm);
    if (uv_loop_close(&a->loop) != 0)
        log_error("app", "the loop did not close clean");
}
