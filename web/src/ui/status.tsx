// How a state looks: always a shape and a word, never a colour alone.

import { Icon } from "./icons";

const SHAPES: Record<string, string> = {
  pending: "dot", running: "dot", completed: "check", failed: "cross", skipped: "skip", suspended: "pause",
  paused: "pause", cancelled: "stop", pausing: "dot", resuming: "dot", cancelling: "dot",
};
const WORDS: Record<string, string> = { suspended: "Waiting", skipped: "Skipped", pausing: "Pausing…", resuming: "Resuming…", cancelling: "Cancelling…" };

export const statusWord = (status: string): string =>
  WORDS[status] ?? (status ? status[0]?.toUpperCase() + status.slice(1).replaceAll("_", " ") : "Unknown");

export function StatusDot({ status }: { status: string }) {
  return (
    <span className="status-dot" data-status={status}>
      <Icon name={SHAPES[status] ?? "dot"} size={12} />
    </span>
  );
}

export function StatusPill({ status, testId }: { status: string; testId?: string }) {
  return (
    <span className="status-pill" data-status={status} data-testid={testId}>
      <StatusDot status={status} />
      {statusWord(status)}
    </span>
  );
}
