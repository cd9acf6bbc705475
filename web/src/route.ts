// Every view has an address: what is behind the # tells all that is shown.

import { reactive } from "vue";

export interface Route {
  path: string[];
  query: Record<string, string>;
}

function parse(): Route {
  const [path = "", query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  return { path: path.split("/").filter(Boolean).map(decodeURIComponent), query: Object.fromEntries(new URLSearchParams(query)) };
}

export const route = reactive<Route>(parse());

function follow(): void {
  Object.assign(route, parse());
}

window.addEventListener("hashchange", follow);

export function address(path: string[], query: Record<string, string | undefined> = {}): string {
  const told = Object.entries(query).filter((pair): pair is [string, string] => pair[1] !== undefined && pair[1] !== "");
  const search = new URLSearchParams(told).toString();
  return `#/${path.map(encodeURIComponent).join("/")}${search && `?${search}`}`;
}

/** Change a part of what is shown, without a step in the history of the browser. */
export function amend(query: Record<string, string | undefined>): void {
  history.replaceState(null, "", address(route.path, { ...route.query, ...query }));
  follow();
}
