// What the server says: in a bar below the graph, each a way to the node and the field that it is about.

import { useState } from "react";
import { count, duration, errorText, money } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { useWords } from "@/words/words";
import { fieldPath } from "./checks";
import { useChecks, useEditor, useTools } from "./context";
import { titleOf } from "./model";
import { words } from "./words";

export function Status() {
  const w = useWords(words);
  const { problems, fresh, error, valid } = useChecks();
  const errors = problems.filter((p) => p.severity === "error").length;
  const warnings = problems.length - errors;
  if (error) return <span className="chip" data-tone="warm"><Icon name="warn" size={12} />{w.unchecked}</span>;
  if (!fresh && problems.length === 0) return <span className="chip"><span className="spinner" aria-hidden="true" />{w.checking}</span>;
  if (valid && !warnings) return <span className="chip" data-tone="good" title={w.checked}><Icon name="check" size={12} />{w.noProblems}</span>;
  return (
    <>
      {errors > 0 && <span className="chip" data-tone="bad"><Icon name="warn" size={12} />{w.errors(errors)}</span>}
      {warnings > 0 && <span className="chip" data-tone="warm"><Icon name="warn" size={12} />{w.warnings(warnings)}</span>}
      {errors + warnings === 0 && <span className="chip"><span className="spinner" aria-hidden="true" />{w.checking}</span>}
    </>
  );
}

export function ProblemBar() {
  const w = useWords(words);
  const { reveal } = useTools();
  const { problems, error, fresh } = useChecks();
  const flow = useEditor((s) => s.flow);
  const [open, setOpen] = useState(true);
  return (
    <section className="problem-bar" aria-label={w.problems} data-testid="problems" data-fresh={fresh || undefined}>
      <div className="problem-head">
        <div className="row" role="status"><Status /></div>
        <EstimateLine />
        {problems.length > 0 && <button type="button" className="quiet small" aria-expanded={open} onClick={() => setOpen(!open)}>{w.problems}<Icon name={open ? "down" : "up"} size={12} /></button>}
      </div>
      {error ? <p className="field-warning">{errorText(error)}</p> : null}
      {open && problems.length > 0 && (
        <ul>
          {problems.map((p) => (
            <li key={p.path + p.code + p.message}>
              <button type="button" onClick={() => reveal(p.node_id, fieldPath(p))} data-testid="problem">
                <span className="mark-problem" data-severity={p.severity}><Icon name="warn" size={12} /></span>
                <span><strong>{p.node_id ? titleOf(flow, p.node_id) : w.about}</strong> {p.message}</span>
              </button>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function EstimateLine() {
  const w = useWords(words);
  const { estimate } = useChecks();
  if (!estimate) return <span className="faint estimate">{w.noEstimate}</span>;
  const warnings = estimate.warnings.map((x) => x.message).join("\n");
  return (
    <span className="faint estimate" title={[w.estimateAbout, warnings].filter(Boolean).join("\n\n")} data-testid="estimate">
      ≈ {count(estimate.tokens.total)} {w.tokens} · {estimate.cost_usd === null ? w.unknownCost : estimate.cost_usd === 0 ? "$0" : money(estimate.cost_usd)} · {duration(estimate.seconds * 1000)}
    </span>
  );
}
