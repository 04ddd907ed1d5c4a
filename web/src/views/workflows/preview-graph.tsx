import type { Workflow } from "@sluice/client";
import { WorkflowGraph } from "@/graph/graph";
import "@xyflow/react/dist/base.css";
import "@/style/session.css";

export default function PreviewGraph({ workflow }: { workflow: Workflow }) {
  return <WorkflowGraph workflow={workflow} />;
}
