// What is shown, for other programs: made here, from numbers that are here already.

import { parquetWriteBuffer } from "hyparquet-writer";
import type { Curve, Index, Page } from "./model";

type Column = { name: string; data: (string | number | null)[]; type: "STRING" | "DOUBLE" };

/** A row for each curve and position in view. */
export function columnsOf(index: Index, page: Page, curves: Curve[], shown: Set<number>): Column[] {
  const names = [...page.parameters.keys(), ...Object.keys(page.fixed)];
  const texts = new Map<string, (string | null)[]>();
  const numbers = new Map<string, (number | null)[]>([["value", []], ["low", []], ["high", []]]);
  const put = (name: string, value: string) => texts.get(name)?.push(value) ?? texts.set(name, [value]);
  for (const curve of curves) {
    curve.positions.forEach((id, column) => {
      const value = curve.value[column]!;
      if (!shown.has(id) || Number.isNaN(value)) return;
      const position = index.positions[id]!;
      put("benchmark", page.title);
      put("metric", page.measure.metric);
      put("unit", page.measure.unit);
      for (const name of names) put(name, curve.parameters[name] ?? "");
      put(page.axis, position.key);
      put("date", position.date ? new Date(position.date).toISOString() : "");
      put("environment", environmentText(index, curve.environments[column]!));
      put("state", value === Infinity ? "refused" : value === -Infinity ? "failed" : "measured");
      const finite = (number: number | undefined) => (number !== undefined && Number.isFinite(number) ? number : null);
      numbers.get("value")!.push(finite(value));
      numbers.get("low")!.push(finite(curve.low?.[column]));
      numbers.get("high")!.push(finite(curve.high?.[column]));
    });
  }
  return [
    ...[...texts].map(([name, data]): Column => ({ name, data, type: "STRING" })),
    ...[...numbers].map(([name, data]): Column => ({ name, data, type: "DOUBLE" })),
  ];
}

function environmentText(index: Index, number: number): string {
  const one = index.environments[number]!;
  const packages = Object.entries(one.packages).map(([name, version]) => `${name} ${version}`);
  return [one.cpu, one.os, one.python && `python ${one.python}`, ...packages].filter(Boolean).join("; ");
}

export function csv(columns: Column[]): string {
  const quote = (value: string | number | null) => {
    const text = value === null ? "" : String(value);
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const rows = columns[0]?.data.map((_, at) => columns.map((column) => quote(column.data[at] ?? null)).join(",")) ?? [];
  return [columns.map((column) => quote(column.name)).join(","), ...rows, ""].join("\r\n");
}

export function parquet(columns: Column[]): ArrayBuffer {
  return parquetWriteBuffer({ columnData: columns.map((column) => ({ ...column, nullable: column.type === "DOUBLE" })) });
}

export function save(name: string, content: string | ArrayBuffer, type: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
