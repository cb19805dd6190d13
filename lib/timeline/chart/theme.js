// Gives the pictures of a page the theme of that page; runs in the browser. They are light without it.
(() => {
  /** Whether an element lies on a dark page, whoever made it dark. */
  function onDark(element) {
    for (let at = element; at; at = at.parentElement) {
      const [r, g, b, a = 1] = getComputedStyle(at).backgroundColor.match(/[\d.]+/g)?.map(Number) ??
        [0, 0, 0, 0];
      if (a > 0.5) return 0.2126 * r + 0.7152 * g + 0.0722 * b < 110;
    }
    const scheme = getComputedStyle(document.documentElement).colorScheme;
    return scheme.includes("dark") &&
      (!scheme.includes("light") || matchMedia("(prefers-color-scheme: dark)").matches);
  }

  /** Gives a chart the theme of its page, also when that changes. */
  function follow(root) {
    const look = () => root.dataset.schemoeTheme = onDark(root.parentElement) ? "dark" : "light";
    // a page may load the colours of its new theme after it has said so
    const soon = () => [0, 300, 1500].forEach((ms) => setTimeout(look, ms));
    look();
    const seen = new MutationObserver(soon);
    for (const element of [document.documentElement, document.body]) {
      seen.observe(element, { attributes: true });
    }
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", soon);
  }

  for (const root of document.querySelectorAll("[data-schemoe-picture], [data-schemoe-gantt]")) {
    if (!root.dataset.schemoeTheme) follow(root);
  }
})();
