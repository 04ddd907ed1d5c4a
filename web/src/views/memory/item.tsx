// One piece of what is remembered: what it says, whose it is, and what can be done with it.

import { useState } from "react";
import { useQueryClient } from "@tanstack/react-query";
import type { Memory, MemoryTier } from "@sluice/client";
import { useMay } from "@/app/context";
import { href } from "@/app/route";
import { client } from "@/client/http";
import { ago, moment } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { Confirm } from "@/ui/kit/dialog";
import { Check } from "@/ui/kit/field";
import { Menu } from "@/ui/kit/menu";
import { toast } from "@/ui/kit/toast";
import { useLang, useWords } from "@/words/words";
import { memoryWords } from "./words";

export type Found = Memory & { score?: number; text_score?: number; vector_score?: number };

const TIERS: MemoryTier[] = ["quarantine", "working", "long_term"];
const LONG = 420;

export function MemoryItem({ item: m }: { item: Found }) {
  const w = useWords(memoryWords);
  useLang();
  const [open, setOpen] = useState(false);
  const long = m.content.length > LONG;
  return (
    <li className="card memory" data-testid="memory" data-tier={m.tier}>
      {m.score !== undefined && <Score item={m} />}
      <p className="memory-text">{long && !open ? `${m.content.slice(0, LONG)}…` : m.content}</p>
      {long && <button type="button" className="quiet small" aria-expanded={open} onClick={() => setOpen(!open)}>{open ? w.less : w.more}</button>}
      <div className="memory-foot">
        <span className="chip" data-tone={m.tier === "quarantine" ? "warm" : m.tier === "working" ? "good" : undefined} title={w.tierAbout[m.tier]}>
          <Icon name={m.tier === "quarantine" ? "pause" : m.tier === "working" ? "dot" : "memory"} size={12} />{w.tiers[m.tier]}
        </span>
        <span className="faint memory-facts">
          <a href={href.groups(m.group_id)}>{m.group_id}</a>
          {m.agent_id && <a href={href.agents(m.agent_id)}>{m.agent_id}</a>}
          {m.session_id && <a href={href.session(m.session_id)}>{w.session}</a>}
          {m.chunks > 1 && <span>{w.whole(m.chunks)}</span>}
          {m.hits > 0 && <span>{w.hits(m.hits)}</span>}
          <span title={moment(m.created_at)}>{ago(m.created_at)}</span>
        </span>
        <Actions item={m} />
      </div>
    </li>
  );
}

function Score({ item: m }: { item: Found }) {
  const w = useWords(memoryWords);
  const percent = Math.round((m.score ?? 0) * 100);
  return (
    <p className="memory-score faint">
      <span>{w.score}</span><meter min={0} max={100} value={percent} aria-label={w.score} /><strong>{percent} %</strong>
      <span>{m.vector_score === undefined ? w.byWords : w.byBoth}</span><span>{m.source === "hot" ? w.hot : w.cold}</span>
    </p>
  );
}

function Actions({ item: m }: { item: Found }) {
  const w = useWords(memoryWords);
  const may = useMay();
  const queries = useQueryClient();
  const [asking, setAsking] = useState(false);
  const [whole, setWhole] = useState(m.chunks > 1);
  const refresh = () => void queries.invalidateQueries({ queryKey: ["memories"] });
  if (!may("editor")) return null;
  const move = async (tier: MemoryTier) => {
    try {
      const { changed } = await client.promoteMemory(m.chunks > 1 ? m.source_id : m.id, { tier });
      toast(w.moved(changed));
      refresh();
    } catch (err) {
      toast((err as Error).message, "bad");
    }
  };
  const forget = async () => {
    await client.deleteMemory(whole && m.chunks > 1 ? m.source_id : m.id);
    toast(w.forgotten);
    refresh();
  };
  return (
    <span className="memory-actions">
      {m.tier === "quarantine" && <button type="button" className="small" onClick={() => void move("working")} data-testid="release"><Icon name="check" size={13} />{w.release}</button>}
<Menu label={w.move} icon="transform" testId="move">
        {TIERS.filter((t) => t !== m.tier).map((t) => <button key={t} type="button" onClick={() => void move(t)}>{w.tiers[t]}</button>)}
      </Menu>
      <button type="button" className="small danger" onClick={() => setAsking(true)} data-testid="forget"><Icon name="trash" size={13} />{w.forget}</button>
      {asking && (
        <Confirm title={w.forgetTitle} action={w.forget} danger onConfirm={forget} onClose={() => setAsking(false)}>
          <p>{w.forgetAbout}</p>
          {m.chunks > 1 && <Check label={w.forgetWhole(m.chunks)} checked={whole} onChange={setWhole} />}
        </Confirm>
      )}
    </span>
  );
}
