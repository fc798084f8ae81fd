/** Prints how many candidates `verify` has run, and how long that took, as JSON: `verify-trials.ts ROOT SLUG HOME`. */
import { loadCatalog } from '../content/catalog.ts';
import { verifyKit } from '../verify/verify-kit.ts';
import { topicOf } from '../verify/verify-topic.ts';

const [, , root = '', slug, home = ''] = process.argv;
const catalog = await loadCatalog(root);
const { trials } = await verifyKit(catalog, topicOf(catalog, slug), {
  fix: false,
  pristine: false,
  home,
  now: new Date(),
  onProgress: () => {},
});
console.log(JSON.stringify(trials));
