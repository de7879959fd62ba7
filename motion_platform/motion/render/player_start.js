// A page of its own: its motions lie in it.

const player = new Player(JSON.parse($("motion-data").textContent));
addEventListener("scroll", () => { player.dirty = true; }, { passive: true });
window.motionPlayer = player;  // for tests and for the curious
