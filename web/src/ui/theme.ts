// Light, dark, or as the system says. The palette in style/base.css is written with light-dark().

import { useSyncExternalStore } from "react";

export type Theme = "system" | "light" | "dark";
const KEY = "sluice.theme";
const listeners = new Set<() => void>();

function kept(): Theme {
  const value = localStorage.getItem(KEY);
  return value === "light" || value === "dark" ? value : "system";
}

export function applyTheme(theme: Theme = kept()): void {
  document.documentElement.style.colorScheme = theme === "system" ? "light dark" : theme;
}

export function setTheme(theme: Theme): void {
  localStorage.setItem(KEY, theme);
  applyTheme(theme);
  for (const fn of listeners) fn();
}

// Another tab chose others.
if (typeof window !== "undefined") {
  window.addEventListener("storage", (e) => {
    if (e.key !== KEY) return;
    applyTheme();
    for (const fn of listeners) fn();
  });
}

export const useTheme = (): Theme => useSyncExternalStore((fn) => {
  listeners.add(fn);
  return () => void listeners.delete(fn);
}, kept);
