// Text to take along: an id, a secret, an example.

import { useState } from "react";
import { Icon } from "@/ui/icons";
import { common } from "@/words/common";
import { useWords } from "@/words/words";
import { toast } from "./toast";

/** The clipboard needs a secure context; a server on a plain LAN address is none, and the old way still works there. */
async function copyText(text: string): Promise<void> {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "sr";
  (document.querySelector("dialog[open]") ?? document.body).append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (!done) throw new Error("copy");
}

export function Copy({ text, label, testId }: { text: string; label?: string; testId?: string }) {
  const c = useWords(common);
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    try {
      await copyText(text);
      setCopied(true);
      setTimeout(() => setCopied(false), 2000);
    } catch {
      toast(c.noCopy, "bad");
    }
  };
  return (
    <button type="button" className="small" onClick={() => void copy()} data-testid={testId} aria-label={label && !copied ? `${c.copy} ${label}` : undefined}>
      <Icon name={copied ? "check" : "copy"} size={13} /><span aria-live="polite">{copied ? c.copied : c.copy}</span>
    </button>
  );
}
