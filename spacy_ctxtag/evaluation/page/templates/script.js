"use strict";
(() => {
  const root = document.documentElement;

  // Light and dark: as the system says, until somebody chooses.
  const toggle = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const show = () => toggle.setAttribute("aria-pressed", String(isDark()));
  try {
    const kept = localStorage.getItem("ctx-theme");
    if (kept) root.dataset.theme = kept;
  } catch { /* no storage: not kept */ }
  toggle.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try { localStorage.setItem("ctx-theme", root.dataset.theme); } catch { /* not kept */ }
    show();
  });
  system.addEventListener("change", show);
  toggle.hidden = false;
  show();

  // Tables: a button in each heading. Numbers by their size (data-value), texts by the alphabet, gaps always last.
  const collator = new Intl.Collator(undefined, { numeric: true });
  const status = document.getElementById("status");
  const valueOf = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.value ?? cell.textContent.trim();
  };
  const sort = (table, th, column) => {
    const isNumber = th.dataset.type === "number";
    const first = isNumber ? "descending" : "ascending";
    const second = isNumber ? "ascending" : "descending";
    const order = th.getAttribute("aria-sort") === first ? second : first;
    const sign = order === "ascending" ? 1 : -1;
    const compare = (a, b) => {
      const [x, y] = [valueOf(a, column), valueOf(b, column)];
      if (x === "" || y === "") return (x === "") - (y === "");
      return sign * (isNumber ? Number(x) - Number(y) : collator.compare(x, y));
    };
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    th.setAttribute("aria-sort", order);
    table.tBodies[0].append(...[...table.tBodies[0].rows].sort(compare));
    status.textContent = `Sorted by ${th.textContent.trim()}, ${order}.`;
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    [...table.tHead.rows[0].cells].forEach((th, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...th.childNodes);
      button.addEventListener("click", () => sort(table, th, column));
      th.append(button);
    });
  }

  // A box that scrolls can be reached and scrolled by keys.
  const boxes = document.querySelectorAll(".scroll");
  const fit = () => {
    for (const box of boxes) {
      if (box.scrollWidth <= box.clientWidth) {
        for (const name of ["tabindex", "role", "aria-label"]) box.removeAttribute(name);
      } else {
        box.tabIndex = 0;
        box.setAttribute("role", "region");
        box.setAttribute("aria-label", box.querySelector("caption").textContent);
      }
    }
  };
  const observer = new ResizeObserver(fit);
  for (const box of boxes) observer.observe(box);

  // On paper nothing is folded.
  addEventListener("beforeprint", () => {
    for (const each of document.querySelectorAll("details")) each.open = true;
  });
})();
