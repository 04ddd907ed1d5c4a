// What can be done with the sessions that are selected. It stands at the foot, so that nothing moves when it comes.

import { useState } from "react";
import type { Session } from "@sluice/client";
import { useApp, useMay } from "@/app/context";
import { href } from "@/app/route";
import { client } from "@/client/http";
import { errorText } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { Confirm } from "@/ui/kit/dialog";
import { Check } from "@/ui/kit/field";
import { toast } from "@/ui/kit/toast";
import { useWords } from "@/words/words";
import { runBulk, summary, type Act } from "./bulk";
import { words } from "./words";

const CALLS: Record<Act, (id: string, force: boolean) => Promise<unknown>> = {
  pause: (id) => client.pauseSession(id),
  resume: (id) => client.resumeSession(id),
  cancel: (id) => client.cancelSession(id),
  remove: (id, force) => client.deleteSession(id, { query: { force } }),
};

interface Props {
  selected: Session[];
  /** What stays selected afterwards. */
  onDone: (left: string[]) => void;
}

export function BulkBar({ selected, onDone }: Props) {
  const w = useWords(words);
  const may = useMay();
  const [asking, setAsking] = useState<"cancel" | "remove">();
  const { progress, run } = useBulk(selected, onDone);
  const n = selected.length;
  const busy = progress !== undefined;
  const why = may("operator") ? undefined : w.noRole;
  const button = (act: Act, icon: string, text: string, onClick: () => void) => (
    <button type="button" className={`small ${act === "remove" ? "danger" : ""}`} disabled={busy || Boolean(why)} title={why} data-testid={`bulk-${act}`} onClick={onClick}><Icon name={icon} size={13} />{text}</button>
  );
  return (
    <div className="bulk-bar" role="toolbar" aria-label={w.selection} data-testid="bulk-bar">
      <strong role="status">{busy ? <><span className="spinner" aria-hidden="true" /> {w.working(progress, n)}</> : w.selected(n)}</strong>
      {button("pause", "pause", w.pause, () => void run("pause"))}
      {button("resume", "play", w.resume, () => void run("resume"))}
      {button("cancel", "stop", w.cancel, () => setAsking("cancel"))}
      {button("remove", "trash", w.remove, () => setAsking("remove"))}
      {n === 2 ? <a className="button small" href={href.compare(selected[0]!.id, selected[1]!.id)} data-testid="bulk-compare"><Icon name="fork" size={13} />{w.compare}</a>
        : <button type="button" className="small" disabled title={w.compareTwo}><Icon name="fork" size={13} />{w.compare}</button>}
      <button type="button" className="small" disabled={n !== 1} title={n === 1 ? undefined : w.exportOne} data-testid="bulk-export" onClick={() => void download(selected[0]!.id)}><Icon name="download" size={13} />{w.exportFile}</button>
      <button type="button" className="small quiet" onClick={() => onDone([])} data-testid="bulk-clear">{w.unselect}</button>
      {asking === "cancel" && <Confirm title={w.cancelTitle(n)} action={w.cancelDo(n)} danger onClose={() => setAsking(undefined)} onConfirm={() => run("cancel")}><p>{w.cancelBody}</p></Confirm>}
      {asking === "remove" && <Remove n={n} onClose={() => setAsking(undefined)} onConfirm={(force) => run("remove", force)} />}
    </div>
  );
}

function useBulk(selected: Session[], onDone: (left: string[]) => void) {
  const w = useWords(words);
  const { list } = useApp();
  const [progress, setProgress] = useState<number>();
  const run = async (act: Act, force = false) => {
    setProgress(0);
    const results = await runBulk(selected.map((s) => s.id), (id) => CALLS[act](id, force), setProgress);
    setProgress(undefined);
    const bad = results.some((r) => r.what === "failed" || r.what === "refused" || r.what === "needs");
    toast(summary(act, results, w), bad ? "bad" : "good");
    list.touch();
    // What could not be done stays selected: something else may be tried with it.
    onDone(results.filter((r) => !["done", "gone", "ended"].includes(r.what)).map((r) => r.id));
  };
  return { progress, run };
}

function Remove({ n, onConfirm, onClose }: { n: number; onConfirm: (force: boolean) => Promise<void>; onClose: () => void }) {
  const w = useWords(words);
  const [force, setForce] = useState(false);
  return (
    <Confirm title={w.removeTitle(n)} action={w.removeDo(n)} danger onClose={onClose} onConfirm={() => onConfirm(force)}>
      <p>{w.removeBody}</p>
      <Check label={w.removeForce} checked={force} onChange={setForce} testId="remove-force" />
    </Confirm>
  );
}

async function download(id: string): Promise<void> {
  try {
    const text = await client.exportSession(id);
    const url = URL.createObjectURL(new Blob([text], { type: "application/x-ndjson" }));
    const link = document.createElement("a");
    link.href = url;
    link.download = `session-${id}.jsonl`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  } catch (err) {
    toast(errorText(err), "bad");
  }
}
