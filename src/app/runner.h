/* The runner: carries out effects after their commit, and brings results back as engine inputs. */
#ifndef SLUICE_APP_RUNNER_H
#define SLUICE_APP_RUNNER_H

#include "app/live.h"

/* All effects of one delta, in order. */
void runner_carry_out(struct live *l, const struct effect *effects);
/* Cancels what the session has running; no results come afterwards. */
void runner_cancel_all(struct live *l);
/* The session has made more than it should before the next commit: stop (or go on) reading. */
void runner_hold_ahead(struct live *l, bool hold);
/* The store is slow or gone: stop (or go on) reading from every model. */
void runner_hold_all(struct app *a, bool hold);

#endif
