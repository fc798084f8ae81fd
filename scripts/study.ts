/** The entry of every command: what stands on the command line leads to one of them. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { KitError } from '../quiz/problem.ts';
import { notFound, readArgs } from './args.ts';
import type { Command } from './command.ts';
import { commands } from './commands.ts';
import { main } from './main.ts';
import { kitPaths } from './paths.ts';

await main(study);

async function study(args: readonly string[]): Promise<number> {
  const [first = ''] = args;
  if (first === 'help') return study([...args.slice(1, 2), '--help']);
  if (first === '--version') return say(await version());
  if (first === '--help' || first === '-h') return say(await overview());
  const isNamed = first !== '' && !first.startsWith('-');
  const command = isNamed ? await load(first) : (await import('./home.ts')).homeCommand;
  const { words, flags } = await readArgs(isNamed ? args.slice(1) : args, command.options);
  if (flags['help'] === true) return say(command.help);
  return command.run({ ...kitPaths(process.env), words, flags });
}

async function load(name: string): Promise<Command> {
  for (const [known, command] of Object.entries(commands)) if (known === name) return command();
  const nearest = await notFound('command', name, Object.keys(commands));
  throw new KitError(`${nearest} All commands: npm start -- --help`, { exitCode: 2 });
}

async function overview(): Promise<string> {
  const all = await Promise.all(Object.values(commands).map((command) => command()));
  const { homeCommand } = await import('./home.ts');
  const { aligned } = await import('./columns.ts');
  const rows = all.map(({ name, summary }) => [`  npm run ${name}`, summary]);
  return [
    'Half-Open: a study kit for interviews on microservices and resilience.',
    '',
    ...aligned([['  npm start', homeCommand.summary], ...rows]),
    '',
    'Words and flags stand after two dashes: npm run kata -- circuit-breaker --once',
    'Every command explains itself: npm run kata -- --help',
    'For contributors: npm test, npm run check, fix; README.md lists what measures',
  ].join('\n');
}

async function version(): Promise<string> {
  const text = await readFile(join(import.meta.dirname, '../package.json'), 'utf8');
  const { version: number }: { version: string } = JSON.parse(text);
  return number;
}

function say(text: string): number {
  console.log(text);
  return 0;
}
