#include "net/wire.h"

/* Questions to people. What was asked stands in the row as the engine wrote it; its members are
 * passed on, those that are columns come from the row. */

static void people_id(struct jw *w, const char *key, struct id id)
{
    char text[ID_TEXT_BYTES + 1];
    id_format(id, text);
    jw_kv_string(w, key, (struct str){text, ID_TEXT_BYTES});
}

static void people_text(struct jw *w, const char *key, struct str s)
{
    jw_key(w, key);
    if (s.p)
        jw_string(w, s);
    else
        jw_null(w);
}

static bool is_column(const struct json_iter *it)
{
    static const char *const names[] = {"interrupt_id", "kind", "expires_at", "answer", "reminded"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (json_iter_key_is(it, names[i]))
            return true;
    return false;
}

static void people_asked(struct jw *w, struct json asked)
{
    struct json_iter it;
    json_iter_init(&it, asked);
    while (json_iter_next(&it)) {
        if (is_column(&it))
            continue;
        jw_key_str(w, it.key); /* words of our own, without escapes */
        jw_raw(w, json_raw(it.value));
    }
}

void wire_interrupt(struct jw *w, const struct interrupt_row *row, struct str session_name,
                    struct str workflow_id)
{
    jw_object(w);
    people_id(w, "interrupt_id", row->interrupt_id);
    people_id(w, "session_id", row->session_id);
    people_text(w, "session_name", session_name);
    people_text(w, "workflow_id", workflow_id);
    people_text(w, "node_id", row->node_id);
    people_text(w, "kind", row->kind);
    people_text(w, "status", row->status);
    people_asked(w, json_root(row->request_json));
    jw_kv_raw(w, "answer", row->answer_json);
    jw_kv_time(w, "expires_at", row->expires_at);
    jw_kv_time(w, "created_at", row->created_at);
    jw_kv_time(w, "updated_at", row->updated_at);
    jw_end(w);
}

static int64_t items_done(struct json items)
{
    struct json_iter it;
    int64_t done = 0;
    json_iter_init(&it, items);
    while (json_iter_next(&it)) {
        bool is = false;
        done += json_bool(json_get(it.value, "done"), &is) && is;
    }
    return done;
}

static const char *stage_status(const struct interrupt_row *row, struct json answer)
{
    if (str_eqz(row->status, "answered"))
        return json_string_eq(json_get(answer, "action"), "skip") ? "skipped" : "completed";
    if (str_eqz(row->status, "expired"))
        return "expired";
    return str_eqz(row->status, "cancelled") ? "cancelled" : "active";
}

void wire_stage(struct jw *w, const struct interrupt_row *row)
{
    static const char *const passed[] = {"estimated_minutes", "weight", "depends_on", "order",
                                         "allow_skip"};
    struct json asked = json_root(row->request_json), items = json_get(asked, "items");
    struct json answer = json_root(row->answer_json);
    jw_object(w);
    people_id(w, "instance_id", row->interrupt_id);
    people_id(w, "session_id", row->session_id);
    people_text(w, "node_id", row->node_id);
    jw_kv_raw(w, "name", json_raw(json_get(asked, "name")));
    jw_kv_raw(w, "description", json_raw(json_get(asked, "reason")));
    jw_kv_stringz(w, "status", stage_status(row, answer));
    jw_kv_raw(w, "items", json_raw(items));
    jw_kv_i64(w, "done", items_done(items));
    jw_kv_u64(w, "total", json_length(items));
    jw_kv_raw(w, "deliverables", json_raw(json_get(asked, "deliverables")));
    jw_kv_raw(w, "context", json_raw(json_get(asked, "context")));
    for (size_t i = 0; i < sizeof(passed) / sizeof(passed[0]); i++)
        if (json_exists(json_get(asked, passed[i])))
            jw_kv_raw(w, passed[i], json_raw(json_get(asked, passed[i])));
    jw_kv_raw(w, "started_at", json_raw(json_get(asked, "started_at")));
    jw_kv_raw(w, "started_by", json_raw(json_get(asked, "started_by")));
    if (json_string_eq(json_get(answer, "action"), "skip"))
        jw_kv_raw(w, "skip_reason", json_raw(json_get(json_get(answer, "data"), "reason")));
    jw_kv_raw(w, "completed_by", json_raw(json_get(answer, "reviewer")));
    jw_kv_raw(w, "completed_at",
              str_eqz(row->status, "answered") ? json_raw(json_get(answer, "at")) : STR_NULL);
    jw_kv_time(w, "expires_at", row->expires_at);
    jw_kv_time(w, "created_at", row->created_at);
    jw_kv_time(w, "updated_at", row->updated_at);
    jw_end(w);
}
