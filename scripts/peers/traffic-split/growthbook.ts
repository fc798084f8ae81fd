import { GrowthBookClient } from '@growthbook/growthbook';
import type { Split, SplitOptions } from '../../../solutions/traffic-split/traffic-split.ts';

/**
 * The library chooses, and leaves the judging to its server: nothing here takes reports. Shares are parts of 1, and
 * `coverage` is the ramp. The baseline comes last, for the ranges of the variants lie side by side in their order. The
 * header is looked up here; the library takes it as a variation that is forced in the context of the request.
 */
export function createSplit(options: SplitOptions): Split {
  const { experiment, variants, overrideHeader } = options;
  const [baseline, ...others] = variants;
  const inOrder = baseline ? [...others, baseline] : [];
  const [first, second, ...rest] = inOrder.map(({ name }) => name);
  const client = new GrowthBookClient();
  let coverage = options.percent / 100;

  return {
    choose({ userId, headers = {} }) {
      const wish = Object.entries(headers).find(
        ([name]) => name.toLowerCase() === overrideHeader?.toLowerCase(),
      )?.[1];
      const forced = inOrder.findIndex(({ name }) => name === wish);
      const { inExperiment, value } = client.runInlineExperiment<string | undefined>(
        {
          key: experiment,
          variations: [first, second, ...rest],
          weights: inOrder.map(({ weight }) => weight / 100),
          coverage,
          hashVersion: 2,
        },
        {
          attributes: { id: userId },
          forcedVariations: forced < 0 ? {} : { [experiment]: forced },
        },
      );
      const variant = (inExperiment ? value : undefined) ?? baseline?.name ?? '';
      return { variant, report() {} };
    },
    rampTo(percent) {
      coverage = percent / 100;
    },
    health: () => 'unknown',
    restore() {},
  };
}
