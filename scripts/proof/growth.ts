/** How much was taken at a share of the whole size. */
export interface Point {
  readonly share: number;
  readonly took: number;
}

/**
 * With which power of the size it grows from one point to the next: 1 is linear, 2 quadratic, 0 not at all.
 * Undefined for the first point.
 */
export function powers(points: readonly Point[]): (number | undefined)[] {
  return points.map(({ share, took }, index) => {
    const before = points[index - 1];
    return before && Math.log(took / before.took) / Math.log(share / before.share);
  });
}
