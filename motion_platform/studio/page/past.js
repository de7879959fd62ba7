// What was asked before, in this browser: links that last, and favourites.
"use strict";

class Past {
  constructor(studio) { this.studio = studio; this.show(); }

  remember(job, said) {
    const past = remembered("past", []).filter((entry) => entry.key !== job.key), motion = job.motions?.[0];
    const text = [job.asked.text].flat().filter(Boolean)[0] || motion?.captions[0] || said || job.asked.task;
    const models = [...new Set((job.motions || []).map((each) => each.model))].join(", ") || job.asked.task;
    const old = remembered("past", []).find((entry) => entry.key === job.key);
    past.unshift({ key: job.key, text: String(text).slice(0, 160), about: `${models} · seed ${job.asked.seed}`, star: old?.star || false });
    localStorage.past = JSON.stringify([...past.filter((entry) => entry.star), ...past.filter((entry) => !entry.star)].slice(0, 60));
    this.show();
  }

  show() {
    const past = remembered("past", []);
    $("past").hidden = !past.length;
    $("history").replaceChildren(...past.map((entry) => {
      const star = element("button", { type: "button", textContent: entry.star ? "★" : "☆", ariaLabel: `Favourite: ${entry.text}`, onclick: () => { const all = remembered("past", []); const own = all.find((each) => each.key === entry.key); own.star = !own.star; localStorage.past = JSON.stringify(all); this.show(); } });
      star.setAttribute("aria-pressed", String(entry.star));
      return element("li", {}, star, element("a", { href: `?r=${entry.key}`, onclick: (e) => { e.preventDefault(); this.studio.open(entry.key); } }, entry.text, element("small", { textContent: entry.about })));
    }));
  }
}
