"use strict";

const specs = JSON.parse(document.getElementById("specs").textContent);

/* Plots take their colours from the stylesheet. */
const config = {
  background: "transparent",
  font: "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'DejaVu Sans', sans-serif",
  view: { stroke: "var(--line)" },
  axis: {
    domainColor: "var(--line)", tickColor: "var(--line)", gridColor: "var(--line)", gridOpacity: 0.6,
    labelColor: "var(--muted)", titleColor: "var(--ink)", titleFontWeight: 500, labelFontSize: 11, titleFontSize: 12,
    titlePadding: 8, tickCount: 5,
  },
  legend: { orient: "top", labelColor: "var(--ink)", titleColor: "var(--ink)", labelFontSize: 12, symbolStrokeWidth: 1.75, symbolOpacity: 1 },
  text: { color: "var(--ink)", fontSize: 11 },
};

/* Names stand where they cover no point and no other name; one for which there is no room is left to the tooltip. */
function placeLabels(vega) {
  const labels = (vega.marks || []).find((mark) => mark.name === "labels_marks");
  if (labels) {
    labels.from = { data: "points_marks" };
    labels.encode = { update: { text: { field: "datum.file" }, fill: { value: "var(--ink)" }, fontSize: { value: 11 } } };
    labels.transform = [{
      type: "label",
      size: { signal: "[width, height]" },
      anchor: ["bottom-right", "top-left", "top-right", "bottom-left", "right", "left", "top", "bottom"],
      offset: [4],
      sort: { field: "datum.order" },
      avoidMarks: ["points_marks"],
    }];
  }
  return vega;
}

const views = {};

async function draw(figure, variant) {
  const spec = { width: "container", height: 320, autosize: { type: "fit-x", contains: "padding" }, ...specs[figure][variant] };
  const columns = Math.max(1, Math.floor(document.getElementById(`plot-${figure}`).clientWidth / 120));
  const options = {
    ast: true, renderer: "svg", actions: false, defaultStyle: false, tooltip: { disableDefaultStyle: true },
    config: { ...config, legend: { ...config.legend, columns } }, patch: placeLabels,
  };
  if (views[figure]) views[figure].finalize();
  views[figure] = await vegaEmbed(`#plot-${figure}`, spec, options);
}

let drawn = Promise.all(Object.keys(specs).map((figure) => draw(figure, 0)));

for (const select of document.querySelectorAll("select[data-figure]"))
  select.addEventListener("change", () => {
    drawn = drawn.then(() => draw(select.dataset.figure, Number(select.value)));
  });

/* Tables: a click on a heading sorts, another one turns the order; what is missing always comes last. */
const collator = new Intl.Collator(undefined, { numeric: true });

/* A number where the cell has one, null where it should (or has what is none), and else its text. */
function key(row, column) {
  const cell = row.cells[column];
  const value = Number(cell.dataset.sort?.replace("inf", "Infinity"));
  if (!Number.isNaN(value)) return value;
  return cell.classList.contains("number") ? null : cell.textContent.trim();
}

function compare(one, other) {
  return typeof one === "number" ? one - other || 0 : collator.compare(one, other);
}

function sort(heading) {
  const ascending = heading.ariaSort !== "ascending";
  for (const other of heading.parentElement.cells) other.ariaSort = "none";
  heading.ariaSort = ascending ? "ascending" : "descending";
  const body = heading.closest("table").tBodies[0];
  const rows = [...body.rows].map((row) => ({ row, key: key(row, heading.cellIndex) }));
  const known = rows.filter((each) => each.key !== null);
  const missing = rows.filter((each) => each.key === null);
  known.sort((one, other) => (ascending ? compare(one.key, other.key) : compare(other.key, one.key)));
  body.append(...[...known, ...missing].map((each) => each.row));
}

for (const button of document.querySelectorAll("table.sortable thead button"))
  button.addEventListener("click", () => sort(button.closest("th")));

/* Nodes of a graph, as many as the words in the box leave. */
for (const input of document.querySelectorAll("input[data-filter]"))
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/);
    for (const node of document.getElementById(input.dataset.filter).children)
      node.hidden = !words.every((word) => node.textContent.toLowerCase().includes(word));
  });

/* A link to a node that the filter hides, or in a listing that is closed. */
function reveal() {
  const node = location.hash && document.getElementById(location.hash.slice(1));
  if (!node) return;
  for (let box = node.closest("details"); box; box = box.parentElement.closest("details")) box.open = true;
  node.hidden = false;
  node.scrollIntoView({ block: "nearest" });
}
addEventListener("hashchange", reveal);
reveal();

/* Light, dark, or as the system has it. */
const theme = document.getElementById("theme");
const themes = ["system", "light", "dark"];
theme.hidden = false;
theme.addEventListener("click", () => {
  const root = document.documentElement;
  const next = themes[(themes.indexOf(root.dataset.theme ?? "system") + 1) % themes.length];
  if (next === "system") delete root.dataset.theme;
  else root.dataset.theme = next;
  theme.querySelector("span").textContent = next;
});
