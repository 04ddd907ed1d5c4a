// A text as blocks that each parse alone. While a message streams, what is settled is never looked at again, and only
// its last block is parsed with each frame.

export type Block =
  | { kind: "text"; text: string }
  /** `open`: its end has not come. */
  | { kind: "code"; text: string; lang: string; open: boolean };

const FENCE = /^( {0,3})(`{3,}|~{3,})[ \t]*([^\s`]*)[^`]*$/;
const LIST = /^ {0,3}(?:[-*+]|\d{1,9}[.)])(?:[ \t]|$)/;
const MATHS_FENCE = /^ {0,3}(?:\$\$|\\\[|\\\])[ \t]*$/;
// A line of which the first letters are enough to know that it begins a paragraph.
const PARAGRAPH_BEGINS = /^[^\s\-*+>|\d`~$\\#[=_<]/;

interface Fence { mark: string; lang: string; from: number; own: boolean }

export class Splitter {
  readonly settled: Block[] = [];
  private text = "";
  /** Where the block under way begins, and the line that is not complete. */
  private begin = 0;
  private line = 0;
  private fence: Fence | undefined;
  private maths = false;
  private blank = false;
  private list = false;

  /** The last block of a text that goes on from the one given before. */
  feed(text: string): Block {
    this.text = text;
    for (let end = text.indexOf("\n", this.line); end >= 0; end = text.indexOf("\n", this.line)) {
      this.take(text.slice(this.line, end), end + 1);
      this.line = end + 1;
    }
    const last = text.slice(this.line, this.line + 8);
    if (this.blank && !this.fence && !this.maths && PARAGRAPH_BEGINS.test(last)) this.settle(this.line);
    return this.blockTo(text.length);
  }

  /** Is `text` what was fed, and more? Looking at the seam is enough: a message grows, or begins anew. */
  continues(text: string): boolean {
    const n = this.text.length;
    return text.length >= n && text.slice(Math.max(0, n - 64), n) === this.text.slice(-64);
  }

  private take(line: string, end: number): void {
    if (this.fence) return this.inFence(line, end);
    const fence = FENCE.exec(line);
    if (fence) return this.openFence(fence, end);
    if (MATHS_FENCE.test(line)) {
      this.startUnless(this.list);
      this.maths = !this.maths;
      this.blank = false;
      return;
    }
    if (this.maths) return;
    if (line.trim() === "") {
      this.blank = true;
      return;
    }
    if (this.blank && !/^\s/.test(line) && !(this.list && LIST.test(line))) this.settle(this.line);
    if (this.begin === this.line || this.text.slice(this.begin, this.line).trim() === "") this.list = LIST.test(line);
    this.blank = false;
  }

  private startUnless(goesOn: boolean): void {
    if (this.blank && !goesOn) this.settle(this.line);
  }

  private openFence([, indent = "", mark = "", lang = ""]: RegExpExecArray, end: number): void {
    // One that is indented in a list is the list's.
    const own = !(this.list && indent.length > 0);
    if (own) this.settle(this.line);
    this.fence = { mark, lang, from: end, own };
    this.blank = false;
  }

  private inFence(line: string, end: number): void {
    const { mark, lang, from, own } = this.fence!;
    const close = line.trim();
    if (close.length < mark.length || close[0] !== mark[0] || close !== mark[0]!.repeat(close.length)) return;
    this.fence = undefined;
    if (!own) return;
    this.settled.push({ kind: "code", lang, open: false, text: this.text.slice(from, Math.max(from, this.line - 1)) });
    this.begin = end;
    this.list = false;
  }

  private settle(at: number): void {
    const text = this.text.slice(this.begin, at);
    if (text.trim() !== "") this.settled.push({ kind: "text", text });
    this.begin = at;
    this.blank = this.list = false;
  }

  private blockTo(end: number): Block {
    if (this.fence?.own) return { kind: "code", lang: this.fence.lang, open: true, text: this.text.slice(this.fence.from, end) };
    return { kind: "text", text: this.text.slice(this.begin, end) };
  }
}

/** All blocks of a text that is complete. */
export function blocksOf(text: string): Block[] {
  const splitter = new Splitter();
  const last = splitter.feed(text.endsWith("\n") ? text : `${text}\n`);
  if (last.kind === "code") return [...splitter.settled, { ...last, open: false, text: last.text.replace(/\n$/, "") }];
  return last.text.trim() === "" ? splitter.settled : [...splitter.settled, last];
}
