// The page in two languages. Each part of the page keeps its words beside it:
//
//   const words = dict({
//     en: { title: "Agents", count: (n: number) => plural(n, "agent") },
//     zh: { title: "智能体", count: (n: number) => `${count(n)} 个智能体` },
//   });
//   const w = useWords(words);    // in a component: w.title, w.count(3)
//
// The Chinese object must have the shape of the English one, so a sentence that is missing does not compile.
// A test (words.test.ts) refuses English text in JSX that does not come from here.

import { useSyncExternalStore } from "react";

export type Lang = "en" | "zh";
export const LANGS: readonly { lang: Lang; name: string }[] = [{ lang: "en", name: "English" }, { lang: "zh", name: "中文" }];

export interface Dict<T> { en: T; zh: T }

export const dict = <T extends object>(both: { en: T; zh: NoInfer<T> }): Dict<T> => both;

const KEY = "sluice.lang";
const listeners = new Set<() => void>();

function preferred(): Lang {
  if (typeof localStorage === "undefined") return "en";
  const kept = localStorage.getItem(KEY);
  if (kept === "en" || kept === "zh") return kept;
  return navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
}

let current: Lang = preferred();

export const lang = (): Lang => current;

export function setLang(next: Lang): void {
  if (typeof localStorage !== "undefined") localStorage.setItem(KEY, next);
  show(next);
}

function show(next: Lang): void {
  current = next;
  if (typeof document !== "undefined") document.documentElement.lang = next === "zh" ? "zh-CN" : "en";
  for (const fn of listeners) fn();
}

// Another tab chose another one: two tabs of one person speak one language.
if (typeof window !== "undefined") {
  window.addEventListener("storage", (e) => {
    if (e.key === KEY && (e.newValue === "en" || e.newValue === "zh") && e.newValue !== current) show(e.newValue);
  });
}

const subscribe = (fn: () => void) => {
  listeners.add(fn);
  return () => void listeners.delete(fn);
};

/** The language; the component renders again when it changes. */
export const useLang = (): Lang => useSyncExternalStore(subscribe, lang, lang);

export const useWords = <T,>(words: Dict<T>): T => words[useLang()];

/** Outside of components; what is shown must come from useWords. */
export const wordsNow = <T,>(words: Dict<T>): T => words[current];
