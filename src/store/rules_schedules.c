/* Schedules and entries of the audit log: what every store does the same way. */
#include <string.h>

#include "store/rules.h"

#define NO_SCHEDULE "there is no such schedule"

int rules_schedule_put_check(const struct store_schedule_put *p, const struct schedule_row *now,
                             struct errbuf *e)
{
    if (now && !str_eq(now->workspace, rules_workspace(p->row.workspace)))
        return p->create_only ? err_set(e, ERR_CONFLICT, "this id is taken")
                              : err_set(e, ERR_NOT_FOUND, NO_SCHEDULE);
    if (now && p->create_only)
        return err_set(e, ERR_CONFLICT, "there is a schedule with this id already");
    if (!now && (p->must_exist || p->expected_version > 0))
        return err_set(e, ERR_NOT_FOUND, NO_SCHEDULE);
    if (p->expected_version > 0 && now->version != p->expected_version)
        return err_set(e, ERR_STALE, "the schedule is at version %lld, not %lld",
                       (long long)now->version, (long long)p->expected_version);
    return 0;
}

struct schedule_row rules_schedule_copy(struct arena *a, const struct schedule_row *row)
{
    struct schedule_row copy = *row;

    copy.next = NULL;
    copy.workspace = rules_copy(a, rules_workspace(row->workspace));
    copy.name = rules_copy(a, row->name);
    copy.workflow_id = rules_copy(a, row->workflow_id);
    copy.cron = rules_copy(a, row->cron);
    copy.time_zone = rules_copy(a, row->time_zone);
    copy.missed = rules_copy(a, row->missed);
    copy.overlap = rules_copy(a, row->overlap);
    copy.input_json = rules_copy(a, row->input_json);
    copy.last_error = rules_copy(a, row->last_error);
    return copy;
}

void rules_schedule_put_row(struct store_schedule_put *p, const struct schedule_row *now)
{
    struct arena *a = &p->req.arena;
    struct schedule_row row = rules_schedule_copy(a, &p->row);

    row.version = now ? now->version + 1 : 1;
    row.created_at = now ? now->created_at : p->now_ms;
    row.updated_at = p->now_ms;
    row.last_at = now ? now->last_at : 0;
    row.last_session = now ? now->last_session : (struct id){{0}};
    row.last_error = now ? rules_copy(a, now->last_error) : STR_NULL;
    row.last_error_at = now ? now->last_error_at : 0;
    p->row = row;
}

struct audit_row rules_audit_copy(struct arena *a, const struct audit_row *row)
{
    struct audit_row copy = *row;

    copy.next = NULL;
    copy.workspace = rules_copy(a, rules_workspace(row->workspace));
    copy.actor = rules_copy(a, row->actor);
    copy.role = rules_copy(a, row->role);
    copy.action = rules_copy(a, row->action);
    copy.object = rules_copy(a, row->object);
    copy.remote = rules_copy(a, row->remote);
    copy.code = rules_copy(a, row->code);
    return copy;
}

bool rules_audit_matches(const struct store_audit_list *l, const struct audit_row *row)
{
    return (!l->actor.p || str_eq(l->actor, row->actor)) &&
           (!l->action.p || str_eq(l->action, row->action)) &&
           (!l->object.p || (row->object.p && str_eq(l->object, row->object))) &&
           (id_is_zero(l->session_id) || id_eq(l->session_id, row->session_id)) &&
           (l->after == 0 || row->created_at > l->after) &&
           (l->before == 0 || row->created_at < l->before);
}

int rules_id_cursor_read(struct str text, enum cursor_kind kind, struct id *id, struct errbuf *e)
{
    struct cursor c;

    memset(id, 0, sizeof(*id));
    if (text.n == 0)
        return 0;
    if (cursor_decode(text, kind, &c, e) < 0 || c.key_bytes != sizeof(id->b))
        return err_set(e, ERR_INVALID, "cursor is not one that this list gave");
    memcpy(id->b, c.key, sizeof(id->b));
    return 0;
}

struct str rules_id_cursor(struct arena *a, enum cursor_kind kind, const struct id *last)
{
    return cursor_encode(a, kind, 0, 0, (struct str){(const char *)last->b, sizeof(last->b)});
}
