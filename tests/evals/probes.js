// Evaluated in the page by test_page.py: what people who cannot see well would miss.
const probes = {
  table: (caption) => [...document.querySelectorAll("table")].find((t) => t.caption?.textContent === caption),

  column: (caption, number) =>
    [...probes.table(caption).tBodies[0].querySelectorAll(`tr > :nth-child(${number})`)].map((c) => c.innerText.split("\n")[0]),

  head: (caption, label) =>
    [...probes.table(caption).tHead.querySelectorAll("button")].find((b) => b.textContent === label),

  choose(label, value) {
    const fields = [...document.querySelectorAll("label.field")];
    const box = fields.find((f) => f.firstChild.textContent === label).querySelector("select, input");
    box.value = value;
    box.dispatchEvent(new Event(box.tagName === "SELECT" ? "change" : "input"));
  },

  links: () => [...document.querySelectorAll("a[href]")].map((a) => a.href),

  nameless: () =>
    [...document.querySelectorAll("button, select, input, a, svg[role=img], table")]
      .filter((e) => !(e.getAttribute("aria-label") || e.caption?.textContent || e.closest("label")?.textContent || e.textContent).trim())
      .map((e) => e.outerHTML.slice(0, 80)),

  // Texts with less than 4.5 : 1 against what is behind them (WCAG 2.2, 1.4.3).
  pale() {
    const probe = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const numbers = (colour) => {
      probe.clearRect(0, 0, 1, 1);
      probe.fillStyle = colour;
      probe.fillRect(0, 0, 1, 1);
      return [...probe.getImageData(0, 0, 1, 1).data];
    };
    const linear = (v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    const light = (colour) => {
      const [r, g, b] = numbers(colour).map((v) => linear(v / 255));
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = (e) => {
      for (let at = e; at; at = at.parentElement) {
        const colour = getComputedStyle(at).backgroundColor;
        if (numbers(colour)[3] === 255) return colour;
      }
      return "white";
    };
    const speaks = (e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    return [...document.querySelectorAll("body *")]
      .filter((e) => e.checkVisibility() && speaks(e) && !e.closest("svg, script, style, noscript"))
      .map((e) => {
        const [dim, bright] = [light(getComputedStyle(e).color), light(behind(e))].sort((a, b) => a - b);
        return [(bright + 0.05) / (dim + 0.05), `${e.className} ${e.textContent.slice(0, 30)}`];
      })
      .filter(([ratio]) => ratio < 4.5)
      .slice(0, 5);
  },
};
