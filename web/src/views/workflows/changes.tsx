// The differences of two versions, in words: nodes, their fields, arrows, settings.

import type { Json, Workflow } from "@sluice/client";
import { kindName, nodeName } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { useWords } from "@/words/words";
import { isSame, type Arrow, type Changes, type FieldChange } from "./compare";
import { versionWords } from "./version-words";

interface Props { changes: Changes; before: Workflow; after: Workflow }

export function ChangeList({ changes, before, after }: Props) {
  const w = useWords(versionWords);
  if (isSame(changes)) return <p className="hint">{w.same}</p>;
  const name = (id: string) => nodeName(id, after.nodes?.[id] ?? before.nodes?.[id]);
  const nodes = (ids: string[], from: Workflow, icon: string) => (
    <ul>{ids.map((id) => <li key={id} className="row"><Icon name={icon} size={13} /><strong>{name(id)}</strong><code>{id}</code><span className="chip">{kindName(from.nodes?.[id]?.type)}</span></li>)}</ul>
  );
  return (
    <div data-testid="changes">
      {changes.added.length > 0 && <Set title={w.added(changes.added.length)}>{nodes(changes.added, after, "plus")}</Set>}
      {changes.removed.length > 0 && <Set title={w.removed(changes.removed.length)}>{nodes(changes.removed, before, "minus")}</Set>}
      {changes.changed.length > 0 && (
        <Set title={w.changed(changes.changed.length)}>
          <ul>{changes.changed.map((n) => <li key={n.id}><strong>{name(n.id)}</strong> <code>{n.id}</code><Fields list={n.fields} /></li>)}</ul>
        </Set>
      )}
      {changes.arrowsAdded.length + changes.arrowsRemoved.length > 0 && (
        <Set title={w.arrows}><ul>
          {changes.arrowsAdded.map((a) => <ArrowLine key={`+${a.from} ${a.to} ${a.label}`} arrow={a} sign="plus" word={w.arrowAdded} name={name} />)}
          {changes.arrowsRemoved.map((a) => <ArrowLine key={`-${a.from} ${a.to} ${a.label}`} arrow={a} sign="minus" word={w.arrowRemoved} name={name} />)}
        </ul></Set>
      )}
      {changes.settings.length > 0 && <Set title={w.settings}><ul><li><Fields list={changes.settings} /></li></ul></Set>}
    </div>
  );
}

function Set({ title, children }: { title: string; children: React.ReactNode }) {
  return <section className="change-set" aria-label={title}><h3>{title}</h3>{children}</section>;
}

function ArrowLine({ arrow, sign, word, name }: { arrow: Arrow; sign: string; word: string; name: (id: string) => string }) {
  return <li className="row"><Icon name={sign} size={13} /><span className="faint">{word}</span><span>{name(arrow.from)} → {name(arrow.to)}</span>{arrow.label && <span className="chip">{arrow.label}</span>}</li>;
}

const textOf = (value: Json): string => (typeof value === "string" ? value : JSON.stringify(value, null, 2));

function Fields({ list }: { list: FieldChange[] }) {
  const w = useWords(versionWords);
  return (
    <dl className="change-fields">
      {list.map((f) => (
        <div key={f.path}>
          <dt>{f.path}</dt>
          <dd>
            <span className="change-value" data-side="before" tabIndex={-1}><span aria-label={w.was} role="img">−</span><span>{f.before === undefined ? w.unset : textOf(f.before)}</span></span>
            <span className="change-value" data-side="after" tabIndex={-1}><span aria-label={w.is} role="img">+</span><span>{f.after === undefined ? w.unset : textOf(f.after)}</span></span>
          </dd>
        </div>
      ))}
    </dl>
  );
}
