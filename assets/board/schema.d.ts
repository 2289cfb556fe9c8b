// Written by python -m pages.live.schema (make types) from these files; edit them instead:
// engine/messages.py, lessons/board/figures.py, lessons/contract.py, pages/ui/page_data.py, pages/live/protocol.py

export type RunControl = "pause" | "resume" | "step" | "stop" | "set";

export type Size = "hero" | "half" | "third" | "full";

/**
 * A click asks `compute.look(job, state, name, args)`; the answer's patches come back over the live socket.
 *
 * `args` maps argument names to fields of the event: a plot gives x, y, z, index, trace; a map row, col, tile,
 * value; a graph node, edge, name; a strip index; links from, to; a table row, name. With `follow` the question is
 * asked again as the playhead moves.
 */
export interface Ask {
  name: string;
  args: Record<string, string>;
  follow: boolean;
}

/**
 * A click (or the release of a drag) sets settings: {"start_x": "x"} puts the event's x into start_x.
 *
 * A setting of several names takes or loses the one that was clicked on. Settings that only change the view do not
 * start a run. A lesson's figures may have `on_choose` (lessons/contract.py), which makes settings of what a
 * gesture gave, where that is more than a value: a stroke of points, a weight.
 */
export interface Choose {
  sets: Record<string, string>;
}

export type Pick = Ask | Choose;

/**
 * A plotly figure as plain dictionaries. A trace may have "bind":
 *
 *     {"x": "step", "y": "loss"}            its points are the history of these scalars ("step" is the step)
 *     {"x": ["a", "b", null], "y": [...]}   its points are these scalars at the playhead alone; null breaks the line
 *
 * The keys of "bind" are attributes of the trace ("x", "y", "z", "text", "marker.size"). A trace with "band": PREFIX
 * instead stands for many runs over the steps, the scalars PREFIX0, PREFIX1, ...: their median as a line, two pale
 * shapes that hold the middle half and all of them, and, by itself, the one the pointer is nearest to, with its
 * number counted from "first". A trace needs a "name";
 * a patch addresses it by that name. `switch` offers the reader a log or linear y axis.
 *
 * In a plot with `picks` Choose of x, a trace with "hold" is a handle: while the pointer is down on the plot it moves
 * with it, from sample to sample of a curve, so that what it shows are numbers of that curve:
 *
 *     {"curve": NAME}                   one point on the trace of that name
 *     {"curve": NAME, "slope": OTHER}   a line through that point, as steep as the other trace's y says
 *     {"curve": NAME, "upright": True}  all of its x at that point's x; its y stay
 *
 * With "say": KEY the point's y fills the figure's reading, and its x as "x".
 *
 * A trace of one point with "hold" {"free": {"y": {"sets": SETTING, "from": -5, "to": 5, "by": 0.1}}} is picked up
 * and carried along x, y or both; where it is let go are these settings. Of several the nearest is picked up.
 *
 * On a plot where a trace has "draw": {"sets": SETTING, "from": 0.1, "to": 10} a press draws that trace: its x stay,
 * its y (null: nothing drawn there) follow the pointer between these two ends, and go to the setting (a Text) as
 * numbers of up to four decimals with a comma between, "" for null. With "against": NAME, a trace bound to scalars,
 * and "say": KEY, the factor by which the drawing is off that trace (the geometric mean over all x that both have)
 * fills the reading.
 *
 * A patch finds a trace by its "key" where it has one, so that its name may be a word of the page's language.
 */
export interface PlotSpec extends FigureText {
  id: string;
  traces: Record<string, any>[];
  layout: Record<string, any>;
  size: Size;
  height: number;
  switch: boolean;
  picks: Pick | null;
  kind: "plot";
}

/**
 * Tiles of cells on a canvas: filters, activation maps, a confusion matrix, a decision boundary.
 *
 * With `shows`, the id of another map, it shows the tile picked there (the first, until one is) in full, with the
 * names of rows and columns; in its picks "tile" is that tile. If that is a network, it shows the map of the unit
 * that is pointed at there, and its own tile while none is.
 *
 * Patch data: tiles, numbers (n, rows, columns), or uint8 (n, rows, columns, 3) for `colours` "rgb"; optionally
 * `select` [tile, row, column], `crossed` [tile, …], and `rows` and `columns`, names instead of the figure's own.
 * `limits`: "each" (a tile's own range), "all" (one range for all), or [low, high].
 * "diverging" puts white at zero, blue above, orange below. `numbers` writes each cell's value into it. `smooth`
 * blends the colours between cells. With `span` the tiles are bytes, and 0 to 255 stand for its two ends.
 * With `limits` as well, the colours end there; what is pointed at is said as it is.
 * `across` tiles stand beside each other (0: as many as fit best). `by_tile`: a tile is one thing to point at, `rows`
 * and `columns` name the rows and columns of tiles, and a click also gives `name`, the tile's.
 *
 * `marks`, one for each row of cells or "", stand beside every row of tiles where there are several.
 *
 * A name in `tiles` may have several lines, and may be a reading (lessons/board/readings.py) of the moment on show.
 * Patch data `dots`, uint8 (n, 3), are drawn on every tile: across and down in 255ths of it, and a class, odd blue and
 * even orange, pale below 2 and dark from 2 on. With a `palette` the class is a place in it;
 * from 128 on, 128 less, with a dark edge.
 *
 * `plane` is the range of both axes of which a tile shows every place, from its upper left on: the axes are drawn,
 * and a cell is named by where its centre lies. With `exact` the cell that is pointed at is asked about: the question
 * of that name gets `unit` (of the network that it shows; -1 for its own tile), `row` and `col`, and its answer says
 * {"exact": [unit, row, col, value]}.
 *
 * A pick of "stroke" gets the places that a press and a drag go over: a list of [across, down], from 0 to 1.
 */
export interface MapSpec extends FigureText {
  id: string;
  colours: "diverging" | "sequential" | "rgb";
  limits: "each" | "all" | [number, number];
  rows: string[];
  columns: string[];
  tiles: string[];
  marks: string[];
  row_title: string;
  column_title: string;
  numbers: boolean;
  size: Size;
  height: number;
  picks: Pick | null;
  across: number;
  by_tile: boolean;
  shows: string;
  smooth: boolean;
  span: [number, number] | null;
  plane: [number, number] | null;
  exact: string;
  palette: string[];
  kind: "map";
}

/** A node at `x` and `y`, 0 to 1, x to the right and y down; `name`, `edit` and `asks` see Graph. */
export interface GraphNode {
  id: string;
  label: string;
  x: number;
  y: number;
  note?: string;
  name?: string;
  edit?: string;
  asks?: string;
}

/** An edge between two nodes; `at`, from 0 to 1, is where on it its text stands. */
export interface GraphEdge {
  from: string;
  to: string;
  label?: string;
  at?: number;
  name?: string;
  edit?: string;
  asks?: string;
}

/**
 * Nodes and edges with values, drawn as SVG: a network and what flows through it.
 *
 * Patch data: `nodes` (a value for each node, in order, shown as its colour and number), `edges` alike; NaN has no
 * colour. Optionally `notes`, a text for each node in place of number and note, and `marks`, one for each edge, of
 * several lines; `lit_nodes` and `lit_edges`, the indices of those that something happens to; `back`, whether it goes
 * against the arrows; `select`, what is picked.
 *
 * An edge with a `name` can be picked as nodes can; a pick has `name`. With `edits`, a setting
 * (engine.params.NamedNumbers), what has `edit`, the name of a number in the patch data `given` (a dictionary), can
 * be given another number where it stands, asked for as `asks`. Narrower than `width` pixels the figure scrolls.
 */
export interface GraphSpec extends FigureText {
  id: string;
  nodes: GraphNode[];
  edges: GraphEdge[];
  size: Size;
  height: number;
  picks: Pick | null;
  width: number;
  edits: string;
  kind: "graph";
}

/**
 * A row of images, each with a caption, a mark and bars.
 *
 * Patch data: images uint8 (n, rows, columns, 3); optionally `label` int (n,) and `guess` int (n,), indices into
 * `classes` (a frame is green and ticked where they agree, orange and crossed where not; label -1: not known);
 * `probabilities` float (n, k), drawn as bars of the three largest; `index` int (n,), what a click reports.
 */
export interface StripSpec extends FigureText {
  id: string;
  classes: string[];
  size: Size;
  height: number;
  picks: Pick | null;
  kind: "strip";
}

/**
 * Two columns of words and a line from each on the left to each on the right, as strong as its weight.
 *
 * Patch data: left (n,) and right (m,), lists of words; weights (n, m) from 0 to 1; optionally `select` [from, to].
 * A word that is pointed at shows its own lines alone. A click on a word gives `from` or `to`, its place in its
 * column.
 */
export interface LinksSpec extends FigureText {
  id: string;
  left_title: string;
  right_title: string;
  size: Size;
  height: number;
  picks: Pick | null;
  kind: "links";
}

/**
 * A column of a Table. With `bar` its numbers are bars too, blue above zero, orange below: "share" from 0 to 1,
 * "most" of full size where the column's largest is, "signed" from -1 to 1.
 */
export interface TableColumn {
  title: string;
  bar?: "share" | "most" | "signed";
}

/**
 * Rows of numbers under headings, each row with a name.
 *
 * Patch data: names (n,), a list of words; values (n, columns), NaN for none; optionally `select`, a row. A click on
 * a row gives `row`, and `name`. `nan` is what stands where a value is NaN: in a table about such numbers, the word
 * itself.
 *
 * With `bind`, for each name in `rows` as many scalars as there are columns (or null), it needs no patch: its numbers
 * are those scalars at the playhead.
 */
export interface TableSpec extends FigureText {
  id: string;
  columns: TableColumn[];
  head: string;
  nan: string;
  rows: string[];
  bind: ((string | null)[])[];
  size: Size;
  height: number;
  picks: Pick | null;
  kind: "table";
}

/** An option of a list among a network's tools, and the settings that it chooses. */
export interface NetworkChoice {
  label: string;
  sets: Record<string, any>;
}

/** A button, `sets` None where it cannot be pressed; with `options` a list, in which the option `at` is chosen. */
export interface NetworkTool {
  help: string;
  label?: string;
  sets?: Record<string, any>;
  options?: NetworkChoice[];
  at?: number;
}

/**
 * A unit. An input has its own map, `still` (rows of numbers), is `off` if the network is not given it, and `sets`
 * is what a click on it chooses.
 */
export interface NetworkUnit {
  label?: string;
  help?: string;
  colour?: string;
  still?: number[][];
  off?: boolean;
  sets?: Record<string, any>;
}

/** A layer, its units from top to bottom, and the tools above it. */
export interface NetworkLayer {
  title: string;
  units: NetworkUnit[];
  tools?: NetworkTool[];
}

/**
 * Units in layers side by side, each with a small map of what it says everywhere, each weight as a line.
 *
 * `tools` are those of the network as a whole.
 *
 * Patch data: `sizes`, the inputs that are not off and the units of each layer; `weights`, those of each layer
 * [out][in] and then its biases; `tiles` uint8 (units, rows, columns) of all units but the inputs, where 0 to 255
 * stand for minus to plus `scale` (units,). A line is as thick as its weight is large: blue above zero, orange below.
 *
 * With `edits`, a setting's name, a click on a line or unit lets the reader write its weights: what is chosen are
 * entries "layer.unit.input=value", layers from 1, units from 0, "b" for the bias.
 */
export interface NetworkSpec extends FigureText {
  id: string;
  layers: NetworkLayer[];
  tools: NetworkTool[];
  words: Record<string, string>;
  edits: string;
  size: Size;
  height: number;
  picks: Pick | null;
  kind: "network";
}

export type FigureSpec = PlotSpec | MapSpec | GraphSpec | StripSpec | LinksSpec | TableSpec | NetworkSpec;

/**
 * New numbers for one figure, complete in themselves: `data` replaces these attributes of `trace`.
 *
 * Values are arrays, numbers or lists of short strings. `trace` is "" for figures other than plots. The key
 * "say" (a dictionary of numbers) fills the figure's text reading.
 */
export interface Patch {
  figure: string;
  data: Record<string, any>;
  trace: string;
}

/** A question that the page asks by itself: `compute.look(job, state, name, args)`, drawn by `figures.answer`. */
export interface Query {
  name: string;
  args: Record<string, any>;
  follow?: boolean;
  once?: boolean;
}

/** The words of one figure, in the page's language. */
export interface FigureText {
  title: string;
  caption: string;
  /** A description for who cannot see it. */
  alt: string;
  /** A template of lessons/board/readings.py, filled from the run; "" for none. */
  reading: string;
}

/** All figures of a lesson as they are drawn for some settings, in one language. */
export interface BoardSpec {
  lesson: string;
  figures: FigureSpec[];
  /** Label of each scalar, class and option that readings name. */
  names: Record<string, string>;
  /** The words of the player (pages/ui/words.py). */
  ui: Record<string, string>;
  language: string;
}

/** The setting whose box stands on the board: the text that a run is about. */
export interface TextBoxData {
  /** Name of the setting. */
  field: string;
  value: string;
  label: string;
  help: string;
  lines: number;
  /** Characters it may have. */
  longest: number;
  /** What is wrong with the text; "" if nothing. */
  error: string;
  /** Those of a run with another text; null while something else that was typed cannot be used. */
  settings: Record<string, any> | null;
  /** The number of the last text that the page took from the box. */
  n: number;
}

/** What the page says at each rerun. */
export interface PageData {
  /** The address of the BoardSpec. */
  spec: string;
  /** The run on show; null where there is none, not even a recording. */
  run: string | null;
  /** Goes with the websocket's address: commands are the learner's. */
  ticket: string;
  /** Questions that the page itself asks of the run. */
  asks: Query[];
  /** The run is the lesson's demo run. */
  recorded: boolean;
  autoplay: boolean;
  /** How the run differs from the settings as they stand; "" if not at all. */
  status: string;
  /** Another value than before: scroll to the board. */
  focus: string;
  box: TextBoxData | null;
  /** File -> its address, of those that the board loads itself. */
  assets: Record<string, string>;
}

export type RunStatus = "queued" | "running" | "paused" | "done" | "stopped" | "failed" | "recorded";

/** A sentence in both languages of the interface. */
export interface Bilingual {
  en: string;
  zh: string;
}

/**
 * What all messages to the browser have in common. `type` names the message in its header.
 *
 * A field's key in the header is its name, or its "key" where its metadata has one; a field whose metadata has
 * "optional" is left out while it is None.
 */
export interface ToBrowser {
  type: string;
}

/** How a run stands. */
export interface RunMessage extends ToBrowser {
  type: "run";
  /** Id of the run. */
  run: string;
  status: RunStatus;
  /** Steps the whole run has; 0 while that is not known. */
  total: number;
  /** Why it failed. */
  error: Bilingual | null;
  /** What its viewers should know: why it waits, or was stopped. */
  note: Bilingual | null;
  /** The device that computes it, as "cpu" or "cuda:0"; "" before it has begun. */
  device: string;
  /** Its place in the queue, from 1; null once it has begun. */
  place: number | null;
  /** Steps a second. */
  rate: number;
  viewers: number;
  /** The settings in force. */
  params: Record<string, any>;
  seed: number;
  /** Steps from which it can be forked, ascending. */
  checkpoints: number[];
  /** The run and step it was forked or copied from, where that run is still kept. */
  origin: [string, number] | null;
  /** Steps that have a frame, ascending. */
  frames: number[];
}

/** The shape of one block of scalars: `n` steps, at each of which all `names` have a value. */
export interface ScalarGroup {
  names: string[];
  n: number;
}

/**
 * Scalars of steps that follow those sent before.
 *
 * Arrays: of group i, steps{i}, int32 (n,), and values{i}, float64 (n, names). What a worker sent alone goes on as it
 * came, with more in its header (engine/messages.py).
 */
export interface ScalarsMessage extends ToBrowser {
  type: "scalars";
  run: string;
  groups: ScalarGroup[];
}

/**
 * New numbers for one figure: `data` replaces these attributes of `trace`, which is "" for all but plots.
 *
 * An array in `data` stands as {"$": name of the array in the message}.
 */
export interface FigurePatch {
  figure: string;
  trace: string;
  data: Record<string, any>;
}

/** The picture of a step: it holds until the next one. */
export interface FrameMessage extends ToBrowser {
  type: "frame";
  run: string;
  step: number;
  /** Wall time in the worker, in seconds since 1970; 0 where it is not known. */
  made: number;
  patches: FigurePatch[];
}

/** Everything after `step` did not happen: the run goes on from there. */
export interface RewindMessage extends ToBrowser {
  type: "rewind";
  run: string;
  step: number;
  /** Why; empty where nothing is to be said. */
  note: Bilingual;
}

/** The answer to an "ask" message. */
export interface AnswerMessage extends ToBrowser {
  type: "answer";
  /** The id of the question. */
  id: number;
  run: string;
  /** The step whose state was asked. */
  step: number;
  name: string;
  patches: FigurePatch[];
}

/** A message from the browser was not heeded. */
export interface RefusedMessage extends ToBrowser {
  type: "refused";
  /** The id that the message had, if any. */
  id: number | null;
  error: Bilingual;
}

/** A command to a shared run made a private copy, which this browser watches from now on in its place. */
export interface MovedMessage extends ToBrowser {
  type: "moved";
  from: string;
  run: string;
}

/** Another run has begun in the place of `from`, and this browser watches it from now on. */
export interface NextMessage extends ToBrowser {
  type: "next";
  /** The id of the "begin" message that this answers; left out where the page began the run. */
  id?: number;
  from: string;
  run: string;
}

export type ServerMessage = RunMessage | ScalarsMessage | FrameMessage | RewindMessage | AnswerMessage | RefusedMessage | MovedMessage | NextMessage;

/** What all messages from the browser have in common. Fields that are not known are passed over. */
export interface FromBrowser {
  /** Id of the run that the message is about. */
  run: string;
}

/** Sends what is known of a run, and from then on what is new. */
export interface WatchRequest extends FromBrowser {
  op: "watch";
  /** The last step whose scalars the browser has, -1 for none. */
  from?: number;
  /** The run is drawn beside another: no frames are sent, and its viewer does not keep it going. */
  aside?: boolean;
}

/** Ends watching a run. */
export interface LeaveRequest extends FromBrowser {
  op: "leave";
}

/** A command to a run. */
export interface TellRequest extends FromBrowser {
  op: "tell";
  command: RunControl;
  /** Of the command "set": live settings and their new values. */
  changes?: Record<string, any>;
}

/** A question about the state of a run, answered by the lesson's `look` and `figures.answer`. */
export interface AskRequest extends FromBrowser {
  op: "ask";
  /** Chosen by the browser; the answer, or the refusal, has the same. */
  id: number;
  name: string;
  args?: Record<string, any>;
  /** The step whose state is asked; null for the newest. */
  step?: number | null;
}

/** Begins a run with other settings in the place of `run`, which this browser watches. */
export interface BeginRequest extends FromBrowser {
  op: "begin";
  /** Chosen by the browser; the answer, or the refusal, has the same. */
  id: number;
  settings: Record<string, any>;
}

export type BrowserMessage = WatchRequest | LeaveRequest | TellRequest | AskRequest | BeginRequest;
