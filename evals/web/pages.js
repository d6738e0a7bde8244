// A page a run, and a page a task.

const spending = (s) => [known(s.usd) ? dollars(s.usd) : known(s.usd_at_most) ? `at most ${dollars(s.usd_at_most)}` : "cost unknown",
  known(s.tokens) ? `${whole(s.tokens)} tokens` : "tokens unknown"].join(", ");
const spanOf = (entry) => [entry.started, entry.finished].filter(known).map((t) => t.replace("T", " ").replace("+00:00", " UTC")).join(" to ");

function runPage({ board }, id) {
  const entry = board.entries.find((e) => e.id === id);
  if (!entry) return missingPage(`There is no entry ${id} here.`);
  const f = entry.figures;
  const names = [["fast_0", share], ["fast_0.5", share], ["fast_0.8", share], ["fast_1", share], ["fast_1.5", share], ["fast_2", share],
    ["geomean_all", factor], ["geomean_fallback", factor], ["geomean_correct", factor], ["median", factor], ["p75", factor], ["mean", factor], ["sol", score], ["generalization", factor]];
  const meaning = { geomean_all: "geometric mean, failures at 1", geomean_fallback: "geometric mean, 1 where not faster", geomean_correct: "geometric mean of correct kernels only", median: "median, failures at 1", p75: "75th percentile, failures at 1", mean: "mean, failures at 1", sol: "SOL score, failures at 0", generalization: "speedup at shown by hidden shapes" };
  const all = el("table", { class: "figures" }, el("caption", { class: "hidden" }, "All figures"), el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Figure"), board.baselines.map((b) => el("th", { scope: "col", class: "number" }, `vs ${b}`)))),
    el("tbody", {}, names.map(([name, said]) => el("tr", {}, el("th", { scope: "row" }, meaning[name] || name),
      board.baselines.map((b) => el("td", { class: "number" }, figure(f.against[b][name], said)))))));
  const general = [["correct", "correct", share], ["roofline", "share of roofline", share], ["own_time", "own-time share", share], ["any_shape", "right at shapes not shown", share], ["usd_per_kernel", "dollars a correct kernel", dollars], ["minutes_per_kernel", "minutes a correct kernel", minutes], ["pass@1", "pass@1", share], ["pass@5", "pass@5", share], ["pass@10", "pass@10", share]];
  return el("div", {},
    el("div", { class: "lead" }, el("h1", {}, entry.label), el("p", {}, `${entry.n} tasks of ${suiteName(entry)} on ${deviceName(entry)}. `, Object.entries(entry.states).map(([s, n]) => `${n} ${words(s)}`).join(", "), ".")),
    el("div", { class: "pair" },
      el("section", {}, el("h2", {}, "Whole batch"), facts(general.map(([name, label, said]) => [label, figure(f[name], said, true)]), "Figures that no baseline enters"), auditCell(entry)),
      el("section", {}, el("h2", {}, "Where and how"), facts([["Models", entry.models.join(", ")], ["When", spanOf(entry)], ["Command", el("code", { class: "long" }, entry.command.join(" "))],
        ["Spent", `${spending(entry.spent)}, ${whole(entry.spent.evaluations)} evaluations, ${minutes(known(entry.spent.wall_s) ? entry.spent.wall_s / 60 : null)} min`],
        ...Object.entries(entry.environment).map(([k, v]) => [k, v || "none"]), ["Vector units", entry.isa.join(" ") || null]], "Machine and command"))),
    el("section", {}, el("h2", {}, "Against each baseline"), el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "All figures" }, all)),
    el("section", { class: "charts", "aria-label": "Charts" }, fastCurve([entry], filters.baseline), distribution([entry], filters.baseline), costChart([entry], filters.baseline), rooflineChart([entry])),
    el("section", {}, el("h2", {}, "Tasks"), taskTable(entry.tasks.map((t) => ({ e: entry, t })), false, filters.baseline)),
    el("section", {}, el("h2", {}, "By kind"), sliceTable([entry], filters.baseline)));
}

function taskPage({ board, details }, id, name) {
  const entry = board.entries.find((e) => e.id === id);
  const task = entry && entry.tasks.find((t) => t.task === name);
  if (!task) return missingPage(`There is no task ${name} in ${id}.`);
  const detail = details.tasks[id][name];
  const kernel = task.kernel;
  const others = board.entries.flatMap((e) => e.tasks.filter((t) => t.task === name && e !== entry).map((t) => ({ e, t })));
  return el("div", {},
    el("div", { class: "lead" }, el("h1", {}, name), el("p", {}, el("a", { href: route("run", id) }, entry.label), ` on ${deviceName(entry)}`,
      task.category && ` · ${task.category}`, known(task.level) && ` · level ${task.level}`), verdictChip(task)),
    el("div", { class: "pair" },
      el("section", {}, el("h2", {}, kernel ? "Best kernel" : "No correct kernel"), kernel ? kernelFacts(task) : el("p", {}, task.reason || "No candidate was accepted.")),
      el("section", {}, el("h2", {}, "Search"), searchFacts(task, detail))),
    detail.curve.length > 1 && searchCurve(detail, task),
    others.length > 0 && el("section", {}, el("h2", {}, "The same task elsewhere"), taskTable([{ e: entry, t: task }, ...others], true, filters.baseline, { by: 1, down: false, all: true })),
    kernel && verdictSection(task, detail),
    kernel && el("section", {}, el("h2", {}, "Source"), detail.note && el("p", { class: "note" }, detail.note), sourceView(detail, details.lines, name)),
    kernel && detail.diff && el("section", {}, el("h2", {}, "Changed from its parent"), diffView(detail, details.lines)),
    detail.rows.length > 0 && el("section", {}, el("h2", {}, "Lineage and attempts"), lineage(detail, kernel), attemptTable(detail)),
    Object.keys(task.reasons).length > 0 && el("section", {}, el("h2", {}, "What is not known, and why"), facts(Object.entries(task.reasons), "Reasons")));
}

function kernelFacts(task) {
  const k = task.kernel;
  return facts([
    ["Against eager", speedupFigure(k.speedup.eager)], ["Against torch.compile", speedupFigure(k.speedup.compile)],
    ["Against the best", speedupFigure(k.speedup.best)],
    ...Object.entries(k.time_ms).map(([who, ms]) => [`Time, ${who === "candidate" ? "kernel" : who}`, millis(ms)]),
    ["Physical floor", known(k.floor_ms) ? millis(k.floor_ms) : null], ["Share of roofline", known(k.roofline) ? `${share(k.roofline)} of what ${k.bound} allows` : null],
    ["SOL score", known(k.sol.eager) ? `${score(k.sol.eager)} against eager, ${score(k.sol.compile)} against torch.compile` : null],
    ["Track", k.track && `${k.track}: ${TRACK_HELP[k.track]}`], ["Own time", known(k.own_time_share) ? share(k.own_time_share) : null],
    ["Precision", k.precision], ["Language", k.language], ["Candidate", el("code", {}, k.candidate)],
    ["SHA-256", el("code", { class: "long" }, k.sha256)], ["File", k.path && el("code", { class: "long" }, k.path)],
    ["Bundle", k.bundle ? outward(k.bundle, k.bundle) : "none was made"]], "The best kernel");
}

function searchFacts(task, detail) {
  return facts([
    ["State", [words(task.state), task.reason && el("span", { class: "range" }, task.reason)]],
    ["Attempts", `${whole(task.attempts)}, ${whole(task.accepted)} accepted`],
    ["Samples", task.samples && `${task.samples.correct} correct of ${task.samples.n}`],
    ["Spent", spending(task.spent)],
    ["Time", `${minutes(known(task.spent.wall_s) ? task.spent.wall_s / 60 : null)} minutes, ${whole(task.spent.evaluations)} ${task.spent.evaluations === 1 ? "evaluation" : "evaluations"}`],
    ["Seed", known(task.seed) ? String(task.seed) : null], ["Task audit", task.audit], ["Task SHA-256", task.hash && el("code", { class: "long" }, task.hash)],
    ["Run", task.run && el("code", { class: "long" }, task.run)],
    ...detail.shapes.map((s) => [`Shape ${s.name} (${s.shown ? "shown" : "hidden"})`, s.eager ? figure({ value: s.eager[0], low: s.eager[1], high: s.eager[2] }, factor) : NONE])], "The search");
}

function searchCurve(detail, task) {
  const last = Math.max(task.spent.evaluations, detail.curve.at(-1)[0]);
  const draw = (width) => {
    const height = 210, box = { left: 52, right: width - 14, top: 10, bottom: height - 42 };
    const bests = detail.curve.map(([, b]) => b);
    const x = scale(1, Math.max(2, last), box.left, box.right), y = scale(Math.min(1, ...bests) / 1.1, Math.max(...bests) * 1.1, box.bottom, box.top, true);
    const drawn = canvas(width, height, "Best speedup against eager by evaluation");
    const ticks = [...new Set([1, Math.round(last / 2), last])];
    drawn.append(...axisX(x, ticks, box.top, box.bottom, String).flat());
    drawn.append(...axisY(y, logTicks(Math.min(1, ...bests) / 1.1, Math.max(...bests) * 1.1, 5), box.left, box.right, (v) => plainNumber(v) + "×").flat());
    const steps = detail.curve.flatMap(([n, b], i) => (i ? [[n, detail.curve[i - 1][1]], [n, b]] : [[n, b]]));
    steps.push([last, bests.at(-1)]);
    drawn.append(svg("polyline", { class: "series s0", points: steps.map(([n, b]) => `${x(n)},${y(b)}`).join(" ") }));
    drawn.append(svg("text", { class: "tick", x: (box.left + box.right) / 2, y: height - 6, "text-anchor": "middle" }, "evaluations"));
    return drawn;
  };
  const table = () => facts(detail.curve.map(([n, b]) => [`after ${n}`, factor(b)]), "Best by evaluation");
  return chart("The search", "Best speedup against eager as the search measured it; the final confirmation is what counts.", draw, table);
}

function verdictSection(task, detail) {
  const v = detail.verdict;
  const counters = Object.entries(v.counters);
  return el("section", {}, el("h2", {}, "Verdict"),
    v.findings.length ? el("ul", { class: "findings" }, v.findings.map((f) => el("li", {}, chip(f.severity, { error: "bad", warning: "warn", note: "" }[f.severity]), " ", el("code", {}, f.code), " ", f.message))) : el("p", { class: "note" }, "No findings."),
    el("h3", {}, "Counters"),
    counters.length ? facts(counters.map(([name, value]) => [words(name), typeof value === "object" ? JSON.stringify(value) : String(value)]), "Counters")
      : el("p", { class: "note" }, `None: ${task.reasons.counters || "not collected"}.`),
    el("p", { class: "note" }, "Judging took ", Object.entries(v.seconds).map(([stage, s]) => `${stage} ${s.toFixed(1)} s`).join(", ") || "an unknown time", "."));
}

// From the first idea to the best kernel, along its parents.
function lineage(detail, kernel) {
  const by = new Map(detail.rows.map((r) => [r.candidate, r]));
  const line = [];
  for (let at = kernel && by.get(kernel.candidate); at && !line.includes(at); at = by.get(at.parent)) line.unshift(at);
  if (!line.length) return null;
  return el("ol", { class: "lineage" }, line.map((row) => el("li", {}, el("code", {}, row.candidate.slice(0, 8)), known(row.speedup) && el("strong", {}, factor(row.speedup)), el("span", {}, row.note || ""))));
}

function attemptTable(detail) {
  return sortable({
    caption: "Attempts", rows: detail.rows.map((row, i) => ({ ...row, i: i + 1 })), most: 60,
    columns: [
      { label: "Attempt", number: true, value: (r) => -r.i, show: (r) => r.i },
      { label: "Candidate", value: (r) => r.candidate, show: (r) => el("code", {}, r.candidate.slice(0, 8)) },
      { label: "Round", number: true, value: (r) => r.round, show: (r) => r.round },
      { label: "Outcome", value: (r) => r.verdict + r.stage, show: (r) => (r.verdict === "accepted" ? chip("accepted", "good") : chip(`${words(r.stage)}${r.code ? `: ${words(r.code)}` : ""}`, "bad")) },
      { label: "vs eager", number: true, value: (r) => r.speedup, show: (r) => factor(r.speedup) },
      { label: "From", value: (r) => r.parent, show: (r) => (r.parent ? [el("code", {}, r.parent.slice(0, 8)), r.other && [" + ", el("code", {}, r.other.slice(0, 8))]] : "a first idea") },
      { label: "What", wide: true, value: (r) => r.note || "", show: (r) => r.note || NONE }],
  });
}

function missingPage(text) {
  return el("div", { class: "lead" }, el("h1", {}, "Not here"), el("p", {}, text, " ", el("a", { href: "#/" }, "To the overview")));
}
