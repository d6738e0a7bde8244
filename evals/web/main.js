// Unpacks the data, follows the address, keeps the theme.

const root = document.documentElement;
const themeButton = document.getElementById("theme");

function stored(value) {
  try {
    if (value === undefined) return localStorage.getItem("kernelwright-theme");
    localStorage.setItem("kernelwright-theme", value);
  } catch { /* a browser may forbid it to local files: then the choice lasts as long as the page */ }
  return value || null;
}

function setTheme(theme) {
  root.dataset.theme = theme;
  const other = theme === "dark" ? "light" : "dark";
  themeButton.textContent = other === "dark" ? "Dark" : "Light";
  themeButton.setAttribute("aria-label", `Switch to the ${other} theme`);
  themeButton.onclick = () => { stored(other); setTheme(other); };
}

async function unpacked() {
  const packed = Uint8Array.from(atob(document.getElementById("data").textContent), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}

function show(data, first) {
  const parts = location.hash.replace(/^#\/?/, "").split("/").map(decoded).filter(Boolean);
  const main = document.getElementById("main");
  const entry = data.board.entries.find((e) => e.id === parts[1]);
  const crumbs = [];
  let view;
  if (parts[0] === "run") {
    view = runPage(data, parts[1]);
    crumbs.push(entry && entry.label);
  } else if (parts[0] === "task") {
    view = taskPage(data, parts[1], parts[2]);
    crumbs.push(entry && el("a", { href: route("run", entry.id) }, entry.label), parts[2]);
  } else if (data.single && !parts.length) {
    view = taskPage(data, data.single[0], data.single[1]);
  } else view = overview(data);
  main.replaceChildren(view);
  const trail = crumbs.filter(Boolean);
  document.getElementById("crumbs").replaceChildren(...(trail.length && !data.single
    ? [el("ol", {}, el("li", {}, el("a", { href: "#/" }, "Overview")), trail.map((c, i) => el("li", { "aria-current": i === trail.length - 1 ? "page" : null }, c)))] : []));
  const heading = main.querySelector("h1");
  document.title = heading && heading.textContent !== data.title ? `${heading.textContent} – ${data.title}` : data.title;
  if (!first) {
    window.scrollTo(0, 0);
    main.focus({ preventScroll: true });
    tell(document.title);
  }
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

// The address names the page, so skipping must not change it.
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  const main = document.getElementById("main");
  main.focus({ preventScroll: true });
  main.scrollIntoView();
});

setTheme(stored() || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));
unpacked().then((data) => {
  document.getElementById("foot").replaceChildren(el("p", {}, `Made ${data.board.made.replace("T", " ").replace("+00:00", " UTC")} by kernelwright ${data.board.kernelwright}. Intervals: ${data.board.intervals}. Speedups are medians of interleaved pairs from a final confirmation; verify them where you deploy.`));
  show(data, true);
  window.addEventListener("hashchange", () => show(data, false));
  root.dataset.ready = "yes";
}).catch((error) => {
  document.getElementById("main").replaceChildren(el("p", {}, typeof DecompressionStream === "undefined"
    ? "This browser is too old to unpack the results: read leaderboard.md or leaderboard.json beside this page."
    : `The results in this page cannot be read: ${error.message}`));
});
