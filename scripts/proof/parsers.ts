import { contentParsers } from './parsers/content.ts';
import { learnerParsers } from './parsers/learner.ts';
import type { Parser } from './parsers/parser.ts';
import { readerParsers } from './parsers/reader.ts';

/** All that reads what people wrote. */
export const parsers: readonly Parser[] = [...contentParsers, ...learnerParsers, ...readerParsers];
