// Markdown -> elements. react-markdown makes elements, never HTML from strings: tags in the text stay text. What was
// parsed is kept for a while, for rows leave the page and come back.

import { useLayoutEffect, useRef, type ReactElement, type ReactNode } from "react";
import ReactMarkdown, { type Components, type Options } from "react-markdown";
import remarkGfm from "remark-gfm";
import type { Element, ElementContent, Root } from "hast";
import type { PluggableList } from "unified";
import { safeLink, visible } from "@/ui/safe-text";
import { isTooHard } from "./bounds";
import { CodeBlock } from "./code";
import { maths, useLazy } from "./lazy";
import { withMaths } from "./maths-text";
import { timed } from "./turns";

const KEPT_LETTERS = 400_000;

/** Text that is none of ours to format. */
export function Unparsed({ text }: { text: string }) {
  return <p className="unparsed" dir="auto">{visible(text)}</p>;
}

function Link({ href, children }: { href?: string; children?: ReactNode }) {
  const to = safeLink(href);
  return to ? <a href={to} target="_blank" rel="noopener noreferrer nofollow"><bdi>{children}</bdi></a> : <span>{children}</span>;
}

function Formula({ tex, display }: { tex: string; display: boolean }) {
  const box = useRef<HTMLSpanElement>(null);
  const known = useLazy(maths, true);
  useLayoutEffect(() => {
    const at = box.current;
    if (!at) return;
    if (!known || !timed(() => known.drawFormula(at, tex, display))) at.textContent = visible(tex);
  }, [known, tex, display]);
  return <span ref={box} className={display ? "formula formula-block" : "formula"} dir="ltr" />;
}

const textIn = (node: ElementContent): string => (node.type === "text" ? node.value : node.type === "element" ? node.children.map(textIn).join("") : "");
const classesOf = (node: Element): string => {
  const { className } = node.properties;
  return Array.isArray(className) ? className.join(" ") : String(className ?? "");
};

function Pre({ node }: { node?: Element }) {
  const code = node?.children.find((c): c is Element => c.type === "element");
  if (!code) return null;
  const classes = classesOf(code);
  const text = textIn(code).replace(/\n$/, "");
  if (classes.includes("math-display")) return <Formula tex={text} display />;
  return <CodeBlock text={text} lang={/language-(\S+)/.exec(classes)?.[1] ?? ""} open={false} />;
}

function Code({ node, children }: { node?: Element; children?: ReactNode }) {
  if (node && classesOf(node).includes("math-inline")) return <Formula tex={textIn(node)} display={false} />;
  return <code>{children}</code>;
}

const components: Components = {
  a: Link,
  // The page loads nothing from elsewhere.
  img: ({ src, alt }) => <Link href={typeof src === "string" ? src : undefined}>{alt || "🖼"}</Link>,
  table: ({ children }) => <div className="table-scroll" tabIndex={0} role="group"><table>{children}</table></div>,
  input: ({ checked }) => <span className="task-box">{checked ? "☑" : "☐"} </span>,
  pre: Pre,
  code: Code,
  // One page, one outline: a model's headings stand below the page's own.
  h1: ({ children }) => <h4>{children}</h4>,
  h2: ({ children }) => <h4>{children}</h4>,
  h3: ({ children }) => <h5>{children}</h5>,
  h4: ({ children }) => <h5>{children}</h5>,
  h5: ({ children }) => <h6>{children}</h6>,
};

// Names in the text must not become names in the page: two messages with a footnote would have the same ones.
function withoutIds() {
  const clean = (node: Root | Element): void => {
    node.children = node.children.filter((c) => !(c.type === "element" && c.properties.id === "footnote-label")) as typeof node.children;
    for (const child of node.children) {
      if (child.type !== "element") continue;
      delete child.properties.id;
      delete child.properties.ariaDescribedBy;
      clean(child);
    }
  };
  return clean;
}

const plain: PluggableList = [remarkGfm];
const rehype: PluggableList = [withoutIds];
const kept = new Map<string, ReactElement>();
let keptLetters = 0;

function keep(key: string, tree: ReactElement): ReactElement {
  kept.set(key, tree);
  keptLetters += key.length;
  for (const old of kept.keys()) {
    if (keptLetters <= KEPT_LETTERS || old === key) break;
    kept.delete(old);
    keptLetters -= old.length;
  }
  return tree;
}

function build(text: string, plugins: PluggableList | undefined): ReactElement {
  if (isTooHard(text)) return <Unparsed text={text} />;
  const options: Options = {
    children: visible(plugins ? withMaths(text) : text), components, rehypePlugins: rehype,
    remarkPlugins: plugins ? [...plain, ...plugins] : plain,
    urlTransform: (url) => safeLink(url) ?? "",
  };
  try {
    return timed(() => ReactMarkdown(options));
  } catch {
    // A text that breaks the parser is still a text.
    return <Unparsed text={text} />;
  }
}

export function keptTree(text: string, plugins: PluggableList | undefined): ReactElement | undefined {
  const key = plugins ? `$${text}` : text;
  const tree = kept.get(key);
  if (!tree) return undefined;
  kept.delete(key);
  kept.set(key, tree); // the newest is the last to go
  return tree;
}

export function parse(text: string, plugins?: PluggableList): ReactElement {
  return keptTree(text, plugins) ?? keep(plugins ? `$${text}` : text, build(text, plugins));
}

/** Of a text that changes with the next frame: nothing is kept. */
export const parseOnce = (text: string, plugins: PluggableList | undefined): ReactElement => build(text, plugins);
