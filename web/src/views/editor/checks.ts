// What the server says about the workflow as it stands: its errors and warnings, and, when there are none of the
// former, what a run will probably take. Asked a moment after the last change; an answer to an older question is dropped.

import { useEffect, useMemo, useState } from "react";
import type { Estimate, Issue } from "@sluice/client";
import { client } from "@/client/http";
import type { Flow } from "./model";

const CHECK_MS = 300;
const ESTIMATE_MS = 500;

export interface Problem extends Issue { severity: "error" | "warning" }

export interface Checks {
  /** Of this very document; else the answer is still on its way. */
  fresh: boolean;
  problems: readonly Problem[];
  valid: boolean | undefined;
  error?: unknown;
  estimate?: Estimate;
}

interface Answer { flow: Flow; problems: Problem[]; valid?: boolean; error?: unknown }

export function useServerChecks(flow: Flow): Checks {
  const [answer, setAnswer] = useState<Answer>();
  const [estimate, setEstimate] = useState<{ flow: Flow; estimate: Estimate }>();
  const [tries, setTries] = useState(0);
  useEffect(() => {
    const aborter = new AbortController();
    const timer = setTimeout(() => {
      client.validateWorkflow(flow, { signal: aborter.signal }).then((v) => {
        const problems = [
          ...v.errors.map((e): Problem => ({ ...e, severity: "error" })), ...v.warnings.map((e): Problem => ({ ...e, severity: "warning" })),
        ];
        setAnswer({ flow, problems, valid: v.valid });
      }, (error: unknown) => {
        if (aborter.signal.aborted) return;
        setAnswer((was) => ({ flow, problems: was?.problems ?? [], error }));
        setTimeout(() => setTries((n) => n + 1), 5_000);
      });
    }, answerDelay(answer, flow));
    return () => {
      clearTimeout(timer);
      aborter.abort();
    };
    // The answer itself is no reason to ask again.
  }, [flow, tries]);
  const valid = answer?.flow === flow ? answer.valid : undefined;
  useEffect(() => {
    if (!valid) return;
    const aborter = new AbortController();
    const timer = setTimeout(() => {
      client.estimate({ graph: flow }, { signal: aborter.signal }).then((e) => setEstimate({ flow, estimate: e }), () => {
        if (!aborter.signal.aborted) setEstimate(undefined);
      });
    }, ESTIMATE_MS);
    return () => {
      clearTimeout(timer);
      aborter.abort();
    };
  }, [flow, valid]);
  return useMemo(() => ({
    fresh: answer?.flow === flow, problems: answer?.problems ?? [], valid, error: answer?.error,
    // The last estimate stays while a new one is made, but not beside errors.
    estimate: valid === undefined || valid ? estimate?.estimate : undefined,
  }), [answer, estimate, flow, valid]);
}

const answerDelay = (answer: Answer | undefined, flow: Flow) => (answer && answer.flow !== flow ? CHECK_MS : 0);

/** The worst that is said about each node. */
export function marksOf(problems: readonly Problem[]): Map<string, { severity: Problem["severity"]; count: number }> {
  const marks = new Map<string, { severity: Problem["severity"]; count: number }>();
  for (const p of problems) {
    if (!p.node_id) continue;
    const was = marks.get(p.node_id);
    marks.set(p.node_id, { severity: was?.severity === "error" ? "error" : p.severity, count: (was?.count ?? 0) + 1 });
  }
  return marks;
}

/** The path of a problem inside of its node: "properties.cases[0].when". */
export function fieldPath(problem: Issue): string {
  const prefix = problem.node_id ? `nodes.${problem.node_id}` : "";
  return prefix && problem.path.startsWith(prefix) ? problem.path.slice(prefix.length).replace(/^\./, "") : problem.path;
}

/** Those at a field: at its path, or below it. */
export const problemsAt = (problems: readonly Problem[], path: string): Problem[] =>
  problems.filter((p) => {
    const at = fieldPath(p);
    return at === path || at.startsWith(`${path}.`) || at.startsWith(`${path}[`);
  });
