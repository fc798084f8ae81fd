/**
 * What an experiment of a kata is written with. It runs as a spec does, in the same guarded thread and on whichever
 * candidate is put there; but instead of a judgement it leaves a picture.
 */
import { inject, test } from 'vitest';
import { seeded } from '../../quiz/random.ts';
import {
  type Bound,
  type Line,
  type Observed,
  type Picture,
  type Sight,
  USUAL_SIGHT,
} from './picture.ts';
import { clock } from './platform-time.ts';
import { createWorld, type Run, type World } from './world.ts';

export * from './callers.ts';
export * from './draws.ts';
export { ServiceError } from './service.ts';
export { percentile, type Run, type World } from './world.ts';

declare module 'vitest' {
  interface ProvidedContext {
    sight?: Sight;
  }
  interface TaskMeta {
    picture?: Picture;
  }
}

/** A number that whoever looks can change. */
interface Setting {
  readonly says: string;
  readonly usual: number;
  readonly from: number;
  readonly to: number;
}

type Settings = Readonly<Record<string, Setting>>;
/** Reads a setting by its name. */
type Read<S extends Settings> = (setting: keyof S & string) => number;

/** One of the two things that are compared. */
interface Side<S extends Settings, X extends readonly unknown[]> {
  /** At most 36 characters. */
  readonly title: string;
  /** Sets the world up; all that matters happens after it has returned. */
  readonly play: (world: World, ...details: readonly [...X, Read<S>]) => void;
}

interface Shown<S extends Settings, X extends readonly unknown[]> {
  /** What the picture answers; a sentence or two. */
  readonly question: string;
  /** What an interviewer would ask about this very picture. */
  readonly asked: string;
  readonly lastsMs: number;
  readonly settings?: S;
  readonly without: Side<S, X>;
  readonly yours: Side<S, X>;
  /** What is drawn is counted in this. */
  readonly unit: string;
}

/** How something fared over time, without the answer and with it. */
export interface Experiment<S extends Settings> extends Shown<S, []> {
  /** What goes wrong, and when; marked in the picture. */
  readonly faults?: (setting: Read<S>) => readonly { fromMs: number; toMs: number; what: string }[];
  /** Up to three, by name: their value in a span of time. */
  readonly lines: Readonly<Record<string, (run: Run, fromMs: number, toMs: number) => number>>;
  /** The table under the picture, by name with unit. */
  readonly numbers: Readonly<Record<string, (run: Run, setting: Read<S>) => number>>;
  readonly observations: readonly Observation<Run, S>[];
}

/** How something depends on something else, without the answer and with it. */
export interface Sweep<S extends Settings> extends Shown<S, [x: number]> {
  readonly x: { readonly label: string; readonly values: readonly number[] };
  /** Up to three, by name: what came of a run. */
  readonly lines: Readonly<Record<string, (run: Run) => number>>;
  readonly observations: readonly Observation<Curves, S>[];
}

/** The value of a line at an x. */
type Curves = (line: string, x: number) => number;

/** What must be so with a sound answer. */
type Observation<Seen, S extends Settings> = Bound & {
  /** What is measured, so that "at most 3" can follow it. */
  readonly says: string;
  readonly measure: (yours: Seen, without: Seen, setting: Read<S>) => number;
  /** Titles of misconceptions with which it is not so. */
  readonly breaks: readonly string[];
};

/** How many points a line has over time. */
const POINTS = 60;

/** Registers an experiment over time; by its name it can be chosen. */
export function experiment<const S extends Settings>(name: string, told: Experiment<S>): void {
  register(name, told, async (setting, seed) => {
    const { lastsMs } = told;
    const without = await perform(told.without, [], { seed, lastsMs, setting });
    const yours = await perform(told.yours, [], { seed, lastsMs, setting });
    const runs = [without, yours];
    const stepMs = lastsMs / POINTS;
    const points = Array.from({ length: POINTS }, (_, point) => point * stepMs);
    return {
      x: { label: 'seconds', values: points.map((fromMs) => (fromMs + stepMs / 2) / 1_000) },
      panels: [told.without, told.yours].map(({ title }, side) => ({
        title,
        failures: runs[side]?.failures ?? [],
        lines: linesOf(told.lines, (of) =>
          points.map((fromMs) => of(runs[side] ?? without, fromMs, fromMs + stepMs)),
        ),
      })),
      spans: (told.faults?.(setting) ?? []).map(({ fromMs, toMs, what }) => ({
        from: fromMs / 1_000,
        to: toMs / 1_000,
        what,
      })),
      numbers: Object.entries(told.numbers).map(([row, of]) => ({
        name: row,
        values: runs.map((run) => orNull(of(run, setting))),
      })),
      observations: told.observations.map((each) => observe(each, yours, without, setting)),
    };
  });
}

/** Registers an experiment that runs once for each value of something. */
export function sweep<const S extends Settings>(name: string, told: Sweep<S>): void {
  register(name, told, async (setting, seed) => {
    const { lastsMs, x } = told;
    const curvesOf = async (side: Side<S, [x: number]>) => {
      const curves: Record<string, number[]> = {};
      for (const value of x.values) {
        const run = await perform(side, [value], { seed: `${seed} ${value}`, lastsMs, setting });
        for (const [line, of] of Object.entries(told.lines)) (curves[line] ??= []).push(of(run));
      }
      return curves;
    };
    const without = await curvesOf(told.without);
    const yours = await curvesOf(told.yours);
    const reader =
      (curves: Readonly<Record<string, readonly number[]>>): Curves =>
      (line, value) =>
        curves[line]?.[x.values.indexOf(value)] ?? Number.NaN;
    const sides = [
      { title: told.without.title, curves: without },
      { title: told.yours.title, curves: yours },
    ];
    return {
      x,
      panels: sides.map(({ title, curves }) => ({
        title,
        failures: [],
        lines: linesOf(curves, (values) => values),
      })),
      spans: [],
      numbers: [],
      observations: told.observations.map((each) =>
        observe(each, reader(yours), reader(without), setting),
      ),
    };
  });
}

type Drawn = Pick<Picture, 'x' | 'panels' | 'spans' | 'numbers' | 'observations'>;

function register<S extends Settings, X extends readonly unknown[]>(
  name: string,
  { question, asked, unit, settings }: Shown<S, X>,
  draw: (setting: Read<S>, seed: string) => Promise<Drawn>,
): void {
  const sight = inject('sight') ?? USUAL_SIGHT;
  const isChosen = sight.only === 'first' ? registered === 0 : sight.only?.includes(name) !== false;
  registered += 1;
  // oxlint-disable-next-line vitest/expect-expect, vitest/valid-title -- it leaves a picture, which `verify` judges
  test(name, async ({ task }) => {
    // It is registered, so that it can be named beside the one that was chosen.
    if (!isChosen) return;
    const shown = Object.entries<Setting>(settings ?? {}).map(([known, told]) => ({
      name: known,
      ...told,
      value: sight.settings[known] ?? told.usual,
    }));
    for (const { name: known, value, from, to } of shown) {
      if (value >= from && value <= to) continue;
      throw new RangeError(`${known} is from ${from} to ${to}, not ${value}.`);
    }
    const read: Read<S> = (wanted) =>
      shown.find((each) => each.name === wanted)?.value ?? Number.NaN;
    events = 0;
    task.meta.picture = {
      name,
      question,
      asked,
      y: { label: unit },
      ...(await draw(read, sight.seed)),
      settings: shown,
      seed: sight.seed,
      events,
    };
  });
}

let registered = 0;
let events = 0;

async function perform<S extends Settings, X extends readonly unknown[]>(
  side: Side<S, X>,
  x: X,
  { seed, lastsMs, setting }: { seed: string; lastsMs: number; setting: Read<S> },
): Promise<Run> {
  clock.reset();
  // An answer draws from here.
  Math.random = seeded(`${seed} Math.random`);
  const { world, run } = createWorld(clock, { seed, lastsMs });
  side.play(world, ...x, setting);
  await clock.advanceTo(lastsMs);
  events += clock.fired;
  return run;
}

function linesOf<Of>(
  lines: Readonly<Record<string, Of>>,
  values: (of: Of) => readonly number[],
): Line[] {
  return Object.entries(lines).map(([name, of]) => ({ name, values: values(of).map(orNull) }));
}

function observe<Seen, S extends Settings>(
  { says, measure, breaks, ...bound }: Observation<Seen, S>,
  yours: Seen,
  without: Seen,
  setting: Read<S>,
): Observed {
  const value = measure(yours, without, setting);
  const holds = 'atMost' in bound ? value <= bound.atMost : value >= bound.atLeast;
  return { says, bound, value: orNull(value), holds, breaks };
}

/** JSON knows no NaN. */
function orNull(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
