// Model text as markdown. react-markdown builds elements, never HTML from strings: tags in the text stay
// text, and unsafe link schemes are dropped. Images become links: the page loads nothing from elsewhere.

import { memo, useMemo } from "react";
import ReactMarkdown, { type Components } from "react-markdown";
import remarkGfm from "remark-gfm";

const components: Components = {
  a: ({ href, children }) => <a href={href} target="_blank" rel="noopener noreferrer nofollow">{children}</a>,
  img: ({ src, alt }) => <a href={typeof src === "string" ? src : undefined} target="_blank" rel="noopener noreferrer nofollow">{alt || "image"}</a>,
  table: ({ children }) => <div className="table-scroll"><table>{children}</table></div>,
  // One page, one outline: a model's headings stand below the page's own.
  h1: ({ children }) => <h4>{children}</h4>,
  h2: ({ children }) => <h4>{children}</h4>,
  h3: ({ children }) => <h5>{children}</h5>,
  h4: ({ children }) => <h5>{children}</h5>,
  h5: ({ children }) => <h6>{children}</h6>,
};
const plugins = [remarkGfm];

const Parsed = memo(function Parsed({ text }: { text: string }) {
  return <ReactMarkdown components={components} remarkPlugins={plugins}>{text}</ReactMarkdown>;
});

/** Where the text can be cut so that what stands before will parse alone: after a blank line, outside of code. */
export function stableLength(text: string): number {
  let cut = 0;
  let fenced = false;
  let at = 0;
  for (const line of text.split("\n")) {
    const end = at + line.length + 1;
    if (/^ {0,3}(```|~~~)/.test(line)) fenced = !fenced;
    // The next block must have begun, and not be one that could belong to the block before (a list, a quote).
    else if (!fenced && line.trim() === "" && /^[^\s\-*+>|\d]/.test(text.slice(end))) cut = end;
    at = end;
  }
  return cut;
}

/** While streaming only the tail is parsed again with each frame; whole text once at the end. */
export function Markdown({ text, streaming }: { text: string; streaming: boolean }) {
  const cut = useMemo(() => (streaming ? stableLength(text) : text.length), [streaming, text]);
  return (
    <>
      {cut > 0 && <Parsed text={text.slice(0, cut)} />}
      {cut < text.length && <Parsed text={text.slice(cut)} />}
    </>
  );
}
