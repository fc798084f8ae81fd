import { constants } from 'node:os';

/** Tells when the process was asked to end, so that it can leave everything as it should be. */
export interface Termination {
  readonly signal: AbortSignal;
  /** What a shell expects of a process that ended for that signal; 0 when none came. */
  exitCode(): number;
  /** Signals end the process at once again. */
  ignore(): void;
}

const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export function awaitTermination(): Termination {
  const controller = new AbortController();
  let received = 0;
  const handle = (name: NodeJS.Signals) => {
    received = 128 + constants.signals[name];
    controller.abort();
  };
  for (const name of names) process.on(name, handle);
  return {
    signal: controller.signal,
    exitCode: () => received,
    ignore() {
      for (const name of names) process.off(name, handle);
    },
  };
}
