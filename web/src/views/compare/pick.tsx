// Choosing a session to compare with.

import { useDeferredValue, useState } from "react";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { api } from "@/client/http";
import { ago, sessionTitle, words as named } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { Dialog } from "@/ui/kit/dialog";
import { Loaded } from "@/ui/kit/loaded";
import { StatusDot, statusWord } from "@/ui/status";
import { common } from "@/words/common";
import { useWords } from "@/words/words";
import { compareWords } from "./words";

export function PickSession({ title, onPick, onClose }: { title: string; onPick: (id: string) => void; onClose: () => void }) {
  const w = useWords(compareWords);
  const c = useWords(common);
  const [text, setText] = useState("");
  const q = useDeferredValue(text.trim());
  const query = useQuery({
    queryKey: ["sessions", "pick", q], placeholderData: keepPreviousData,
    queryFn: ({ signal }) => api.sessions({ q: q || undefined, limit: 30 }, signal),
  });
  return (
    <Dialog title={title} wide onClose={onClose}>
      <div className="pick">
        <div className="search">
          <Icon name="search" size={14} />
          <input type="search" autoFocus value={text} aria-label={w.search} placeholder={w.search} onChange={(e) => setText(e.target.value)} data-testid="pick-search" />
        </div>
        <Loaded query={query}>
          {(page) => page.items.length === 0 ? <p className="hint">{w.nothingFound}</p> : (
            <ul className="pick-list">
              {page.items.map((s) => (
                <li key={s.id}>
                  <button type="button" className="quiet" onClick={() => onPick(s.id)} data-testid={`pick-${s.id}`}>
                    <StatusDot status={s.status} /><span className="pick-name">{sessionTitle(s)}</span>
                    <span className="faint">{[s.workflow_id && named(s.workflow_id), statusWord(s.status), ago(s.created_at)].filter(Boolean).join(" · ")}</span>
                  </button>
                </li>
              ))}
            </ul>
          )}
        </Loaded>
      </div>
      <div className="dialog-actions"><button type="button" onClick={onClose}>{c.cancel}</button></div>
    </Dialog>
  );
}
