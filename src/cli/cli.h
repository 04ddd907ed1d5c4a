/* The client commands of the one binary: `sluice run`, `sluice session …`, `sluice flow …`.
 *
 * They know the server by its HTTP contract only, wherever it runs. Exit codes:
 * 0 done, 1 the session failed, 2 wrong usage (or input that the server refuses), 3 not found,
 * 4 wrong state, 5 server unreachable, 6 not allowed, 130 detached by Ctrl-C.
 */
#ifndef SLUICE_CLI_CLI_H
#define SLUICE_CLI_CLI_H

/* argv as main() got it. Returns the exit code. */
int cli_main(int argc, char **argv);

#endif
