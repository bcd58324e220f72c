
"use strict";
// Tables that sort and filter, figures that can be saved. The page says everything without it.
(() => {
  const PAGE = 100, WAIT = 150, FEW = 8;
  const collator = new Intl.Collator("en", { numeric: true });
  const make = (name, properties, ...children) => {
    const element = Object.assign(document.createElement(name), properties);
    element.append(...children);
    return element;
  };
  const button = (words, act) => {
    const element = make("button", { type: "button", textContent: words });
    element.addEventListener("click", act);
    return element;
  };

  // A table: order and filter are kept apart, so that one does not undo the other.
  const prepare = table => {
    const body = table.tBodies[0], box = table.parentElement;
    const written = [...body.rows], texts = new Map();
    let order = written, wanted = [], most = PAGE;
    const text = row => {
      if (!texts.has(row)) texts.set(row, [...row.cells].map(cell => cell.textContent.toLowerCase()).join(" "));
      return texts.get(row);
    };
    const count = make("output", {});
    count.setAttribute("aria-live", "polite");
    const next = button("", () => { most += 10 * PAGE; show(); });
    next.className = "more";
    const show = () => {
      let found = 0;
      for (const row of order) row.hidden = !wanted.every(word => text(row).includes(word)) || ++found > most;
      const shown = Math.min(found, most), of = written.length > found ? ` (of ${written.length})` : "";
      count.textContent = found > shown ? `first ${shown} of ${found} rows${of}` : `${found} rows${of}`;
      next.hidden = shown === found;
      next.textContent = `Show ${Math.min(10 * PAGE, found - shown)} more rows`;
    };
    const sort = (index, direction) => {
      order = written;
      if (direction) {
        const cells = new Map(written.map(row => [row, row.cells[index]]));
        const numbers = headers[index].className === "number" || written.some(row => cells.get(row)?.dataset.v !== undefined);
        const key = cell => {
          const words = cell?.dataset.v ?? cell?.textContent.trim() ?? "";
          if (words === "" || words === "–" || (numbers && isNaN(Number(words)))) return null;
          return numbers ? Number(words) : words;
        };
        const keys = new Map(written.map(row => [row, key(cells.get(row))]));
        // What is missing comes last in both directions; equals stay as they were written.
        order = [...written].sort((left, right) => {
          const [x, y] = [keys.get(left), keys.get(right)];
          if (x === null || y === null) return (x === null) - (y === null);
          return direction * (numbers ? x - y : collator.compare(x, y));
        });
      }
      const rows = document.createDocumentFragment();
      for (const row of order) rows.append(row);
      body.append(rows);
      show();
    };
    const headers = [...table.tHead.rows[0].cells];
    headers.forEach((header, index) => {
      const press = button("", () => {
        const was = header.getAttribute("aria-sort");
        const now = was === "ascending" ? "descending" : was === "descending" ? null : "ascending";
        headers.forEach(other => other.removeAttribute("aria-sort"));
        if (now) header.setAttribute("aria-sort", now);
        sort(index, now === "ascending" ? 1 : now ? -1 : 0);
      });
      press.append(...header.childNodes);
      header.append(press);
    });
    if (FEW > written.length || table.closest("figure")) return;
    const filter = make("input", { type: "search", autocomplete: "off", spellcheck: false });
    const name = table.caption ? table.caption.firstChild.textContent : "";
    filter.setAttribute("aria-label", `Filter the rows of: ${name}`);
    let timer;
    filter.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        wanted = filter.value.toLowerCase().split(/\s+/).filter(word => word);
        most = PAGE;
        show();
      }, WAIT);
    });
    box.before(make("div", { className: "tools" }, make("label", {}, "Filter ", filter), count));
    box.after(next);
    show();
  };

  // A figure as files: the drawing with the colours of a light page by value, and the numbers.
  const sheet = document.styleSheets[0], light = sheet.cssRules[0].style;
  const valued = text => text.replace(/var\((--[a-z0-9-]+)\)/g, (_, name) => light.getPropertyValue(name).trim());
  const drawn = svg => {
    const copy = svg.cloneNode(true), space = "http://www.w3.org/2000/svg";
    const style = document.createElementNS(space, "style"), back = document.createElementNS(space, "rect");
    style.textContent = [...sheet.cssRules].filter(rule => /^svg( |$)/.test(rule.selectorText)).map(rule => rule.cssText).join(" ");
    for (const [name, value] of [["width", "100%"], ["height", "100%"], ["fill", "var(--paper)"]]) back.setAttribute(name, value);
    copy.setAttribute("width", svg.viewBox.baseVal.width);
    copy.setAttribute("height", svg.viewBox.baseVal.height);
    const words = [["title", "aria-labelledby"], ["desc", "aria-describedby"]].map(([name, from]) => {
      const element = document.createElementNS(space, name);
      element.textContent = document.getElementById(svg.getAttribute(from))?.textContent ?? "";
      copy.removeAttribute(from);
      return element;
    });
    copy.prepend(...words, style, back);
    return valued(new XMLSerializer().serializeToString(copy));
  };
  const quoted = cell => {
    if (/^[+-]?(\d+\.?\d*(e[+-]?\d+)?|inf|nan)$/i.test(cell)) return cell;
    if (/^(\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n])/.test(cell)) cell = `'${cell}`;
    return /[,;"\n\r\t']/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
  };
  const numbers = (table, rest) => {
    const line = row => [...row].map(cell => quoted(cell.dataset.v ?? cell.textContent)).join(",") + "\n";
    return line(table.tHead.rows[0].cells) + table.lines.map(row => line(row.cells)).join("") + (rest?.textContent ?? "");
  };
  const save = (name, type, text) => {
    const address = URL.createObjectURL(new Blob([text], { type }));
    make("a", { href: address, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60000);
  };
  for (const figure of document.querySelectorAll("figure[id]")) {
    const svg = figure.querySelector("svg"), table = figure.querySelector("table"), rest = figure.querySelector("pre.rest");
    const tools = make("p", { className: "tools" });
    if (svg) tools.append(button("SVG", () => save(`${figure.id}.svg`, "image/svg+xml", drawn(svg))));
    if (table && (rest || !figure.querySelector(".elsewhere"))) {
      table.lines = [...table.tBodies[0].rows];
      tools.append(button("CSV", () => save(`${figure.id}.csv`, "text/csv", numbers(table, rest))));
    }
    for (const press of tools.children) press.setAttribute("aria-label", `Save ${figure.id} as ${press.textContent}`);
    figure.append(tools);
  }
  for (const table of document.querySelectorAll(".scroll > table")) if (table.tBodies[0]?.rows.length > 1) prepare(table);
})();
