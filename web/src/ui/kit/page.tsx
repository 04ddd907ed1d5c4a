// The frame of a view: its title, what it is for, what can be done here.

import { useEffect, type ReactNode } from "react";
import { ConnectionMark } from "@/app/connection";
import { useApp } from "@/app/context";
import { Icon } from "@/ui/icons";
import { common } from "@/words/common";
import { useWords } from "@/words/words";

interface Props {
  title: string;
  about?: ReactNode;
  actions?: ReactNode;
  /** Uses the whole width and height, and scrolls inside of itself. */
  full?: boolean;
  className?: string;
  children: ReactNode;
}

export function MenuButton() {
  const { openMenu } = useApp();
  const c = useWords(common);
  return <button type="button" className="quiet square menu-button" aria-label={c.menu} onClick={openMenu}><Icon name="menu" /><ConnectionMark /></button>;
}

export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · Sluice`;
    return () => { document.title = "Sluice"; };
  }, [title]);
}

export function Page({ title, about, actions, full, className = "", children }: Props) {
  useTitle(title);
  return (
    <main className={`page ${full ? "page-full" : ""} ${className}`} tabIndex={-1}>
      <header className="page-head">
        <MenuButton />
        <div className="page-title">
          <h1>{title}</h1>
          {about && <p className="faint">{about}</p>}
        </div>
        {actions && <div className="page-actions">{actions}</div>}
      </header>
      {children}
    </main>
  );
}

/** Nothing is there yet: says what would stand here and how it comes about. */
export function Empty({ title, children, action }: { title: string; children?: ReactNode; action?: ReactNode }) {
  return <div className="empty" data-testid="empty"><h2>{title}</h2>{children}{action}</div>;
}
