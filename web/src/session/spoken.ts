// Which runs have something to show in the conversation. Those that have nothing to say (start, parallel,
// transform) are to be seen in the graph; here they would be noise.

import type { WorkflowNode } from "@sluice/client";
import type { RunView } from "./model";

const SPEAKS_SOON = new Set(["llm", "agent", "script", "tool"]);

export const isSpoken = (run: RunView, node: WorkflowNode | undefined): boolean =>
  run.items.length > 0 || run.error !== undefined || (run.status === "running" && SPEAKS_SOON.has(node?.type ?? ""));
