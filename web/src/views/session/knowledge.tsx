// What the session wrote into memory, and what it was given from it.

import { useDeferredValue, useState } from "react";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { client } from "@/client/http";
import { useStore } from "@/session/hooks";
import { ago, count } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { Loaded } from "@/ui/kit/loaded";
import { Empty } from "@/ui/kit/page";
import { dict, useWords } from "@/words/words";
import { useAgain, useRunMoves } from "./again";

const words = dict({
  en: {
    search: "Search in it", layer: "Layer", all: "All layers", hot: "Working memory", cold: "Long term", quarantine: "Quarantine",
    written: "written", retrieved: "retrieved", empty: "Nothing was remembered", none: "Nothing fits",
    about: "What agents write into the group's memory, and what memory steps find in it, stands here with the layer it lives in.",
    noneAbout: "No piece of this layer has these words.", hits: (n: number) => `found ${count(n)} times`, chunk: (i: number, of: number) => `part ${i} of ${of}`, list: "Knowledge",
  },
  zh: {
    search: "在其中搜索", layer: "层", all: "所有层", hot: "工作记忆", cold: "长期记忆", quarantine: "隔离区",
    written: "写入", retrieved: "取回", empty: "没有记住任何内容", none: "没有匹配的内容",
    about: "智能体写入小组记忆的内容，以及记忆步骤从中找到的内容，会连同所在的层显示在这里。",
    noneAbout: "此层中没有包含这些词的内容。", hits: (n: number) => `被找到 ${count(n)} 次`, chunk: (i: number, of: number) => `第 ${i} 部分，共 ${of} 部分`, list: "知识",
  },
});

type Layer = "hot" | "cold" | "quarantine";
const LAYERS: Layer[] = ["hot", "cold", "quarantine"];

export function Knowledge() {
  const w = useWords(words);
  const id = useStore().sessionId;
  const [typed, setTyped] = useState("");
  const [layer, setLayer] = useState<Layer | "">("");
  const q = useDeferredValue(typed.trim());
  useAgain(["knowledge", id], useRunMoves());
  const found = useQuery({
    queryKey: ["knowledge", id, layer, q], placeholderData: keepPreviousData,
    queryFn: async ({ signal }) => (await client.sessionKnowledge(id, { layer: layer || null, q: q || null, limit: 200 }, { signal })).items,
  });
  const isAll = !q && !layer;
  return (
    <div className="tab-scroll">
      <div className="toolbar">
        <label className="grow">{w.search}<input type="search" value={typed} onChange={(e) => setTyped(e.target.value)} data-testid="knowledge-q" /></label>
        <label>{w.layer}
          <select value={layer} onChange={(e) => setLayer(e.target.value as Layer | "")} data-testid="knowledge-layer">
            <option value="">{w.all}</option>
            {LAYERS.map((l) => <option key={l} value={l}>{w[l]}</option>)}
          </select>
        </label>
      </div>
      <Loaded query={found}>
        {(items) => items.length === 0 ? <Empty title={isAll ? w.empty : w.none}><p>{isAll ? w.about : w.noneAbout}</p></Empty> : (
          <ul className="stack knowledge" aria-label={w.list}>
            {items.map((m) => (
              <li key={`${m.relation}${m.id}`} className="card" data-testid="memory">
                <p className="row">
                  <span className="chip" data-tone={m.relation === "written" ? "good" : undefined}><Icon name={m.relation === "written" ? "edit" : "search"} size={12} />{w[m.relation]}</span>
                  <span className="chip" data-tone={m.layer === "quarantine" ? "warm" : undefined}>{w[m.layer]}</span>
                  <span className="faint">{[m.agent_id, m.chunks > 1 && w.chunk(m.chunk + 1, m.chunks), m.hits > 0 && w.hits(m.hits), ago(m.created_at)].filter(Boolean).join(" · ")}</span>
                </p>
                <p className="knowledge-text">{m.content}</p>
              </li>
            ))}
          </ul>
        )}
      </Loaded>
    </div>
  );
}
