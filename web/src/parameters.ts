// Parameters: what tells curves apart, and which of them become rows, columns and colours.

import type { Curve, Environment, Index } from "./model";

const LAYOUT = /^v([23])-c([^-]+)(?:-s([^-]+))?((?:-[a-z]+=[^-]+)*)$/;
export const collator = new Intl.Collator("en", { numeric: true });

export function groupBy<Item, Key>(items: Iterable<Item>, keyOf: (item: Item) => Key): Map<Key, Item[]> {
  const groups = new Map<Key, Item[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return groups;
}

/** Take a layout such as v3-c32-s256 apart: format, chunk and shard are questions of their own. */
export function splitLayout(parameters: Record<string, string>): Record<string, string> {
  const found = LAYOUT.exec(parameters["layout"] ?? "");
  if (!found) return parameters;
  const split: Record<string, string> = {};
  for (const [name, value] of Object.entries(parameters)) {
    if (name !== "layout") {
      split[name === "chain" ? "codec" : name] = value;
      continue;
    }
    split["format"] = `v${found[1]}`;
    split["chunk"] = found[2]!;
    split["shard"] = found[3] ?? "none";
    if (found[4]) split["layout"] = found[4].slice(1);
  }
  return split;
}

/** Name what sets a line apart from the others of its page: the machine, the Python, the packages. */
export function dimensions(index: Index, lines: (number | number[])[], number: number, machine: number): Record<string, string> {
  const facts = lines.map((environments) => constantFacts(index, environments));
  const names = new Set(facts.flatMap((one) => Object.keys(one)));
  const differing = [...names].filter((name) => new Set(facts.map((one) => one[name] ?? "")).size > 1);
  const told = Object.fromEntries(differing.sort(collator.compare).map((name) => [name, facts[number]![name] ?? "none"]));
  return { ...told, machine: machineName(index, machine) };
}

function constantFacts(index: Index, environments: number | number[]): Record<string, string> {
  const all = (Array.isArray(environments) ? [...new Set(environments)] : [environments]).map((at) => index.environments[at]!);
  const facts = (one: (typeof all)[number]) => ({ ...one.packages, ...one.threads, ...(one.python && { python: one.python }), ...(one.filesystem && { filesystem: one.filesystem }) });
  const first: Record<string, string> = facts(all[0]!);
  return Object.fromEntries(Object.entries(first).filter(([name, value]) => all.every((one) => (facts(one) as Record<string, string>)[name] === value)));
}

export function machineName(index: Index, number: number): string {
  const one = index.machines[number]!;
  const twins = index.machines.filter((other) => other.machine === one.machine);
  return twins.length > 1 ? `${one.machine} (${one.cpu}, ${one.cores} cores)` : one.machine || "unknown";
}

/** What is not there comes first, then names with their numbers in order. */
export function byName(a: string, b: string): number {
  return Number(b === "none" || b === "") - Number(a === "none" || a === "") || collator.compare(a, b);
}

export function commonParameters(curves: Curve[]): { parameters: Map<string, string[]>; fixed: Record<string, string> } {
  const values = new Map<string, Set<string>>();
  for (const curve of curves) {
    for (const [name, value] of Object.entries(curve.parameters)) {
      const known = values.get(name) ?? new Set();
      values.set(name, known.add(value));
    }
  }
  const parameters = new Map<string, string[]>();
  const fixed: Record<string, string> = {};
  for (const [name, known] of values) {
    if (known.size === 1) fixed[name] = [...known][0]!;
    else parameters.set(name, [...known].sort(byName));
  }
  return { parameters, fixed };
}

export interface Roles {
  color: string;
  columns: string;
}

/** Most colours that can be told from each other. */
export const COLOURS = 8;

/** Choose what is seen side by side: as many lines in one picture as colours allow, the next parameter as columns. */
export function defaultRoles(parameters: Map<string, string[]>): Roles {
  const sized = [...parameters].filter(([name]) => name !== "machine").sort(([, a], [, b]) => b.length - a.length);
  const color = sized.find(([, values]) => values.length <= COLOURS)?.[0] ?? sized[0]?.[0] ?? "";
  const columns = sized.find(([name, values]) => name !== color && values.length <= 6)?.[0] ?? "";
  return { color, columns };
}

export interface Facet {
  id: string;
  row: string;
  column: string;
  curves: Curve[];
}

export function describe(parameters: Record<string, string>, names: Iterable<string>): string {
  return [...names].map((name) => `${name} ${parameters[name] ?? "none"}`).join(", ");
}

/** Lay the curves out as small pictures: what is neither a column nor a colour makes a row. */
export function facetsOf(curves: Curve[], parameters: Map<string, string[]>, roles: Roles): Facet[] {
  const rest = [...parameters.keys()].filter((name) => name !== roles.color && name !== roles.columns);
  const facets = new Map<string, Facet>();
  for (const curve of curves) {
    const row = describe(curve.parameters, rest);
    const column = roles.columns ? describe(curve.parameters, [roles.columns]) : "";
    const id = `${row}|${column}`;
    const facet = facets.get(id) ?? { id, row, column, curves: [] };
    facet.curves.push(curve);
    facets.set(id, facet);
  }
  return [...facets.values()].sort((a, b) => collator.compare(a.row, b.row) || collator.compare(a.column, b.column));
}

const facts = (one: Environment): Record<string, string> => ({
  processor: one.cpu, cores: String(one.cores), system: one.os, python: one.python, filesystem: one.filesystem, ...one.threads, ...one.packages,
});

/** What differs between two environments, by name. */
export function differencesOf(before: Environment, after: Environment): { name: string; from: string; to: string }[] {
  const [from, to] = [facts(before), facts(after)];
  const names = [...new Set([...Object.keys(from), ...Object.keys(to)])].sort(collator.compare);
  return names.filter((name) => (from[name] ?? "") !== (to[name] ?? "")).map((name) => ({ name, from: from[name] || "none", to: to[name] || "none" }));
}
