import { failureMessage, type Thrown } from './failure-message.ts';
import { cannotImport } from './import-failure.ts';
import { shownPath, type SpecFiles, specChanged } from './spec-files.ts';
import { placeIn } from './stack-place.ts';
import type { Broken, Place } from './verdict.ts';

/** Why no test could begin: an import that leads nowhere, or an error while the files were loaded. */
export function loadFailure(error: Thrown, files: SpecFiles): Broken {
  const { message = '', stack } = error;
  const path = shownPath(files.answer, files);
  const at = placeIn(files.answer, stack);
  const text = failureMessage(error, files.root);

  const missing = /^Cannot find (?:module|package) '(.*?)' imported from (.*)/s.exec(message);
  if (missing?.[1] && missing[2]?.includes(files.answer))
    return cannotImport(missing[1], files, at);
  if (error.name === 'SyntaxError' && stack?.includes(files.answer)) {
    return broken('syntax', `${path} is not valid TypeScript: ${message}`, at);
  }
  if (at && !missing) {
    return broken('load', `${path} threw an error before the first test began.\n${text}`, at);
  }
  if (message.startsWith('No test suite found')) return specChanged('has no tests', files);
  return specChanged(`could not be loaded. ${text}`, files);
}

function broken(reason: Broken['reason'], message: string, at: Place | undefined): Broken {
  return { kind: 'broken', reason, message, ...(at && { at }) };
}
