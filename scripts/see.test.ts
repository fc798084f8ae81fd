import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { pictureWith } from './fixtures/picture.ts';
import { type Surroundings, see } from './see.ts';

const root = resolve(import.meta.dirname, '..');
const names = ['outage', 'storm'];
const drawn = [pictureWith(), pictureWith({ name: 'storm', settings: [] })];

/** What `npm run see -- words` prints, what it had run, and its exit code. */
async function seeing(
  words: string[],
  flags: Record<string, string | boolean> = {},
  trouble: readonly string[] = [],
) {
  const printed: string[] = [];
  const looked: Parameters<Surroundings['lookAt']>[] = [];
  const code = await see(
    { root, home: join(root, '.study'), words, flags },
    {
      print: (text) => printed.push(text),
      async lookAt(...args) {
        looked.push(args);
        const [, { only }] = args;
        const wanted = drawn.filter(({ name }, place) =>
          only === 'first' ? place === 0 : only?.includes(name),
        );
        return { names, pictures: trouble.length > 0 ? [] : wanted, trouble };
      },
    },
  );
  return { code, text: printed.join('\n'), looked };
}

describe('npm run see', () => {
  let folder = '';
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'half-open-see-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('lists what there is to see', async () => {
    const { code, text, looked } = await seeing([]);
    expect(code).toBe(0);
    expect(text).toContain('npm run see -- retry ');
    expect(looked).toEqual([]);
  });

  it('shows the first experiment of the answer, and names the others', async () => {
    const { code, text, looked } = await seeing(['retry']);
    expect(code).toBe(0);
    expect(text).toContain('Why four times as many?');
    expect(text).toMatch(/Another: npm run see -- retry storm$/);
    expect(looked[0]?.slice(0, 2)).toMatchObject([{ slug: 'retry' }, { seed: '1', settings: {} }]);
    expect(looked[0]?.[0].code).toBeUndefined();
  });

  it('takes a seed, settings, an experiment, and the solution', async () => {
    const { looked } = await seeing(['retry', 'outage', 'load=700'], { seed: '7', solution: true });
    expect(looked[0]?.[1]).toMatchObject({ seed: '7', settings: { load: 700 } });
    expect(looked[0]?.[0].code).toContain('export async function retry');
  });

  it('writes the picture', async () => {
    const file = join(folder, 'retry.svg');
    await seeing(['retry'], { svg: file });
    expect(await readFile(file, 'utf8')).toMatch(/^<svg /);
  });

  it('gives all of it to programs', async () => {
    const { text } = await seeing(['retry'], { json: true });
    expect(JSON.parse(text)).toEqual({ names, pictures: drawn.slice(0, 1), trouble: [] });
  });

  it('says why there is nothing to see, and fails', async () => {
    const trouble = ['It never came to an end.'];
    const { code, text } = await seeing(['retry'], {}, trouble);
    expect(code).toBe(1);
    expect(text).toContain('It never came to an end.');
  });

  it('draws the experiment that was named', async () => {
    const { text } = await seeing(['retry', 'storm']);
    expect(text).toMatch(/Another: npm run see -- retry outage$/);
  });

  it.each([
    [['retri'], 'There is no kata "retri". The nearest is retry.'],
    [['retry', 'strom'], 'There is no experiment strom. The nearest is storm.'],
    [['retry', 'outage', 'storm'], 'Name one experiment.'],
    [['retry', 'load=many'], 'Expected a number after "load=", not "many".'],
    [['retry', 'laod=5'], 'There is no setting laod. The nearest is load.'],
    [['retry', 'storm', 'load=5'], 'The experiment storm has no settings.'],
    [['outbox'], 'There is nothing to see of outbox. `npm run see` lists the others.'],
  ])('says what is wrong with %j', async (words, message) => {
    await expect(seeing(words)).rejects.toThrow(message);
  });

  it('says why when it cannot write the picture', async () => {
    const file = join(folder, 'not', 'there.svg');
    await expect(seeing(['retry'], { svg: file })).rejects.toThrow('there.svg');
  });
});
