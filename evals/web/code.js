// Sources: lines with runs of token classes (see highlight.py), put into the document as text.

function coded([text, runs]) {
  const nodes = [];
  let at = 0;
  for (const [, kind, length] of runs.matchAll(/([a-z_])(\d+)/g)) {
    const piece = text.slice(at, at + Number(length));
    nodes.push(kind === "_" ? piece : el("span", { class: `h${kind}` }, piece));
    at += Number(length);
  }
  nodes.push(text.slice(at));
  return nodes;
}

function* unrolled(runs) {
  for (let i = 0; i < runs.length; i += 2) {
    for (let k = 0; k < runs[i + 1]; k++) yield runs[i] + k;
  }
}

function sourceText(detail, lines) {
  return [...unrolled(detail.source)].map((n) => lines[n][0]).join("\n") + "\n";
}

function sourceView(detail, lines, name) {
  const rows = [];
  let number = 0;
  for (const index of unrolled(detail.source)) {
    number += 1;
    rows.push(el("tr", {}, el("td", { class: "ln", "data-n": number }), el("td", { class: "code" }, coded(lines[index]))));
  }
  const cut = detail.lines > number;
  const copied = el("span", { class: "note", role: "status" });
  const copy = el("button", { type: "button", class: "quiet", onclick: async () => {
    try {
      await navigator.clipboard.writeText(sourceText(detail, lines));
      copied.textContent = "Copied";
    } catch {
      copied.textContent = "This browser does not let a local page copy: select the text instead";
    }
  } }, "Copy");
  return el("div", { class: "listing" },
    el("div", { class: "listbar" }, el("span", {}, `${detail.lines.toLocaleString("en")} lines`), copied, !cut && copy),
    el("div", { class: "scroll source", tabindex: "0", role: "region", "aria-label": `Source of ${name}` },
      el("table", { class: "lines", role: "presentation" }, el("tbody", {}, rows))),
    cut && el("p", { class: "note" }, `The first ${number} of ${detail.lines} lines, to keep this page small; the whole kernel is in the run's folder.`));
}

function diffView(detail, lines) {
  const plus = detail.diff.filter((r) => r[0] === "+").length, minus = detail.diff.filter((r) => r[0] === "-").length;
  if (!detail.diff.length) return el("p", { class: "note" }, "The same text as its parent.");
  const rows = detail.diff.map((row) => {
    if (!row.length) return el("tr", { class: "gap" }, el("td", { colspan: 4 }, "⋯"));
    const [sign, before, after, index] = row;
    const kind = sign === "+" ? "plus" : sign === "-" ? "minus" : null;
    return el("tr", { class: kind }, el("td", { class: "ln", "data-n": before || "" }), el("td", { class: "ln", "data-n": after || "" }),
      el("td", { class: "sign" }, sign.trim() || " ", kind && el("span", { class: "hidden" }, kind === "plus" ? " added" : " removed")),
      el("td", { class: "code" }, coded(lines[index])));
  });
  return el("div", { class: "listing" },
    el("div", { class: "listbar" }, el("span", {}, `${plus} lines added, ${minus} removed against `, el("code", {}, detail.parent.slice(0, 12)))),
    el("div", { class: "scroll source", tabindex: "0", role: "region", "aria-label": "Diff from the parent" },
      el("table", { class: "lines", role: "presentation" }, el("tbody", {}, rows))));
}
