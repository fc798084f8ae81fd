import { expect, it } from 'vitest';
import { openQuota } from '../fixtures/quota.ts';
import { solutionPage } from './solution-page.ts';

it('shows the solution without its marks, the way to another, and the walkthrough', async () => {
  const { kata, root, remove } = await openQuota();
  const page = await solutionPage(kata, root);
  expect(page).toContain('export function createQuota(limit: number): Quota {\n  if (!Number');
  expect(page).not.toContain('#region');
  expect(page).not.toContain('#endregion');
  expect(page).toContain('`solutions/quota/another-way.ts`');
  expect(page).toContain('One number says it all');
  expect(page).not.toContain('Half a permit is fine');
  await remove();
});
