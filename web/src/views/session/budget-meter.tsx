// How much of its budget a session has used, as a slim meter; and the form that gives a session more.

import { useState, type FormEvent } from "react";
import { useSession, useStore } from "@/session/hooks";
import { count, money } from "@/ui/format";
import { Dialog } from "@/ui/kit/dialog";
import { TextField } from "@/ui/kit/field";
import { ErrorText } from "@/ui/kit/loaded";
import { common } from "@/words/common";
import { dict, useWords } from "@/words/words";
import { metersOf, offerAfter, pauseNeeds, reachedOf, type Meter, type Resource } from "./budget";

const words = dict({
  en: {
    meter: (used: string, limit: string) => `${used} of a budget of ${limit}`, budget: "Budget", tokensOf: (n: number) => `${count(n)} tokens`,
    give: "Go on with a larger budget",
    reachedAbout: (used: string, limit: string) => `It has used ${used} of ${limit}, and stands still at the limit. What is given here replaces it, for good.`,
    tokens: "Tokens in all", cost: "US dollars in all", larger: (limit: string) => `Must be more than ${limit}.`,
    why: "Why it may go on", whyAbout: "It stands in the log of the session.", goOn: "Resume", letGoOn: "Let it go on",
    breakerAbout: "A breaker stopped this session because it behaved as no sensible one does. It begins to watch anew.",
  },
  zh: {
    meter: (used: string, limit: string) => `预算 ${limit}，已用 ${used}`, budget: "预算", tokensOf: (n: number) => `${count(n)} 个 token`,
    give: "提高预算并继续",
    reachedAbout: (used: string, limit: string) => `已使用 ${used}，上限为 ${limit}，因此停在这里。此处填写的值将永久取代原上限。`,
    tokens: "token 总数", cost: "美元总额", larger: (limit: string) => `必须大于 ${limit}。`,
    why: "为什么可以继续", whyAbout: "理由会写入会话日志。", goOn: "继续", letGoOn: "允许继续",
    breakerAbout: "熔断器停止了这个会话，因为它的行为异常。继续后会重新开始监测。",
  },
});

function useFigure() {
  const w = useWords(words);
  return (resource: Resource, n: number) => (resource === "tokens" ? w.tokensOf(n) : money(n));
}

function OneMeter({ meter }: { meter: Meter }) {
  const w = useWords(words);
  const figure = useFigure();
  const text = w.meter(figure(meter.resource, meter.used), figure(meter.resource, meter.limit));
  return (
    <span className="budget-meter" data-tone={meter.tone} title={text} data-testid="budget">
      <meter min={0} max={1} value={meter.share} aria-label={text} />
      <span aria-hidden="true">{Math.floor(meter.share * 100)} %</span>
    </span>
  );
}

export function BudgetMeters() {
  const budget = useSession((s) => s.session?.budget);
  const usage = useSession((s) => s.view.usage);
  const told = useSession((s) => (s.view.reason === "budget" ? reachedText(reachedOf(s.view.notes)) : ""));
  return <>{metersOf(budget, usage, reachedFrom(told)).map((m) => <OneMeter key={m.resource} meter={m} />)}</>;
}

/** What resuming needs, beyond a click: a larger budget, or a reason. */
export function ResumeDialog({ onClose }: { onClose: () => void }) {
  const reason = useSession((s) => s.view.reason);
  return pauseNeeds(reason) === "budget" ? <BudgetForm onClose={onClose} /> : <ReasonForm onClose={onClose} />;
}

function useSend(onClose: () => void) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const send = async (work: () => Promise<void>) => {
    setBusy(true);
    setError(undefined);
    try {
      await work();
      onClose();
    } catch (err) {
      setError(err);
      setBusy(false);
    }
  };
  return { busy, error, send };
}

function BudgetForm({ onClose }: { onClose: () => void }) {
  const w = useWords(words);
  const figure = useFigure();
  const store = useStore();
  const told = useSession((s) => reachedText(reachedOf(s.view.notes)));
  const budget = useSession((s) => s.session?.budget);
  const usage = useSession((s) => s.view.usage);
  const meter = metersOf(budget, usage).sort((a, b) => b.share - a.share)[0];
  const reached = reachedFrom(told) ?? (meter && { resource: meter.resource, limit: meter.limit, used: meter.used });
  const resource = reached?.resource ?? "tokens";
  const limit = budget?.[resource] ?? reached?.limit ?? 0;
  const [value, setValue] = useState(() => String(reached ? offerAfter(reached, resource) : ""));
  const [tried, setTried] = useState(false);
  const { busy, error, send } = useSend(onClose);
  const amount = Number(value);
  const isEnough = value.trim() !== "" && amount > limit && (resource === "cost_usd" || Number.isInteger(amount));
  const submit = (e: FormEvent) => {
    e.preventDefault();
    setTried(true);
    if (isEnough) void send(() => store.command("resume", { budget: { [resource]: amount } }, "throw"));
  };
  return (
    <Dialog title={w.give} onClose={onClose}>
      <form className="dialog-body stack" onSubmit={submit} noValidate>
        {reached && <p>{w.reachedAbout(figure(resource, reached.used), figure(resource, limit))}</p>}
        <TextField label={resource === "tokens" ? w.tokens : w.cost} type="number" value={value} onChange={setValue} autoFocus testId="budget-new"
          error={tried && !isEnough ? w.larger(figure(resource, limit)) : undefined} />
        <ErrorText error={error} />
        <DialogActions busy={busy} action={w.goOn} onClose={onClose} />
      </form>
    </Dialog>
  );
}

// A part of the state that is built anew with each look would render for ever; a text is the same when it says the same.
const reachedText = (reached: ReturnType<typeof reachedOf>): string => (reached ? JSON.stringify(reached) : "");
const reachedFrom = (text: string): ReturnType<typeof reachedOf> => (text ? JSON.parse(text) as ReturnType<typeof reachedOf> : undefined);

function ReasonForm({ onClose }: { onClose: () => void }) {
  const w = useWords(words);
  const store = useStore();
  const [why, setWhy] = useState("");
  const { busy, error, send } = useSend(onClose);
  const submit = (e: FormEvent) => {
    e.preventDefault();
    if (why.trim()) void send(() => store.command("resume", { justification: why.trim() }, "throw"));
  };
  return (
    <Dialog title={w.letGoOn} onClose={onClose}>
      <form className="dialog-body stack" onSubmit={submit}>
        <p>{w.breakerAbout}</p>
        <TextField label={w.why} about={w.whyAbout} value={why} onChange={setWhy} rows={2} required autoFocus testId="justification" />
        <ErrorText error={error} />
        <DialogActions busy={busy} action={w.goOn} onClose={onClose} />
      </form>
    </Dialog>
  );
}

function DialogActions({ busy, action, onClose }: { busy: boolean; action: string; onClose: () => void }) {
  const c = useWords(common);
  return (
    <div className="dialog-actions">
      <button type="button" onClick={onClose}>{c.cancel}</button>
      <button type="submit" className="primary" disabled={busy} data-testid="resume-confirm">{busy && <span className="spinner" aria-hidden="true" />}{action}</button>
    </div>
  );
}
