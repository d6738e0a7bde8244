// Elements and figures. Text reaches the document as text only: nothing here takes markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attrs, children) {
  for (const [name, value] of Object.entries(attrs || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return node;
}

const el = (tag, attrs, ...children) => fill(document.createElement(tag), attrs, children);
const svg = (tag, attrs, ...children) => fill(document.createElementNS(SVG, tag), attrs, children);

// A link to a page of this document, or to a file beside it or on the web; anything else is plain text.
const route = (...parts) => "#/" + parts.map(encodeURIComponent).join("/");
function outward(address, label) {
  const text = String(address);
  const scheme = /^[a-z][a-z0-9+.-]*:/i.test(text);
  if (scheme && !/^https:\/\//i.test(text)) return el("span", { title: text }, label);
  return el("a", { href: text, rel: "noreferrer noopener" }, label);
}

const NONE = "–";
const known = (value) => value !== null && value !== undefined;
const factor = (v) => (!known(v) ? NONE : (v >= 100 ? v.toFixed(0) : v >= 0.5 ? v.toFixed(2) : v.toFixed(3)) + "×");
const share = (v) => (!known(v) ? NONE : (100 * v).toFixed(v > 0 && v < 0.1 ? 1 : 0) + "%");
const dollars = (v) => (!known(v) ? NONE : v === 0 ? "$0" : "$" + (v < 0.1 ? v.toPrecision(2) : v.toFixed(2)));
const minutes = (v) => (!known(v) ? NONE : v < 10 ? v.toFixed(1) : v.toFixed(0));
const millis = (v) => (!known(v) ? NONE : v.toPrecision(3) + " ms");
const whole = (v) => (!known(v) ? NONE : Math.round(v).toLocaleString("en"));
const score = (v) => (!known(v) ? NONE : v.toFixed(2));
const shortened = (text, most) => (text.length > most ? text.slice(0, Math.max(1, most - 1)) + "…" : text);
const words = (text) => String(text).replaceAll("_", " ");

// A figure with its interval below it. Where it is unknown the reason stands there too, if there is room.
function figure(estimate, said, roomy) {
  if (!estimate || !known(estimate.value)) {
    const why = (estimate && estimate.reason) || "not known";
    if (roomy) return el("span", { class: "unknown" }, `unknown: ${why}`);
    return el("span", { class: "unknown", title: why }, NONE, el("span", { class: "hidden" }, ` unknown: ${why}`));
  }
  const lines = [el("span", { class: "value" }, said(estimate.value))];
  if (known(estimate.low) && estimate.low < estimate.high) {
    const range = `${said(estimate.low)} – ${said(estimate.high)}`;
    lines.push(el("span", { class: "range", title: "95% interval" }, el("span", { class: "hidden" }, ", 95% interval "), range));
  }
  if (estimate.unknown) lines.push(el("span", { class: "range" }, `${estimate.unknown} not measured`));
  return lines;
}

const speedupFigure = (gain) =>
  figure(gain && { value: gain.median, low: gain.low, high: gain.high }, factor);

function tell(text) {
  document.getElementById("live").textContent = text;
}

function chip(text, kind, title) {
  return el("span", { class: "chip " + (kind || ""), title }, text);
}

function select(label, options, value, onchange) {
  const box = el("select", { onchange: () => onchange(box.value) },
    options.map(([key, text]) => el("option", { value: key, selected: key === value }, text)));
  return el("label", { class: "field" }, el("span", {}, label), box);
}

const unique = (values) => [...new Set(values.filter(known))].sort();
const named = (list) => list.map((text) => [text, text]);
