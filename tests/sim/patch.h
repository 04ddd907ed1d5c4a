/* What programs keep with a session, changed at random: each patch writes the version that it was
 * made on, so that stands there, whatever has happened since. No change is lost, none is there
 * twice. */
#ifndef SLUICE_TESTS_SIM_PATCH_H
#define SLUICE_TESTS_SIM_PATCH_H

#include "dice.h"
#include "engine/engine.h"

struct patch {
    struct engine_input in;
    char text[128];
    int64_t version;
    int expected; /* what the step should give */
};
/* Aborts unless the metadata are those of the version. */
void patch_expect(const struct session_meta *m, int64_t version);
void patch_make(struct patch *p, struct dice *d, const struct session *s);
/* After the step, that gave rc; whether it was taken. Aborts when something is wrong. */
bool patch_done(const struct patch *p, const struct session *s, int rc);

#endif
