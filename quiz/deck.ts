import { LineCounter, parseDocument } from 'yaml';
import { type CardContent, type CardKind, cardSchemas } from './card-schema.ts';
import { cardItem } from './item.ts';
import type { Problem } from './problem.ts';
import { isRecord } from './record.ts';
import { cutTexts, lineFinder, type Path } from './yaml-places.ts';
import { readYaml } from './yaml-text.ts';

/** One thing to recall. */
export type Card = CardContent & {
  /** `card:<deck>/<id>`: what reviews of it are kept under. */
  readonly item: string;
  /** Slug of its deck. */
  readonly deck: string;
};

export interface Deck {
  readonly slug: string;
  readonly title: string;
  readonly cards: readonly Card[];
}

export interface ParsedDeck {
  /** Without the cards that have problems; undefined when the file has no list of cards at all. */
  readonly deck?: Deck;
  /** How many cards the deck lacks for their problems. */
  readonly leftOut: number;
  readonly problems: readonly Problem[];
}

/** What the text of a deck says, and where. */
export interface LocatedDeck extends ParsedDeck {
  /** The line, from 1, on which a card begins, by the card's id. */
  readonly lines: ReadonlyMap<string, number>;
}

/** Reads a deck (YAML). Collects all problems, each with its line; never throws for what the text says. */
export function parseDeck(text: string, file: string, slug: string): LocatedDeck {
  const yaml = readYaml(text, { LineCounter, parseDocument });
  if (yaml.problems.length > 0) {
    const unreadable = yaml.problems.map(({ line, message }) => ({
      file,
      line,
      message: `Not valid YAML: ${message}. Text with “: ” or “#” in it needs quotes, or \`|\`.`,
    }));
    return { problems: unreadable, leftOut: 0, lines: new Map() };
  }

  const { document, lines: places, data: content } = yaml;
  const problems: Problem[] = cutTexts(document).map((start) => ({
    file,
    line: places.linePos(start).line,
    message: 'The text ends here, at “#”, which begins a comment: quote the text, or use `|`.',
  }));
  const lineOf = lineFinder(document, places);
  const report = (path: Path, message: string) => {
    problems.push({ file, line: lineOf(path), message });
  };
  const { title, cards, ...others } = isRecord(content) ? content : {};
  if (typeof title !== 'string' || title.trim() === '') {
    report(['title'], 'The deck has no `title`: write the title of its lesson.');
  }
  for (const key of Object.keys(others)) {
    report([key], `Unknown \`${key}\`: a deck has a \`title\` and \`cards\`.`);
  }
  if (!Array.isArray(cards) || cards.length === 0) {
    report(['cards'], 'The deck has no `cards`: write a list of them.');
    return { problems, leftOut: 0, lines: new Map() };
  }

  const { read, lines } = readCards(cards, slug, lineOf, report);
  const deck = { slug, title: typeof title === 'string' ? title : slug, cards: read };
  return { deck, problems, leftOut: cards.length - read.length, lines };
}

type Report = (path: Path, message: string) => void;

function readCards(
  cards: readonly unknown[],
  deck: string,
  lineOf: (path: Path) => number,
  report: Report,
): { read: Card[]; lines: Map<string, number> } {
  const lines = new Map<string, number>();
  const read = cards.flatMap((content, index) => {
    const card = readCard(content, index, report);
    if (card === undefined) return [];
    const taken = lines.get(card.id);
    if (taken !== undefined) {
      report(
        ['cards', index, 'id'],
        `${card.id}: line ${taken} has this \`id\` too: change the newer one.`,
      );
      return [];
    }
    lines.set(card.id, lineOf(['cards', index]));
    return [{ ...card, item: cardItem(`${deck}/${card.id}`), deck }];
  });
  return { read, lines };
}

function readCard(content: unknown, index: number, report: Report): CardContent | undefined {
  const record = isRecord(content) ? content : {};
  const name = typeof record['id'] === 'string' ? record['id'] : `card ${index + 1}`;
  const { kind } = record;
  if (!isKind(kind)) {
    const kinds = Object.keys(cardSchemas).join(', ');
    report(['cards', index, 'kind'], `${name}: \`kind\` must be one of ${kinds}.`);
    return undefined;
  }
  const schema = cardSchemas[kind];
  const result = schema.safeParse(content);
  for (const issue of result.error?.issues ?? []) {
    const path = issue.path.map((key) => (typeof key === 'symbol' ? String(key) : key));
    const unknown = issue.code === 'unrecognized_keys' ? issue.keys : [];
    for (const key of unknown) {
      const hint = key.includes(' ') ? ' Text with a comma needs quotes between { and }.' : '';
      const place = [...words(path), key].join('.');
      report(['cards', index, ...path, key], `${name}: unknown \`${place}\`.${hint}`);
    }
    if (unknown.length === 0) {
      report(['cards', index, ...path], `${name}: \`${words(path).join('.')}\` ${issue.message}.`);
    }
  }
  return result.data;
}

/** A path without its indexes: the line says which one is meant. */
function words(path: Path): Path {
  return path.filter((key) => typeof key === 'string');
}

function isKind(value: unknown): value is CardKind {
  return typeof value === 'string' && Object.hasOwn(cardSchemas, value);
}
