// Deletes what others may use: the server says by whom, and it can be deleted all the same.

import { useState, type ReactNode } from "react";
import type { Json } from "@sluice/client";
import { ApiError } from "@/client/http";
import { common } from "@/words/common";
import { dict, useWords } from "@/words/words";
import { Dialog } from "./dialog";
import { ErrorText } from "./loaded";

const words = dict({
  en: {
    inUse: "It is in use:", anyway: "Delete it anyway", groups: "Groups", workflows: "Workflows", templates: "Templates",
    memories: "Memories", sessions: "Running sessions", stale: "Somebody else has changed it meanwhile. Look at it again before you delete it.",
  },
  zh: {
    inUse: "它正被使用：", anyway: "仍然删除", groups: "小组", workflows: "流程", templates: "模板",
    memories: "记忆", sessions: "运行中的会话", stale: "其他人刚刚更改了它。请先重新查看，再决定是否删除。",
  },
});

type Kind = "groups" | "workflows" | "templates" | "memories" | "sessions";
const KINDS: Kind[] = ["groups", "workflows", "templates", "memories", "sessions"];

function usersOf(details: Json): [Kind, string][] {
  const used = details && typeof details === "object" && !Array.isArray(details) ? details.used_by : undefined;
  if (!used || typeof used !== "object" || Array.isArray(used)) return [];
  return KINDS.flatMap((kind): [Kind, string][] => {
    const value = used[kind];
    const text = Array.isArray(value) ? value.map(String).join(", ") : typeof value === "number" && value > 0 ? String(value) : "";
    return text ? [[kind, text]] : [];
  });
}

interface Props {
  title: string;
  about: ReactNode;
  /** What is lost when it is deleted though it is in use. */
  detachAbout?: ReactNode;
  run: (detach: boolean) => Promise<void>;
  onClose: () => void;
}

export function RemoveDialog({ title, about, detachAbout, run, onClose }: Props) {
  const c = useWords(common);
  const w = useWords(words);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const inUse = error instanceof ApiError && error.code === "in_use" ? error : undefined;
  const stale = error instanceof ApiError && error.status === 412;
  const remove = async () => {
    setBusy(true);
    setError(undefined);
    try {
      await run(inUse !== undefined);
    } catch (err) {
      setError(err);
      setBusy(false);
    }
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <div className="dialog-body">
        {inUse ? (
          <div role="alert" data-testid="in-use">
            <p>{w.inUse}</p>
            <dl className="facts-list">{usersOf(inUse.details).map(([kind, who]) => <div key={kind} className="fact"><dt>{w[kind]}</dt><dd>{who}</dd></div>)}</dl>
            {detachAbout && <p>{detachAbout}</p>}
          </div>
        ) : about}
      </div>
      {!inUse && (stale ? <p className="field-error" role="alert">{w.stale}</p> : <ErrorText error={error} />)}
      <div className="dialog-actions">
        <button type="button" autoFocus onClick={onClose}>{c.cancel}</button>
        <button type="button" className="danger filled" disabled={busy || stale} onClick={() => void remove()} data-testid="confirm">
          {busy && <span className="spinner" aria-hidden="true" />}{inUse ? w.anyway : c.remove}
        </button>
      </div>
    </Dialog>
  );
}
