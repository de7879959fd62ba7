// The sound: heard, in time with the motion, and seen as a waveform with its beats or its words.

const PEAKS_A_SECOND = 100, SHOWN = 12, WHOLE = 20;  // seconds around now; up to WHOLE, all of it is shown
const WORD_ROOM = 110;  // pixels a second that words need to be read, three or four of them in two rows

class Sound {
  /** raw: {src, offset, seconds, peaks, beats, bars, words}; tell(message): says what a person should know. */
  constructor(raw, tell) {
    Object.assign(this, raw);
    this.tell = tell;
    this.peaks = unpack(raw.peaks, Uint8Array);
    this.on = true;
    const [head, text] = raw.src.split(";base64,");
    this.element = new Audio(URL.createObjectURL(new Blob([unpack(text, Uint8Array)], { type: head.slice(5) })));  // a blob seeks better than an address of megabytes
    this.element.preservesPitch = true;
    this.element.addEventListener("error", () => this.fail("this browser cannot play it"));
    $("music").hidden = false;
    $("said").hidden = !this.words.length;
    $("wave").setAttribute("aria-label", `The sound around this moment, with its ${this.words.length ? "words" : "beats"}`);
    // Spaces between them, so that a screen reader reads a text; text is never markup.
    this.spans = this.words.map(([text]) => Object.assign(document.createElement("span"), { textContent: text, title: text, dir: "auto" }));
    $("said").firstElementChild.replaceChildren(...this.spans.flatMap((span) => [span, " "]));
  }

  /** Seconds that the large waveform shows: where somebody speaks, as many as there is room for words. */
  get shown() { return this.words.length ? Math.max(2, $("wave").clientWidth / WORD_ROOM) : SHOWN; }

  get whole() { return this.words.length ? this.shown : WHOLE; }

  /** The number of the word that is said at a time, or -1. */
  wordAt(time) { return this.words.findLastIndex(([, start, end]) => start <= time && time < end); }

  /** Whether the sound is the clock now: it runs, and the motion follows it. */
  get leads() { return this.on && !this.failed && !this.element.paused && !this.element.ended && this.element.readyState > 2; }

  /** The motion's time that is heard now. */
  get time() { return this.element.currentTime - this.offset; }

  fail(reason) {
    if (this.failed) return;
    this.failed = true;
    this.tell(`The sound is not played (${reason}).`);
  }

  /** Play from a time, or be silent. */
  play(on, time, speed) {
    this.element.playbackRate = speed;
    if (!on || !this.on || this.failed) { this.element.pause(); return; }
    this.seek(time);
    this.starting = true;
    this.element.play().finally(() => { this.starting = false; }).catch((error) => { if (error.name !== "AbortError") this.fail(error.name === "NotAllowedError" ? "the browser wants a click first" : error.message); });
  }

  seek(time) { if (Math.abs(this.time - time) > 0.01) this.element.currentTime = Math.max(0, time + this.offset); }

  /** The window of time that the large waveform shows: [from, to]. */
  span(now) {
    if (this.seconds <= this.whole) return [0, this.seconds];
    const shown = this.shown, from = Math.min(Math.max(now - shown / 2, 0), this.seconds - shown);
    return [from, from + shown];
  }

  draw(now, colours) {
    const [from, to] = this.span(now);
    $("overview").hidden = this.seconds <= this.whole;
    this.say(now, from, to);
    if (!$("overview").hidden) {
      const all = this.canvas("overview");
      this.wave(all, 0, this.seconds, now, colours, 1);
      const scale = all.canvas.width / this.seconds;
      all.globalAlpha = 0.18; all.fillStyle = colours.ink;
      all.fillRect(from * scale, 0, Math.max(2, (to - from) * scale), all.canvas.height);
      all.globalAlpha = 1;
      this.mark(all, now * scale, 0, 1, colours.now, 2);
    }
    const near = this.canvas("wave"), scale = near.canvas.width / (to - from), sharp = devicePixelRatio || 1;
    this.wave(near, from, to, now, colours, 0.72);
    near.font = `${10 * sharp}px system-ui, sans-serif`;
    const bars = new Set(this.bars.map((t) => t.toFixed(3)));
    const many = (to - from) / near.canvas.width * sharp * 14;  // seconds that a number needs
    for (const t of this.within(this.beats, from, to)) {
      const bar = bars.has(t.toFixed(3)), away = now - t, lit = away >= -0.02 && away < 0.16;
      this.mark(near, (t - from) * scale, bar ? 0 : 0.22, 1, lit ? colours.now : bar ? colours.ink : colours.quiet, lit ? 3 : bar ? 2 : 1);
    }
    let last = -1e9;
    for (const t of this.within(this.bars, from, to)) {
      if (t - last < many * 2) continue;
      last = t;
      near.fillStyle = colours.ink;
      near.fillText(String(this.bars.indexOf(t) + 1), (t - from) * scale + 4 * sharp, 11 * sharp);
    }
    this.mark(near, (now - from) * scale, 0, 1, colours.now, 2);
  }

  /** The words at their times, in two rows, so that each has room until the next but one. */
  say(now, from, to) {
    if (!this.words.length) return;
    const scale = $("said").clientWidth / (to - from), ends = (i) => (this.words[i + 2]?.[1] ?? this.seconds) * scale;
    if (scale !== this.scale) this.spans.forEach((span, i) => { const left = this.words[i][1] * scale; span.style.left = `${left}px`; span.style.maxWidth = `${Math.max(4, ends(i) - left - 2)}px`; });
    this.scale = scale;
    $("said").firstElementChild.style.transform = `translateX(${-from * scale}px)`;
    const heard = this.wordAt(now);
    if (heard !== this.heard) { this.spans[this.heard]?.classList.remove("heard"); this.spans[heard]?.classList.add("heard"); }
    this.heard = heard;
  }

  within(times, from, to) { return times.filter((t) => t >= from && t <= to); }

  canvas(id) {
    const canvas = $(id), sharp = devicePixelRatio || 1, width = Math.max(1, Math.round(canvas.clientWidth * sharp)), height = Math.max(1, Math.round(canvas.clientHeight * sharp));
    if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, width, height);
    return context;
  }

  /** The level of every column, mirrored about a line at a share of the height that leaves room for marks. */
  wave(context, from, to, now, colours, share) {
    const { width, height } = context.canvas, half = height * share / 2, centre = height - half;
    for (let x = 0; x < width; x++) {
      const a = Math.floor((from + (to - from) * x / width) * PEAKS_A_SECOND), b = Math.max(a + 1, Math.floor((from + (to - from) * (x + 1) / width) * PEAKS_A_SECOND));
      let level = 0;
      for (let i = a; i < b && i < this.peaks.length; i++) level = Math.max(level, this.peaks[i]);
      const tall = Math.max(0.5, half * level / 255);
      context.fillStyle = from + (to - from) * x / width <= now ? colours.played : colours.wave;
      context.fillRect(x, centre - tall, 1, 2 * tall);
    }
  }

  mark(context, x, from, to, colour, wide) {
    const { height } = context.canvas, sharp = devicePixelRatio || 1;
    context.fillStyle = colour;
    context.fillRect(x - wide * sharp / 2, from * height, wide * sharp, (to - from) * height);
  }
}
