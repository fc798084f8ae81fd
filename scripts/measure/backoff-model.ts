import type { Random } from '../../quiz/random.ts';

/** A way to choose how long to wait before a retry. */
export interface Backoff {
  readonly name: string;
  /** Before retry 1, 2, …; `previousMs` is what was waited before the last one. */
  waitMs(retry: number, previousMs: number | undefined, random: Random): number;
}

/**
 * The ways that the AWS blog compares, and two that are common in code. Before retry n all but decorrelated start from
 * base × 2ⁿ, so from twice the base before the first, or from the cap where that is less.
 *
 * @see https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/ Brooker, 2015
 */
export function backoffs({ baseMs, capMs }: { baseMs: number; capMs: number }): Backoff[] {
  const cappedMs = (retry: number) => Math.min(capMs, baseMs * 2 ** retry);
  const between = (low: number, high: number, random: Random) => low + (high - low) * random();
  const jittered = (name: string, low: number, high: number): Backoff => ({
    name,
    waitMs: (retry, _, random) => cappedMs(retry) * between(low, high, random),
  });
  return [
    { name: 'none', waitMs: () => 0 },
    { name: 'exponential', waitMs: cappedMs },
    jittered('+0..10 %', 1, 1.1),
    jittered('±20 %', 0.8, 1.2),
    jittered('equal', 0.5, 1),
    jittered('full', 0, 1),
    {
      name: 'decorrelated',
      waitMs: (_, previousMs = baseMs, random) =>
        Math.min(capMs, between(baseMs, 3 * previousMs, random)),
    },
  ];
}

interface Crowd {
  readonly clients: number;
  readonly backoff: Backoff;
}

interface Client {
  /** When its next message reaches the server. */
  arrivesMs: number;
  /** What it has read and will now write over; without one it will now read. */
  version: number | undefined;
  retry: number;
  previousMs: number | undefined;
}

/**
 * All clients start at once, and each wants to change the same row once. It reads the row's version, then writes; the
 * write is refused if another one came in between, and the client waits and reads again. The server takes no time, and
 * each message about 10 ms.
 *
 * Returns the number of writes, refused ones too, and when the last client heard that it had succeeded.
 *
 * @see https://github.com/aws-samples/aws-arch-backoff-simulator where this model comes from
 */
export function contend({ clients, backoff }: Crowd, random: Random) {
  const racing = new Set<Client>();
  for (let started = 0; started < clients; started += 1) {
    const arrivesMs = messageMs(random);
    racing.add({ arrivesMs, version: undefined, retry: 0, previousMs: undefined });
  }
  let row = 0;
  let writes = 0;
  let endMs = 0;
  for (let client = firstOf(racing); client !== undefined; client = firstOf(racing)) {
    const replyMs = client.arrivesMs + messageMs(random);
    if (client.version === undefined) {
      client.version = row;
      client.arrivesMs = replyMs + messageMs(random);
      continue;
    }
    writes += 1;
    if (client.version === row) {
      row += 1;
      endMs = Math.max(endMs, replyMs);
      racing.delete(client);
      continue;
    }
    client.version = undefined;
    client.retry += 1;
    client.previousMs = backoff.waitMs(client.retry, client.previousMs, random);
    client.arrivesMs = replyMs + client.previousMs + messageMs(random);
  }
  return { writes, endMs };
}

/**
 * All clients have failed at the same instant. Returns how many first retries the busiest `windowMs` sees, and how long
 * a client waits on average.
 */
export function firstRetrySpike({ clients, backoff }: Crowd, windowMs: number, random: Random) {
  const waits = Array.from({ length: clients }, () => backoff.waitMs(1, undefined, random));
  waits.sort((one, other) => one - other);
  let busiest = 0;
  let oldest = 0;
  for (const [newest, wait] of waits.entries()) {
    while (wait - (waits[oldest] ?? wait) >= windowMs) oldest += 1;
    busiest = Math.max(busiest, newest - oldest + 1);
  }
  return { busiest, meanMs: waits.reduce((sum, wait) => sum + wait, 0) / clients };
}

/** A linear search: there are few clients, and each has one message under way. */
function firstOf(clients: Iterable<Client>): Client | undefined {
  let first: Client | undefined;
  for (const client of clients) {
    if (first === undefined || client.arrivesMs < first.arrivesMs) first = client;
  }
  return first;
}

/** Normal around 10 ms with a deviation of 2 ms (Box and Muller), and never negative. */
function messageMs(random: Random): number {
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return Math.abs(10 + 2 * normal);
}
