// The page: time, controls, mouse, touch and keyboard.

const THEMES = {
  light: { music: { wave: "#b9c3d0", played: "#7fa3da", ink: "#1d232b", quiet: "#5b6673", now: "#c2407a" }, back: "#eef1f5", floor: "#e6eaf0", line: "#c3cbd6", trail: "#c2407a", shadow: 0.8, sky: [0.50, 0.55, 0.62], bounce: [0.24, 0.23, 0.22], sun: 0.78 },
  dark: { music: { wave: "#454f5b", played: "#4d78b8", ink: "#e8ebef", quiet: "#9aa5b1", now: "#ff7fb2" }, back: "#171b21", floor: "#1f252d", line: "#3a444f", trail: "#ff7fb2", shadow: 0.9, sky: [0.32, 0.36, 0.43], bounce: [0.13, 0.13, 0.14], sun: 0.80 },
};
const $ = (id) => document.getElementById(id);

class Player {
  /** data: what the page shows first. dress(figure, motion, i): what another page adds to the figure of a motion. */
  constructor(data, dress = () => {}) {
    this.dress = dress;
    this.speed = 1; this.quality = 1; this.loop = true; this.follow = true; this.trail = false; this.skeleton = false;
    this.dark = matchMedia("(prefers-color-scheme: dark)");
    this.dark.addEventListener("change", () => { this.dirty = true; });
    const settings = new URLSearchParams(location.hash.slice(1));  // #t=1.5&renderer=canvas
    this.choose(settings.get("renderer"));
    this.listen();
    this.show(data);
    // What sounds waits for a click: no browser lets a page begin to sound by itself.
    if (settings.has("t")) this.seek(Number(settings.get("t")) || 0); else if (!this.sound && !matchMedia("(prefers-reduced-motion: reduce)").matches) this.play();
    if (settings.has("path")) this.toggle("trail");
    if (settings.has("skeleton")) this.toggle("skeleton");
    requestAnimationFrame((now) => this.tick(now));
  }

  choose(wanted) {
    if (wanted === "canvas") { this.simplify("it was asked for"); return; }
    try { this.renderer = new WebGLRenderer(); } catch (error) { this.simplify(error.message); }
  }

  /** Other motions, from their beginning; the camera stays where it is. */
  show(data) {
    if (this.sound) this.sound.play(false, 0, 1);
    this.motions = data.motions.map((raw) => new Motion(raw));
    this.seconds = Math.max(0, ...this.motions.map((m) => m.seconds));
    this.step = 1 / Math.max(1, ...this.motions.map((m) => m.fps));
    this.tones = data.colours;
    const flat = this.motions.length > 0 && this.motions.every((m) => m.flat);
    if (!this.camera || this.flat !== flat) this.camera = new Camera(flat);
    this.flat = flat;
    this.time = 0; this.playing = false; this.dirty = true;
    this.sound = data.audio ? new Sound(data.audio, (words) => this.tell(words)) : null;
    this.traces = this.motions.some((m) => m.traced.length > 0);
    for (const [name, there] of [["traces", this.traces], ["sound", this.sound]]) for (const part of [$(name), document.querySelector(`[data-for=${name}]`)]) part.hidden = !there;
    $("music").hidden = !this.sound;
    this.buildStage();
  }

  buildStage() {
    const stage = $("stage"), count = this.motions.length;
    stage.replaceChildren();
    const columns = count <= 3 ? Math.max(1, count) : count === 4 ? 2 : count <= 9 ? 3 : 4;
    stage.style.setProperty("--columns", columns);
    stage.classList.toggle("many", count > 2 * columns);
    this.views = this.motions.map((motion, i) => {
      const figure = document.createElement("figure"), box = document.createElement("div"), canvas = document.createElement("canvas"), caption = document.createElement("figcaption");
      box.className = "view";
      canvas.tabIndex = 0;
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", `Motion ${i + 1} of ${count}: ${motion.caption || motion.name}`);
      caption.textContent = motion.caption || motion.name;
      caption.dir = "auto";
      for (const line of motion.notes) caption.append(Object.assign(document.createElement("small"), { textContent: line }));
      const frame = Object.assign(document.createElement("span"), { className: "frame", title: "Frame shown, and the last one" });
      frame.setAttribute("aria-hidden", "true");  // the slider says it
      box.append(canvas, frame);
      figure.append(box);
      const line = TimeLine.wanted(motion) ? new TimeLine(motion, this.seconds, (time) => { this.play(false); this.seek(time); }) : null;
      if (line) figure.append(line.bar, line.legend);
      figure.append(caption);
      stage.append(figure);
      this.dress(figure, motion, i);
      this.grab(canvas);
      new ResizeObserver(() => { this.dirty = true; }).observe(box);
      return { motion, box, canvas, frame, line, context: canvas.getContext("2d", { alpha: false }) };
    });
    $("scrub").max = this.seconds;
  }

  /** Click or drag on a waveform: go there. */
  grabWave(canvas, span) {
    const go = (e) => { const edges = canvas.getBoundingClientRect(), [from, to] = this.held; this.seek(from + (to - from) * (e.clientX - edges.left) / edges.width); };
    canvas.addEventListener("pointerdown", (e) => { canvas.setPointerCapture(e.pointerId); this.held = span(); go(e); });
    canvas.addEventListener("pointermove", (e) => { if (this.held && e.buttons) go(e); });
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { this.held = null; });
  }

  /** Mouse and touch: one finger turns, two move and zoom; shift or another button moves. */
  grab(canvas) {
    const held = new Map();
    canvas.addEventListener("contextmenu", (e) => e.preventDefault());
    canvas.addEventListener("pointerdown", (e) => { canvas.setPointerCapture(e.pointerId); held.set(e.pointerId, [e.clientX, e.clientY]); });
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, (e) => held.delete(e.pointerId));
    canvas.addEventListener("pointermove", (e) => {
      const before = held.get(e.pointerId);
      if (!before) return;
      const dx = e.clientX - before[0], dy = e.clientY - before[1], size = canvas.clientHeight || 1;
      if (held.size === 2) {
        const other = [...held].find(([id]) => id !== e.pointerId)[1];
        const a = Math.hypot(before[0] - other[0], before[1] - other[1]), b = Math.hypot(e.clientX - other[0], e.clientY - other[1]);
        if (a > 0 && b > 0) this.zoom(a / b);
        this.move(dx / size / 2, dy / size / 2);
      } else if (e.shiftKey || e.buttons > 1) this.move(dx / size, dy / size);
      else this.camera.turn(dx, dy);
      held.set(e.pointerId, [e.clientX, e.clientY]);
      this.dirty = true;
    });
    canvas.addEventListener("wheel", (e) => { e.preventDefault(); this.zoom(Math.exp(Math.sign(e.deltaY) * Math.min(0.25, Math.abs(e.deltaY) * 0.0016))); }, { passive: false });
    canvas.addEventListener("dblclick", () => this.play(!this.playing));
  }

  zoom(factor) { this.camera.zoom = Math.min(8, Math.max(0.15, this.camera.zoom * factor)); this.dirty = true; }

  move(dx, dy) { this.camera.pan[0] -= dx * 1.32 * this.camera.zoom; this.camera.pan[1] += dy * 1.32 * this.camera.zoom; this.dirty = true; }

  listen() {
    $("play").addEventListener("click", () => this.play(!this.playing));
    $("scrub").addEventListener("input", () => { this.play(false); this.seek(Number($("scrub").value)); });
    $("speed").addEventListener("change", () => this.hurry());
    this.grabWave($("wave"), () => this.sound.span(this.time));
    this.grabWave($("said"), () => this.sound.span(this.time));
    this.grabWave($("overview"), () => [0, this.seconds]);
    new ResizeObserver(() => { this.dirty = true; }).observe($("music"));
    $("sound").addEventListener("click", () => { this.sound.on = !this.sound.on; $("sound").setAttribute("aria-pressed", String(this.sound.on)); this.sound.play(this.playing, this.time, this.speed); });
    for (const name of ["loop", "follow", "trail", "traces", "skeleton"]) $(name).addEventListener("click", () => this.toggle(name));
    $("reset").addEventListener("click", () => { this.camera.reset(); this.dirty = true; });
    $("help").addEventListener("click", () => { $("keys").hidden = !$("keys").hidden; $("help").setAttribute("aria-expanded", String(!$("keys").hidden)); });
    addEventListener("keydown", (e) => this.key(e));
  }

  key(e) {
    if (e.ctrlKey || e.metaKey || e.altKey || e.target.closest?.("select, textarea, dialog, input:not([type=range])")) return;
    const onButton = e.target.closest?.("button, summary, a");
    const jump = (by) => { this.play(false); this.seek(this.time + by); };
    const actions = {
      " ": () => this.play(!this.playing), k: () => this.play(!this.playing),
      ArrowLeft: () => jump(e.shiftKey ? -1 : -this.step), ArrowRight: () => jump(e.shiftKey ? 1 : this.step),
      Home: () => this.seek(0), End: () => { this.play(false); this.seek(this.seconds); },
      "-": () => this.faster(-1), "+": () => this.faster(1), "=": () => this.faster(1),
      l: () => this.toggle("loop"), f: () => this.toggle("follow"), t: () => this.toggle("trail"), s: () => this.toggle("skeleton"), h: () => { if (!$("traces").hidden) this.toggle("traces"); }, m: () => { if (this.sound) $("sound").click(); }, r: () => $("reset").click(), "?": () => $("help").click(),
    };
    const action = actions[e.key.length === 1 ? e.key.toLowerCase() : e.key];
    if (!action || (onButton && e.key === " ")) return;
    e.preventDefault();
    action();
  }

  faster(by) {
    const select = $("speed");
    select.selectedIndex = Math.min(select.options.length - 1, Math.max(0, select.selectedIndex + by));
    this.hurry();
  }

  hurry() { this.speed = Number($("speed").value); if (this.sound) this.sound.element.playbackRate = this.speed; }

  toggle(name) {
    this[name] = !this[name];
    $(name).setAttribute("aria-pressed", String(this[name]));
    this.dirty = true;
  }

  play(on = true) {
    if (on && !this.playing && this.time >= this.seconds) this.seek(0);
    this.playing = on && this.seconds > 0;
    $("play").setAttribute("aria-label", this.playing ? "Pause" : "Play");
    $("play-icon").setAttribute("d", this.playing ? "M7 5h4v14H7zM13 5h4v14h-4z" : "M8 5v14l11-7z");
    this.last = undefined;
    if (this.sound) this.sound.play(this.playing, this.time, this.speed);
  }

  seek(time) {
    this.time = Math.min(this.seconds, Math.max(0, time));
    if (this.sound) this.sound.seek(this.time);
    this.dirty = true;
  }

  tell(words) { $("notice").textContent = words; $("notice").hidden = false; }

  /** The number of the frame shown of a motion, as its own file counts them: from 0. */
  frameOf(motion) { return Math.round(motion.frameAt(Math.min(this.time, this.seconds))) * motion.every; }

  /** On machines that draw slowly: fewer pixels, then the simpler drawing, so that the motion stays smooth in time. */
  spare(interval) {
    this.slow = interval > 80 ? (this.slow || 0) + 1 : 0;
    if (this.slow < 4) return;
    this.slow = 0;
    if (this.quality > 0.6) this.quality *= 0.6;
    else if (this.renderer.name !== "canvas2d") { this.simplify("3-D is slow in this browser"); this.quality = 1; }
  }

  simplify(reason) {
    this.tell(`Simplified drawing (${reason}).`);
    this.renderer = new CanvasRenderer();
  }

  tick(now) {
    if (this.playing) {
      if (this.last !== undefined) this.spare(now - this.last);
      const passed = this.last === undefined ? 0 : Math.min(0.25, (now - this.last) / 1000);
      this.last = now;
      // The ear notices more than the eye: where there is sound, the motion follows it.
      if (this.sound && this.sound.leads) this.time = Math.max(0, this.sound.time);
      else if (!(this.sound && this.sound.starting)) this.time += passed * this.speed;
      // A moment of rest on the last frame before the loop starts again.
      if (this.time > this.seconds + (this.loop ? 0.35 * this.speed : 0)) { if (this.loop) { this.time = 0; if (this.sound) this.sound.play(true, 0, this.speed); } else { this.time = this.seconds; this.play(false); } }
      this.dirty = true;
    }
    if (this.dirty) this.draw();
    requestAnimationFrame((t) => this.tick(t));
  }

  draw() {
    this.dirty = false;
    const dark = this.dark.matches, theme = { ...(dark ? THEMES.dark : THEMES.light), tones: this.tones[dark ? "dark" : "light"] };
    const time = Math.min(this.time, this.seconds), sharp = Math.min(devicePixelRatio || 1, 2) * this.quality;
    for (const { motion, box, canvas, context, frame, line } of this.views) {
      frame.textContent = `frame ${this.frameOf(motion)} / ${(motion.frames - 1) * motion.every}`;
      if (line) line.move(time);
      const width = Math.max(1, Math.round(box.clientWidth * sharp)), height = Math.max(1, Math.round(box.clientHeight * sharp));
      const edges = box.getBoundingClientRect();
      if (edges.bottom < 0 || edges.top > innerHeight) continue;
      if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
      motion.dress(this.skeleton);
      motion.pose(time);
      const look = this.camera.look(motion, time, width / height, this.follow);
      this.renderer.draw(context, width, height, motion, time, look, theme, { trail: this.trail });
      if (this.traces) motion.traced.forEach(([joint, tone]) => drawTrace(context, width, height, motion, joint, theme.tones[tone], time, look));
    }
    if (this.sound) this.sound.draw(time, theme.music);
    $("scrub").value = time;
    const first = this.motions[0], number = first ? `, frame ${this.frameOf(first)}` : "", word = this.sound?.words[this.sound.wordAt(time)];
    $("scrub").setAttribute("aria-valuetext", `${time.toFixed(2)} seconds${number}${word ? `, “${word[0]}”` : ""}`);
    $("clock").textContent = `${time.toFixed(2)} / ${this.seconds.toFixed(2)} s`;
    this.drawn = (this.drawn || 0) + 1;
  }
}
