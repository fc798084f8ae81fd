import { describe, expect, it } from 'vitest';
import { createCounter, createGauge } from './tally.ts';

describe('a counter', () => {
  it('counts by time', () => {
    const counter = createCounter();
    for (const ms of [0, 5, 15, 100, 109, 500]) counter.count(ms);
    expect(counter.total).toBe(6);
    expect(counter.between(0, 100)).toBe(3);
    expect(counter.perSecond(100, 200)).toBe(20);
    expect(counter.between(600, 900)).toBe(0);
  });

  it('finds the busiest window, also one that reaches past the end of the span', () => {
    const counter = createCounter();
    for (const ms of [10, 200, 210, 220, 400, 490]) counter.count(ms);
    expect(counter.busiest(100)).toBe(3);
    expect(counter.busiest(100, 300, 1_000)).toBe(2);
    expect(counter.busiest(20)).toBe(2);
    expect(counter.busiest(100, 600, 700)).toBe(0);
  });
});

describe('a gauge', () => {
  it('weighs each level by how long it lasted', () => {
    let nowMs = 0;
    const gauge = createGauge(() => nowMs);
    gauge.add(1);
    nowMs = 25;
    gauge.add(1);
    nowMs = 50;
    gauge.add(-1);
    gauge.add(-1);
    nowMs = 100;
    expect(gauge.mean(0, 100)).toBeCloseTo(0.75);
    expect(gauge.mean(0, 50)).toBeCloseTo(1.5);
    expect(gauge.highest()).toBe(2);
    expect(gauge.highest(50, 100)).toBe(0);
    expect(gauge.now).toBe(0);
  });
});
