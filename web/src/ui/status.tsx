// How a state looks: always a shape and a word, never a colour alone.

import { statusWords } from "@/words/common";
import { useLang, wordsNow } from "@/words/words";
import { Icon } from "./icons";

const SHAPES: Record<string, string> = {
  pending: "dot", running: "dot", completed: "check", failed: "cross", skipped: "skip", suspended: "pause",
  paused: "pause", cancelled: "stop", pausing: "dot", resuming: "dot", cancelling: "dot",
};

/** In the language of the moment: a component that shows it must render again with the language (useLang). */
export const statusWord = (status: string): string => {
  const known = wordsNow(statusWords);
  return known[status] ?? (status ? status[0]?.toUpperCase() + status.slice(1).replaceAll("_", " ") : known.unknown ?? "");
};

export function StatusDot({ status }: { status: string }) {
  return (
    <span className="status-dot" data-status={status}>
      <Icon name={SHAPES[status] ?? "dot"} size={12} />
    </span>
  );
}

export function StatusPill({ status, testId }: { status: string; testId?: string }) {
  useLang();
  return (
    <span className="status-pill" data-status={status} data-testid={testId}>
      <StatusDot status={status} />
      {statusWord(status)}
    </span>
  );
}
