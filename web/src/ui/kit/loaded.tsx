// What is read from the server: on its way, there, old, or failed - each is said.

import { useEffect, useState, type ReactNode } from "react";
import type { UseQueryResult } from "@tanstack/react-query";
import { useLink } from "@/app/context";
import { clock, errorText } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { common } from "@/words/common";
import { useWords } from "@/words/words";

// Shown earlier, a spinner only flickers.
const PATIENCE_MS = 300;

export function Waiting({ text }: { text?: string }) {
  const c = useWords(common);
  const [late, setLate] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setLate(true), PATIENCE_MS);
    return () => clearTimeout(timer);
  }, []);
  return <p className="hint" role="status">{late && <><span className="spinner" aria-hidden="true" /> {text ?? c.loading}</>}</p>;
}

export function ErrorText({ error, what }: { error: unknown; what?: string }) {
  if (!error) return null;
  return <p className="field-error" role="alert"><Icon name="warn" size={13} />{what && <strong>{what}</strong>}{errorText(error)}</p>;
}

interface Props<T> {
  query: UseQueryResult<T>;
  children: (data: T) => ReactNode;
  /** While it loads, in place of "Loading…". */
  waiting?: string;
}

export function Loaded<T>({ query, children, waiting }: Props<T>) {
  const c = useWords(common);
  const live = useLink().state === "live"; // else the shell says it for the whole screen
  const { data, error } = query;
  if (data === undefined) {
    return error ? (
      <div className="empty" role="alert">
        <p>{errorText(error)}</p>
        <button type="button" onClick={() => void query.refetch()} disabled={query.isFetching}>{c.again}</button>
      </div>
    ) : <Waiting text={waiting} />;
  }
  return (
    <>
      {error && live && <p className="banner" data-tone="warn" role="status"><Icon name="warn" />{c.staleSince(clock(query.dataUpdatedAt))}</p>}
      {children(data)}
    </>
  );
}
