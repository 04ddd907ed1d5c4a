/* `sluice stage …`: stages of the active session, or of --session. */
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/find.h"
#include "cli/input.h"
#include "cli/lang.h"
#include "cli/names.h"
#include "cli/stage_view.h"

#define BODY_BYTES_MAX (11u << 20)

/* ---- list, show ---- */

static int stage_list_command(struct client *c, const struct args *a)
{
    char id[ID_TEXT_BYTES + 1], path[64];
    struct http_reply r;
    int rc = client_word_session(c, a, 0, id);
    if (rc)
        return rc;
    http_reply_init(&r);
    snprintf(path, sizeof(path), "/sessions/%s/progress", id);
    rc = client_call(c, "GET", path, NULL, &r);
    struct json progress = rc ? JSON_ABSENT : json_root(buf_str(&r.body));
    struct json stages = json_get(progress, "stages");
    if (!rc && c->json) {
        fprintf(c->out.file, "{\"items\":%.*s,\"next_cursor\":null}\n", STR_FMT(json_raw(stages)));
    } else if (!rc) {
        if (json_length(stages))
            progress_table(c, progress);
        else
            fprintf(c->out.file, T("it has no stages\n"));
        hints_of_session(c, id);
    }
    http_reply_deinit(&r);
    return rc;
}

/* An instance of one that has begun; wrong state for others, after telling. */
static int instance_find(struct client *c, const struct args *a, const char *given,
                         struct stage_place *p)
{
    int rc = client_find_stage(c, a, given, p);
    if (!rc && !p->instance[0]) {
        client_complain(T("the stage %s has not begun"), p->node_id);
        return EXIT_WRONG_STATE;
    }
    return rc;
}

static int instance_get(struct client *c, const char *instance, struct http_reply *r)
{
    char path[64];
    snprintf(path, sizeof(path), "/stages/%.36s", instance);
    return client_call(c, "GET", path, NULL, r);
}

/* What came is printed; then what can come next in its session. */
static void instance_tell(struct client *c, const struct http_reply *r)
{
    struct json stage = json_root(buf_str(&r->body));
    if (c->json) {
        fprintf(c->out.file, "%.*s\n", STR_FMT(json_raw(stage)));
    } else {
        char *session = member_text(stage, "session_id");
        stage_print(c, stage);
        hints_of_session(c, session);
        free(session);
    }
}

static int stage_show_command(struct client *c, const struct args *a)
{
    struct stage_place p;
    struct http_reply r;
    http_reply_init(&r);
    int rc = instance_find(c, a, a->words[0], &p);
    if (!rc)
        rc = instance_get(c, p.instance, &r);
    if (!rc)
        instance_tell(c, &r);
    stage_place_deinit(&p);
    http_reply_deinit(&r);
    return rc;
}

/* ---- start ---- */

int client_stage_start(struct client *c, const struct args *a, const char *word)
{
    struct stage_place p;
    struct http_reply r;
    struct buf body;
    struct jw w;
    char path[64];
    http_reply_init(&r);
    buf_init(&body, BODY_BYTES_MAX);
    int rc = client_find_stage(c, a, word, &p);
    if (!rc && p.session[0]) {
        jw_init(&w, &body);
        jw_object(&w);
        jw_kv_stringz(&w, "stage_id", p.node_id);
        if (args_has(a, "by"))
            jw_kv_stringz(&w, "reviewer", args_get(a, "by"));
        jw_end(&w);
        snprintf(path, sizeof(path), "/sessions/%s/stages", p.session);
        rc = client_post(c, path, buf_str(&body), &r);
        if (!rc)
            instance_tell(c, &r);
    } else if (!rc) {
        client_complain("%s", T("start a stage by its id or name, not by its instance"));
        rc = EXIT_USAGE;
    }
    buf_deinit(&body);
    stage_place_deinit(&p);
    http_reply_deinit(&r);
    return rc;
}

static int stage_start_command(struct client *c, const struct args *a)
{
    return client_stage_start(c, a, a->words[0]);
}

/* ---- items and deliverables ---- */

static int change_write(const struct args *a, struct jw *w)
{
    int rc = pairs_write(a, "deliverable", "deliverables", false, w);
    if (!rc)
        rc = pairs_write(a, "note", "context", false, w);
    if (!rc && args_has(a, "by"))
        jw_kv_stringz(w, "reviewer", args_get(a, "by"));
    return rc;
}

/* The position of an item: by its number from 1, its name or the beginning of that. */
static int item_find(struct json items, const char *word, int *index)
{
    char *end;
    long number = strtol(word, &end, 10);
    struct json_iter it;
    struct names n;
    int rc = 0;
    names_init(&n);
    json_iter_init(&it, items);
    while (json_iter_next(&it)) {
        char *name = member_text(it.value, "name");
        names_add(&n, "", name, "");
        free(name);
    }
    int found = names_match(&n, word, 1, index);
    if (!found && *word && !*end && number >= 1 && number <= n.count) {
        *index = (int)number - 1;
    } else if (!found) {
        client_complain(T("the stage has no item \"%.80s\""), word);
        rc = EXIT_NOT_FOUND;
    } else if (found > 1) {
        client_complain(T("%d items of the stage begin with \"%.80s\""), found, word);
        rc = EXIT_USAGE;
    }
    names_deinit(&n);
    return rc;
}

/* The words from `first` on as items. */
static int items_write(const struct args *a, int first, struct json items, struct jw *w)
{
    int rc = 0, index = 0;
    if (first >= a->word_count)
        return 0;
    jw_key(w, "items");
    jw_array(w);
    for (int i = first; !rc && i < a->word_count; i++) {
        rc = item_find(items, a->words[i], &index);
        jw_object(w);
        jw_kv_i64(w, "index", index);
        jw_kv_bool(w, "done", !args_has(a, "undo"));
        jw_end(w);
    }
    jw_end(w);
    return rc;
}

/* `stage item ITEM…` is about the open stage, unless the first of several words means one. */
static int stage_item_command(struct client *c, const struct args *a)
{
    int first = a->word_count > 1 && client_word_is_stage(c, a, a->words[0]) ? 1 : 0;
    struct stage_place p;
    struct http_reply r;
    struct buf body;
    struct jw w;
    char path[64];
    if (!a->word_count && !args_has(a, "deliverable") && !args_has(a, "note")) {
        client_complain("%s", T("which item? its number, or its name"));
        return EXIT_USAGE;
    }
    http_reply_init(&r);
    buf_init(&body, BODY_BYTES_MAX);
    int rc = instance_find(c, a, first ? a->words[0] : NULL, &p);
    if (!rc)
        rc = instance_get(c, p.instance, &r);
    if (!rc) {
        jw_init(&w, &body);
        jw_object(&w);
        rc = items_write(a, first, json_get(json_root(buf_str(&r.body)), "items"), &w);
        if (!rc)
            rc = change_write(a, &w);
        jw_end(&w);
    }
    if (!rc) {
        struct http_body json = {buf_str(&body), "application/json"};
        snprintf(path, sizeof(path), "/stages/%s", p.instance);
        rc = client_call(c, "PATCH", path, &json, &r);
    }
    if (!rc)
        instance_tell(c, &r);
    buf_deinit(&body);
    stage_place_deinit(&p);
    http_reply_deinit(&r);
    return rc;
}

/* ---- complete, skip ---- */

/* What is still missing, of a refused `complete`. */
static void missing_tell(struct client *c, const struct http_reply *r)
{
    static const char *const keys[] = {"items", "deliverables"};
    struct errbuf e;
    if (c->json || json_check(buf_str(&r->body), NULL, &e))
        return;
    struct json missing =
        json_get(json_get_set(json_root(buf_str(&r->body)), "details"), "missing");
    for (size_t i = 0; i < 2; i++) {
        struct json_iter it;
        json_iter_init(&it, json_get(missing, keys[i]));
        while (json_iter_next(&it)) {
            char *name = json_strdup(it.value);
            client_complain(i ? T("not handed over yet: %s") : T("not done yet: %s"),
                            name ? name : "");
            free(name);
        }
    }
}

/* The stage as it is after it was settled. */
static int settled_tell(struct client *c, const char *instance, struct http_reply *r)
{
    int rc = instance_get(c, instance, r);
    if (!rc)
        instance_tell(c, r);
    return rc;
}

/* complete, skip: both take the stage that is open when none is named. */
static int stage_settle_command(struct client *c, const struct args *a)
{
    struct stage_place p;
    struct http_reply r;
    struct buf body;
    struct jw w;
    char path[80];
    http_reply_init(&r);
    buf_init(&body, BODY_BYTES_MAX);
    jw_init(&w, &body);
    jw_object(&w);
    int rc = change_write(a, &w);
    if (args_has(a, "reason"))
        jw_kv_stringz(&w, "reason", args_get(a, "reason"));
    jw_end(&w);
    p = (struct stage_place){0};
    if (!rc)
        rc = instance_find(c, a, a->words[0], &p);
    if (!rc) {
        snprintf(path, sizeof(path), "/stages/%s/%s", p.instance, a->command);
        rc = client_post(c, path, buf_str(&body), &r);
        if (rc)
            missing_tell(c, &r);
        else if (c->json)
            fprintf(c->out.file, "%.*s\n", STR_FMT(json_raw(json_root(buf_str(&r.body)))));
        else
            rc = settled_tell(c, p.instance, &r);
    }
    buf_deinit(&body);
    stage_place_deinit(&p);
    http_reply_deinit(&r);
    return rc;
}

/* ---- the table ---- */

#define SESSION_OPTION                                                                             \
    {                                                                                              \
        "session", "SESSION", "of this session; else the active one", false                        \
    }
#define BY_OPTION                                                                                  \
    {                                                                                              \
        "by", "NAME", "who it is", false                                                           \
    }
#define DELIVERABLE_OPTION                                                                         \
    {                                                                                              \
        "deliverable", "NAME=VALUE", "hand this over; may be repeated", true                       \
    }
#define NOTE_OPTION                                                                                \
    {                                                                                              \
        "note", "NAME=VALUE", "keep this with the stage; may be repeated", true                    \
    }

static const struct option_def stage_options[] = {SESSION_OPTION, {0}};
static const struct option_def stage_start_options[] = {SESSION_OPTION, BY_OPTION, {0}};
static const struct option_def stage_item_options[] = {
    SESSION_OPTION,     {"undo", NULL, "it is not done after all", false},
    DELIVERABLE_OPTION, NOTE_OPTION,
    BY_OPTION,          {0},
};
static const struct option_def stage_complete_options[] = {
    SESSION_OPTION, DELIVERABLE_OPTION, NOTE_OPTION, BY_OPTION, {0},
};
static const struct option_def stage_skip_options[] = {
    SESSION_OPTION,
    {"reason", "TEXT", "why", false},
    BY_OPTION,
    {0},
};

const struct command stage_commands[] = {
    {"stage", "list", "[SESSION]", "the stages of a session", no_options, 0, 1, stage_list_command},
    {"stage", "show", "[STAGE]", "one stage with its items", stage_options, 0, 1,
     stage_show_command},
    {"stage", "start", "STAGE", "say that you begin with it", stage_start_options, 1, 1,
     stage_start_command},
    {"stage", "item", "[STAGE] ITEM…", "tick items off, by number or name", stage_item_options, 0,
     ARGS_MAX, stage_item_command},
    {"stage", "complete", "[STAGE]", "it is done: go on to what follows", stage_complete_options, 0,
     1, stage_settle_command},
    {"stage", "skip", "[STAGE]", "leave it out, with a reason", stage_skip_options, 0, 1,
     stage_settle_command},
    {0},
};
