import { plot } from 'simple-ascii-chart';
import stringWidth from 'string-width';
import { cut } from '../loop/text-block.ts';
import { style } from '../terminal.ts';
import { type Frame, frameOf } from './frame.ts';
import type { Line, Panel, Picture, Span } from './picture.ts';

/** How the lines of a panel are drawn, in their order: each can be told from the others without colour, too. */
const strokes = [
  { symbol: '•', colour: 'cyan', isFilled: false },
  { symbol: '░', colour: 'green', isFilled: true },
  { symbol: '×', colour: 'yellow', isFilled: false },
  { symbol: '+', colour: 'magenta', isFilled: false },
  { symbol: 'o', colour: 'blue', isFilled: false },
] as const;

const HEIGHT = 9;
const GAP = 2;

/** Below this the panels do not stand side by side. */
const WIDE = 72;

/** The panels of a picture as text of at most `columns`. */
export function drawPanels(picture: Picture, columns: number): string[] {
  const isWide = columns >= WIDE;
  const width = isWide ? Math.floor((columns - GAP) / 2) : columns;
  const panels = picture.panels.map((panel) => drawPanel(panel, picture, width));
  if (!isWide) return panels.flatMap((lines, place) => (place === 0 ? lines : ['', ...lines]));
  const [left = [], right = []] = panels;
  return left.map((line, row) => {
    const filler = ' '.repeat(GAP + width - stringWidth(line));
    return `${line}${filler}${right[row] ?? ''}`.trimEnd();
  });
}

/** `• calls to orders   ░ of them answered   (calls a second)` */
export function legendOf({ panels, y }: Picture): string {
  const names = panels[0]?.lines.map((line, place) => {
    const { symbol, colour } = strokeOf(place);
    return `${style(colour, symbol)} ${line.name}`;
  });
  return [...(names ?? []), `(${y.label})`].join('   ');
}

function strokeOf(place: number) {
  return strokes[place % strokes.length] ?? strokes[0];
}

function drawPanel(panel: Panel, picture: Picture, width: number): string[] {
  const frame = frameOf(picture);
  const labelWidth = Math.max(...frame.yTicks.map((tick) => compact(tick).length));
  const margin = labelWidth + 1;
  const room = width - margin - 2;
  const layers = panel.lines.map((line, place) =>
    drawLine(line, place, { picture, frame, labelWidth, room }),
  );
  const [first = []] = layers;
  const grid = first.map((row, y) =>
    Array.from(row, (cell, x) => topmost(layers, { x, y }) ?? cell),
  );
  return [
    style('bold', cut(panel.title, width)),
    ...grid.map((row) => row.join('').trimEnd()),
    ...picture.spans.map((span) => ' '.repeat(margin) + spanMark(span, frame, room)),
  ];
}

interface Canvas {
  readonly picture: Picture;
  readonly frame: Frame;
  /** Of the labels at the y axis. */
  readonly labelWidth: number;
  /** For the plot itself. */
  readonly room: number;
}

/** The library has one kind of stroke for all lines of a plot: so each gets a plot of its own, on the same axes. */
function drawLine(
  { values }: Line,
  place: number,
  { picture, frame, labelWidth, room }: Canvas,
): string[] {
  const { symbol, isFilled } = strokeOf(place);
  const points = picture.x.values.flatMap((x, index): [number, number][] => {
    const value = values[index];
    return typeof value === 'number' ? [[x, value]] : [];
  });
  const text = plot(points, {
    width: room,
    height: HEIGHT,
    yRange: [0, frame.top],
    customXAxisTicks: [...frame.xTicks],
    customYAxisTicks: [...frame.yTicks],
    // It makes room for the labels that the points would have, not for those of the ticks: so all are equally wide.
    formatter: (value, { axis }) =>
      axis === 'y' ? compact(value).padStart(labelWidth).slice(-labelWidth) : compact(value),
    lineFormatter: ({ plotX, plotY }) =>
      (isFilled ? downFrom(plotY) : [plotY]).map((y) => ({ x: plotX, y, symbol })),
  });
  return text.split('\n').filter((row) => row.trim() !== '');
}

function downFrom(top: number): number[] {
  return Array.from({ length: Math.max(0, HEIGHT - top + 1) }, (_, step) => top + step);
}

/** What the lines have put into a cell; a dot lies on top of an area. */
function topmost(
  layers: readonly (readonly string[])[],
  { x, y }: { readonly x: number; readonly y: number },
): string | undefined {
  const drawn = strokes.filter(({ symbol }, place) => layers[place]?.[y]?.[x] === symbol);
  const stroke = drawn.find(({ isFilled }) => !isFilled) ?? drawn[0];
  return stroke && style(stroke.colour, stroke.symbol);
}

/** `     ├──┤ orders is down`, below the part of the x axis that it is about. */
function spanMark({ from, to, what }: Span, { left, right }: Frame, room: number): string {
  const columnOf = (x: number) => Math.round(((x - left) / (right - left)) * (room - 1));
  const start = Math.max(0, columnOf(from));
  const length = Math.max(1, Math.min(room - 1, columnOf(to)) - start);
  const bar = length < 2 ? '│' : `├${'─'.repeat(length - 1)}┤`;
  const after = `${' '.repeat(start)}${bar} ${what}`;
  if (after.length <= room + 2) return after;
  const before = `${what} ${bar}`;
  return before.length <= start + bar.length
    ? before.padStart(start + bar.length)
    : cut(after, room + 2);
}

function compact(value: number): string {
  return value.toLocaleString('en', { notation: 'compact' });
}
