// The library: every workflow, what can be done with it.

import { Suspense, useState, useSyncExternalStore, type DragEvent } from "react";
import { keepPreviousData, useQuery, useQueryClient } from "@tanstack/react-query";
import type { Workflow } from "@sluice/client";
import { useApp, useMay } from "@/app/context";
import { href, setQuery } from "@/app/route";
import { useShortcuts } from "@/app/shortcuts";
import type { ViewProps } from "@/app/views";
import { ApiError, client } from "@/client/http";
import { download } from "@/ui/download";
import { ago, errorText, moment, words } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { SearchField } from "@/ui/kit/catalog";
import { Loaded } from "@/ui/kit/loaded";
import { Menu } from "@/ui/kit/menu";
import { Empty, Page } from "@/ui/kit/page";
import { More, usePages } from "@/ui/kit/pages";
import { RemoveDialog } from "@/ui/kit/remove";
import { toast } from "@/ui/kit/toast";
import { late } from "@/ui/late";
import { carriesFiles } from "@/ui/text-file";
import { common } from "@/words/common";
import { useWords, wordsNow } from "@/words/words";
import { ImportButton, useImport } from "./import";
import { SaveTemplate } from "../templates/save-template";
import { importWords, libraryWords } from "./words";
import "./workflows.css";

const GenerateDialog = late(() => import("./generate"));
const RUNS = 200;

export type WorkflowRow = Workflow & { type?: string | null };
type Doing = { what: "remove" | "template"; workflow: WorkflowRow } | { what: "generate" };

/** When a run of each was last started, as far back as the newest sessions tell. */
function useLastRuns(): Map<string, string> {
  const { list } = useApp();
  const moves = useSyncExternalStore(list.subscribe, () => list.get().moves);
  const { data } = useQuery({
    queryKey: ["sessions", "last-runs", moves], placeholderData: keepPreviousData,
    queryFn: async ({ signal }) => {
      const last = new Map<string, string>();
      for (const s of (await client.listSessions({ limit: RUNS }, { signal })).items) {
        if (s.workflow_id && s.created_at && !last.has(s.workflow_id)) last.set(s.workflow_id, s.created_at);
      }
      return last;
    },
  });
  return data ?? new Map();
}

async function exportFile(workflow: WorkflowRow, format: "yaml" | "json", as: "native" | "staged" = "native"): Promise<void> {
  try {
    const file = await client.exportWorkflow(workflow.id, { format, as });
    const text = typeof file === "string" ? file : `${JSON.stringify(file, null, 2)}\n`;
    download(`${workflow.id}${as === "staged" ? ".staged" : ""}.${format}`, text, format === "yaml" ? "application/yaml" : "application/json");
  } catch (err) {
    toast(`${wordsNow(libraryWords).exportFailed} ${err instanceof ApiError && err.code === "conflict" ? err.message : errorText(err)}`, "bad");
  }
}

export default function WorkflowsView({ query }: ViewProps) {
  const w = useWords(libraryWords);
  const i = useWords(importWords);
  const mayEdit = useMay()("editor");
  const q = query.get("q") ?? "";
  const type = query.get("type") ?? "";
  const pages = usePages<WorkflowRow>(["workflows", "library", q, type], (cursor, signal) =>
    client.listWorkflows({ q: q || null, type: type || null, cursor, limit: 50 }, { signal }) as Promise<{ items: WorkflowRow[]; next_cursor: string | null }>);
  const [doing, setDoing] = useState<Doing>();
  const { take, dialog } = useImport();
  useShortcuts(mayEdit ? [{ keys: "n", what: w.create, run: () => { location.hash = href.editor(); } }] : []);
  const onDrop = (e: DragEvent) => { if (carriesFiles(e.dataTransfer)) { e.preventDefault(); if (mayEdit) void take(e.dataTransfer.files[0]); } };
  const create = mayEdit && (
    <>
      <button type="button" onClick={() => setDoing({ what: "generate" })} data-testid="generate"><Icon name="llm" size={14} />{w.fromSentence}</button>
      <ImportButton label={i.import} />
      <a className="button primary" href={href.editor()} data-testid="new"><Icon name="plus" size={14} />{w.create}</a>
    </>
  );
  const none = pages.items?.length === 0 && !q && !type;
  return (
    <Page title={w.title} about={w.about} actions={none ? undefined : create}>
      <div onDragOver={(e) => { if (carriesFiles(e.dataTransfer)) e.preventDefault(); }} onDrop={onDrop}>
        {!mayEdit && <p className="hint">{w.viewer}</p>}
        {none ? (
          <Empty title={w.emptyTitle} action={<div className="row">{create}<a className="button" href={href.templates()}>{w.fromTemplate}</a></div>}><p>{w.empty}</p></Empty>
        ) : (
          <>
            <Filters q={q} type={type} />
            <Loaded query={pages.query}>{() => (pages.items?.length ? <Table rows={pages.items} onDo={setDoing} /> : <Nothing />)}</Loaded>
            <More pages={pages} />
            {mayEdit && <p className="faint drop-hint">{i.dropHere}</p>}
          </>
        )}
      </div>
      {dialog}
      {doing?.what === "remove" && <Remove workflow={doing.workflow} onClose={() => setDoing(undefined)} />}
      {doing?.what === "template" && <SaveTemplate workflow={doing.workflow} onClose={() => setDoing(undefined)} />}
      {doing?.what === "generate" && <Suspense fallback={null}><GenerateDialog onClose={() => setDoing(undefined)} /></Suspense>}
    </Page>
  );
}

function Filters({ q, type }: { q: string; type: string }) {
  const w = useWords(libraryWords);
  const types = useQuery({
    queryKey: ["workflows", "types"],
    queryFn: async ({ signal }) => [...new Set((await client.listWorkflows({ limit: 500 }, { signal })).items.flatMap((x) => (x as WorkflowRow).type ?? []))].sort(),
  });
  return (
    <div className="toolbar">
      <div className="grow"><SearchField q={q} label={w.search} /></div>
      <label>{w.type}
        <select value={type} onChange={(e) => setQuery({ type: e.target.value })}>
          <option value="">{w.allTypes}</option>
          {[...new Set([...(types.data ?? []), ...(type ? [type] : [])])].map((t) => <option key={t} value={t}>{words(t)}</option>)}
        </select>
      </label>
    </div>
  );
}

function Nothing() {
  const w = useWords(libraryWords);
  return <div className="empty"><p>{w.nothing}</p><button type="button" onClick={() => { location.hash = href.workflows(); }}>{w.clear}</button></div>;
}

function Table({ rows, onDo }: { rows: WorkflowRow[]; onDo: (doing: Doing) => void }) {
  const w = useWords(libraryWords);
  const c = useWords(common);
  const last = useLastRuns();
  return (
    <div className="table-wrap library">
      <table className="data-table">
        <thead><tr><th>{w.name}</th><th>{w.type}</th><th>{w.version}</th><th>{w.updated}</th><th>{w.lastRun}</th><th><span className="sr">{c.edit}</span></th></tr></thead>
        <tbody>{rows.map((row) => <Row key={row.id} row={row} used={last.get(row.id)} onDo={onDo} />)}</tbody>
      </table>
    </div>
  );
}

function Row({ row, used, onDo }: { row: WorkflowRow; used?: string; onDo: (doing: Doing) => void }) {
  const w = useWords(libraryWords);
  const may = useMay();
  const name = row.name ?? words(row.id);
  return (
    <tr data-testid={`row-${row.id}`}>
      <td className="library-name"><a href={href.workflow(row.id)}>{name}</a><span className="faint">{row.description ?? row.id}</span></td>
      <td>{row.type && <span className="chip">{words(row.type)}</span>}</td>
      <td><a className="plain-link" href={href.versions(row.id)}>{w.versions(row.version ?? 1)}</a></td>
      <td title={moment(row.updated_at)}>{ago(row.updated_at)}</td>
      <td title={moment(used)}>{used ? ago(used) : <span className="faint">{w.never}</span>}</td>
      <td className="actions">
        <span className="library-tools">
          {may("operator") && <a className="button small" href={href.workflow(row.id)} aria-label={`${w.run}: ${name}`}><Icon name="play" size={13} />{w.run}</a>}
          {may("editor") && <a className="button small" href={href.editor(row.id)} aria-label={`${w.edit}: ${name}`}><Icon name="edit" size={13} />{w.edit}</a>}
          <Menu label={w.more(name)} testId={`more-${row.id}`}>
            <a href={href.versions(row.id)}>{w.showVersions}</a>
            <button type="button" onClick={() => void exportFile(row, "yaml")} data-testid="export-yaml">{w.exportYaml}</button>
            <button type="button" onClick={() => void exportFile(row, "json")} data-testid="export-json">{w.exportJson}</button>
            <button type="button" onClick={() => void exportFile(row, "yaml", "staged")}>{w.exportStaged}</button>
            {may("editor") && <button type="button" onClick={() => onDo({ what: "template", workflow: row })} data-testid="as-template">{w.asTemplate}</button>}
            {may("editor") && <button type="button" className="danger" onClick={() => onDo({ what: "remove", workflow: row })} data-testid="remove">{w.remove}</button>}
          </Menu>
        </span>
      </td>
    </tr>
  );
}

function Remove({ workflow, onClose }: { workflow: WorkflowRow; onClose: () => void }) {
  const w = useWords(libraryWords);
  const queries = useQueryClient();
  const name = workflow.name ?? workflow.id;
  const run = async () => {
    try {
      await client.deleteWorkflow(workflow.id, { ifMatch: workflow.version });
      toast(wordsNow(libraryWords).removed(name));
      onClose();
    } finally {
      void queries.invalidateQueries({ queryKey: ["workflows"] });
    }
  };
  return <RemoveDialog title={w.removeTitle(name)} about={<><p>{w.removeAbout(workflow.version ?? 1)}</p><p>{w.scheduled}</p></>} run={run} onClose={onClose} />;
}
