// Files of data are scripts that hand over what they hold: a page in a folder may load nothing else.

import { unpack, type Packed } from "./numbers";
import { commonParameters, dimensions, groupBy, splitLayout } from "./parameters";
import type { Change, Curve, Environment, Index, Machine, Measure, Page, PageSummary, Position, Step, Trace } from "./model";

declare global {
  interface Window {
    zbench?: (key: string, content: unknown) => void;
  }
}

const arrived = new Map<string, unknown>();
const asked = new Map<string, Promise<unknown>>();

export function listen(): void {
  window.zbench = (key, content) => arrived.set(key, content);
}

function load(key: string, version: string): Promise<unknown> {
  const known = asked.get(key);
  if (known) return known;
  const promise = new Promise<unknown>((resolve, reject) => {
    const script = document.createElement("script");
    const path = key.split("/").map(encodeURIComponent).join("/");
    script.src = `data/${path}.js${version && `?${version}`}`;
    script.onload = () => {
      script.remove();
      if (arrived.has(key)) resolve(arrived.get(key));
      else reject(new Error(`${script.src} does not hold what it should. Publish the site anew.`));
      arrived.delete(key);
    };
    script.onerror = () => reject(new Error(`${script.src} could not be loaded. Reload the page, or publish the site anew.`));
    document.head.append(script);
  });
  asked.set(key, promise);
  promise.catch(() => asked.delete(key));
  return promise;
}

interface RawIndex {
  title: string;
  made: string;
  version: string;
  machines: Machine[];
  environments: Environment[];
  positions: [string, string, number[], string, number, string, string][];
  pages: PageSummary[];
  changeFields: (keyof Change)[];
  changes: (string | number | null)[][];
  changesTotal: number;
  traces: Index["traces"];
  problems: string[];
}

export async function loadIndex(): Promise<Index> {
  const raw = (await load("index", String(Date.now()))) as RawIndex;
  const positions = raw.positions.map(([axis, key, order, label, date, subject, url], id): Position =>
    ({ id, axis, key, order, label, date, subject, url }));
  const changes = raw.changes.map((values) =>
    Object.fromEntries(raw.changeFields.map((name, at) => [name, values[at] ?? Infinity])) as unknown as Change);
  return { ...raw, positions, changes };
}

export function byOrder(a: Position, b: Position): number {
  for (let at = 0; at < Math.max(a.order.length, b.order.length); at++) {
    const difference = (a.order[at] ?? -1) - (b.order[at] ?? -1);
    if (difference) return difference;
  }
  return a.id - b.id;
}

interface RawLine {
  machine: number;
  key: string;
  environments: number | number[];
  positions: number[];
  cells: number[][];
  latest: Packed;
  steps: (number | null)[][];
  notes: [number, string][];
}

interface RawHead {
  name: string;
  title: string;
  axis: string;
  measure: Measure;
  names: string[];
  segments: number;
  segment: number;
  lines: RawLine[];
  values: string[][];
  versions: string[];
}

type RawSegment = { lines: Record<string, { v: Packed; lo?: Packed; hi?: Packed }> };

const heads = new Map<string, Promise<Page>>();

/** A page without its numbers: names, latest values, steps. */
export function loadHead(index: Index, name: string): Promise<Page> {
  const known = heads.get(name);
  if (known) return known;
  const page = makeHead(index, name);
  heads.set(name, page);
  page.catch(() => heads.delete(name));
  return page;
}

async function rawHead(index: Index, name: string): Promise<RawHead> {
  const summary = index.pages.find((page) => page.name === name);
  if (!summary) throw new Error(`There is no benchmark ${name} here. The overview lists all.`);
  return (await load(`b/${name}`, summary.version)) as RawHead;
}

async function makeHead(index: Index, name: string): Promise<Page> {
  const head = await rawHead(index, name);
  const curves = head.lines.flatMap((line, at) => curvesOf(index, head, line, at));
  const parameters = commonParameters(curves);
  const used = new Set(head.lines.flatMap((line) => line.positions));
  const axisPositions = [...used].map((id) => index.positions[id]!).sort(byOrder).map((position) => position.id);
  return { name, title: head.title, axis: head.axis, measure: head.measure, curves, axisPositions, ...parameters };
}

function curvesOf(index: Index, head: RawHead, line: RawLine, number: number): Curve[] {
  const count = line.positions.length;
  const environments = Array.isArray(line.environments) ? line.environments : new Array<number>(count).fill(line.environments);
  const outer = dimensions(index, head.lines.map((one) => one.environments), number, line.machine);
  const latest = unpack(line.latest);
  const rows = line.cells.length;
  const notes = new Map(line.notes);
  const steps = groupBy(line.steps, (step) => step[0] ?? 0);
  return line.cells.map((cell, row) => ({
    id: `${number}.${row}`,
    line: number,
    row,
    machine: line.machine,
    parameters: { ...splitLayout(Object.fromEntries(head.names.map((name, at) => [name, head.values[at]![cell[at]!]!]))), ...outer },
    positions: line.positions,
    environments,
    value: new Float64Array(0),
    low: null,
    high: null,
    latest: [latest[row]!, latest[rows + row]!, latest[2 * rows + row]!],
    steps: (steps.get(row) ?? []).map(stepOf),
    notes,
  }));
}

function stepOf(raw: (number | null)[]): Step {
  const [row, column, beforeColumn, before, after, low, high] = raw.map((value) => value ?? Infinity) as [number, number, number, number, number, number, number];
  return { row, column, beforeColumn, before, after, low, high };
}

const whole = new Map<string, Promise<Page>>();

/** A page with all its numbers. */
export function loadPage(index: Index, name: string): Promise<Page> {
  const known = whole.get(name);
  if (known) return known;
  const page = fill(index, name);
  whole.set(name, page);
  page.catch(() => whole.delete(name));
  // A visit of many pages must not keep all their numbers.
  if (whole.size > 6) whole.delete(whole.keys().next().value!);
  return page;
}

async function fill(index: Index, name: string): Promise<Page> {
  const [page, head] = await Promise.all([loadHead(index, name), rawHead(index, name)]);
  const keys = head.versions.map((version, number) => [`b/${name}.${number}`, version] as const);
  const segments = (await Promise.all(keys.map(([key, version]) => load(key, version)))) as RawSegment[];
  for (const [key] of keys) asked.delete(key);
  const numbers = head.lines.map((line, number) => lineNumbers(line, number, head.segment, segments));
  const curves = page.curves.map((curve) => {
    const [value, low, high] = numbers[curve.line]!;
    const count = curve.positions.length;
    const part = (all: Float64Array) => all.subarray(curve.row * count, (curve.row + 1) * count);
    const ends = part(low).some(Number.isFinite);
    return { ...curve, value: part(value), low: ends ? part(low) : null, high: ends ? part(high) : null };
  });
  return { ...page, curves };
}

function lineNumbers(line: RawLine, number: number, width: number, segments: RawSegment[]): [Float64Array, Float64Array, Float64Array] {
  const count = line.positions.length;
  const blank = () => new Float64Array(line.cells.length * count).fill(NaN);
  const targets: [Float64Array, Float64Array, Float64Array] = [blank(), blank(), blank()];
  segments.forEach((segment, at) => {
    const entry = segment.lines[String(number)];
    if (!entry) return;
    [entry.v, entry.lo, entry.hi].forEach((packed, which) => {
      if (!packed) return;
      const [rows, columns] = packed.shape;
      const flat = unpack(packed);
      for (let row = 0; row < rows; row++) {
        targets[which]!.set(flat.subarray(row * columns, (row + 1) * columns), row * count + at * width);
      }
    });
  });
  return targets;
}

export async function loadTrace(index: Index, name: string): Promise<Trace> {
  const summary = index.traces.find((trace) => trace.name === name);
  if (!summary) throw new Error(`There is no trace ${name} here.`);
  return (await load(`t/${name}`, summary.version)) as Trace;
}
