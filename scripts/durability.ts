import { KitError } from '../quiz/problem.ts';
import { notFound } from './args.ts';
import { aligned } from './columns.ts';
import { countFrom } from './measure/count-from.ts';
import { runTool } from './measure/tool.ts';
import type { Trial } from './proof/durability/trial.ts';
import { trials } from './proof/trials.ts';

/** Of all that was lost. */
const MOST_SHOWN = 20;

await runTool({
  help: `Usage: npm run durability [-- trial] [--kills N] [--seconds N] [--seed N]

Tries to lose what a learner did: whatever the screen, or the journal itself, has
told to be kept has to be there afterwards.

${aligned(trials.map(({ name, title }) => [`  ${name}`, title])).join('\n')}

  --kills N     how often each of quiz, loop and interview is killed, 10 if not given
  --seconds N   how long the writers write, 5 if not given
  --seed N      another seed chooses other instants; 1 if not given

Ends with 1, and says what it was, when anything was lost.`,
  options: { kills: { type: 'string' }, seconds: { type: 'string' }, seed: { type: 'string' } },
  async run({ words, flags }, signal) {
    const effort = {
      kills: countFrom('--kills', flags['kills'], 10),
      seconds: countFrom('--seconds', flags['seconds'], 5),
      seed: countFrom('--seed', flags['seed'], 1),
      signal,
      progress: (text: string) => console.error(text),
    };
    const rows: string[][] = [];
    let isFine = true;
    for (const trial of await chosenTrials(words)) {
      console.error(`Trying ${trial.name}: ${trial.title} …`);
      const { tried, acknowledged, lost } = await trial.run(effort);
      signal.throwIfAborted();
      rows.push([trial.name, tried, acknowledged.toLocaleString('en'), String(lost.length)]);
      isFine &&= lost.length === 0;
      for (const each of lost.slice(0, MOST_SHOWN)) console.log(`${trial.name} lost: ${each}`);
    }
    for (const line of aligned([['trial', 'tried', 'acknowledged', 'lost'], ...rows])) {
      console.log(line);
    }
    return isFine ? 0 : 1;
  },
});

async function chosenTrials([name, ...more]: readonly string[]): Promise<readonly Trial[]> {
  if (name === undefined) return trials;
  if (more.length > 0) throw new KitError('Name one trial, or none for all.', { exitCode: 2 });
  const trial = trials.find((each) => each.name === name);
  if (trial) return [trial];
  const names = trials.map((each) => each.name);
  throw new KitError(await notFound('trial', name, names), { exitCode: 2 });
}
