// The editor's buttons: back and forth, run, save, and what else can be done with a workflow.

import { href } from "@/app/route";
import { download } from "@/ui/download";
import { Icon } from "@/ui/icons";
import { Menu } from "@/ui/kit/menu";
import { common } from "@/words/common";
import { useWords } from "@/words/words";
import { useChecks, useEditor, useTools } from "./context";
import { textOf } from "./model";
import { words } from "./words";

interface Props { id?: string; dirty: boolean; saving: boolean; mayEdit: boolean; mayRun: boolean; onSave: () => void; onAsk: (kind: "run" | "save-new" | "template") => void }

export function Actions({ id, dirty, saving, mayEdit, mayRun, onSave, onAsk }: Props) {
  const w = useWords(words);
  const c = useWords(common);
  const { store } = useTools();
  const { valid } = useChecks();
  const past = useEditor((s) => s.past.length);
  const future = useEditor((s) => s.future.length);
  const why = !mayEdit ? w.mayNotSave : valid === false ? w.invalidSave : undefined;
  const whyNotRun = !mayRun ? w.mayNotRun : valid === false ? w.runInvalid : undefined;
  return (
    <>
      <button type="button" className="quiet square" aria-label={c.undo} title={`${c.undo} (Ctrl+Z)`} disabled={past === 0} onClick={store.undo} data-testid="undo"><Icon name="undo" /></button>
      <button type="button" className="quiet square" aria-label={c.redo} title={`${c.redo} (Ctrl+Shift+Z)`} disabled={future === 0} onClick={store.redo} data-testid="redo"><Icon name="redo" /></button>
      <button type="button" disabled={Boolean(whyNotRun)} title={whyNotRun} onClick={() => onAsk("run")} data-testid="run"><Icon name="play" size={14} />{w.run}</button>
      <button type="button" className="primary" disabled={Boolean(why) || saving || (Boolean(id) && !dirty)} title={why ?? "Ctrl+S"} onClick={onSave} data-testid="save">
        {saving && <span className="spinner" aria-hidden="true" />}{saving ? c.saving : c.save}
      </button>
      <More id={id} mayEdit={mayEdit} valid={valid} onAsk={onAsk} />
    </>
  );
}

function More({ id, mayEdit, valid, onAsk }: Pick<Props, "id" | "mayEdit" | "onAsk"> & { valid?: boolean }) {
  const w = useWords(words);
  const flow = useEditor((s) => s.flow);
  const blocked = !mayEdit || valid === false;
  const why = !mayEdit ? w.mayNotSave : valid === false ? w.invalidSave : undefined;
  const save = async () => {
    const { stringify } = await import("yaml");
    download(`${textOf(flow.id) || "workflow"}.yaml`, stringify(flow), "application/yaml");
  };
  return (
    <Menu label={w.more} testId="editor-more">
      {id && <button type="button" disabled={blocked} title={why} onClick={() => onAsk("save-new")} data-testid="save-as">{w.saveAs}</button>}
      <button type="button" disabled={blocked} title={why} onClick={() => onAsk("template")} data-testid="save-template">{w.saveTemplate}</button>
      <button type="button" onClick={() => void save()}>{w.download}</button>
      {id && <a href={href.versions(id)}>{w.versions}</a>}
    </Menu>
  );
}
