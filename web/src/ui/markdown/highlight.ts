// Colours for code, in the languages that models write. A chunk of its own; see lazy.ts.

import { createElement, type ReactNode } from "react";
import type { Element, Root, RootContent } from "hast";
import bash from "highlight.js/lib/languages/bash";
import c from "highlight.js/lib/languages/c";
import cpp from "highlight.js/lib/languages/cpp";
import csharp from "highlight.js/lib/languages/csharp";
import css from "highlight.js/lib/languages/css";
import diff from "highlight.js/lib/languages/diff";
import go from "highlight.js/lib/languages/go";
import ini from "highlight.js/lib/languages/ini";
import java from "highlight.js/lib/languages/java";
import javascript from "highlight.js/lib/languages/javascript";
import json from "highlight.js/lib/languages/json";
import kotlin from "highlight.js/lib/languages/kotlin";
import markdown from "highlight.js/lib/languages/markdown";
import php from "highlight.js/lib/languages/php";
import python from "highlight.js/lib/languages/python";
import ruby from "highlight.js/lib/languages/ruby";
import rust from "highlight.js/lib/languages/rust";
import sql from "highlight.js/lib/languages/sql";
import swift from "highlight.js/lib/languages/swift";
import typescript from "highlight.js/lib/languages/typescript";
import xml from "highlight.js/lib/languages/xml";
import yaml from "highlight.js/lib/languages/yaml";
import { createLowlight } from "lowlight";

const lowlight = createLowlight({
  bash, c, cpp, csharp, css, diff, go, ini, java, javascript, json, kotlin, markdown, php, python, ruby, rust, sql, swift, typescript, xml, yaml,
});
lowlight.registerAlias({ javascript: ["jsx", "node"], typescript: ["tsx"], bash: ["shell", "console", "fish"], ini: ["env"] });

function toReact(node: Root | RootContent, key: number): ReactNode {
  if (node.type === "text") return node.value;
  if (node.type !== "element" && node.type !== "root") return null;
  const children = node.children.map(toReact);
  if (node.type === "root") return children;
  const { className } = (node as Element).properties;
  return createElement("span", { key, className: Array.isArray(className) ? className.join(" ") : undefined }, ...children);
}

/** The code with its parts marked, or undefined: a language that is not known here. */
export function highlighted(code: string, lang: string): ReactNode | undefined {
  return lowlight.registered(lang) ? toReact(lowlight.highlight(lang, code), 0) : undefined;
}
