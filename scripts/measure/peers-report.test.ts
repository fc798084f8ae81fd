import { expect, it } from 'vitest';
import { reportPeer } from './peers-report.ts';
import type { Verdict } from '../runner/verdict.ts';

const peer = { name: 'cockatiel', version: '3.2.1', code: '' };
const output = { lines: [], cut: 0 };

it('counts by level, and lists first what is not accounted for', () => {
  const verdict: Verdict = {
    kind: 'tested',
    tests: [
      { level: '1 · closed', name: 'lets calls through', state: 'passed' },
      { level: '2 · open', name: 'refuses', state: 'failed', message: 'refused nothing\nmore' },
      { level: '2 · open', name: 'waits', state: 'failed', message: 'waited for long' },
    ],
    output,
    durationMs: 1,
  };
  const differences = [
    { peer: 'cockatiel', test: 'refuses', line: 9 },
    { peer: 'cockatiel', test: 'lets calls through', line: 10 },
  ];
  const text = reportPeer(peer, verdict, differences, 'README.md').join('\n');
  expect(text).toMatchInlineSnapshot(`
    "
      cockatiel 3.2.1: 1 of 3 tests pass
        1 · closed: 1 of 1 tests pass
        2 · open: 0 of 2 tests pass

        Not accounted for in README.md:
          2 · waits
            waited for long

        Accounted for:
          2 · refuses
            refused nothing

        README.md:10 cockatiel does not fail \`lets calls through\`"
  `);
});

it('says why a library could not be tested', () => {
  const verdict: Verdict = {
    kind: 'broken',
    reason: 'import',
    message: 'There is no such package.',
    output,
    durationMs: 1,
  };
  expect(reportPeer(peer, verdict, [], 'README.md').join('\n')).toContain(
    'cockatiel 3.2.1 could not be tested: There is no such package.',
  );
});
