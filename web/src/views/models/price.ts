// What a number of tokens costs.

import type { Price } from "@sluice/client";

export const cost = (price: Pick<Price, "input" | "output">, input: number, output: number): number => (input * price.input + output * price.output) / 1_000_000;

/** Dollars for a million tokens, as short as they are exact. */
export const rate = (dollars: number): string => `$${dollars.toFixed(Math.max(2, (String(dollars).split(".")[1] ?? "").length))}`;

/** Dollars with enough figures to see that it is not nothing. */
export function dollars(value: number): string {
  if (value === 0) return "$0";
  if (value >= 1) return `$${value.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
  return `$${value.toFixed(Math.min(8, Math.max(4, 2 - Math.floor(Math.log10(value)))))}`;
}

export const fits = (price: Price, q: string): boolean =>
  q.toLowerCase().split(/\s+/).filter(Boolean).every((part) => `${price.provider ?? ""} ${price.model}`.toLowerCase().includes(part));
