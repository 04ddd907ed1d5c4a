/* Which time of a schedule is dealt with: pure but for the zones' files. */
#include <string.h>

#include "app/schedules.h"
#include "base/zone.h"

#define MINUTE_MS  60000
#define MISSED_TOP 1000 /* further ones are not counted */

/* A cron in its zone. */
struct times {
    struct cron cron;
    struct zone *zone;
};

static int times_open(struct times *t, struct str cron, struct str zone, struct errbuf *e)
{
    struct errbuf why = {""};

    if (cron_parse(cron, &t->cron, &why))
        return err_set(e, ERR_INVALID, "cron: %s", why.text);
    if (zone_open(&t->zone, zone, &why))
        return err_set(e, ERR_INVALID, "time_zone: %s", why.text);
    return 0;
}

static int64_t times_next(struct times *t, int64_t after)
{
    return cron_next(&t->cron, zone_span, t->zone, after);
}

/* How many times lie in (after, until], counted to max. */
static int64_t times_count(struct times *t, int64_t after, int64_t until, int64_t max)
{
    int64_t n = 0;

    for (int64_t at = times_next(t, after); at && at <= until && n < max; n++)
        at = times_next(t, at);
    return n;
}

/* Where the newest SCHEDULE_MISSED_MAX times up to `now` begin: `first`, or later. */
static int64_t times_newest(struct times *t, int64_t first, int64_t now)
{
    int64_t window = SCHEDULE_MISSED_MAX * (int64_t)MINUTE_MS, after = now - window;

    if (first > after)
        return first; /* there are no more of them: one a minute */
    while (after > first && times_count(t, after, now, SCHEDULE_MISSED_MAX) < SCHEDULE_MISSED_MAX) {
        window *= 2;
        after = now - window;
    }
    if (after < first)
        after = first - 1;
    int64_t ring[SCHEDULE_MISSED_MAX] = {0}, n = 0;
    for (int64_t at = times_next(t, after); at && at <= now; at = times_next(t, at))
        ring[n++ % SCHEDULE_MISSED_MAX] = at;
    return n >= SCHEDULE_MISSED_MAX ? ring[n % SCHEDULE_MISSED_MAX] : first;
}

int schedule_plan(const struct schedule_row *row, int64_t now, struct schedule_plan *out,
                  struct errbuf *e)
{
    struct times t = {.zone = NULL};
    int rc = times_open(&t, row->cron, row->time_zone, e);

    if (rc)
        return rc;
    *out = (struct schedule_plan){.at = row->next_at, .starts = true};
    if (now - row->next_at <= SCHEDULE_GRACE_MS) {
        out->next_at = times_next(&t, out->at);
    } else if (str_eqz(row->missed, "once")) {
        out->next_at = times_next(&t, now);
    } else if (str_eqz(row->missed, "all")) {
        out->at = times_newest(&t, row->next_at, now);
        out->next_at = times_next(&t, out->at);
    } else {
        int64_t at = times_next(&t, now - SCHEDULE_GRACE_MS - 1);
        out->starts = at && at <= now;
        out->at = out->starts ? at : row->next_at;
        out->next_at = out->starts ? times_next(&t, at) : at;
        out->missed = 1 + times_count(&t, row->next_at, now - SCHEDULE_GRACE_MS - 1, MISSED_TOP);
    }
    zone_close(t.zone);
    return 0;
}

int schedule_next(struct str cron, struct str time_zone, int64_t after, int64_t *next_at,
                  struct errbuf *e)
{
    struct times t = {.zone = NULL};
    int rc = times_open(&t, cron, time_zone, e);

    if (rc)
        return rc;
    *next_at = times_next(&t, after);
    zone_close(t.zone);
    return 0;
}

/* A mix of the schedule's bytes and the time: not secret, well spread. */
static uint64_t id_mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * UINT64_C(0x9e3779b97f4a7c15);
    h ^= h >> 29;
    h *= UINT64_C(0xbf58476d1ce4e5b9);
    return h ^ h >> 32;
}

struct id schedule_session_id(struct id schedule, int64_t at)
{
    uint64_t parts[2], a = UINT64_C(0x736c75696365), b = UINT64_C(0x7363686564);
    struct id id;

    memcpy(parts, schedule.b, sizeof(parts));
    for (int i = 0; i < 2; i++) {
        a = id_mix(a, parts[i]);
        b = id_mix(b, ~parts[i]);
    }
    a = id_mix(a, (uint64_t)at);
    b = id_mix(b, (uint64_t)at ^ a);
    memcpy(id.b, &a, 8);
    memcpy(id.b + 8, &b, 8);
    for (int i = 0; i < 6; i++) /* UUIDv7: it begins with the time */
        id.b[i] = (uint8_t)((uint64_t)at >> (40 - 8 * i));
    id.b[6] = 0x70 | (id.b[6] & 0x0f);
    id.b[8] = 0x80 | (id.b[8] & 0x3f);
    return id;
}
