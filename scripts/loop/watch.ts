import type { Journal } from '../../quiz/journal.ts';
import type { Kata } from '../content/catalog.ts';
import { type Desk, openDesk } from './desk.ts';
import { createEventQueue } from './event-queue.ts';
import { isKataDue, recordReset, recordVerdict, standingOf } from './kata-journal.ts';
import { openScreen, type Screen, type Terminal } from './screen.ts';
import type { SpecRunner } from '../runner/spec-runner.ts';
import { isSolved, type Verdict } from '../runner/verdict.ts';
import { openKata, step, type WatchEvent, type WatchState, type Wish } from './watch-state.ts';
import { type Canvas, hintMarkdown, render, renderAll } from './watch-view.ts';

export interface LoopTools {
  readonly root: string;
  readonly home: string;
  readonly journal: Journal;
  readonly runner: SpecRunner;
  /** Makes one more, for what is judged while the learner thinks. */
  readonly createRunner: () => SpecRunner;
  readonly terminal: Terminal;
  readonly now: () => Date;
  /** Saves are not to be watched for. */
  readonly manual: boolean;
  /** Ends the loop. */
  readonly signal: AbortSignal;
  readonly rooms: Rooms;
}

/** What the loop leaves to others. All but the last three have the terminal to themselves meanwhile. */
export interface Rooms {
  readonly brief: (kata: Kata) => Promise<void>;
  /** Resolves to what there is to say afterwards. */
  readonly lesson: (kata: Kata) => Promise<readonly string[]>;
  readonly solution: (kata: Kata) => Promise<void>;
  /** Shows what the answer does in the kata's experiments. */
  readonly see: (kata: Kata, runner: SpecRunner) => Promise<void>;
  /** Shows text that is laid out for the width it is asked for. */
  readonly text: (title: string, textFor: (columns: number) => Promise<string>) => Promise<void>;
  /** Undefined when none was picked. */
  readonly pick: () => Promise<Kata | undefined>;
  /** The kata to go on with; undefined when all are solved. */
  readonly next: () => Kata | undefined;
  /** Archives the answer and writes the stub; resolves to a sentence on where the answer is now. */
  readonly reset: (kata: Kata) => Promise<string>;
  /** Markdown as text. */
  readonly layOut: (markdown: string, columns: number) => Promise<string>;
}

/** The guided loop, from opening `kata` until the learner quits. The terminal is left as it was. */
export async function watchKatas(kata: Kata, tools: LoopTools): Promise<void> {
  const loop = new WatchLoop(tools);
  try {
    await Promise.race([loop.run(kata), whenAborted(tools.signal)]);
  } finally {
    await loop.close();
  }
}

class WatchLoop {
  readonly #tools: LoopTools;
  readonly #events = createEventQueue<WatchEvent>();
  readonly #screen: Screen;
  /** Settles with the run that is under way. */
  #running: Promise<void> = Promise.resolve();
  #desk: Promise<Desk> | undefined;
  #openedAt = new Date(0);
  /** The hints, laid out for the screen. */
  #hints: readonly string[] = [];

  constructor(tools: LoopTools) {
    this.#tools = tools;
    this.#screen = openScreen(tools.terminal, {
      onKey: (key) => this.#events.push({ type: 'key', key }),
      onResize: () => this.#events.push({ type: 'resized' }),
    });
  }

  async run(first: Kata): Promise<void> {
    let { desk, state } = await this.#open(first, { busy: false });
    for (;;) {
      this.#screen.draw(render(state, this.#canvas()));
      const event = await this.#events.take();
      if (this.#tools.signal.aborted) return;
      if (event.type === 'resized') await this.#layOutHints(desk.kata);
      const next = step(state, await this.#recorded(event, desk, state));
      state = next.state;
      if (next.wish === 'quit') return;
      if (next.wish) ({ desk, state } = await this.#fulfil(next.wish, desk, state));
    }
  }

  async close(): Promise<void> {
    this.#screen.close();
    await (await this.#desk)?.close();
  }

  async #open(kata: Kata, { busy }: { busy: boolean }): Promise<Open> {
    const { journal, manual, now, rooms } = this.#tools;
    await (await this.#desk)?.close();
    this.#desk = openDesk(kata, {
      ...this.#tools,
      idle: () => this.#running,
      send: this.#events.push,
      fail: this.#events.fail,
    });
    const desk = await this.#desk;
    this.#openedAt = now();
    await this.#layOutHints(kata);
    const standing = standingOf(journal, kata.slug);
    const solved = standing?.solved ?? false;
    const due = isKataDue(journal, kata.slug, now());
    if (!busy) this.#startRun(kata);
    if (standing === undefined) await this.#screen.suspend(() => rooms.brief(kata));
    return { desk, state: openKata(desk.watched, { manual, solved, due, busy }) };
  }

  /** The event, once the journal and whoever else has to know of it were told. */
  async #recorded(event: WatchEvent, desk: Desk, state: WatchState): Promise<WatchEvent> {
    if (event.type !== 'verdict' || state.run === 'queued') return event;
    const { hints } = state;
    const { verdict } = event;
    const now = this.#tools.now();
    const solve = await recordVerdict(this.#tools.journal, desk.kata, { verdict, hints, now });
    if (isSolved(verdict)) desk.advise();
    else if (hasPassingTest(verdict)) desk.judge();
    const tookMs = now.getTime() - this.#openedAt.getTime();
    return solve ? { ...event, solve: { ...solve, tookMs, now } } : event;
  }

  async #fulfil(wish: Exclude<Wish, 'quit'>, desk: Desk, state: WatchState): Promise<Open> {
    const { kata } = desk;
    const { rooms, journal, now } = this.#tools;
    switch (wish) {
      case 'run':
        this.#startRun(kata);
        return { desk, state };
      case 'brief':
        await this.#screen.suspend(() => rooms.brief(kata));
        return { desk, state };
      case 'lesson': {
        const sentences = await this.#screen.suspend(() => rooms.lesson(kata));
        return { desk, state: { ...state, notice: sentences.join(' ') } };
      }
      case 'more':
        await this.#screen.suspend(() => rooms.text(kata.title, this.#everything(kata, state)));
        return { desk, state };
      case 'see':
        await this.#running;
        await this.#screen.suspend(() => rooms.see(kata, this.#tools.runner));
        return { desk, state };
      case 'solution':
        if (!state.solved) journal.append({ type: 'peek', kata: kata.slug }, now());
        await this.#screen.suspend(() => rooms.solution(kata));
        return { desk, state };
      case 'reset':
        return this.#startFromBlank(desk, state);
      case 'pick':
        return this.#turnTo(await this.#screen.suspend(rooms.pick), desk, state);
      case 'next':
        return this.#turnTo(rooms.next(), desk, {
          ...state,
          notice: 'Every kata is solved. p picks one to go over again.',
        });
    }
    return wish satisfies never;
  }

  async #turnTo(kata: Kata | undefined, desk: Desk, state: WatchState): Promise<Open> {
    return kata === undefined || kata.slug === desk.kata.slug
      ? { desk, state }
      : this.#open(kata, { busy: state.run !== 'idle' });
  }

  async #startFromBlank(desk: Desk, state: WatchState): Promise<Open> {
    const { rooms, journal, now } = this.#tools;
    const notice = await rooms.reset(desk.kata);
    recordReset(journal, desk.kata.slug, now());
    this.#openedAt = now();
    const next = step(state, { type: 'blank', notice });
    if (next.wish === 'run') this.#startRun(desk.kata);
    return { desk, state: next.state };
  }

  #startRun({ slug }: Kata): void {
    const { push, fail } = this.#events;
    this.#running = this.#tools.runner
      .run({ slug })
      .then((verdict) => push({ type: 'verdict', verdict }), fail);
  }

  #canvas(): Canvas {
    return { ...this.#screen.size(), hints: this.#hints };
  }

  #everything(kata: Kata, state: WatchState): (columns: number) => Promise<string> {
    return async (columns) =>
      renderAll(state, { columns, hints: await this.#laidOut(kata, columns) });
  }

  async #layOutHints(kata: Kata): Promise<void> {
    this.#hints = await this.#laidOut(kata, this.#screen.size().columns);
  }

  #laidOut({ hints }: Kata, columns: number): Promise<string[]> {
    const { layOut } = this.#tools.rooms;
    return Promise.all(hints.map(hintMarkdown).map((hint) => layOut(hint, columns)));
  }
}

/** The kata that is open, and what the loop knows of it. */
interface Open {
  readonly desk: Desk;
  readonly state: WatchState;
}

/** A stub passes none, and is like no misconception. */
function hasPassingTest(verdict: Verdict): boolean {
  return verdict.kind === 'tested' && verdict.tests.some((test) => test.state === 'passed');
}

async function whenAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
