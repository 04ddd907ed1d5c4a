/* Tidying up, one bounded step at a time. */
#include "store/pg_store.h"

int pg_retention_start(struct pg_job *j)
{
    return pg_refuse(j, ERR_INTERNAL, "not yet");
}
