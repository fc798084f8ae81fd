import { expect, it } from 'vitest';
import { awaitTermination } from './termination.ts';

it('tells that a signal came, and what to exit with', () => {
  const termination = awaitTermination();
  expect(termination.exitCode()).toBe(0);
  process.emit('SIGTERM', 'SIGTERM');
  expect(termination.signal.aborted).toBe(true);
  expect(termination.exitCode()).toBe(143);
  termination.ignore();
});

it('leaves no listeners behind', () => {
  const before = process.listenerCount('SIGHUP');
  const termination = awaitTermination();
  expect(process.listenerCount('SIGHUP')).toBe(before + 1);
  termination.ignore();
  expect(process.listenerCount('SIGHUP')).toBe(before);
});
