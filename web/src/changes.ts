// The steps of a page by line and position, as the overview tells them.

import type { Change, Page, Step } from "./model";
import { isWorse } from "./format";

export function changesOf(page: Page): Change[] {
  const groups = new Map<string, { line: number; steps: Step[]; positions: number[]; environments: number[] }>();
  const cells = new Map<number, number>();
  for (const curve of page.curves) {
    if (Number.isFinite(curve.latest[0])) cells.set(curve.line, (cells.get(curve.line) ?? 0) + 1);
    for (const step of curve.steps) {
      const key = `${curve.line} ${step.column}`;
      const group = groups.get(key) ?? { line: curve.line, steps: [], positions: curve.positions, environments: curve.environments };
      group.steps.push(step);
      groups.set(key, group);
    }
  }
  return [...groups.values()].map(({ line, steps, positions, environments }): Change => {
    const ratio = (step: Step) => (step.before ? step.after / step.before : Infinity);
    const worse = steps.filter((step) => isWorse(page.measure, ratio(step)));
    const better = steps.filter((step) => !isWorse(page.measure, ratio(step)));
    const told = (worse.length >= better.length ? worse : better).toSorted((a, b) => ratio(a) - ratio(b));
    const middle = told[Math.floor(told.length / 2)]!;
    return {
      page: page.name, line, position: positions[middle.column]!, before: positions[middle.beforeColumn]!,
      worse: worse.length, better: better.length, cells: Math.max(cells.get(line) ?? 0, steps.length), ratio: ratio(middle),
      smallest: ratio(told[0]!), largest: ratio(told.at(-1)!), low: middle.low, high: middle.high, row: middle.row,
      environment: environments[middle.column]!, before_environment: environments[middle.beforeColumn]!,
    };
  });
}
