/* What the browser adds to the pages; without it they show everything, only less conveniently. */
"use strict";

/* The numbers of a page grow older after it was built. */
function tellAge(place) {
  const seconds = (Date.now() - Date.parse(place.parentElement.querySelector("time").dateTime)) / 1000;
  const [size, unit] = [[86400, "day"], [3600, "hour"], [60, "minute"]].find(([size]) => seconds >= size) ?? [1, "second"];
  place.textContent = new Intl.RelativeTimeFormat("en").format(-Math.max(0, Math.floor(seconds / size)), unit);
}

/* Paper is white and cannot be unfolded. */
function printAsPaper() {
  const html = document.documentElement;
  let theme = "";
  let folded = [];
  addEventListener("beforeprint", () => {
    theme = html.dataset.theme;
    html.dataset.theme = "light";
    folded = [...document.querySelectorAll("article details.claim:not([open])")];
    folded.forEach((fold) => (fold.open = true));
  });
  addEventListener("afterprint", () => {
    html.dataset.theme = theme;
    folded.forEach((fold) => (fold.open = false));
  });
}

/* The ledger: filters, which the address keeps, and columns to sort by. */
function tendLedger(table, form) {
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const heads = [...table.tHead.rows[0].cells];
  const text = (row, column) => row.cells[column].textContent.trim();
  const column = (name) => heads.findIndex((head) => head.textContent.trim().toLowerCase() === name);
  const fields = [...form.elements].filter((field) => field.name);
  const choices = fields.filter((field) => field.tagName === "SELECT");
  for (const choice of choices) {
    const values = new Set(rows.map((row) => text(row, column(choice.name))));
    choice.append(...[...values].map((value) => new Option(value)));
  }
  const show = () => {
    const words = form.elements.q.value.toLowerCase().split(/\s+/);
    let count = 0;
    for (const row of rows) {
      const chosen = choices.every((choice) => !choice.value || text(row, column(choice.name)) === choice.value);
      const whole = row.textContent.toLowerCase();
      row.hidden = !(chosen && words.every((word) => whole.includes(word)));
      count += row.hidden ? 0 : 1;
    }
    form.querySelector("output").textContent = `${count} of ${rows.length}`;
  };
  const sort = (name) => {
    const by = column(name.replace("-", ""));
    const number = (row) => parseFloat(text(row, by).replaceAll(",", ""));
    const compare = (a, b) => number(a) - number(b) || text(a, by).localeCompare(text(b, by));
    const sorted = by < 0 ? rows : [...rows].sort(compare);
    body.append(...(name.startsWith("-") ? sorted.reverse() : sorted));
    heads.forEach((head, index) => {
      if (index === by) head.ariaSort = name.startsWith("-") ? "descending" : "ascending";
      else head.removeAttribute("aria-sort");
    });
  };
  const keep = () => {
    const address = new URL(location);
    for (const { name, value } of fields) value ? address.searchParams.set(name, value) : address.searchParams.delete(name);
    history.replaceState(null, "", address);
  };
  for (const head of heads) {
    const name = head.textContent.trim().toLowerCase();
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.firstElementChild.childNodes);
    button.addEventListener("click", () => {
      form.elements.sort.value = form.elements.sort.value === name ? `-${name}` : name;
      sort(form.elements.sort.value);
      keep();
    });
    head.firstElementChild.append(button);
  }
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", () => (show(), keep()));
  const asked = new URLSearchParams(location.search);
  for (const field of fields) field.value = asked.get(field.name) ?? "";
  sort(form.elements.sort.value);
  show();
}

document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll(".measured-when .age").forEach(tellAge);
  printAsPaper();
  const form = document.querySelector("form.ledger-filter");
  if (form) tendLedger(document.querySelector("table.ledger"), form);
});
