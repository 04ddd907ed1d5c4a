// Text out of files that a person drops or picks. A name says little about what is in a file: the bytes decide.

import { wordsNow } from "@/words/words";
import { bytes } from "./format";
import { formWords } from "./schema-words";

export interface TextFile { name: string; text: string; size: number }

/** The text of a file; throws a sentence for people when it is none. */
export async function readTextFile(file: File, max: number): Promise<TextFile> {
  const w = wordsNow(formWords);
  if (file.size > max) throw new Error(w.tooLarge(file.name, bytes(max)));
  let content: ArrayBuffer;
  try {
    content = await file.arrayBuffer();
  } catch {
    throw new Error(w.unread(file.name)); // a folder, or a file that is gone
  }
  const text = decoded(content);
  if (text === undefined) throw new Error(w.notText(file.name));
  return { name: file.name, text, size: content.byteLength };
}

function decoded(content: ArrayBuffer): string | undefined {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(content);
    return text.includes("\0") ? undefined : text;
  } catch {
    return undefined;
  }
}

export const carriesFiles = (transfer: DataTransfer): boolean => Array.from(transfer.types).includes("Files");
