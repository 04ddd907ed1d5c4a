// What else can be done here: a button that opens a short list of links and buttons. The browser's own <details>;
// Escape, a choice and a click elsewhere close it.

import { useEffect, useRef, type ReactNode } from "react";
import { Icon } from "@/ui/icons";

export function Menu({ label, icon = "list", testId, children }: { label: string; icon?: string; testId?: string; children: ReactNode }) {
  const box = useRef<HTMLDetailsElement>(null);
  useEffect(() => {
    const close = () => { if (box.current) box.current.open = false; };
    const onPointer = (e: PointerEvent) => { if (!box.current?.contains(e.target as Node)) close(); };
    const onKey = (e: KeyboardEvent) => {
      if (e.key !== "Escape" || !box.current?.open) return;
      e.preventDefault();
      close();
      box.current.querySelector("summary")?.focus();
    };
    const own = box.current;
    window.addEventListener("pointerdown", onPointer);
    own?.addEventListener("keydown", onKey);
    return () => {
      window.removeEventListener("pointerdown", onPointer);
      own?.removeEventListener("keydown", onKey);
    };
  }, []);
  return (
    <details className="menu" ref={box} onBlur={(e) => { if (e.relatedTarget && !e.currentTarget.contains(e.relatedTarget)) e.currentTarget.open = false; }}>
      <summary aria-label={label} title={label} data-testid={testId}><Icon name={icon} size={15} /></summary>
      <div className="menu-list" onClick={() => { if (box.current) box.current.open = false; }}>{children}</div>
    </details>
  );
}
