// Goes to a field once it is there: forms come a moment after their node was chosen.

const FRAMES = 60;

function find(path: string | undefined): HTMLElement | null {
  if (path === "palette") return document.getElementById("palette-search");
  // The field itself, or the one that it is in: "properties.cases[0].when" -> "properties.cases[0]" -> …
  for (let at = path ?? ""; at; at = at.replace(/(\.[^.[]*|\[[^[]*\])$/, (part) => (part ? "" : part))) {
    const field = document.querySelector<HTMLElement>(`.inspect [data-field="${CSS.escape(at)}"]`);
    if (field) return field.querySelector<HTMLElement>("textarea, input, select:not(.insert-ref), button") ?? field;
    if (!/[.[]/.test(at)) break;
  }
  return null;
}

export function goToField(path: string | undefined): void {
  let left = FRAMES;
  const look = () => {
    const found = find(path);
    if (found) {
      for (let up = found.closest("details"); up; up = up.parentElement?.closest("details") ?? null) up.open = true;
      found.focus();
      found.scrollIntoView({ block: "nearest" });
    } else if (--left > 0) requestAnimationFrame(look);
    else document.getElementById("inspect-title")?.focus();
  };
  if (path) return void requestAnimationFrame(look);
  requestAnimationFrame(() => requestAnimationFrame(() => document.getElementById("inspect-title")?.focus()));
}
