// A button that copies a text, and says that it has.

import { useEffect, useState } from "react";
import { common } from "@/words/common";
import { useWords } from "@/words/words";

const SAID_MS = 1500;

export function Copy({ text, label, className = "quiet small" }: { text: () => string; label?: string; className?: string }) {
  const c = useWords(common);
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), SAID_MS);
    return () => clearTimeout(timer);
  }, [copied]);
  const copy = async () => {
    await navigator.clipboard.writeText(text());
    setCopied(true);
  };
  return <button type="button" className={className} onClick={() => void copy()} aria-label={copied ? undefined : label}>{copied ? c.copied : c.copy}</button>;
}
