/** Text of a notebook file with these code cells. */
export const notebook = (...cells: string[]): string =>
  JSON.stringify({
    cells: cells.map((source) => ({
      cell_type: "code",
      execution_count: null,
      metadata: {},
      outputs: [],
      source,
    })),
    metadata: { kernelspec: { name: "schemoe", display_name: "schemoe" } },
    nbformat: 4,
    nbformat_minor: 5,
  });
