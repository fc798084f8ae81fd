import type { Card } from './deck.ts';

/** Decks whose patterns get mixed up. */
export const neighbours: readonly (readonly [string, string])[] = [
  ['retries', 'hedging'],
  ['retries', 'idempotency'],
  ['timeouts', 'circuit-breaker'],
  ['circuit-breaker', 'bulkhead'],
  ['bulkhead', 'rate-limiting'],
  ['rate-limiting', 'load-shedding'],
  ['fallbacks', 'hedging'],
  ['saga', 'outbox'],
  ['chatty-services', 'synchronous-chains'],
  ['distributed-monolith', 'shared-database'],
  ['bff', 'service-mesh'],
  ['service-discovery', 'load-balancing'],
  ['traffic-splitting', 'strangler-fig'],
];

function areNeighbours(one: string, other: string): boolean {
  return neighbours.some(([a, b]) => (a === one && b === other) || (a === other && b === one));
}

/** The same cards; each that has one of a neighbouring deck behind it gets it next: to tell them apart is the point. */
export function besideNeighbours<C extends Pick<Card, 'deck'>>(cards: readonly C[]): C[] {
  const rest = [...cards];
  const ordered: C[] = [];
  for (let card = rest.shift(); card !== undefined; card = rest.shift()) {
    const { deck } = card;
    ordered.push(card);
    const index = rest.findIndex((other) => areNeighbours(deck, other.deck));
    if (index !== -1) ordered.push(...rest.splice(index, 1));
  }
  return ordered;
}
