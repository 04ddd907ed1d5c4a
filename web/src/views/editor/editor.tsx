// The editor of a workflow: a new one (#/editor), or a version of one that is there (#/workflows/:id/edit).

import { useEffect, useState } from "react";
import { useQuery } from "@tanstack/react-query";
import "@xyflow/react/dist/base.css";
import "@/graph/graph.css";
import "./editor.css";
import { ApiError, client } from "@/client/http";
import { href } from "@/app/route";
import type { ViewProps } from "@/app/views";
import { Empty, Page } from "@/ui/kit/page";
import { Loaded } from "@/ui/kit/loaded";
import { useWords } from "@/words/words";
import { dropDraft, readDraft, takeHandedOver, type Draft } from "./drafts";
import { blankFlow } from "./kinds";
import { flowOf, nodeOf, same, type Flow } from "./model";
import { EditorStore } from "./store";
import { Workbench } from "./workbench";
import { words } from "./words";

export default function EditorView({ params, query }: ViewProps) {
  return params.id ? <Stored id={params.id} version={Number(query.get("version")) || undefined} node={query.get("node")} /> : <Fresh node={query.get("node")} />;
}

const selectionOf = (flow: Flow, node: string | null) => ({ nodes: node && nodeOf(flow, node) ? [node] : [] });

function Fresh({ node }: { node: string | null }) {
  const [start] = useState(() => {
    const blank = blankFlow();
    const handed = takeHandedOver();
    if (handed) dropDraft(undefined);
    const draft = handed ? undefined : readDraft(undefined);
    const flow = handed ?? draft?.flow ?? blank;
    return { store: new EditorStore(flow, { saved: blank, selection: selectionOf(flow, node) }), draft };
  });
  return <Workbench store={start.store} restored={start.draft} />;
}

interface Opened { flow: Flow; version: number; newest: number }

async function open(id: string, version: number | undefined, signal: AbortSignal): Promise<Opened | null> {
  const [shown, newest] = await Promise.all([client.getWorkflow(id, { version }, { signal }), version ? client.getWorkflow(id, {}, { signal }) : undefined]);
  const flow = flowOf((shown as { graph?: Flow }).graph);
  return flow ? { flow, version: shown.version ?? 1, newest: newest?.version ?? shown.version ?? 1 } : null;
}

function Stored({ id, version, node }: { id: string; version?: number; node: string | null }) {
  const w = useWords(words);
  // Kept for as long as it is edited, and read anew the next time.
  const query = useQuery({
    queryKey: ["workflows", id, "edit", version], queryFn: ({ signal }) => open(id, version, signal), staleTime: Infinity, gcTime: 0, refetchOnWindowFocus: false,
  });
  if (query.data) return <OpenedBench key={`${id}@${version ?? ""}`} id={id} opened={query.data} node={node} />;
  const missing = query.error instanceof ApiError && query.error.status === 404;
  return (
    <Page title={w.title}>
      {missing || query.data === null
        ? <Empty title={missing ? w.notFound : w.noNodes} action={<a className="button" href={href.workflows()}>{w.toList}</a>}><p><code>{id}</code></p></Empty>
        : <Loaded query={query} waiting={w.loading}>{() => null}</Loaded>}
    </Page>
  );
}

function OpenedBench({ id, opened, node }: { id: string; opened: Opened; node: string | null }) {
  // Once: what the server has later does not push aside what is being edited.
  const [start] = useState(() => {
    const draft = readDraft(id);
    const usable: Draft | undefined = draft && !same(draft.flow, opened.flow) ? draft : undefined;
    const flow = usable?.flow ?? opened.flow;
    // A draft goes on from the version that it began with: whether somebody has saved since is told when it is saved.
    const version = usable?.version ?? opened.newest;
    return { store: new EditorStore(flow, { saved: opened.flow, version, selection: selectionOf(flow, node) }), draft: usable };
  });
  const { store } = start;
  // An address that names another node, in a workflow that is open already.
  useEffect(() => {
    const { flow } = store.get();
    if (node && nodeOf(flow, node)) store.select([node]);
  }, [store, node]);
  return <Workbench id={id} store={store} restored={start.draft} older={opened.version < opened.newest ? opened.version : undefined} />;
}
