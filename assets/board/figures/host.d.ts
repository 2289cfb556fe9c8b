import type { Moment } from "../moment.js";
import type { Run } from "../run.js";
import type { Settings, Theme } from "../types.d.ts";
import type { Figure } from "./figure.js";

/** What figures may use of the board. */
export interface Host {
  /** Asks for one pass in the next animation frame. */
  schedule(): void;
  /** The readings are written again at the next pass. */
  reread(): void;
  /** A text of the interface. */
  say(key: string, values?: Record<string, unknown>): string;
  /** Has the page take over settings. */
  choose(settings: Settings): void;
  readonly queries: {
    /** The keys of the questions in force, in the order in which they were asked. */
    keys(): string[];
    askFrom(name: string, args: Settings, follow: boolean): void;
    dropGesture(name: string): void;
  };
  readonly runs: {
    readonly current: Run | null;
    readonly origin: { run: Run; step: number } | null;
    latest(id: string): Moment;
  };
  figure(id: string): Figure | undefined;
  /** The figures that show in full what is in focus in this one. */
  figuresShowing(id: string): Figure[];
  readonly theme: Theme;
  /** Labels of scalars. */
  readonly names: Record<string, string>;
  readonly plotlyUrl: string;
}
