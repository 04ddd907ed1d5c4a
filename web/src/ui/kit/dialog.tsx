// Dialogs on the browser's own <dialog>: it keeps the focus, closes with Escape, and gives the focus back.

import { useEffect, useId, useRef, useState, type ReactNode } from "react";
import { common } from "@/words/common";
import { useWords } from "@/words/words";
import { ErrorText } from "./loaded";

interface Props {
  title: string;
  onClose: () => void;
  wide?: boolean;
  children: ReactNode;
}

/** Open for as long as it is rendered. */
export function Dialog({ title, onClose, wide, children }: Props) {
  const box = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const el = box.current;
    if (el && !el.open) el.showModal();
    return () => el?.close();
  }, []);
  return (
    <dialog ref={box} aria-labelledby={id} className={wide ? "wide" : undefined} onCancel={(e) => { e.preventDefault(); onClose(); }}>
      <h2 id={id}>{title}</h2>
      {children}
    </dialog>
  );
}

interface ConfirmProps {
  title: string;
  children: ReactNode;
  /** What the button says: the deed, not "OK". */
  action: string;
  danger?: boolean;
  /** What the other button says, where "Cancel" could mean the deed. */
  keep?: string;
  onConfirm: () => Promise<unknown> | void;
  onClose: () => void;
}

/** Asks before something that cannot be taken back. Stays open, with the reason, when it fails. */
export function Confirm({ title, children, action, danger, keep, onConfirm, onClose }: ConfirmProps) {
  const c = useWords(common);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const confirm = async () => {
    setBusy(true);
    setError(undefined);
    try {
      await onConfirm();
      onClose();
    } catch (err) {
      setError(err);
      setBusy(false);
    }
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <div className="dialog-body">{children}</div>
      <ErrorText error={error} />
      <div className="dialog-actions">
        <button type="button" autoFocus onClick={onClose}>{keep ?? c.cancel}</button>
        <button type="button" className={danger ? "danger filled" : "primary"} disabled={busy} onClick={() => void confirm()} data-testid="confirm">
          {busy && <span className="spinner" aria-hidden="true" />}{action}
        </button>
      </div>
    </Dialog>
  );
}
