import { scaleLinear } from 'd3-scale';
import { area, line } from 'd3-shape';
import { frameOf } from './frame.ts';
import type { Panel, Picture } from './picture.ts';

const PANEL = { width: 380, height: 220, left: 52, right: 12, top: 34, bottom: 36 };
const LEGEND_HEIGHT = 30;

/** The colours of the lines in their order, apart in hue and in lightness (Okabe and Ito, 2008). */
const strokes = [
  { colour: '#0072b2', isFilled: false },
  { colour: '#009e73', isFilled: true },
  { colour: '#d55e00', isFilled: false },
  { colour: '#cc79a7', isFilled: false },
  { colour: '#56b4e9', isFilled: false },
] as const;

/** The panels of a picture as SVG, to be shown beside a text; its numbers are rounded, so that it is the same everywhere. */
export function svgOf(picture: Picture): string {
  const width = PANEL.width * picture.panels.length;
  const height = PANEL.height + LEGEND_HEIGHT;
  const title = picture.panels.map((panel) => panel.title).join(' / ');
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="12" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<desc>${escaped(picture.question)}</desc>`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    ...picture.panels.map(
      (panel, place) =>
        `<g transform="translate(${place * PANEL.width} 0)">\n${panelOf(panel, picture)}\n</g>`,
    ),
    legendOf(picture),
    '</svg>\n',
  ].join('\n');
}

function panelOf(panel: Panel, picture: Picture): string {
  const frame = frameOf(picture);
  const right = PANEL.width - PANEL.right;
  const bottom = PANEL.height - PANEL.bottom;
  const x = scaleLinear([frame.left, frame.right], [PANEL.left, right]);
  const y = scaleLinear([0, frame.top], [bottom, PANEL.top]);
  const text = (at: { x: number; y: number; anchor: string }, words: string) =>
    `<text x="${rounded(at.x)}" y="${rounded(at.y)}" text-anchor="${at.anchor}" fill="#333333">${escaped(words)}</text>`;
  const rule = (from: [number, number], to: [number, number], colour: string) =>
    `<path d="M${from.map(rounded).join(',')}L${to.map(rounded).join(',')}" stroke="${colour}" fill="none"/>`;
  return [
    ...picture.spans.flatMap(({ from, to, what }) => [
      `<rect x="${rounded(x(from))}" y="${PANEL.top}" width="${rounded(x(to) - x(from))}" height="${bottom - PANEL.top}" fill="#f3e2e2"/>`,
      text({ x: x(from), y: PANEL.top - 4, anchor: 'start' }, what),
    ]),
    `<text x="${PANEL.left}" y="16" font-weight="bold" fill="#000000">${escaped(panel.title)}</text>`,
    ...frame.yTicks.flatMap((tick) => [
      rule([PANEL.left, y(tick)], [right, y(tick)], '#dddddd'),
      text({ x: PANEL.left - 6, y: y(tick) + 4, anchor: 'end' }, tick.toLocaleString('en')),
    ]),
    ...frame.xTicks.map((tick) =>
      text({ x: x(tick), y: bottom + 16, anchor: 'middle' }, tick.toLocaleString('en')),
    ),
    text({ x: right, y: bottom + 30, anchor: 'end' }, picture.x.label),
    ...panel.lines.map(({ values }, place) => {
      const { colour, isFilled } = strokes[place % strokes.length] ?? strokes[0];
      const points = picture.x.values.map((at, index) => ({ at, value: values[index] ?? null }));
      const isThere = ({ value }: (typeof points)[number]) => value !== null;
      const path = isFilled
        ? area<(typeof points)[number]>()
            .defined(isThere)
            .x(({ at }) => rounded(x(at)))
            .y0(bottom)
            .y1(({ value }) => rounded(y(value ?? 0)))(points)
        : line<(typeof points)[number]>()
            .defined(isThere)
            .x(({ at }) => rounded(x(at)))
            .y(({ value }) => rounded(y(value ?? 0)))(points);
      const paint = isFilled ? `fill="${colour}" fill-opacity="0.35"` : 'fill="none"';
      return `<path d="${path ?? ''}" ${paint} stroke="${colour}" stroke-width="1.5"/>`;
    }),
  ].join('\n');
}

function legendOf({ panels, y }: Picture): string {
  const y0 = PANEL.height + 12;
  let x = PANEL.left;
  const names = panels[0]?.lines.map(({ name }, place) => {
    const { colour } = strokes[place % strokes.length] ?? strokes[0];
    const entry = `<rect x="${x}" y="${y0 - 10}" width="12" height="12" fill="${colour}"/><text x="${x + 18}" y="${y0}" fill="#333333">${escaped(name)}</text>`;
    x += 34 + name.length * 7;
    return entry;
  });
  return [
    ...(names ?? []),
    `<text x="${x}" y="${y0}" fill="#333333">(${escaped(y.label)})</text>`,
  ].join('\n');
}

function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
