#include "net/wire_status.h"

#include <strings.h>

#include "net/wire.h"

static const char *const words[] = {
    [SESSION_PENDING] = "PENDING", [SESSION_RUNNING] = "IN_PROGRESS",
    [SESSION_PAUSED] = "ON_HOLD",  [SESSION_COMPLETED] = "COMPLETED",
    [SESSION_FAILED] = "FAILED",   [SESSION_CANCELLED] = "CANCELED",
};
#define WORDS (sizeof(words) / sizeof(words[0]))

static bool word_is(struct str s, const char *word)
{
    return s.n == __builtin_strlen(word) && strncasecmp(s.p, word, s.n) == 0;
}

bool wire_status_parse(struct str word, enum session_status *out)
{
    for (size_t i = 0; i < WORDS; i++)
        if (word_is(word, words[i])) {
            *out = (enum session_status)i;
            return true;
        }
    *out = SESSION_CANCELLED;
    return word_is(word, "CANCELLED");
}

bool wire_status_of(struct str session_status, enum session_status *out)
{
    return session_status_parse(session_status, out) || wire_status_parse(session_status, out);
}

const char *wire_status_word(enum session_status s)
{
    return words[s];
}

bool wire_status_id(struct str entry_id, struct id *out)
{
    size_t n = sizeof(STATUS_ID_PREFIX) - 1;
    return entry_id.n == n + ID_TEXT_BYTES &&
           __builtin_memcmp(entry_id.p, STATUS_ID_PREFIX, n) == 0 &&
           id_parse((struct str){entry_id.p + n, ID_TEXT_BYTES}, out);
}

/* ---- progress ---- */

static double stage_share(const struct interrupt_row *stage)
{
    struct json items = json_get(json_root(stage->request_json), "items");
    struct json_iter it;
    size_t total = json_length(items), done = 0;
    json_iter_init(&it, items);
    while (json_iter_next(&it)) {
        bool is = false;
        done += json_bool(json_get(it.value, "done"), &is) && is;
    }
    return total ? (double)done / (double)total : 0;
}

static bool node_is_done(struct json status)
{
    return json_string_eq(status, "completed") || json_string_eq(status, "skipped") ||
           json_string_eq(status, "failed");
}

/* What another program keeps here says how far it is, if it likes. */
static int stored_percent(const struct session_row *row)
{
    double given = 0;
    if (row->meta.workflow_state_json.p)
        json_double(json_get(json_root(row->meta.workflow_state_json), "progress"), &given);
    return given < 0 ? 0 : given > 100 ? 100 : (int)given;
}

int wire_status_percent(const struct session_row *row, const struct interrupt_row *stages)
{
    enum session_status status;
    double done = 0;
    size_t total = 0;
    if (wire_status_of(row->core.status, &status) && status == SESSION_COMPLETED)
        return 100;
    if (row->meta.stored_only)
        return stored_percent(row);
    if (row->core.node_statuses_json.p) {
        struct json_iter it;
        json_iter_init(&it, json_root(row->core.node_statuses_json));
        while (json_iter_next(&it)) {
            total++;
            done += node_is_done(it.value);
        }
    }
    for (; stages; stages = stages->next)
        done += stage_share(stages);
    int percent = total ? (int)(100 * done / (double)total) : 0;
    return percent > 99 ? 99 : percent;
}

/* ---- the entry ---- */

static void entry_stage(struct jw *w, const struct interrupt_row *stages)
{
    jw_key(w, "current_stage");
    if (!stages) {
        jw_null(w);
        return;
    }
    jw_object(w);
    jw_kv_string(w, "node_id", stages->node_id);
    jw_kv_raw(w, "name", json_raw(json_get(json_root(stages->request_json), "name")));
    jw_end(w);
}

void wire_status_entry(struct jw *w, const struct session_row *row,
                       const struct interrupt_row *stages)
{
    char id[sizeof(STATUS_ID_PREFIX) + ID_TEXT_BYTES] = STATUS_ID_PREFIX;
    char *session_id = id + sizeof(STATUS_ID_PREFIX) - 1;
    enum session_status status;
    id_format(row->id, session_id);
    jw_object(w);
    jw_kv_stringz(w, "id", id);
    jw_kv_stringz(w, "type", STATUS_TYPE);
    jw_kv_stringz(w, "status",
                  wire_status_of(row->core.status, &status) ? words[status] : "UNKNOWN");
    jw_kv_i64(w, "progress", wire_status_percent(row, stages));
    entry_stage(w, stages);
    jw_kv_string(w, "name", row->meta.name.p ? row->meta.name : STR(""));
    jw_kv_stringz(w, "session_id", session_id);
    jw_kv_string(w, "session_status", row->core.status);
    jw_key(w, "reason");
    if (row->core.reason.p)
        jw_string(w, row->core.reason);
    else
        jw_null(w);
    jw_kv_time(w, "created_at", row->created_at);
    jw_kv_time(w, "updated_at", row->core.updated_at ? row->core.updated_at : row->created_at);
    jw_kv_i64(w, "version", row->version);
    jw_end(w);
}
