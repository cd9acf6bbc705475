// A point of a curve, under a name that outlives the next publication.

import type { Curve, Index, Page } from "./model";

export interface Point {
  curve: Curve;
  column: number;
}

export function pointName(index: Index, point: Point): string {
  const cell = Object.entries(point.curve.parameters).map(([name, value]) => `${name}=${value}`).join("~");
  return `${index.positions[point.curve.positions[point.column]!]!.key.slice(0, 24)}@${cell}`;
}

/** Find a point by its name, or by the numbers of its line, row and position that the overview knows. */
export function findPoint(index: Index, page: Page, name: string | undefined): Point | null {
  if (!name) return null;
  const numbers = /^(\d+)\.(\d+)\.(\d+)$/.exec(name);
  if (numbers) {
    const curve = page.curves.find((one) => one.id === `${numbers[1]}.${numbers[2]}`);
    return curve ? pointAt(curve, curve.positions.indexOf(Number(numbers[3]))) : null;
  }
  const at = name.indexOf("@");
  const wanted = name.slice(at + 1).split("~").map((pair) => pair.split(/=(.*)/s).slice(0, 2));
  // A parameter that came later is not in an old name: what is in it must fit.
  const curve = page.curves.find((one) => wanted.every(([key = "", value]) => !(key in one.parameters) || one.parameters[key] === value));
  return curve ? pointAt(curve, curve.positions.findIndex((id) => index.positions[id]!.key.startsWith(name.slice(0, at)))) : null;
}

function pointAt(curve: Curve, column: number): Point | null {
  return column < 0 ? null : { curve, column };
}

/** Ends of the ratio b / a, from the ends of both: wider than it need be, never narrower. */
export function ratioOf(a: Point, b: Point): { ratio: number; low: number; high: number } {
  const [from, to] = [a.curve.value[a.column]!, b.curve.value[b.column]!];
  const ratio = to / from;
  const end = (numbers: Float64Array | null, column: number, otherwise: number) => {
    const value = numbers?.[column];
    return value !== undefined && Number.isFinite(value) ? value : otherwise;
  };
  const low = end(b.curve.low, b.column, to) / end(a.curve.high, a.column, from);
  const high = end(b.curve.high, b.column, to) / end(a.curve.low, a.column, from);
  return { ratio, low, high };
}
