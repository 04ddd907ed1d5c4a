// Who goes to another view with changes that are not saved is asked first. Reloading and closing lose nothing: the draft stays.

import { useEffect, useState } from "react";
import { Dialog } from "@/ui/kit/dialog";
import { useWords } from "@/words/words";
import { useLatest } from "./context";
import { words } from "./words";

interface NavigateEvent extends Event { readonly destination: { readonly url: string }; readonly cancelable: boolean }
interface Navigation extends EventTarget { navigate?: unknown }

const pathOf = (url: string) => (/#([^?]*)/.exec(url)?.[1] ?? "");

/** Where somebody wanted to go while `asks` says so; `pass` lets them. */
function useGuard(asks: () => boolean, allowed: (path: string) => boolean): { to?: string; stay: () => void; pass: () => void } {
  const [to, setTo] = useState<string>();
  const latest = useLatest({ asks, allowed });
  const open = useLatest({ passing: false });
  useEffect(() => {
    const navigation = (window as { navigation?: Navigation }).navigation;
    const stop = (e: Event, url: string) => {
      const { asks: on, allowed: free } = latest.current;
      const elsewhere = pathOf(url) !== pathOf(location.href);
      if (!on() || open.current.passing || !elsewhere || free(pathOf(url)) || !e.cancelable) return;
      e.preventDefault();
      setTo(url);
    };
    const onNavigate = (e: Event) => stop(e, (e as NavigateEvent).destination.url);
    // Browsers without the Navigation API: at least the links ask.
    const onClick = (e: MouseEvent) => {
      const link = (e.target as Element | null)?.closest?.("a[href^='#']");
      if (link instanceof HTMLAnchorElement && !e.ctrlKey && !e.metaKey && e.button === 0) stop(e, link.href);
    };
    if (navigation) navigation.addEventListener("navigate", onNavigate);
    else document.addEventListener("click", onClick, true);
    return () => {
      navigation?.removeEventListener("navigate", onNavigate);
      document.removeEventListener("click", onClick, true);
    };
  }, [latest, open]);
  const pass = () => {
    open.current.passing = true;
    if (to) location.hash = new URL(to, location.href).hash;
  };
  return { to, stay: () => setTo(undefined), pass };
}

/** A run that is started from here may leave: the way back finds the draft. */
export function LeaveGuard({ dirty, onDrop }: { dirty: () => boolean; onDrop: () => void }) {
  const w = useWords(words);
  const { to, stay, pass } = useGuard(dirty, (path) => /^\/sessions\/[^/]+$/.test(path) && runStarted(path));
  if (!to) return null;
  return (
    <Dialog title={w.leaveTitle} onClose={stay}>
      <div className="dialog-body"><p>{w.leaveAbout}</p></div>
      <div className="dialog-actions" data-testid="leave">
        <button type="button" onClick={stay}>{w.leaveStay}</button>
        <button type="button" className="danger" onClick={() => { onDrop(); pass(); }} data-testid="leave-drop">{w.leaveDrop}</button>
        <button type="button" className="primary" onClick={pass} data-testid="leave-keep">{w.leaveKeep}</button>
      </div>
    </Dialog>
  );
}

function runStarted(path: string): boolean {
  const kept = sessionStorage.getItem("sluice.editor.run");
  return Boolean(kept?.includes(path.slice("/sessions/".length)));
}
