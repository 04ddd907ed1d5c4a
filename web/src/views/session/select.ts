import { setQuery } from "@/app/route";

/** The chosen node stands in the address: the graph marks it, the inspector opens, the conversation goes there. */
export const selectNode = (nodeId: string | undefined, runId?: string): void => setQuery({ node: nodeId, run: runId });
