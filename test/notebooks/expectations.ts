/** What a tutorial must show, by patterns that some output must match, its text or any MIME type. */
export const expectations: Readonly<Record<string, readonly RegExp[]>> = {
  "01-first-layer.ipynb": [/<svg[^]*<rect[^]*<\/svg>/, /makespan/],
};
