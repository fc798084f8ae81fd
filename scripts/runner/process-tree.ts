import { type ChildProcess, spawnSync } from 'node:child_process';

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

/** Ends a child and all that it has started when the signal aborts; the child leads a group of its own, as above. */
export function endWith(child: ChildProcess, signal: AbortSignal): void {
  const stop = () => child.pid !== undefined && killTree(child.pid);
  signal.addEventListener('abort', stop);
  child.once('close', () => signal.removeEventListener('abort', stop));
}
