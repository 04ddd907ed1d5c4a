/* The one binary: `serve` and `migrate` are the server's, all other commands are clients of it. */
#include <string.h>

#include "app/serve.h"
#include "cli/cli.h"

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "serve") == 0)
        return serve_main(argc - 2, argv + 2);
    if (argc > 1 && strcmp(argv[1], "migrate") == 0)
        return migrate_main(argc - 2, argv + 2);
    return cli_main(argc, argv);
}
