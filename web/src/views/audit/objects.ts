// Where an entry's object is shown, if it is. An entry of the catalog does not say whether it was an agent, a group or a template.

import type { AuditEntry } from "@sluice/client";
import { href } from "@/app/route";

const VIEWS: [RegExp, (id: string) => string][] = [
  [/^workflow_/, (id) => href.versions(id)],
  [/^schedule_/, (id) => href.schedules(id)],
  [/^webhook_/, (id) => href.webhooks(id)],
  [/^key_/, () => href.keys()],
];

/** Gone objects have no view any more. */
export function objectLink(e: Pick<AuditEntry, "action" | "object" | "status">): string | undefined {
  if (!e.object || /_(delete|revoke)$/.test(e.action)) return undefined;
  return VIEWS.find(([pattern]) => pattern.test(e.action))?.[1](e.object);
}

/** "schedule_create" as words. */
export const actionWords = (action: string): string => {
  const text = action.replaceAll("_", " ");
  return (text[0] ?? "").toUpperCase() + text.slice(1);
};

/** A day of the calendar as the moment at which it begins here; `end`: at which it ends. */
export function dayEdge(day: string, end = false): string | undefined {
  const m = /^(\d{4})-(\d{2})-(\d{2})$/.exec(day);
  if (!m) return undefined;
  return new Date(Number(m[1]), Number(m[2]) - 1, Number(m[3]) + (end ? 1 : 0)).toISOString();
}
