// The graph of a workflow as a picture. Its code comes after the rest of the page.

import { Suspense } from "react";
import type { Workflow } from "@sluice/client";
import { plural } from "@/ui/format";
import { late } from "@/ui/late";
import { dict, useWords } from "@/words/words";
import "./preview.css";

const Graph = late(() => import("./preview-graph"));

const words = dict({
  en: { graph: "Graph", nodes: (n: number) => plural(n, "node") },
  zh: { graph: "流程图", nodes: (n: number) => `${n} 个节点` },
});

export function Preview({ workflow, label }: { workflow: Workflow; label?: string }) {
  const w = useWords(words);
  return (
    <figure className="preview" aria-label={label ?? w.graph}>
      <figcaption className="faint">{label ?? w.nodes(Object.keys(workflow.nodes ?? {}).length)}</figcaption>
      <Suspense fallback={null}><Graph workflow={workflow} /></Suspense>
    </figure>
  );
}
