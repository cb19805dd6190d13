// Sorts and filters the tables of reports; runs in the browser. The table is complete without it.
(() => {
  for (const root of document.querySelectorAll("[data-schemoe-report]:not([data-live])")) {
    root.dataset.live = "";
    const body = root.querySelector("tbody");
    const rows = [...body.rows];
    const heads = [...root.querySelectorAll("thead th")];
    const count = root.querySelector("[data-count]");
    const search = root.querySelector("input");
    const value = (row, at) => {
      const text = row.cells[at].dataset.value;
      const number = Number(text);
      return text === "" || Number.isNaN(number) ? text : number;
    };
    heads.forEach((head, at) => {
      const button = head.querySelector("button");
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        for (const other of heads) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const sign = down ? -1 : 1;
        const sorted = rows.map((row, i) => [value(row, at), i, row]).sort(([a, i], [b, j]) =>
          sign * (a < b ? -1 : a > b ? 1 : 0) || i - j
        );
        body.append(...sorted.map(([, , row]) => row));
      });
    });
    search.addEventListener("input", () => {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const row of rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
        if (!row.hidden) shown++;
      }
      count.textContent = shown === rows.length
        ? `${rows.length} runs`
        : `${shown} of ${rows.length} runs`;
    });
  }
})();
