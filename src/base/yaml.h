/* YAML 1.1 (libyaml) to JSON text: the way workflow files in YAML come in.
 *
 * One document. Mappings, sequences, scalars; plain scalars become null, booleans (true/false only,
 * so that `no` and `on` stay strings), numbers of JSON's grammar, else strings; quoted ones stay
 * strings. Anchors and aliases are expanded within the size limit (no billion laughs); merge keys
 * `<<`, tags other than the core ones, duplicate and non-scalar keys are refused.
 */
#ifndef SLUICE_BASE_YAML_H
#define SLUICE_BASE_YAML_H

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"

/* Appends JSON to out. ERR_INVALID (e says line and column), ERR_TOO_LARGE. The JSON passes
 * json_check() with the same limits. */
int yaml_to_json(struct str yaml, const struct json_limits *limits, struct buf *out,
                 struct errbuf *e);

#endif
