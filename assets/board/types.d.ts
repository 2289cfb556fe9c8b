/** Types of the board that Python does not define; those that it does are in schema.d.ts. */

import type * as schema from "./schema.d.ts";

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

export type Settings = Record<string, unknown>;

/** Which scalars fill an attribute of a trace: their history, or their values at one step. */
export type Binding = Record<string, string | (string | null)[]>;

/** How a handle of a plot follows the pointer (PlotSpec). */
export interface HandleSpec {
  curve?: string;
  slope?: string;
  upright?: boolean;
  say?: string;
  free?: Record<"x" | "y", { sets: string; from: number; to: number; by: number }>;
}

/** How a line is drawn into a plot (PlotSpec). */
export interface SketchSpec {
  sets: string;
  from: number;
  to: number;
  against: string;
  say?: string;
}

/** A plotly trace with the board's own keys (PlotSpec). */
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

export interface PlotSpec extends schema.PlotSpec {
  traces: TraceSpec[];
}

export type FigureSpec =
  | PlotSpec
  | schema.NetworkSpec
  | schema.GraphSpec
  | schema.MapSpec
  | schema.StripSpec
  | schema.LinksSpec
  | schema.TableSpec;

export interface BoardSpec extends schema.BoardSpec {
  figures: FigureSpec[];
}

/** The arguments of a Streamlit component's mount function. */
export interface Component {
  key: string;
  data: schema.PageData;
  parentElement: HTMLElement;
  setStateValue(name: string, value: unknown): void;
}

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
