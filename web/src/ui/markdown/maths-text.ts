// Finding formulas. Models write \( \), \[ \], $ $ and $$ $$; the parser knows $$ only, so that the two prices
// in "from $5 to $10" are not taken for one formula.

export const mayHaveMaths = (text: string): boolean => /\$[^$]|\$\$|\\\(|\\\[/.test(text);

const CODE = /(`+)[^`](?:[\s\S]*?[^`])?\1(?!`)/g;

function formulas(text: string): string {
  return text
    .replace(/\\\[([\s\S]{1,4000}?)\\\]/g, (_, tex: string) => `\n$$\n${tex.trim()}\n$$\n`)
    .replace(/^[ \t]*\$\$([^\n$]+)\$\$[ \t]*$/gm, (_, tex: string) => `\n$$\n${tex.trim()}\n$$\n`)
    .replace(/\\\(([^\n]{1,2000}?)\\\)/g, (_, tex: string) => `$$${tex.trim()}$$`)
    // After Pandoc: no space inside next to the signs, no figure after the second.
    .replace(/(?<![\\$\w])\$(?![\s$])([^$\n]{1,1000}?)(?<![\s\\])\$(?![\d$])/g, (_, tex: string) => `$$${tex}$$`);
}

/** The same text, its formulas in the one notation that the parser takes. Code is left as it is. */
export function withMaths(text: string): string {
  if (!mayHaveMaths(text)) return text;
  let out = "";
  let at = 0;
  for (const code of text.matchAll(CODE)) {
    out += formulas(text.slice(at, code.index)) + code[0];
    at = code.index + code[0].length;
  }
  return out + formulas(text.slice(at));
}
