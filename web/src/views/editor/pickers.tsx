// Fields that know what there is: stored agents, providers and their models, workflows, tools.

import { useQuery } from "@tanstack/react-query";
import { useId } from "react";
import { client } from "@/client/http";
import { useWords } from "@/words/words";
import { textOf } from "./model";
import { Row, type FieldProps } from "./row";
import { words } from "./words";

const MANY = 500;

const useAgents = () => useQuery({ queryKey: ["agents", "picker"], staleTime: 30_000, queryFn: async ({ signal }) => (await client.listAgents({ limit: MANY }, { signal })).items });
const useProviders = () => useQuery({ queryKey: ["models", "providers"], staleTime: 30_000, queryFn: async ({ signal }) => (await client.listProviders({ limit: MANY }, { signal })).items });
const useWorkflows = () => useQuery({ queryKey: ["workflows", "picker"], staleTime: 10_000, queryFn: async ({ signal }) => (await client.listWorkflows({ limit: MANY }, { signal })).items });

/** A list to choose from; what is not in it stays as it is. */
function Pick({ options, none, ...p }: FieldProps & { options: readonly (readonly [string, string])[]; none: string }) {
  const value = textOf(p.value);
  const known = options.some(([id]) => id === value);
  return (
    <Row {...p}>{(control) => (
      <select {...control} value={value} onChange={(e) => p.onChange(e.target.value || undefined)}>
        <option value="">{none}</option>
        {value && !known && <option value={value}>{value}</option>}
        {options.map(([id, text]) => <option key={id} value={id}>{text}</option>)}
      </select>
    )}</Row>
  );
}

export function AgentPicker(p: FieldProps) {
  const w = useWords(words);
  const agents = useAgents();
  return <Pick {...p} none={w.ownPersona} options={(agents.data ?? []).map((a) => [a.id, a.name === a.id ? a.id : `${a.name} · ${a.id}`] as const)} />;
}

export function WorkflowPicker(p: FieldProps) {
  const w = useWords(words);
  const workflows = useWorkflows();
  return <Pick {...p} none={w.notSet} options={(workflows.data ?? []).map((x) => [x.id, x.name ? `${x.name} · ${x.id}` : x.id] as const)} />;
}

export function ProviderField(p: FieldProps) {
  const w = useWords(words);
  const providers = useProviders();
  return <Pick {...p} none={w.byDefault} options={(providers.data ?? []).map((x) => [x.id, x.id] as const)} />;
}

/** Free text, with what the server knows to choose from. */
function Suggested({ options, hint, ...p }: FieldProps & { options: readonly string[]; hint?: string }) {
  const list = useId();
  return (
    <Row {...p}>{(control) => (
      <>
        <input {...control} list={list} value={textOf(p.value)} placeholder={hint} onChange={(e) => p.onChange(e.target.value || undefined)} />
        <datalist id={list}>{options.map((o) => <option key={o} value={o} />)}</datalist>
      </>
    )}</Row>
  );
}

export function ModelField(p: FieldProps) {
  const w = useWords(words);
  const providers = useProviders();
  return <Suggested {...p} hint={w.byDefault} options={[...new Set((providers.data ?? []).flatMap((x) => x.models))]} />;
}

const TOOLS = ["http", "mcp", "web_search", "read_file", "write_file", "list_files", "memory_query", "memory_ingest"];

export function ToolField(p: FieldProps) {
  return <Suggested {...p} options={TOOLS} />;
}
