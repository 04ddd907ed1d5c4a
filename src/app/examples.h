/* Workflows of a folder, put into the store at start unless their ids are there already. */
#ifndef SLUICE_APP_EXAMPLES_H
#define SLUICE_APP_EXAMPLES_H

struct app;

/* Submits what it finds and returns; a file that does not validate is reported in the log. */
void examples_put(struct app *a, const char *dir);

#endif
