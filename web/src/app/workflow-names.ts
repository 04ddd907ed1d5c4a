import { useMemo } from "react";
import { useQuery } from "@tanstack/react-query";
import type { Workflow } from "@sluice/client";
import { api } from "@/client/http";

const KEPT_MS = 60_000;

/** The stored workflows by id, for their names. */
export function useWorkflowNames(): ReadonlyMap<string, Workflow> {
  const { data } = useQuery({ queryKey: ["workflows", "names"], queryFn: () => api.workflows(), staleTime: KEPT_MS });
  return useMemo(() => new Map((data ?? []).map((w) => [w.id, w])), [data]);
}
