// A JSON object that somebody types into a field.

import type { JsonObject } from "@sluice/client";

/** undefined: it is no JSON object. Nothing typed is an empty one. */
export function objectOf(text: string): JsonObject | undefined {
  if (!text.trim()) return {};
  try {
    const value = JSON.parse(text) as unknown;
    return value && typeof value === "object" && !Array.isArray(value) ? (value as JsonObject) : undefined;
  } catch {
    return undefined;
  }
}
