// The versions of a workflow: what changed between two, and the way back to an old one.

import { Suspense, useState } from "react";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import type { JsonObject, Workflow } from "@sluice/client";
import { useMay } from "@/app/context";
import { href, setQuery } from "@/app/route";
import type { ViewProps } from "@/app/views";
import { ApiError, client } from "@/client/http";
import { moment, words } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { Confirm } from "@/ui/kit/dialog";
import { Loaded, Waiting } from "@/ui/kit/loaded";
import { Page } from "@/ui/kit/page";
import { More, usePages } from "@/ui/kit/pages";
import { Tabs } from "@/ui/kit/tabs";
import { toast } from "@/ui/kit/toast";
import { late } from "@/ui/late";
import { useWords, wordsNow } from "@/words/words";
import { ChangeList } from "./changes";
import { compareWorkflows } from "./compare";
import { Preview } from "./preview";
import { versionWords } from "./version-words";
import "./workflows.css";

const Diff = late(async () => ({ default: (await import("@/ui/diff")).Diff }));

type Row = Workflow & { created_at?: string };

/** What does not change any more: a version is kept as it is. */
const useVersion = (id: string, version: number | undefined) => useQuery({
  queryKey: ["workflows", id, "version", version], enabled: version !== undefined, staleTime: Infinity,
  queryFn: async ({ signal }) => (await client.getWorkflow(id, { version: version! }, { signal })) as unknown as { graph: JsonObject },
});

const useYaml = (id: string, version: number, enabled: boolean) => useQuery({
  queryKey: ["workflows", id, "yaml", version], enabled, staleTime: Infinity,
  queryFn: async ({ signal }) => String(await client.exportWorkflow(id, { format: "yaml", version }, { signal })),
});

const whole = (text: string | null): number | undefined => (text && /^\d+$/.test(text) ? Number(text) : undefined);

export default function VersionsView({ params, query }: ViewProps) {
  const w = useWords(versionWords);
  const id = params.id!;
  const pages = usePages<Row>(["workflows", id, "versions"], (cursor, signal) =>
    client.listWorkflowVersions(id, { cursor, limit: 50 }, { signal }) as Promise<{ items: Row[]; next_cursor: string | null }>);
  const rows = pages.items ?? [];
  const newest = rows[0]?.version ?? 1;
  const b = whole(query.get("b")) ?? newest;
  const a = whole(query.get("a")) ?? Math.max(1, b - 1);
  const name = rows[0]?.name ?? words(id);
  if (pages.query.error instanceof ApiError && pages.query.error.status === 404) {
    return <Page title={w.title(words(id))}><div className="empty" role="alert"><h2>{w.gone(id)}</h2><p>{w.goneAbout}</p><a className="button" href={href.workflows()}>{w.library}</a></div></Page>;
  }
  return (
    <Page title={w.title(name)} about={w.about} actions={<><a className="button" href={href.workflows()}>{w.library}</a><a className="button" href={href.editor(id)}><Icon name="edit" size={14} />{w.edit}</a></>}>
      <Loaded query={pages.query}>
        {() => (
          <div className="versions">
            <section aria-label={w.list}>
              <ul className="version-list" data-testid="versions">
                {rows.map((row) => <VersionRow key={row.version} id={id} row={row} newest={newest} a={a} b={b} />)}
              </ul>
              <More pages={pages} />
            </section>
            {newest > 1 ? <Compared key={`${a}/${b}`} id={id} a={a} b={b} tab={query.get("tab") ?? "changes"} /> : <Single id={id} version={newest} />}
          </div>
        )}
      </Loaded>
    </Page>
  );
}

function Single({ id, version }: { id: string; version: number }) {
  const w = useWords(versionWords);
  const query = useVersion(id, version);
  return (
    <section className="compared">
      <p className="hint">{w.single}</p>
      <Loaded query={query}>{({ graph }) => <div className="two-graphs"><Preview workflow={graph as unknown as Workflow} label={w.version(version)} /></div>}</Loaded>
    </section>
  );
}

function VersionRow({ id, row, newest, a, b }: { id: string; row: Row; newest: number; a: number; b: number }) {
  const w = useWords(versionWords);
  const may = useMay();
  const [restoring, setRestoring] = useState(false);
  const n = row.version ?? 1;
  const pick = (change: { a?: number; b?: number }) => setQuery({ a, b, ...change });
  return (
    <li data-chosen={n === a || n === b || undefined} data-testid={`version-${n}`}>
      <span><strong>{w.version(n)}</strong> {n === newest && <span className="chip">{w.newest}</span>}<br /><span className="faint">{moment(row.updated_at ?? row.created_at)}</span></span>
      {newest > 1 && (
        <span className="version-picks">
          <label><input type="radio" name="version-a" aria-label={w.pickFrom(n)} checked={n === a} onChange={() => pick({ a: n })} />{w.from}</label>
          <label><input type="radio" name="version-b" aria-label={w.pickTo(n)} checked={n === b} onChange={() => pick({ b: n })} />{w.to}</label>
        </span>
      )}
      <span className="version-tools">
        {may("operator") && <a className="button small" href={href.workflow(id, undefined, n === newest ? undefined : n)}><Icon name="play" size={13} />{w.run}</a>}
        {may("editor") && n !== newest && <button type="button" className="small" onClick={() => setRestoring(true)} data-testid={`restore-${n}`}>{w.restore}</button>}
      </span>
      {restoring && <Restore id={id} version={n} newest={newest} onClose={() => setRestoring(false)} />}
    </li>
  );
}

function Restore({ id, version, newest, onClose }: { id: string; version: number; newest: number; onClose: () => void }) {
  const w = useWords(versionWords);
  const queries = useQueryClient();
  const restore = async () => {
    const old = await client.getWorkflow(id, { version }) as unknown as { graph: JsonObject };
    try {
      const stored = await client.putWorkflow(id, old.graph, { ifMatch: newest });
      toast(wordsNow(versionWords).restored(stored.version ?? newest + 1));
      setQuery({ a: newest, b: stored.version ?? newest + 1 });
    } catch (err) {
      if (err instanceof ApiError && err.status === 412) throw new Error(wordsNow(versionWords).stale);
      throw err;
    } finally {
      void queries.invalidateQueries({ queryKey: ["workflows"] });
    }
  };
  return <Confirm title={w.restoreTitle(version)} action={w.restoreDo} onConfirm={restore} onClose={onClose}><p>{w.restoreAbout(newest + 1)}</p></Confirm>;
}

function Compared({ id, a, b, tab }: { id: string; a: number; b: number; tab: string }) {
  const w = useWords(versionWords);
  const before = useVersion(id, a);
  const after = useVersion(id, b);
  const shown = (
    <Loaded query={before}>{(x) => (
      <Loaded query={after}>{(y) => <Shown id={id} a={a} b={b} tab={tab} before={x.graph as unknown as Workflow} after={y.graph as unknown as Workflow} />}</Loaded>
    )}</Loaded>
  );
  return (
    <section className="compared" aria-label={w.compare}>
      <h2>{w.version(a)} → {w.version(b)}</h2>
      <Tabs label={w.compare} chosen={tab} onChoose={(to) => setQuery({ tab: to })}
        tabs={[{ id: "changes", label: w.changes }, { id: "text", label: w.text, testId: "tab-text" }, { id: "graphs", label: w.graphs, testId: "tab-graphs" }]}>{shown}</Tabs>
    </section>
  );
}

function Shown({ id, a, b, tab, before, after }: { id: string; a: number; b: number; tab: string; before: Workflow; after: Workflow }) {
  const w = useWords(versionWords);
  if (tab === "text") return <TextDiff id={id} a={a} b={b} />;
  if (tab === "graphs") return <div className="two-graphs"><Preview workflow={before} label={w.version(a)} /><Preview workflow={after} label={w.version(b)} /></div>;
  return <ChangeList changes={compareWorkflows(before, after)} before={before} after={after} />;
}

function TextDiff({ id, a, b }: { id: string; a: number; b: number }) {
  const w = useWords(versionWords);
  const before = useYaml(id, a, true);
  const after = useYaml(id, b, true);
  return (
    <Loaded query={before}>{(x) => <Loaded query={after}>{(y) => (
      <Suspense fallback={<Waiting />}><Diff before={x} after={y} beforeLabel={w.version(a)} afterLabel={w.version(b)} /></Suspense>
    )}</Loaded>}</Loaded>
  );
}
