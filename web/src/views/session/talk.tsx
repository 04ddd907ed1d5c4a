// What the rows of the conversation share: how they are drawn, and what the reader has unfolded. A row that
// leaves the screen is taken out of the page; what was open in it is open when it comes back.

import { createContext, useContext, useState } from "react";

export interface Talk {
  plain: boolean;
  /** The node in the address, and its run that the conversation was sent to. */
  node?: string;
  marked?: string;
  unfolded: Map<string, number>;
}

export const TalkContext = createContext<Talk>({ plain: false, unfolded: new Map() });

export const useTalk = (): Talk => useContext(TalkContext);

/** How far something is unfolded, kept for as long as the conversation is open. */
export function useUnfolded(key: string): [number, (to: number) => void] {
  const { unfolded } = useTalk();
  const [state, setState] = useState(unfolded.get(key) ?? 0);
  return [state, (to) => {
    if (to) unfolded.set(key, to);
    else unfolded.delete(key);
    setState(to);
  }];
}

/** <details> that remembers. Its content is made only while it is open. */
export function Fold({ id, className, summary, live, children }: {
  id: string; className: string; summary: React.ReactNode; live?: boolean; children: () => React.ReactNode;
}) {
  const [open, setOpen] = useUnfolded(id);
  return (
    <details className={className} data-live={live || undefined} open={open > 0} onToggle={(e) => setOpen(e.currentTarget.open ? 1 : 0)}>
      <summary>{summary}</summary>
      {open > 0 && children()}
    </details>
  );
}
