/* Agents, groups and templates over the API: what service_catalog.c and service_templates.c share.
 */
#ifndef SLUICE_APP_SERVICE_CATALOG_H
#define SLUICE_APP_SERVICE_CATALOG_H

#include "app/catalog.h"
#include "app/catalog_body.h"
#include "net/service.h"

struct app;

/* Stores the object `text` (checked JSON, of the request's arena) as the request's op says, at
 * `expected` version (0: any), and answers. */
void catalog_put_text(struct app *a, struct svc_req *req, struct str text, int64_t expected);
/* Whether the template's graph is a workflow; answers with what is wrong when it is none. */
bool catalog_template_ok(struct app *a, struct svc_req *req, struct str body_json);
/* POST /templates with a workflow_id: the workflow is looked up first. Whether it is one. */
bool catalog_save_workflow(struct app *a, struct svc_req *req);

#endif
