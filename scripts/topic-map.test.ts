import { describe, expect, it } from 'vitest';
import type { Topic } from './readiness.ts';
import { dueInWords, topicMap } from './topic-map.ts';

describe('topicMap', () => {
  it('shows the three stops of every topic below each other', () => {
    const begun = topic({ number: 7, title: 'Retry' });
    const further = topic({ read: true, passed: 3, of: 7, holds: 5, due: 2 });
    expect(topicMap([begun, further])).toEqual([
      '07 Retry             read –   build –     defend 0/14',
      '26 Circuit breaker   read ✓   build 3/7   defend 5/14, 2 due',
    ]);
  });

  it('says when a kata is solved, and when it is due again', () => {
    expect(topicMap([topic({ passed: 7, of: 7, solved: true })])[0]).toContain('build ✓   defend');
    expect(topicMap([topic({ solved: true, kataDue: true })])[0]).toContain('build ✓ due');
  });

  it('says when there is nothing to build or to defend', () => {
    const { lesson } = topic({});
    const lessonOnly = { lesson, read: false, build: [], defend: { cards: 0, holds: 0, due: 0 } };
    expect(topicMap([lessonOnly])).toEqual(['26 Circuit breaker   read –   build –   defend –']);
  });

  it('shows what is under way, and what comes next, where not all fit', () => {
    const titles = (topics: readonly Topic[], most: number) =>
      topicMap(topics, most).map((line) => line.split('  ')[0]);
    const done = topic({ title: 'Done', read: true, of: 7, passed: 7, solved: true, holds: 14 });
    const fresh = [1, 2, 3].map((number) => topic({ number, title: `Fresh ${number}` }));
    const begun = topic({ number: 40, title: 'Begun', holds: 1 });
    const all = [done, ...fresh, begun];
    expect(titles(all, 5)).toHaveLength(5);
    expect(titles(all, 4)).toEqual([
      '01 Fresh 1',
      '02 Fresh 2',
      '40 Begun',
      '… and 2 more; see all lessons',
    ]);
    expect(titles(all, 2)).toEqual(['40 Begun', '… and 4 more; see all lessons']);
  });

  it('keeps within 80 columns', () => {
    const long = topic({
      title: 'A title that goes on and on and on',
      kataDue: true,
      solved: true,
    });
    const [line = ''] = topicMap([{ ...long, build: Array(12).fill(long.build[0]) }]);
    expect(line).toHaveLength(80);
  });
});

describe('dueInWords', () => {
  it('counts the cards and names the katas', () => {
    const topics = [topic({ due: 2 }), topic({ due: 1, solved: true, kataDue: true })];
    expect(dueInWords(topics)).toBe(
      'Due today: 3 cards; to solve again from blank: Circuit breaker.',
    );
  });

  it('says so when nothing is due', () => {
    expect(dueInWords([topic({})])).toBe('Nothing is due today.');
  });
});

interface Given {
  number?: number;
  title?: string;
  read?: boolean;
  passed?: number;
  of?: number;
  solved?: boolean;
  kataDue?: boolean;
  holds?: number;
  due?: number;
}

function topic({
  number = 26,
  title = 'Circuit breaker',
  read = false,
  passed = 0,
  of = 0,
  solved = false,
  kataDue = false,
  holds = 0,
  due = 0,
}: Given): Topic {
  return {
    lesson: { slug: 'circuit-breaker', number, title },
    read,
    build: [{ slug: 'circuit-breaker', title, passed, of, solved, due: kataDue }],
    defend: { cards: 14, holds, due },
  };
}
