// Two states of a workflow beside each other, as YAML: people read that best.

import { stringify } from "yaml";
import { Diff } from "@/ui/diff";
import { useWords } from "@/words/words";
import { same, type Flow } from "./model";
import { words } from "./words";

export default function Compared({ theirs, mine }: { theirs: Flow; mine: Flow }) {
  const w = useWords(words);
  return same(theirs, mine) ? <p>{w.identical}</p> : <Diff before={stringify(theirs)} after={stringify(mine)} />;
}
