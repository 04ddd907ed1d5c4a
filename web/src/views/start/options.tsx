// What can be said about a run beyond its input.

import { useState } from "react";
import { useQuery } from "@tanstack/react-query";
import type { Execute } from "@sluice/client";
import { client } from "@/client/http";
import { Icon } from "@/ui/icons";
import { Check, SelectField, TextField } from "@/ui/kit/field";
import { common } from "@/words/common";
import { useWords, wordsNow } from "@/words/words";
import { startWords } from "./words";

export interface Options {
  name: string; group: string; tags: string; budget: "" | "tokens" | "cost"; limit: string; onLimit: "pause" | "fail"; paused: boolean;
}

export const noOptions: Options = { name: "", group: "", tags: "", budget: "", limit: "", onLimit: "pause", paused: false };

// The group that the workflow names, or none.
const OWN = "";
// A session's name is what lists show and the search finds.
export const NAME_MAX = 120;

export function budgetProblem(o: Options): string | undefined {
  const w = wordsNow(startWords);
  const n = Number(o.limit);
  if (!o.budget) return undefined;
  if (o.budget === "tokens") return Number.isInteger(n) && n > 0 ? undefined : w.wholeBudget;
  return n > 0 && Number.isFinite(n) ? undefined : w.badBudget;
}

export function orderOf(o: Options): Pick<Execute, "name" | "group_id" | "tags" | "budget" | "start_paused"> {
  const tags = o.tags.split(/[,，]/).map((t) => t.trim()).filter(Boolean);
  return {
    ...(o.name.trim() ? { name: o.name.trim() } : {}),
    ...(o.group ? { group_id: o.group } : {}),
    ...(tags.length ? { tags } : {}),
    ...(o.budget ? { budget: { [o.budget === "tokens" ? "tokens" : "cost_usd"]: Number(o.limit), on_limit: o.onLimit } } : {}),
    ...(o.paused ? { start_paused: true } : {}),
  };
}

interface Props { value: Options; onChange: (value: Options) => void; error?: string; ownGroup?: string; disabled?: boolean; over: boolean }

export function OptionFields({ value, onChange, error, ownGroup, disabled, over }: Props) {
  const w = useWords(startWords);
  const c = useWords(common);
  const [open, setOpen] = useState(false);
  const shown = open || Boolean(error);
  const groups = useQuery({
    queryKey: ["groups", "names"], enabled: shown,
    queryFn: async ({ signal }) => (await client.listGroups({ limit: 500 }, { signal })).items,
  });
  const set = (change: Partial<Options>) => onChange({ ...value, ...change });
  const names = (groups.data ?? []).map((g) => [g.id, g.name ?? g.id] as const);
  const own = ownGroup ? [[OWN, w.ownGroup(names.find(([id]) => id === ownGroup)?.[1] ?? ownGroup)] as const] : [[OWN, w.noGroup] as const];
  return (
    <details className="options" open={shown} onToggle={(e) => setOpen(e.currentTarget.open)}>
      <summary data-testid="options"><Icon name="chevron" size={13} />{w.options}<span className="optional">{c.optional}</span></summary>
      {shown && (
        <div className="options-body">
          <TextField label={w.name} about={w.nameAbout} value={value.name} maxLength={NAME_MAX} disabled={disabled} onChange={(name) => set({ name })} testId="run-name" />
          <div className="grid-2">
            <SelectField label={w.group} about={w.groupAbout} value={value.group} disabled={disabled} onChange={(group) => set({ group })} testId="run-group"
              options={[...own, ...names.filter(([id]) => id !== ownGroup)]} />
            <TextField label={w.tags} about={w.tagsAbout} value={value.tags} disabled={disabled} onChange={(tags) => set({ tags })} />
          </div>
          <div className="grid-2 budget">
            <SelectField label={w.budget} value={value.budget} disabled={disabled} testId="budget-kind"
              onChange={(budget) => set({ budget: budget as Options["budget"] })} options={[["", w.noBudget], ["tokens", w.tokens], ["cost", w.cost]]} />
            {value.budget && (
              <TextField label={w.limit} type="number" value={value.limit} error={error} disabled={disabled} onChange={(limit) => set({ limit })} testId="budget-limit" />
            )}
            {value.budget && (
              <SelectField label={w.onLimit} value={value.onLimit} disabled={disabled} onChange={(v) => set({ onLimit: v as Options["onLimit"] })}
                options={[["pause", w.pause], ["fail", w.fail]]} />
            )}
          </div>
          {over && <p className="field-warn"><Icon name="warn" size={13} />{w.overBudget}</p>}
          <Check label={w.paused} checked={value.paused} disabled={disabled} onChange={(paused) => set({ paused })} testId="start-paused" />
        </div>
      )}
    </details>
  );
}
