/* The one binary: `serve` is the server, `migrate`, `backup`, `copy` (and `key`, if asked to) work
 * on its store, all other commands are clients of it. */
#include <string.h>

#include "app/key_cmds.h"
#include "app/serve.h"
#include "app/store_cmds.h"
#include "cli/cli.h"

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "serve") == 0)
        return serve_main(argc - 2, argv + 2);
    if (argc > 1 && strcmp(argv[1], "migrate") == 0)
        return migrate_main(argc - 2, argv + 2);
    if (argc > 1 && strcmp(argv[1], "backup") == 0)
        return backup_main(argc - 2, argv + 2);
    if (argc > 1 && strcmp(argv[1], "copy") == 0)
        return copy_main(argc - 2, argv + 2);
    if (argc > 1 && strcmp(argv[1], "key") == 0 && key_is_offline(argc - 2, argv + 2))
        return key_main(argc - 2, argv + 2);
    return cli_main(argc, argv);
}
