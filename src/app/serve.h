/* `sluice serve`: the whole server, from settings to a clean end. */
#ifndef SLUICE_APP_SERVE_H
#define SLUICE_APP_SERVE_H

/* argv: the arguments after `serve`. Returns the exit code. */
int serve_main(int argc, char **argv);

#endif
