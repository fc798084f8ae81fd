import { spawnSync } from 'node:child_process';

/**
 * Ends a process and all that it has started, at once and without asking. On POSIX the process must lead a
 * group of its own (`detached`). Does nothing when it is gone already.
 */
export function killTree(pid: number): void {
  if (process.platform === 'win32') {
    spawnSync('taskkill', ['/PID', String(pid), '/T', '/F'], { windowsHide: true });
    return;
  }
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    const isGone = error instanceof Error && 'code' in error && error.code === 'ESRCH';
    if (!isGone) throw error;
  }
}
