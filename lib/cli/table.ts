/** Sets rows of text in columns; the first row is the head. */
export type TableWriter = (rows: readonly (readonly string[])[]) => string;

/**
 * With cli-table3 where it is installed, an optional peer. `npx slabpool` installs slabpool alone: columns without lines then.
 */
export async function loadTableWriter(): Promise<TableWriter> {
  let CliTable: typeof import('cli-table3');
  try {
    CliTable = (await import('cli-table3')).default;
  } catch {
    // Each loader says in its own way that it is not there: Yarn's Plug'n'Play throws errors without a code.
    return plain;
  }
  return (rows) => {
    const [head = [], ...body] = rows;
    const widths = widthsOf(rows).map((width) => width + PADDING);
    const excess =
      widths.reduce((sum, width) => sum + width + 1, 1) - (process.stdout.columns ?? Number.POSITIVE_INFINITY);
    if (excess > 0) widths.push(Math.max(NARROWEST, (widths.pop() as number) - excess));
    const table = new CliTable({
      head: [...head],
      colWidths: widths,
      wordWrap: true,
      style: { head: [], border: [], compact: true },
    });
    table.push(...body.map((row) => [...row]));
    return table.toString();
  };
}

const PADDING = 2;
/** The width of the last column, where the terminal has no room for all of it. */
const NARROWEST = 20;

const plain: TableWriter = (rows) => {
  const widths = widthsOf(rows);
  return rows
    .map((row) =>
      row
        .map((text, column) => text.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
};

function widthsOf(rows: readonly (readonly string[])[]): number[] {
  return (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
}
