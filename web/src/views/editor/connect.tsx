// "Connect to…": an arrow without a mouse, and the question what an arrow is to mean where it may mean several things.

import { useState } from "react";
import { kindName } from "@/ui/format";
import { Dialog } from "@/ui/kit/dialog";
import { SelectField } from "@/ui/kit/field";
import { common } from "@/words/common";
import { useWords } from "@/words/words";
import { useEditor, useTools } from "./context";
import { connect, linksFrom, waysFrom } from "./links";
import { nodeOf, titleOf, typeOf } from "./model";
import { orderOf } from "./order";
import { wayWord, words } from "./words";

/** The ways worth asking about: an error's way is never what a drawn arrow means at first. */
export const mainWays = (ways: readonly string[]): string[] => ways.filter((way) => way !== "error");

export function ConnectDialog({ from, to: given, onClose }: { from: string; to?: string; onClose: () => void }) {
  const w = useWords(words);
  const c = useWords(common);
  const { store } = useTools();
  const flow = useEditor((s) => s.flow);
  const ways = waysFrom(flow, from);
  const type = typeOf(nodeOf(flow, from));
  const [to, setTo] = useState(given ?? "");
  const [way, setWay] = useState(ways[0] ?? "next");
  const targets = orderOf(flow).filter((id) => id !== from && typeOf(nodeOf(flow, id)) !== "start");
  const submit = () => {
    if (!to) return;
    store.run((f) => connect(f, from, to, way));
    store.select([], { from, to });
    onClose();
  };
  const known = new Map(linksFrom(flow, from).map((l) => [l.way, l.to]));
  const wayText = (x: string) => {
    const now = known.get(x);
    return now && x !== "next" ? `${wayWord(w, x, type)} (→ ${titleOf(flow, now)})` : wayWord(w, x, type);
  };
  return (
    <Dialog title={w.connectTitle(titleOf(flow, from))} onClose={onClose}>
      <form onSubmit={(e) => { e.preventDefault(); submit(); }} data-testid="connect-form">
        <div className="dialog-body stack">
          <SelectField label={w.target} value={to} onChange={setTo} testId="connect-to"
            options={[["", w.chooseTarget], ...targets.map((id) => [id, `${titleOf(flow, id)} · ${kindName(typeOf(nodeOf(flow, id)))}`] as const)]} />
          {ways.length > 1 && <SelectField label={w.meaning} value={way} onChange={setWay} testId="connect-way" options={ways.map((x) => [x, wayText(x)] as const)} />}
          {ways.length === 0 && <p>{w.noWays}</p>}
        </div>
        <div className="dialog-actions">
          <button type="button" onClick={onClose}>{c.cancel}</button>
          <button type="submit" className="primary" disabled={!to || ways.length === 0} data-testid="connect-do">{w.connect}</button>
        </div>
      </form>
    </Dialog>
  );
}
