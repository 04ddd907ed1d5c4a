// Names of nodes inside of expressions and templates: nodes.judge.output, nodes["fact-check"].status.

import type { Json, JsonObject } from "@sluice/client";
import { isObject } from "./model";

const LUA_NAME = /^[A-Za-z_]\w*$/;
const KEYWORDS = new Set(("and break do else elseif end false for function goto if in local nil not or repeat return then true until while").split(" "));

/** How an expression names a node: an id that is no Lua name is written in brackets. */
export const nodeRef = (id: string): string => (LUA_NAME.test(id) && !KEYWORDS.has(id) ? `nodes.${id}` : `nodes[${JSON.stringify(id)}]`);

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

function inCode(code: string, from: string, to: string): string {
  const dotted = LUA_NAME.test(from) ? `\\.\\s*${escaped(from)}(?![\\w])` : "(?!)";
  const quoted = `\\[\\s*(["'])${escaped(from)}\\1\\s*\\]`;
  return code.replace(new RegExp(`(?<![\\w.])nodes\\s*(?:${dotted}|${quoted})`, "g"), nodeRef(to));
}

/** In a template only what stands between braces is code. */
export function renameInText(text: string, from: string, to: string, isCode: boolean): string {
  if (!text.includes("nodes")) return text;
  if (text.includes("{{")) return text.replace(/\{\{[\s\S]*?\}\}/g, (part) => inCode(part, from, to));
  return isCode ? inCode(text, from, to) : text;
}

// Where a text without braces is an expression (or a script), by the name of the member.
const CODE = new Set(["when", "exit_when", "score", "items", "condition", "code", "output", "vars", "input"]);

/** All texts of a node; those below a member of code (an `output` object) are code as well. */
export function renameInNode(value: Json, from: string, to: string, isCode = false): Json {
  if (typeof value === "string") return renameInText(value, from, to, isCode);
  if (Array.isArray(value)) return mapped(value, (v) => renameInNode(v, from, to, isCode));
  if (!isObject(value)) return value;
  let changed = false;
  const out: JsonObject = {};
  for (const [key, v] of Object.entries(value)) {
    const next = renameInNode(v, from, to, isCode || CODE.has(key));
    changed ||= next !== v;
    out[key] = next;
  }
  return changed ? out : value;
}

function mapped(list: Json[], fn: (v: Json) => Json): Json[] {
  const out = list.map(fn);
  return out.some((v, i) => v !== list[i]) ? out : list;
}
