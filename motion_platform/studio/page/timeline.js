// The timeline: texts with lengths on lanes, on the clock of the player. Blocks are dragged, or moved by the arrow keys.
"use strict";

const SHORTEST = 0.5, STEP = 0.1;
const round = (seconds) => Math.round(seconds * 20) / 20;

class Timeline {
  /** lanes: names of the parts of a body, the whole first. */
  constructor(studio, lanes) {
    Object.assign(this, { studio, lanes, player: studio.player });
    this.segments = []; this.chosen = -1;
    $("segment-lane").append(...lanes.map((lane) => element("option", { value: lane, textContent: lane.replaceAll("_", " ") })));
    $("segment-add").addEventListener("click", () => this.add());
    $("segment-split").addEventListener("click", () => this.split());
    $("segment-remove").addEventListener("click", () => this.remove());
    $("segment-again").addEventListener("click", () => this.again(this.segments[this.chosen]));
    $("timeline-make").addEventListener("click", () => this.make());
    for (const name of ["text", "seconds", "start", "lane"]) $(`segment-${name}`).addEventListener("input", () => this.edit(name, $(`segment-${name}`).value));
    $("timeline-show").hidden = false;
    $("timeline-show").addEventListener("click", () => this.show($("timeline").hidden));
    this.draw();
    const tick = () => { for (const mark of document.querySelectorAll(".playhead")) mark.style.left = `${100 * Math.min(1, this.player.time / this.total)}%`; requestAnimationFrame(tick); };
    requestAnimationFrame(tick);
  }

  get total() { return Math.max(4, ...this.segments.map((s) => s.start + s.seconds)); }

  /** The segments as a call takes them. */
  written() { return this.segments.map(({ text, seconds, lane, start }) => ({ text, seconds: round(seconds), lane, start: round(start) })); }

  /** Other segments: a plan that was made, or a timeline of an earlier request. */
  fill(segments) {
    let end = 0;
    this.segments = segments.map((s) => { const made = { text: s.text, seconds: s.seconds || 3, lane: s.lane || this.lanes[0], start: s.start ?? end }; end = Math.max(end, made.start + made.seconds); return made; });
    this.chosen = this.segments.length ? 0 : -1;
    this.draw();
  }

  end(lane) { return Math.max(0, ...this.segments.filter((s) => s.lane === lane).map((s) => s.start + s.seconds)); }

  add() {
    const lane = this.lanes[0];
    this.segments.push({ text: this.segments.length ? "a person stands" : "a person walks forward", seconds: 2, lane, start: this.end(lane) });
    this.choose(this.segments.length - 1);
    $("segment-text").select();
  }

  split() {
    const own = this.segments[this.chosen], at = this.player.time > own.start + SHORTEST && this.player.time < own.start + own.seconds - SHORTEST ? round(this.player.time) : round(own.start + own.seconds / 2);
    if (own.seconds < 2 * SHORTEST) return;
    this.segments.splice(this.chosen + 1, 0, { ...own, start: at, seconds: own.start + own.seconds - at });
    own.seconds = at - own.start;
    this.draw();
  }

  remove() { this.segments.splice(this.chosen, 1); this.choose(Math.min(this.chosen, this.segments.length - 1)); }

  choose(number) { this.chosen = number; this.draw(); }

  edit(name, value) {
    const own = this.segments[this.chosen];
    if (!own) return;
    if (name === "seconds") this.resize(own, Number(value) || SHORTEST); else if (name === "start") this.move(own, Number(value) || 0); else own[name] = value;
    this.draw(false);
  }

  others(own) { return this.segments.filter((s) => s !== own && s.lane === own.lane); }

  /** Another length: what follows on the lane moves along. */
  resize(own, seconds) {
    const wanted = Math.min(60, Math.max(SHORTEST, round(seconds))), by = wanted - own.seconds;
    for (const other of this.others(own)) if (other.start >= own.start + own.seconds - 0.01) other.start = Math.max(0, round(other.start + by));
    own.seconds = wanted;
  }

  /** Another start, between its neighbours on the lane. */
  move(own, start) {
    const before = Math.max(0, ...this.others(own).filter((s) => s.start < own.start).map((s) => s.start + s.seconds));
    const after = Math.min(1e9, ...this.others(own).filter((s) => s.start > own.start).map((s) => s.start - own.seconds));
    own.start = round(Math.min(Math.max(before, start), Math.max(before, after)));
  }

  draw(fields = true) {
    const used = this.lanes.filter((lane, i) => i === 0 || this.segments.some((s) => s.lane === lane)), focus = document.activeElement?.dataset?.segment;
    $("lanes").replaceChildren(...used.map((lane) => {
      const track = element("div", { className: "track", onclick: (e) => { if (e.target === track) this.player.seek(this.total * e.offsetX / track.clientWidth); } });
      this.segments.forEach((s, i) => { if (s.lane === lane) track.append(this.block(s, i)); });
      track.append(element("span", { className: "playhead" }));
      return element("div", { className: "lane" }, element("span", { className: "lane-name", textContent: lane.replaceAll("_", " ") }), track);
    }));
    const own = this.segments[this.chosen];
    $("segment").hidden = !own; $("timeline-make").disabled = !this.segments.length;
    if (own && fields) for (const name of ["text", "seconds", "start", "lane"]) $(`segment-${name}`).value = typeof own[name] === "number" ? round(own[name]) : own[name];
    if (focus !== undefined) $("lanes").querySelector(`[data-segment="${focus}"]`)?.focus();
  }

  block(own, i) {
    const made = element("button", { type: "button", className: "segment", textContent: own.text, title: `${own.text}: ${round(own.seconds)} s from ${round(own.start)} s (arrow keys move it, with Shift change its length)` });
    made.dataset.segment = i;
    made.setAttribute("aria-pressed", String(i === this.chosen));
    made.style.left = `${100 * own.start / this.total}%`;
    made.style.width = `${100 * own.seconds / this.total}%`;
    made.addEventListener("keydown", (e) => {
      const by = { ArrowLeft: -STEP, ArrowRight: STEP }[e.key];
      if (by === undefined && e.key !== "Delete") return;
      e.preventDefault(); e.stopPropagation();
      this.chosen = i;
      if (e.key === "Delete") { this.remove(); return; }
      if (e.shiftKey) this.resize(own, own.seconds + by); else this.move(own, own.start + by);
      this.draw();
    });
    made.addEventListener("pointerdown", (e) => {
      const edges = made.getBoundingClientRect(), scale = this.total / made.parentElement.clientWidth, before = { x: e.clientX, start: own.start, seconds: own.seconds }, stretch = e.clientX > edges.right - 10;
      this.choose(i);
      const drag = (m) => { const by = (m.clientX - before.x) * scale; if (stretch) this.resize(own, before.seconds + by); else this.move(own, before.start + by); this.draw(); };
      const stop = () => { removeEventListener("pointermove", drag); removeEventListener("pointerup", stop); removeEventListener("pointercancel", stop); };
      addEventListener("pointermove", drag); addEventListener("pointerup", stop); addEventListener("pointercancel", stop);
    });
    made.addEventListener("click", () => this.choose(i));
    return made;
  }

  show(on) {
    $("timeline").hidden = !on;
    $("timeline-show").setAttribute("aria-pressed", String(on));
    if (on && !this.segments.length) this.fill(this.planned(this.studio.current) || [{ text: $("slots").querySelector("textarea")?.value.split("\n")[0].trim() || "a person walks forward", seconds: 3 }]);
    $("segment-again").disabled = !this.planned(this.studio.current);
  }

  /** The segments of the plan that a motion was made by. */
  planned(job) { return job?.motions?.[0]?.info.plan?.segments; }

  async make() {
    this.studio.problem("");
    if (this.studio.card.writes !== "motion" || !this.studio.card.texts.length) this.studio.choose(this.studio.start);
    const models = this.studio.models();
    try { await this.studio.follow(await post("generate", { task: this.studio.card.task, ...(models.length ? { model: models } : {}), timeline: this.written(), seed: Number($("seed").value) || 0, samples: Number($("samples").value) || 1 })); } catch (error) { this.studio.problem(error.message); this.studio.busy(null); }
  }

  /** One part of the first motion anew, with the next seed; its other frames stay. */
  async again(segment) {
    const motion = this.studio.current?.motions?.[0], edits = this.studio.offers.tasks.find((card) => card.writes === "motion" && card.texts.length && !card.required.length && !card.completes);
    if (!motion || !edits) return;
    const from = Math.round(segment.start * motion.fps), to = Math.round((segment.start + segment.seconds) * motion.fps);
    const frames = [...Array(motion.frames).keys()].filter((frame) => frame < from || frame >= to);
    this.studio.problem("");
    $("seed").value = (Number($("seed").value) || 0) + 1;
    try { await this.studio.follow(await post("edit", { task: edits.task, clip: `${this.studio.current.key}/${motion.number}`, keep: "keyframes", frames, text: segment.text, seed: Number($("seed").value) })); } catch (error) { this.studio.problem(error.message); this.studio.busy(null); }
  }
}
