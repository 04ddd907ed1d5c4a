/* Workflows of a folder, put into the store at start unless their ids are there already. */
#ifndef SLUICE_APP_EXAMPLES_H
#define SLUICE_APP_EXAMPLES_H

struct app;

/* `done` is called once, on the loop, when every file was stored, was there already, or was
 * reported in the log; maybe at once. */
void examples_put(struct app *a, const char *dir, void (*done)(struct app *a));

#endif
