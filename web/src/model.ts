// What the data files hold, as zbench/report/site writes it.

export interface Machine {
  machine: string;
  cpu: string;
  cores: number;
}

export interface Environment {
  machine: string;
  os: string;
  cpu: string;
  cores: number;
  memory_bytes: number;
  python: string;
  packages: Record<string, string>;
  threads: Record<string, string>;
  filesystem: string;
}

export interface Position {
  id: number;
  axis: string;
  key: string;
  order: number[];
  label: string;
  date: number;
  subject: string;
  url: string;
}

export type Family = "time" | "memory" | "size" | "traffic" | "other";

export interface PageSummary {
  name: string;
  title: string;
  axis: string;
  metric: string;
  unit: string;
  family: Family;
  names: string[];
  machines: number[];
  /** Machine and newest environment of each. */
  lines: [number, number][];
  cells: number;
  columns: number;
  last: number[];
  version: string;
}

export interface Change {
  page: string;
  line: number;
  position: number;
  before: number;
  worse: number;
  better: number;
  cells: number;
  ratio: number;
  smallest: number;
  largest: number;
  low: number;
  high: number;
  row: number;
  environment: number;
  before_environment: number;
}

export interface TraceSummary {
  name: string;
  title: string;
  cell: Record<string, string>;
  machine: string;
  position: string;
  requests: number;
  version: string;
}

export interface Index {
  title: string;
  made: string;
  version: string;
  machines: Machine[];
  environments: Environment[];
  positions: Position[];
  pages: PageSummary[];
  changes: Change[];
  changesTotal: number;
  traces: TraceSummary[];
  problems: string[];
}

export interface Measure {
  metric: string;
  unit: string;
  family: Family;
  lower_is_better: boolean;
  exact: boolean;
}

export interface Step {
  row: number;
  column: number;
  beforeColumn: number;
  before: number;
  after: number;
  low: number;
  high: number;
}

/** Numbers that one line may join: a cell on one machine in one environment. */
export interface Curve {
  id: string;
  line: number;
  row: number;
  machine: number;
  parameters: Record<string, string>;
  positions: number[];
  environments: number[];
  value: Float64Array;
  low: Float64Array | null;
  high: Float64Array | null;
  latest: [number, number, number];
  steps: Step[];
  notes: Map<number, string>;
}

export interface Page {
  name: string;
  title: string;
  axis: string;
  measure: Measure;
  /** Parameters that tell curves apart, with all values of each. */
  parameters: Map<string, string[]>;
  /** Parameters that are the same for all curves. */
  fixed: Record<string, string>;
  curves: Curve[];
  /** Positions of all curves in order. */
  axisPositions: number[];
}

export interface Request {
  operation: string;
  key: string;
  start: number | null;
  length: number | null;
  size_bytes: number;
  found: boolean;
  offset_ns: number;
}

export interface Trace {
  name: string;
  title: string;
  cell: Record<string, string>;
  machine: string;
  position: string;
  requests: Request[];
}
