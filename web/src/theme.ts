// Light and dark: as the system says, unless the reader chose.

import { ref, watch } from "vue";

export type Scheme = "auto" | "light" | "dark";
const KEY = "zbench-scheme";

function stored(): Scheme {
  try {
    const value = localStorage.getItem(KEY);
    return value === "light" || value === "dark" ? value : "auto";
  } catch {
    return "auto";
  }
}

export const scheme = ref<Scheme>(stored());
/** Counts changes, so that drawings that read colours are drawn again. */
export const painted = ref(0);

function apply(): void {
  const root = document.documentElement;
  if (scheme.value === "auto") root.removeAttribute("data-scheme");
  else root.dataset["scheme"] = scheme.value;
  painted.value++;
}

watch(scheme, (value) => {
  apply();
  try {
    if (value === "auto") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, value);
  } catch {
    // A page in a folder may have no storage: the choice lasts as long as the page.
  }
});

export function startTheme(): void {
  apply();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", apply);
}

export function ink(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}
