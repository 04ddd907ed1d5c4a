#include "tools/script.h"

#include "engine/expr.h"

static bool script_checkpoint(void *data)
{
    return worker_checkpoint(data);
}

static bool script_emit(void *data, struct str text)
{
    return worker_text(data, text, false);
}

static void script_log(void *data, const char *level, struct str text)
{
    worker_log(data, level, text);
}

static void script_save(void *data, struct str json)
{
    worker_save(data, json);
}

static int script_run(struct worker *w, void *work, struct buf *out, struct errbuf *e)
{
    struct script_job *j = work;
    struct expr_script_env env = {
        .env = j->env,
        .saved = j->saved,
        .memory_bytes_max = j->memory_bytes_max ? j->memory_bytes_max : SCRIPT_MEMORY_MAX,
        .checkpoint = script_checkpoint,
        .emit = script_emit,
        .log = script_log,
        .save = script_save,
        .data = w,
    };
    return expr_run_script(j->code, &env, out, e);
}

int script_job_start(struct worker_pool *p, struct script_job *j)
{
    j->job.what = "the script";
    j->job.run = script_run;
    j->job.work = j;
    return worker_job_start(p, &j->job);
}
