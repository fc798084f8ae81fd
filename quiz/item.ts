/** What reviews of a card are kept under. `name` is `<deck>/<id>`, as people write it. */
export function cardItem(name: string): string {
  return `${PREFIX}${name}`;
}

/** The `<deck>/<id>` of an item that is a card. */
export function cardName(item: string): string {
  return item.startsWith(PREFIX) ? item.slice(PREFIX.length) : item;
}

const PREFIX = 'card:';
