import { describe, expect, it } from 'vitest';
import { pictureWith } from '../fixtures/picture.ts';
import { drawPanels, legendOf } from './chart.ts';

describe('the panels in a terminal', () => {
  it('stand side by side on the same scale, with the fault marked below both', () => {
    const lines = drawPanels(pictureWith(), 80);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(lines[0]).toMatch(/^at once +your answer$/);
    expect(lines.filter((line) => line.split('400┤').length === 3)).toHaveLength(1);
    expect(lines.at(-1)?.split('├')).toHaveLength(3);
    expect(lines.at(-1)).toContain('┤ down');
  });

  it('draw each line in its own way, so that colour is not needed to tell them apart', () => {
    const text = drawPanels(pictureWith(), 80).join('\n');
    expect(text).toContain('•');
    expect(text).toContain('░');
    expect(legendOf(pictureWith())).toBe('• calls   ░ answered   (calls a second)');
  });

  it('fill the second line down to the axis', () => {
    const picture = pictureWith({ panels: pictureWith().panels.slice(1) });
    const rows = drawPanels(picture, 60).filter((line) => line.includes('░'));
    expect(rows.length).toBeGreaterThan(2);
  });

  it('stand below each other where there is no room', () => {
    const lines = drawPanels(pictureWith(), 50);
    expect(lines).toContain('at once');
    expect(lines).toContain('your answer');
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(50);
  });

  it('can be empty, or flat', () => {
    const flat = (values: (number | null)[]) =>
      pictureWith({
        x: { label: 'seconds', values: [0, 1, 2] },
        panels: [{ title: 'nothing', lines: [{ name: 'calls', values }], failures: [] }],
        spans: [],
      });
    expect(drawPanels(flat([0, 0, 0]), 80).join('\n')).toContain('•');
    expect(drawPanels(flat([null, null, null]), 80)[0]).toBe('nothing');
  });
});
