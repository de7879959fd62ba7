// A talk with the language model: it makes motions, continues them and says what they are.
"use strict";

class Talk {
  constructor(studio) {
    this.studio = studio;
    for (const [id, way] of [["say-make", "make"], ["say-continue", "continue"], ["say-caption", "caption"]]) $(id).addEventListener("click", () => this.talk(way));
  }

  /** The model that both makes motion of words and words of motion. */
  get speaker() {
    const captions = this.studio.offers.tasks.filter((card) => card.writes === "captions").flatMap((card) => card.models);
    return this.studio.offers.tasks.filter((card) => card.writes === "motion" && card.texts.length).flatMap((card) => card.models).find((name) => captions.includes(name));
  }

  attach(id, motion) {
    this.attachment = id;
    $("attached").hidden = false;
    $("attached").textContent = `Attached: ${motion.captions[0] || motion.name}`;
    $("say-continue").disabled = $("say-caption").disabled = false;
  }

  async talk(way) {
    const text = $("say").value.trim(), model = this.speaker, seed = remembered("turn", 0);
    const line = (words, mine) => { $("talk").append(element("li", { className: mine ? "mine" : "", textContent: words })); $("talk").lastChild.scrollIntoView({ block: "nearest" }); };
    if (!model) { line("No model here both reads and makes motion."); return; }
    if (!text && way !== "caption") { $("say").focus(); return; }
    line(way === "caption" ? "What is it?" : way === "continue" ? `… and then: ${text}` : text, true);
    $("say").value = "";
    localStorage.turn = JSON.stringify(seed + 1);
    const captions = this.studio.offers.tasks.find((card) => card.writes === "captions" && card.models.includes(model));
    const makes = this.studio.offers.tasks.find((card) => card.writes === "motion" && card.texts.length && !Object.values(card.reads).includes("motion") && card.models.includes(model));
    try {
      const started = way === "caption" ? await post("caption", { task: captions.task, model, clips: this.attachment, seed })
        : way === "continue" ? await post("edit", { task: makes.task, model, clip: this.attachment, keep: "prefix", keep_seconds: 1, text, seed })
        : await post("generate", { task: makes.task, model, text, seed });
      const job = await this.studio.follow(started);
      if (job.state !== "done") { line(job.error || "stopped"); return; }
      if (way === "caption") { line(job.captions[0].text); return; }
      line(`A motion of ${job.motions[0].seconds.toFixed(1)} s, beside you.`);
      this.attach(`${job.key}/1`, job.motions[0]);
    } catch (error) { line(error.message); }
  }
}
