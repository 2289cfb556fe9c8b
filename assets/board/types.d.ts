/** What crosses the wire between the server (lessons/board.py, the live server) and the board. */

export type Numbers = Uint8Array | Int8Array | Uint16Array | Int32Array | Float32Array | Float64Array | BigInt64Array;

/** An array of a message: its values in row-major order, and its shape. */
export interface WireArray {
  values: Float64Array | Float32Array | Int32Array | Int8Array | Uint8Array;
  shape: number[];
}

export type WireArrays = Record<string, WireArray>;

/** A run of steps that have the same scalars: values[i * names.length + j] is scalar j at steps[i]. */
export interface ScalarBlock {
  names: string[];
  steps: Int32Array | Float64Array;
  values: Float64Array;
}

/** Text in both languages of the interface. */
export interface Bilingual {
  en: string;
  zh: string;
}

export type Settings = Record<string, unknown>;

/** What a click asks of the run's state, or which settings it chooses. */
export type Gesture =
  { name: string; args: Record<string, string>; follow?: boolean } | { sets: Record<string, string> };

/** New numbers for one figure: `data` replaces these attributes of `trace` ("" for all but plots). */
export interface Patch {
  figure: string;
  trace: string;
  data: Record<string, any>;
}

interface FigureBase {
  id: string;
  size: "hero" | "half" | "third" | "full";
  height: number;
  picks?: Gesture | null;
  title?: string;
  caption?: string;
  alt?: string;
  reading?: string;
  shows?: string;
}

/** Which scalars fill an attribute of a trace: their history, or their values at one step. */
export type Binding = Record<string, string | (string | null)[]>;

export interface HandleSpec {
  curve?: string;
  slope?: string;
  upright?: boolean;
  say?: string;
  free?: Record<"x" | "y", { sets: string; from: number; to: number; by: number }>;
}

export interface SketchSpec {
  sets: string;
  from: number;
  to: number;
  against: string;
  say?: string;
}

/** A plotly trace with the board's own keys: bind, hold, band, first, draw, key, run. */
export interface TraceSpec {
  name: string;
  type?: string;
  bind?: Binding;
  hold?: HandleSpec;
  band?: string;
  first?: number;
  draw?: SketchSpec;
  key?: string;
  run?: string;
  x?: any;
  y?: any;
  xaxis?: string;
  yaxis?: string;
  [attribute: string]: any;
}

export interface PlotSpec extends FigureBase {
  kind: "plot";
  traces: TraceSpec[];
  layout?: Record<string, any>;
  switch?: boolean;
}

export interface MapSpec extends FigureBase {
  kind: "map";
  colours: "diverging" | "sequential" | "rgb";
  limits: "each" | "all" | [number, number];
  rows: string[];
  columns: string[];
  tiles: string[];
  marks?: string[];
  row_title?: string;
  column_title?: string;
  numbers?: boolean;
  across?: number;
  whole?: boolean;
  smooth?: boolean;
  span?: [number, number] | null;
  plane?: [number, number] | null;
  exact?: string;
  palette: string[];
}

export interface GraphNode {
  id: string;
  label?: string;
  note?: string;
  name?: string;
  edit?: string;
  asks?: string;
  x: number;
  y: number;
}

export interface GraphEdge {
  from: string;
  to: string;
  id?: string;
  label?: string;
  at?: number;
  name?: string;
  edit?: string;
  asks?: string;
}

export interface GraphSpec extends FigureBase {
  kind: "graph";
  nodes: GraphNode[];
  edges: GraphEdge[];
  width?: number;
  edits?: string;
}

export interface StripSpec extends FigureBase {
  kind: "strip";
  classes: string[];
}

export interface LinksSpec extends FigureBase {
  kind: "links";
  left_title?: string;
  right_title?: string;
}

export interface TableSpec extends FigureBase {
  kind: "table";
  columns: { title: string; bar?: "share" | "most" | "signed" | "" }[];
  head?: string;
  nan?: string;
  rows?: string[];
  bind?: (string | null)[][];
}

export interface NetworkTool {
  label: string;
  help: string;
  sets?: Settings;
  options?: { label: string; sets: Settings }[];
  at?: number;
}

export interface NetworkUnit {
  label?: string;
  help?: string;
  still?: number[][];
  off?: boolean;
  sets?: Settings;
  colour?: string;
}

export interface NetworkSpec extends FigureBase {
  kind: "network";
  layers: { title: string; units: NetworkUnit[]; tools?: NetworkTool[] }[];
  tools: NetworkTool[];
  words: Record<string, string>;
  edits?: string;
}

export type FigureSpec = PlotSpec | MapSpec | GraphSpec | StripSpec | LinksSpec | TableSpec | NetworkSpec;

/** All figures of a lesson in one language, from /live/spec/. */
export interface BoardSpec {
  lesson?: string;
  figures: FigureSpec[];
  names: Record<string, string>;
  ui: Record<string, string>;
  language: string;
}

/** A question that the page itself asks of the run. */
export interface PageQuery {
  name: string;
  args?: Settings;
  follow?: boolean;
  once?: boolean;
}

/** The text that a run is about, as the page has it. */
export interface TextBoxData {
  field: string;
  value: string;
  label: string;
  help?: string;
  lines: number;
  longest: number;
  error: string;
  settings: Settings | null;
  n: number;
}

/** What the page says at each of its reruns. */
export interface PageData {
  spec?: string;
  run?: string | null;
  ticket?: string;
  asks?: PageQuery[];
  recorded?: boolean;
  autoplay?: boolean;
  status?: string;
  focus?: unknown;
  box?: TextBoxData | null;
  assets?: Record<string, string>;
  plotly?: string;
  css?: string;
}

/** The arguments of a Streamlit component's mount function. */
export interface Component {
  key: string;
  data: PageData;
  parentElement: HTMLElement;
  setStateValue(name: string, value: unknown): void;
  setTriggerValue(name: string, value: unknown): void;
}

export type RunStatus = "" | "queued" | "running" | "paused" | "done" | "stopped" | "failed" | "recorded";

/** The state of a run: fields that are missing are as they were. */
export interface RunMessage {
  type: "run";
  run: string;
  status?: RunStatus;
  total?: number;
  rate?: number | null;
  place?: number | null;
  viewers?: number;
  snapshots?: number[];
  frames?: number[];
  error?: Bilingual | null;
  note?: Bilingual | null;
  device?: string;
  params?: Settings;
  origin?: [string, number] | null;
}

export type ServerMessage =
  | RunMessage
  | { type: "scalars"; run: string; groups: { names: string[] }[] }
  | { type: "frame"; run: string; step: number; patches: unknown[] }
  | { type: "rewind"; run: string; step: number; note: Bilingual }
  | { type: "answer"; id: number; run: string; step: number; name: string; patches: unknown[] }
  | { type: "refused"; id?: number | null; error: Bilingual; run?: undefined }
  | { type: "moved"; from: string; run: string }
  | { type: "next"; id?: number; from: string; run: string };

/** The colours in force on the page. */
export interface Theme {
  text: string;
  background: string;
  second: string;
  border: string;
  primary: string;
  font: string;
  dark: boolean;
  /** Equal for equal colours. */
  key: string;
  /** The value of a css variable. */
  variable(name: string): string;
}

/** What one figure has another one show in full. */
export interface TileInFocus {
  /** One tile; null where there is none yet. */
  tiles: { values: any; n: number; rows: number; columns: number; depth: number } | null;
  /** Its name, or a reading of the moment on show. */
  caption: string;
  /** Index of a map's tile, or of a network's unit; -2 for one of its inputs. */
  index: number;
  /** Of a network's unit: what its bytes stand for, or false where it has numbers. */
  unitSpan?: [number, number] | false;
}

/** A small map of what a unit of a network says everywhere. */
export interface UnitTile {
  values: any;
  rows: number;
  columns: number;
  /** Whether 0 to 255 stand for -most to most. */
  bytes: boolean;
  /** The largest absolute value. */
  most: number;
}
