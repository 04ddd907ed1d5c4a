// Several nodes are selected.

import { useState } from "react";
import { Icon } from "@/ui/icons";
import { common } from "@/words/common";
import { useWords } from "@/words/words";
import { useEditor, useTools } from "./context";
import { copyText } from "./clipboard";
import { duplicateSelected, removeSelected } from "./keys";
import { titleOf } from "./model";
import { words } from "./words";

export function SeveralForm({ ids }: { ids: readonly string[] }) {
  const w = useWords(words);
  const c = useWords(common);
  const { store } = useTools();
  const flow = useEditor((s) => s.flow);
  const [copied, setCopied] = useState(false);
  // Only there where the page is served over HTTPS or from this machine; the keys for copying work everywhere.
  const clipboard = navigator.clipboard as Clipboard | undefined;
  const copy = () => void clipboard?.writeText(copyText(flow, ids)).then(() => setCopied(true), () => undefined);
  return (
    <section className="inspect" aria-label={w.severalSelected(ids.length)} data-testid="several-form">
      <header className="inspect-head"><h2 id="inspect-title" tabIndex={-1}>{w.severalSelected(ids.length)}</h2></header>
      <ul className="names">{ids.map((id) => <li key={id}>{titleOf(flow, id)}</li>)}</ul>
      <div className="row">
        <button type="button" onClick={() => duplicateSelected(store)}><Icon name="copy" size={13} />{w.duplicate}</button>
        {clipboard && <button type="button" onClick={copy}>{copied ? w.copiedNodes(ids.length) : w.copyNodes}</button>}
        <button type="button" className="danger" onClick={() => removeSelected(store)}><Icon name="trash" size={13} />{c.remove}</button>
      </div>
    </section>
  );
}
