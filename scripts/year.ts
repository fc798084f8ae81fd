/** A year of daily sittings with a learner whose forgetting is known: minutes a day, and what is still known. */
import { parseArgs } from 'node:util';
import { targetRetention } from '../quiz/schedule.ts';
import { aligned } from './columns.ts';
import { loadDecks } from './content/catalog.ts';
import { main } from './main.ts';
import { playYear } from './measure/year.ts';
import { kitPaths } from './paths.ts';
import { readDecks } from './read-decks.ts';

await main(async (args) => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: 'string', multiple: true, default: ['10', '15', '30'] },
      days: { type: 'string', default: '365' },
      seed: { type: 'string', default: 'a year' },
    },
  });
  const files = await loadDecks(kitPaths(process.env).root);
  const { decks: all } = await readDecks(files);
  const rows = values.minutes.map((each) => {
    const minutes = Number(each);
    const year = playYear({ decks: all, days: Number(values.days), minutes, seed: values.seed });
    const within = year.minutes.filter((spent) => spent <= minutes).length / year.minutes.length;
    const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
    return [
      each,
      (year.minutes.reduce((sum, spent) => sum + spent, 0) / year.minutes.length).toFixed(1),
      percent(within),
      String(year.reviews.asked),
      percent(year.reviews.held / year.reviews.asked),
      percent(year.learned.held / year.learned.asked),
      `${year.seen} of ${all.reduce((sum, deck) => sum + deck.cards.length, 0)}`,
    ];
  });
  const head = ['minutes', 'mean', 'days within', 'reviews', 'held', 'held, learned', 'seen'];
  for (const line of aligned([head, ...rows])) console.log(line);
  console.log(`\nTarget: ${100 * targetRetention(Infinity)} % held; minutes are for cards alone.`);
  return 0;
});
