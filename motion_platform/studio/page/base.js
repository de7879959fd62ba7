// What all parts of the page share: files that are read, requests of this server, and making elements.
"use strict";

const MOTION_FILES = [".bvh", ".npz", ".npy", ".amc", ".glb", ".vrma"], SOUND_FILES = [".wav", ".ogg", ".flac", ".mp3", ".m4a", ".aac", ".opus", ".aiff", ".aif", ".wma", ".webm", ".mp4", ".mov"];

const person = localStorage.person ||= crypto.randomUUID?.() || String(Math.random()).slice(2).padEnd(8, "0");
const remembered = (name, otherwise) => { try { return JSON.parse(localStorage[name]); } catch { return otherwise; } };

function element(tag, fields = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(fields)) if (name in made) made[name] = value; else made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** A request of this server; what it refuses is an Error with its line. */
async function api(path, options = {}) {
  let answer;
  try { answer = await fetch(`api/${path}`, { ...options, headers: { "X-Person": person, ...options.headers } }); }
  catch { throw new Error("the server does not answer; is it still running?"); }
  const said = await answer.json().catch(() => ({ error: `the server answered ${answer.status}` }));
  if (!answer.ok && !said?.key) throw new Error(said?.error || `the server answered ${answer.status}`);
  return said;
}
const post = (path, values) => api(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(values) });
