import DataLoader from 'dataloader';
import { inspect } from 'node:util';
import type {
  BatchLoader,
  BatchLoaderOptions,
} from '../../../solutions/batch-loader/batch-loader.ts';

export class MissingKeyError extends Error {
  override readonly name = 'MissingKeyError';
  readonly key: unknown;

  constructor(key: unknown) {
    super(`Missing, on behalf of dataloader: ${inspect(key)}.`);
    this.key = key;
  }
}

/**
 * The library wants values by position, and an `Error` in the place of a value that could not be had. With `cache: false`
 * it asks for duplicates, too, so it keeps its cache, and forgets it with each call, as its documentation shows.
 * A caller cannot leave.
 */
export function createBatchLoader<Key, Value>(
  options: BatchLoaderOptions<Key, Value>,
): BatchLoader<Key, Value> {
  const { fetchMany, maxBatchSize, maxWaitMs = 0 } = options;
  const loader = new DataLoader<Key, Value>(
    async (keys) => {
      loader.clearAll();
      const rows = new Map(Array.from(await fetchMany(keys), (row) => [row.key, row]));
      return keys.map((key) => {
        const row = rows.get(key);
        if (!row) return new MissingKeyError(key);
        // The types allow nothing but an Error here.
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion
        return 'error' in row ? (row.error as Error) : row.value;
      });
    },
    {
      maxBatchSize,
      ...(maxWaitMs > 0 && { batchScheduleFn: (send) => void setTimeout(send, maxWaitMs) }),
    },
  );
  return { load: (key) => loader.load(key) };
}
