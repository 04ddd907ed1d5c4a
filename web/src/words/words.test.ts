// Text that stands in the code instead of in a dict would be English for everyone.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const SPOKEN = /^(aria-label|aria-description|title|placeholder|alt|label|about|hint|action)$/;
// Words that are the same in every language.
const NAMES = new Set(["Sluice"]);

const files = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((f) => f.endsWith(".tsx"));

function spokenText(file: string): string[] {
  const source = ts.createSourceFile(file, readFileSync(join(root, file), "utf8"), ts.ScriptTarget.ES2022, true, ts.ScriptKind.TSX);
  const found: string[] = [];
  const take = (node: ts.Node, text: string) => {
    const plain = text.trim();
    if (!/[A-Za-z]{2}/.test(plain) || NAMES.has(plain)) return;
    found.push(`${file}:${source.getLineAndCharacterOfPosition(node.getStart()).line + 1} ${plain}`);
  };
  const visit = (node: ts.Node): void => {
    if (ts.isJsxElement(node) && /^(code|kbd|pre)$/.test(node.openingElement.tagName.getText())) return;
    if (ts.isJsxText(node)) take(node, node.text);
    if (ts.isJsxAttribute(node) && SPOKEN.test(node.name.getText()) && node.initializer) {
      const value = ts.isJsxExpression(node.initializer) ? node.initializer.expression : node.initializer;
      if (value && ts.isStringLiteralLike(value)) take(value, value.text);
    }
    if (ts.isJsxExpression(node) && node.expression && ts.isStringLiteralLike(node.expression) && !ts.isJsxAttribute(node.parent)) {
      take(node, node.expression.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

describe("words", () => {
  it("stand in dicts, in both languages", () => {
    expect(files.flatMap(spokenText)).toEqual([]);
  }, 60_000); // every file is parsed, on a busy machine too
});
