import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { advance, pendingTimers, settle, stepWallClock } from '../virtual-time.ts';
import {
  createIdempotency,
  type Handler,
  type HttpResponse,
  type Idempotency,
  type IdempotencyOptions,
  type IdempotentRequest,
  type RecordStore,
} from './idempotency-key.ts';

const SECOND_MS = 1_000;
const LEASE_MS = 60 * SECOND_MS;
const HOUR_MS = 3_600 * SECOND_MS;

// ── The store, played by the spec ───────────────────────────────────────────────────────────────────────

/** What is wrong with the store: nothing, or no call gets through, or writes are made but their replies get lost. */
type Trouble = 'is well' | 'is down' | 'loses replies';

interface StoreOptions {
  /** How long a call takes, there and back; the work is done halfway. */
  readonly latencyMs?: () => number;
  /** Redis forgets a record when its time is up; others show it for days. */
  readonly forgets?: 'at once' | 'some day';
}

class StoreError extends Error {
  override readonly name = 'StoreError';
}

const now = performance.now.bind(performance);

/** A record store in memory: each call takes its time and does its work in one step. */
function memoryStore({ latencyMs = () => 0, forgets = 'some day' }: StoreOptions = {}) {
  const records = new Map<string, { value: string; ttlMs: number; writtenAt: number }>();
  const error = new StoreError('the connection was reset');
  let trouble: Trouble = 'is well';
  let latency = latencyMs;

  async function call<T>(isWrite: boolean, work: () => T): Promise<T> {
    const ms = latency();
    await pause(ms / 2);
    if (trouble === 'is down') throw error;
    const result = work();
    const isReplyLost = isWrite && trouble === 'loses replies';
    await pause(ms / 2);
    if (isReplyLost) throw error;
    return result;
  }

  function ageOf({ writtenAt }: { writtenAt: number }): number {
    return Math.round(now() - writtenAt);
  }

  function find(id: string) {
    const record = records.get(id);
    if (record && forgets === 'at once' && ageOf(record) >= record.ttlMs) records.delete(id);
    const found = records.get(id);
    return found && { value: found.value, ageMs: ageOf(found) };
  }

  function write(id: string, value: string, ttlMs: number): void {
    records.set(id, { value, ttlMs, writtenAt: now() });
  }

  const store: RecordStore = {
    get: (id) => call(false, () => find(id)),
    put: (id, value, ttlMs) => call(true, () => write(id, value, ttlMs)),
    putIfAbsent: (id, value, ttlMs) =>
      call(true, () => {
        const found = find(id);
        if (!found) write(id, value, ttlMs);
        return found;
      }),
    replace: (id, expected, value, ttlMs) =>
      call(true, () => {
        const isExpected = find(id)?.value === expected;
        if (isExpected) write(id, value, ttlMs);
        return isExpected;
      }),
  };

  return {
    ...store,
    error,
    /** From now on. */
    suffers(next: Trouble): void {
      trouble = next;
    },
    /** From now on, in milliseconds for each call. */
    takes(ms: number): void {
      latency = () => ms;
    },
    /** All that is in it, as text. */
    content(): string {
      return JSON.stringify([...records]);
    },
    /** How many records a store that forgets at once would have now. */
    size(): number {
      return [...records.values()].filter((record) => ageOf(record) < record.ttlMs).length;
    },
  };
}

type MemoryStore = ReturnType<typeof memoryStore>;

function pause(ms: number): Promise<void> {
  return ms > 0 ? new Promise((resolve) => setTimeout(resolve, ms)) : Promise.resolve();
}

// ── Requests and handlers, played by the spec ───────────────────────────────────────────────────────────

class LedgerError extends Error {
  override readonly name = 'LedgerError';
}
const noAnswer = () => new LedgerError('the ledger does not answer');

/** A process of the bank. All processes that are given the same store belong together. */
function processOf(store: RecordStore, options: Partial<IdempotencyOptions> = {}): Idempotency {
  return createIdempotency({ store, ttlMs: HOUR_MS, leaseMs: LEASE_MS, ...options });
}

const SALARY: IdempotentRequest = {
  client: 'payroll',
  key: 'salary-0417',
  endpoint: 'POST /transfers',
  body: '{"to":"Ada","amount":"2100.00"}',
};

let transfers = 0;

/** What the handler answers once it has moved the money; each transfer has a number of its own. */
function receipt(status = 201): HttpResponse {
  transfers += 1;
  return {
    status,
    headers: { 'content-type': 'application/json', location: `/transfers/${transfers}` },
    body: `{"transfer":${transfers}}`,
  };
}

/** One request: the attempts that it has run, and how it ended. */
interface Sent {
  /** The number of each run of its handler. */
  readonly attempts: number[];
  end: 'pending' | 'response' | 'error';
  response?: HttpResponse;
  error?: unknown;
}

function watch(bank: Idempotency, request: IdempotentRequest, handler: Handler): Sent {
  const sent: Sent = { attempts: [], end: 'pending' };
  handleNeverThrows(bank, { ...request }, (attempt) => {
    sent.attempts.push(attempt);
    return handler(attempt);
  }).then(
    (response) => Object.assign(sent, { end: 'response', response }),
    (error: unknown) => Object.assign(sent, { end: 'error', error }),
  );
  return sent;
}

function handleNeverThrows(bank: Idempotency, request: IdempotentRequest, handler: Handler) {
  try {
    return bank.handle(request, handler);
  } catch (error) {
    return expect.fail(`handle() threw ${String(error)}: it must return a promise that rejects`);
  }
}

/** A request whose handler answers at once. */
async function send(
  bank: Idempotency,
  request: Partial<IdempotentRequest> = {},
  handler: Handler = () => Promise.resolve(receipt()),
): Promise<Sent> {
  const sent = watch(bank, { ...SALARY, ...request }, handler);
  await settle();
  return sent;
}

/** A request whose handler throws. */
function sendAndFail(bank: Idempotency, error: unknown): Promise<Sent> {
  return send(bank, {}, () => Promise.reject(error));
}

/** A request whose handler ends when the spec says so; until then it may as well belong to a process that died. */
async function slowSend(bank: Idempotency, request: Partial<IdempotentRequest> = {}) {
  let settleHandler: (end: HttpResponse | Error) => void = () => {};
  const sent = watch(
    bank,
    { ...SALARY, ...request },
    () =>
      new Promise((resolve, reject) => {
        settleHandler = (end) => (end instanceof Error ? reject(end) : resolve(end));
      }),
  );
  await settle();
  return {
    sent,
    ends: async (end: HttpResponse | Error) => {
      settleHandler(end);
      await settle();
    },
  };
}

/** Many of the same request, before any of them gets anywhere. They may go to several processes. */
function sendTogether(
  banks: readonly Idempotency[],
  count: number,
  requests: (nth: number) => Partial<IdempotentRequest> = () => ({}),
) {
  const releases: (() => void)[] = [];
  const all = Array.from({ length: count }, (_, nth) => {
    const bank = banks[nth % banks.length];
    if (!bank) throw new Error('there is no process');
    return watch(bank, { ...SALARY, ...requests(nth) }, async () => {
      await new Promise<void>((resolve) => releases.push(resolve));
      return receipt();
    });
  });
  return { all, release: () => releases.forEach((resolve) => resolve()) };
}

/** The record of a request has expired. It comes again to a slow store, and `ms` later once more: to a quick one, before it. */
async function overtaken(handler: Handler, ms: number): Promise<{ slow: Sent; quick: Sent }> {
  const store = memoryStore();
  const bank = processOf(store);
  await send(bank, {}, handler);
  await advance(HOUR_MS);
  store.takes(100);
  const slow = watch(bank, SALARY, handler);
  await advance(ms);
  store.takes(0);
  const quick = await send(bank, {}, handler);
  await advance(1_000);
  return { slow, quick };
}

/** In words: what became of a request. */
function outcomeOf({ attempts, end, response, error }: Sent): string {
  const ran = attempts.map((attempt) => `ran the handler as attempt ${attempt} and `).join('');
  if (end === 'pending') return `${ran}is still waiting`;
  return ran + (end === 'error' ? `got ${String(error)}` : `got ${inWords(response)}`);
}

function inWords(response: HttpResponse | undefined): string {
  return response ? `${response.status} ${response.body}` : 'no response at all';
}

function expectRun(sent: Sent, attempt: number, because: string): void {
  const { attempts } = sent;
  if (attempts.length === 1 && attempts[0] === attempt) return;
  expect.fail(`${because}: the handler must run, once, as attempt ${attempt}; ${theRequest(sent)}`);
}

function expectRefused(sent: Sent, status: 400 | 409 | 422, because: string): void {
  const { attempts, end, response } = sent;
  if (attempts.length === 0 && end === 'response' && response?.status === status) return;
  expect.fail(`${because}: this must get ${status} and run nothing; ${theRequest(sent)}`);
}

function expectAnswer(sent: Sent, answer: HttpResponse, because: string): void {
  if (sent.attempts.length > 0 || sent.end !== 'response') {
    const gets = `it must get the recorded answer and run nothing`;
    expect.fail(`${because}: ${gets}; ${theRequest(sent)}`);
  }
  expect(sent.response, `${because}: it must get the recorded answer`).toEqual(answer);
}

/** Of a request that has run. */
function expectResponse(sent: Sent, expected: HttpResponse, because: string): void {
  if (sent.end !== 'response') {
    expect.fail(`${because}: its caller must get ${inWords(expected)}; ${theRequest(sent)}`);
  }
  expect(sent.response, `${because}: its caller must get this response`).toEqual(expected);
}

/** Of a request that has run, and came too late. */
function expectLate409(sent: Sent, because: string): void {
  if (sent.response?.status === 409) return;
  expect.fail(`${because}: its caller must get 409; ${theRequest(sent)}`);
}

function expectNothingRan(sent: Sent, because: string): void {
  if (sent.attempts.length > 0) {
    expect.fail(`${because}: no handler must run; ${theRequest(sent)}`);
  }
}

function expectError(sent: Sent, error: unknown, because: string): void {
  if (sent.end === 'error' && Object.is(sent.error, error)) return;
  expect.fail(
    `${because}: its caller must get ${String(error)}, the very one; ${theRequest(sent)}`,
  );
}

function theRequest(sent: Sent): string {
  return `the request ${outcomeOf(sent)}`;
}

function total(all: readonly Sent[]): number {
  return all.reduce((sum, { attempts }) => sum + attempts.length, 0);
}

afterEach(async () => {
  vi.restoreAllMocks();
  await advance(60 * SECOND_MS);
  if (pendingTimers() > 0) {
    expect.fail(
      'a minute after the last request a timer is set: a layer needs none, for no lease is renewed',
    );
  }
});

// ── Levels ──────────────────────────────────────────────────────────────────────────────────────────────

describe('1 · one answer for each key', () => {
  it('runs the first request, as attempt 1, and hands over its response', async () => {
    const answer = receipt();
    const first = await send(processOf(memoryStore()), {}, () => Promise.resolve(answer));
    expectRun(first, 1, 'nobody has used this key before');
    expectResponse(first, { ...answer }, 'the transfer was made: its caller needs the receipt');
  });

  it('answers repeats with the recorded response, and runs nothing', async () => {
    const bank = processOf(memoryStore());
    const answer = receipt();
    await send(bank, {}, () => Promise.resolve(answer));
    for (let nth = 1; nth <= 3; nth += 1) {
      expectAnswer(await send(bank), answer, `repeat ${nth}: the money has been moved`);
    }
  });

  it('keeps an answer to the last character', async () => {
    const bodies = {
      nothing: '',
      'JSON with blanks': '{ "a" : 1.0,\r\n\t"a": 2 }\n',
      'a form': 'to=Ada&amount=2100.00',
      'signs beyond ASCII': 'Zürich €\u2028💶 \u0000',
      'half a surrogate pair': 'a\uD83D',
      'a string in JSON': '"null"',
    };
    for (const [name, body] of Object.entries(bodies)) {
      const bank = processOf(memoryStore());
      const headers = { ETag: '"1"', 'x-empty': '', 'set-cookie': 'last=Ada', date: 'today' };
      const answer = { status: 201, headers, body };
      await send(bank, {}, () => Promise.resolve(answer));
      expectAnswer(await send(bank), { ...answer }, `a body of ${name}`);
    }
    const bank = processOf(memoryStore());
    const bare = { status: 204, headers: {}, body: '' };
    const first = await send(bank, {}, () => structuredClone(bare));
    expectResponse(first, bare, 'a response without headers');
    expectAnswer(await send(bank), bare, 'a response without headers');
  });

  it.each([200, 204, 302, 400, 402, 404, 409, 422, 429, 500, 503])(
    'takes a response of any status for the answer: %i',
    async (status) => {
      const bank = processOf(memoryStore());
      const answer = receipt(status);
      const first = await send(bank, {}, () => Promise.resolve(answer));
      expectResponse(first, answer, `the handler answered ${status}`);
      expectAnswer(await send(bank), answer, `the handler has answered ${status}`);
    },
  );

  it('runs each key once', async () => {
    const bank = processOf(memoryStore());
    const keys = ['salary-1', 'salary-2', 'Salary-1', 'salary-1 ', ' salary-1', 'salary-10', ' '];
    for (const key of keys) {
      expectRun(await send(bank, { key }), 1, `nobody has used the key '${key}' before`);
    }
  });

  it('takes clients and keys in any script for what they are', async () => {
    const bank = processOf(memoryStore());
    // Cut down to one byte for each character, the first two of them are the same; the last two look the same.
    for (const name of ['Łódź', 'Aódz', 'Lodz', '工资', '💶', 'Zo\u00EB', 'Zoe\u0308']) {
      expectRun(await send(bank, { client: name }), 1, `nobody knows the client ${name} yet`);
      expectRun(await send(bank, { key: name }), 1, `nobody has used the key ${name} before`);
    }
  });

  it('takes the same key of another client for another key', async () => {
    const bank = processOf(memoryStore());
    const answers = new Map<string, HttpResponse>();
    for (const client of ['payroll', 'treasury', 'Payroll', 'payroll ']) {
      const answer = receipt();
      answers.set(client, answer);
      const first = await send(bank, { client }, () => Promise.resolve(answer));
      expectRun(first, 1, `${client} has not used this key before, others have`);
    }
    for (const [client, answer] of answers) {
      expectAnswer(await send(bank, { client }), answer, `${client} repeats its own request`);
    }
  });

  it('does not mix up clients and keys, whatever signs they are made of', async () => {
    const signs = ':;,.-_/|#@!~+=&%$^*()[]{}<> "\'\\`'.split('');
    for (const sign of ['', ...signs, '::', '--', '__', '||', '","']) {
      const bank = processOf(memoryStore());
      const pairs = [
        ['a', `b${sign}c`],
        [`a${sign}b`, 'c'],
        [`a${sign}`, 'b'],
        ['a', `${sign}b`],
        ['a', `${sign}${sign}b`],
      ] as const;
      const seen = new Set<string>();
      for (const [client, key] of pairs) {
        const name = JSON.stringify([client, key]);
        if (seen.has(name)) continue;
        seen.add(name);
        expectRun(await send(bank, { client, key }), 1, `client ${client}, key ${key}, both new`);
      }
    }
  });

  it('answers from the record in whichever process a repeat arrives', async () => {
    const store = memoryStore();
    const answer = receipt();
    await send(processOf(store), {}, () => Promise.resolve(answer));
    const repeat = await send(processOf(store));
    expectAnswer(repeat, answer, 'another process has run this request');
  });

  it('keeps what belongs to different stores apart', async () => {
    await send(processOf(memoryStore()));
    const elsewhere = await send(processOf(memoryStore()));
    expectRun(elsewhere, 1, 'another bank, with another store, knows nothing of this key');
  });

  it('gives an answer that no caller can change for the others', async () => {
    const bank = processOf(memoryStore());
    const answer = receipt();
    const asItWas = structuredClone(answer);
    const callers = ['the first caller', 'the second', 'the third'];
    let sent = await send(bank, {}, () => Promise.resolve(answer));
    for (const caller of callers) {
      if (sent.response) {
        Reflect.set(sent.response.headers, 'set-cookie', `session=${caller}`);
        Reflect.set(sent.response, 'status', 500);
        Reflect.set(sent.response, 'body', 'gzip');
      }
      sent = await send(bank);
      expectAnswer(sent, asItWas, `${caller} has changed the response object that it got`);
    }
  });

  it('takes a handler that returns a plain response', async () => {
    const bank = processOf(memoryStore());
    const answer = receipt();
    const first = await send(bank, {}, () => answer);
    expectResponse(first, answer, 'a handler may answer without a promise');
    expectAnswer(await send(bank), answer, 'the handler answered without a promise');
  });

  it('waits for anything with a then, and asks it once', async () => {
    const bank = processOf(memoryStore());
    const answer = receipt();
    let asked = 0;
    const query: PromiseLike<HttpResponse> = {
      // oxlint-disable-next-line unicorn/no-thenable
      then: (onValue, onError) => {
        asked += 1;
        return Promise.resolve(answer).then(onValue, onError);
      },
    };
    const first = await send(bank, {}, () => query);
    expectResponse(first, answer, 'the handler returned a query, which has a then');
    expect(asked, 'a query is sent each time its `then` is called').toBe(1);
    expectAnswer(await send(bank), answer, 'the handler returned a query, which has a then');
  });
});

describe('2 · what is refused', () => {
  it('refuses a request without a key', async () => {
    const store = memoryStore();
    for (const key of [undefined, '']) {
      const sent = await send(processOf(store), { key });
      expectRefused(sent, 400, key === '' ? 'the key is empty' : 'there is no key');
    }
    expect(store.content(), 'a request without a key leaves no record').toBe('[]');
  });

  it('takes a key of 255 characters, and refuses one of 256', async () => {
    const bank = processOf(memoryStore());
    for (const length of [1, 36, 255]) {
      const sent = await send(bank, { key: 'k'.repeat(length) });
      expectRun(sent, 1, `a key of ${length} characters`);
    }
    for (const length of [256, 10_000]) {
      const sent = await send(bank, { key: 'k'.repeat(length) });
      expectRefused(sent, 400, `a key of ${length} characters`);
    }
    const euros = await send(bank, { key: '€'.repeat(255) });
    expectRun(euros, 1, 'a key of 255 characters, each of them three bytes in UTF-8');
  });

  const others = {
    'another amount': '{"to":"Ada","amount":"2100.01"}',
    'two digits the other way round': '{"to":"Ada","amount":"1200.00"}',
    'one character less': '{"to":"Ada","amount":"2100.00"',
    'a newline at the end': '{"to":"Ada","amount":"2100.00"}\n',
    'blanks between': '{"to": "Ada", "amount": "2100.00"}',
    'its fields in another order': '{"amount":"2100.00","to":"Ada"}',
    'other letters': '{"to":"ADA","amount":"2100.00"}',
    'nothing in it': '',
  };
  it.each(Object.entries(others))('refuses the key for another body: %s', async (name, body) => {
    const bank = processOf(memoryStore());
    const answer = receipt();
    await send(bank, {}, () => Promise.resolve(answer));
    expectRefused(await send(bank, { body }), 422, `the same key for a body with ${name}`);
    expectAnswer(await send(bank), answer, 'somebody has misused the key, its owner has not');
  });

  it('compares long bodies to their end', async () => {
    const bank = processOf(memoryStore());
    const body = (name: string) => `{"list":"${'x'.repeat(5_000)}${name}${'x'.repeat(5_000)}"}`;
    await send(bank, { body: body('Ada') });
    expectRefused(await send(bank, { body: body('Bob') }), 422, 'a difference in the middle');
    expectRefused(await send(bank, { body: `${body('Ada')} ` }), 422, 'a difference at the end');
    await send(bank, { key: 'lines', body: body('\n') });
    const lines = await send(bank, { key: 'lines', body: body('\r\n') });
    expectRefused(lines, 422, 'a line that ends in \\r\\n in place of \\n');
    const same = await send(bank, { body: body('Ada') });
    expect(same.response?.status, 'the very same body is a repeat').toBe(201);
  });

  it('takes any text for a body, not only JSON', async () => {
    const bank = processOf(memoryStore());
    const body = 'to=Ada&amount=2100.00';
    const answer = receipt();
    await send(bank, { body }, () => Promise.resolve(answer));
    expectAnswer(await send(bank, { body }), answer, 'the body is a form');
    const other = await send(bank, { body: 'to=Ada&amount=9900.00' });
    expectRefused(other, 422, 'the body is another form');
  });

  it.each([
    ['Łódź', 'Aódz', 'the same, if only one byte of each character is looked at'],
    ['Aa', 'BB', 'of the same sum, if each character counts 31 times the next'],
    ['Ab', 'BA', 'of the same sum, if each character counts 33 times the next'],
    ['Zo\u00EB', 'Zoe\u0308', 'which looks the same and is one character longer'],
  ])('tells a transfer to %s from one to %s', async (one, other, because) => {
    const bank = processOf(memoryStore());
    await send(bank, { body: `{"to":"${one}"}` });
    const sent = await send(bank, { body: `{"to":"${other}"}` });
    expectRefused(sent, 422, `the same key for another body, ${because}`);
  });

  it('refuses the key at another endpoint', async () => {
    const bank = processOf(memoryStore());
    await send(bank);
    const endpoints = [
      'POST /refunds',
      'PUT /transfers',
      'POST /transfers/7',
      'POST /transfers/',
      'POST /Transfers',
      'POST /transfers?urgent',
      '',
    ];
    for (const endpoint of endpoints) {
      const sent = await send(bank, { endpoint });
      expectRefused(sent, 422, `the same key at ${endpoint || 'an endpoint without a name'}`);
    }
  });

  it('knows where the endpoint ends and the body begins', async () => {
    const bank = processOf(memoryStore());
    for (const sign of ['', '/', ' ', ':', '|', '-', '\n', ',', '","']) {
      const key = `key${sign}`;
      await send(bank, { key, endpoint: `POST /a${sign}b`, body: 'c' });
      const shifted = await send(bank, { key, endpoint: 'POST /a', body: `b${sign}c` });
      const what = `POST /a${sign}b with body c, then POST /a with body b${sign}c`;
      expectRefused(shifted, 422, what);
    }
  });

  it('refuses a repeat at once while the first is under way', async () => {
    const bank = processOf(memoryStore());
    const first = await slowSend(bank);
    for (let second = 1; second <= 3; second += 1) {
      await advance(SECOND_MS);
      expectRefused(await send(bank), 409, `the first request has been under way for ${second} s`);
    }
    const answer = receipt();
    await first.ends(answer);
    expectResponse(first.sent, answer, 'the first request has nothing to do with the refused ones');
    expectAnswer(await send(bank), answer, 'the first request has been answered since');
  });

  it('refuses a repeat in another process, too', async () => {
    const store = memoryStore();
    await slowSend(processOf(store));
    expectRefused(await send(processOf(store)), 409, 'another process is at it');
  });

  it('refuses the key of another request rather than ask to wait for it', async () => {
    const bank = processOf(memoryStore());
    await slowSend(bank);
    const other = await send(bank, { body: others['another amount'] });
    expectRefused(other, 422, 'to wait would not help: the request under way is another');
  });

  it('refuses each with a response of its own', async () => {
    const bank = processOf(memoryStore());
    await slowSend(bank);
    const refused = [
      ['no key', 400, { key: undefined }],
      ['a request under way', 409, {}],
      ['another body', 422, { body: others['another amount'] }],
    ] as const;
    for (const [why, status, request] of refused) {
      const first = await send(bank, request);
      expectRefused(first, status, why);
      if (first.response) Reflect.set(first.response, 'status', 500);
      const because = `${why}; the caller before has changed the response object that it got`;
      expectRefused(await send(bank, request), status, because);
    }
  });

  it('does not make other requests wait', async () => {
    const bank = processOf(memoryStore());
    await slowSend(bank);
    expectRun(await send(bank, { key: 'salary-0418' }), 1, 'only another key is under way');
    expectRun(await send(bank, { client: 'treasury' }), 1, 'only another client is at it');
  });

  it('does not show bodies to the store', async () => {
    const store = memoryStore();
    const bank = processOf(store);
    const ibans = Array.from({ length: 500 }, (_, nth) => `GB33BUKB${20201555555555 + nth * nth}`);
    const body = JSON.stringify(ibans);
    const expectNoBody = (when: string) => {
      const content = store.content();
      const isThere = ibans.some((iban) => content.includes(iban));
      expect(isThere, `${when}: there are account numbers in the store`).toBe(false);
      const length = `${when}: a hash is short, however long the body; characters in the store`;
      expect(content.length, length).toBeLessThan(5_000);
    };
    const first = await slowSend(bank, { body });
    expectNoBody('under way');
    await first.ends(receipt());
    expectNoBody('answered');
    await send(bank, { key: 'failing', body }, () => Promise.reject(noAnswer()));
    expectNoBody('failed');
  });
});

describe('3 · in the same instant', () => {
  const slowStore = () => memoryStore({ latencyMs: () => 20 });

  it.each([2, 10])('runs one of %i that come together', async (count) => {
    const { all, release } = sendTogether([processOf(memoryStore())], count);
    await settle();
    expect(total(all), 'repeats in the same instant: how many handlers run').toBe(1);
    const others = all.filter(({ attempts }) => attempts.length === 0);
    for (const other of others) expectRefused(other, 409, 'one of them is under way');
    release();
    await settle();
  });

  it('runs one, however long the store takes', async () => {
    const { all, release } = sendTogether([processOf(slowStore())], 10);
    await advance(1_000);
    expect(total(all), 'repeats in the same instant: how many handlers run').toBe(1);
    const others = all.filter(({ attempts }) => attempts.length === 0);
    for (const other of others) expectRefused(other, 409, 'one of them is under way');
    release();
    await advance(1_000);
  });

  it('runs one, when they come to several processes', async () => {
    const store = slowStore();
    const { all, release } = sendTogether(
      [1, 2, 3].map(() => processOf(store)),
      12,
    );
    await advance(1_000);
    expect(total(all), 'repeats at three processes: how many handlers run').toBe(1);
    const others = all.filter(({ attempts }) => attempts.length === 0);
    for (const other of others) expectRefused(other, 409, 'one of them is under way');
    release();
    await advance(1_000);
  });

  it('runs one, when the second comes while the first is on its way to the store', async () => {
    for (const gapMs of [1, 9, 10, 11, 19, 20, 21, 30, 40]) {
      const store = slowStore();
      const first = watch(processOf(store), SALARY, () => new Promise(() => {}));
      await advance(gapMs);
      const second = watch(processOf(store), SALARY, () => new Promise(() => {}));
      await advance(1_000);
      const gap = `two requests, ${gapMs} ms apart, and a store that takes 20 ms`;
      expect(total([first, second]), `${gap}: how many handlers run`).toBe(1);
    }
  });

  it('records an answer before it gives it', async () => {
    const store = memoryStore();
    const bank = processOf(store);
    const answer = receipt();
    const first = watch(bank, SALARY, () => {
      store.takes(200);
      return Promise.resolve(answer);
    });
    for (let waited = 0; waited < 2_000 && first.end === 'pending'; waited += 1) await advance(1);
    expectResponse(first, answer, 'the store takes 200 ms, and the first request has 2 s');
    // A repeat that overtakes whatever is still on its way to the store.
    store.takes(0);
    expectAnswer(await send(bank), answer, 'the first caller has its answer, and a repeat comes');
    await advance(2_000);
  });

  it('lets requests with different keys run side by side', async () => {
    const { all, release } = sendTogether([processOf(slowStore())], 10, (nth) => ({
      key: `salary-${nth}`,
    }));
    await advance(100);
    expect(total(all), 'ten salaries at once: how many handlers run within 100 ms').toBe(10);
    release();
    await advance(1_000);
    const ends = all.map(({ response }) => response?.status);
    expect(ends, 'ten salaries').toEqual(all.map(() => 201));
  });
});

describe('4 · expiry', () => {
  it.each([
    [HOUR_MS, 'at once'],
    [HOUR_MS, 'some day'],
    [24 * HOUR_MS, 'some day'],
    [90 * SECOND_MS, 'at once'],
    [90 * SECOND_MS, 'some day'],
  ] as const)(
    'answers repeats for %i ms and no longer, with a store that forgets %s',
    async (ttlMs, forgets) => {
      const bank = processOf(memoryStore({ forgets }), { ttlMs });
      const answer = receipt();
      for (const key of ['early', 'late']) {
        await send(bank, { key }, () => Promise.resolve(answer));
      }
      await advance(ttlMs - 1);
      const early = await send(bank, { key: 'early' });
      expectAnswer(early, answer, `1 ms before the ${ttlMs} ms are over`);
      await advance(1);
      expectRun(await send(bank, { key: 'late' }), 1, `${ttlMs} ms are over: the key is new`);
    },
  );

  it('counts from when the answer was recorded', async () => {
    const bank = processOf(memoryStore(), { ttlMs: 90 * SECOND_MS });
    const first = await slowSend(bank);
    await advance(50 * SECOND_MS);
    const answer = receipt();
    await first.ends(answer);
    await advance(90 * SECOND_MS - 1);
    const repeat = await send(bank);
    expectAnswer(repeat, answer, 'a transfer took 50 s, and was answered not quite 90 s ago');
    await advance(1);
    expectRun(await send(bank), 1, 'it was answered 90 s ago');
  });

  it('does not prolong the time of an answer by repeating it', async () => {
    const bank = processOf(memoryStore());
    const answer = receipt();
    await send(bank, {}, () => Promise.resolve(answer));
    for (let minute = 5; minute < 60; minute += 5) {
      await advance(HOUR_MS / 12);
      expectAnswer(await send(bank), answer, `${minute} min after the answer`);
      expectRefused(await send(bank, { body: 'other' }), 422, `${minute} min after the answer`);
    }
    await advance(HOUR_MS / 12);
    expectRun(await send(bank), 1, '60 min after the answer, however often it was asked for');
  });

  it('leaves an expired key to any request', async () => {
    const bank = processOf(memoryStore());
    await send(bank);
    await advance(HOUR_MS);
    const other = { endpoint: 'POST /refunds', body: '{"from":"Ada"}' };
    const answer = receipt();
    const refund = await send(bank, other, () => Promise.resolve(answer));
    expectRun(refund, 1, 'the key is new: it may be used for another request');
    expectAnswer(await send(bank, other), answer, 'the key has been used again');
    expectRefused(await send(bank), 422, 'now the key belongs to the refund');
  });

  it('gives a whole new time to a key that is used again', async () => {
    const bank = processOf(memoryStore());
    await send(bank);
    await advance(HOUR_MS);
    const answer = receipt();
    await send(bank, {}, () => Promise.resolve(answer));
    await advance(HOUR_MS - 1);
    expectAnswer(await send(bank), answer, 'an hour less 1 ms after it was used again');
    await advance(1);
    expectRun(await send(bank), 1, 'an hour after it was used again');
  });

  it.each(['at once', 'some day'] as const)(
    'runs one of many that come when the record has expired, with a store that forgets %s',
    async (forgets) => {
      const store = memoryStore({ forgets });
      const banks = [processOf(store), processOf(store)];
      await send(processOf(store));
      await advance(HOUR_MS);
      store.takes(20);
      const { all, release } = sendTogether(banks, 6);
      await advance(1_000);
      expect(total(all), 'repeats of an expired request: how many handlers run').toBe(1);
      const others = all.filter(({ attempts }) => attempts.length === 0);
      for (const other of others) expectRefused(other, 409, 'one of them is under way');
      release();
      await advance(1_000);
    },
  );

  it.each([-3 * HOUR_MS, 3 * HOUR_MS])(
    'does not notice when the wall clock is set by %i ms',
    async (ms) => {
      const bank = processOf(memoryStore());
      const answer = receipt();
      await send(bank, {}, () => Promise.resolve(answer));
      stepWallClock(ms);
      expectAnswer(await send(bank), answer, 'the wall clock was set, and no time has passed');
      await advance(HOUR_MS - 1);
      expectAnswer(await send(bank), answer, '1 ms before the hour is over');
      await advance(1);
      expectRun(await send(bank), 1, 'the hour is over');
    },
  );

  it('goes by the age that the store tells, for each process counts from its own start', async () => {
    const store = memoryStore();
    const answer = receipt();
    await advance(HOUR_MS);
    await send(processOf(store), {}, () => Promise.resolve(answer));
    // A process that was started later, and whose clock has not come as far.
    const startedAt = now();
    vi.spyOn(performance, 'now').mockImplementation(() => now() - startedAt);
    const bank = processOf(store);
    await advance(HOUR_MS - 1);
    expectAnswer(await send(bank), answer, 'a new process, and 1 ms before the hour is over');
    await advance(1);
    expectRun(await send(bank), 1, 'a new process, and the hour is over');
  });

  it('leaves nothing in the store for longer than its time', async () => {
    const store = memoryStore();
    const bank = processOf(store);
    await send(bank, { key: 'answered' });
    await send(bank, { key: 'failed' }, () => Promise.reject(noAnswer()));
    await slowSend(bank, { key: 'under way' });
    const kept = 'one answer, one failure, one attempt under way: records in the store';
    expect(store.size(), kept).toBeGreaterThanOrEqual(3);
    await advance(HOUR_MS);
    expect(store.size(), 'what the store still has to keep, an hour later').toBe(0);
  });
});

describe('5 · failures', () => {
  it('hands over the very error of the handler, whatever it is', async () => {
    for (const error of [noAnswer(), undefined, null, 0, 'no route to host']) {
      const rejecting = await sendAndFail(processOf(memoryStore()), error);
      expectError(rejecting, error, `the handler rejected with ${String(error)}`);
      const throwing = await send(processOf(memoryStore()), {}, () => {
        throw error;
      });
      expectError(throwing, error, `the handler threw ${String(error)}`);
    }
  });

  it('runs again after a failure, with a higher number each time', async () => {
    const store = memoryStore();
    const banks = [processOf(store), processOf(store)];
    for (let attempt = 1; attempt <= 4; attempt += 1) {
      const bank = processOf(store);
      const failing = await sendAndFail(bank, noAnswer());
      expectRun(failing, attempt, `attempts that have thrown so far: ${attempt - 1}`);
    }
    const answer = receipt();
    for (const bank of banks.slice(0, 1)) {
      const last = await send(bank, {}, () => Promise.resolve(answer));
      expectRun(last, 5, 'the handler has thrown four times');
    }
    for (const bank of banks) {
      expectAnswer(await send(bank), answer, 'the fifth attempt has answered');
    }
  });

  it('gives no number twice, whichever process is asked', async () => {
    const store = memoryStore();
    const banks = [processOf(store), processOf(store)] as const;
    for (const [index, nth] of ([0, 1, 0, 0, 1, 1, 0, 1, 0, 1, 1, 0] as const).entries()) {
      const failing = await sendAndFail(banks[nth], noAnswer());
      expectRun(failing, index + 1, `${index} attempts have thrown, at two processes in turn`);
    }
  });

  it('counts a throw like a rejection', async () => {
    const bank = processOf(memoryStore());
    await send(bank, {}, () => {
      throw noAnswer();
    });
    expectRun(await send(bank), 2, 'the handler has thrown before there was a promise');
  });

  it('counts whatever is thrown, even nothing at all', async () => {
    const bank = processOf(memoryStore());
    await sendAndFail(bank, undefined);
    expectRun(await sendAndFail(bank, null), 2, 'the handler has rejected with undefined');
    expectRun(await send(bank), 3, 'the handler has rejected with null');
  });

  it('records a failure before it hands over the error', async () => {
    const store = memoryStore();
    const bank = processOf(store);
    const first = watch(bank, SALARY, () => {
      store.takes(200);
      return Promise.reject(noAnswer());
    });
    for (let waited = 0; waited < 2_000 && first.end === 'pending'; waited += 1) await advance(1);
    expect(first.end, 'the store takes 200 ms, and the first request has 2 s').toBe('error');
    // A repeat that overtakes whatever is still on its way to the store.
    store.takes(0);
    expectRun(await send(bank), 2, 'the first caller has its error, and a repeat comes');
    await advance(2_000);
  });

  it('takes a 500 for an answer, and a throw for none', async () => {
    const bank = processOf(memoryStore());
    await sendAndFail(bank, noAnswer());
    const answer = receipt(500);
    const second = await send(bank, {}, () => Promise.resolve(answer));
    expectRun(second, 2, 'the first attempt has thrown');
    expectAnswer(await send(bank), answer, 'the second attempt has answered 500');
  });

  it('keeps the key for its own request after a failure', async () => {
    const bank = processOf(memoryStore());
    await sendAndFail(bank, noAnswer());
    const other = await send(bank, { body: '{"to":"Bob"}' });
    expectRefused(other, 422, 'the handler has thrown, and another request comes with its key');
    expectRun(await send(bank), 2, 'the request that the key belongs to comes again');
  });

  it('refuses repeats while a further attempt is under way', async () => {
    const bank = processOf(memoryStore());
    await sendAndFail(bank, noAnswer());
    const second = await slowSend(bank);
    expectRefused(await send(bank), 409, 'the second attempt is under way');
    await second.ends(noAnswer());
    expectRun(await send(bank), 3, 'the second attempt has thrown as well');
  });

  it('runs one of many that come after a failure', async () => {
    const store = memoryStore();
    await sendAndFail(processOf(store), noAnswer());
    store.takes(20);
    const { all, release } = sendTogether([processOf(store), processOf(store)], 6);
    await advance(1_000);
    expect(total(all), 'repeats after a failure: how many handlers run').toBe(1);
    const others = all.filter(({ attempts }) => attempts.length === 0);
    for (const other of others) expectRefused(other, 409, 'one of them is under way');
    release();
    await advance(1_000);
  });

  it('remembers a failure for its whole time', async () => {
    const bank = processOf(memoryStore({ forgets: 'at once' }));
    await sendAndFail(bank, noAnswer());
    await advance(HOUR_MS - 1);
    expectRun(await send(bank), 2, 'the handler has thrown an hour less 1 ms ago');
  });

  it('forgets a failure when its time is over', async () => {
    const bank = processOf(memoryStore());
    await sendAndFail(bank, noAnswer());
    expectRun(await sendAndFail(bank, noAnswer()), 2, 'the handler has thrown once');
    await advance(HOUR_MS);
    expectRun(await send(bank), 1, 'that was an hour ago: the key is new');
  });

  it('runs nothing while the store is down', async () => {
    const store = memoryStore();
    const bank = processOf(store);
    store.suffers('is down');
    const first = await send(bank);
    expectNothingRan(first, 'without a record, nothing keeps a repeat from running as well');
    expectError(first, store.error, 'the store is down');
    store.suffers('is well');
    expectRun(await send(bank), 1, 'the store is back, and has heard nothing of this key');
  });

  it('runs nothing when it cannot know whether it has the key', async () => {
    const store = memoryStore();
    store.suffers('loses replies');
    const first = await send(processOf(store));
    expectNothingRan(first, 'the store has not said that this request has the key');
    expectError(first, store.error, 'the reply of the store got lost');
  });

  it('does not ask a store again that has failed', async () => {
    for (const when of ['it claims the key', 'it records the answer']) {
      const store = memoryStore();
      const bank = processOf(store);
      if (when === 'it claims the key') fail();
      const first = watch(bank, SALARY, () => {
        if (when === 'it records the answer') fail();
        return receipt();
      });
      // A call takes 20 ms, and the first one fails after 10.
      await advance(15);
      store.suffers('is well');
      await advance(1_000);
      const because = `the store failed once when ${when}`;
      expectError(first, store.error, `${because}: the layer does not try again, its caller may`);
      if (when === 'it claims the key') expectNothingRan(first, because);

      function fail(): void {
        store.takes(20);
        store.suffers('is down');
      }
    }
  });

  it('does not take over when the store fails', async () => {
    // How many calls it takes to get the key is up to the answer; one of them fails.
    for (const failing of [1, 2, 3]) {
      const store = memoryStore();
      await sendAndFail(processOf(store), noAnswer());
      store.takes(20);
      const next = watch(processOf(store), SALARY, () => receipt());
      await advance(20 * failing - 15);
      if (next.attempts.length > 0) break;
      store.suffers('is down');
      await advance(10);
      store.suffers('is well');
      await advance(1_000);
      const because = `the handler has thrown, its request comes again, and call ${failing} to the store fails`;
      expectNothingRan(next, because);
      expectError(next, store.error, because);
    }
  });

  it('does not give an answer that may not be recorded', async () => {
    const store = memoryStore();
    const bank = processOf(store);
    const first = await slowSend(bank);
    store.suffers('is down');
    await first.ends(receipt());
    expectError(first.sent, store.error, 'the answer was not recorded, a repeat may get another');
    store.suffers('is well');
    expectRefused(await send(bank), 409, 'on record the attempt is still under way');
  });

  it('gives repeats the answer whose record went through unheard', async () => {
    const store = memoryStore();
    const bank = processOf(store);
    const answer = receipt();
    const first = await slowSend(bank);
    store.suffers('loses replies');
    await first.ends(answer);
    expectError(first.sent, store.error, 'nobody knows whether the answer is recorded');
    store.suffers('is well');
    expectAnswer(await send(bank), answer, 'it is recorded, only the reply got lost');
  });

  it.each(['is down', 'loses replies'] as const)(
    'does not hide the error of the handler behind one of a store that %s',
    async (trouble) => {
      const store = memoryStore();
      const first = await slowSend(processOf(store));
      store.suffers(trouble);
      const error = noAnswer();
      await first.ends(error);
      expectError(first.sent, error, 'the handler threw, and then the store failed as well');
    },
  );
});

describe('6 · takeover', () => {
  it.each([SECOND_MS, 30 * SECOND_MS, LEASE_MS])(
    'leaves an attempt its key for %i ms, and no longer',
    async (leaseMs) => {
      const store = memoryStore();
      const bank = processOf(store, { leaseMs });
      for (const key of ['early', 'late']) await slowSend(processOf(store, { leaseMs }), { key });
      await advance(leaseMs - 1);
      expectRefused(await send(bank, { key: 'early' }), 409, `1 ms of ${leaseMs} ms are left`);
      await advance(1);
      const answer = receipt();
      const second = await send(bank, { key: 'late' }, () => Promise.resolve(answer));
      expectRun(second, 2, `nobody has heard of the process for ${leaseMs} ms`);
      const repeat = await send(bank, { key: 'late' });
      expectAnswer(repeat, answer, 'the second attempt has answered');
    },
  );

  it('does not prolong a lease by asking', async () => {
    const bank = processOf(memoryStore());
    await slowSend(bank);
    for (let second = 5; second < 60; second += 5) {
      await advance(5 * SECOND_MS);
      expectRefused(await send(bank), 409, `${second} s into a lease of 60 s`);
      expectRefused(await send(bank, { body: 'other' }), 422, `${second} s into a lease of 60 s`);
    }
    await advance(5 * SECOND_MS);
    expectRun(await send(bank), 2, 'the 60 s are over, whoever asked meanwhile');
  });

  it.each(['at once', 'some day'] as const)(
    'remembers the attempts of dead processes, with a store that forgets %s',
    async (forgets) => {
      const store = memoryStore({ forgets });
      for (let attempt = 1; attempt <= 4; attempt += 1) {
        const { sent } = await slowSend(processOf(store));
        expectRun(sent, attempt, `processes that have died over this key so far: ${attempt - 1}`);
        await advance(LEASE_MS - 1);
        const early = await send(processOf(store));
        expectRefused(early, 409, `1 ms before the lease of attempt ${attempt} is over`);
        await advance(1);
      }
    },
  );

  it('takes over long after the lease', async () => {
    const store = memoryStore({ forgets: 'at once' });
    await slowSend(processOf(store));
    await advance(HOUR_MS - 1);
    expectRun(await send(processOf(store)), 2, 'a process died an hour less 1 ms ago');
  });

  it('forgets an attempt that never ended when its time is over', async () => {
    const store = memoryStore();
    await slowSend(processOf(store));
    await advance(LEASE_MS);
    await slowSend(processOf(store));
    await advance(HOUR_MS);
    const other = await send(processOf(store), { body: '{"to":"Bob"}' });
    expectRun(other, 1, 'two processes have died, an hour ago and longer: the key is new');
  });

  it('lets one take over when many come', async () => {
    const store = memoryStore();
    await slowSend(processOf(store));
    await advance(LEASE_MS);
    store.takes(20);
    const { all, release } = sendTogether([processOf(store), processOf(store)], 6);
    await advance(1_000);
    expect(total(all), 'repeats when a lease is over: how many handlers run').toBe(1);
    const others = all.filter(({ attempts }) => attempts.length === 0);
    for (const other of others) expectRefused(other, 409, 'one of them has taken over');
    release();
    await advance(1_000);
  });

  it('keeps the key for its own request when the lease is over', async () => {
    const bank = processOf(memoryStore());
    await slowSend(bank);
    await advance(LEASE_MS);
    const other = await send(bank, { body: '{"to":"Bob"}' });
    expectRefused(other, 422, 'the lease is over, and another request comes with the key');
    expectRun(await send(bank), 2, 'the request that the key belongs to comes again');
  });

  it('counts an attempt that nobody has taken over, however late it ends', async () => {
    const bank = processOf(memoryStore());
    const first = await slowSend(bank);
    await advance(5 * LEASE_MS);
    const answer = receipt();
    await first.ends(answer);
    expectResponse(first.sent, answer, 'the attempt was slow, and nobody came meanwhile');
    expectAnswer(await send(bank), answer, 'the slow attempt has answered');
  });

  it('gives a late caller the answer of the attempt that took over', async () => {
    const store = memoryStore();
    const first = await slowSend(processOf(store));
    await advance(LEASE_MS);
    const answer = receipt();
    const bank = processOf(store);
    await send(bank, {}, () => Promise.resolve(answer));
    await first.ends(receipt());
    const because = 'another attempt took over and has answered: two callers, one answer';
    expectResponse(first.sent, answer, because);
    expectAnswer(await send(bank), answer, 'a late attempt does not overwrite the answer');
  });

  it('gives a late caller that answer, however late it is and however many took over', async () => {
    const store = memoryStore();
    const first = await slowSend(processOf(store));
    await advance(LEASE_MS);
    const second = await slowSend(processOf(store));
    await advance(LEASE_MS);
    const answer = receipt();
    await send(processOf(store), {}, () => Promise.resolve(answer));
    await advance(5 * LEASE_MS);
    await first.ends(receipt());
    expectResponse(first.sent, answer, 'the third attempt has answered, five minutes ago');
    await second.ends(receipt());
    expectResponse(second.sent, answer, 'the third attempt has answered, five minutes ago');
  });

  it('gives a late caller 409 while the attempt that took over is under way', async () => {
    const store = memoryStore();
    const bank = processOf(store);
    const first = await slowSend(bank);
    await advance(LEASE_MS);
    const second = await slowSend(processOf(store));
    await first.ends(receipt());
    expectLate409(first.sent, 'another attempt took over, and has not answered yet');
    expectRefused(await send(bank), 409, 'the second attempt is under way');
    const answer = receipt();
    await second.ends(answer);
    expectResponse(second.sent, answer, 'the second attempt holds the key');
    expectAnswer(await send(bank), answer, 'the second attempt holds the key, and has answered');
  });

  it('gives a late caller the error of the store that cannot say what is on record', async () => {
    const store = memoryStore();
    const first = await slowSend(processOf(store));
    await advance(LEASE_MS);
    await send(processOf(store));
    store.takes(20);
    await first.ends(receipt());
    // The end of the attempt has gone through at 10 ms; whatever comes after it fails.
    await advance(15);
    store.suffers('is down');
    await advance(20);
    store.suffers('is well');
    await advance(1_000);
    const because = 'another attempt took over, and the store does not say what it has answered';
    expectError(first.sent, store.error, because);
  });

  it.each([20, 60, 120])(
    'does not overwrite an attempt that takes over %i ms after a late one has ended',
    async (ms) => {
      const store = memoryStore();
      const bank = processOf(store);
      const first = await slowSend(bank);
      await advance(LEASE_MS);
      store.takes(100);
      await first.ends(receipt());
      await advance(ms);
      store.takes(0);
      const second = await slowSend(processOf(store));
      await advance(1_000);
      const answer = receipt();
      await second.ends(answer);
      const repeat = await send(bank);
      const because = 'a late attempt ends, and its store is slow';
      if (second.sent.attempts.length > 0) {
        expectResponse(second.sent, answer, `${because}; this one has taken over meanwhile`);
        expectAnswer(repeat, answer, `${because}; another one has taken over meanwhile`);
        expectLate409(first.sent, `${because}; another one has taken over and is under way`);
      } else if (first.sent.response) {
        expectAnswer(repeat, first.sent.response, `${because}; nobody has taken over`);
      }
    },
  );

  it('gives a late caller 409 when the attempt that took over has failed', async () => {
    const store = memoryStore();
    const bank = processOf(store);
    const first = await slowSend(bank);
    await advance(LEASE_MS);
    await sendAndFail(bank, noAnswer());
    await first.ends(receipt());
    expectLate409(first.sent, 'another attempt took over and failed: no answer is on record');
    expectRun(await send(bank), 3, 'the second attempt has thrown, the first came too late');
  });

  it('does not free the key when a late attempt throws', async () => {
    const store = memoryStore();
    const bank = processOf(store);
    const first = await slowSend(bank);
    await advance(LEASE_MS);
    const second = await slowSend(bank);
    const error = noAnswer();
    await first.ends(error);
    expectError(first.sent, error, 'its handler threw, late as it was');
    expectRefused(await send(bank), 409, 'the first attempt threw late, the second is under way');
    const answer = receipt();
    await second.ends(answer);
    expectAnswer(await send(bank), answer, 'the second attempt has answered');
  });

  it('does not lose an answer to a late attempt that throws', async () => {
    const store = memoryStore();
    const bank = processOf(store);
    const first = await slowSend(bank);
    await advance(LEASE_MS);
    const answer = receipt();
    await send(bank, {}, () => Promise.resolve(answer));
    const error = noAnswer();
    await first.ends(error);
    expectError(first.sent, error, 'its handler threw, whatever is on record by now');
    expectAnswer(await send(bank), answer, 'the first attempt threw after the second answered');
  });

  it('takes over a claim that nobody heard of', async () => {
    const store = memoryStore();
    store.suffers('loses replies');
    await send(processOf(store));
    store.suffers('is well');
    const bank = processOf(store);
    const next = await send(bank);
    // A layer may as well have cleared up behind its claim.
    if (next.attempts.length > 0) return;
    expectRefused(next, 409, 'on record an attempt is under way');
    await advance(LEASE_MS);
    expectRun(await send(bank), 2, 'nobody has the key, and the lease is over');
  });

  it('takes over an attempt whose end could not be recorded', async () => {
    for (const end of [receipt(), noAnswer()]) {
      const store = memoryStore();
      const bank = processOf(store);
      const first = await slowSend(bank);
      store.suffers('is down');
      await first.ends(end);
      store.suffers('is well');
      await advance(LEASE_MS - 1);
      expectRefused(await send(bank), 409, 'on record the attempt is still under way');
      await advance(1);
      expectRun(await send(bank), 2, 'its end is not on record, and the lease is over');
    }
  });

  it('tells the record of an attempt from that of any other', async () => {
    const store = memoryStore();
    const bank = processOf(store);
    store.suffers('loses replies');
    await send(bank);
    store.suffers('is well');
    await advance(HOUR_MS);
    store.takes(20);
    const { all, release } = sendTogether([bank], 6);
    await advance(1_000);
    const because = 'an attempt has expired, and its request comes six times at once';
    expect(total(all), `${because}: how many handlers run`).toBe(1);
    release();
    await advance(1_000);
  });

  it('tells the records of processes that cannot know of each other', async () => {
    const store = memoryStore();
    const wallMs = Date.now();
    store.takes(20);
    for (const death of [0, 1, 2]) {
      // Each process counts from its own start, and the wall clock has been set back.
      const startedAt = now();
      vi.spyOn(performance, 'now').mockImplementation(() => now() - startedAt);
      stepWallClock(wallMs - Date.now());
      const banks = Array.from({ length: 6 }, () => processOf(store));
      const { all } = sendTogether(banks, 6);
      await advance(1_000);
      const because = `six new processes get the same request, and all that ran it before have died (${death} of them)`;
      expect(total(all), `${because}: how many handlers run`).toBe(1);
      await advance(HOUR_MS);
    }
  });

  it.each([120, 220, 320])(
    'tells a failure from a later one that says the same: a repeat %i ms into a slow one',
    async (ms) => {
      const { slow, quick } = await overtaken(() => Promise.reject(noAnswer()), ms);
      const numbers = [...quick.attempts, ...slow.attempts];
      const because =
        'a failure has expired, and of two requests the second overtakes the first and fails like that again; no number is given twice';
      expect(
        new Set(numbers).size,
        `${because}: of ${numbers.length} runs, different numbers`,
      ).toBe(numbers.length);
    },
  );

  it.each([120, 220, 320])(
    'tells a record from a later one that says the same: a repeat %i ms into a slow one',
    async (ms) => {
      const answer = receipt();
      const { slow, quick } = await overtaken(() => Promise.resolve(answer), ms);
      const because =
        'an answer has expired, and of two requests the second overtakes the first and is told the same again';
      const record = 'a record that reads as before is not the one that the first has seen';
      expect(total([slow, quick]), `${because}; ${record}: how many handlers run`).toBe(1);
    },
  );

  it.each([-HOUR_MS, HOUR_MS])(
    'does not notice a wall clock set by %i ms in a lease',
    async (ms) => {
      const store = memoryStore();
      const bank = processOf(store);
      await slowSend(bank);
      stepWallClock(ms);
      expectRefused(await send(bank), 409, 'the wall clock was set, and no time has passed');
      await advance(LEASE_MS - 1);
      expectRefused(await send(bank), 409, '1 ms before the lease is over');
      await advance(1);
      expectRun(await send(bank), 2, 'the lease is over');
    },
  );
});

describe('7 · whatever happens', () => {
  it('does what the rules say, request by request', async () => {
    const anyBank = fc
      .tuple(
        fc.constantFrom({ ttlMs: HOUR_MS, leaseMs: LEASE_MS }, { ttlMs: 2_500, leaseMs: 1_000 }),
        fc.constantFrom('at once' as const, 'some day' as const),
      )
      .map(([times, forgets]) => new Given(times, forgets));
    await fc.assert(
      // Once fast-check had shrunk the bank, it would not shrink the history.
      fc.asyncProperty(fc.noShrink(anyBank), histories(), (given, history) =>
        fc.asyncModelRun(() => startOf(given), history),
      ),
      { seed: 20_261_127, numRuns: 40 },
    );
  });

  it('moves the money once, and tells everybody the same', async () => {
    const anyNetwork = fc.nat().map((seed) => new Network(seed));
    await fc.assert(
      fc.asyncProperty(fc.noShrink(anyNetwork), nights(), async (network, night) => {
        const bank = new Bank(network);
        await fc.asyncModelRun(() => ({ model: {}, real: bank }), night);
        await bank.closes();
      }),
      { seed: 20_261_127, numRuns: 30 },
    );
  });
});

// ── The rules on paper, and what can happen to a key ────────────────────────────────────────────────────

class Given {
  readonly ttlMs: number;
  readonly leaseMs: number;
  readonly forgets: 'at once' | 'some day';

  constructor(times: { ttlMs: number; leaseMs: number }, forgets: 'at once' | 'some day') {
    this.ttlMs = times.ttlMs;
    this.leaseMs = times.leaseMs;
    this.forgets = forgets;
  }

  /** How fast-check prints it. */
  [fc.toStringMethod] = () =>
    `ttlMs: ${this.ttlMs}, leaseMs: ${this.leaseMs}, a store that forgets ${this.forgets}`;
}

const KEYS = ['A', 'B'] as const;
type Key = (typeof KEYS)[number];

const BODIES = { usual: SALARY.body, other: '{"to":"Bob"}' } as const;
type Body = keyof typeof BODIES;

/** What is on record for a key; `run` is whose record it is, as long as the attempt is under way. */
interface PaperRecord {
  readonly body: Body;
  readonly attempt: number;
  readonly writtenAt: number;
  readonly run?: PaperRun;
  readonly answer?: HttpResponse;
}

interface PaperRun {
  readonly key: Key;
  readonly body: Body;
  readonly attempt: number;
  readonly startedAt: number;
}

/** The store and the rules, as one would play them with pencil and paper. */
class Paper {
  readonly given: Given;
  readonly runs: PaperRun[] = [];
  readonly #records = new Map<Key, PaperRecord>();
  #nowMs = 0;

  constructor(given: Given) {
    this.given = given;
  }

  /** What the next request gets: a status of ours, the answer on record, or a run as this attempt. */
  next(key: Key, body: Body): 409 | 422 | HttpResponse | { readonly attempt: number } {
    const record = this.#recordOf(key);
    if (!record) return { attempt: 1 };
    if (record.body !== body) return 422;
    if (record.answer) return record.answer;
    const isLeased = record.run && this.#nowMs - record.writtenAt < this.given.leaseMs;
    return isLeased ? 409 : { attempt: record.attempt + 1 };
  }

  begins(key: Key, body: Body, attempt: number): PaperRun {
    const run = { key, body, attempt, startedAt: this.#nowMs };
    this.#write({ body, attempt, run }, key);
    return run;
  }

  /** What the caller of a run gets: its answer, another's, or 409. */
  answers(run: PaperRun, answer: HttpResponse): HttpResponse | 409 {
    if (!this.#holds(run)) return this.#recordOf(run.key)?.answer ?? 409;
    this.#write({ body: run.body, attempt: run.attempt, answer }, run.key);
    return answer;
  }

  throws(run: PaperRun): void {
    if (this.#holds(run)) this.#write({ body: run.body, attempt: run.attempt }, run.key);
  }

  passes(ms: number): void {
    this.#nowMs += ms;
  }

  /** No handler runs for longer than `ttlMs`: such a run belongs to a process that has died. */
  isDead(run: PaperRun): boolean {
    return this.#nowMs - run.startedAt >= this.given.ttlMs;
  }

  #holds(run: PaperRun): boolean {
    return this.#recordOf(run.key)?.run === run;
  }

  #recordOf(key: Key): PaperRecord | undefined {
    const record = this.#records.get(key);
    return record && this.#nowMs - record.writtenAt < this.given.ttlMs ? record : undefined;
  }

  #write(record: Omit<PaperRecord, 'writtenAt'>, key: Key): void {
    this.#records.set(key, { ...record, writtenAt: this.#nowMs });
  }
}

interface Real {
  readonly processes: readonly Idempotency[];
  readonly runs: Awaited<ReturnType<typeof slowSend>>[];
}

function startOf(given: Given): { model: Paper; real: Real } {
  const store = memoryStore({ forgets: given.forgets });
  const { ttlMs, leaseMs } = given;
  const processes = [1, 2].map(() => processOf(store, { ttlMs, leaseMs }));
  return { model: new Paper(given), real: { processes, runs: [] } };
}

/** Anything that can happen to two keys at two processes, one after another. */
function histories() {
  const keys = fc.constantFrom(...KEYS);
  const bodies = fc.constantFrom<Body>('usual', 'usual', 'usual', 'other');
  return fc.commands(
    [
      fc.tuple(fc.nat(1), keys, bodies).map((request) => new RequestComes(...request)),
      fc.tuple(fc.nat(1), keys, bodies).map((request) => new RequestComes(...request)),
      fc
        .tuple(fc.nat(9), fc.constantFrom<HandlerEnd>(201, 201, 500, 'throws'))
        .map((end) => new HandlerEnds(...end)),
      fc.constantFrom<Span>('1 ms', 'half a lease', 'half a ttl').map((span) => new Passes(span)),
      fc
        .constantFrom<Span>('a lease', 'a lease but 1 ms', 'a ttl', 'a ttl but 1 ms')
        .map((span) => new Passes(span)),
    ],
    { maxCommands: 30, size: 'max' },
  );
}

class RequestComes implements fc.AsyncCommand<Paper, Real> {
  readonly #nth: number;
  readonly #key: Key;
  readonly #body: Body;
  constructor(nth: number, key: Key, body: Body) {
    this.#nth = nth;
    this.#key = key;
    this.#body = body;
  }
  check = () => true;
  async run(paper: Paper, { processes, runs }: Real) {
    const bank = processes[this.#nth];
    if (!bank) return;
    const next = paper.next(this.#key, this.#body);
    const slow = await slowSend(bank, { key: this.#key, body: BODIES[this.#body] });
    const { sent } = slow;
    if (typeof next === 'object' && 'attempt' in next) {
      const { attempt } = next;
      if (sent.attempts.length !== 1 || sent.attempts[0] !== attempt || sent.end !== 'pending') {
        expect.fail(`by the rules this request runs as attempt ${attempt}; ${theRequest(sent)}`);
      }
      paper.runs.push(paper.begins(this.#key, this.#body, attempt));
      runs.push(slow);
    } else {
      if (sent.attempts.length > 0) {
        expect.fail(`by the rules this request gets ${statusOf(next)}; ${theRequest(sent)}`);
      }
      comparePaper(sent, next);
    }
  }
  toString = () =>
    `request with key ${this.#key} and the ${this.#body} body at process ${this.#nth + 1}`;
}

type HandlerEnd = 201 | 500 | 'throws';

class HandlerEnds implements fc.AsyncCommand<Paper, Real> {
  readonly #nth: number;
  readonly #end: HandlerEnd;
  constructor(nth: number, end: HandlerEnd) {
    this.#nth = nth;
    this.#end = end;
  }
  check = (paper: Readonly<Paper>) => paper.runs.length > 0;
  async run(paper: Paper, real: Real) {
    const index = this.#nth % paper.runs.length;
    const [run] = paper.runs.splice(index, 1);
    const [slow] = real.runs.splice(index, 1);
    if (!run || !slow || paper.isDead(run)) return;
    if (this.#end === 'throws') {
      const error = noAnswer();
      paper.throws(run);
      await slow.ends(error);
      if (slow.sent.error !== error) expectError(slow.sent, error, 'the handler threw');
    } else {
      const answer = receipt(this.#end);
      const expected = paper.answers(run, answer);
      await slow.ends(answer);
      comparePaper(slow.sent, expected);
    }
  }
  toString = () => `handler ${this.#nth} ${this.#end === 'throws' ? '' : 'answers '}${this.#end}`;
}

type Span =
  | '1 ms'
  | 'half a lease'
  | 'half a ttl'
  | 'a lease'
  | 'a lease but 1 ms'
  | 'a ttl'
  | 'a ttl but 1 ms';

class Passes implements fc.AsyncCommand<Paper, Real> {
  readonly #span: Span;
  constructor(span: Span) {
    this.#span = span;
  }
  check = () => true;
  async run(paper: Paper) {
    const { leaseMs, ttlMs } = paper.given;
    const ms = {
      '1 ms': 1,
      'half a lease': leaseMs / 2,
      'half a ttl': ttlMs / 2,
      'a lease': leaseMs,
      'a lease but 1 ms': leaseMs - 1,
      'a ttl': ttlMs,
      'a ttl but 1 ms': ttlMs - 1,
    }[this.#span];
    await advance(ms);
    paper.passes(ms);
  }
  toString = () => `${this.#span} passes`;
}

// Thousands of requests are compared. `expect` is for the one that differs, as it takes its time.

function comparePaper(sent: Sent, expected: HttpResponse | 409 | 422): void {
  const { end, response } = sent;
  if (typeof expected === 'number') {
    if (end === 'response' && response?.status === expected) return;
  } else if (response?.status === expected.status && response.body === expected.body) return;
  expect.fail(`by the rules this request gets ${statusOf(expected)}; ${theRequest(sent)}`);
}

function statusOf(expected: HttpResponse | 409 | 422): string {
  return typeof expected === 'number' ? String(expected) : inWords(expected);
}

// ── A bad night at the bank: the store is slow and fails, processes die, handlers outlive their leases ──

const SHORT_LEASE_MS = 1_000;
const LONGEST_CALL_MS = 200;

/** How long each call to the store takes, drawn from a seed. */
class Network {
  readonly #seed: number;

  constructor(seed: number) {
    this.#seed = seed;
  }

  latencies(): () => number {
    let state = this.#seed;
    return () => {
      // The generator of Park and Miller, for a seed to say it all.
      state = (state * 48_271 + 1) % 2_147_483_647;
      return state % (LONGEST_CALL_MS + 1);
    };
  }

  /** How fast-check prints it. */
  [fc.toStringMethod] = () =>
    `calls to the store of 0 to ${LONGEST_CALL_MS} ms, drawn from ${this.#seed}`;
}

/** A run of a handler: when it began, and when it threw, if it did. */
interface Run {
  readonly attempt: number;
  readonly startedAt: number;
  threwAt?: number;
}

interface Work {
  /** How long the handler takes before it moves the money, and then before it answers. */
  readonly beforeMs: number;
  readonly afterMs: number;
  readonly throws: 'never' | 'before' | 'after';
}

class Bank {
  readonly store: MemoryStore;
  readonly #ledger = new Ledger();
  readonly #processes: MortalProcess[];
  readonly #sent = new Map<Key, Sent[]>();
  readonly #runs = new Map<Key, Run[]>();

  constructor(network: Network) {
    this.store = memoryStore({ latencyMs: network.latencies(), forgets: 'at once' });
    this.#processes = [mortalProcess(this.store), mortalProcess(this.store)];
  }

  comes(key: Key, nth: number, work: Work): void {
    const process = this.#processes[nth];
    if (!process) return;
    const sent = watch(process.bank, { ...SALARY, key }, async (attempt) => {
      const run: Run = { attempt, startedAt: now() };
      listOf(this.#runs, key).push(run);
      try {
        return await this.#transfer(key, attempt, work, process);
      } catch (error) {
        run.threwAt = now();
        throw error;
      }
    });
    listOf(this.#sent, key).push(sent);
  }

  /** A handler as the brief asks for it: from attempt 2 on it looks before it acts. */
  async #transfer(key: Key, attempt: number, work: Work, process: MortalProcess) {
    await pause(work.beforeMs);
    await process.lives();
    if (work.throws === 'before') throw noAnswer();
    if (attempt === 1 || !this.#ledger.has(key, attempt)) this.#ledger.moves(key, attempt);
    await pause(work.afterMs);
    await process.lives();
    if (work.throws === 'after') throw noAnswer();
    return { status: 201, headers: {}, body: `transfer for ${key}, told by attempt ${attempt}` };
  }

  /** A process dies, and is started again at once. */
  dies(nth: number): void {
    this.#processes[nth]?.dies();
    this.#processes[nth] = mortalProcess(this.store);
  }

  /** Everything gets well again, and everybody asks once more. */
  async closes(): Promise<void> {
    this.store.suffers('is well');
    await advance(10_000);
    for (const key of this.#sent.keys()) {
      for (let repeat = 1; repeat <= 2; repeat += 1) {
        this.comes(key, 0, { beforeMs: 0, afterMs: 0, throws: 'never' });
        await advance(4 * LONGEST_CALL_MS);
      }
      this.#checkRuns(key);
      this.#checkAnswers(key);
    }
  }

  #checkRuns(key: Key): void {
    const runs = listOf(this.#runs, key);
    for (const [index, run] of runs.entries()) {
      const last = runs[index - 1];
      if (!last) continue;
      const story = `key ${key} has run as attempt ${last.attempt}, then as ${run.attempt}`;
      if (run.attempt <= last.attempt) expect.fail(`${story}: the number must be higher each time`);
      const isFree = last.threwAt !== undefined && last.threwAt <= run.startedAt;
      const sinceMs = run.startedAt - last.startedAt;
      if (!isFree && sinceMs < SHORT_LEASE_MS - LONGEST_CALL_MS) {
        const lease = `${sinceMs} ms into a lease of ${SHORT_LEASE_MS} ms`;
        expect.fail(`${story}: ${lease}, and the first had not thrown`);
      }
    }
    const times = this.#ledger.timesOf(key);
    if (times !== 1) expect.fail(`the money for key ${key} was moved ${times} times`);
  }

  #checkAnswers(key: Key): void {
    const sent = listOf(this.#sent, key);
    const last = sent.at(-1);
    const answer = last?.response;
    if (last && answer?.status !== 201) {
      const well = 'the store is back, every lease is over';
      expect.fail(`${well}, and key ${key} still has no answer: ${theRequest(last)}`);
    }
    for (const { end, response, error } of sent) {
      if (end === 'response' && response?.status !== 409 && response?.body !== answer?.body) {
        expect.fail(`key ${key} was told ${inWords(response)}, and later ${inWords(answer)}`);
      }
      if (end !== 'error' || error === this.store.error || error instanceof LedgerError) continue;
      expect.fail(
        `nothing but the store and the ledger fails here; a request got ${String(error)}`,
      );
    }
  }
}

/** Knows who has moved money, and goes by the numbers of attempts: whoever comes with a lower one is too late. */
class Ledger {
  readonly #transfers: Key[] = [];
  readonly #highest = new Map<Key, number>();

  has(key: Key, attempt: number): boolean {
    this.#fence(key, attempt);
    return this.#transfers.includes(key);
  }

  moves(key: Key, attempt: number): void {
    this.#fence(key, attempt);
    this.#transfers.push(key);
  }

  timesOf(key: Key): number {
    return this.#transfers.filter((transfer) => transfer === key).length;
  }

  #fence(key: Key, attempt: number): void {
    const highest = this.#highest.get(key) ?? 0;
    if (attempt < highest) throw new LedgerError(`attempt ${attempt} comes after ${highest}`);
    this.#highest.set(key, attempt);
  }
}

interface MortalProcess {
  readonly bank: Idempotency;
  dies(): void;
  /** Resolves at once, or never if the process is dead. */
  lives(): Promise<void>;
}

function mortalProcess(store: RecordStore): MortalProcess {
  let isDead = false;
  const lives = () => (isDead ? new Promise<void>(() => {}) : Promise.resolve());
  const whileAlive =
    <Args extends unknown[], Value>(call: (...args: Args) => Promise<Value>) =>
    async (...args: Args): Promise<Value> => {
      await lives();
      const reply = await Promise.allSettled([call(...args)]);
      await lives();
      if (reply[0].status === 'rejected') throw reply[0].reason;
      return reply[0].value;
    };
  const bank = processOf(
    {
      get: whileAlive((id) => store.get(id)),
      put: whileAlive((id, value, ttlMs) => store.put(id, value, ttlMs)),
      putIfAbsent: whileAlive((id, value, ttlMs) => store.putIfAbsent(id, value, ttlMs)),
      replace: whileAlive((id, expected, value, ttlMs) =>
        store.replace(id, expected, value, ttlMs),
      ),
    },
    { leaseMs: SHORT_LEASE_MS },
  );
  return {
    bank,
    lives,
    dies: () => {
      isDead = true;
    },
  };
}

function listOf<Value>(lists: Map<Key, Value[]>, key: Key): Value[] {
  const list = lists.get(key) ?? [];
  lists.set(key, list);
  return list;
}

/** What can happen in a night. Nobody waits for anything unless time passes. */
function nights() {
  const times = fc.constantFrom(0, 50, 300, 1_500);
  return fc.commands(
    [
      ...[1, 2, 3].map(() =>
        fc
          .record({
            key: fc.constantFrom<Key>('A', 'A', 'A', 'B'),
            nth: fc.nat(1),
            beforeMs: times,
            afterMs: times,
            throws: fc.constantFrom<Work['throws']>('never', 'never', 'before', 'after'),
          })
          .map(({ key, nth, ...work }) => new Comes(key, nth, work)),
      ),
      ...[1, 2, 3].map(() =>
        fc.constantFrom(1, 40, 150, 500, SHORT_LEASE_MS, 1_700).map((ms) => new GoesOn(ms)),
      ),
      fc.nat(1).map((nth) => new Dies(nth)),
      fc
        .constantFrom<Trouble>('is well', 'is well', 'is down', 'loses replies')
        .map((trouble) => new StoreSuffers(trouble)),
    ],
    { maxCommands: 25, size: 'max' },
  );
}

class Comes implements fc.AsyncCommand<object, Bank> {
  readonly #key: Key;
  readonly #nth: number;
  readonly #work: Work;
  constructor(key: Key, nth: number, work: Work) {
    this.#key = key;
    this.#nth = nth;
    this.#work = work;
  }
  check = () => true;
  async run(_: object, bank: Bank) {
    bank.comes(this.#key, this.#nth, this.#work);
  }
  toString = () => {
    const { beforeMs, afterMs, throws } = this.#work;
    const end = throws === 'never' ? '' : `, throws ${throws} that`;
    const handler = `(if it runs: ${beforeMs} ms, moves the money, ${afterMs} ms${end})`;
    return `request with key ${this.#key} at process ${this.#nth + 1} ${handler}`;
  };
}

class GoesOn implements fc.AsyncCommand<object, Bank> {
  readonly #ms: number;
  constructor(ms: number) {
    this.#ms = ms;
  }
  check = () => true;
  run = () => advance(this.#ms);
  toString = () => `+${this.#ms} ms`;
}

class Dies implements fc.AsyncCommand<object, Bank> {
  readonly #nth: number;
  constructor(nth: number) {
    this.#nth = nth;
  }
  check = () => true;
  async run(_: object, bank: Bank) {
    bank.dies(this.#nth);
  }
  toString = () => `process ${this.#nth + 1} dies and is started again`;
}

class StoreSuffers implements fc.AsyncCommand<object, Bank> {
  readonly #trouble: Trouble;
  constructor(trouble: Trouble) {
    this.#trouble = trouble;
  }
  check = () => true;
  async run(_: object, bank: Bank) {
    bank.store.suffers(this.#trouble);
  }
  toString = () => `the store ${this.#trouble}`;
}
