/** Loaded before a program: when that ends, its peak memory and its time on the processor go to descriptor 3. */
import { writeSync } from 'node:fs';

process.once('exit', () => {
  const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage();
  const usage = { peakBytes: maxRSS * 1024, busyMs: (userCPUTime + systemCPUTime) / 1_000 };
  writeSync(3, JSON.stringify(usage));
});
