// Starting a run, and what went wrong with it.

import type { Execute, Json, JsonObject } from "@sluice/client";
import { ApiError, client } from "@/client/http";
import { errorText } from "@/ui/format";
import { instanceId, type Source } from "./source";

type Order = Omit<Execute, "workflow_id" | "workflow_version" | "graph">;

// crypto.randomUUID is there in secure contexts only, and a server on a plain LAN address is none.
export function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
}

/** The workflow of a template, made unless the same was made before. An instance that was changed since has
 *  further versions; the first one is as the template says. */
async function instanceOf(source: Source, values: JsonObject, mayMake: boolean): Promise<string> {
  const id = instanceId(source.template!, values);
  if (!mayMake) return id;
  try {
    await client.instantiateTemplate(source.ref.id, { id, values });
  } catch (err) {
    if (!(err instanceof ApiError && err.code === "conflict")) throw err;
  }
  return id;
}

/** `key` stands for one intent: sent again after a lost answer, it starts nothing twice. */
export async function startRun(source: Source, params: JsonObject, order: Order, key: string, mayMake: boolean): Promise<string> {
  const { ref } = source;
  const what = ref.kind === "workflow" ? { workflow_id: ref.id, ...(ref.version ? { workflow_version: ref.version } : {}) }
    : { workflow_id: await instanceOf(source, params, mayMake), workflow_version: 1 };
  return (await client.execute({ ...what, ...order }, { idempotencyKey: key })).session_id;
}

const isObject = (value: Json | undefined): value is JsonObject => typeof value === "object" && value !== null && !Array.isArray(value);

/** Each thing that is wrong, as a line. */
export function problemLines(err: unknown): string[] {
  if (!(err instanceof ApiError)) return [String(err)];
  const { details } = err;
  const list = isObject(details) ? details.errors : details;
  if (!Array.isArray(list)) return [errorText(err)];
  const lines = list.map((e) => {
    if (!isObject(e)) return String(e);
    const message = String(e.message ?? "");
    const path = typeof e.path === "string" ? e.path : "";
    return path && !message.startsWith(path) ? `${path}: ${message}` : message;
  }).filter(Boolean);
  return lines.length ? lines : [errorText(err)];
}

/** "…: $.voices[0].name: must be a string": at its field, where the server names one. */
export function fieldProblem(err: unknown): Record<string, string> | undefined {
  if (!(err instanceof ApiError) || !/^invalid_(input|parameters)$/.test(err.code)) return undefined;
  const m = /\$\.([^:]+): (.+)$/.exec(err.message);
  return m ? { [m[1]!]: `${m[2]![0]!.toUpperCase()}${m[2]!.slice(1)}.` } : undefined;
}
