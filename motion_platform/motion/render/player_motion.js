// Motions as they are stored in the page, and the camera that looks at them.

/** base64 -> typed array (the page is little-endian, as is every machine that runs a browser today). */
function unpack(text, Type) {
  const raw = atob(text);
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return new Type(bytes.buffer);
}

/** One motion: positions at any time, interpolated between frames. */
class Motion {
  constructor(raw) {
    Object.assign(this, raw);
    this.root = unpack(raw.root, Float32Array);
    this.local = unpack(raw.local, Int16Array);
    this.seconds = Math.max(0, (this.frames - 1) / this.fps);
    this.now = new Float32Array(this.joints * 3);
    // Two ways to be seen: a body of limbs, and the skeleton: a ball a joint, a thin line a bone.
    const thin = 0.0045 * this.height, ball = 0.011 * this.height, tone = new Map(this.bones.map(([, joint, side]) => [joint, side]));
    this.bare = {
      points: Array.from({ length: this.joints }, (_, j) => [j, 1]),
      parts: [...this.bones.map(([a, b, side]) => [a, b, thin, thin, side]), ...Array.from({ length: this.joints }, (_, j) => [j, j, ball, ball, tone.get(j) ?? 0])],
    };
    this.whole = { points: this.points, parts: this.parts };
    this.dress(false);
    let low = [1e9, 1e9, 1e9], high = [-1e9, -1e9, -1e9];
    for (let f = 0; f < this.frames; f++) for (let c = 0; c < 3; c++) {
      low[c] = Math.min(low[c], this.root[3 * f + c]);
      high[c] = Math.max(high[c], this.root[3 * f + c]);
    }
    this.middle = low.map((v, c) => (v + high[c]) / 2);
    this.travel = Math.hypot(high[0] - low[0], high[2] - low[2]);
    // The camera follows a smoothed root, so that steps do not shake the picture.
    const reach = Math.max(1, Math.round(this.fps * 0.4));
    this.smooth = new Float32Array(this.frames * 3);
    for (let c = 0; c < 3; c++) {
      let sum = 0, a = 0, b = 0;
      for (let f = 0; f < this.frames; f++) {
        while (b < this.frames && b <= f + reach) sum += this.root[3 * b++ + c];
        while (a < f - reach) sum -= this.root[3 * a++ + c];
        this.smooth[3 * f + c] = sum / (b - a);
      }
    }
  }

  /** As a skeleton, or as a body. */
  dress(skeleton) {
    const { points, parts } = skeleton ? this.bare : this.whole;
    if (this.placed && this.points === points) return;
    this.points = points; this.parts = parts;
    this.placed = new Float32Array(points.length * 3);
  }

  /** Frame number (with a fraction) at a time; a motion that has ended holds its last frame. */
  frameAt(time) {
    return Math.min(this.frames - 1, Math.max(0, time * this.fps));
  }

  /** Joint positions and body points at a time, into this.now and this.placed. */
  pose(time) {
    const at = this.frameAt(time), f = Math.min(this.frames - 1, Math.floor(at)), g = Math.min(this.frames - 1, f + 1);
    const w = at - f, J = this.joints, q = this.scale;
    for (let j = 0; j < J; j++) for (let c = 0; c < 3; c++) {
      const a = this.root[3 * f + c] + q * this.local[(f * J + j) * 3 + c];
      const b = this.root[3 * g + c] + q * this.local[(g * J + j) * 3 + c];
      this.now[3 * j + c] = a + (b - a) * w;
    }
    this.points.forEach((terms, k) => {
      let x = 0, y = 0, z = 0;
      for (let i = 0; i < terms.length; i += 2) {
        const j = 3 * terms[i], weight = terms[i + 1];
        x += weight * this.now[j]; y += weight * this.now[j + 1]; z += weight * this.now[j + 2];
      }
      this.placed[3 * k] = x; this.placed[3 * k + 1] = y; this.placed[3 * k + 2] = z;
    });
  }

  /** Where one joint is at a time. */
  joint(j, time) {
    const at = this.frameAt(time), f = Math.floor(at), g = Math.min(this.frames - 1, f + 1), w = at - f, J = this.joints;
    return [0, 1, 2].map((c) => (this.root[3 * f + c] + this.scale * this.local[(f * J + j) * 3 + c]) * (1 - w) + (this.root[3 * g + c] + this.scale * this.local[(g * J + j) * 3 + c]) * w);
  }

  /** Where the following camera looks at a time. */
  focus(time) {
    const at = this.frameAt(time), f = Math.floor(at), g = Math.min(this.frames - 1, f + 1), w = at - f;
    return [0, 1, 2].map((c) => this.smooth[3 * f + c] * (1 - w) + this.smooth[3 * g + c] * w);
  }
}

const sub = (a, b) => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
const unit = (a) => { const n = Math.hypot(...a) || 1; return [a[0] / n, a[1] / n, a[2] / n]; };

/** Column-major 4x4 product. */
function multiply(a, b) {
  const out = new Float32Array(16);
  for (let c = 0; c < 4; c++) for (let r = 0; r < 4; r++) {
    let s = 0;
    for (let k = 0; k < 4; k++) s += a[k * 4 + r] * b[c * 4 + k];
    out[c * 4 + r] = s;
  }
  return out;
}

function lookAt(eye, target, up) {
  const z = unit(sub(eye, target)), x = unit(cross(up, z)), y = cross(z, x);
  return new Float32Array([x[0], y[0], z[0], 0, x[1], y[1], z[1], 0, x[2], y[2], z[2], 0, -dot(x, eye), -dot(y, eye), -dot(z, eye), 1]);
}

function perspective(fov, aspect, near, far) {
  const f = 1 / Math.tan(fov / 2);
  return new Float32Array([f / aspect, 0, 0, 0, 0, f, 0, 0, 0, 0, (far + near) / (near - far), -1, 0, 0, 2 * far * near / (near - far), 0]);
}

function orthographic(half, near, far) {
  return new Float32Array([1 / half, 0, 0, 0, 0, 1 / half, 0, 0, 0, 0, -2 / (far - near), 0, 0, 0, -(far + near) / (far - near), 1]);
}

const FIELD_OF_VIEW = 0.56;

/** One camera for all motions, so that they are seen from the same side. */
class Camera {
  constructor(flat) { this.flat = flat; this.reset(); }

  reset() {
    this.yaw = this.flat ? 0 : 0.62;
    this.pitch = this.flat ? 0 : 0.2;
    this.zoom = 1;
    this.pan = [0, 0];
  }

  turn(dx, dy) {
    this.yaw -= dx * 0.008;
    this.pitch = Math.min(1.5, Math.max(this.flat ? -1.5 : -0.12, this.pitch + dy * 0.006));
  }

  /** Matrices for one motion at a time: {eye, target, view, projection, both, right, up, distance}. */
  look(motion, time, aspect, follow) {
    const size = motion.height;
    const target = motion.flat ? [...motion.centre] : follow ? motion.focus(time) : [...motion.middle];
    if (!motion.flat) target[1] = motion.floor + size * 0.5;
    const wide = follow ? 0 : motion.travel * 0.62;
    const fit = Math.max(size * 0.585, (size * 0.46 + wide) / Math.max(aspect, 0.3));
    const distance = fit / Math.tan(FIELD_OF_VIEW / 2) * this.zoom;
    // A picture is looked at from the front, even beside bodies that are seen from the side.
    const [yaw, pitch] = motion.flat && !this.flat ? [0, 0] : [this.yaw, this.pitch], cp = Math.cos(pitch);
    const back = [Math.sin(yaw) * cp, Math.sin(pitch), Math.cos(yaw) * cp];
    const right = unit(cross([0, 1, 0], back)), up = cross(back, right);
    for (let c = 0; c < 3; c++) target[c] += (right[c] * this.pan[0] + up[c] * this.pan[1]) * size;
    const eye = target.map((v, c) => v + back[c] * distance);
    if (!motion.flat) eye[1] = Math.max(eye[1], motion.floor + 0.02 * size);
    const view = lookAt(eye, target, [0, 1, 0]);
    const projection = perspective(FIELD_OF_VIEW, aspect, distance * 0.02, distance * 12);
    return { eye, target, view, projection, both: multiply(projection, view), right, up, distance, focal: 1 / Math.tan(FIELD_OF_VIEW / 2) };
  }
}

const TRACE_SECONDS = 1, TRACE_STEPS = 30;

/** Where a joint has been in the last second, over the picture, thinner and paler the longer ago. */
function drawTrace(context, width, height, motion, joint, colour, time, look) {
  const v = look.view, spots = [];
  for (let i = 0; i <= TRACE_STEPS; i++) {
    const t = time - TRACE_SECONDS * (1 - i / TRACE_STEPS);
    if (t < 0) continue;
    const p = motion.joint(joint, t), depth = Math.max(1e-3, -(v[2] * p[0] + v[6] * p[1] + v[10] * p[2] + v[14])), scale = look.focal * height / 2 / depth;
    spots.push([width / 2 + (v[0] * p[0] + v[4] * p[1] + v[8] * p[2] + v[12]) * scale, height / 2 - (v[1] * p[0] + v[5] * p[1] + v[9] * p[2] + v[13]) * scale, i / TRACE_STEPS, scale]);
  }
  context.strokeStyle = colour;
  context.lineCap = "butt";
  for (let i = 1; i < spots.length; i++) {
    const [x, y, young, scale] = spots[i];
    context.globalAlpha = 0.9 * Math.pow(young, 1.2);
    context.lineWidth = Math.max(1.2, 0.022 * scale * (0.2 + 0.8 * young));
    context.beginPath(); context.moveTo(spots[i - 1][0], spots[i - 1][1]); context.lineTo(x, y); context.stroke();
  }
  context.globalAlpha = 1;
}
