// One small picture: lines with their intervals, steps marked, on an axis of positions.

import uPlot from "uplot";
import type { Curve, Measure, Position, Step } from "./model";
import { isWorse, number, percent } from "./format";
import { ink } from "./theme";

export interface ChartCurve {
  curve: Curve;
  color: number;
}

export interface Mark {
  curve: string;
  position: number;
  letter: string;
}

export interface ChartInput {
  curves: ChartCurve[];
  axis: Position[];
  measure: Measure;
  logarithmic: boolean;
  /** Whether each line is shown as a factor of its begin. */
  relative: boolean;
  range: [number, number] | null;
  extent: [number, number] | null;
  marks: Mark[];
  width: number;
  height: number;
  onHover: (curve: Curve, column: number) => void;
  onPick: (curve: Curve, column: number) => void;
  onRange: (range: [number, number]) => void;
}

/** Points of a curve by place on the axis: a refusal or failure breaks the line, what was not measured does not. */
function laid(values: Float64Array, places: number[], count: number, base: number): (number | null | undefined)[] {
  const line = new Array<number | null | undefined>(count);
  places.forEach((place, column) => {
    const value = values[column]!;
    if (Number.isFinite(value)) line[place] = value / base;
    else if (!Number.isNaN(value)) line[place] = null;
  });
  return line;
}

/** What a line is divided by to be shown as a factor: the middle of its first numbers. */
export function baseOf(curve: Curve, relative: boolean): number {
  if (!relative) return 1;
  const first = [...curve.value.filter((value) => Number.isFinite(value)).subarray(0, 5)].sort((a, b) => a - b);
  return first[Math.floor(first.length / 2)] || 1;
}

const FEW = 8;
/** Bytes are read in powers of two. */
const DOUBLINGS = Array.from({ length: 60 }, (_, power) => 2 ** power);

export class Chart {
  private readonly plot: uPlot;
  private readonly columns: Map<number, number>[];
  private readonly places: number[][];
  /** With few positions the lines of a picture stand side by side, or one would hide the other. */
  private readonly slots: number;
  private readonly bases: number[];

  constructor(private readonly input: ChartInput, target: HTMLElement) {
    const place = new Map(input.axis.map((position, at) => [position.id, at]));
    this.slots = input.axis.length <= FEW ? Math.max(1, input.curves.length) : 1;
    const indices = input.curves.map(({ curve }, at) => curve.positions.map((id) => place.get(id)! * this.slots + (this.slots > 1 ? at : 0)));
    const xs = Array.from({ length: input.axis.length * this.slots }, (_, at) => this.across(at));
    this.places = indices.map((all) => all.map((at) => xs[at]!));
    this.columns = indices.map((all) => new Map(all.map((at, column) => [at, column])));
    this.bases = input.curves.map(({ curve }) => baseOf(curve, input.relative));
    const lines = input.curves.map(({ curve }, at) => laid(curve.value, indices[at]!, xs.length, this.bases[at]!));
    this.plot = new uPlot(this.options(), [xs, ...lines] as uPlot.AlignedData, target);
  }

  private across(index: number): number {
    const slot = index % this.slots;
    return Math.floor(index / this.slots) + (this.slots > 1 ? ((slot + 0.5) / this.slots - 0.5) * 0.7 : 0);
  }

  private options(): uPlot.Options {
    const { axis, measure, logarithmic, range, width, height } = this.input;
    const few = axis.length <= 60;
    const style = { stroke: ink("quiet"), font: "12px system-ui", grid: { stroke: ink("grid"), width: 1 }, ticks: { stroke: ink("grid"), width: 1 } };
    return {
      width,
      height,
      legend: { show: false },
      padding: [8, 12, 0, 0],
      cursor: { points: { size: 7 }, drag: { x: true, y: false, setScale: false }, focus: { prox: -1 } },
      scales: {
        x: { time: false, range: () => (range ? [range[0] - 0.5, range[1] + 0.5] : [-0.5, axis.length - 0.5]) },
        y: { distr: logarithmic ? 3 : 1, range: (_, low, high) => this.vertical(low, high) },
      },
      axes: [
        { ...style, size: 30, space: 84, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000], values: (_, at) => at.map((place) => tick(axis[place])) },
        { ...style, size: 74, space: 26, ...(measure.unit === "bytes" && !this.input.relative && !logarithmic ? { incrs: DOUBLINGS } : {}), values: (_, at) => at.map((value) => (value === null ? "" : this.input.relative ? percent(value) : number(value, measure.unit))) },
      ],
      series: [{}, ...this.input.curves.map(({ color, curve }) => ({
        label: curve.id, stroke: ink(`c${color % 8}`), width: 1.5, dash: color >= 8 ? [5, 3] : [],
        points: { show: few, size: few && axis.length <= 20 ? 6 : 4 }, spanGaps: false,
      }))],
      hooks: {
        drawClear: [(plot) => this.drawIntervals(plot)],
        draw: [(plot) => this.drawSteps(plot), (plot) => this.drawMarks(plot)],
        setCursor: [(plot) => this.hover(plot)],
        setSelect: [(plot) => this.select(plot)],
        ready: [(plot) => plot.over.addEventListener("click", () => this.pick(plot))],
      },
    };
  }

  private vertical(low: number | null, high: number | null): [number, number] {
    const [least, most] = this.input.extent ?? this.spread() ?? [low ?? 0, high ?? 1];
    if (this.input.logarithmic && least > 0) return [least / 1.1, most * 1.1];
    const room = (most - least) * 0.08 || Math.abs(most) * 0.1 || 1;
    const floor = least - room;
    return [least >= 0 && floor < 0 ? 0 : floor, most + room];
  }

  /** What the numbers in view reach, with their intervals but without a few that would press all others flat. */
  private spread(): [number, number] | null {
    return extentOf(this.input.curves.map((one) => one.curve), this.input.axis, this.input.range, this.input.relative);
  }

  private drawIntervals(plot: uPlot): void {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    this.input.curves.forEach(({ curve, color }, at) => {
      if (!curve.low || !curve.high) return;
      ctx.fillStyle = ctx.strokeStyle = ink(`c${color % 8}`);
      const spaced = bbox.width / (this.input.range ? this.input.range[1] - this.input.range[0] + 1 : this.input.axis.length) > 14 * devicePixelRatio;
      if (spaced) this.whiskers(plot, curve, this.places[at]!, this.bases[at]!);
      else this.band(plot, curve, this.places[at]!, this.bases[at]!);
    });
    ctx.restore();
  }

  private whiskers(plot: uPlot, curve: Curve, places: number[], base: number): void {
    const { ctx } = plot;
    ctx.globalAlpha = 0.55;
    ctx.lineWidth = 2 * devicePixelRatio;
    places.forEach((place, column) => {
      const [low, high] = [curve.low![column]! / base, curve.high![column]! / base];
      if (!Number.isFinite(low)) return;
      const x = plot.valToPos(place, "x", true);
      ctx.beginPath();
      ctx.moveTo(x, plot.valToPos(low, "y", true));
      ctx.lineTo(x, plot.valToPos(high, "y", true));
      ctx.stroke();
    });
    ctx.globalAlpha = 1;
  }

  private band(plot: uPlot, curve: Curve, places: number[], base: number): void {
    const { ctx } = plot;
    ctx.globalAlpha = 0.2;
    let run: [number, number, number][] = [];
    const flush = () => {
      if (run.length > 1) {
        ctx.beginPath();
        run.forEach(([x, , high], at) => (at ? ctx.lineTo(x, high) : ctx.moveTo(x, high)));
        run.toReversed().forEach(([x, low]) => ctx.lineTo(x, low));
        ctx.fill();
      }
      run = [];
    };
    places.forEach((place, column) => {
      const [low, high] = [curve.low![column]! / base, curve.high![column]! / base];
      if (Number.isFinite(low)) run.push([plot.valToPos(place, "x", true), plot.valToPos(low, "y", true), plot.valToPos(high, "y", true)]);
      else if (!Number.isNaN(curve.value[column])) flush();
    });
    flush();
    ctx.globalAlpha = 1;
  }

  private drawSteps(plot: uPlot): void {
    const { ctx, bbox } = plot;
    this.input.curves.forEach(({ curve }, at) => {
      for (const step of curve.steps) {
        const x = plot.valToPos(this.places[at]![step.column]!, "x", true);
        if (x < bbox.left || x > bbox.left + bbox.width) continue;
        const value = curve.value[step.column]!;
        const y = plot.valToPos((Number.isFinite(value) ? value : step.after) / this.bases[at]!, "y", true);
        triangle(ctx, x, y, step, isWorse(this.input.measure, step.after / step.before));
      }
    });
  }

  private drawMarks(plot: uPlot): void {
    const { ctx } = plot;
    for (const mark of this.input.marks) {
      const at = this.input.curves.findIndex(({ curve }) => curve.id === mark.curve);
      if (at < 0) continue;
      const { curve } = this.input.curves[at]!;
      const column = curve.positions.indexOf(mark.position);
      const value = curve.value[column];
      if (value === undefined || !Number.isFinite(value)) continue;
      const [x, y] = [plot.valToPos(this.places[at]![column]!, "x", true), plot.valToPos(value / this.bases[at]!, "y", true)];
      ctx.save();
      ctx.beginPath();
      ctx.arc(x, y, 9 * devicePixelRatio, 0, 2 * Math.PI);
      ctx.fillStyle = ink("ink");
      ctx.fill();
      ctx.fillStyle = ink("paper");
      ctx.font = `bold ${11 * devicePixelRatio}px system-ui`;
      ctx.textAlign = "center";
      ctx.textBaseline = "middle";
      ctx.fillText(mark.letter, x, y);
      ctx.restore();
    }
  }

  private nearest(plot: uPlot): [Curve, number] | null {
    const { idx, top } = plot.cursor;
    if (idx === null || idx === undefined || top === undefined || top < 0) return null;
    let best: [Curve, number] | null = null;
    let least = Infinity;
    this.input.curves.forEach(({ curve }, at) => {
      const column = this.slots > 1 ? this.beside(at, idx) : this.columns[at]!.get(idx);
      const value = column === undefined ? NaN : curve.value[column]!;
      const distance = Number.isFinite(value) ? Math.abs(plot.valToPos(value / this.bases[at]!, "y") - top) : Infinity;
      if (column !== undefined && distance < least) [best, least] = [[curve, column], distance];
    });
    return best;
  }

  /** The column of a line at the position that an index stands for. */
  private beside(at: number, idx: number): number | undefined {
    return this.columns[at]!.get(Math.floor(idx / this.slots) * this.slots + at);
  }

  private hover(plot: uPlot): void {
    const found = this.nearest(plot);
    if (found) this.input.onHover(...found);
  }

  private pick(plot: uPlot): void {
    const found = this.nearest(plot);
    if (found && plot.select.width < 4) this.input.onPick(...found);
  }

  private select(plot: uPlot): void {
    if (plot.select.width < 4) return;
    const ends = [plot.select.left, plot.select.left + plot.select.width].map((x) => Math.round(plot.posToVal(x, "x"))) as [number, number];
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    const [begin, end] = [Math.max(0, ends[0]), Math.min(this.input.axis.length - 1, ends[1])];
    if (end > begin) this.input.onRange([begin, end]);
  }

  /** Show a point as the mouse would. */
  point(curve: Curve, column: number): void {
    const at = this.input.curves.findIndex((one) => one.curve.id === curve.id);
    const place = this.places[at]?.[column];
    if (place === undefined) return;
    const value = curve.value[column]!;
    this.plot.setCursor({ left: this.plot.valToPos(place, "x"), top: Number.isFinite(value) ? this.plot.valToPos(value / this.bases[at]!, "y") : 0 }, false);
  }

  destroy(): void {
    this.plot.destroy();
  }
}

function tick(position: Position | undefined): string {
  if (!position) return "";
  return position.axis === "commit" && position.date ? new Date(position.date).toISOString().slice(0, 10) : position.label.slice(0, 12);
}

function triangle(ctx: CanvasRenderingContext2D, x: number, y: number, step: Step, worse: boolean): void {
  const up = step.after > step.before;
  const size = 5 * devicePixelRatio;
  const base = y + (up ? -1 : 1) * size * 1.6;
  ctx.save();
  ctx.fillStyle = ink(worse ? "worse" : "better");
  ctx.strokeStyle = ink("paper");
  ctx.lineWidth = devicePixelRatio;
  ctx.beginPath();
  ctx.moveTo(x - size, base);
  ctx.lineTo(x + size, base);
  ctx.lineTo(x, base + (up ? -1 : 1) * size * 1.6);
  ctx.closePath();
  ctx.fill();
  ctx.stroke();
  ctx.restore();
}

export function extentOf(curves: Curve[], axis: Position[], range: [number, number] | null, relative: boolean): [number, number] | null {
  const shown = range && new Set(axis.slice(range[0], range[1] + 1).map((position) => position.id));
  const all: number[] = [];
  for (const curve of curves) {
    const base = baseOf(curve, relative);
    for (const numbers of [curve.value, curve.low, curve.high]) {
      numbers?.forEach((value, column) => {
        if (Number.isFinite(value) && (!shown || shown.has(curve.positions[column]!))) all.push(value / base);
      });
    }
  }
  if (!all.length) return null;
  const sorted = Float64Array.from(all).sort();
  const at = (part: number) => sorted[Math.round(part * (sorted.length - 1))]!;
  // One outlier of thousands must not press all others flat; the table and the export keep it.
  return sorted.length < 500 ? [at(0), at(1)] : [Math.max(at(0), at(0.001) - (at(0.999) - at(0.001)) * 0.3), Math.min(at(1), at(0.999) + (at(0.999) - at(0.001)) * 0.3)];
}
