// A form over a stored object: what was typed, whether it is saved, what the server refused and at which field,
// and that somebody else has changed the object meanwhile.

import { useCallback, useEffect, useState } from "react";
import { SluiceError } from "@sluice/client";
import { useUnsaved } from "./unsaved";

export interface Versioned { version: number }

interface Options<F extends object, S extends Versioned> {
  /** As it was read last; undefined: it is a new one. */
  stored: S | undefined;
  form: (stored: S | undefined) => F;
  /** What can be told without the server, by field. */
  check?: (values: F) => Partial<Record<keyof F & string, string>>;
  /** `version` goes into If-Match. */
  save: (values: F, version: number | undefined, stored: S | undefined) => Promise<S>;
  /** Reads it anew, when somebody else has changed it. */
  read: (stored: S) => Promise<S>;
  onSaved: (saved: S, isNew: boolean) => void;
}

export interface Draft<F extends object> {
  values: F;
  set: (change: Partial<F>) => void;
  dirty: boolean;
  saving: boolean;
  /** By field; `rest` is what belongs to none. */
  errors: Partial<Record<keyof F & string, string>>;
  rest?: unknown;
  /** The stored object is not the one that this form began with. */
  outdated: boolean;
  save: (over?: boolean) => Promise<void>;
  /** Drops what was typed, and takes what is stored now. */
  reset: () => Promise<void>;
}

/** The server's sentences begin with the field that they are about: "cron: expected five fields, there are 3". */
export function fieldOf(err: unknown, fields: readonly string[]): { field: string; text: string } | undefined {
  if (!(err instanceof Error)) return undefined;
  const m = /^([A-Za-z_]+)(?:[.[][^:]*)?: (.+)$/s.exec(err.message);
  return m && fields.includes(m[1]!) ? { field: m[1]!, text: m[2]![0]!.toUpperCase() + m[2]!.slice(1) } : undefined;
}

const same = (a: object, b: object) => JSON.stringify(a) === JSON.stringify(b);

export function useDraft<F extends object, S extends Versioned>({ stored, form, check, save, read, onSaved }: Options<F, S>): Draft<F> {
  const [base, setBase] = useState(() => ({ stored, values: form(stored) }));
  const [values, setValues] = useState(base.values);
  const [saving, setSaving] = useState(false);
  const [errors, setErrors] = useState<Draft<F>["errors"]>({});
  const [rest, setRest] = useState<unknown>();
  const [refused, setRefused] = useState(false);
  const dirty = !same(values, base.values);
  const leave = useUnsaved(dirty);
  const take = useCallback((next: S | undefined) => {
    const fresh = form(next);
    setBase({ stored: next, values: fresh });
    setValues(fresh);
    setErrors({});
    setRest(undefined);
    setRefused(false);
  }, [form]);
  // What is read may be older than what was just saved.
  const moved = stored !== undefined && stored.version > (base.stored?.version ?? 0);
  useEffect(() => {
    if (moved && !dirty && !saving) take(stored);
  }, [moved, dirty, saving, stored, take]);
  const set = useCallback((change: Partial<F>) => {
    setValues((v) => ({ ...v, ...change }));
    setErrors((e) => {
      const left = { ...e };
      for (const field of Object.keys(change)) delete left[field as keyof F & string];
      return left;
    });
  }, []);
  const failed = (err: unknown) => {
    if (err instanceof SluiceError && err.status === 412) return setRefused(true);
    const at = fieldOf(err, Object.keys(values));
    if (at) setErrors({ [at.field]: at.text } as Draft<F>["errors"]);
    else setRest(err);
  };
  const write = async (over = false) => {
    const wrong = check?.(values) ?? {};
    setErrors(wrong);
    setRest(undefined);
    if (Object.keys(wrong).length) return;
    setSaving(true);
    try {
      const saved = await save(values, over ? undefined : base.stored?.version, base.stored);
      take(saved);
      if (!base.stored) leave();
      onSaved(saved, !base.stored);
    } catch (err) {
      failed(err);
    } finally {
      setSaving(false);
    }
  };
  const outdated = refused || (moved && dirty);
  const reset = async () => {
    if (!outdated || !base.stored) return take(base.stored);
    setSaving(true);
    try {
      take(await read(base.stored));
    } catch (err) {
      setRest(err);
    } finally {
      setSaving(false);
    }
  };
  return { values, set, dirty, saving, errors, rest, outdated, save: write, reset };
}
