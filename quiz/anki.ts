import { marked } from 'marked';
import { sourceInWords } from './captions.ts';
import type { Card, Deck } from './deck.ts';
import { seeded } from './random.ts';
import { bullets, FLIP_QUESTION, show } from './showing.ts';

/**
 * Decks as a text file that Anki imports (docs.ankiweb.net, "Text Files"): the first field is the card's id, by
 * which a second import updates what is there.
 */
export async function toAnki(decks: readonly Deck[]): Promise<string> {
  const rows = await Promise.all(
    decks.flatMap((deck) => deck.cards.map((card) => rowOf(card, deck))),
  );
  const head = [
    '#separator:tab',
    '#html:true',
    '#columns:Id\tQuestion\tAnswer\tTags',
    '#tags column:4',
  ];
  return [...head, ...rows].join('\n').concat('\n');
}

async function rowOf(card: Card, { slug }: Deck): Promise<string> {
  const { question, answer } = sides(card);
  const fields = [
    `${slug}/${card.id}`,
    await html(question),
    await html(answer),
    `half-open::${slug}`,
  ];
  return fields.map(quoted).join('\t');
}

/** Question and answer as Markdown, shown as on every machine: the seed is the card. */
function sides(card: Card): { question: string; answer: string } {
  const showing = show(card, seeded(card.item));
  const rest = [showing.explain, sourceInWords(card)];
  switch (showing.ask) {
    case 'one':
    case 'several':
      return {
        question: join(showing.prompt, bullets(showing.options)),
        answer: join(showing.judge(undefined).feedback, ...rest),
      };
    case 'duel':
      return {
        question: join(
          showing.prompt,
          bullets(showing.options),
          FLIP_QUESTION,
          bullets(showing.flip.options),
        ),
        answer: join(
          showing.judge(undefined).feedback,
          showing.flip.judge(undefined).feedback,
          ...rest,
        ),
      };
    case 'order':
      return {
        question: join(showing.prompt, bullets(showing.steps)),
        answer: join(showing.judge(undefined).feedback, ...rest),
      };
    case 'number':
      return { question: showing.prompt, answer: join(showing.judge(undefined).feedback, ...rest) };
    case 'recall':
      break;
  }
  return { question: showing.prompt, answer: join(bullets(showing.points), ...rest) };
}

function join(...parts: readonly (string | undefined)[]): string {
  return parts.filter((part) => part !== undefined && part !== '').join('\n\n');
}

/** Anki keeps the line breaks of a field only as HTML. */
async function html(markdown: string): Promise<string> {
  const code = /<pre>[^]*?<\/pre>/g;
  const page = await marked.parse(markdown);
  return page
    .trim()
    .replaceAll(code, (block) => block.replaceAll('\n', '<br>'))
    .replaceAll('\n', ' ');
}

/** Tabs would end a field; quotes are doubled within quotes. */
function quoted(field: string): string {
  return `"${field.replaceAll('\t', '  ').replaceAll('"', '""')}"`;
}
