import type { Key } from 'node:readline';
import { pipeToPager } from './external-pager.ts';
import type { Page } from './markdown.ts';
import { openPager, press, resized, shareSeen } from './pager-state.ts';
import { renderPager } from './pager-view.ts';
import { openScreen, type Terminal } from '../loop/screen.ts';

export interface PagerDocument {
  readonly title: string;
  readonly render: (width: number) => Promise<Page>;
  /** The heading to start at. */
  readonly anchor?: string | undefined;
  /** At the end, space and Enter leave it. */
  readonly leavesAtEnd?: boolean | undefined;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Shows the document to someone at a terminal, in `$PAGER` or else in a pager of our own, until they leave it.
 * Resolves to how much of it was on screen, 0 to 1; what another pager showed nobody knows, it gives 1.
 */
export async function showInPager(
  document: PagerDocument,
  terminal: Terminal = { input: process.stdin, output: process.stdout },
): Promise<number> {
  const command = process.env['PAGER']?.trim() ?? '';
  if (command !== '') {
    const page = await document.render(sizeOf(terminal).textWidth);
    const text = page.lines.join('\n');
    if (await pipeToPager(command, text, lineOf(page, document.anchor))) return 1;
  }
  return showInOwnPager(document, terminal);
}

async function showInOwnPager(document: PagerDocument, terminal: Terminal): Promise<number> {
  const { textWidth, rows } = sizeOf(terminal);
  const page = await document.render(textWidth);
  let state = openPager(document.title, page, rows, {
    line: lineOf(page, document.anchor),
    leavesAtEnd: document.leavesAtEnd,
  });
  const draw = () => screen.draw(renderPager(state, sizeOf(terminal).width));

  function onKeypress(text: string | undefined, key: Key): void {
    state = press(state, { text, name: key.name, ctrl: key.ctrl });
    if (state.isDone) left.resolve();
    else draw();
  }

  async function rewrap(): Promise<void> {
    const size = sizeOf(terminal);
    const rewrapped = await document.render(size.textWidth);
    // Rendering takes a moment; when the size has changed meanwhile, the turn for that one comes.
    if (size.textWidth !== sizeOf(terminal).textWidth) return;
    state = resized(state, rewrapped, sizeOf(terminal).rows);
    draw();
  }

  const left = untilLeft(terminal);
  const screen = openScreen(terminal, {
    onKey: () => undefined,
    onResize: () => void rewrap().catch(left.reject),
  });
  // Beside the screen's own listener: it tells no `n` from `N`, and nothing of `/`.
  terminal.input.on('keypress', onKeypress);
  try {
    draw();
    await left.promise;
  } finally {
    terminal.input.off('keypress', onKeypress);
    screen.close();
    left.stop();
  }
  return shareSeen(state);
}

/** Settles when someone leaves the pager or when it has to end: no more keys, or a signal. */
function untilLeft({ input }: Terminal) {
  let resolve: () => void = () => undefined;
  let reject: (error: unknown) => void = () => undefined;
  const promise = new Promise<void>((onLeft, onError) => {
    resolve = onLeft;
    reject = onError;
  });
  let received: NodeJS.Signals | undefined;
  const onSignal = (signal: NodeJS.Signals) => {
    received = signal;
    resolve();
  };
  input.on('end', resolve);
  for (const signal of SIGNALS) process.on(signal, onSignal);

  /** Once the terminal is restored a signal does what it would have done without us. */
  function stop(): void {
    input.off('end', resolve);
    for (const signal of SIGNALS) process.off(signal, onSignal);
    if (received && process.listenerCount(received) === 0) process.kill(process.pid, received);
  }
  return { promise, resolve, reject, stop };
}

/** Columns and rows for the whole screen and for the text, in which lines are kept short enough to read. */
function sizeOf({ output }: Terminal) {
  const width = output.columns || 80;
  return { width, textWidth: Math.min(width, 100), rows: Math.max(1, (output.rows || 24) - 1) };
}

function lineOf(page: Page, anchor: string | undefined): number {
  return page.headings.find((heading) => heading.anchor === anchor)?.line ?? 0;
}
