// Two scatter plots: what speed costs, and how far from the physical floor kernels are.

// Points {label, x, y, low, high, index, href}; the front: none is cheaper and faster.
function front(points) {
  return points.filter((p) => !points.some((q) => q !== p && q.x <= p.x && q.y >= p.y && (q.x < p.x || q.y > p.y)))
    .sort((a, b) => a.x - b.x);
}

function costChart(entries, baseline) {
  const single = entries.length === 1;
  const costOf = (name) => entries.some((e) => (e.figures[name].value || 0) > 0);
  const money = costOf("usd_per_kernel");
  const unit = money ? "dollars" : "minutes";
  const points = single
    ? entries[0].tasks.filter((t) => t.kernel && t.kernel.speedup[baseline]).map((t) => ({
      label: t.task, x: money ? t.spent.usd : known(t.spent.wall_s) ? t.spent.wall_s / 60 : null,
      y: t.kernel.speedup[baseline].median, low: t.kernel.speedup[baseline].low, high: t.kernel.speedup[baseline].high,
      index: 0, href: route("task", entries[0].id, t.task) }))
    : entries.map((e, index) => {
      const gain = e.figures.against[baseline].geomean_fallback;
      return { label: e.label, x: e.figures[money ? "usd_per_kernel" : "minutes_per_kernel"].value, y: gain.value,
        low: gain.low, high: gain.high, index, href: route("run", e.id) };
    });
  const usable = points.filter((p) => known(p.x) && known(p.y));
  const best = front(usable);
  const draw = (width) => {
    if (!usable.length) return el("p", { class: "note" }, "No entry has both a known cost and a measured speedup.");
    const height = Math.max(240, Math.min(340, width * 0.55));
    const box = { left: 52, right: width - 18, top: 12, bottom: height - 44 };
    const positive = usable.map((p) => p.x).filter((v) => v > 0);
    const least = Math.min(...positive, 1e9) / 1.6, most = Math.max(...positive, 1e-9) * 1.6;
    const [x1, x2] = positive.length ? [least, most] : [0.1, 1];
    const y1 = Math.min(0.9, ...usable.map((p) => p.y)) / 1.15, y2 = Math.max(1.5, ...usable.map((p) => p.y)) * 1.25;
    const x = scale(x1, x2, box.left, box.right, true), y = scale(y1, y2, box.bottom, box.top, true);
    const drawn = canvas(width, height, `Speedup against cost in ${unit}; figures in the table below`);
    drawn.append(...axisX(x, logTicks(x1, x2, width / 90), box.top, box.bottom, (v) => (money ? "$" : "") + plainNumber(v)).flat());
    drawn.append(...axisY(y, logTicks(y1, y2, 6), box.left, box.right, (v) => plainNumber(v) + "×").flat());
    drawn.append(svg("text", { class: "tick", x: (box.left + box.right) / 2, y: height - 6, "text-anchor": "middle" }, `${unit} a ${single ? "task" : "correct kernel"}`));
    if (best.length > 1) {
      const steps = best.flatMap((p, i) => (i ? [[x(p.x), y(best[i - 1].y)], [x(p.x), y(p.y)]] : [[x(p.x), y(p.y)]]));
      drawn.append(svg("polyline", { class: "front", points: steps.map((s) => s.join(",")).join(" ") }));
    }
    const taken = [], dots = [];
    for (const p of usable) {
      if (!single && known(p.low)) drawn.append(svg("line", { class: "whisker", x1: x(p.x), x2: x(p.x), y1: y(p.low), y2: y(p.high) }));
      const dot = svg("circle", { class: `dot ${seriesClass(p.index)}${best.includes(p) ? " onfront" : ""}`, cx: x(p.x), cy: y(p.y), r: single ? 4 : 6 },
        svg("title", {}, `${p.label}: ${factor(p.y)}, ${money ? dollars(p.x) : minutes(p.x) + " minutes"}`));
      dots.push(dot);
      if (single) continue;
      const text = shortened(p.label, width / 18), long = 8 * text.length + 10;
      const covers = usable.some((q) => q !== p && x(q.x) >= x(p.x) && x(q.x) < x(p.x) + long && Math.abs(y(q.y) - y(p.y)) < 24);
      const right = x(p.x) + long > box.right || (covers && x(p.x) - long > box.left);
      let at = y(p.y) - 8;
      while (taken.some((other) => Math.abs(other - at) < 15)) at += 15;
      taken.push(at);
      drawn.append(svg("text", { class: "lane", x: x(p.x) + (right ? -10 : 10), y: at, "text-anchor": right ? "end" : "start" }, text));
    }
    drawn.append(...dots);
    return drawn;
  };
  const table = () => sortable({
    caption: "Cost against speedup", most: 60, sort: [1, true], rows: points,
    columns: [
      { label: single ? "Task" : "Entry", value: (p) => p.label, show: (p) => el("a", { href: p.href }, p.label) },
      { label: "Speedup", number: true, value: (p) => p.y, show: (p) => factor(p.y) },
      { label: money ? "Dollars" : "Minutes", number: true, value: (p) => p.x, show: (p) => (money ? dollars(p.x) : minutes(p.x)) },
      { label: "On the front", value: (p) => (best.includes(p) ? 1 : 0), show: (p) => (best.includes(p) ? "yes" : "no") }],
  });
  const what = single ? "One point a task" : "One point an entry: the geometric mean that users get, who keep the reference where it is faster";
  return chart("What speed costs", `${what}. The line is the Pareto front: nothing above it is cheaper.`, draw, table);
}

function rooflineChart(entries) {
  const points = entries.flatMap((entry, index) => entry.tasks.filter((t) => t.kernel && known(t.kernel.floor_ms) && known(t.kernel.time_ms.candidate)).map((t) => ({
    label: t.task, entry, index, floor: t.kernel.floor_ms, time: t.kernel.time_ms.candidate, bound: t.kernel.bound, share: t.kernel.roofline })));
  const draw = (width) => {
    if (!points.length) return el("p", { class: "note" }, "No kernel has a measured roofline.");
    const height = Math.max(240, Math.min(340, width * 0.55));
    const box = { left: 58, right: width - 18, top: 26, bottom: height - 44 };
    const values = points.flatMap((p) => [p.floor, p.time]);
    const low = Math.min(...values) / 1.4, high = Math.max(...values) * 1.4;
    const x = scale(low, high, box.left, box.right, true), y = scale(low, high, box.bottom, box.top, true);
    const drawn = canvas(width, height, "Time of each kernel against its physical floor; figures in the table below");
    drawn.append(...axisX(x, logTicks(low, high, width / 90), box.top, box.bottom, plainNumber).flat());
    drawn.append(...axisY(y, logTicks(low, high, 6), box.left, box.right, plainNumber).flat());
    let last = Infinity, down = 12;
    for (const [fraction, kind] of [[1, "rule"], [0.5, "guide"], [0.1, "guide"]]) {
      const end = high * fraction;
      if (end <= low) continue;
      drawn.append(svg("line", { class: kind, x1: x(low), y1: y(low / fraction), x2: x(end), y2: y(high) }));
      down = last - x(end) < 38 ? down + 14 : 12;
      last = x(end);
      drawn.append(svg("text", { class: "tick", x: last - 5, y: y(high) + down, "text-anchor": "end" }, share(fraction)));
    }
    drawn.append(svg("text", { class: "tick", x: (box.left + box.right) / 2, y: height - 6, "text-anchor": "middle" }, "physical floor, ms"));
    drawn.append(svg("text", { class: "tick", x: 4, y: 14 }, "kernel, ms"));
    for (const p of points) {
      const [cx, cy] = [x(p.floor), y(p.time)];
      const said = svg("title", {}, `${p.label}: ${share(p.share)} of what ${p.bound} allows`);
      drawn.append(p.bound === "compute"
        ? svg("path", { class: `dot ${seriesClass(p.index)}`, d: `M${cx} ${cy - 5}l5 9h-10z` }, said)
        : svg("circle", { class: `dot ${seriesClass(p.index)}`, cx, cy, r: 4 }, said));
    }
    return drawn;
  };
  const table = () => sortable({
    caption: "Share of the roofline", most: 60, sort: [1, true], rows: points,
    columns: [
      { label: "Task", value: (p) => p.label, show: (p) => el("a", { href: route("task", p.entry.id, p.label) }, p.label) },
      { label: "Share", number: true, value: (p) => p.share, show: (p) => share(p.share) },
      { label: "Bound by", value: (p) => p.bound, show: (p) => p.bound },
      { label: "Floor", number: true, value: (p) => p.floor, show: (p) => millis(p.floor) },
      { label: "Kernel", number: true, value: (p) => p.time, show: (p) => millis(p.time) },
      entries.length > 1 && { label: "Entry", value: (p) => p.entry.label, show: (p) => p.entry.label }].filter(Boolean),
  });
  return chart("How close to the floor", "Time of a call against the least that moving its bytes (circles) or doing its operations (triangles) takes at measured peaks. Lines: 100%, 50% and 10% of the floor.", draw, table);
}
