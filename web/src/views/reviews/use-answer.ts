// Sending an answer, once, and understanding why it was refused.

import { useEffect, useRef, useState } from "react";
import { useQueryClient } from "@tanstack/react-query";
import type { Interrupt, Json } from "@sluice/client";
import { useApp } from "@/app/context";
import { ApiError, client } from "@/client/http";
import { askedFromReview, fieldErrors, type Answer, type Asked } from "./asked";

export type Trouble =
  /** Somebody or the clock was faster. */
  | { kind: "late"; by: Asked }
  /** The question is not there any more. */
  | { kind: "gone" }
  /** Not sent, or not known whether. */
  | { kind: "offline" }
  | { kind: "unsure" }
  | { kind: "fields"; errors: Record<string, string>; error: ApiError }
  | { kind: "refused"; error: ApiError };

export interface Sending {
  sending?: string;
  trouble?: Trouble;
  /** Taken by the server: "resumed", or "recorded" when others have to answer too. */
  taken?: string;
  send: (what: string, body: Json, call: (key: string) => Promise<{ status: string }>) => Promise<void>;
  forget: () => void;
}

// randomUUID is there in secure contexts only.
const freshKey = (): string => Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");

const asApiError = (err: unknown): ApiError =>
  err instanceof ApiError ? err : new ApiError(err instanceof Error ? err.message : String(err), "internal", 0);

// A refusal says of itself who was faster, where the server knows.
function closedBy(error: ApiError, asked: Asked): Asked | undefined {
  const told = error.details as { interrupt_id?: string; status?: Asked["status"]; answer?: Answer | null } | null;
  if (!told || told.interrupt_id !== asked.id || !told.status || told.status === "pending") return undefined;
  return { ...asked, status: told.status, answer: told.answer ?? undefined, closedAt: told.answer?.at };
}

/** What a failure means for who has just answered. */
export async function troubleOf(error: ApiError, asked: Asked): Promise<Trouble> {
  if (error.code === "timeout") return { kind: "unsure" };
  if (error.status === 0) return { kind: "offline" };
  const by = closedBy(error, asked);
  if (by) return { kind: "late", by };
  if (error.status === 404 || error.status === 409 || error.status === 410) {
    try {
      const now = askedFromReview(await client.getReview(asked.id) as Interrupt);
      // Still open: it was refused for another reason (the session is paused, this reviewer has answered already).
      return now.status === "pending" ? { kind: "refused", error } : { kind: "late", by: now };
    } catch (err) {
      return asApiError(err).status === 404 ? { kind: "gone" } : { kind: "refused", error };
    }
  }
  const errors = error.status === 400 || error.status === 422 ? fieldErrors(error.message) : {};
  return Object.keys(errors).length ? { kind: "fields", errors, error } : { kind: "refused", error };
}

// Questions that this tab has answered: that they close is no news here.
const answeredHere = new Set<string>();
export const wasAnsweredHere = (id: string): boolean => answeredHere.has(id);

export function useSending(asked: Asked, onTaken?: (status: string) => void): Sending {
  const queries = useQueryClient();
  const { list } = useApp();
  const [sending, setSending] = useState<string>();
  const [trouble, setTrouble] = useState<Trouble>();
  const [taken, setTaken] = useState<string>();
  const busy = useRef(false);
  const there = useRef(true);
  // The same answer sent again after a silence has the same key: the server takes it once.
  const last = useRef({ body: "", key: "" });
  useEffect(() => {
    there.current = true;
    return () => { there.current = false; };
  }, []);
  const send: Sending["send"] = async (what, body, call) => {
    if (busy.current) return;
    busy.current = true;
    setSending(what);
    setTrouble(undefined);
    setTaken(undefined);
    const text = JSON.stringify([what, body]);
    if (last.current.body !== text) last.current = { body: text, key: freshKey() };
    answeredHere.add(asked.id);
    try {
      const { status } = await call(last.current.key);
      last.current = { body: "", key: "" };
      if (status === "recorded") answeredHere.delete(asked.id);
      if (there.current) setTaken(status);
      onTaken?.(status);
    } catch (err) {
      answeredHere.delete(asked.id);
      const why = await troubleOf(asApiError(err), asked);
      if (there.current) setTrouble(why);
    } finally {
      busy.current = false;
      if (there.current) setSending(undefined);
      void queries.invalidateQueries({ queryKey: ["reviews"] });
      list.touch();
    }
  };
  return { sending, trouble, taken, send, forget: () => setTrouble(undefined) };
}

/** One of the ways to answer. A question without a form is answered as one speaks in a session, which takes no
 *  interrupt: whether it is still asked is looked up first, so that a late answer does not become a remark. */
export async function sayTo(asked: Asked, content: string, key: string): Promise<{ status: string }> {
  const now = await client.getReview(asked.id).catch((err: unknown) => {
    if (asApiError(err).status === 404) return undefined;
    throw err;
  });
  if (now && now.status !== "pending") throw new ApiError("This was answered already.", "conflict", 409);
  return client.sayIntoSession(asked.sessionId, { content }, { idempotencyKey: key });
}

export function answerWith(asked: Asked, action: string, data: Json | undefined, reviewer: string | undefined, key: string): Promise<{ status: string }> {
  return client.resumeNode(asked.sessionId, asked.nodeId, {
    action, interrupt_id: asked.id, ...(data === undefined ? {} : { data }), ...(reviewer ? { reviewer } : {}),
  }, { idempotencyKey: key });
}
