#include "store/migrate.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int migrate_count(const struct migration *list)
{
    int n = 0;

    while (list[n].number != 0)
        n++;
    return n;
}

void migrate_checksum(const char *text, char out[MIGRATE_CHECKSUM_BYTES + 1])
{
    uint64_t h = 14695981039346656037u;

    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * 1099511628211u;
    snprintf(out, MIGRATE_CHECKSUM_BYTES + 1, "%016" PRIx64, h);
}

struct migrate_look {
    const struct migration *list;
    int newest, applied;
};

static int migrate_see(void *data, int number, const char *stored, struct errbuf *e)
{
    struct migrate_look *look = data;
    char checksum[MIGRATE_CHECKSUM_BYTES + 1];

    if (number > look->newest)
        return err_set(e, ERR_CORRUPT,
                       "the data was written by a newer sluice (schema %d, this program knows "
                       "%d): use that one",
                       number, look->newest);
    if (number != look->applied + 1)
        return err_set(e, ERR_CORRUPT, "schema_migrations has no row %d", look->applied + 1);
    migrate_checksum(look->list[number - 1].up, checksum);
    if (!stored || strcmp(stored, checksum) != 0)
        return err_set(e, ERR_CORRUPT,
                       "migration %d (%s) is not the one that was applied: its checksum is %s, "
                       "not %s",
                       number, look->list[number - 1].name, checksum, stored ? stored : "NULL");
    look->applied = number;
    return 0;
}

int migrate_applied(const struct migrate_ops *ops, void *db, const struct migration *list,
                    int *applied, struct errbuf *e)
{
    struct migrate_look look = {list, migrate_count(list), 0};
    struct errbuf ours;
    int status = ops->read(db, migrate_see, &look, e ? e : &ours);

    *applied = look.applied;
    return status;
}

static int migrate_step(const struct migrate_ops *ops, void *db, const struct migration *m, bool up,
                        void (*say)(const char *line), struct errbuf *e)
{
    char checksum[MIGRATE_CHECKSUM_BYTES + 1], line[160];
    struct errbuf reason = {""};

    migrate_checksum(m->up, checksum);
    int status = ops->step(db, m, up, checksum, &reason);
    if (status < 0)
        return err_set(e, status, "migration %d (%s) %s: %s", m->number, m->name,
                       up ? "up" : "down", reason.text);
    if (say) {
        snprintf(line, sizeof(line), "migration %d (%s): %s", m->number, m->name,
                 up ? "applied" : "taken back");
        say(line);
    }
    return 0;
}

int migrate_run(const struct migrate_ops *ops, void *db, const struct migration *list, int target,
                void (*say)(const char *line), struct migrate_status *out, struct errbuf *e)
{
    int applied = 0, newest = migrate_count(list);
    struct errbuf ours;

    e = e ? e : &ours;
    int status = ops->prepare(db, e);
    if (status == 0)
        status = migrate_applied(ops, db, list, &applied, e);
    if (status < 0)
        return status;
    if (target == MIGRATE_CHECK && applied < newest)
        return err_set(e, ERR_CORRUPT,
                       "the schema is at %d, this program needs %d: migrate it first", applied,
                       newest);
    if (target < 0)
        target = newest;
    if (target > newest)
        return err_set(e, ERR_INVALID, "there is no migration %d: the newest is %d", target,
                       newest);
    while (status == 0 && applied != target) {
        bool up = applied < target;
        status = migrate_step(ops, db, &list[up ? applied : applied - 1], up, say, e);
        if (status == 0)
            applied += up ? 1 : -1;
    }
    if (status == 0 && out)
        *out = (struct migrate_status){applied, newest};
    return status;
}
