// Taking motions home: one in a format, all of them as a ZIP, on a character.
"use strict";

class Home {
  constructor(studio) {
    this.studio = studio;
    this.formats = [];  // {name, label, character, beside}: what this server writes
    this.rig = null;  // the character that motions are put on
    $("file-rig").addEventListener("change", () => this.takeRig($("file-rig").files[0]));
    $("zip-formats").addEventListener("change", () => this.address());
    $("zips").addEventListener("keydown", (e) => { if (e.key === "Escape") { $("zips").open = false; $("zips").firstElementChild.focus(); } });
  }

  offer(formats) {
    this.formats = formats;
    $("zip-formats").replaceChildren(...formats.filter((format) => format.name !== "vrm").map((format) => element("label", {}, element("input", { type: "checkbox", value: format.name, checked: ["bvh", "glb", "npz"].includes(format.name) }), format.label)));
  }

  /** The archive of a job; null hides it. */
  all(job) {
    this.key = job?.key;
    $("zips").hidden = !job;
    this.address();
  }

  address() {
    const chosen = [...$("zip-formats").querySelectorAll(":checked")].map((box) => box.value);
    $("zip").setAttribute("aria-disabled", String(!chosen.length));
    if (chosen.length) $("zip").href = `api/jobs/${this.key}.zip?formats=${chosen.join(",")}`; else $("zip").removeAttribute("href");
  }

  /** The list of formats under motion i. */
  list(job, motion, i) {
    const there = this.formats.filter((format) => format.name !== "vrm" || this.rig?.name.toLowerCase().endsWith(".vrm"));
    const list = element("select", {}, element("option", { value: "", textContent: "Take home …" }), ...there.map((format) => element("option", { value: format.name, textContent: format.label })));
    list.addEventListener("change", async () => {
      const format = this.formats.find((each) => each.name === list.value), facts = list.closest(".facts");
      list.value = "";
      if (format) this.say(facts, format, await this.take(`api/jobs/${job.key}/${motion.number}.${format.name}`, format.character));
    });
    list.setAttribute("aria-label", `Take motion ${i + 1} home`);
    list.disabled = job.state !== "done";
    return list;
  }

  /** A file of a motion, on the character if one was chosen: its address and name; what goes wrong is said in the page. */
  async take(path, character = true) {
    this.studio.problem("");
    try {
      const query = character && this.rig ? `?rig=${this.rig.file}` : "";
      const answer = await fetch(path + query, { headers: { "X-Person": person } });
      if (!answer.ok) throw new Error((await answer.json()).error);
      const name = /filename="?([^";]+)/.exec(answer.headers.get("content-disposition") || "")?.[1] || "motion", link = element("a", { href: URL.createObjectURL(await answer.blob()), download: name });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60000);
      return { address: `${path}.json${query}`, name };
    } catch (error) { this.studio.problem(error.message); return null; }
  }

  /** Under the motion, for a format without room for it: the file that says where it comes from. */
  say(facts, format, taken) {
    facts.querySelector(".beside")?.remove();
    if (!taken || !format.beside) return;
    facts.append(element("p", { className: "beside", role: "status" }, "Who made it, from what, under which licence: ", element("a", { href: taken.address, download: `${taken.name}.json`, textContent: `${taken.name}.json` })));
  }

  /** The character that motions are put on when they are taken home. */
  async takeRig(file) {
    this.rig = null; this.studio.problem("");
    if (!file) $("rig-said").textContent = "none";
    else try { this.rig = await this.studio.upload(file); $("rig-said").textContent = this.rig.name; } catch (error) { $("rig-said").textContent = error.message; }
    this.studio.redress();
  }
}
