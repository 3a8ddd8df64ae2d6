/** Plain text tables for the terminal: first column to the left, figures to the right. */
import type { Spread } from './statistics.ts';

export function table(title: string, header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((cell, column) => Math.max(cell.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
      .trimEnd();
  return [title, line(header), widths.map((width) => '─'.repeat(width)).join('──'), ...rows.map(line), ''].join('\n');
}

/** A figure with three significant digits or, from 100 on, none behind the point. */
export function figure(value: number): string {
  if (Number.isNaN(value)) return '–';
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** `median (min–max)` */
export function figures(spread: Spread): string {
  if (Number.isNaN(spread.median)) return '–';
  return `${figure(spread.median)} (${figure(spread.min)}–${figure(spread.max)})`;
}
