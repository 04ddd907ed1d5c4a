#include "app/rules.h"

#include <string.h>

#include "app/app.h"

/* What a call names, or what it gets when it names nothing. */
static const struct llm_provider *provider_find(const struct config *c, struct str id)
{
    for (unsigned i = 0; i < c->provider_count; i++)
        if (!id.n || str_eqz(id, c->providers[i].id))
            return &c->providers[i];
    return NULL;
}

/* The demo provider costs nothing, unless the settings say otherwise. */
static bool rules_price(const void *data, struct str provider, struct str model, struct price *out)
{
    const struct app *a = data;
    const struct llm_provider *p = provider_find(&a->config, provider);
    struct price found = {0, 0};
    if (!p)
        return false;
    if (!model.n && p->default_model)
        model = str_of(p->default_model);
    bool known = llm_price_find(&a->config.prices, str_of(p->id), model, &found);
    if (!known && p->dialect != LLM_DEMO)
        return false;
    *out = found;
    return true;
}

static void rules_names(const void *data, struct str *provider, struct str *model)
{
    const struct app *a = data;
    const struct llm_provider *p = provider_find(&a->config, *provider);
    if (!p)
        return;
    *provider = str_of(p->id);
    if (!model->n && p->default_model)
        *model = str_of(p->default_model);
}

void app_rules_init(struct app *a)
{
    a->rules = (struct engine_rules){
        .price = rules_price, .names = rules_names, .data = a, .breakers = a->config.breakers};
}
