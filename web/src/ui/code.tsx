// A text editor for code. It lives in a shadow root: there its styles are constructed sheets, which the content-security
// policy allows; anywhere else it would have to write <style> tags. The palette reaches it as custom properties do.

import { useEffect, useRef, useState } from "react";
import { flushSync } from "react-dom";
import { ErrorText } from "./kit/loaded";
import type { CodeView } from "./code-view";

export interface CodeProblem { line: number; message: string; severity: "error" | "warning" }

interface Props {
  value: string;
  onChange?: (value: string) => void;
  language?: "yaml" | "json" | "text";
  problems?: readonly CodeProblem[];
  readOnly?: boolean;
  label: string;
}

export function Code({ value, onChange, language = "text", problems, readOnly, label }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<CodeView>(undefined);
  const latest = useRef({ value, onChange });
  latest.current = { value, onChange };
  const [ready, setReady] = useState(false);
  const [error, setError] = useState<unknown>();
  useEffect(() => {
    const el = host.current;
    if (!el) return;
    let gone = false;
    const root = el.shadowRoot ?? el.attachShadow({ mode: "open" });
    import("./code-view").then(({ openCode }) => {
      if (gone) return;
      // At once: were the text handed back a moment later, a letter typed meanwhile would be taken away again.
      const told = (text: string) => flushSync(() => latest.current.onChange?.(text));
      view.current = openCode(root, { value: latest.current.value, language, readOnly, label, onChange: told });
      setReady(true);
    }, setError);
    return () => {
      gone = true;
      view.current?.close();
      view.current = undefined;
      setReady(false);
    };
  }, [language, readOnly, label]);
  useEffect(() => view.current?.setValue(value), [value, ready]);
  useEffect(() => view.current?.setProblems(problems ?? []), [problems, ready, value]);
  return <><ErrorText error={error} /><div className="code-editor" ref={host} data-testid="code" data-ready={ready || undefined} /></>;
}
