// A page of its own: its motions lie in it.

const player = new Player(JSON.parse($("motion-data").textContent));
if (self === top) [...document.querySelectorAll("figure")].forEach((figure, i) => takeHome(player, figure, player.motions[i], i));
addEventListener("scroll", () => { player.dirty = true; }, { passive: true });
window.motionPlayer = player;  // for tests and for the curious
