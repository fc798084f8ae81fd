import { stringify } from 'yaml';

export interface NewFile {
  readonly file: string;
  readonly text: string;
}

type Fields = Readonly<Record<string, string | number>>;

/** YAML that reads back as it was meant, whatever the texts hold, and is formatted as the rest. */
export function yamlOf(fields: Fields): string {
  return stringify(fields, { lineWidth: 0, singleQuote: true });
}

export function frontMatter(fields: Fields): string {
  return `---\n${yamlOf(fields)}---\n`;
}
