// Who answers. A key has a name; without keys several reviewers can only be told apart by what they say.

import { useState } from "react";
import { useApp } from "@/app/context";
import { SelectField, TextField } from "@/ui/kit/field";
import { useWords } from "@/words/words";
import type { Asked } from "./asked";
import { words } from "./words";

const KEY = "sluice.reviewer";

export interface Reviewer {
  /** To be sent with the answer. */
  name?: string;
  missing: boolean;
  /** The key in use is none of those who may. */
  refused: boolean;
  field?: { value: string; among: string[]; set: (name: string) => void };
}

export function useReviewer(asked: Asked): Reviewer {
  const { who } = useApp();
  const [name, setName] = useState(() => localStorage.getItem(KEY) ?? "");
  const several = asked.quorum > 1 || asked.rejectQuorum > 1 || asked.reviewers.length > 0;
  if (!several) return { missing: false, refused: false };
  if (who && who.kind !== "anonymous") {
    return { missing: false, refused: asked.reviewers.length > 0 && !asked.reviewers.includes(who.name) };
  }
  const value = asked.reviewers.length && !asked.reviewers.includes(name) ? "" : name;
  const set = (next: string) => {
    localStorage.setItem(KEY, next);
    setName(next);
  };
  return { name: value.trim() || undefined, missing: !value.trim(), refused: false, field: { value, among: asked.reviewers, set } };
}

export function ReviewerField({ reviewer: { field }, error }: { reviewer: Reviewer; error?: string }) {
  const w = useWords(words);
  if (!field) return null;
  return field.among.length ? (
    <SelectField label={w.name} about={w.nameHint} error={error} value={field.value} onChange={field.set} testId="reviewer"
      options={[["", w.choose], ...field.among.map((n) => [n, n] as const)]} />
  ) : <TextField label={w.name} about={w.nameHint} error={error} value={field.value} onChange={field.set} testId="reviewer" maxLength={200} />;
}
