#include "engine/model_list.h"
#include "engine/workflow_private.h"

/* The property `model`: which models are asked, in order. */

static void choice_check(struct wf_parse *p, struct json v)
{
    static const char *const names[] = {"provider", "model"};
    struct json f[2];
    if (json_type(v) != JSON_OBJECT) {
        want_type(p, v, JSON_STRING, "a model", "text, or an object of provider and model");
        return;
    }
    fields_read(p, v, names, 2, "field of a model", f);
    for (size_t i = 0; i < 2; i++) {
        size_t mark = path_push_key(p, str_of(names[i]));
        if (json_exists(f[i]) && i == 0)
            name_check(p, f[i], names[i]);
        else if (json_exists(f[i]))
            want_type(p, f[i], JSON_STRING, names[i], "text");
        path_pop(p, mark);
    }
    if (!json_exists(f[0]) && !json_exists(f[1]))
        issue_error(p, v.p, "missing", "a model needs a provider or a model");
}

void models_check(struct wf_parse *p, struct json v)
{
    struct json_iter it;
    if (json_type(v) != JSON_ARRAY) {
        want_type(p, v, JSON_STRING, "model", "text, or an array of models");
        return;
    }
    if (json_length(v) < 1 || json_length(v) > MODEL_LIST_MAX) {
        issue_error(p, v.p, "out_of_range", "model must have 1 to %d elements, not %zu",
                    MODEL_LIST_MAX, json_length(v));
        return;
    }
    json_iter_init(&it, v);
    while (json_iter_next(&it)) {
        size_t mark = path_push(p, "[%zu]", it.index);
        choice_check(p, it.value);
        path_pop(p, mark);
    }
}
