/**
 * Measurements of a page: functions that run in the browser, as text.
 * @module
 */

/** Texts of charts that lie on another text or leave their picture, at most 5 of them. */
export const overlaps = `(() => {
  const problems = [];
  for (const svg of document.querySelectorAll("svg")) {
    const outer = svg.getBoundingClientRect();
    if (outer.width < 100) continue;
    const boxes = [...svg.querySelectorAll("text")].filter((t) => t.textContent.trim())
      .map((t) => ({ text: t.textContent, box: t.getBoundingClientRect() }))
      .filter(({ box }) => box.width > 0);
    for (const [i, { text, box }] of boxes.entries()) {
      const out = box.left < outer.left - 1 || box.right > outer.right + 1 ||
        box.top < outer.top - 1 || box.bottom > outer.bottom + 1;
      if (out) problems.push(text + " leaves its picture");
      for (const other of boxes.slice(i + 1)) {
        const wide = Math.min(box.right, other.box.right) - Math.max(box.left, other.box.left);
        const high = Math.min(box.bottom, other.box.bottom) - Math.max(box.top, other.box.top);
        if (wide > 1 && high > 3) problems.push(text + " lies on " + other.text);
      }
    }
  }
  return problems.slice(0, 5);
})()`;

/** For each element of a selector, the contrast of its text with what is behind it. */
export const contrasts = (selector: string) =>
  `(() => {
  const parse = (color) => {
    const [r, g, b, a = 1] = color.match(/[\\d.]+/g).map(Number);
    return { rgb: [r, g, b], a };
  };
  const luminance = ({ rgb }) => rgb.map((c) => c / 255)
    .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0) + 0.05;
  return [...document.querySelectorAll(${JSON.stringify(selector)})].map((element) => {
    let behind = element;
    while (behind && parse(getComputedStyle(behind).backgroundColor).a === 0) behind = behind.parentElement;
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    const back = behind ? parse(getComputedStyle(behind).backgroundColor) : { rgb: dark ? [18, 18, 18] : [255, 255, 255] };
    const [low, high] = [luminance(parse(getComputedStyle(element).color)), luminance(back)].sort((a, b) => a - b);
    return high / low;
  });
})()`;

/** Texts of charts with the contrast of their fill with the paper of their picture; dashes of legends are left out. */
export const inks = `(() => {
  const luminance = (color) => color.match(/[\\d.]+/g).slice(0, 3).map((c) => c / 255)
    .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0) + 0.05;
  return [...document.querySelectorAll("svg text")].flatMap((text) => {
    const svg = text.closest("svg"), paper = svg.querySelector("rect");
    const name = text.textContent.trim();
    if (svg.getBoundingClientRect().width < 100 || /^[—–\\s]*$/.test(name)) return [];
    const behind = paper ? getComputedStyle(paper).fill : "rgb(18, 18, 18)";
    const [low, high] = [luminance(getComputedStyle(text).fill), luminance(behind)].sort((a, b) => a - b);
    return [{ name, ratio: high / low }];
  });
})()`;

/** Charts of the page: how much of each can be seen, their bars and their place on the screen. */
export const charts = `[...document.querySelectorAll("[data-schemoe-gantt] > svg")].map((svg) => {
  const { left, top, width, height } = svg.getBoundingClientRect();
  const style = getComputedStyle(svg);
  const bars = [...svg.querySelectorAll(".gantt-bars > rect")].filter((r) => r.style.display !== "none");
  const fill = getComputedStyle(svg.querySelector("rect")).fill;
  return { left, top: top + scrollY, width, height, paper: fill, bars: bars.length,
    shown: style.visibility === "visible" && style.display !== "none",
    widest: Math.max(...bars.map((r) => r.getBoundingClientRect().width)),
    view: svg.parentElement.dataset.view?.split(" ").map(Number) };
})`;
