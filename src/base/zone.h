/* Time zones of the system's database (tzdata), by name. */
#ifndef SLUICE_BASE_ZONE_H
#define SLUICE_BASE_ZONE_H

#include "base/buf.h"
#include "base/cron.h"
#include "base/err.h"

#define ZONE_NAME_MAX 64

struct zone;

/* "Europe/Berlin", "UTC". ERR_INVALID: there is no such zone. Close it. */
int zone_open(struct zone **out, struct str name, struct errbuf *e);
void zone_close(struct zone *z); /* takes NULL */
/* A cron_zone: `zone` is a struct zone. */
void zone_span(void *zone, int64_t at, struct cron_span *out);

#endif
