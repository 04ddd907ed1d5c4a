/* What the engine is told with each input: prices and the server's breakers, from the settings. */
#ifndef SLUICE_APP_RULES_H
#define SLUICE_APP_RULES_H

struct app;

/* After the settings are read. */
void app_rules_init(struct app *a);

#endif
