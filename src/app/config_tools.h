/* The settings of tools: the sections tools, search and mcp of the file, and --tool-allow.
 *
 *     tools: {http: {allow: [127.0.0.1, "10.0.0.0/8", "host:port"], proxy: URL}, secrets_dir: DIR}
 *     search: {<name>: {url: "https://…?q={query}", headers: {}, results: path, title, link,
 * snippet}} mcp: {servers: {<name>: {command: [program, argument…], env: {}, cwd} | {url, headers:
 * {}}}}
 */
#ifndef SLUICE_APP_CONFIG_TOOLS_H
#define SLUICE_APP_CONFIG_TOOLS_H

#include "app/config.h"
#include "base/json.h"

/* Reads one member of the file. 1: it was one of ours; 0: not; ERR_INVALID: e names the key. */
int config_tools_file(struct config *c, const struct json_iter *it, struct errbuf *e);
/* Adds a comma-separated list (or NULL) to what tools.http.allow says. */
void config_tools_allow(struct config *c, const char *list);
void config_tools_print(const struct config *c, struct buf *out);

#endif
