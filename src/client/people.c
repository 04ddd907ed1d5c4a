/* What people and other programs do with sessions: reviews, stage instances, the session store, the
 * status system. */
#include <stdlib.h>
#include <string.h>

#include "client/client_private.h"

/* ---- reviews ---- */

struct sluice_request *sluice_review_list(void)
{
    return request_make("GET", "/reviews", NULL, NULL);
}

struct sluice_request *sluice_review_get(const char *interrupt_id)
{
    return request_make("GET", "/reviews/%", interrupt_id, NULL);
}

struct sluice_request *sluice_review_answer(const char *session_id, const char *node_id,
                                            const char *action)
{
    struct sluice_request *r =
        request_make("POST", "/sessions/%/nodes/%/resume", session_id, node_id);

    sluice_set_string(r, "action", action);
    return r;
}

/* ---- stage instances ---- */

struct sluice_request *sluice_stage_create(const char *session_id, const char *stage_id)
{
    struct sluice_request *r = request_make("POST", "/sessions/%/stages", session_id, NULL);

    sluice_set_string(r, "stage_id", stage_id);
    return r;
}

struct sluice_request *sluice_stage_get(const char *instance_id)
{
    return request_make("GET", "/stages/%", instance_id, NULL);
}

struct sluice_request *sluice_stage_list(const char *session_id)
{
    return request_make("GET", "/sessions/%/stages", session_id, NULL);
}

struct sluice_request *sluice_stage_update(const char *instance_id, const char *change)
{
    struct sluice_request *r = request_make("PATCH", "/stages/%", instance_id, NULL);

    request_object(r, "change", change);
    return r;
}

struct sluice_request *sluice_stage_item(const char *instance_id, const char *item, int done)
{
    struct sluice_request *r = sluice_stage_update(instance_id, NULL);
    struct buf items;

    if (!item)
        request_fail(r, "an item is missing");
    buf_init(&items, SLUICE_REQUEST_BYTES_MAX);
    buf_append_z(&items, "[{\"name\":");
    json_write_string(&items, str_of(item ? item : ""));
    buf_append_z(&items, done ? ",\"done\":true}]" : ",\"done\":false}]");
    if (buf_error(&items)) {
        buf_deinit(&items);
        sluice_request_free(r);
        return NULL;
    }
    sluice_set_json(r, "items", items.data);
    buf_deinit(&items);
    return r;
}

struct sluice_request *sluice_stage_complete(const char *instance_id, const char *deliverables)
{
    struct sluice_request *r = request_make("POST", "/stages/%/complete", instance_id, NULL);

    if (deliverables)
        sluice_set_json(r, "deliverables", deliverables);
    return r;
}

struct sluice_request *sluice_stage_skip(const char *instance_id, const char *reason)
{
    struct sluice_request *r = request_make("POST", "/stages/%/skip", instance_id, NULL);

    if (reason)
        sluice_set_string(r, "reason", reason);
    return r;
}

/* ---- the session store ---- */

struct sluice_request *sluice_session_save(const char *id, const char *session)
{
    struct sluice_request *r = request_make("PUT", "/sessions/%", id, NULL);

    if (session)
        request_object(r, "session", session);
    else
        request_object(r, "session", "{}");
    return r;
}

struct sluice_request *sluice_session_save_batch(const char *sessions)
{
    struct sluice_request *r = request_make("POST", "/sessions/batch", NULL, NULL);

    sluice_set_json(r, "save", sessions);
    return r;
}

struct sluice_request *sluice_session_delete_batch(const char *const *ids, size_t count)
{
    struct sluice_request *r = request_make("POST", "/sessions/batch", NULL, NULL);
    struct buf list;

    buf_init(&list, SLUICE_REQUEST_BYTES_MAX);
    for (size_t i = 0; i < count; i++) {
        if (!ids[i])
            request_fail(r, "an id is missing");
        buf_append_char(&list, i ? ',' : '[');
        json_write_string(&list, str_of(ids[i] ? ids[i] : ""));
    }
    buf_append_z(&list, count ? "]" : "[]");
    if (buf_error(&list)) {
        buf_deinit(&list);
        sluice_request_free(r);
        return NULL;
    }
    sluice_set_json(r, "delete", list.data);
    buf_deinit(&list);
    return r;
}

/* ---- the status system ---- */

#define STATUS_PATH "/status/flow-%"

struct sluice_request *sluice_status_list(void)
{
    return request_make("GET", "/status?type=FLOW", NULL, NULL);
}

struct sluice_request *sluice_status_get(const char *session_id)
{
    return request_make("GET", STATUS_PATH, session_id, NULL);
}

struct sluice_request *sluice_status_set(const char *session_id, const char *status)
{
    struct sluice_request *r = request_make("PUT", STATUS_PATH, session_id, NULL);

    sluice_set_string(r, "status", status);
    return r;
}

struct sluice_request *sluice_webhook_create(const char *url)
{
    struct sluice_request *r = request_make("POST", "/webhooks", NULL, NULL);

    sluice_set_string(r, "url", url);
    return r;
}

struct sluice_request *sluice_webhook_list(void)
{
    return request_make("GET", "/webhooks", NULL, NULL);
}

struct sluice_request *sluice_webhook_delete(const char *id)
{
    return request_make("DELETE", "/webhooks/%", id, NULL);
}
