/* `sluice key … --data DIR` or `--store URL`: keys on the store itself, without a server; that is
 * how the first one is made where a server would let nobody in. */
#ifndef SLUICE_APP_KEY_CMDS_H
#define SLUICE_APP_KEY_CMDS_H

#include <stdbool.h>

/* argv: after `key`. Whether they name a store. */
bool key_is_offline(int argc, char **argv);
int key_main(int argc, char **argv);

#endif
