// Words and figures for people, in their language.

import type { Json, Session, Workflow, WorkflowNode } from "@sluice/client";
import { errorWords, kindWords } from "@/words/common";
import { dict, lang, wordsNow } from "@/words/words";

const units = dict({
  en: {
    s: (n: string) => `${n} s`, minS: (m: number, s: string) => `${m} min ${s} s`, hMin: (h: number, m: string) => `${h} h ${m} min`,
    days: (n: number) => `${n} days`, now: "just now", minAgo: (n: number) => `${n} min ago`, hAgo: (n: number) => `${n} h ago`,
    session: "Session",
  },
  zh: {
    s: (n: string) => `${n} 秒`, minS: (m: number, s: string) => `${m} 分 ${s} 秒`, hMin: (h: number, m: string) => `${h} 小时 ${m} 分`,
    days: (n: number) => `${n} 天`, now: "刚刚", minAgo: (n: number) => `${n} 分钟前`, hAgo: (n: number) => `${n} 小时前`,
    session: "会话",
  },
});

/** The reader's own kind of the language (12 or 24 hours, order of day and month), where the browser names one. */
export function locale(): string {
  const own = typeof navigator === "undefined" ? [] : navigator.languages ?? [];
  return own.find((l) => l.toLowerCase().startsWith(lang())) ?? (lang() === "zh" ? "zh-CN" : "en-GB");
}

export function duration(ms: number): string {
  const u = wordsNow(units);
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) return u.s(String(s));
  const m = Math.floor(s / 60);
  if (m < 60) return u.minS(m, String(s % 60).padStart(2, "0"));
  const h = Math.floor(m / 60);
  return h < 48 ? u.hMin(h, String(m % 60).padStart(2, "0")) : u.days(Math.floor(h / 24));
}

export function shortDuration(ms: number): string {
  return ms < 10_000 ? wordsNow(units).s((Math.max(0, ms) / 1000).toFixed(1)) : duration(ms);
}

const number = new Intl.NumberFormat("en");
export const count = (n: number): string => number.format(n);
/** English only: other languages put their words together in their own dict. */
export const plural = (n: number, one: string, many = `${one}s`): string => `${count(n)} ${n === 1 ? one : many}`;

export function bytes(n: number): string {
  if (n < 1024) return `${n} B`;
  const kib = n / 1024;
  return kib < 1024 ? `${kib < 10 ? kib.toFixed(1) : Math.round(kib)} KiB` : `${(kib / 1024).toFixed(kib < 10_240 ? 1 : 0).replace(/\.0$/, "")} MiB`;
}

export function money(usd: number): string {
  return usd < 0.01 ? `$${usd.toFixed(4)}` : `$${usd.toFixed(2)}`;
}

export function clock(iso: string | number | undefined): string {
  const t = iso ? new Date(iso) : undefined;
  return t && !Number.isNaN(t.valueOf()) ? t.toLocaleTimeString(locale(), { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" }) : "";
}

/** Day and time. */
export function moment(iso: string | number | null | undefined): string {
  const t = iso ? new Date(iso) : undefined;
  return t && !Number.isNaN(t.valueOf())
    ? t.toLocaleString(locale(), { year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" }) : "";
}

export function ago(iso: string | undefined | null, now = Date.now()): string {
  if (!iso) return "";
  const u = wordsNow(units);
  const s = Math.floor((now - Date.parse(iso)) / 1000);
  if (Number.isNaN(s)) return "";
  if (s < 60) return u.now;
  if (s < 3600) return u.minAgo(Math.floor(s / 60));
  if (s < 86_400) return u.hAgo(Math.floor(s / 3600));
  return new Date(iso).toLocaleDateString(locale(), { day: "numeric", month: "short" });
}

/** An error as a sentence. In Chinese the server's own sentence, which is English, stands behind the general one. */
export function errorText(err: unknown): string {
  const { message, code } = err && typeof err === "object" ? (err as { message?: string; code?: string }) : {};
  const known = code ? wordsNow(errorWords)[code] : undefined;
  const own = message ?? String(err);
  if (!known) return own;
  return lang() === "en" || code === "unreachable" || code === "timeout" ? known : `${known}（${own}）`;
}

export const words = (id: string): string => {
  const text = id.replace(/[_.-]+/g, " ").trim();
  return text ? text[0]?.toUpperCase() + text.slice(1) : id;
};

const textOf = (value: Json | undefined): string => (typeof value === "string" ? value.trim() : "");

export function nodeName(id: string, node: WorkflowNode | undefined): string {
  const agent = node?.properties?.agent;
  const inline = agent && typeof agent === "object" && !Array.isArray(agent) ? textOf(agent.name) : "";
  return node?.name || inline || textOf(node?.properties?.name) || words(id);
}

/** The persona that speaks in a node, where that is not its name already. */
export function personaName(node: WorkflowNode | undefined): string {
  const agent = node?.properties?.agent;
  const inline = agent && typeof agent === "object" && !Array.isArray(agent) ? agent.name : node?.properties?.name;
  const name = node?.type === "agent" ? textOf(inline) : "";
  return name && name !== node?.name ? name : "";
}
export const kindName = (type: string | undefined): string => {
  const kinds = wordsNow(kindWords);
  return type ? kinds[type] ?? words(type) : kinds.node ?? "";
};

export function sessionTitle(session: Session | undefined, workflow?: Workflow): string {
  // A run that nobody named bears its workflow's name, and so do all the others: its topic says more.
  const plainWord = (text: string | null | undefined) => text?.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "");
  const name = session?.name;
  const isOwn = name && name !== workflow?.name && plainWord(name) !== plainWord(session?.workflow_id);
  return isOwn ? name : inputTitle(session?.input) ?? name ?? workflow?.name ??
    (session?.workflow_id ? words(session.workflow_id) : wordsNow(units).session);
}

/** What a run is about, from its input. */
export function inputTitle(input: Json | undefined): string | undefined {
  if (typeof input === "string") return input.trim() || undefined;
  if (!input || typeof input !== "object" || Array.isArray(input)) return undefined;
  for (const key of ["topic", "title", "question", "prompt", "subject"]) {
    if (textOf(input[key])) return textOf(input[key]);
  }
  return Object.values(input).map(textOf).find((text) => text.length > 3);
}

/** A node's or session's output as text, if text is what it is. */
export function outputText(output: Json | undefined): string | null {
  if (typeof output === "string") return output;
  if (output && typeof output === "object" && !Array.isArray(output)) {
    const values = Object.values(output);
    if (values.length === 1 && typeof values[0] === "string") return values[0];
  }
  return null;
}

export const pretty = (value: Json | undefined): string => JSON.stringify(value, null, 2) ?? "";
