// The editor on the screen: what can be added at the left, the graph in the middle, properties or the text at the right,
// what the server says below. On a small screen one of them at a time.

import { Suspense, useCallback, useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { setQuery } from "@/app/route";
import { useMay } from "@/app/context";
import { clock, errorText, words as nameOf } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { Waiting } from "@/ui/kit/loaded";
import { Page } from "@/ui/kit/page";
import { Tabs } from "@/ui/kit/tabs";
import { toast } from "@/ui/kit/toast";
import { late } from "@/ui/late";
import { useWords, wordsNow } from "@/words/words";
import { addNode } from "./add";
import { Actions } from "./actions";
import { Canvas } from "./canvas";
import { useServerChecks } from "./checks";
import { ConnectDialog, mainWays } from "./connect";
import { ChecksContext, EditorContext, useEditor, useTools, type EditorTools } from "./context";
import { dropDraft, writeDraft, type Draft } from "./drafts";
import { FlowForm } from "./flow-form";
import { LinkForm } from "./arrows";
import { LeaveGuard } from "./leave";
import { connect, linksOf, waysFrom } from "./links";
import { nodeOf, textOf } from "./model";
import { NodeForm } from "./node-form";
import { Outline } from "./outline";
import { Palette } from "./palette";
import { ProblemBar } from "./problems";
import { RunDialog } from "./run";
import { ConflictDialog, SaveNewDialog, saveVersion, TemplateDialog, useSaved, type Saved } from "./save";
import { SeveralForm } from "./several";
import { isDirty, type EditorStore } from "./store";
import { useEditorKeys } from "./keys";
import { goToField } from "./focus";
import { words } from "./words";

const Source = late(() => import("./source"));

interface Props { id?: string; store: EditorStore; restored?: Draft; older?: number }

type Asked = { kind: "connect"; from: string; to?: string } | { kind: "run" | "save-new" | "template" } | { kind: "conflict"; newer: Extract<Saved, { ok: false }>["newer"] & object };
type Panel = "nodes" | "graph" | "form" | "text";

const NARROW = "(max-width: 860px)";

function useNarrow(): boolean {
  return useSyncExternalStore((fn) => {
    const query = matchMedia(NARROW);
    query.addEventListener("change", fn);
    return () => query.removeEventListener("change", fn);
  }, () => matchMedia(NARROW).matches);
}

const DRAFT_MS = 250;

/** What is not saved is kept a moment after each change, and when the page goes away. */
function useDraftKeeping(store: EditorStore, id: string | undefined): () => void {
  // Not a state: what was thrown away a moment after the last letter must not be written once more on the way out.
  const off = useRef(false);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let kept = store.get().flow;
    const keep = () => {
      clearTimeout(timer);
      timer = undefined;
      if (off.current) return;
      const state = store.get();
      if (!isDirty(state)) return dropDraft(id);
      writeDraft(id, { flow: state.flow, version: state.version, at: Date.now() });
    };
    const leave = store.subscribe(() => {
      if (store.get().flow === kept) return;
      kept = store.get().flow;
      timer ??= setTimeout(keep, DRAFT_MS);
    });
    const now = () => { if (timer) keep(); };
    window.addEventListener("pagehide", now);
    return () => {
      leave();
      now();
      window.removeEventListener("pagehide", now);
    };
  }, [store, id]);
  return useCallback(() => { off.current = true; dropDraft(id); }, [id]);
}

export function Workbench({ id, store, restored, older }: Props) {
  const narrow = useNarrow();
  const [asked, setAsked] = useState<Asked>();
  const [panel, setPanel] = useState<Panel>("nodes");
  const [left, setLeft] = useState("add");
  const [right, setRight] = useState("form");
  const flow = useSyncExternalStore(store.subscribe, () => store.get().flow);
  const checks = useServerChecks(flow);
  const stopDrafts = useDraftKeeping(store, id);
  const tools = useMemo<EditorTools>(() => ({
    store,
    add: (kind, spot) => {
      const { selection, flow: now } = store.get();
      const link = selection.link && linksOf(now).find((l) => l.from === selection.link?.from && l.to === selection.link.to);
      const made = addNode(now, kind, spot ?? { link, after: selection.nodes.at(-1) });
      store.run(() => made.flow, { select: made.ids });
      setRight("form");
    },
    connectFrom: (from, to) => {
      const ways = waysFrom(store.get().flow, from);
      if (to && mainWays(ways).length === 1) {
        store.run((f) => connect(f, from, to));
        store.select([], { from, to });
      } else if (ways.length) setAsked({ kind: "connect", from, to });
    },
    reveal: (nodeId, path) => {
      store.select(nodeId && nodeOf(store.get().flow, nodeId) ? [nodeId] : []);
      setRight("form");
      setPanel("form");
      if (path !== undefined || matchMedia(NARROW).matches) goToField(path);
    },
  }), [store]);
  return (
    <EditorContext.Provider value={tools}>
      <ChecksContext.Provider value={checks}>
        <Frame id={id} restored={restored} older={older} narrow={narrow} parts={{ panel, setPanel, left, setLeft, right, setRight }} asked={asked} ask={setAsked} stopDrafts={stopDrafts} />
      </ChecksContext.Provider>
    </EditorContext.Provider>
  );
}

interface Parts { panel: Panel; setPanel: (p: Panel) => void; left: string; setLeft: (t: string) => void; right: string; setRight: (t: string) => void }
interface FrameProps { id?: string; restored?: Draft; older?: number; narrow: boolean; parts: Parts; asked?: Asked; ask: (a: Asked | undefined) => void; stopDrafts: () => void }

function useSave(id: string | undefined, ask: (a: Asked | undefined) => void) {
  const { store } = useTools();
  const after = useSaved();
  const [saving, setSaving] = useState(false);
  const told = (version: number) => {
    after(id);
    toast(wordsNow(words).savedToast(version));
    if (location.hash.includes("version=")) setQuery({ version: undefined });
  };
  const save = async (): Promise<number | undefined> => {
    if (!id) {
      ask({ kind: "save-new" });
      return undefined;
    }
    setSaving(true);
    const done = await saveVersion(store, id);
    setSaving(false);
    if (done.ok) {
      told(done.version);
      return done.version;
    }
    if (done.newer) ask({ kind: "conflict", newer: done.newer });
    else toast(`${wordsNow(words).notSaved}: ${errorText(done.error)}`, "bad");
    return undefined;
  };
  return { save, saving, told };
}

function Frame({ id, restored, older, narrow, parts, asked, ask, stopDrafts }: FrameProps) {
  const w = useWords(words);
  const may = useMay();
  const { store } = useTools();
  const flow = useEditor((s) => s.flow);
  const selected = useEditor((s) => (s.selection.nodes.length === 1 ? s.selection.nodes[0] : undefined));
  const version = useEditor((s) => s.version);
  const dirty = useEditor(isDirty);
  const { save, saving, told } = useSave(id, ask);
  const mayEdit = may("editor");
  useEffect(() => setQuery({ node: selected }), [selected]);
  useEditorKeys({
    save: () => { if (mayEdit) void save(); }, run: () => ask({ kind: "run" }), connect: (from) => ask({ kind: "connect", from }),
    find: () => { parts.setLeft("add"); parts.setPanel("nodes"); goToField("palette"); },
  });
  const title = textOf(flow.name) || (id ? nameOf(id) : w.untitled);
  const close = () => ask(undefined);
  return (
    <Page title={title} full className="editor" about={<Stand id={id} dirty={dirty} version={version} />}
      actions={<Actions id={id} dirty={dirty} saving={saving} mayEdit={mayEdit} mayRun={may("operator")} onSave={() => void save()} onAsk={(kind) => ask({ kind })} />}>
      {restored && <Restored draft={restored} onDrop={() => { store.run((f) => (f === store.get().saved ? f : store.get().saved)); dropDraft(id); }} />}
      {older !== undefined && <p className="banner" data-tone="warn" role="status"><Icon name="warn" />{w.olderShown(older)}</p>}
      {narrow ? <Narrow parts={parts} isNew={!id} /> : <Wide parts={parts} isNew={!id} />}
      {asked?.kind === "connect" && <ConnectDialog from={asked.from} to={asked.to} onClose={close} />}
      {asked?.kind === "run" && <RunDialog id={id} dirty={dirty} version={version} mayEdit={mayEdit} onSave={save} onClose={close} />}
      {asked?.kind === "save-new" && <SaveNewDialog id={id} onClose={close} />}
      {asked?.kind === "template" && <TemplateDialog onClose={close} />}
      {asked?.kind === "conflict" && id && <ConflictDialog id={id} newer={asked.newer} onClose={close} onSaved={(v) => { close(); told(v); }} />}
      <LeaveGuard dirty={() => store.dirty} onDrop={stopDrafts} />
    </Page>
  );
}

function Stand({ id, dirty, version }: { id?: string; dirty: boolean; version?: number }) {
  const w = useWords(words);
  return (
    <span className="stand">
      {id && <code>{id}</code>}
      <span data-testid="stand" data-dirty={dirty || undefined}>{dirty ? w.unsaved : id && version ? w.saved(version) : w.neverSaved}</span>
    </span>
  );
}

function Restored({ draft, onDrop }: { draft: Draft; onDrop: () => void }) {
  const w = useWords(words);
  const [shown, setShown] = useState(true);
  if (!shown) return null;
  return (
    <div className="banner" data-tone="warn" role="status" data-testid="restored">
      <Icon name="undo" /><p>{w.restored(clock(draft.at))}</p>
      <button type="button" onClick={() => { onDrop(); setShown(false); }}>{w.throwAway}</button>
      <button type="button" className="quiet" onClick={() => setShown(false)}>{w.keepEditing}</button>
    </div>
  );
}

function Inspector({ isNew }: { isNew: boolean }) {
  const nodes = useEditor((s) => s.selection.nodes);
  const link = useEditor((s) => s.selection.link);
  if (link) return <LinkForm from={link.from} to={link.to} />;
  if (nodes.length > 1) return <SeveralForm ids={nodes} />;
  return nodes[0] ? <NodeForm id={nodes[0]} key="node" /> : <FlowForm isNew={isNew} />;
}

function Text({ language }: { language: "yaml" | "json" }) {
  return <Suspense fallback={<Waiting />}><Source key={language} language={language} /></Suspense>;
}

function Wide({ parts, isNew }: { parts: Parts; isNew: boolean }) {
  const w = useWords(words);
  const { left, setLeft, right, setRight } = parts;
  return (
    <div className="bench" data-right={right === "form" ? "form" : "text"}>
      <aside className="bench-left" aria-label={w.nodes}>
        <Tabs label={w.nodes} chosen={left} onChoose={setLeft} tabs={[{ id: "add", label: w.add, testId: "tab-add" }, { id: "outline", label: w.outline, testId: "tab-outline" }]}>
          {left === "add" ? <Palette /> : <Outline />}
        </Tabs>
      </aside>
      <div className="bench-middle"><Canvas /><ProblemBar /></div>
      <aside className="bench-right" aria-label={w.properties}>
        <Tabs label={w.properties} chosen={right} onChoose={setRight}
          tabs={[{ id: "form", label: w.properties, testId: "tab-form" }, { id: "yaml", label: w.yaml, testId: "tab-yaml" }, { id: "json", label: w.json, testId: "tab-json" }]}>
          {right === "form" ? <Inspector isNew={isNew} /> : <Text language={right === "json" ? "json" : "yaml"} />}
        </Tabs>
      </aside>
    </div>
  );
}

function Narrow({ parts, isNew }: { parts: Parts; isNew: boolean }) {
  const w = useWords(words);
  const { panel, setPanel } = parts;
  const tabs = [{ id: "nodes", label: w.nodes }, { id: "form", label: w.properties }, { id: "graph", label: w.graph }, { id: "text", label: w.yaml }].map((t) => ({ ...t, testId: `panel-${t.id}` }));
  return (
    <div className="bench-narrow">
      <Tabs label={w.views} tabs={tabs} chosen={panel} onChoose={(p) => setPanel(p as Panel)}>
        {panel === "nodes" && <><Outline /><Palette /></>}
        {panel === "form" && <Inspector isNew={isNew} />}
        {panel === "graph" && <div className="bench-graph"><Canvas fixed /></div>}
        {panel === "text" && <Text language="yaml" />}
      </Tabs>
      <ProblemBar />
    </div>
  );
}

