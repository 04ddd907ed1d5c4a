// Answers and events of the live server, held against docs/api.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { parse } from 'yaml';
import { repo } from './server.mjs';

const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false });
export const openapi = parse(readFileSync(join(repo, 'docs/api/openapi.yaml'), 'utf8'));
ajv.addSchema({ $id: 'openapi', ...openapi });
export const asyncapi = parse(readFileSync(join(repo, 'docs/api/asyncapi.yaml'), 'utf8'));
ajv.addSchema({ $id: 'asyncapi', ...asyncapi });

// pointer: into one of the two documents, as openapi#/components/schemas/Error
export function holds(pointer, value) {
  const check = ajv.getSchema(pointer) ?? ajv.compile({ $ref: pointer });
  assert.ok(check(value), `${pointer}: ${JSON.stringify(check.errors?.slice(0, 3))}\n${JSON.stringify(value).slice(0, 500)}`);
}

const pathOf = (path) => `openapi#/paths/${path.replaceAll('/', '~1').replace(/[{}]/g, encodeURIComponent)}`;

// What a GET of the route answers: '/models/pricing'.
export const holdsGet = (path, value) => holds(`${pathOf(path)}/get/responses/200/content/application~1json/schema`, value);

// An answer of the route, by its status: '/memories/{id}', 'get'.
export function holdsAnswer(path, method, answer) {
  const at = `${pathOf(path)}/${method}/responses`;
  if (answer.status >= 400) holds('openapi#/components/schemas/Error', answer.json);
  else if (answer.status !== 204) holds(`${at}/${answer.status}/content/application~1json/schema`, answer.json);
  return answer;
}

// Events of a session: each is of a type that asyncapi.yaml has, and has no member that it has not.
export function holdEvents(events) {
  const types = asyncapi.components.schemas.event_data.properties;
  for (const e of events) {
    holds('asyncapi#/components/schemas/event', e);
    assert.ok(types[e.type], `asyncapi.yaml has no event ${e.type}`);
    holds(`asyncapi#/components/schemas/event_data/properties/${e.type}`, e.data);
    const unknown = Object.keys(e.data).filter((k) => !(k in types[e.type].properties));
    assert.deepEqual(unknown, [], `asyncapi.yaml: members of ${e.type}: ${JSON.stringify(e.data).slice(0, 300)}`);
  }
}
