/** Lets so much time pass, with all that falls into it. */
type Advance = (ms: number) => Promise<unknown>;

/** Who can put a clock of their own behind the platform's timers. Each does so when it is called, for good. */
export const timersOf = {
  'the simulation': async (): Promise<Advance> => {
    const { clock } = await import('../../see/platform-time.ts');
    return (ms) => clock.advanceTo(clock.nowMs + ms);
  },
  'fake timers': async (): Promise<Advance> => {
    const { default: FakeTimers } = await import('@sinonjs/fake-timers');
    const clock = FakeTimers.install();
    return (ms) => clock.tickAsync(ms);
  },
};

export type Timers = keyof typeof timersOf;

export function isTimers(name: string): name is Timers {
  return Object.hasOwn(timersOf, name);
}
