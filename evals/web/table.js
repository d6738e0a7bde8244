// A table that can be sorted by keyboard, pointer or, where its head is hidden, a list.

// columns: {label, value(row) -> number | string | null, show(row) -> nodes, number, wide, help}
function sortable({ caption, columns, rows, sort, most = 150, keep }) {
  const state = keep || { by: sort ? sort[0] : 0, down: sort ? sort[1] : Boolean(columns[0].number), all: false };
  const body = el("tbody", { role: "rowgroup" });
  const more = el("p", { class: "more" });
  const heads = columns.map((column, index) => {
    const button = el("button", { type: "button", class: "sort", title: column.help, onclick: () => order(index) },
      column.label, el("span", { class: "arrow", "aria-hidden": "true" }));
    return el("th", { scope: "col", role: "columnheader", class: column.number ? "number" : null }, button);
  });
  const choice = select("Sort by", columns.map((c, i) => [String(i), c.label]), String(state.by), (v) => order(Number(v), true));
  const turn = el("button", { type: "button", class: "quiet", onclick: () => order(state.by) }, "");

  function order(index, keepDirection) {
    if (state.by === index && !keepDirection) state.down = !state.down;
    else [state.by, state.down] = [index, Boolean(columns[index].number)];
    draw();
    tell(`${caption}: sorted by ${columns[index].label}, ${state.down ? "descending" : "ascending"}`);
  }

  function draw() {
    const column = columns[state.by];
    const sign = state.down ? -1 : 1;
    const ranked = rows.map((row, place) => ({ row, place, value: column.value(row) }));
    ranked.sort((a, b) => {
      if (!known(a.value) || !known(b.value)) return known(b.value) - known(a.value) || a.place - b.place;
      const less = typeof a.value === "number" ? a.value - b.value : String(a.value).localeCompare(String(b.value), "en", { numeric: true });
      return sign * less || a.place - b.place;
    });
    heads.forEach((head, index) => {
      const on = index === state.by;
      head.setAttribute("aria-sort", on ? (state.down ? "descending" : "ascending") : "none");
    });
    choice.querySelector("select").value = String(state.by);
    turn.textContent = state.down ? "Largest first" : "Smallest first";
    const shown = state.all ? ranked : ranked.slice(0, most);
    body.replaceChildren(...shown.map(({ row }) => el("tr", { role: "row" }, columns.map((c, i) => {
      const inside = el("div", { class: "cell" }, c.show(row));
      return el(i ? "td" : "th", {
        role: i ? "cell" : "rowheader", scope: i ? null : "row", "data-label": c.label,
        class: [c.number && "number", c.wide && "wide", inside.textContent === NONE && "empty"].filter(Boolean).join(" ") || null,
      }, inside);
    }))));
    more.replaceChildren();
    if (ranked.length > shown.length) {
      more.append(`${shown.length} of ${ranked.length} shown. `,
        el("button", { type: "button", class: "quiet", onclick: () => { state.all = true; draw(); } }, "Show all"));
    }
  }

  draw();
  const table = el("table", { role: "table" },
    el("caption", { class: "hidden" }, caption),
    el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, heads)), body);
  const frame = el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption }, table);
  return el("div", { class: "sheet" }, el("div", { class: "sortbar" }, choice, turn), frame, more);
}

// A plain table of name and value.
function facts(pairs, label) {
  return el("table", { class: "facts" }, el("caption", { class: "hidden" }, label),
    el("tbody", {}, pairs.filter(([, value]) => known(value)).map(([name, value]) =>
      el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, value)))));
}
