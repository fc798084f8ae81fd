import { scaleLinear } from 'd3-scale';
import type { Picture } from './picture.ts';

/** The axes that all panels of a picture share, so that they can be compared. */
export interface Frame {
  readonly left: number;
  readonly right: number;
  /** The y axis begins at 0. */
  readonly top: number;
  readonly xTicks: readonly number[];
  readonly yTicks: readonly number[];
}

const TICKS = 4;

export function frameOf({ x, panels }: Picture): Frame {
  const left = x.values[0] ?? 0;
  const right = x.values.at(-1) ?? 1;
  const values = panels.flatMap(({ lines }) => lines.flatMap((line) => line.values));
  const highest = values.reduce<number>((most, value) => Math.max(most, value ?? 0), 0);
  const y = scaleLinear()
    .domain([0, highest || 1])
    .nice(TICKS);
  return {
    left,
    right,
    top: y.domain()[1] ?? 1,
    xTicks: scaleLinear().domain([left, right]).ticks(TICKS),
    yTicks: y.ticks(TICKS),
  };
}
