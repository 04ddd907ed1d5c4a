// The arrows of a node as a form: where they lead, what they mean, the cases of a switch, the order of steps.

import { useRef, type ReactNode } from "react";
import type { Json, JsonObject } from "@sluice/client";
import { kindName } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { useWords } from "@/words/words";
import { problemsAt, type Problem } from "./checks";
import { useEditor, useTools } from "./context";
import { connect, disconnect, linksFrom, linksOf, redirect, remean, waysFrom, type Link } from "./links";
import { isObject, nodeOf, propsOf, setNodeIn, textOf, textsOf, titleOf, typeOf, type Flow } from "./model";
import { stepsOf } from "./ops";
import { orderOf } from "./order";
import { InsertReference } from "./references";
import { wayWord, words } from "./words";

export function NodeSelect({ value, onChange, label, none, but }: { value: string; onChange: (id: string) => void; label: string; none?: string; but?: string }) {
  const flow = useEditor((s) => s.flow);
  const ids = orderOf(flow).filter((id) => id === value || (id !== but && typeOf(nodeOf(flow, id)) !== "start"));
  return (
    <select aria-label={label} value={value} onChange={(e) => onChange(e.target.value)}>
      {(none !== undefined || !value) && <option value="">{none ?? ""}</option>}
      {value && !nodeOf(flow, value) && <option value={value}>{value}</option>}
      {ids.map((id) => <option key={id} value={id}>{titleOf(flow, id)} · {kindName(typeOf(nodeOf(flow, id)))}</option>)}
    </select>
  );
}

/** Where this node leads, one row for each arrow. Cases of a switch have their own form. */
export function ArrowsOut({ id, problems }: { id: string; problems: readonly Problem[] }) {
  const w = useWords(words);
  const { store, connectFrom } = useTools();
  const flow = useEditor((s) => s.flow);
  const type = typeOf(nodeOf(flow, id));
  if (type === "end") return null;
  const isCase = (l: Link) => type === "switch" && (l.way === "default" || l.way.startsWith("case:"));
  const isOrdered = (l: Link) => l.way === "step" || l.way === "member";
  const links = linksFrom(flow, id).filter((l) => !isCase(l) && !isOrdered(l) && l.way !== "error");
  const said = [...problemsAt(problems, "next_ids"), ...problemsAt(problems, "routes")];
  return (
    <fieldset className="arrows" data-field="next_ids">
      <legend>{w.arrowsOut}</legend>
      {type === "switch" && <Cases id={id} problems={problems} />}
      {(type === "sequence" || type === "map") && <Members id={id} />}
      {links.length === 0 && type !== "switch" && <p className="faint">{w.noArrows}</p>}
      {links.map((l) => (
        <div key={l.way + l.to} className="arrow-row">
          <WaySelect flow={flow} link={l} onChange={(way) => store.run((f) => remean(f, l, way))} />
          <NodeSelect label={`${wayWord(w, l.way, type)}: ${w.leadsTo}`} value={l.to} but={id} onChange={(to) => to && store.run((f) => redirect(f, l, to))} />
          <button type="button" className="quiet square small" aria-label={`${w.removeLink}: ${titleOf(flow, l.to)}`} onClick={() => store.run((f) => disconnect(f, l))}><Icon name="close" size={13} /></button>
        </div>
      ))}
      {said.map((p) => <p key={p.path + p.message} className={p.severity === "error" ? "field-error" : "field-warning"}>{p.message}</p>)}
      <button type="button" className="small" onClick={() => connectFrom(id)} data-testid="connect-button"><Icon name="link" size={13} />{w.connectTo}</button>
    </fieldset>
  );
}

function WaySelect({ flow, link, onChange }: { flow: Flow; link: Link; onChange: (way: string) => void }) {
  const w = useWords(words);
  const type = typeOf(nodeOf(flow, link.from));
  const ways = waysFrom(flow, link.from).filter((x) => x !== "step" && x !== "member");
  const all = ways.includes(link.way) ? ways : [link.way, ...ways];
  return (
    <select aria-label={w.meaning} value={link.way} onChange={(e) => onChange(e.target.value)}>
      {all.map((x) => <option key={x} value={x}>{wayWord(w, x, type)}</option>)}
    </select>
  );
}

function Cases({ id, problems }: { id: string; problems: readonly Problem[] }) {
  const w = useWords(words);
  const { store } = useTools();
  const flow = useEditor((s) => s.flow);
  const p = propsOf(nodeOf(flow, id));
  const cases = Array.isArray(p.cases) ? p.cases : [];
  const put = (next: Json[], key?: string) => store.run((f) => setNodeIn(f, id, ["properties", "cases"], next), { key });
  const change = (i: number, member: JsonObject, key?: string) => put(cases.map((c, j) => (i === j ? { ...(isObject(c) ? c : {}), ...member } : c)), key);
  const move = (i: number, by: number) => {
    const next = [...cases];
    next.splice(i + by, 0, ...next.splice(i, 1));
    put(next);
  };
  return (
    <>
      {cases.map((c, i) => {
        const said = problemsAt(problems, `properties.cases[${i}]`);
        return (
          <div key={i} className="case" data-field={`properties.cases[${i}]`}>
            <Expression self={id} label={w.caseIf(i + 1)} value={isObject(c) ? textOf(c.when) : ""} bad={said.length > 0} onChange={(when) => change(i, { when }, `case-${id}-${i}`)} />
            <div className="arrow-row">
              <NodeSelect label={w.caseTo(i + 1)} value={isObject(c) ? textOf(c.to) : ""} but={id} onChange={(to) => change(i, { to })} />
              <button type="button" className="quiet square small" aria-label={`${w.moveUp}: ${w.wCase(i + 1)}`} disabled={i === 0} onClick={() => move(i, -1)}><Icon name="up" size={13} /></button>
              <button type="button" className="quiet square small" aria-label={w.removeCase(i + 1)} onClick={() => put(cases.filter((_, j) => j !== i))}><Icon name="close" size={13} /></button>
            </div>
            {said.map((x) => <p key={x.path + x.message} className={x.severity === "error" ? "field-error" : "field-warning"}>{x.message}</p>)}
          </div>
        );
      })}
      <button type="button" className="small" onClick={() => put([...cases, { when: "", to: textOf(p.default) }])}><Icon name="plus" size={13} />{w.addCase}</button>
      <div className="arrow-row" data-field="properties.default">
        <span>{w.otherwise}</span>
        <NodeSelect label={w.otherwise} value={textOf(p.default)} none={w.nowhere} but={id} onChange={(to) => store.run((f) => setNodeIn(f, id, ["properties", "default"], to || undefined))} />
      </div>
    </>
  );
}

export function Expression({ self, label, value, bad, onChange }: { self?: string; label: string; value: string; bad?: boolean; onChange: (text: string) => void }) {
  const field = useRef<HTMLTextAreaElement>(null);
  return (
    <div className="prop">
      <div className="prop-head"><span aria-hidden="true">{label}</span><InsertReference self={self} field={field} template={false} onInsert={onChange} /></div>
      <textarea ref={field} aria-label={label} className="code" rows={1} spellCheck={false} aria-invalid={bad || undefined} value={value} onChange={(e) => onChange(e.target.value)} />
    </div>
  );
}

/** Steps of a sequence, members of a map: in their order. */
function Members({ id }: { id: string }) {
  const w = useWords(words);
  const { store } = useTools();
  const flow = useEditor((s) => s.flow);
  const isSequence = typeOf(nodeOf(flow, id)) === "sequence";
  const member = isSequence ? "steps" : "body";
  const list = isSequence ? stepsOf(flow, id) : textsOf(propsOf(nodeOf(flow, id)).body);
  const put = (next: string[]) => store.run((f) => setNodeIn(f, id, ["properties", member], next));
  const up = (i: number) => put([...list.slice(0, i - 1), list[i]!, list[i - 1]!, ...list.slice(i + 1)]);
  return (
    <div className="members" data-field={`properties.${member}`}>
      <span>{isSequence ? w.wStep : w.members}</span>
      <ol>
        {list.map((m, i) => (
          <li key={m} className="arrow-row">
            <span className="grow">{titleOf(flow, m)}</span>
            <button type="button" className="quiet square small" aria-label={`${w.moveUp}: ${titleOf(flow, m)}`} disabled={i === 0} onClick={() => up(i)}><Icon name="up" size={13} /></button>
            <button type="button" className="quiet square small" aria-label={w.remove(titleOf(flow, m))} onClick={() => put(list.filter((x) => x !== m))}><Icon name="close" size={13} /></button>
          </li>
        ))}
      </ol>
      <NodeSelect label={`${w.addStep}: ${isSequence ? w.wStep : w.members}`} value="" none={`+ ${w.addStep}`} but={id}
        onChange={(to) => to && store.run((f) => connect(f, id, to, isSequence ? "step" : "member"))} />
    </div>
  );
}

/** A selected arrow: what it means, where it leads. */
export function LinkForm({ from, to }: { from: string; to: string }): ReactNode {
  const w = useWords(words);
  const { store } = useTools();
  const flow = useEditor((s) => s.flow);
  const links = linksOf(flow).filter((l) => l.from === from && l.to === to);
  return (
    <section className="inspect" aria-label={w.arrow(titleOf(flow, from), titleOf(flow, to))} data-testid="link-form">
      <header className="inspect-head"><h2>{titleOf(flow, from)} → {titleOf(flow, to)}</h2></header>
      {links.map((l) => (
        <div key={l.way} className="arrow-row">
          {l.way === "step" || l.way === "member" ? <span className="grow">{wayWord(w, l.way)}</span>
            : <WaySelect flow={flow} link={l} onChange={(way) => store.run((f) => remean(f, l, way))} />}
          <NodeSelect label={w.leadsTo} value={l.to} but={l.from} onChange={(next) => {
            if (!next) return;
            store.run((f) => redirect(f, l, next));
            store.select([], { from, to: next });
          }} />
          <button type="button" className="quiet square small" aria-label={`${w.removeLink}: ${wayWord(w, l.way)}`} onClick={() => store.run((f) => disconnect(f, l))}><Icon name="close" size={13} /></button>
        </div>
      ))}
      <p className="faint">{w.insertAbout}</p>
      <div className="row">
        <button type="button" className="small danger" onClick={() => removeLinks(store, links)} data-testid="remove-link"><Icon name="trash" size={13} />{w.removeLink}</button>
      </div>
    </section>
  );
}

export function removeLinks(store: { run: (c: (f: Flow) => Flow) => void }, links: readonly Link[]): void {
  // From behind, for the number of a case changes with those before it.
  store.run((f) => [...links].reverse().reduce(disconnect, f));
}
