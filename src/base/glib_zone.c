/* Zones by GLib, which reads the system's files. It knows the stretches between two changes by
 * numbers that ascend in time, and does not say where they begin: that is found by halving. */
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/zone.h"

#define ZONE_FOLDER "/usr/share/zoneinfo"
#define ZONE_STEP   (400 * (int64_t)86400) /* how far is looked for the next change at a time */
#define ZONE_LOOKS  30                     /* steps: further away is never */

struct zone {
    GTimeZone *tz;
    struct cron_span last; /* asked for last: times are asked for in their order */
};

/* GLib takes other things for zones, too: rules, paths, "local". Only names of files that are zones
 * count here. */
static bool zone_is_file(const char *name)
{
    char path[sizeof(ZONE_FOLDER) + ZONE_NAME_MAX + 2], magic[4] = "";
    const char *folder = getenv("TZDIR");

    if (snprintf(path, sizeof(path), "%s/%s", folder ? folder : ZONE_FOLDER, name) >=
        (int)sizeof(path))
        return false;
    FILE *f = fopen(path, "rbe");
    if (!f)
        return false;
    bool is = fread(magic, 1, sizeof(magic), f) == sizeof(magic) && !memcmp(magic, "TZif", 4);
    fclose(f);
    return is;
}

static bool zone_name_ok(struct str name)
{
    if (name.n == 0 || name.n > ZONE_NAME_MAX)
        return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!letter && (i == 0 || !(strchr("+-_/", c) || (c >= '0' && c <= '9')) || c == 0))
            return false;
    }
    return true;
}

int zone_open(struct zone **out, struct str name, struct errbuf *e)
{
    char text[ZONE_NAME_MAX + 1];
    GTimeZone *tz = NULL;

    if (zone_name_ok(name)) {
        memcpy(text, name.p, name.n);
        text[name.n] = 0;
        if (strcmp(text, "UTC") == 0)
            tz = g_time_zone_new_utc();
        else if (zone_is_file(text))
            tz = g_time_zone_new_identifier(text);
    }
    if (!tz)
        return err_set(e, ERR_INVALID,
                       "there is no time zone \"%.*s\"; names are as Europe/Berlin or UTC",
                       (int)(name.n < 100 ? name.n : 100), name.p);
    *out = mem_zalloc(sizeof(**out));
    (*out)->tz = tz;
    (*out)->last.from = INT64_MAX;
    return 0;
}

void zone_close(struct zone *z)
{
    if (!z)
        return;
    g_time_zone_unref(z->tz);
    free(z);
}

static int zone_interval(const struct zone *z, int64_t at)
{
    return g_time_zone_find_interval(z->tz, G_TIME_TYPE_UNIVERSAL, at);
}

/* The first second that is not before the change between `in` and `beyond`, which lie on its two
 * sides. */
static int64_t zone_change(const struct zone *z, int64_t in, int64_t beyond)
{
    int stretch = zone_interval(z, in);
    bool up = beyond > in;

    while (up ? beyond - in > 1 : in - beyond > 1) {
        int64_t middle = in + (beyond - in) / 2;
        if (zone_interval(z, middle) == stretch)
            in = middle;
        else
            beyond = middle;
    }
    return up ? beyond : in;
}

void zone_span(void *zone, int64_t at, struct cron_span *out)
{
    struct zone *z = zone;

    if (at >= z->last.from && at < z->last.until) {
        *out = z->last;
        return;
    }
    int stretch = zone_interval(z, at);
    *out = (struct cron_span){INT64_MIN, INT64_MAX, g_time_zone_get_offset(z->tz, stretch)};
    for (int i = 1; i <= ZONE_LOOKS && out->until == INT64_MAX; i++)
        if (zone_interval(z, at + i * ZONE_STEP) != stretch)
            out->until = zone_change(z, at, at + i * ZONE_STEP);
    for (int i = 1; i <= ZONE_LOOKS && out->from == INT64_MIN; i++)
        if (zone_interval(z, at - i * ZONE_STEP) != stretch)
            out->from = zone_change(z, at, at - i * ZONE_STEP);
    z->last = *out;
}
