// Makes the Gantt charts of a page zoomable; runs in the browser. The charts are complete without it.
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const NS = { ns: 1, us: 1e3, ms: 1e6, s: 1e9 };

  function time(ns) {
    const unit = Object.keys(NS).findLast((u) => Math.abs(ns) >= NS[u]) ?? "ns";
    return `${(ns / NS[unit]).toFixed(unit === "ns" ? 0 : 2)} ${unit}`;
  }

  /** Distance between ticks: 1, 2 or 5 times a power of ten, about `count` of them. */
  function tickStep(span, count) {
    const power = 10 ** Math.floor(Math.log10(span / count));
    return power * ([1, 2, 5].find((m) => power * m * count >= span) ?? 10);
  }

  /** One SVG with its data: draws the part of the time axis from `begin` to `end`. */
  function chart(svg, data) {
    const { left, right, bars } = data;
    const group = (name) => svg.querySelector(`g.gantt-${name}`);
    const axisGroup = (name) => svg.querySelector(`g[aria-label="${name}"]`);
    const children = (name) => [...(group(name)?.children ?? [])];
    const rects = children("bars");
    const count = rects.length;
    const waits = children("waiting");
    const waiting = [];
    for (let i = 0; i < count; i++) if (bars[4 * i + 1] > bars[4 * i]) waiting.push(i);
    const exposed = children("exposed");
    const path = children("path");
    const links = children("links");
    const others = children("off");
    const gaps = children("gaps");
    const memory = children("memory");
    const gapTexts = group("waits");
    const texts = group("labels");
    const tops = rects.map((r) => +r.getAttribute("y") + +r.getAttribute("height") / 2);
    const told = [...rects, ...gaps, ...memory];
    const titles = new Map(told.map((r) => [r, r.querySelector("title")?.textContent ?? ""]));
    // the browser's own tooltip would come on top of ours
    for (const r of told) r.querySelector("title")?.remove();
    const gapTops = gaps.map((r) => +r.getAttribute("y") + +r.getAttribute("height") / 2);

    let scale, from;
    const x = (t) => left + (t - from) * scale;
    function place(rect, begin, end, gap) {
      const a = Math.max(left, x(begin)), b = Math.min(right, x(end));
      const visible = x(end) >= left && x(begin) <= right && b >= a;
      rect.style.display = visible ? "" : "none";
      if (!visible) return 0;
      const width = Math.max(0.75, b - a > 3 ? b - a - gap : b - a);
      rect.setAttribute("x", a.toFixed(2));
      rect.setAttribute("width", width.toFixed(2));
      return width;
    }
    function write(parent, text, cx, cy, fill) {
      const t = document.createElementNS(SVG, "text");
      t.setAttribute("transform", `translate(${cx.toFixed(2)},${cy})`);
      t.setAttribute("y", "0.32em");
      if (fill) t.setAttribute("fill", fill);
      t.textContent = text;
      parent.append(t);
      return t;
    }
    function axis(begin, end) {
      const step = tickStep((end - begin) / data.unitNs, 8);
      const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
      const [ticks, names, grid] = ["x-axis tick", "x-axis tick label", "x-grid"].map(axisGroup);
      for (const g of [ticks, names, grid]) g?.replaceChildren();
      const first = Math.ceil(begin / data.unitNs / step - 1e-9);
      for (let k = first; k * step * data.unitNs <= end * (1 + 1e-12); k++) {
        const at = x(k * step * data.unitNs);
        const tick = document.createElementNS(SVG, "path");
        tick.setAttribute("d", "M0,0L0,4");
        tick.setAttribute("transform", `translate(${at.toFixed(2)},${data.bottom})`);
        ticks?.append(tick);
        if (names) {
          write(names, (k * step).toFixed(digits), at, data.bottom).setAttribute("y", "0.71em");
        }
        const line = document.createElementNS(SVG, "line");
        for (
          const [name, value] of [["x1", at], ["x2", at], ["y1", data.top], ["y2", data.bottom]]
        ) {
          line.setAttribute(name, value.toFixed(2));
        }
        grid?.append(line);
      }
    }
    function draw(begin, end) {
      scale = (right - left) / (end - begin);
      from = begin;
      texts?.replaceChildren();
      for (let i = 0; i < count; i++) {
        const [start, begun, stop, kind] = bars.slice(4 * i, 4 * i + 4);
        const wide = place(rects[i], start, stop, 0.75);
        if (!wide || !texts || !data.fontSize) continue;
        const a = Math.max(left, x(begun)), b = Math.min(right, x(stop));
        const { names, ink } = data.labels[kind];
        const fits = names.find((n) => Math.ceil(n.length * data.fontSize * 0.61) + 5 <= b - a);
        if (fits) write(texts, fits, (a + b) / 2, tops[i], ink);
      }
      waits.forEach((r, i) => place(r, bars[4 * waiting[i]], bars[4 * waiting[i] + 1], 0));
      memory.forEach((r, i) => place(r, data.memory[2 * i], data.memory[2 * i + 1], 0));
      gapTexts?.replaceChildren();
      gaps.forEach((r, i) => {
        const [start, stop] = [data.gaps[2 * i], data.gaps[2 * i + 1]];
        if (!place(r, start, stop, 0) || !gapTexts || !data.fontSize) return;
        const a = Math.max(left, x(start)), b = Math.min(right, x(stop));
        const size = data.fontSize - 1;
        const fits = data.gapTexts[i].find((n) => Math.ceil(n.length * size * 0.61) + 4 <= b - a);
        if (fits) write(gapTexts, fits, (a + b) / 2, gapTops[i]);
      });
      exposed.forEach((r, i) => place(r, data.exposed[2 * i], data.exposed[2 * i + 1], 0));
      path.forEach((r, i) => place(r, data.path[2 * i], data.path[2 * i + 1], 0));
      others.forEach((r, i) => place(r, bars[4 * data.others[i]], bars[4 * data.others[i] + 2], 0));
      links.forEach((l, i) => {
        const at = x(data.links[i]);
        l.style.display = at >= left && at <= right ? "" : "none";
        const d = l.getAttribute("d");
        if (d) l.setAttribute("d", d.replace(/([ML])[-\d.e]+,/g, `$1${at.toFixed(2)},`));
      });
      axis(begin, end);
    }
    /** Time under a place on the screen. */
    function at(clientX) {
      const box = svg.getBoundingClientRect();
      const px = (clientX - box.left) * svg.viewBox.baseVal.width / box.width;
      return from + (Math.min(right, Math.max(left, px)) - left) / scale;
    }
    const tip = (target) => titles.get(target);
    scale = (right - left) / data.end;
    from = 0;
    return {
      svg,
      draw,
      at,
      tip,
      pixels: () => svg.getBoundingClientRect().width * (right - left) / svg.viewBox.baseVal.width,
    };
  }

  function set(root) {
    const datas = JSON.parse(root.querySelector("script[type='application/json']").textContent);
    const svgs = [...root.querySelectorAll("svg")];
    const charts = svgs.map((svg, i) => chart(svg, datas[i]));
    const whole = Math.max(...datas.map((d) => d.end));
    const view = { begin: 0, end: whole };
    let queued = false;
    const bar = document.createElement("div");
    bar.setAttribute("data-bar", "");
    bar.style.cssText =
      "font:12px system-ui,sans-serif;padding:4px 0;display:flex;gap:6px;align-items:center;flex-wrap:wrap";
    const said = document.createElement("span");
    said.style.opacity = "0.75";
    const tooltip = document.createElement("div");
    tooltip.style.cssText =
      "position:fixed;z-index:9999;pointer-events:none;display:none;white-space:pre;" +
      "font:12px/1.45 system-ui,sans-serif;padding:6px 9px;border-radius:5px;background:#1f2328;color:#fff;" +
      "border:1px solid #57606a;box-shadow:0 2px 8px #0006";

    function redraw() {
      queued = false;
      for (const c of charts) c.draw(view.begin, view.end);
      const all = view.end - view.begin >= whole * (1 - 1e-9);
      root.dataset.view = `${view.begin} ${view.end}`;
      said.textContent = all
        ? "wheel: zoom · drag: move · double click: everything"
        : `${time(view.begin)} to ${time(view.end)} of ${time(whole)}`;
    }
    function look(begin, span) {
      span = Math.min(whole, Math.max(whole * 1e-5, span));
      view.begin = Math.min(whole - span, Math.max(0, begin));
      view.end = view.begin + span;
      if (!queued) requestAnimationFrame(redraw);
      queued = true;
    }
    const span = () => view.end - view.begin;
    function zoom(factor, around) {
      const wide = Math.min(whole, span() * factor);
      look(around - (around - view.begin) * wide / span(), wide);
    }
    const middle = () => (view.begin + view.end) / 2;
    const commands = [
      ["+", "zoom in", () => zoom(0.5, middle())],
      ["−", "zoom out", () => zoom(2, middle())],
      ["‹", "earlier", () => look(view.begin - span() / 4, span())],
      ["›", "later", () => look(view.begin + span() / 4, span())],
      ["all", "show everything", () => look(0, whole)],
    ];
    for (const [text, title, act] of commands) {
      const button = document.createElement("button");
      Object.assign(button, { textContent: text, title, type: "button" });
      button.style.cssText =
        "font:inherit;min-width:26px;padding:1px 7px;cursor:pointer;border-radius:4px;" +
        "border:1px solid #8c959f;background:transparent;color:inherit";
      button.addEventListener("click", act);
      bar.append(button);
    }
    bar.append(said);
    root.append(bar, tooltip);

    for (const c of charts) {
      let dragged;
      c.svg.style.touchAction = "pan-y";
      c.svg.addEventListener("wheel", (event) => {
        const factor = Math.exp(Math.max(-1, Math.min(1, event.deltaY / 200)));
        // at the whole width, scrolling on goes to the page
        if (factor > 1 && span() >= whole * (1 - 1e-9)) return;
        event.preventDefault();
        zoom(factor, c.at(event.clientX));
      }, { passive: false });
      c.svg.addEventListener("pointerdown", (event) => {
        if (event.button !== 0) return;
        dragged = { x: event.clientX, begin: view.begin };
        c.svg.setPointerCapture(event.pointerId);
        c.svg.style.cursor = "grabbing";
        event.preventDefault();
      });
      c.svg.addEventListener("pointermove", (event) => {
        if (dragged) {
          look(dragged.begin - (event.clientX - dragged.x) * span() / c.pixels(), span());
        }
        const text = dragged ? undefined : c.tip(event.target);
        tooltip.style.display = text ? "block" : "none";
        if (!text) return;
        tooltip.textContent = text;
        const { offsetWidth: w, offsetHeight: h } = tooltip;
        tooltip.style.left = `${Math.max(4, Math.min(innerWidth - w - 4, event.clientX + 14))}px`;
        tooltip.style.top = `${
          event.clientY + 18 + h > innerHeight ? event.clientY - h - 10 : event.clientY + 18
        }px`;
      });
      const drop = () => {
        dragged = undefined;
        c.svg.style.cursor = "";
      };
      c.svg.addEventListener("pointerup", drop);
      c.svg.addEventListener("pointercancel", drop);
      c.svg.addEventListener("pointerleave", () => tooltip.style.display = "none");
      c.svg.addEventListener("dblclick", () => look(0, whole));
    }
    redraw();
  }

  for (const root of document.querySelectorAll("[data-schemoe-gantt]:not([data-view])")) {
    try {
      set(root);
    } catch (error) {
      // the picture stays as it is
      console.warn("This Gantt chart cannot be zoomed", error);
    }
  }
})();
