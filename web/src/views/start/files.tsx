// Files that go with a run: dropped anywhere on the form, or picked.

import { useRef, useState, type DragEvent } from "react";
import { bytes } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { carriesFiles, readTextFile, type TextFile } from "@/ui/text-file";
import { useWords, wordsNow } from "@/words/words";
import { startWords } from "./words";

// As the server has them (docs/LIMITS.md).
export const FILES_MAX = 50;
export const FILES_BYTES = 5 << 20;

export const totalSize = (files: TextFile[]): number => files.reduce((sum, f) => sum + f.size, 0);

/** Adds what can be added, and says what cannot. A file of the same name is a newer one. */
export async function addFiles(have: TextFile[], chosen: File[]): Promise<{ files: TextFile[]; notes: string[] }> {
  const w = wordsNow(startWords);
  let files = have;
  const notes: string[] = [];
  for (const file of chosen) {
    try {
      const read = await readTextFile(file, FILES_BYTES);
      const others = files.filter((f) => f.name !== read.name);
      if (others.length >= FILES_MAX) throw new Error(w.tooMany(FILES_MAX));
      if (totalSize(others) + read.size > FILES_BYTES) throw new Error(`${read.name}: ${w.tooMuch(bytes(FILES_BYTES))}`);
      if (others.length < files.length) notes.push(w.replaced(read.name));
      files = [...others, read];
    } catch (err) {
      const note = (err as Error).message;
      if (!notes.includes(note)) notes.push(note);
    }
  }
  return { files, notes };
}

export function useFiles(initial: TextFile[], allowed: boolean) {
  const [files, setFiles] = useState<TextFile[]>(initial);
  const [notes, setNotes] = useState<string[]>([]);
  const [over, setOver] = useState(false);
  const depth = useRef(0);
  const latest = useRef(files);
  latest.current = files;
  const add = async (chosen: File[]) => {
    const next = await addFiles(latest.current, chosen);
    latest.current = next.files;
    setFiles(next.files);
    setNotes(next.notes);
  };
  const end = () => { depth.current = 0; setOver(false); };
  // Entering a child leaves its parent: only the count tells when the whole is left.
  const drop = {
    onDragEnter: (e: DragEvent) => { if (carriesFiles(e.dataTransfer)) { depth.current++; setOver(allowed); } },
    onDragLeave: () => { if (--depth.current <= 0) end(); },
    onDragOver: (e: DragEvent) => { if (carriesFiles(e.dataTransfer)) e.preventDefault(); },
    onDrop: (e: DragEvent) => {
      if (!carriesFiles(e.dataTransfer)) return;
      end();
      if (e.defaultPrevented) return; // a field took it
      e.preventDefault();
      if (allowed) void add(Array.from(e.dataTransfer.files));
      else setNotes([wordsNow(startWords).noFiles]);
    },
  };
  return { files, notes, over, drop, add, remove: (name: string) => { setFiles(files.filter((f) => f.name !== name)); setNotes([]); } };
}

interface Props { state: ReturnType<typeof useFiles>; disabled?: boolean; unread: boolean; allowed: boolean }

export function Files({ state, disabled, unread, allowed }: Props) {
  const w = useWords(startWords);
  const picker = useRef<HTMLInputElement>(null);
  const { files, notes, over } = state;
  if (!allowed && notes.length === 0) return null;
  return (
    <section className="files" aria-label={w.files} data-over={over || undefined}>
      {allowed && (
        <div className="files-drop">
          <Icon name="file" /><span className="files-words">{over ? w.dropNow : <><span className="files-drag">{w.drop} {w.or} </span></>}</span>
          <button type="button" className="small" disabled={disabled} onClick={() => picker.current?.click()}>{w.choose}</button>
          <span className="faint">{files.length ? w.filesUsed(files.length, bytes(totalSize(files))) : w.filesLimit(FILES_MAX, bytes(FILES_BYTES))}</span>
          <input ref={picker} type="file" multiple hidden aria-label={w.choose} data-testid="attach"
            onChange={(e) => { void state.add(Array.from(e.target.files ?? [])); e.target.value = ""; }} />
        </div>
      )}
      {files.length > 0 && (
        <ul className="files-list">
          {files.map((f) => (
            <li key={f.name} data-testid="attached">
              <span className="mono">{f.name}</span><span className="faint">{bytes(f.size)}</span>
              <button type="button" className="quiet square small" aria-label={w.removeFile(f.name)} title={w.removeFile(f.name)} disabled={disabled} onClick={() => state.remove(f.name)}>
                <Icon name="close" size={13} />
              </button>
            </li>
          ))}
        </ul>
      )}
      {files.length > 0 && unread && <p className="faint">{w.filesUnread}</p>}
      {notes.length > 0 && <div role="alert" data-testid="files-notes">{notes.map((n) => <p key={n} className="field-error"><Icon name="warn" size={13} />{n}</p>)}</div>}
    </section>
  );
}
