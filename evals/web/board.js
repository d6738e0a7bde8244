// The overview: filters, entries, charts, slices and tasks.

const BASELINE_NAMES = { eager: "PyTorch eager", compile: "torch.compile", best: "the best baseline" };
const TRACK_HELP = { custom: "its own code does the work", mixed: "own code and libraries", library: "libraries do the work" };
const KINDS = ["level", "category", "language", "precision", "track"];
const filters = { suite: "", device: "", track: "", baseline: "eager", find: "", state: "", category: "", entryTable: null, taskTable: null };

const deviceName = (entry) => `${entry.device.name} (${entry.device.kind}${entry.device.threads ? `, ${entry.device.threads} threads` : ""})`;
const suiteName = (entry) => `${entry.suite} ${entry.suite_version}`;

// The figures of an entry under the chosen track: all tasks stay in the denominator.
function tracked(entry, track) {
  if (!track) return entry.figures;
  return entry.slices.track[track] || null;
}

function under(entry, track) {
  const figures = tracked(entry, track) || Object.values(entry.slices.track)[0] || entry.figures;
  if (!track) return entry;
  const tasks = entry.tasks.map((t) => (t.kernel && t.kernel.track !== track ? { ...t, kernel: null, correct: false } : t));
  return { ...entry, figures: tracked(entry, track) || { ...figures, ...nothing(entry) }, tasks, curves: curvesOf(tasks, entry) };
}

function nothing(entry) {
  const zero = { value: 0, low: null, high: null, n: entry.n, unknown: 0 };
  const one = { ...zero, value: 1 };
  const blank = { value: null, low: null, high: null, n: entry.n, unknown: 0, reason: "no kernel of this track" };
  const against = {};
  for (const baseline of Object.keys(BASELINE_NAMES)) {
    against[baseline] = Object.fromEntries(Object.keys(entry.figures.against[baseline]).map((name) =>
      [name, name.startsWith("fast_") ? zero : ["geomean_correct", "sol", "generalization"].includes(name) ? blank : one]));
  }
  return { correct: zero, roofline: blank, own_time: blank, any_shape: zero, usd_per_kernel: blank, minutes_per_kernel: blank, against };
}

function curvesOf(tasks, entry) {
  return Object.fromEntries(Object.keys(BASELINE_NAMES).map((baseline) => [baseline, entry.curves[baseline].map(([p]) => {
    const passed = tasks.filter((t) => t.kernel && (p === 0 || (t.kernel.speedup[baseline] && t.kernel.speedup[baseline].median > p))).length;
    return [p, passed / tasks.length, null, null];
  })]));
}

function auditCell(entry) {
  const a = entry.audit;
  const weak = a.tasks_weak || 0;
  return el("div", { class: "chips" },
    chip(`${a.confirmed}/${a.kernels} confirmed`, a.confirmed === a.kernels && a.kernels ? "good" : "", "kernels whose verdict is that of a final confirmation in a clean process"),
    a.warned ? chip(`${a.warned} warned`, "warn", "kernels whose verdict carries a warning") : null,
    weak ? chip(`${weak} weak tasks`, "bad", "tasks on which a kernel that leaves work out would pass") : null,
    a.tasks_unaudited ? chip(`${a.tasks_unaudited} unaudited`, "", "tasks that nobody has audited") : null);
}

function bundleCell(entry) {
  const found = entry.tasks.filter((t) => t.kernel && t.kernel.bundle);
  if (!found.length) return el("span", { class: "range" }, "no bundle");
  return found.length === 1 ? outward(found[0].kernel.bundle, "bundle") : el("span", { class: "range" }, `${found.length} bundles, by task`);
}

function entryTable(entries, baseline) {
  const against = (name) => (e) => e.figures.against[baseline][name];
  const plain = (name) => (e) => e.figures[name];
  const col = (label, get, said, help) => ({ label, help, number: true, value: (e) => get(e).value, show: (e) => figure(get(e), said) });
  const keep = (filters.entryTable ||= { by: 4, down: true, all: false });
  return sortable({
    caption: "Entries", rows: entries, keep,
    columns: [
      { label: "Entry", wide: true, value: (e) => e.label, show: (e) => [el("a", { class: "name", href: route("run", e.id) }, e.label),
        el("span", { class: "range" }, `${suiteName(e)} · ${deviceName(e)}`), stateNote(e)] },
      { label: "Tasks", number: true, value: (e) => e.n, show: (e) => whole(e.n) },
      col("Correct", plain("correct"), share, "share of all tasks with an accepted kernel"),
      col("fast_1", against("fast_1"), share, "share of all tasks with a correct kernel faster than the baseline"),
      col("Geomean", against("geomean_all"), factor, "geometric mean over all tasks, failures at 1"),
      col("Median", against("median"), factor, "over all tasks, failures at 1"),
      col("75th pct", against("p75"), factor, "75th percentile over all tasks, failures at 1"),
      col("SOL score", against("sol"), score, "1/2 at the baseline, 1 at the physical floor, 0 for failures"),
      col("Roofline", plain("roofline"), share, "mean share of the physical floor, 0 for failures"),
      col("$ a kernel", plain("usd_per_kernel"), dollars, "all dollars by correct kernels"),
      col("Min a kernel", plain("minutes_per_kernel"), minutes, "all minutes by correct kernels"),
      { label: "Audit, bundle", value: (e) => e.audit.confirmed, show: (e) => [auditCell(e), bundleCell(e)] }],
  });
}

function stateNote(entry) {
  const rest = Object.entries(entry.states).filter(([state]) => state !== "done");
  if (!rest.length) return null;
  return el("span", { class: "range" }, rest.map(([state, n]) => `${n} ${words(state)}`).join(", "));
}

function verdictChip(task) {
  if (task.kernel) {
    const weak = task.audit === "weak";
    const worst = task.kernel.findings.some((f) => f.severity === "warning");
    return el("div", { class: "chips" },
      task.kernel.confirmed ? chip("confirmed", "good", "final verdict from a clean process") : chip("not confirmed", "warn", "only the search's own verdict"),
      chip(`task ${task.audit}`, weak ? "bad" : task.audit === "sound" ? "good" : ""),
      worst ? chip(unique(task.kernel.findings.filter((f) => f.severity === "warning").map((f) => words(f.code))).join(", "), "warn") : null);
  }
  return chip(task.state === "done" ? "no correct kernel" : words(task.state), "bad", task.reason);
}

function taskTable(rows, several, baseline, keep) {
  const gain = (name) => ({ t }) => (t.kernel && t.kernel.speedup[name] ? t.kernel.speedup[name].median : null);
  const names = baseline === "best" ? ["best", "eager", "compile"] : ["eager", "compile"];
  return sortable({
    caption: "Tasks", rows, keep,
    columns: [
      { label: "Task", wide: true, value: ({ t }) => t.task, show: ({ e, t }) => [el("a", { class: "name", href: route("task", e.id, t.task) }, t.task),
        el("span", { class: "range" }, [t.category, known(t.level) && `level ${t.level}`].filter(Boolean).join(" · "))] },
      several && { label: "Entry", value: ({ e }) => e.label, show: ({ e }) => el("a", { href: route("run", e.id) }, e.label) },
      ...names.map((name) => ({ label: { eager: "vs eager", compile: "vs compile", best: "vs best" }[name], number: true, value: gain(name),
        show: ({ t }) => (t.kernel ? speedupFigure(t.kernel.speedup[name]) : NONE) })),
      { label: "Time", number: true, value: ({ t }) => (t.kernel ? t.kernel.time_ms.candidate : null), show: ({ t }) => (t.kernel ? millis(t.kernel.time_ms.candidate) : NONE) },
      { label: "Roofline", number: true, value: ({ t }) => (t.kernel ? t.kernel.roofline : null), show: ({ t }) => (t.kernel ? share(t.kernel.roofline) : NONE) },
      { label: "Track", value: ({ t }) => (t.kernel ? t.kernel.track : null), show: ({ t }) => (t.kernel && t.kernel.track ? el("span", { title: TRACK_HELP[t.kernel.track] }, t.kernel.track) : NONE) },
      { label: "Attempts", number: true, value: ({ t }) => t.attempts, show: ({ t }) => [whole(t.attempts), el("span", { class: "range" }, `${t.accepted} accepted`)] },
      { label: "Minutes", number: true, value: ({ t }) => t.spent.wall_s, show: ({ t }) => minutes(known(t.spent.wall_s) ? t.spent.wall_s / 60 : null) },
      { label: "Audit", value: ({ t }) => (t.kernel ? (t.kernel.confirmed ? 2 : 1) : 0), show: ({ t }) => verdictChip(t) },
      { label: "Bundle", value: ({ t }) => (t.kernel && t.kernel.bundle ? 1 : 0), show: ({ t }) => (t.kernel && t.kernel.bundle ? outward(t.kernel.bundle, "bundle") : el("span", { class: "unknown", title: t.reasons["best.bundle"] || "no bundle was made" }, NONE)) },
    ].filter(Boolean),
  });
}

function sliceTable(entries, baseline) {
  const rows = entries.flatMap((e) => KINDS.flatMap((kind) =>
    Object.entries(e.slices[kind]).map(([value, f]) => ({ e, kind, value, f }))));
  const col = (label, get, said) => ({ label, number: true, value: (r) => get(r.f).value, show: (r) => figure(get(r.f), said) });
  return sortable({
    caption: "By level, category, language, precision and track", rows, most: 40, sort: [0, false],
    columns: [
      { label: "Slice", wide: true, value: (r) => `${KINDS.indexOf(r.kind)} ${r.value}`, show: (r) => [el("span", { class: "name" }, r.value), el("span", { class: "range" }, r.kind)] },
      entries.length > 1 && { label: "Entry", value: (r) => r.e.label, show: (r) => r.e.label },
      { label: "Tasks", number: true, value: (r) => r.f.n, show: (r) => whole(r.f.n) },
      col("Correct", (f) => f.correct, share), col("fast_1", (f) => f.against[baseline].fast_1, share),
      col("Geomean", (f) => f.against[baseline].geomean_all, factor), col("Median", (f) => f.against[baseline].median, factor),
      col("SOL score", (f) => f.against[baseline].sol, score), col("Roofline", (f) => f.roofline, share)].filter(Boolean),
  });
}

function overview({ board, title }) {
  const page = el("div", {});
  const draw = () => {
    const all = board.entries;
    const { baseline, track } = filters;
    const entries = all.filter((e) => (!filters.suite || suiteName(e) === filters.suite) && (!filters.device || deviceName(e) === filters.device)).map((e) => under(e, track));
    const set = (name) => (value) => { filters[name] = value; draw(); tell(`${entries.length} entries, filtered anew`); focusField(name); };
    const pick = (name, label, options) => { const field = select(label, options, filters[name], set(name)); field.dataset.name = name; return field; };
    const bar = el("form", { class: "filters", "aria-label": "Filters", onsubmit: (event) => event.preventDefault() },
      pick("suite", "Suite", [["", "all suites"], ...named(unique(all.map(suiteName)))]),
      pick("device", "Device", [["", "all devices"], ...named(unique(all.map(deviceName)))]),
      pick("track", "Track", [["", "all tracks"], ...["custom", "mixed", "library"].map((t) => [t, `${t}: ${TRACK_HELP[t]}`])]),
      pick("baseline", "Against", Object.entries(BASELINE_NAMES)));
    const mixed = unique(entries.map(suiteName)).length > 1 || unique(entries.map(deviceName)).length > 1;
    page.replaceChildren();
    fill(page, {}, [
      el("div", { class: "lead" }, el("h1", {}, title), el("p", {}, lead(entries, baseline))),
      bar, mixed && el("p", { class: "note caution" }, "These entries differ in suite or device: their figures are not comparable with one another. Choose one of each."),
      el("section", { "aria-label": "Entries" }, entryTable(entries, baseline)),
      el("section", { class: "charts", "aria-label": "Charts" }, fastCurve(entries, baseline), distribution(entries, baseline), costChart(entries, baseline), rooflineChart(entries)),
      tasksSection(entries, baseline, all.length > 1),
      el("section", {}, el("h2", {}, "By kind"), el("p", { class: "note" }, "Level and category split the tasks. Language, precision and track do not: a task whose kernel is of another kind counts as failed there."), sliceTable(entries, baseline))]);
  };
  const focusField = (name) => { const field = page.querySelector(`[data-name="${name}"] select`); if (field) field.focus(); };
  draw();
  return page;
}

function lead(entries, baseline) {
  const tasks = entries.reduce((sum, e) => sum + e.n, 0);
  const correct = entries.reduce((sum, e) => sum + e.tasks.filter((t) => t.correct).length, 0);
  return `${entries.length} ${entries.length === 1 ? "entry" : "entries"}, ${tasks.toLocaleString("en")} results, ${correct.toLocaleString("en")} of them correct kernels. Speedups against ${BASELINE_NAMES[baseline]}; every task counts, failures too. Below each figure stands its 95% interval.`;
}

function tasksSection(entries, baseline, several) {
  const place = el("div", {});
  const rows = entries.flatMap((e) => e.tasks.map((t) => ({ e, t })));
  const keep = (filters.taskTable ||= { by: 0, down: false, all: false });
  const refresh = () => {
    const wanted = filters.find.trim().toLowerCase();
    const found = rows.filter(({ t }) => (!wanted || t.task.toLowerCase().includes(wanted)) && (!filters.category || t.category === filters.category)
      && (!filters.state || (filters.state === "correct" ? t.correct : filters.state === "faster" ? t.kernel && t.kernel.speedup[baseline] && t.kernel.speedup[baseline].low > 1 : !t.correct)));
    place.replaceChildren(taskTable(found, several, baseline, keep));
    count.textContent = `${found.length} of ${rows.length}`;
  };
  const count = el("span", { class: "note", role: "status" });
  const find = el("input", { type: "search", value: filters.find, oninput: () => { filters.find = find.value; refresh(); } });
  const bar = el("form", { class: "filters", "aria-label": "Filter tasks", onsubmit: (event) => event.preventDefault() },
    el("label", { class: "field" }, el("span", {}, "Find a task"), find),
    select("Result", [["", "all"], ["correct", "correct"], ["faster", "surely faster"], ["failed", "failed"]], filters.state, (v) => { filters.state = v; refresh(); }),
    select("Category", [["", "all categories"], ...named(unique(rows.map(({ t }) => t.category)))], filters.category, (v) => { filters.category = v; refresh(); }), count);
  refresh();
  return el("section", {}, el("h2", {}, "Tasks"), bar, place);
}
