// Charts as SVG, drawn to the width that there is, each with its numbers as a table below.

const CURVE_RANGE = [0.25, 8];
const seriesClass = (index) => `s${index % 6}`;

function chart(title, note, draw, table) {
  const stage = el("div", { class: "stage" });
  const box = el("figure", { class: "chart" },
    el("figcaption", {}, el("h3", {}, title), el("p", { class: "note" }, note)), stage,
    el("details", {}, el("summary", {}, "The same as a table"), table()));
  let width = 0;
  const redraw = () => {
    const now = Math.round(stage.clientWidth);
    if (!now || now === width) return;
    width = now;
    stage.replaceChildren(draw(width));
  };
  new ResizeObserver(redraw).observe(stage);
  return box;
}

function canvas(width, height, title) {
  return svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": title });
}

function scale(low, high, from, to, log) {
  const f = log ? Math.log : (v) => v;
  const span = f(high) - f(low) || 1;
  return (v) => from + ((f(Math.min(Math.max(v, low), high)) - f(low)) / span) * (to - from);
}

// Ticks of a logarithmic axis: 1, 2, 5 and their decades, thinned to what fits.
function logTicks(low, high, most) {
  for (const steps of [[1, 1.5, 2, 3, 4, 5, 6, 8], [1, 2, 5], [1, 3], [1]]) {
    const ticks = [];
    for (let decade = -6; decade <= 6; decade++) {
      for (const step of steps) {
        const tick = step * 10 ** decade;
        if (tick >= low * 0.999 && tick <= high * 1.001) ticks.push(tick);
      }
    }
    if (ticks.length <= most && ticks.length > 2) return ticks;
  }
  return [0.15, 0.5, 0.85].map((at) => Number((low * (high / low) ** at).toPrecision(2)));
}

const plainNumber = (v) => String(Number(v.toPrecision(3)));

function axisX(at, ticks, top, bottom, said) {
  return ticks.map((tick) => [
    svg("line", { class: "grid", x1: at(tick), x2: at(tick), y1: top, y2: bottom }),
    svg("text", { class: "tick", x: at(tick), y: bottom + 18, "text-anchor": "middle" }, said(tick))]);
}

function axisY(at, ticks, left, right, said) {
  return ticks.map((tick) => [
    svg("line", { class: "grid", x1: left, x2: right, y1: at(tick), y2: at(tick) }),
    svg("text", { class: "tick", x: left - 8, y: at(tick) + 4, "text-anchor": "end" }, said(tick))]);
}

function legend(entries) {
  return el("ul", { class: "legend" }, entries.map((entry, index) =>
    el("li", {}, svg("svg", { width: 26, height: 10, "aria-hidden": "true" },
      svg("line", { class: `series ${seriesClass(index)}`, x1: 1, x2: 25, y1: 5, y2: 5 })), entry.label)));
}

// fast_p of the tasks themselves: it falls by one task wherever p passes a speedup.
function exactSteps(entry, baseline) {
  const gains = entry.tasks.map((t) => t.kernel && t.kernel.speedup[baseline] && t.kernel.speedup[baseline].median).filter(known);
  const inside = [...new Set(gains.filter((g) => g > CURVE_RANGE[0] && g < CURVE_RANGE[1]))].sort((a, b) => a - b);
  const passed = (p) => gains.filter((g) => g > p).length / entry.tasks.length;
  const steps = [[CURVE_RANGE[0], passed(CURVE_RANGE[0])]];
  for (const gain of inside) steps.push([gain, steps.at(-1)[1]], [gain, passed(gain)]);
  return [...steps, [CURVE_RANGE[1], steps.at(-1)[1]]];
}

function fastCurve(entries, baseline) {
  const at = (entry, p) => {
    const exact = entry.figures.against[baseline][`fast_${p}`];
    return exact || null;
  };
  const draw = (width) => {
    const height = Math.max(240, Math.min(340, width * 0.55));
    const box = { left: 46, right: width - 12, top: 10, bottom: height - 42 };
    const x = scale(...CURVE_RANGE, box.left, box.right, true);
    const y = scale(0, 1, box.bottom, box.top);
    const drawn = canvas(width, height, `Share of tasks faster than p, for ${entries.length} entries; figures in the table below`);
    drawn.append(...axisX(x, [0.25, 0.5, 1, 2, 4, 8], box.top, box.bottom, (v) => v + "×").flat());
    drawn.append(...axisY(y, [0, 0.25, 0.5, 0.75, 1], box.left, box.right, share).flat());
    drawn.append(svg("line", { class: "rule", x1: x(1), x2: x(1), y1: box.top, y2: box.bottom }));
    drawn.append(svg("text", { class: "tick", x: (box.left + box.right) / 2, y: height - 6, "text-anchor": "middle" }, "p, speedup that is exceeded"));
    entries.forEach((entry, index) => {
      const points = entry.curves[baseline].filter(([p]) => p >= CURVE_RANGE[0] && p <= CURVE_RANGE[1]);
      if (!points.length) return;
      const band = [...points.map(([p, v, , high]) => [x(p), y(known(high) ? high : v)]),
        ...points.slice().reverse().map(([p, v, low]) => [x(p), y(known(low) ? low : v)])];
      drawn.append(svg("polygon", { class: `band ${seriesClass(index)}`, points: band.map((b) => b.join(",")).join(" ") }));
      const steps = exactSteps(entry, baseline).map(([p, v]) => `${x(p)},${y(v)}`);
      drawn.append(svg("polyline", { class: `series ${seriesClass(index)}`, points: steps.join(" ") }, svg("title", {}, entry.label)));
    });
    return el("div", {}, drawn, entries.length > 1 && legend(entries));
  };
  const table = () => el("table", {}, el("thead", {}, el("tr", {}, el("th", {}, "entry"),
    ["0", "0.5", "0.8", "1", "1.5", "2"].map((p) => el("th", { class: "number" }, `fast_${p}`)))),
  el("tbody", {}, entries.map((entry) => el("tr", {}, el("th", { scope: "row" }, entry.label),
    ["0", "0.5", "0.8", "1", "1.5", "2"].map((p) => el("td", { class: "number" }, figure(at(entry, p), share)))))));
  return chart("How many, how fast", `Share of all tasks with a correct kernel more than p times as fast as ${BASELINE_NAMES[baseline]} (fast_p). Bands: 95% over tasks.`, draw, () => el("div", { class: "scroll" }, table()));
}

function distribution(entries, baseline) {
  const gains = (entry) => entry.tasks.map((t) => ({ task: t.task, gain: t.kernel && t.kernel.speedup[baseline] && t.kernel.speedup[baseline].median }));
  const all = entries.flatMap(gains).map((g) => g.gain).filter(known);
  const low = Math.min(0.5, ...all) / 1.1, high = Math.max(2, ...all) * 1.1;
  const draw = (width) => {
    const lane = Math.max(66, Math.min(120, 220 / entries.length)), height = entries.length * lane + 44;
    const left = 70;
    const x = scale(low, high, left, width - 16, true);
    const drawn = canvas(width, height, `Speedups of every task against ${BASELINE_NAMES[baseline]}; figures in the table below`);
    drawn.append(...axisX(x, logTicks(low, high, width / 70), 4, height - 30, (v) => plainNumber(v) + "×").flat());
    drawn.append(svg("line", { class: "rule", x1: x(1), x2: x(1), y1: 4, y2: height - 30 }));
    drawn.append(svg("text", { class: "tick", x: 24, y: height - 12, "text-anchor": "middle" }, "failed"));
    entries.forEach((entry, index) => {
      const middle = index * lane + lane / 2 + 9;
      drawn.append(svg("text", { class: "lane", x: left, y: middle - 24 }, shortened(entry.label, (width - left) / 7.5)));
      const rows = gains(entry);
      const failed = rows.filter((r) => !known(r.gain)).length;
      drawn.append(svg("text", { class: "count", x: 24, y: middle + 5, "text-anchor": "middle" }, String(failed)));
      rows.filter((r) => known(r.gain)).forEach((r, i) => {
        const shift = ((i * 7) % 5 - 2) * 3.2;
        drawn.append(svg("circle", { class: `dot ${seriesClass(index)}`, cx: x(r.gain), cy: middle + shift, r: 3.2 },
          svg("title", {}, `${r.task}: ${factor(r.gain)}`)));
      });
      const mean = entry.figures.against[baseline].geomean_all;
      if (known(mean.value)) {
        if (known(mean.low)) drawn.append(svg("line", { class: "whisker", x1: x(mean.low), x2: x(mean.high), y1: middle + 17, y2: middle + 17 }));
        drawn.append(svg("path", { class: "mean", d: `M${x(mean.value)} ${middle + 11}l5 6l-5 6l-5 -6z` },
          svg("title", {}, `geometric mean ${factor(mean.value)}`)));
      }
    });
    return drawn;
  };
  const names = [["geomean_all", "geomean, failures at 1"], ["geomean_fallback", "geomean, 1 where slower"], ["geomean_correct", "geomean of correct ones"], ["median", "median"], ["p75", "75th percentile"], ["mean", "mean"]];
  const table = () => el("div", { class: "scroll" }, el("table", {}, el("thead", {}, el("tr", {}, el("th", {}, "entry"), names.map(([, label]) => el("th", { class: "number" }, label)))),
    el("tbody", {}, entries.map((entry) => el("tr", {}, el("th", { scope: "row" }, entry.label),
      names.map(([name]) => el("td", { class: "number" }, figure(entry.figures.against[baseline][name], factor))))))));
  return chart("Where the speedups lie", `One dot a task, against ${BASELINE_NAMES[baseline]}. The diamond is the geometric mean with failures at 1, with its 95% interval.`, draw, table);
}
