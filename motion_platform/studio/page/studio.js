// The studio: what is asked, the queue, what is shown under each motion. The player (player.js) draws and keeps the clock.
"use strict";

const EXAMPLES = ["a person waves the right hand", "a tired person walks and turns left", "somebody jumps twice"];
const SHOWN_NUMBERS = { foot_skating: "foot skating", text_distance: "to the text", content: "seen as", style: "style" };

class Studio {
  constructor() {
    this.inputs = {};  // kind of file -> {file, name, seconds}
    this.job = null; this.shown = ""; this.blind = false;
    this.player = new Player({ motions: [], colours: {}, audio: null }, (figure, motion, i) => this.dress(figure, i));
    window.motionPlayer = this.player;
    this.home = new Home(this);
    this.past = new Past(this);
    this.talk = new Talk(this);
    this.listen();
    this.begin();
  }

  async begin() {
    for (const text of EXAMPLES) $("examples").append(element("button", { type: "button", textContent: text, onclick: () => { this.choose(this.start); const box = $("slots").querySelector("textarea"); if (box) { box.value = text; this.go(); } } }));
    try {
      this.offers = await api("tasks");
      this.cards = Object.fromEntries(this.offers.tasks.map((card) => [card.task, card]));
      this.home.offer(this.offers.formats);
      const words = { motion: "Make motion", captions: "Motion into words", lengths: "How long" };
      for (const [writes, label] of Object.entries(words)) {
        const group = element("optgroup", { label });
        for (const card of this.offers.tasks) if (card.writes === writes) group.append(element("option", { value: card.task, textContent: card.task.replaceAll("_", " ") }));
        if (group.children.length) $("task").append(group);
      }
      this.choose(this.start);
      this.timeline = new Timeline(this, this.offers.lanes);
      const key = new URLSearchParams(location.search).get("r");
      if (key) this.open(key);
    } catch (error) { this.problem(error.message); }
    document.body.dataset.ready = "yes";
    this.watch();
  }

  /** The task that the page begins with: words into motion. */
  get start() { return (this.offers.tasks.find((card) => card.writes === "motion" && card.required.some((slot) => card.reads[slot] === "text")) || this.offers.tasks[0])?.task; }

  get card() { return this.cards[$("task").value]; }

  listen() {
    $("task").addEventListener("change", () => this.choose($("task").value));
    $("ask").addEventListener("submit", (e) => { e.preventDefault(); this.go(); });
    $("ask").addEventListener("keydown", (e) => { if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) { e.preventDefault(); this.go(); } });
    $("dice").addEventListener("click", () => { $("seed").value = Math.floor(Math.random() * 100000); });
    $("stop").addEventListener("click", () => { if (this.job) api(`jobs/${this.job.key}`, { method: "DELETE" }).catch((error) => this.problem(error.message)); });
    $("keep").addEventListener("change", () => this.showKeeping());
    $("this-frame").addEventListener("click", () => { this.player.play(false); const frame = Math.round(Math.min(this.player.time, this.player.seconds) * (this.offers.models[this.models()[0]]?.fps || 20)); $("frames").value = [...$("frames").value.split(",").map((f) => f.trim()).filter(Boolean), frame].join(", "); });
    $("blind").addEventListener("click", () => { this.blind = !this.blind; $("blind").setAttribute("aria-pressed", String(this.blind)); this.redress(); });
    $("link").addEventListener("click", () => navigator.clipboard?.writeText(location.href).then(() => { $("link").textContent = "Copied"; setTimeout(() => { $("link").textContent = "Copy link"; }, 1500); }));
    addEventListener("dragover", (e) => { e.preventDefault(); document.body.classList.add("over"); });
    addEventListener("dragleave", (e) => { if (!e.relatedTarget) document.body.classList.remove("over"); });
    addEventListener("drop", (e) => { e.preventDefault(); document.body.classList.remove("over"); if (e.dataTransfer.files.length) this.dropped([...e.dataTransfer.files]); });
  }

  problem(words) { $("problem").textContent = words; }

  /** How busy the server is, said in one line. */
  async watch() {
    for (;;) {
      try {
        const status = await api("status");
        this.most = status.most_bytes;
        $("status").textContent = status.waiting ? `${status.waiting} waiting` : status.running ? "working …" : status.loading ? "loading models …" : "ready";
      } catch (error) { $("status").textContent = "no connection"; }
      await new Promise((done) => setTimeout(done, document.hidden ? 8000 : 1500));
    }
  }

  // ------------------------------------------------------------------ the form, from the task's card

  choose(task) {
    if (!this.cards?.[task]) return;
    $("task").value = task;
    const card = this.card, kept = {};
    for (const box of $("slots").querySelectorAll("[data-slot]")) kept[box.dataset.slot] = box.value;
    $("task-title").textContent = card.title;
    $("slots").replaceChildren();
    card.texts.forEach((slot, i) => {
      const id = `slot-${slot}`, optional = card.required.includes(slot) ? "" : " (optional)";
      const box = element("textarea", { id, rows: i ? 2 : 3, value: kept[slot] || "", placeholder: i ? "walk, turn left, stop" : "a person walks forward" });
      box.dataset.slot = slot;
      const label = (i ? "Its actions, one after the other" : "What the body does") + optional;
      $("slots").append(element("div", { className: "field" }, element("label", { htmlFor: id, textContent: label }), box));
    });
    const kinds = Object.values(card.reads);
    if (kinds.includes("audio")) this.addDrop("audio", "A recording", SOUND_FILES, card.required.some((slot) => card.reads[slot] === "audio"));
    for (const [slot, kind] of Object.entries(card.reads)) if (kind === "words") {
      const id = `slot-${slot}`, box = element("textarea", { id, rows: 2, value: kept[slot] || "", placeholder: "the words of the recording" });
      box.dataset.slot = slot;
      $("slots").append(element("div", { className: "field" }, element("label", { htmlFor: id, textContent: `${slot.replaceAll("_", " ")} (optional)` }), box));
    }
    const starts = card.writes === "motion" && !kinds.includes("audio") && card.texts.length > 0;
    if (kinds.includes("motion") || starts) this.addDrop("motion", kinds.includes("motion") ? "A motion" : "A motion to start from", MOTION_FILES, kinds.includes("motion"));
    const models = $("models");
    models.replaceChildren(models.querySelector("legend"));
    card.models.forEach((name, i) => {
      const model = this.offers.models[name] || { kind: "" };
      const box = element("input", { type: "checkbox", name: "model", value: name, checked: i === 0, onchange: () => this.showSettings() });
      models.append(element("label", { className: "choice", title: `${model.licence || ""}` }, box, element("span", {}, name, " ", element("small", { textContent: model.kind }))));
    });
    models.hidden = !card.models.length;
    for (const [slot, kind] of Object.entries(card.reads)) if (kind === "label") this.addLabels(slot, kept[slot]);
    $("go").textContent = { motion: "Make motion", captions: "Say what it shows", lengths: "Say how long" }[card.writes];
    this.showKeeping();
    this.showSettings();
  }

  addDrop(kind, label, endings, required) {
    const id = `file-${kind}`, given = this.inputs[kind];
    const input = element("input", { type: "file", id, className: "unseen", multiple: kind === "motion", accept: [...endings, ...(kind === "motion" ? [".asf"] : [])].join(","), onchange: () => this.take([...input.files], kind) });
    const clear = element("button", { type: "button", textContent: "Take it away", hidden: !given, onclick: () => { delete this.inputs[kind]; this.choose($("task").value); } });
    const said = element("output", { textContent: given ? this.describe(given) : `or drop it here: ${endings.slice(0, 4).join(" ")}` });
    said.setAttribute("for", id);
    $("slots").append(element("div", { className: "drop" }, input, element("label", { htmlFor: id }, label + (required ? "" : " (optional)"), element("span", { className: "button", textContent: "Choose a file" })), said, clear));
  }

  addLabels(slot, chosen) {
    const labels = [...new Set(this.card.models.flatMap((name) => this.offers.models[name]?.labels[slot] || []))], id = `slot-${slot}`;
    const name = slot.replaceAll("_", " "), options = (first) => [element("option", { value: "", textContent: first }), ...labels.map((label) => element("option", { value: label, textContent: label }))];
    const box = labels.length ? element("select", { id }, ...options("any")) : element("input", { id, type: "text" });
    box.dataset.slot = slot;
    if (chosen) box.value = chosen;
    const field = element("div", { className: "field" }, element("label", { htmlFor: id, textContent: name }), box);
    if (labels.length > 1) {  // a mixture of two: how much of the second
      const other = element("select", { ariaLabel: `${name}, mixed with` }, ...options("alone")), share = element("input", { type: "range", min: 0, max: 1, step: 0.05, value: 0.5, hidden: true, ariaLabel: `How much of the second ${name}` });
      other.dataset.second = share.dataset.share = slot;
      other.addEventListener("change", () => { share.hidden = !other.value; });
      field.append(element("div", { className: "mix" }, other, share));
    }
    $("slots").append(field);
  }

  describe(file) { return [file.name, file.seconds && `${file.seconds} s`, file.motions > 1 && `${file.motions} motions`, ...(file.notes || [])].filter(Boolean).join(" · "); }

  models() { return [...document.querySelectorAll("input[name=model]:checked")].map((box) => box.value); }

  get edits() { const card = this.card; return card.writes === "motion" && !card.completes && !!this.inputs.motion && !Object.values(card.reads).includes("audio"); }

  showKeeping() {
    $("keeping").hidden = !this.edits;
    const keep = $("keep").value;
    $("keep-seconds-field").hidden = !["prefix", "in_between"].includes(keep);
    $("frames-field").hidden = $("this-frame").hidden = keep !== "keyframes";
  }

  /** Guidance a slot, of the models that are chosen. */
  showSettings() {
    const card = this.card, slots = [...new Set(this.models().flatMap((name) => this.offers.models[name]?.slots || []))].filter((slot) => slot in card.reads);
    $("guidance").replaceChildren(...slots.map((slot) => {
      const id = `guidance-${slot}`, box = element("input", { id, type: "number", step: "0.1", min: "0", max: "20", placeholder: "the model's" });
      box.dataset.guidance = slot;
      return element("div", { className: "field" }, element("label", { htmlFor: id, textContent: `Guidance: ${slot.replaceAll("_", " ")}` }), box);
    }));
    $("amplitude-field").hidden = !Object.values(card.reads).includes("audio");
    $("more").hidden = card.writes !== "motion";
  }

  /** [call, values]: what the form asks for, in the words of the Python face. */
  asked() {
    const card = this.card, values = { task: card.task, seed: Number($("seed").value) || 0, samples: Number($("samples").value) || 1 };
    const models = this.models(), said = (slot) => document.querySelector(`[data-slot="${slot}"]`)?.value.trim() || null;
    if (models.length) values.model = models;
    const [high, low] = card.texts.map(said), lines = (text) => { const all = (text || "").split("\n").map((line) => line.trim()).filter(Boolean); return all.length > 1 ? all : all[0] ?? null; };
    const seconds = $("seconds").value === "" ? null : Number($("seconds").value);
    if (card.writes === "lengths") { delete values.samples; return ["seconds", { ...values, text: lines(high) ?? "" }]; }
    const motion = this.inputs.motion?.file;
    if (card.writes === "captions") return ["caption", { ...values, clips: motion ?? "" }];
    const weights = Object.fromEntries([...document.querySelectorAll("[data-guidance]")].filter((box) => box.value !== "").map((box) => [box.dataset.guidance, Number(box.value)]));
    if (Object.keys(weights).length) values.guidance = weights;
    if ($("steps").value) values.steps = Number($("steps").value);
    if ($("sampler").value.trim()) values.sampler = $("sampler").value.trim();
    if (this.edits) {
      const keep = $("keep").value, one = (text) => text && text.split("\n").join(" ");
      Object.assign(values, { clip: motion, keep, text: one(high), low_text: one(low), keep_seconds: Number($("keep_seconds").value) || 1 });
      if (keep === "prefix" && seconds !== null) values.seconds = seconds;
      if (keep === "keyframes") values.frames = $("frames").value.split(",").map((f) => f.trim()).filter(Boolean).map(Number);
      return ["edit", values];
    }
    if (high !== undefined) values.text = lines(high);
    if (low) values.low_text = lines(low);
    card.texts.slice(2).forEach((slot) => { if (said(slot)) (values.give ||= {})[slot] = said(slot); });
    if (motion && card.completes) values.motion = motion; else if (seconds !== null) values.seconds = seconds;
    if (this.inputs.audio && Object.values(card.reads).includes("audio")) { values.music = this.inputs.audio.file; values.amplitude = Number($("amplitude").value) || 1; }
    for (const [slot, kind] of Object.entries(card.reads)) if (["label", "words"].includes(kind) && said(slot)) (values.give ||= {})[slot] = this.mixed(slot, said(slot));
    return ["generate", values];
  }

  /** A label, or two with their weights. */
  mixed(slot, first) {
    const second = document.querySelector(`[data-second="${slot}"]`)?.value, share = Number(document.querySelector(`[data-share="${slot}"]`)?.value);
    return second && second !== first ? `${first}:${(1 - share).toFixed(2)},${second}:${share.toFixed(2)}` : first;
  }

  // ------------------------------------------------------------------ files

  async take(files, kind) {
    this.problem("");
    try {
      const skeleton = files.find((file) => file.name.toLowerCase().endsWith(".asf"));
      const asf = skeleton && (await this.upload(skeleton)).file;
      const file = files.find((each) => each !== skeleton);
      if (!file) return;
      this.inputs[kind] = await this.upload(file, asf);
      this.choose($("task").value);
      if (this.inputs.motion && kind === "motion") { this.current = null; this.shown = ""; this.player.show(await api(`files/${this.inputs.motion.file}/player`)); $("empty").hidden = true; $("heading").textContent = this.inputs.motion.name; this.player.play(); }
    } catch (error) { this.problem(error.message); }
  }

  async upload(file, asf) {
    if (this.most && file.size > this.most) throw new Error(`${file.name}: is too large; at most ${Math.floor(this.most / 2 ** 20)} MB are taken`);
    return api(`files?name=${encodeURIComponent(file.name)}${asf ? `&asf=${asf}` : ""}`, { method: "POST", headers: { "Content-Type": "application/octet-stream" }, body: file });
  }

  /** Files dropped anywhere: a list of prompts fills the text; of others the tasks that read them are offered. */
  async dropped(files) {
    const endings = files.map((file) => file.name.slice(file.name.lastIndexOf(".")).toLowerCase());
    const at = endings.findIndex((ending) => ending !== ".asf"), ending = endings[at] ?? "";
    if (ending === ".txt") {
      const box = $("slots").querySelector("textarea");
      if (box) box.value = (await files[at].text()).split("\n").map((line) => line.split("\t")[0].trim()).filter(Boolean).slice(0, 32).join("\n");
      return;
    }
    const kind = MOTION_FILES.includes(ending) ? "motion" : SOUND_FILES.includes(ending) ? "audio" : null;
    if (!kind) { this.problem(`${files[0].name}: files that end in ${ending || "nothing"} are not read here`); return; }
    const ways = this.ways(kind);
    if (ways.length === 1) { ways[0][1](); await this.take(files, kind); return; }
    $("dropped-title").textContent = `What shall happen with ${files[at].name}?`;
    $("choices").replaceChildren(...ways.map(([label, choose]) => element("button", { type: "button", textContent: label, onclick: async () => { $("dropped").close(); choose(); await this.take(files, kind); } })));
    $("dropped").showModal();
  }

  /** [[label, choose]]: what can be done with a file of a kind, from the cards. */
  ways(kind) {
    const ways = [];
    for (const card of this.offers.tasks) if (Object.values(card.reads).includes(kind)) ways.push([card.title, () => this.choose(card.task)]);
    const edits = kind === "motion" && this.offers.tasks.find((card) => card.writes === "motion" && card.texts.length && !card.required.length && !card.completes);
    if (edits) for (const option of $("keep").options) ways.push([`Keep ${option.textContent} and make the rest anew`, () => { $("keep").value = option.value; this.choose(edits.task); }]);
    return ways;
  }

  // ------------------------------------------------------------------ jobs

  async go() {
    this.problem("");
    if (!this.cards) return;
    const [call, values] = this.asked();
    try { await this.follow(await post(call, values)); } catch (error) { this.problem(error.message); this.busy(null); }
  }

  async open(key) {
    try { const job = await api(`jobs/${encodeURIComponent(key)}`); this.fill(job); await this.follow(job); } catch (error) { this.problem(error.message); }
  }

  /** The form as it was when a job was asked for. */
  fill(job) {
    const asked = job.asked;
    if (!this.cards[asked.task]) return;
    for (const name of ["clip", "motion", "clips"]) if (typeof asked[name] === "string") this.inputs.motion = { file: asked[name], name: asked[name] };
    if (typeof asked.music === "string") this.inputs.audio = { file: asked.music, name: asked.music };
    if (asked.keep) $("keep").value = asked.keep;
    this.choose(asked.task);
    const put = (slot, value) => { const box = slot && document.querySelector(`[data-slot="${slot}"]`); if (box && value) box.value = [value].flat().join("\n"); };
    const card = this.card;
    put(card.texts[0], asked.text); put(card.texts[1], asked.low_text);
    put(Object.keys(card.reads).find((slot) => card.reads[slot] === "label"), asked.style);
    for (const [slot, value] of Object.entries(asked.give || {})) if (typeof value === "string") put(slot, value);
    if (asked.timeline) { this.timeline.fill(asked.timeline); this.timeline.show(true); }
    $("seed").value = asked.seed; $("samples").value = asked.samples; $("seconds").value = asked.seconds ?? "";
    const models = asked.model && [asked.model].flat();
    if (models) for (const box of document.querySelectorAll("input[name=model]")) box.checked = models.includes(box.value);
    this.showSettings();
  }

  busy(job) {
    const on = job && ["waiting", "running"].includes(job.state);
    $("stop").hidden = !on; $("progress").hidden = !on;
    if (!on) return;
    if (job.part > 0) $("progress").value = job.part; else $("progress").removeAttribute("value");
    $("heading").textContent = job.state === "waiting" ? (job.before > 1 ? `In the queue, ${job.before - 1} before you` : "Next in the queue") : `Making it … ${job.doing}`;
  }

  /** Show a job as it grows, until it is over or another one is followed. */
  async follow(job) {
    this.job = job;
    if (innerWidth < 900) $("result").scrollIntoView({ behavior: "smooth" });
    for (;;) {
      this.busy(job);
      if ((job.motions || []).length) await this.show(job);
      if (["done", "failed", "stopped"].includes(job.state)) break;
      job = await api(`jobs/${job.key}?seen=${job.version}&wait=20`);
      if (this.job.key !== job.key) return job;
      this.job = job;
    }
    this.finish(job);
    return job;
  }

  finish(job) {
    if (job.state === "failed") { this.problem(job.error); $("heading").textContent = ""; return; }
    if (job.state === "stopped") { $("heading").textContent = "Stopped"; return; }
    const words = [...(job.captions || []).map((each) => [each.text, `${each.clip} · ${each.model}`]), ...(job.seconds || []).flatMap((each) => each.seconds.map((s, i) => [`${s.toFixed(1)} s`, `${[job.asked.text].flat()[i]} · ${each.model}`]))];
    $("words").hidden = !words.length && !job.cannot?.length;
    $("words").replaceChildren(...words.map(([text, about]) => element("p", {}, `${text} `, element("small", { textContent: about }))), ...this.refusals(job));
    if (this.timeline.planned(job)) { this.timeline.fill(this.timeline.planned(job)); $("segment-again").disabled = false; }
    if (words.length) { $("empty").hidden = true; $("heading").textContent = ""; }
    history.replaceState(null, "", `?r=${job.key}`);
    this.past.remember(job, words[0]?.[0]);
  }

  refusals(job) { return (job.cannot || []).map((each) => element("p", { className: "cannot", textContent: `${each.model} cannot: ${each.error}` })); }

  // ------------------------------------------------------------------ what is shown

  async show(job) {
    const mark = `${job.key}/${job.motions.length}`;
    this.current = job;
    if (this.shown !== mark) {
      const data = await api(`jobs/${job.key}/player`);
      if (data.motions.length !== job.motions.length) return;  // one more has come meanwhile: the next round shows it
      this.shown = mark;
      $("empty").hidden = true;
      this.player.show(data);
      if (!this.player.sound && !matchMedia("(prefers-reduced-motion: reduce)").matches) this.player.play();
    }
    this.redress();
    const words = [...new Set(job.motions.map((motion) => motion.captions[0] || motion.name))];
    $("heading").textContent = words.length === 1 ? words[0] : `${job.motions.length} motions`;
    this.home.all(job.state === "done" ? job : null); $("link").hidden = job.state !== "done";
    $("blind").hidden = $("votes").hidden = job.motions.length < 2;
    $("words").hidden = !(job.cannot || []).length;
    $("words").replaceChildren(...this.refusals(job));
  }

  redress() { [...$("stage").children].forEach((figure, i) => this.dress(figure, i)); }

  /** Under a motion: who made it, its numbers, and what can be done with it. */
  dress(figure, i) {
    figure.querySelector(".facts")?.remove();
    const job = this.current, motion = job?.motions?.[i];
    if (!motion) return;
    const several = job.motions.length > 1, id = `${job.key}/${motion.number}`;
    const made = this.blind ? `Motion ${i + 1}` : `${motion.model} · sample ${motion.sample + 1} · seed ${motion.info.seed ?? 0} · ${motion.seconds.toFixed(1)} s`;
    const numbers = motion.numbers.filter((number) => number.name in SHOWN_NUMBERS).map((number) => element("li", { title: number.about + (number.better ? ` (${number.better} is better)` : "") }, `${SHOWN_NUMBERS[number.name]} `, element("b", { textContent: typeof number.value === "number" ? number.value.toFixed(2) : number.value })));
    const home = this.home.list(job, motion, i);
    const ways = this.ways("motion"), next = element("select", { onchange: () => { if (next.value) this.use(id, motion, ways[Number(next.value)][1]); } }, element("option", { value: "", textContent: "Go on with it …" }), ...ways.map(([label], n) => element("option", { value: String(n), textContent: label })));
    next.setAttribute("aria-label", `Go on with motion ${i + 1}`);
    next.disabled = job.state !== "done";
    const facts = element("div", { className: "facts" }, element("p", { className: "made", textContent: made }), element("ul", { className: "numbers", ariaLabel: "Numbers" }, ...numbers), element("div", { className: "actions" }, home, next));
    if (several) facts.lastChild.append(element("button", { type: "button", textContent: "Better", title: "Better than the others: one row a comparison in the table of votes", onclick: (e) => this.vote(e.target, job, motion) }));
    figure.append(facts);
  }

  use(id, motion, choose) {
    this.inputs.motion = { file: id, name: motion.captions[0] || motion.name, seconds: motion.seconds };
    choose();
    this.talk.attach(id, motion);
    $("composer").scrollIntoView({ behavior: "smooth" });
  }

  async vote(button, job, motion) {
    const worse = job.motions.filter((other) => other !== motion).map((other) => `${job.key}/${other.number}`);
    try { await post("votes", { better: `${job.key}/${motion.number}`, worse, blind: this.blind }); button.textContent = "Noted"; button.disabled = true; } catch (error) { this.problem(error.message); }
  }
}

window.studio = new Studio();
