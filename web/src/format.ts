// Numbers as people read them.

import type { Family, Measure, Position } from "./model";

const PREFIXES: [number, string][] = [[1, "s"], [1e-3, "ms"], [1e-6, "µs"], [1e-9, "ns"]];
const BINARY: [number, string][] = [[2 ** 40, "TiB"], [2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"], [1, "B"]];

function digits(value: number, count = 4): string {
  return Number(value.toPrecision(count)).toLocaleString("en", { maximumFractionDigits: 12 });
}

export function number(value: number, unit: string): string {
  if (Number.isNaN(value)) return "not measured";
  if (value === Infinity) return "refused";
  if (value === -Infinity) return "failed";
  const table = unit === "s" ? PREFIXES : unit === "bytes" ? BINARY : [];
  const size = Math.abs(value);
  const [factor, name] = table.find(([least]) => size >= least) ?? table.at(-1) ?? [1, unit === "1" ? "" : unit];
  const count = Number.isInteger(value) && !table.length ? value.toLocaleString("en") : digits(value / factor);
  return `${count} ${size === 0 && table.length ? unit.replace("bytes", "B") : name}`.trim();
}

export function interval(low: number, high: number, unit: string): string {
  return Number.isFinite(low) && Number.isFinite(high) ? `${number(low, unit)} to ${number(high, unit)}` : "";
}

export function percent(ratio: number): string {
  if (!Number.isFinite(ratio)) return "from 0";
  const change = (ratio - 1) * 100;
  const size = Math.abs(change);
  const text = size >= 100 ? `× ${digits(ratio, 3)}` : `${change < 0 ? "−" : "+"}${digits(size, size < 10 ? 2 : 3)} %`;
  return size < 0.005 ? "± 0 %" : text;
}

export function percentInterval(low: number, high: number): string {
  return low === high ? "exact" : `${percent(low)} to ${percent(high)}`;
}

const WORSE: Record<Family, string> = { time: "slower", memory: "hungrier", size: "bigger", traffic: "chattier", other: "higher" };
const BETTER: Record<Family, string> = { time: "faster", memory: "leaner", size: "smaller", traffic: "quieter", other: "lower" };
export const FAMILIES: [Family, string][] = [["time", "time"], ["memory", "memory"], ["size", "size"], ["traffic", "requests"], ["other", "other"]];

export function verdict(family: Family, worse: boolean): string {
  return (worse ? WORSE : BETTER)[family];
}

export function isWorse(measure: Measure, ratio: number): boolean {
  return ratio > 1 === measure.lower_is_better;
}

export function date(position: Position): string {
  return position.date ? new Date(position.date).toISOString().slice(0, 10) : "";
}

export function unitName(unit: string): string {
  return unit === "1" ? "ratio" : unit;
}
