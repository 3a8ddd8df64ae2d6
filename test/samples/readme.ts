/**
 * A sample's README as something that can be run: its `sh` blocks are commands, and the block that follows one is what
 * the command prints, where `…` stands for anything. The first command starts the server.
 */
import { readFileSync } from 'node:fs';

export interface Command {
  readonly command: string;
  /** What it prints; undefined when the page does not show it. */
  readonly output: string | undefined;
}

export interface Readme {
  readonly start: string;
  readonly commands: readonly Command[];
  readonly lineCount: number;
}

export function readReadme(file: string): Readme {
  const text = readFileSync(file, 'utf8');
  const [first, ...rest] = readCommands(text);
  if (first === undefined) throw new Error(`${file} has no command that starts its server`);
  return { start: first.command, commands: rest, lineCount: text.split('\n').length };
}

/** The commands of a page, or of a part of one, in order. */
export function readCommands(text: string): Command[] {
  const blocks = [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(([, language = '', content = '']) => ({
    language,
    content: content.trim(),
  }));
  return blocks.flatMap(({ language, content }, index) => {
    if (language !== 'sh') return [];
    const next = blocks[index + 1];
    return [{ command: content, output: next === undefined || next.language === 'sh' ? undefined : next.content }];
  });
}

/** Whether `actual` is what the page shows; a line that is only `…` stands for any number of lines. */
export function isAsShown(shown: string, actual: string): boolean {
  const pattern = shown
    .replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
    .replaceAll(/^…\n/gm, '(?:[^]*\n)?')
    .replaceAll('…', '[^]*');
  return new RegExp(`^${pattern}$`).test(actual.replaceAll('\r\n', '\n').trim());
}
