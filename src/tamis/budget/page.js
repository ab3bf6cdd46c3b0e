// The report page's own script: sorting, searching, samples, charts. Text from the crawl only ever becomes textContent.
"use strict";

const byId = (id) => document.getElementById(id);
const read = (id) => JSON.parse(byId(id).textContent);

function value(row, column) {
  const cell = row.cells[column];
  return cell.dataset.v === undefined ? cell.textContent : Number(cell.dataset.v);
}

function sortBy(table, column) {
  const heads = [...table.tHead.rows[0].cells];
  const before = heads[column].getAttribute("aria-sort");
  const rows = [...table.tBodies[0].rows];
  const numbers = rows.length > 0 && typeof value(rows[0], column) === "number";
  const down = before === null ? numbers : before === "ascending";
  rows.sort((a, b) => {
    const [x, y] = [value(a, column), value(b, column)];
    return numbers ? x - y : x.localeCompare(y);
  });
  if (down) rows.reverse();
  heads.forEach((head) => head.removeAttribute("aria-sort"));
  heads[column].setAttribute("aria-sort", down ? "descending" : "ascending");
  table.tBodies[0].append(...rows);
}

function makeSortable(table) {
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    button.addEventListener("click", () => sortBy(table, column));
    head.replaceChildren(button);
  });
}

function makeSearchable(input) {
  const table = byId(input.getAttribute("aria-controls"));
  const said = byId(input.id + "-said");
  input.addEventListener("input", () => {
    const wanted = input.value.trim().toLowerCase();
    let shown = 0;
    for (const row of table.tBodies[0].rows) {
      row.hidden = wanted !== "" && !row.textContent.toLowerCase().includes(wanted);
      shown += row.hidden ? 0 : 1;
    }
    said.textContent = `${shown} of ${table.tBodies[0].rows.length} rows`;
  });
}

// Samples are packed as gzip in base64: unpacked they would be most of the page.
async function unpack(id) {
  const packed = Uint8Array.from(atob(byId(id).textContent.trim()), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

const PAGE = 25;
const FIELDS = ["id", "url", "language", "step", "reason", "value", "threshold", "tokens", "text", "kept_id"];

function element(name, text, className) {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

function card(row) {
  const [id, url, language, step, reason, measured, threshold, tokens, text, keptId] = row;
  const item = document.createElement("li");
  const verdict = step === "kept" ? "kept" : `${step}: ${reason}`;
  item.append(element("strong", `${language} · ${verdict} · ${tokens.toLocaleString("en")} tokens`));
  if (measured !== null) item.append(element("span", ` measured ${measured}, bound ${threshold}`));
  item.append(element("div", url || id, "address"));
  if (keptId) item.append(element("div", `kept instead: ${keptId}`, "address"));
  const body = element("p", text || "(no text was sampled)", "sample");
  body.dir = "auto";
  item.append(body);
  return item;
}

function fill(select, values) {
  for (const each of [...new Set(values)].sort()) {
    const option = element("option", each);
    option.value = each;
    select.append(option);
  }
}

async function samples() {
  const rows = await unpack("samples-data");
  const at = Object.fromEntries(FIELDS.map((name, index) => [name, index]));
  const reason = (row) => (row[at.step] === "kept" ? "kept" : `${row[at.step]}: ${row[at.reason]}`);
  const controls = ["samples-language", "samples-reason", "samples-text"].map(byId);
  fill(controls[0], rows.map((row) => row[at.language]));
  fill(controls[1], rows.map(reason));
  let found = rows;
  let first = 0;
  function show() {
    byId("samples-list").replaceChildren(...found.slice(first, first + PAGE).map(card));
    const last = Math.min(first + PAGE, found.length);
    byId("samples-said").textContent = found.length
      ? `${(first + 1).toLocaleString("en")}–${last.toLocaleString("en")} of ${found.length.toLocaleString("en")}`
      : "None";
    byId("samples-back").disabled = first === 0;
    byId("samples-on").disabled = last === found.length;
  }
  function search() {
    const [language, why, text] = controls.map((control) => control.value);
    const wanted = text.trim().toLowerCase();
    found = rows.filter(
      (row) =>
        (!language || row[at.language] === language) &&
        (!why || reason(row) === why) &&
        (!wanted || (row[at.text] + "\n" + row[at.url] + "\n" + row[at.id]).toLowerCase().includes(wanted)),
    );
    first = 0;
    show();
  }
  controls.forEach((control) => control.addEventListener("input", search));
  const turn = (by) => () => {
    first += by;
    show();
  };
  byId("samples-back").addEventListener("click", turn(-PAGE));
  byId("samples-on").addEventListener("click", turn(PAGE));
  show();
}

const dark = matchMedia("(prefers-color-scheme: dark)");

function theme() {
  const ink = dark.matches ? "#e8e8e8" : "#1b1b1b";
  const faint = dark.matches ? "#444444" : "#dddddd";
  const text = { labelColor: ink, titleColor: ink };
  return {
    background: "transparent",
    font: "system-ui, sans-serif",
    view: { stroke: "transparent" },
    rule: { color: ink },
    axis: { ...text, gridColor: faint, domainColor: faint, tickColor: faint },
    legend: { ...text, orient: "top" },
    // Okabe and Ito's colours, told apart by colour-blind readers too.
    range: { category: ["#0072b2", "#e69f00", "#999999", "#009e73", "#d55e00", "#56b4e9", "#cc79a7", "#f0e442"] },
  };
}

// Expressions are interpreted (`ast`), never compiled: the page's policy forbids eval.
async function draw(figure) {
  const { spec, datasets } = read(figure.dataset.chart);
  const options = { mode: "vega-lite", actions: false, renderer: "svg", ast: true, config: theme() };
  await vegaEmbed(figure.querySelector(".chart"), { ...spec, datasets }, options);
  figure.dataset.drawn = "true";
}

const figures = [...document.querySelectorAll("figure[data-chart]")];
const redraw = () => Promise.all(figures.filter((figure) => figure.dataset.drawn).map(draw));

// A chart of 200 languages takes a quarter of a second: it is drawn when it comes near the window, or to paper.
function charts() {
  const near = new IntersectionObserver(
    (entries) =>
      entries
        .filter((entry) => entry.isIntersecting)
        .forEach((entry) => {
          near.unobserve(entry.target);
          draw(entry.target);
        }),
    { rootMargin: "400px" },
  );
  figures.forEach((figure) => near.observe(figure));
  addEventListener("beforeprint", () => figures.forEach(draw));
  dark.addEventListener("change", redraw);
}

function funnelOf(select) {
  const figure = byId("funnel-figure");
  if (!figure) return;
  const all = read("funnel-languages");
  fill(select, Object.keys(all.tokens));
  const data = byId(figure.dataset.chart);
  const whole = data.textContent;
  select.addEventListener("input", async () => {
    const chart = JSON.parse(whole);
    const numbers = all.tokens[select.value];
    if (numbers) {
      chart.spec.encoding.x.title = "tokens of " + select.value;
      chart.datasets.rows = all.steps.flatMap((step, index) => {
        const kept = numbers[index + 1];
        if (kept === null) return [];
        const before = numbers.slice(0, index + 1).findLast((number) => number !== null);
        return [
          { step, outcome: "kept", amount: kept, order: 0 },
          { step, outcome: "dropped", amount: before - kept, order: 1 },
        ];
      });
    }
    data.textContent = JSON.stringify(chart);
    await draw(figure);
  });
}

document.querySelectorAll("table.sortable").forEach(makeSortable);
document.querySelectorAll("input[aria-controls]").forEach(makeSearchable);
funnelOf(byId("funnel-language"));
charts();
samples().then(() => (document.documentElement.dataset.ready = "true"));
