// The page's one policy of trusted types, which the server's content-security policy demands: without it no string
// becomes a script, a worker's address or markup. Must be loaded before anything else.

interface Policy {
  createScriptURL?: (url: string) => string;
  createHTML?: (text: string, type: string, sink: string) => string;
}
interface Factory { createPolicy: (name: "default", policy: Policy) => unknown }

const OURS = /^\/ui\/assets\/[\w.-]+\.js$/;

/** A worker is one of the page's own files. */
function ownScript(url: string): string {
  const { origin, pathname } = new URL(url, location.href);
  if (origin !== location.origin || (import.meta.env.PROD && !OURS.test(pathname))) throw new TypeError(`not a script of this page: ${url}`);
  return url;
}

/** A parsed document runs nothing and is shown by nobody: what is made of it goes through React. */
function parsedOnly(text: string, _type: string, sink: string): string {
  if (!sink.startsWith("DOMParser")) throw new TypeError(`markup from a string, for ${sink}`);
  return text;
}

(globalThis as { trustedTypes?: Factory }).trustedTypes?.createPolicy("default", { createScriptURL: ownScript, createHTML: parsedOnly });
