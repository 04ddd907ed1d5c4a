// Choose a workflow or a template, fill in what it asks for, start.

import { Suspense, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { useQuery } from "@tanstack/react-query";
import type { TemplateItem } from "@sluice/client";
import { useApp, useMay } from "@/app/context";
import type { ViewProps } from "@/app/views";
import { ApiError, api, client } from "@/client/http";
import { errorText } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { Empty, Page } from "@/ui/kit/page";
import { Waiting } from "@/ui/kit/loaded";
import { late } from "@/ui/late";
import { ImportButton } from "@/views/workflows/import";
import { common } from "@/words/common";
import { useWords } from "@/words/words";
import { entriesOf, type Entry, type WorkflowItem } from "./entries";
import { Picker } from "./picker";
import { Setup } from "./setup";
import type { SourceRef } from "./source";
import { DEMO, Welcome } from "./welcome";
import { startWords } from "./words";
import "./start.css";

const GenerateDialog = late(() => import("@/views/workflows/generate"));

export const TEMPLATES_MAX = 500;

async function allTemplates(signal: AbortSignal): Promise<TemplateItem[]> {
  const items: TemplateItem[] = [];
  for await (const t of client.each<TemplateItem>("listTemplates", { limit: 100 }, { signal })) if (items.push(t) >= TEMPLATES_MAX) break;
  return items;
}

function useLists() {
  const { list } = useApp();
  const state = useSyncExternalStore(list.subscribe, list.get);
  const query = useQuery({
    queryKey: ["workflows", "start"],
    queryFn: async ({ signal }) => {
      const [workflows, templates] = await Promise.all([api.workflows(), allTemplates(signal)]);
      return { workflows: workflows as WorkflowItem[], templates };
    },
  });
  // Runs that start meanwhile must not move the list under the hand.
  const sessions = useRef(state.items);
  const known = !state.loading || state.items.length > 0 || Boolean(state.error);
  const settled = useRef(false);
  if (!settled.current && known) { settled.current = true; sessions.current = state.items; }
  const lists = useMemo(() => (query.data && known ? entriesOf(query.data.workflows, query.data.templates, sessions.current) : undefined), [query.data, known]);
  const unfiltered = !state.filter.q && !state.filter.status;
  return { query, lists, isNew: known && !state.error && unfiltered && state.items.length === 0 };
}

const refOf = (e: Entry): SourceRef => ({ kind: e.kind, id: e.id });

function demoOf(lists: { workflows: Entry[]; templates: Entry[] }): SourceRef | undefined {
  const demo = [...lists.workflows, ...lists.templates].find((e) => e.id === DEMO) ?? lists.templates[0];
  return demo && refOf(demo);
}

/** What the address names, or what is first in the list when it names nothing. */
function useChosen(params: Record<string, string>, query: URLSearchParams, lists: ReturnType<typeof useLists>["lists"]): SourceRef | undefined {
  const first = useRef<SourceRef>(undefined);
  if (params.workflowId) {
    const version = Number(query.get("version"));
    return { kind: "workflow", id: params.workflowId, ...(Number.isInteger(version) && version > 0 ? { version } : {}) };
  }
  if (params.templateId) return { kind: "template", id: params.templateId };
  const entry = lists && [...lists.recent, ...lists.workflows, ...lists.templates][0];
  if (!first.current && entry) first.current = refOf(entry);
  return first.current;
}

export default function StartPage({ params, query }: ViewProps) {
  const w = useWords(startWords);
  const may = useMay();
  const { query: loaded, lists, isNew } = useLists();
  const chosen = useChosen(params, query, lists);
  const named = Boolean(params.workflowId ?? params.templateId);
  const from = query.get("from") ?? undefined;
  const [generating, setGenerating] = useState(false);
  const nothing = lists && lists.recent.length + lists.workflows.length + lists.templates.length === 0;
  const add = may("editor") && (
    <>
      <button type="button" onClick={() => setGenerating(true)} data-testid="generate"><Icon name="llm" size={14} />{w.fromSentence}</button>
      <ImportButton />
    </>
  );
  return (
    <Page title={w.title} about={w.about} actions={add} className="start">
      {loaded.error && !loaded.data && <Failed error={loaded.error} again={() => void loaded.refetch()} />}
      {!lists && !loaded.error && <Waiting />}
      {isNew && !named && lists && <Welcome demo={demoOf(lists)} />}
      {nothing && !named && (
        <Empty title={w.noWorkflows}><p>{w.noWorkflowsAbout}</p><pre>sluice flow create examples/council-debate.yaml</pre></Empty>
      )}
      {lists && (!nothing || named) && (
        <div className="start-body">
          <Picker lists={lists} chosen={chosen} q={query.get("q") ?? ""} category={query.get("category") ?? ""} />
          {chosen && <Setup key={JSON.stringify([chosen, from])} source={chosen} from={from} focus={named} />}
        </div>
      )}
      {generating && <Suspense fallback={null}><GenerateDialog onClose={() => setGenerating(false)} /></Suspense>}
    </Page>
  );
}

function Failed({ error, again }: { error: unknown; again: () => void }) {
  const w = useWords(startWords);
  const c = useWords(common);
  const away = error instanceof ApiError && error.code === "unreachable";
  return (
    <div className="empty" role="alert">
      <h2>{away ? w.unreachable : w.failed}</h2>
      <p>{away ? w.unreachableAbout : errorText(error)}</p>
      <button type="button" onClick={again}>{c.again}</button>
    </div>
  );
}
