/* The tables of translations, one for each area; each is sorted by strcmp() of its English. */
#ifndef SLUICE_CLI_LANG_ZH_H
#define SLUICE_CLI_LANG_ZH_H

#include "cli/lang.h"

extern const struct lang_entry lang_zh_catalog[];  /* agents, groups, templates */
extern const struct lang_entry lang_zh_core[];     /* help, arguments, answers, tables, states */
extern const struct lang_entry lang_zh_errors[];   /* what error codes mean */
extern const struct lang_entry lang_zh_flow[];     /* workflows */
extern const struct lang_entry lang_zh_follow[];   /* run, watch, questions at the terminal */
extern const struct lang_entry lang_zh_man[];      /* manual pages */
extern const struct lang_entry lang_zh_memory[];   /* memories */
extern const struct lang_entry lang_zh_portable[]; /* sessions as files */
extern const struct lang_entry lang_zh_key[];      /* API keys */
extern const struct lang_entry lang_zh_schedule[]; /* schedules, audit */
extern const struct lang_entry lang_zh_webhook[];  /* webhooks, the status system */
extern const struct lang_entry lang_zh_server[];   /* instances, models, reviews */
extern const struct lang_entry lang_zh_session[];  /* sessions */
extern const struct lang_entry lang_zh_stage[];    /* stages, hints */

#endif
