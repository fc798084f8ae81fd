import { afterEach, describe, expect, it, vi } from 'vitest';
import { dayInWords, dayNumber, dayOfUtc, startOfDay, utcOfDay } from './day.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

describe('dayNumber', () => {
  it('changes at midnight here, not in Greenwich', () => {
    vi.stubEnv('TZ', 'Asia/Tokyo');
    const lateEvening = dayNumber(new Date('2026-11-22T23:59:59+09:00'));
    expect(dayNumber(new Date('2026-11-22T00:00:00+09:00'))).toBe(lateEvening);
    expect(dayNumber(new Date('2026-11-23T00:00:00+09:00'))).toBe(lateEvening + 1);
  });

  it('counts a day of 25 hours, and one of 23, as one', () => {
    vi.stubEnv('TZ', 'America/New_York');
    const noon = (day: string) => dayNumber(new Date(`${day}T12:00:00`));
    expect(noon('2026-11-02') - noon('2026-11-01'), 'clocks went back').toBe(1);
    expect(noon('2026-03-09') - noon('2026-03-08'), 'clocks went forward').toBe(1);
  });

  it.each(['UTC', 'America/New_York', 'Asia/Kathmandu', 'Pacific/Kiritimati', 'Africa/Cairo'])(
    'leads back to the start of every day of a year in %s',
    (zone) => {
      vi.stubEnv('TZ', zone);
      const first = dayNumber(new Date(2026, 0, 1));
      for (let day = first; day < first + 365; day += 1) {
        expect(dayNumber(startOfDay(day))).toBe(day);
        expect(dayNumber(new Date(startOfDay(day).getTime() - 1))).toBe(day - 1);
        expect(dayOfUtc(utcOfDay(day))).toBe(day);
      }
    },
  );
});

describe('dayInWords', () => {
  it('names days as people do', () => {
    const now = new Date('2026-11-22T23:00:00');
    const inWords = (day: string) => dayInWords(new Date(day), now);
    expect(inWords('2026-11-20T00:00:00')).toBe('today');
    expect(inWords('2026-11-22T00:00:00')).toBe('today');
    expect(inWords('2026-11-23T00:00:00')).toBe('tomorrow');
    expect(inWords('2026-12-04T00:00:00')).toBe('in 12 days (Fri, Dec 4)');
  });
});
