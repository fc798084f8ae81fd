import { readArgs } from '../args.ts';
import type { Command, Invocation } from '../command.ts';
import { main } from '../main.ts';
import { kitPaths } from '../paths.ts';
import { awaitTermination } from '../loop/termination.ts';

/** A command for those who write content. It is a script of its own, and only in a clone with all dev dependencies. */
export interface Tool extends Pick<Command, 'help' | 'options'> {
  /** Rejects soon after the signal, with nothing left behind. */
  run(invocation: Invocation, signal: AbortSignal): Promise<number>;
}

/** Runs a tool with the arguments of this process. */
export function runTool(tool: Tool): Promise<void> {
  return main(async (args) => {
    const { words, flags } = await readArgs(args, tool.options);
    if (flags['help'] === true) {
      console.log(tool.help);
      return 0;
    }
    const termination = awaitTermination();
    try {
      return await tool.run({ ...kitPaths(process.env), words, flags }, termination.signal);
    } catch (error) {
      if (termination.signal.aborted) return termination.exitCode();
      throw error;
    } finally {
      termination.ignore();
    }
  });
}
