// Tabs after the ARIA pattern: one stop for Tab, arrows move between them.

import { useId, useRef, type KeyboardEvent, type ReactNode } from "react";

export interface Tab { id: string; label: ReactNode; testId?: string }

interface Props {
  label: string;
  tabs: readonly Tab[];
  chosen: string;
  onChoose: (id: string) => void;
  children: ReactNode;
  className?: string;
}

/** The panel of the chosen tab is `children`. */
export function Tabs({ label, tabs, chosen, onChoose, children, className = "" }: Props) {
  const id = useId();
  const list = useRef<HTMLDivElement>(null);
  const onKey = (e: KeyboardEvent) => {
    const at = tabs.findIndex((t) => t.id === chosen);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[e.key];
    if (to === undefined) return;
    e.preventDefault();
    const next = tabs[(to + tabs.length) % tabs.length];
    if (!next) return;
    onChoose(next.id);
    list.current?.querySelector<HTMLElement>(`[data-tab="${CSS.escape(next.id)}"]`)?.focus();
  };
  return (
    <div className={`tabbed ${className}`}>
      <div className="tabs" role="tablist" aria-label={label} ref={list} onKeyDown={onKey}>
        {tabs.map((t) => (
          <button key={t.id} type="button" role="tab" id={`${id}-${t.id}`} data-tab={t.id} data-testid={t.testId} aria-selected={t.id === chosen}
            aria-controls={`${id}-panel`} tabIndex={t.id === chosen ? 0 : -1} onClick={() => onChoose(t.id)}>{t.label}</button>
        ))}
      </div>
      <div className="tab-panel" role="tabpanel" id={`${id}-panel`} aria-labelledby={`${id}-${chosen}`}>{children}</div>
    </div>
  );
}
