/** Events of many sources, taken one after the other. */
export interface EventQueue<Event> {
  readonly push: (event: Event) => void;
  /** Makes the next `take` throw, once what came earlier has been taken. */
  readonly fail: (error: unknown) => void;
  /** The oldest event that nobody took; waits for one when there is none. */
  readonly take: () => Promise<Event>;
}

export function createEventQueue<Event>(): EventQueue<Event> {
  const waiting: (() => Event)[] = [];
  let wake = () => {};

  function add(give: () => Event): void {
    waiting.push(give);
    wake();
  }

  return {
    push(event) {
      add(() => event);
    },
    fail(error) {
      add(() => {
        throw error;
      });
    },
    async take() {
      for (;;) {
        const give = waiting.shift();
        if (give !== undefined) return give();
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}
