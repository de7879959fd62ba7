// What stands with the picture of a motion: its frame number, its time line with marks, and its files.

/** Seconds as people write them. */
const inWords = (seconds) => `${seconds.toFixed(1)} s`;

/** The time line of a motion with what was kept of it and where its pieces meet; it moves to where it is clicked. */
class TimeLine {
  /** whole: seconds of the page's clock; seek(seconds): goes there. */
  constructor(motion, whole, seek) {
    const { kept, what, seams, segments } = motion.marks, share = (seconds) => `${100 * seconds / (whole || 1)}%`;
    this.whole = whole;
    this.bar = document.createElement("div");
    this.bar.className = "marks";
    const put = (name, from, to, title) => {
      const mark = this.bar.appendChild(Object.assign(document.createElement("span"), { className: name, title }));
      mark.style.left = share(from);
      if (to !== undefined) mark.style.width = share(Math.max(to - from, 0.5 / motion.fps));
      return mark;
    };
    const lanes = [...new Set(segments.map(([, , , lane]) => lane))];
    if (lanes.length > 1) this.bar.style.height = `${1.3 * lanes.length}rem`;
    for (const [from, to, words, lane] of segments) {
      const mark = put("segment-mark", from, to, lane === "body" ? words : `${words} (${lane})`), row = lanes.indexOf(lane);
      mark.textContent = words;
      mark.style.top = `${100 * row / lanes.length}%`;
      mark.style.height = `${100 / lanes.length}%`;
    }
    for (const [from, to] of kept) put("kept-mark", from, to, `${what}: ${inWords(from)} to ${inWords(to)}`);
    for (const at of seams) put("seam-mark", at, undefined, `seam at ${inWords(at)}`);
    this.now = put("now-mark", 0);
    const told = [
      ...kept.length ? [`${what} ${kept.slice(0, 8).map(([from, to]) => `${from.toFixed(1)} to ${inWords(to)}`).join(", ")}`] : [],
      ...seams.length ? [`${seams.length === 1 ? "seam" : "seams"} at ${seams.slice(0, 8).map(inWords).join(", ")}${seams.length > 8 ? " …" : ""}`] : [],
      ...segments.slice(0, 12).map(([from, to, words]) => `${words} ${from.toFixed(1)} to ${inWords(to)}`),
    ];
    this.bar.setAttribute("role", "img");
    this.bar.setAttribute("aria-label", `Time line: ${told.join("; ")}`);
    this.bar.addEventListener("pointerdown", (e) => { const edges = this.bar.getBoundingClientRect(); seek(whole * (e.clientX - edges.left) / edges.width); });
    this.legend = document.createElement("p");
    this.legend.className = "legend";
    for (const [name, words] of [["kept-mark", kept.length && what], ["seam-mark", seams.length && (seams.length === 1 ? "seam" : "seams")]]) if (words) this.legend.append(Object.assign(document.createElement("i"), { className: name }), ` ${words} `);
  }

  static wanted(motion) { return motion.marks && (motion.marks.kept.length || motion.marks.seams.length || motion.marks.segments.length > 0); }

  move(time) { this.now.style.left = `${100 * time / (this.whole || 1)}%`; }
}

/** In a page of its own: who made a motion, and its files: those that the page carries, and the picture of this moment. */
function takeHome(player, figure, motion, i) {
  const told = motion.provenance, row = document.createElement("p"), of = player.motions.length > 1 ? ` of motion ${i + 1}` : "";
  const licence = told.licence || "", short = licence.split(/[,;]/)[0], small = document.createElement(short === licence ? "small" : "details");
  const about = [told.model, told.seed === undefined ? "" : `seed ${told.seed}`, short].filter(Boolean).join(" · ");
  if (short === licence) small.textContent = about; else small.append(Object.assign(document.createElement("summary"), { textContent: `${about} …` }), licence);
  if (about) figure.querySelector("figcaption").append(small);
  row.className = "files";
  const button = (label, title, work) => {
    const made = row.appendChild(Object.assign(document.createElement("button"), { type: "button", textContent: label, title: title + of }));
    made.setAttribute("aria-label", title + of);
    made.addEventListener("click", () => work().catch((error) => player.tell(`${label} could not be saved (${error.message}).`)));
  };
  for (const [label, name, packed] of motion.files || []) button(label, `Save as ${label}`, async () => {
    const stream = new Blob([unpack(packed, Uint8Array)]).stream().pipeThrough(new DecompressionStream("gzip"));
    save(await new Response(stream).blob(), name);
  });
  button("Picture", "Save the picture shown now", async () => {
    player.draw();
    const blob = await new Promise((done) => player.views[i].canvas.toBlob(done, "image/png"));
    save(blob, `${(motion.files?.[0]?.[1] || "motion.bvh").replace(/\.\w+$/, "")}_${player.frameOf(motion)}.png`);
  });
  figure.append(row);
}

function save(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}
