// Sorting: a click sorts downwards, the next one upwards; rows without a number stay last.
for (const table of document.querySelectorAll("table")) {
  const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
  // Where the headings are hidden (a phone), a choice sorts instead.
  const choice = document.createElement("select"), label = document.createElement("label");
  label.className = "sort";
  label.append("Sort by ", choice);
  choice.append(new Option("as measured", ""));
  heads.forEach((head, column) => { if (head.querySelector("button")) choice.append(new Option(head.textContent, column)); });
  choice.addEventListener("change", () => { if (choice.value) heads[choice.value].querySelector("button").click(); });
  table.parentElement.before(label);
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    head.querySelector("button")?.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") === "descending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const value = (row) => { const text = row.cells[column].dataset.value; return text === "" ? NaN : Number(text); };
      const order = (a, b) => {
        const x = value(a), y = value(b);
        if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
        return up ? x - y : y - x;
      };
      body.append(...[...body.rows].sort(order));
    });
  });
}

// The motions: one page of the player a caption, put into the frame when it is chosen or first seen.
const pages = JSON.parse(document.getElementById("pages").textContent);
for (const select of document.querySelectorAll("select.caption")) {
  const frame = select.closest("section").querySelector("iframe.player");
  const show = () => { frame.srcdoc = pages[Number(select.value)]; };
  select.addEventListener("change", show);
  new IntersectionObserver((entries, watch) => {
    if (entries.some((entry) => entry.isIntersecting)) { watch.disconnect(); show(); }
  }, { rootMargin: "200px" }).observe(frame);
}
