/* The commands that work on a store without a server: `sluice migrate`, `backup`, `copy`.
 *
 * What they do they tell on standard error (the result of migrate on standard output). Exit codes:
 * 0 done, 1 it failed (the sentence says why), 2 wrong usage. */
#ifndef SLUICE_APP_STORE_CMDS_H
#define SLUICE_APP_STORE_CMDS_H

/* argv: after the command's name. */
int migrate_main(int argc, char **argv);
int backup_main(int argc, char **argv);
int copy_main(int argc, char **argv);

#endif
