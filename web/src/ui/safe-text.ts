// Text from elsewhere, made harmless for the eye: nothing in it may move what stands around it.

// Characters that turn the direction of what follows, also past the end of what they stand in.
const TURNS = /[\u202a-\u202e\u2066-\u2069]/g;
const TURN_NAMES: Record<string, string> = {
  "\u202a": "LRE", "\u202b": "RLE", "\u202c": "PDF", "\u202d": "LRO", "\u202e": "RLO", "\u2066": "LRI", "\u2067": "RLI", "\u2068": "FSI", "\u2069": "PDI",
};
// Nothing that people write has more marks on one letter; hundreds would cover the lines around.
const MARKS_MAX = /(\p{M}{6})\p{M}+/gu;
const SUSPECT = /[\u202a-\u202e\u2066-\u2069]|\p{M}{7}/u;

/** Direction marks as words, heaps of accents as six. Everything else as it is. */
export function visible(text: string): string {
  if (!SUSPECT.test(text)) return text;
  return text.replace(MARKS_MAX, "$1").replace(TURNS, (c) => `⟦${TURN_NAMES[c]}⟧`);
}

/** An address that may be opened from the page: nothing that runs, nothing of this page itself. */
export function safeLink(url: string | undefined): string | undefined {
  return url && /^(https?:\/\/|mailto:)/i.test(url.trim()) ? url.trim() : undefined;
}

/** Up to `max` characters, not through the middle of one. */
export function clipped(text: string, max: number): string {
  if (text.length <= max) return text;
  const last = text.charCodeAt(max - 1);
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? max - 1 : max);
}

/** "12 kB", of text. */
export const sizeOf = (length: number): string =>
  length < 1000 ? String(length) : length < 1_000_000 ? `${Math.round(length / 1000)} kB` : `${(length / 1_000_000).toFixed(1)} MB`;
