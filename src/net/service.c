#include "net/service.h"

#include <string.h>

void svc_req_init(struct svc_req *req, enum svc_op op)
{
    memset(req, 0, sizeof(*req));
    req->op = op;
    arena_init(&req->arena);
    buf_init(&req->details, SVC_BODY_MAX);
    buf_init(&req->body, SVC_BODY_MAX);
    req->who.kind = PRINCIPAL_SERVER; /* until net says who it is */
    req->who.role = ROLE_ADMIN;
    memcpy(req->who.workspace, "default", sizeof("default"));
    memcpy(req->who.name, "anonymous", sizeof("anonymous"));
    req->workspace = STR("default");
    req->actor = STR("anonymous");
}

void svc_req_set_who(struct svc_req *req, const struct principal *who)
{
    req->who = *who;
    req->workspace = str_of(req->who.workspace);
    req->actor = str_of(req->who.name);
}

void svc_req_deinit(struct svc_req *req)
{
    arena_deinit(&req->arena);
    buf_deinit(&req->details);
    buf_deinit(&req->body);
}
