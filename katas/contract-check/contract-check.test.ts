import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  breakingChanges,
  changeTogether,
  ContractError,
  plan,
  read,
  UNKNOWN,
  whoBreaks,
  type Change,
  type Consumer,
  type Contract,
  type Deploy,
  type Field,
  type Fields,
} from './contract-check.ts';

// ── The services of the travel company, played by the spec ──────────────────────────────────────────────

const text: Field = { type: 'string', required: true };
const optionalText: Field = { type: 'string', required: false };
const number: Field = { type: 'number', required: true };
const oneOf = (...values: string[]): Field => ({ ...text, values });

/** A contract with one operation, of which only the response matters. */
const answers = (response: Fields): Contract => frozen({ getBooking: { request: {}, response } });
/** And one of which only the request matters. */
const takes = (request: Fields): Contract => frozen({ book: { request, response: {} } });

/** Whoever changes what is passed in is found out: the write throws. */
function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    Object.values(value).forEach(frozen);
    Object.freeze(value);
  }
  return value;
}

const consumer = (
  name: string,
  use: { sends?: string[]; reads?: string[] },
  more: Partial<Consumer> = {},
): Consumer => {
  const { sends = [], reads = [] } = use;
  return frozen({ name, uses: { getBooking: { sends, reads }, book: { sends, reads } }, ...more });
};

/** In words and in one order, so that any order of the answer is as good. */
function inWords(changes: readonly Change[]): string[] {
  return changes
    .map(({ operation, part, field, problem }) =>
      [operation, part, field, problem].filter((word) => word !== undefined).join(' '),
    )
    .toSorted();
}

function expectChanges(before: Contract, after: Contract, expected: string[], why: string): void {
  expect(inWords(breakingChanges(before, after)), why).toEqual(expected.toSorted());
}

function expectBroken(
  before: Contract,
  after: Contract,
  consumers: readonly Consumer[],
  expected: Record<string, string[]>,
  why: string,
): void {
  const broken = whoBreaks(before, after, consumers);
  expect(
    broken.map((each) => each.consumer),
    why,
  ).toEqual(Object.keys(expected));
  for (const { consumer: name, changes } of broken) {
    expect(inWords(changes), `${why}: the changes that ${name} breaks by`).toEqual(
      (expected[name] ?? []).toSorted(),
    );
  }
}

/** What a field may look like, as a set: the rules of the brief, written down another way. */
function looksOf(field: Field | undefined, universe: readonly string[]): Set<string> {
  const looks = new Set<string>();
  if (!field?.required) looks.add('missing');
  for (const value of field ? (field.values ?? [...universe, 'anything else']) : []) {
    looks.add(`${field?.type} ${value}`);
  }
  return looks;
}

function problemsOf(part: 'request' | 'response', was?: Field, is?: Field): string[] {
  const universe = [...(was?.values ?? []), ...(is?.values ?? [])];
  const [giver, taker] = part === 'response' ? [is, was] : [was, is];
  const unexpected = [...looksOf(giver, universe)].filter(
    (look) => !looksOf(taker, universe).has(look),
  );
  if (part === 'response' && !was) return [];
  if (part === 'response' && !is) return ['removed'];
  if (part === 'request' && !is) return [];
  const problems = unexpected.includes('missing')
    ? [part === 'response' ? 'optional' : 'required']
    : [];
  if (was && is && was.type !== is.type) return [...problems, 'type'];
  return was && unexpected.some((look) => look !== 'missing') ? [...problems, 'values'] : problems;
}

function allProblems(before: Contract, after: Contract): string[] {
  return Object.entries(before)
    .flatMap(([operation, was]) => {
      const is = after[operation];
      if (!is) return [`${operation} removed`];
      return (['request', 'response'] as const).flatMap((part) =>
        Object.keys({ ...was[part], ...is[part] }).flatMap((field) =>
          problemsOf(part, was[part][field], is[part][field]).map(
            (problem) => `${operation} ${part} ${field} ${problem}`,
          ),
        ),
      );
    })
    .toSorted();
}

/** An `expand` does its duty when nobody has to go out with it, from either side. */
function expectSuitsBoth(before: Contract, after: Contract, why: string): void {
  const { expand } = plan(before, after, []);
  const shown = `${why}; \`expand\` is ${JSON.stringify(expand)}`;
  for (const part of ['request', 'response'] as const) {
    const forgotten = [before, after].flatMap((contract) =>
      Object.entries(contract).flatMap(([operation, { [part]: known }]) =>
        Object.keys(known)
          .filter((field) => !Object.hasOwn(expand[operation]?.[part] ?? {}, field))
          .map((field) => `${operation} ${part} ${field}`),
      ),
    );
    expect(
      [...new Set(forgotten)],
      `fields that one of the two has and \`expand\` does not: ${shown}`,
    ).toEqual([]);
  }
  expect(allProblems(before, expand), `those of the old version would break: ${shown}`).toEqual([]);
  expect(allProblems(after, expand), `those of the new version would break: ${shown}`).toEqual([]);
  const lists = Object.values(expand).flatMap(({ request, response }) =>
    [...Object.values(request), ...Object.values(response)].map(({ values }) => values),
  );
  expect(
    lists.every((values) => values?.length !== 0),
    `a field without any value can neither be sent nor come: ${shown}`,
  ).toBe(true);
}

function expectContractError(run: () => unknown, field: string, why: string): void {
  let result: unknown;
  try {
    result = run();
  } catch (error) {
    expect(error, `${why}: it must be a ContractError`).toBeInstanceOf(ContractError);
    const named = error instanceof ContractError ? error.field : undefined;
    expect(named, `${why}: the error names the field`).toBe(field);
    return;
  }
  expect.fail(`${why}: it must throw a ContractError, and gave ${JSON.stringify(result)}`);
}

describe('1 · the response', () => {
  it('has nothing to say of a contract that has not changed', () => {
    const contract = answers({ id: text, status: oneOf('open', 'paid'), note: optionalText });
    expectChanges(contract, contract, [], 'nothing has changed');
    expectChanges({}, {}, [], 'there are no operations');
  });

  it('names a field that is gone', () => {
    const why = 'whoever reads the phone finds none';
    const gone = ['getBooking response phone removed'];
    expectChanges(answers({ id: text, phone: text }), answers({ id: text }), gone, why);
  });

  it('names it also if it was only sometimes there', () => {
    const why = '"sometimes" has become "never"';
    const gone = ['getBooking response phone removed'];
    expectChanges(answers({ phone: optionalText }), answers({}), gone, why);
  });

  it('names a field that may now be missing', () => {
    const why = 'it was always there';
    const optional = ['getBooking response phone optional'];
    expectChanges(answers({ phone: text }), answers({ phone: optionalText }), optional, why);
  });

  it('names a field of another type', () => {
    const why = 'a number where a text was';
    expectChanges(
      answers({ price: text }),
      answers({ price: number }),
      ['getBooking response price type'],
      why,
    );
  });

  it('names a value that could not come before', () => {
    const why = 'the hotels meet a status that they do not know';
    expectChanges(
      answers({ status: oneOf('open', 'paid') }),
      answers({ status: oneOf('open', 'paid', 'partly-refunded') }),
      ['getBooking response status values'],
      why,
    );
    expectChanges(
      answers({ status: oneOf('open', 'paid') }),
      answers({ status: oneOf('open', 'closed') }),
      ['getBooking response status values'],
      'as many values as before, but one of them is new',
    );
    for (const value of ['Paid', 'pai', 'paid ', 'open,paid', '']) {
      expectChanges(
        answers({ status: oneOf('open', 'paid') }),
        answers({ status: oneOf('open', value) }),
        ['getBooking response status values'],
        `'${value}' could not come before`,
      );
    }
    expectChanges(
      answers({ stars: { ...number, values: ['1', '2'] } }),
      answers({ stars: { ...number, values: ['1', '2', '3'] } }),
      ['getBooking response stars values'],
      'a number may have values as well',
    );
  });

  it('takes any value for a new one', () => {
    expectChanges(
      answers({ status: oneOf('open', 'paid') }),
      answers({ status: text }),
      ['getBooking response status values'],
      'the list is gone, so anything may come',
    );
  });

  it('lets the service promise more', () => {
    const why = 'this breaks nobody who reads';
    expectChanges(answers({ id: text }), answers({ id: text, hotel: text }), [], `new: ${why}`);
    expectChanges(answers({ a: optionalText }), answers({ a: text }), [], `always there: ${why}`);
    expectChanges(
      answers({ status: oneOf('open', 'paid') }),
      answers({ status: oneOf('paid') }),
      [],
      `fewer values: ${why}`,
    );
    expectChanges(answers({ a: text }), answers({ a: oneOf('x') }), [], `a list: ${why}`);
    expectChanges(
      answers({ a: oneOf('x', 'y') }),
      answers({ a: oneOf('y', 'x') }),
      [],
      `the same values in another order: ${why}`,
    );
  });

  it('names each problem of a field, and of each field', () => {
    expectChanges(
      answers({ a: text, b: oneOf('x'), c: text }),
      answers({ a: { type: 'list', required: false }, b: { ...optionalText, values: ['y'] } }),
      [
        'getBooking response a optional',
        'getBooking response a type',
        'getBooking response b optional',
        'getBooking response b values',
        'getBooking response c removed',
      ],
      'three fields, five problems',
    );
  });

  it('says of an operation that is gone that it is gone, and no more', () => {
    const before = frozen({
      ...answers({ id: text }),
      cancel: { request: { id: text }, response: { done: text } },
    });
    expectChanges(before, answers({ id: text }), ['cancel removed'], 'there is no cancel any more');
    const [change] = breakingChanges(before, answers({ id: text }));
    expect(change?.field, 'no field is named').toBeUndefined();
  });

  it('has nothing to say of a new operation', () => {
    const after = { ...answers({ id: text }), cancel: { request: { id: text }, response: {} } };
    expectChanges(answers({ id: text }), after, [], 'nobody uses it yet');
  });

  it('keeps operations apart', () => {
    const list = { request: {}, response: { phone: text } };
    const before = frozen({ ...answers({ phone: text }), list });
    const after = frozen({ ...answers({}), list });
    expectChanges(before, after, ['getBooking response phone removed'], 'only one has lost it');
    const named = (field: Fields): Contract => ({
      'GET /v1.2/bookings': { request: {}, response: field },
      'GET /v1.2/bookings.csv': { request: field, response: { phone: text } },
    });
    expectChanges(
      named({ phone: text }),
      named({}),
      ['GET /v1.2/bookings response phone removed'],
      'a name may be made of any signs',
    );
  });
});

describe('2 · the request', () => {
  it('names a new field that has to be sent', () => {
    const why = 'the partner has never sent a phone number';
    const required = ['book request phone required'];
    expectChanges(takes({ id: text }), takes({ id: text, phone: text }), required, why);
  });

  it('names a field that has to be sent from now on', () => {
    const why = 'it did not have to be sent';
    const required = ['book request phone required'];
    expectChanges(takes({ phone: optionalText }), takes({ phone: text }), required, why);
  });

  it('names a field of another type', () => {
    const type = ['book request nights type'];
    expectChanges(takes({ nights: text }), takes({ nights: number }), type, 'a text is sent');
  });

  it('names a value that is no longer accepted', () => {
    const values = ['book request room values'];
    const before = takes({ room: oneOf('single', 'double') });
    expectChanges(before, takes({ room: oneOf('double') }), values, 'somebody may send single');
    expectChanges(takes({ room: text }), before, values, 'anything was accepted');
  });

  it('lets the service ask for less', () => {
    const why = 'this breaks nobody who sends';
    expectChanges(
      takes({ a: text }),
      takes({ a: optionalText }),
      [],
      `no longer asked for: ${why}`,
    );
    expectChanges(takes({}), takes({ a: optionalText }), [], `new and optional: ${why}`);
    expectChanges(takes({ a: oneOf('x') }), takes({ a: oneOf('x', 'y') }), [], `one more: ${why}`);
    expectChanges(takes({ a: oneOf('x') }), takes({ a: text }), [], `any value: ${why}`);
  });

  it('ignores what it no longer knows', () => {
    const why = 'the services are tolerant: what they do not know they ignore';
    expectChanges(takes({ id: text, fax: text }), takes({ id: text }), [], why);
  });

  it('names each problem of a field', () => {
    expectChanges(
      takes({ nights: optionalText, room: { ...optionalText, values: ['single', 'double'] } }),
      takes({ nights: number, room: oneOf('double') }),
      [
        'book request nights required',
        'book request nights type',
        'book request room required',
        'book request room values',
      ],
      'two fields, four problems',
    );
  });

  it('takes each type for another than the others, in both directions', () => {
    const types = ['string', 'number', 'boolean', 'list', 'object'] as const;
    for (const was of types) {
      for (const is of types) {
        const fields = (type: Field['type']) => ({ it: { type, required: true } });
        const both = (type: Field['type']): Contract => ({
          book: { request: fields(type), response: fields(type) },
        });
        const type = was === is ? [] : ['book request it type', 'book response it type'];
        expectChanges(both(was), both(is), type, `first ${was}, then ${is}`);
      }
    }
  });

  it('does not mix up the two directions', () => {
    const field = (values: string[]): Contract => {
      const fields = { room: oneOf(...values) };
      return frozen({ book: { request: fields, response: fields } });
    };
    const [few, many] = [field(['single']), field(['single', 'double'])];
    const more = ['book response room values'];
    expectChanges(few, many, more, 'one more value: may come, and may be sent');
    const less = ['book request room values'];
    expectChanges(many, few, less, 'one value less: may not be sent, and does not come');
  });
});

describe('3 · who breaks', () => {
  it('names those who read what is gone', () => {
    const before = answers({ id: text, phone: text });
    const consumers = [
      consumer('app', { reads: ['id'] }),
      consumer('hotels', { reads: ['id', 'phone'] }),
    ];
    const hotels = { hotels: ['getBooking response phone removed'] };
    expectBroken(before, answers({ id: text }), consumers, hotels, 'only hotels reads the phone');
  });

  it('says that a field which nobody reads can go', () => {
    const before = answers({ id: text, phone: text });
    const consumers = [consumer('app', { reads: ['id'] })];
    expectBroken(before, answers({ id: text }), consumers, {}, 'nobody has read it for two years');
  });

  it('looks at what is read, not at what is sent', () => {
    const before = frozen({ book: { request: { phone: text }, response: { phone: text } } });
    const after = frozen({ book: { request: { phone: text }, response: {} } });
    const consumers = [
      consumer('sender', { sends: ['phone'] }),
      consumer('reader', { sends: ['phone'], reads: ['phone'] }),
    ];
    const reader = { reader: ['book response phone removed'] };
    expectBroken(before, after, consumers, reader, 'the sender does not look at the answer');
  });

  it('takes a path for a name like any other', () => {
    const before = answers({ guest: { type: 'object', required: true }, 'guest.name': text });
    const consumers = [consumer('app', { reads: ['guest.name'] })];
    const why = 'the app reads guest.name, which is still there; guest is another name';
    expectBroken(before, answers({ 'guest.name': text }), consumers, {}, why);
    const whole = [consumer('hotels', { reads: ['guest'] })];
    const after = answers({ guest: { type: 'object', required: true } });
    expectBroken(before, after, whole, {}, 'hotels reads guest, which is still there');
  });

  it('takes a path that is sent for a name like any other', () => {
    const before = takes({ id: text });
    const after = takes({ id: text, 'guest.name': text });
    const required = { partner: ['book request guest.name required'] };
    const partner = [consumer('partner', { sends: ['id', 'guest'] })];
    expectBroken(before, after, partner, required, 'it sends guest, which is another name');
    const child = { partner: ['book request guest required'] };
    const sender = [consumer('partner', { sends: ['id', 'guest.name'] })];
    expectBroken(
      before,
      takes({ id: text, guest: text }),
      sender,
      child,
      'it sends guest.name, which is another name',
    );
    expectBroken(
      takes({ guest: text, 'guest.name': text }),
      takes({ guest: number, 'guest.name': text }),
      [consumer('app', { sends: ['guest', 'guest.name'] }), ...sender],
      { app: ['book request guest type'] },
      'the partner does not send guest',
    );
  });

  it('names those who do not send what has to be sent', () => {
    const consumers = [
      consumer('app', { sends: ['id', 'phone'] }),
      consumer('partner', { sends: ['id'] }),
    ];
    expectBroken(
      takes({ id: text }),
      takes({ id: text, phone: text }),
      consumers,
      { partner: ['book request phone required'] },
      'the app has sent the phone number all along',
    );
  });

  it('names those who send what is no longer understood', () => {
    const before = takes({ nights: optionalText, room: optionalText });
    const after = takes({
      nights: { type: 'number', required: false },
      room: { ...optionalText, values: ['single'] },
    });
    const consumers = [
      consumer('app', { sends: ['nights', 'room'] }),
      consumer('partner', { sends: [] }),
    ];
    expectBroken(
      before,
      after,
      consumers,
      { app: ['book request nights type', 'book request room values'] },
      'the partner sends neither',
    );
  });

  it('has those who send the old type break by it, and the others by what is now required', () => {
    const consumers = [consumer('app', { sends: ['nights'] }), consumer('partner', { sends: [] })];
    expectBroken(
      takes({ nights: optionalText }),
      takes({ nights: number }),
      consumers,
      { app: ['book request nights type'], partner: ['book request nights required'] },
      'each has a problem of its own',
    );
  });

  it('lets those live who can live with values that they do not know', () => {
    const before = answers({ status: oneOf('open', 'paid') });
    const after = answers({ status: oneOf('open', 'paid', 'partly-refunded') });
    const consumers = [
      consumer('hotels', { reads: ['status'] }),
      consumer('app', { reads: ['status'] }, { toleratesUnknown: true }),
      consumer('partner', { reads: ['status'] }, { toleratesUnknown: false }),
    ];
    const values = ['getBooking response status values'];
    const broken = { hotels: values, partner: values };
    expectBroken(
      before,
      after,
      consumers,
      broken,
      'the app shows "in progress" for what it does not know',
    );
  });

  it('does not take tolerance for more than it is', () => {
    const before = frozen({
      book: { request: { room: text }, response: { status: oneOf('open'), phone: text } },
    });
    const after = frozen({
      book: {
        request: { room: oneOf('single') },
        response: { status: { ...number, values: ['1'] } },
      },
    });
    const app = consumer(
      'app',
      { sends: ['room'], reads: ['status', 'phone'] },
      { toleratesUnknown: true },
    );
    const broken = {
      app: ['book request room values', 'book response phone removed', 'book response status type'],
    };
    const why =
      'an unknown value may come; that does not help with what is sent, gone, or a number';
    expectBroken(before, after, [app], broken, why);
  });

  it('never breaks anybody by an operation that they do not use', () => {
    const before = frozen({ ...answers({ phone: text }), ...takes({}) });
    const after = frozen({ ...answers({}), ...takes({ phone: text }) });
    const booker: Consumer = {
      name: 'booker',
      uses: { book: { sends: ['phone'], reads: ['phone'] } },
    };
    const looker: Consumer = { name: 'looker', uses: { getBooking: { sends: [], reads: [] } } };
    const idle: Consumer = { name: 'idle', uses: {} };
    const why = 'each uses one operation, and nothing of it that breaks';
    expectBroken(before, after, [booker, looker, idle], {}, why);
  });

  it('breaks all who use an operation that is gone', () => {
    const before = frozen({ ...answers({ id: text }), ...takes({ id: text }) });
    const consumers: Consumer[] = [
      { name: 'app', uses: { book: { sends: ['id'], reads: [] } } },
      { name: 'hotels', uses: { getBooking: { sends: [], reads: ['id'] } } },
      { name: 'cron', uses: { book: { sends: [], reads: [] } }, toleratesUnknown: true },
    ];
    const gone = ['book removed'];
    const why = 'booking is gone, for whoever books';
    expectBroken(before, answers({ id: text }), consumers, { app: gone, cron: gone }, why);
  });

  it('lists them in their order, each with all its changes', () => {
    const before = answers({ a: text, b: text });
    const consumers = [consumer('zoo', { reads: ['b', 'a'] }), consumer('app', { reads: ['b'] })];
    expectBroken(
      before,
      answers({}),
      consumers,
      {
        zoo: ['getBooking response a removed', 'getBooking response b removed'],
        app: ['getBooking response b removed'],
      },
      'two fields are gone',
    );
  });
});

describe('4 · the tolerant reader', () => {
  it('takes what is wanted, and does not look at the rest', () => {
    const body = frozen({ id: 'b7', price: 120, secret: 'x', more: { deep: [1] } });
    const wants: Fields = { id: text, price: number };
    expect(read(body, wants), 'id and price were wanted').toEqual({ id: 'b7', price: 120 });
  });

  it('follows paths', () => {
    const address = { city: 'Rome', country: { code: { iso: 'IT' } } };
    const body = frozen({ guest: { name: 'Ada', address } });
    const wants: Fields = {
      'guest.name': text,
      'guest.address.city': text,
      'guest.address.country.code.iso': text,
    };
    expect(read(body, wants), 'three paths').toEqual({
      'guest.name': 'Ada',
      'guest.address.city': 'Rome',
      'guest.address.country.code.iso': 'IT',
    });
    const bare = Object.assign(Object.create(null), { guest: { name: 'Ada' } });
    const name = read(bare, { 'guest.name': text });
    expect(name, 'an object without a prototype is an object').toEqual({ 'guest.name': 'Ada' });
  });

  it.each([
    ['is missing', {}],
    ['is null', { phone: null }],
    ['is undefined', { phone: undefined }],
  ])('leaves out an optional field that %s', (_, body) => {
    const result = read(body, { phone: optionalText });
    expect(Object.keys(result), 'nothing is in the result').toEqual([]);
  });

  it.each([
    ['is missing', {}],
    ['is null', { guest: { phone: null } }],
    ['is on a path that ends before it', { guest: null }],
    ['is on a path through a text', { guest: 'Ada' }],
    ['has its path for a name, and no object leads to it', { 'guest.phone': '06 1' }],
    ['is in a body that is no object', 'Ada'],
    ['is in no body', undefined],
    ['is in an empty body', null],
  ])('refuses a body in which a required field %s', (_, body) => {
    expectContractError(() => read(body, { 'guest.phone': text }), 'guest.phone', 'no phone');
  });

  it.each([
    ['is on a path that ends before it', { guest: null }],
    ['is on a path through a text', { guest: 'Ada' }],
    ['is in no body', undefined],
  ])('takes an optional field for missing that %s', (_, body) => {
    const wants: Fields = { 'guest.length': { type: 'number', required: false } };
    expect(Object.keys(read(body, wants)), 'nothing is in the result').toEqual([]);
  });

  it('does not follow a path into a list', () => {
    const wants: Fields = {
      'rooms.0': optionalText,
      'rooms.length': { type: 'number', required: false },
    };
    const result = read(frozen({ rooms: ['12', '14'] }), wants);
    expect(Object.keys(result), 'a list is no object, so the path ends at it').toEqual([]);
  });

  it.each([
    ['string', 7],
    ['number', '7'],
    ['boolean', 0],
    ['list', { 0: 'a' }],
    ['object', ['a']],
    ['object', 'a'],
    ['list', 'a'],
  ] as const)('refuses what is not of type %s: %j', (type, value) => {
    const body = { room: { it: value } };
    const required = () => read(body, { 'room.it': { type, required: true } });
    expectContractError(required, 'room.it', `${type} was agreed`);
    const optional = () => read(body, { 'room.it': { type, required: false } });
    expectContractError(optional, 'room.it', `optional, but ${type} if it is there`);
  });

  it.each([
    ['string', ''],
    ['number', 0],
    ['boolean', false],
    ['list', []],
    ['object', {}],
  ] as const)('takes an empty value for a value: %s', (type, value) => {
    const result = read({ it: value }, { it: { type, required: true } });
    expect(result, `${JSON.stringify(value)} is there`).toEqual({ it: value });
  });

  it('knows the values that it knows, and UNKNOWN', () => {
    const wants: Fields = { status: oneOf('open', 'paid') };
    for (const known of ['open', 'paid']) {
      expect(read({ status: known }, wants), 'a value that is known').toEqual({ status: known });
    }
    for (const unknown of ['partly-refunded', 'Paid', 'pai', 'paid ', '']) {
      const { status } = read({ status: unknown }, wants);
      expect(status, `'${unknown}' is not known, which is no reason to fail`).toBe(UNKNOWN);
    }
    const optional = read({ status: 'new' }, { status: { ...optionalText, values: ['open'] } });
    expect(optional['status'], 'an optional one neither').toBe(UNKNOWN);
  });

  it('still refuses a value of another type', () => {
    const wrong = () => read({ status: 7 }, { status: oneOf('open') });
    expectContractError(wrong, 'status', 'a number is no unknown status');
  });
});

describe('5 · expand, migrate, contract', () => {
  it('promises what either promises', () => {
    const why = 'the phone moves from one field to another';
    expectSuitsBoth(answers({ id: text, phone: text }), answers({ id: text, phones: text }), why);
    expectSuitsBoth(answers({ a: text }), answers({ a: optionalText }), 'always or sometimes');
    expectSuitsBoth(answers({ a: optionalText }), answers({ a: text }), 'sometimes or always');
  });

  it('asks only for what both ask for', () => {
    expectSuitsBoth(takes({ id: text }), takes({ id: text, phone: text }), 'one more is required');
    expectSuitsBoth(takes({ id: text, fax: text }), takes({ id: text }), 'one less is known');
    expectSuitsBoth(takes({ a: optionalText }), takes({ a: text }), 'required from now on');
  });

  it('sends only values that both know, and accepts those of both', () => {
    const [old, young] = [{ s: oneOf('a', 'b') }, { s: oneOf('b', 'c') }];
    expectSuitsBoth(answers(old), answers(young), 'a and b, then b and c');
    expectSuitsBoth(takes(old), takes(young), 'a and b, then b and c');
    expectSuitsBoth(answers({ s: text }), answers(young), 'anything, then b and c');
    expectSuitsBoth(answers(old), answers({ s: text }), 'a and b, then anything');
    expectSuitsBoth(takes({ s: text }), takes(young), 'anything, then b and c');
    expectSuitsBoth(takes(old), takes({ s: text }), 'a and b, then anything');
  });

  it('has the operations of both', () => {
    const [before, after] = [answers({ id: text }), takes({ id: text })];
    const { expand } = plan(before, after, []);
    const why = 'one is on its way out, the other is new';
    expect(Object.keys(expand).toSorted(), why).toEqual(['book', 'getBooking']);
    expectSuitsBoth(before, after, why);
  });

  it('names those who have to change, in their order', () => {
    const consumers = [
      consumer('zoo', { reads: ['phone'] }),
      consumer('app', { reads: ['id'] }),
      consumer('hotels', { reads: ['phone', 'id'] }),
      consumer('7', { reads: ['phone'] }),
    ];
    const before = answers({ id: text, phone: text });
    const { migrate } = plan(before, answers({ id: text, phones: text }), consumers);
    expect(migrate, 'three of them read the phone').toEqual(['zoo', 'hotels', '7']);
    expect(plan(before, before, consumers).migrate, 'nothing changes').toEqual([]);
    const reads = { getBooking: { sends: [], reads: ['status'] } };
    const others: Consumer[] = [
      { name: 'app', uses: reads, toleratesUnknown: true },
      { name: 'booker', uses: { book: { sends: [], reads: [] } } },
      { name: 'hotels', uses: reads },
    ];
    const old = { ...answers({ status: oneOf('open') }), ...takes({}) };
    const young = answers({ status: oneOf('open', 'paid') });
    const why = 'booking is gone, and there is a status that the app can live with';
    expect(plan(old, young, others).migrate, why).toEqual(['booker', 'hotels']);
  });

  it('says that a field cannot change its type', () => {
    const why = 'nobody can be sent a text and a number';
    const response = () => plan(answers({ price: text }), answers({ price: number }), []);
    expectContractError(response, 'price', why);
    const request = () => plan(takes({ nights: text }), takes({ nights: number }), []);
    expectContractError(request, 'nights', why);
  });

  it('says that a response needs a value that both know', () => {
    const [before, after] = [{ s: oneOf('a') }, { s: oneOf('b') }];
    expectContractError(() => plan(answers(before), answers(after), []), 's', 'a, then b');
    expectSuitsBoth(takes(before), takes(after), 'in a request both are accepted');
  });
});

describe('6 · always together', () => {
  const MINUTE_MS = 60_000;
  const at = (service: string, ...minutes: number[]): Deploy[] =>
    minutes.map((minute) => ({ service, at: minute * MINUTE_MS }));
  const together = (log: Deploy[], atLeast: number, windowMinutes = 30) =>
    changeTogether(frozen(log), { windowMs: windowMinutes * MINUTE_MS, atLeast }).map(
      ({ services, share }) => `${services.join('+')} ${Math.round(share * 1_000) / 1_000}`,
    );

  it('names two that always go out together', () => {
    const log = [...at('cart', 0, 1_000, 2_000), ...at('pricing', 10, 1_000, 1_980)];
    expect(together(log, 0.9), 'three releases, both in each').toEqual(['cart+pricing 1']);
  });

  it('leaves apart what goes out apart', () => {
    const log = [...at('cart', 0, 1_000), ...at('search', 500, 1_500)];
    expect(together(log, 0.1), 'hours lie between them').toEqual([]);
  });

  it('counts the deploys of both', () => {
    const log = [...at('cart', 0, 1_000, 2_000, 3_000), ...at('pricing', 10)];
    const why = 'one of four, and one of one: 2 of 5';
    expect(together(log, 0.4), why).toEqual(['cart+pricing 0.4']);
    expect(together(log, 0.41), why).toEqual([]);
  });

  it('does not round', () => {
    const log = [...at('cart', 0, 1_000), ...at('pricing', 10)];
    const why = 'one of two, and one of one: two thirds';
    const [pair] = changeTogether(log, { windowMs: 30 * MINUTE_MS, atLeast: 0.66 });
    expect(pair?.share, why).toBeCloseTo(2 / 3, 9);
    for (const atLeast of [0.667, 0.67]) expect(together(log, atLeast), why).toEqual([]);
  });

  it('knows services by their names, whatever signs they are made of', () => {
    for (const sign of ['-', '|', ',', '+', ':', ' ', '_', '/', '.', '']) {
      const names = ['eu', `eu${sign}hotel`, `hotel${sign}web`, 'web'];
      const log = names.flatMap((name) => at(name, 0));
      const pairs = changeTogether(log, { windowMs: 0, atLeast: 1 });
      const expected = names.flatMap((one) =>
        names.filter((other) => one < other).map((other) => [one, other].join(' and ')),
      );
      expect(
        pairs.map(({ services }) => services.join(' and ')).toSorted(),
        `four services that go out together: ${names.join('; ')}`,
      ).toEqual(expected.toSorted());
    }
    const alike = [...at('cart', 0), ...at('Cart', 0)];
    expect(together(alike, 1), 'cart and Cart are two services').toHaveLength(1);
  });

  it('counts each deploy once, however many stand beside it', () => {
    const log = [...at('cart', 0), ...at('pricing', 0, 10, 20, 1_000)];
    expect(together(log, 0.1), 'one of one, and three of four').toEqual(['cart+pricing 0.8']);
    const twice = [...at('cart', 0, 0), ...at('pricing', 0, 1_000)];
    const why = 'two at the same time are two: two of two, and one of two';
    expect(together(twice, 0.1), why).toEqual(['cart+pricing 0.75']);
  });

  it('takes the window to its last millisecond, before and after', () => {
    const log = [...at('cart', 30), ...at('pricing', 0), ...at('search', 60)];
    const pairs = together(log, 0.1).toSorted();
    expect(pairs, '30 minutes are within 30 minutes').toEqual(['cart+pricing 1', 'cart+search 1']);
    const late = [{ service: 'cart', at: 30 * MINUTE_MS + 1 }, ...at('pricing', 0)];
    expect(together(late, 0.1), 'a millisecond more is not').toEqual([]);
    const none = [...at('cart', 0, 1), ...at('pricing', 0, 2)];
    const why = 'a window of 0: only what goes out in the same millisecond';
    expect(together(none, 0.1, 0), why).toEqual(['cart+pricing 0.5']);
  });

  it('does not need the log in order', () => {
    const log = [...at('pricing', 2_000, 10, 1_000), ...at('cart', 1_005, 0, 2_010)];
    expect(together(log, 0.9), 'three releases, in any order').toEqual(['cart+pricing 1']);
  });

  it('lists the closest first, names by alphabet', () => {
    const log = [
      ...at('user', 0, 1_000),
      ...at('cart', 0, 1_000),
      ...at('audit', 0, 5_000),
      ...at('search', 9_000),
    ];
    const [first, ...others] = together(log, 0.3);
    expect(first, 'twice together').toBe('cart+user 1');
    expect(others.toSorted(), 'once of twice, each').toEqual(['audit+cart 0.5', 'audit+user 0.5']);
  });

  it('has nothing to say of one service, or of none', () => {
    expect(together(at('cart', 0, 1, 2), 0.1), 'it goes out with itself').toEqual([]);
    expect(together([], 0.1), 'no deploys').toEqual([]);
  });

  it('finds the monolith in the Thursday train', () => {
    const names = ['a', 'b', 'c', 'd'];
    const log = [0, 10_080, 20_160].flatMap((thursday) =>
      names.flatMap((name, index) => at(name, thursday + 5 * index)),
    );
    expect(together(log, 1), 'four services, six pairs').toHaveLength(6);
  });
});

// ── Contracts at random ─────────────────────────────────────────────────────────────────────────────────

const fields: fc.Arbitrary<Field> = fc
  .record({
    type: fc.constantFrom('string' as const, 'string' as const, 'number' as const),
    required: fc.boolean(),
    values: fc.option(fc.subarray(['x', 'y', 'z'], { minLength: 1 }), { nil: undefined }),
  })
  .map(({ type, required, values }) => ({
    type,
    required,
    ...(type === 'string' && values && { values }),
  }));
const fieldMaps: fc.Arbitrary<Fields> = fc.dictionary(fc.constantFrom('a', 'b.c'), fields, {
  noNullPrototype: true,
});
const contracts: fc.Arbitrary<Contract> = fc
  .dictionary(
    fc.constantFrom('get', 'put'),
    fc.record({ request: fieldMaps, response: fieldMaps }),
    { noNullPrototype: true },
  )
  .map(frozen);
const paths = fc.subarray(['a', 'b.c']);
const consumers: fc.Arbitrary<Consumer[]> = fc
  .array(
    fc.record({
      name: fc.constantFrom('app', 'hotels', 'partner'),
      uses: fc.dictionary(
        fc.constantFrom('get', 'put'),
        fc.record({ sends: paths, reads: paths }),
        { noNullPrototype: true },
      ),
      toleratesUnknown: fc.boolean(),
    }),
    { maxLength: 3 },
  )
  .map((all) =>
    frozen(all.filter(({ name }, index) => all.findIndex((one) => one.name === name) === index)),
  );

const check = { seed: 14, numRuns: 150 };

describe('7 · whatever changes', () => {
  it('names just the changes that the rules name', () => {
    fc.assert(
      fc.property(contracts, contracts, (before, after) => {
        expect(inWords(breakingChanges(before, after)), 'the breaking changes').toEqual(
          allProblems(before, after),
        );
      }),
      check,
    );
  });

  const isMet = (problem: string, { uses, toleratesUnknown }: Consumer) => {
    const [operation = '', part, field = '', what] = problem.split(' ');
    const use = uses[operation];
    if (!use) return false;
    if (part === 'removed') return true;
    if (part === 'response') {
      return use.reads.includes(field) && !(what === 'values' && toleratesUnknown);
    }
    return use.sends.includes(field) !== (what === 'required');
  };
  const broken = (before: Contract, after: Contract, all: readonly Consumer[]) => {
    const problems = allProblems(before, after);
    return all
      .map((each) => [each.name, problems.filter((problem) => isMet(problem, each))] as const)
      .filter(([, met]) => met.length > 0);
  };

  it('breaks just those whom the rules break', () => {
    fc.assert(
      fc.property(contracts, contracts, consumers, (before, after, all) => {
        const expected = broken(before, after, all);
        const actual = whoBreaks(before, after, all).map(
          ({ consumer: name, changes }) => [name, inWords(changes)] as const,
        );
        expect(actual, 'those who break, and by what').toEqual(expected);
      }),
      check,
    );
  });

  it('finds a contract in the middle whenever there is one', () => {
    const clashes = (was: Field | undefined, is: Field | undefined, isResponse: boolean) =>
      was !== undefined &&
      is !== undefined &&
      (was.type !== is.type ||
        (isResponse &&
          was.values?.every((value) => is.values?.includes(value) === false) === true));
    const clashing = (before: Contract, after: Contract) =>
      Object.entries(before).flatMap(([operation, was]) =>
        (['request', 'response'] as const).flatMap((part) =>
          Object.keys(was[part]).filter((path) =>
            clashes(was[part][path], after[operation]?.[part][path], part === 'response'),
          ),
        ),
      );
    fc.assert(
      fc.property(contracts, contracts, consumers, (before, after, all) => {
        const inTheWay = clashing(before, after);
        if (inTheWay.length === 0) {
          expectSuitsBoth(before, after, 'there is a way');
          expect(
            plan(before, after, all).migrate,
            'those who would break if the new version came at once have to change',
          ).toEqual(broken(before, after, all).map(([name]) => name));
          return;
        }
        let error: unknown;
        try {
          plan(before, after, []);
        } catch (thrown) {
          error = thrown;
        }
        expect(error, 'no contract suits both: it must say so').toBeInstanceOf(ContractError);
        const field = error instanceof ContractError ? error.field : '';
        expect(inTheWay, 'the error names a field that is in the way').toContain(field);
      }),
      check,
    );
  });
});
