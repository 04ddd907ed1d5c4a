// A node's properties, as its kind has them.

import { useEffect, useState, type ReactNode } from "react";
import type { Json, JsonSchema } from "@sluice/client";
import { count, kindName, money, words as nameOf } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { Waiting } from "@/ui/kit/loaded";
import { common } from "@/words/common";
import { useWords } from "@/words/words";
import { ArrowsOut, NodeSelect } from "./arrows";
import { fieldPath, problemsAt, type Problem } from "./checks";
import { useChecks, useEditor, useTools } from "./context";
import { JsonControl, PropField } from "./fields";
import { ID, nodeOf, propsOf, setNodeIn, textOf, titleOf, typeOf } from "./model";
import { duplicate, removeNodes, renameNode } from "./ops";
import { propWords } from "./prop-words";
import { Row } from "./row";
import { partsOf, useKindSchemas } from "./schema";
import { words } from "./words";

const RETRY: JsonSchema = { anyOf: [{ $ref: "#/$defs/retry" }, { type: "null" }] };
const NUMBER: JsonSchema = { type: "integer", minimum: 1 };
const TEXT: JsonSchema = { type: "string" };

export function NodeForm({ id }: { id: string }) {
  const w = useWords(words);
  const c = useWords(common);
  const { store, connectFrom } = useTools();
  const flow = useEditor((s) => s.flow);
  const { problems } = useChecks();
  const node = nodeOf(flow, id);
  if (!node) return null;
  const mine = problems.filter((p) => p.node_id === id);
  const kind = typeOf(node);
  const copy = () => {
    const made = duplicate(store.get().flow, [id]);
    if (made.ids.length) store.run(() => made.flow, { select: made.ids });
  };
  return (
    <section className="inspect" aria-label={titleOf(flow, id)} data-testid="node-form">
      <header className="inspect-head">
        <span className="step-icon"><Icon name={kind} /></span>
        <div className="grow"><h2 id="inspect-title" tabIndex={-1}>{titleOf(flow, id)}</h2><p className="faint">{kindName(kind)}</p></div>
        {kind !== "end" && <button type="button" className="quiet square small" title={w.connectTo} aria-label={w.connectTo} onClick={() => connectFrom(id)}><Icon name="link" size={14} /></button>}
        {kind !== "start" && <button type="button" className="quiet square small" title={w.duplicate} aria-label={w.duplicate} onClick={copy}><Icon name="copy" size={14} /></button>}
        <button type="button" className="quiet square small" title={c.remove} aria-label={`${c.remove}: ${titleOf(flow, id)}`} onClick={() => store.run((f) => removeNodes(f, [id]), { select: [] })} data-testid="delete-node"><Icon name="trash" size={14} /></button>
      </header>
      <NodeProblems problems={mine} />
      <Naming id={id} />
      <Properties id={id} kind={kind} problems={mine} />
      <ArrowsOut id={id} problems={mine} />
      <Settings id={id} kind={kind} problems={mine} />
      <NodeEstimate id={id} />
    </section>
  );
}

// Problems that belong to no field of the form stand at its head.
const AT_FIELDS = /^(properties\..|next_ids|routes|when|join|retry|timeout_ms|on_error|name)/;

function NodeProblems({ problems }: { problems: readonly Problem[] }) {
  const own = problems.filter((p) => !AT_FIELDS.test(fieldPath(p)) || fieldPath(p) === "");
  if (!own.length) return null;
  return <div className="node-problems">{own.map((p) => <p key={p.path + p.message} className={p.severity === "error" ? "field-error" : "field-warning"}><Icon name="warn" size={13} />{p.message}</p>)}</div>;
}

function Naming({ id }: { id: string }) {
  const w = useWords(words);
  const c = useWords(common);
  const { store } = useTools();
  const flow = useEditor((s) => s.flow);
  const [wanted, setWanted] = useState(id);
  useEffect(() => setWanted(id), [id]);
  const error = wanted === id ? undefined : !ID.test(wanted) ? w.badId : nodeOf(flow, wanted) ? w.takenId : undefined;
  // References follow when the new id is whole, not letter by letter.
  const rename = () => {
    if (error || wanted === id) return setWanted(id);
    store.run((f) => renameNode(f, id, wanted), { select: [wanted] });
  };
  return (
    <div className="grid-2">
      <div className="field"><label htmlFor="node-name">{c.name}</label>
        <input id="node-name" value={textOf(nodeOf(flow, id)?.name)} placeholder={nameOf(id)} data-testid="node-name" onChange={(e) => store.run((f) => setNodeIn(f, id, ["name"], e.target.value || undefined), { key: `name-${id}` })} />
      </div>
      <div className="field"><label htmlFor="node-id">{w.idOf}</label>
        <input id="node-id" className="code" value={wanted} aria-invalid={error ? true : undefined} aria-describedby={error ? "node-id-error" : undefined} spellCheck={false} data-testid="node-id" onChange={(e) => setWanted(e.target.value)} onBlur={rename}
          onKeyDown={(e) => { if (e.key === "Enter") rename(); if (e.key === "Escape") setWanted(id); }} />
        {error && <p className="field-error" id="node-id-error">{error}</p>}
      </div>
    </div>
  );
}

function Properties({ id, kind, problems }: { id: string; kind: string; problems: readonly Problem[] }) {
  const w = useWords(words);
  const { store } = useTools();
  const flow = useEditor((s) => s.flow);
  const schemas = useKindSchemas();
  const props = propsOf(nodeOf(flow, id));
  if (!schemas.data) return schemas.error ? null : <Waiting />;
  const known = schemas.data.kinds.get(kind)?.properties ?? {};
  // A property that the kind does not have is shown as well: the server says what is wrong with it.
  const unknown = Object.keys(props).filter((name) => !known[name]);
  const { first, more } = partsOf(kind, Object.keys(known));
  const field = (name: string) => {
    const path = `properties.${name}`;
    const set = (value: Json | undefined) => store.run((f) => setNodeIn(f, id, ["properties", name], value), { key: `${id}/${path}` });
    const rest = { path, name, value: props[name], onChange: set, problems: problemsAt(problems, path), self: id };
    return known[name] ? <PropField key={`${id}/${name}`} schema={known[name]} {...rest} /> : <JsonControl key={`${id}/${name}`} label={nameOf(name)} schema={{}} {...rest} />;
  };
  const inUse = more.filter((name) => props[name] !== undefined || problemsAt(problems, `properties.${name}`).length);
  return (
    <>
      {first.map(field)}
      {unknown.map(field)}
      {more.length > 0 && <Fold title={w.moreProps} note={inUse.length} key={id}>{more.map(field)}</Fold>}
    </>
  );
}

function Fold({ title, note, children }: { title: string; note?: number; children: ReactNode }) {
  return (
    <details className="fold" open={note ? true : undefined}>
      <summary><Icon name="chevron" size={13} />{title}{note ? <span className="chip">{note}</span> : null}</summary>
      <div className="fold-body">{children}</div>
    </details>
  );
}

const SETTINGS = ["when", "join", "retry", "timeout_ms", "on_error"];

function Settings({ id, kind, problems }: { id: string; kind: string; problems: readonly Problem[] }) {
  const w = useWords(words);
  const { store } = useTools();
  const node = useEditor((s) => nodeOf(s.flow, id));
  if (kind === "start" || !node) return null;
  const set = (name: string) => (value: Json | undefined) => store.run((f) => setNodeIn(f, id, [name], value), { key: `${id}/${name}` });
  const field = (name: string, schema: JsonSchema) =>
    <PropField key={name} path={name} name={name} schema={schema} value={node[name]} onChange={set(name)} problems={problemsAt(problems, name)} self={id} />;
  const inUse = SETTINGS.filter((s) => node[s] !== undefined || problemsAt(problems, s).length).length;
  return (
    <Fold title={w.setting} note={inUse} key={id}>
      {field("when", TEXT)}
      <JoinField id={id} value={node.join} onChange={set("join")} problems={problemsAt(problems, "join")} />
      <ErrorField id={id} value={node.on_error} onChange={set("on_error")} problems={problemsAt(problems, "on_error")} />
      {field("retry", RETRY)}
      {field("timeout_ms", NUMBER)}
    </Fold>
  );
}

interface SettingProps { id: string; value: Json | undefined; onChange: (v: Json | undefined) => void; problems: readonly Problem[] }

function JoinField({ value, onChange, problems }: SettingProps) {
  const w = useWords(words);
  const n = useWords(propWords);
  const number = typeof value === "number";
  return (
    <Row path="join" label={n.join ?? ""} problems={problems}>{(control) => (
      <span className="arrow-row">
        <select {...control} value={number ? "n" : textOf(value)} onChange={(e) => onChange(e.target.value === "n" ? 2 : e.target.value || undefined)}>
          <option value="">{w.joinAll}</option><option value="any">{w.joinAny}</option><option value="n">{w.joinN}</option>
          {value === "all" && <option value="all">{w.joinAll}</option>}
        </select>
        {number && <input type="number" min={1} aria-label={w.joinN} value={value} onChange={(e) => onChange(Number(e.target.value) || undefined)} />}
      </span>
    )}</Row>
  );
}

function ErrorField({ id, value, onChange, problems }: SettingProps) {
  const w = useWords(words);
  const n = useWords(propWords);
  const text = textOf(value);
  const goes = text !== "" && text !== "fail" && text !== "continue";
  return (
    <Row path="on_error" label={n.on_error ?? ""} problems={problems}>{(control) => (
      <span className="arrow-row">
        <select {...control} value={goes ? "to" : text} onChange={(e) => e.target.value !== "to" && onChange(e.target.value || undefined)}>
          <option value="">{w.onErrorFail}</option><option value="continue">{w.onErrorContinue}</option>
          {text === "fail" && <option value="fail">{w.onErrorFail}</option>}
          {goes && <option value="to">{w.wError}</option>}
        </select>
        <NodeSelect label={w.wError} value={goes ? text : ""} none={w.nowhere} but={id} onChange={(to) => onChange(to || undefined)} />
      </span>
    )}</Row>
  );
}

function NodeEstimate({ id }: { id: string }) {
  const w = useWords(words);
  const { estimate } = useChecks();
  const own = estimate?.nodes.find((n) => n.node_id === id);
  if (!own || own.calls === 0) return null;
  return <p className="faint">{w.estimate}: {w.runs(count(own.runs))}, {count(own.tokens.total)} {w.tokens}{own.cost_usd === null ? `, ${w.unknownCost}` : own.cost_usd > 0 ? `, ${money(own.cost_usd)}` : ""}</p>;
}
