#include "engine/model_list.h"

static struct json text_or_absent(struct json v)
{
    return json_type(v) == JSON_STRING ? v : JSON_ABSENT;
}

static struct json element_at(struct json array, size_t i)
{
    struct json_iter it;
    json_iter_init(&it, array);
    while (json_iter_next(&it))
        if (it.index == i)
            return it.value;
    return JSON_ABSENT;
}

bool model_list_pick(struct json provider, struct json model, size_t i, struct model_choice *out)
{
    struct json v = json_type(model) == JSON_ARRAY ? element_at(model, i) : model;
    *out = (struct model_choice){text_or_absent(provider), text_or_absent(v)};
    if (json_type(model) != JSON_ARRAY)
        return i == 0;
    if (json_type(v) == JSON_OBJECT) {
        struct json own = json_get_set(v, "provider");
        out->model = text_or_absent(json_get_set(v, "model"));
        if (json_type(own) == JSON_STRING)
            out->provider = own;
    }
    return i == 0 || (i < MODEL_LIST_MAX && json_exists(v));
}

bool model_list_at(struct json holder, size_t i, struct model_choice *out)
{
    return model_list_pick(json_get_set(holder, "provider"), json_get_set(holder, "model"), i, out);
}
