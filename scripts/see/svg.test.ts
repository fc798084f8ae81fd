import { describe, expect, it } from 'vitest';
import { pictureWith } from '../fixtures/picture.ts';
import { svgOf } from './svg.ts';

describe('a picture as SVG', () => {
  const svg = svgOf(pictureWith());

  it('says in words what it shows', () => {
    expect(svg).toContain('<title>at once / your answer</title>');
    expect(svg).toContain(
      '<desc>The shop is down for five seconds. What do its callers do?</desc>',
    );
  });

  it('has a path for each line of each panel, and a field for the fault in both', () => {
    expect(svg.match(/stroke-width="1\.5"/g)).toHaveLength(4);
    expect(svg.match(/fill="#f3e2e2"/g)).toHaveLength(2);
  });

  it('leaves a gap where a value is missing', () => {
    const [, , , answered = ''] = svg.match(/<path d="M[^"]+" [^>]*stroke-width="1\.5"/g) ?? [];
    expect(answered.match(/M/g)).toHaveLength(2);
  });

  it('survives titles with signs that mean something in XML', () => {
    const picture = pictureWith({ question: 'a < b & c > "d"' });
    expect(svgOf(picture)).toContain('<desc>a &lt; b &amp; c &gt; "d"</desc>');
  });
});
