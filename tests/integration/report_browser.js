
"use strict";
// Run in a copy of the page that report_browser.rs makes: uses the page as a reader does and sends what it saw to the page around it.
(async () => {
  const wait = time => new Promise(done => setTimeout(done, time));
  const seen = { faults: [], tables: [], figures: [], files: {} };
  const fault = words => seen.faults.push(words);
  const violations = [];
  document.addEventListener("securitypolicyviolation", event => violations.push(event.violatedDirective));
  const texts = (table, index) => [...table.tBodies[0].rows].map(row => row.cells[index]?.textContent ?? "");
  const names = table => texts(table, 0);
  try {
    document.querySelectorAll("details").forEach(details => { details.open = true; });
    for (const table of document.querySelectorAll("table")) {
      const caption = table.caption.textContent;
      const headers = [...table.tHead.rows[0].cells];
      const found = { caption, rows: table.tBodies[0].rows.length, columns: {} };
      seen.tables.push(found);
      if (2 > found.rows) continue;
      const written = names(table);
      for (const [index, header] of headers.entries()) {
        const press = header.querySelector("button");
        if (!press || press.tabIndex !== 0) { fault(`${caption}: no button in ${header.textContent}`); continue; }
        const orders = {};
        for (const expected of ["ascending", "descending", null]) {
          press.click();
          if (header.getAttribute("aria-sort") !== expected) fault(`${caption}: aria-sort of ${header.textContent} is not ${expected}`);
          if (headers.filter(other => other.hasAttribute("aria-sort")).length > (expected ? 1 : 0)) fault(`${caption}: two columns are sorted`);
          orders[expected ?? "written"] = { names: names(table), texts: texts(table, index) };
        }
        if (JSON.stringify(orders.written.names) !== JSON.stringify(written)) fault(`${caption}: the third press does not undo`);
        if (new Set(orders.ascending.names).size !== new Set(written).size) fault(`${caption}: rows are lost`);
        found.columns[header.textContent] = { ascending: orders.ascending, descending: orders.descending };
      }
      const input = table.closest(".scroll").previousElementSibling?.querySelector?.("input[type=search]");
      if (!input) continue;
      const shown = () => [...table.tBodies[0].rows].filter(row => !row.hidden);
      const count = input.closest(".tools").querySelector("output");
      const before = shown().length, word = written[written.length - 1].slice(0, 6);
      input.value = word;
      input.dispatchEvent(new Event("input"));
      if (shown().length !== before) fault(`${caption}: the filter does not wait`);
      await wait(400);
      // Every word somewhere in the row.
      const words = word.toLowerCase().split(" ").filter(part => part);
      const holds = (row, part) => [...row.cells].some(cell => cell.textContent.toLowerCase().includes(part));
      const all = [...table.tBodies[0].rows].filter(row => words.every(part => holds(row, part)));
      found.filter = { word, shown: shown().length, matching: all.length, said: count.textContent, live: count.getAttribute("aria-live") };
      input.value = "";
      input.dispatchEvent(new Event("input"));
      await wait(400);
      found.page = shown().length;
      const more = table.closest(".scroll").nextElementSibling;
      if (more?.matches("button.more") && !more.hidden) { more.click(); found.next = shown().length; }
    }
    const saved = [];
    // Read at once: the clock of this browser runs ahead of what it waits for.
    window.Blob = class { constructor(parts) { saved.push(parts.join("")); } };
    URL.createObjectURL = () => "#";
    HTMLAnchorElement.prototype.click = function () { saved.push(this.download); };
    for (const figure of document.querySelectorAll("figure")) {
      const svg = figure.querySelector("svg");
      const marks = [...svg.querySelectorAll("circle, path:not(.grid, .axis, .dash)")];
      const drawn = marks.filter(mark => { const box = mark.getBBox(); return box.width > 0 || box.height > 0; });
      const said = name => document.getElementById(svg.getAttribute(name))?.textContent.trim() ?? "";
      const box = svg.getBoundingClientRect();
      const inside = [...svg.querySelectorAll("text")].every(text => {
        const own = text.getBoundingClientRect();
        return own.left >= box.left - 2 && own.right - 2 <= box.right && own.top >= box.top - 2 && own.bottom - 2 <= box.bottom;
      });
      seen.figures.push({ id: figure.id, marks: drawn.length, name: said("aria-labelledby"), words: said("aria-describedby"), rows: figure.querySelectorAll("tbody tr").length, inside });
      for (const press of figure.querySelectorAll(".tools button")) {
        saved.length = 0;
        press.click();
        seen.files[saved[1]] = saved[0];
      }
    }
    const root = document.documentElement;
    seen.width = [root.scrollWidth, root.clientWidth];
    seen.dark = matchMedia("(prefers-color-scheme: dark)").matches;
    const style = getComputedStyle(document.body);
    seen.colours = [style.backgroundColor, style.color];
    document.querySelector("th button").focus();
    seen.outline = getComputedStyle(document.activeElement).outlineStyle;
  } catch (error) {
    fault(`${error} ${error.stack}`);
  }
  seen.violations = violations;
  parent.postMessage(JSON.stringify(seen), "*");
})();
