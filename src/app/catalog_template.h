/* A template's graph made into a workflow. Pure.
 *
 * In a graph's texts `{{ param.NAME }}` stands for a value that who makes a workflow of it gives:
 * a text of nothing else becomes the value itself (a number stays a number); within other text a
 * text is put as it is, anything else as JSON. What is given may not hold "{{", so that it stays
 * what it is and does not become an expression; a default, which the template's author wrote, may.
 * Keys are left alone, and so is what only resembles it (`{{ param.a + 1 }}`): the workflow's own
 * check then says that there is no `param`.
 */
#ifndef SLUICE_APP_CATALOG_TEMPLATE_H
#define SLUICE_APP_CATALOG_TEMPLATE_H

#include "base/err.h"
#include "base/json.h"

/* schema: the template's parameters, or absent; values: an object, or absent. Writes the graph with
 * the values, or their defaults, in their places. ERR_UNPROCESSABLE: a value that the template has
 * no parameter for, that the schema refuses, or that is missing; e names it. */
int catalog_template_render(struct json graph, struct json schema, struct json values,
                            struct buf *out, struct errbuf *e);
/* The same with a value made up for what has no default: to check a template as a workflow.
 * ERR_INVALID: the graph names a parameter that is none. */
int catalog_template_sample(struct json graph, struct json schema, struct buf *out,
                            struct errbuf *e);

#endif
