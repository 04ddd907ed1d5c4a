// What is shown once and never again: a key, a secret.

import { useEffect, useRef } from "react";
import { Copy } from "./copy";
import "./once.css";

interface Props { title: string; about: string; text: string; done: string; onDone: () => void }

export function Once({ title, about, text, done, onDone }: Props) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => box.current?.focus(), []);
  return (
    <div className="once" role="group" aria-label={title} tabIndex={-1} ref={box} data-testid="once">
      <strong>{title}</strong>
      <p>{about}</p>
      <div className="once-text"><code data-testid="once-text">{text}</code><Copy text={text} testId="once-copy" /></div>
      <div><button type="button" className="small" onClick={onDone} data-testid="once-done">{done}</button></div>
    </div>
  );
}
