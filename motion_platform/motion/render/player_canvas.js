// The same picture with the 2-D canvas, for browsers without WebGL 2: limbs from back to front, each with soft shading.

class CanvasRenderer {
  constructor() { this.name = "canvas2d"; }

  /** World point -> [x, y, pixels a metre, depth]. */
  project(p, look, width, height) {
    const v = look.view, x = v[0] * p[0] + v[4] * p[1] + v[8] * p[2] + v[12], y = v[1] * p[0] + v[5] * p[1] + v[9] * p[2] + v[13];
    const depth = -(v[2] * p[0] + v[6] * p[1] + v[10] * p[2] + v[14]);
    const scale = look.focal * height / 2 / Math.max(depth, 1e-3);
    return [width / 2 + x * scale, height / 2 - y * scale, scale, depth];
  }

  draw(context, width, height, motion, time, look, theme, options) {
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = theme.back;
    context.fillRect(0, 0, width, height);
    if (!motion.flat) {
      this.grid(context, width, height, motion, look, theme);
      if (options.trail) this.trail(context, width, height, motion, time, look, theme);
      this.shadow(context, width, height, motion, look, theme);
    }
    const at = (k) => this.project(motion.placed.subarray(3 * k, 3 * k + 3), look, width, height);
    const limbs = motion.parts.map(([a, b, ra, rb, tone]) => {
      const p = at(a), q = at(b);
      return { p, q, rp: ra * p[2], rq: rb * q[2], tone, depth: (p[3] + q[3] - ra - rb) / 2 };
    });
    limbs.sort((m, n) => n.depth - m.depth);
    for (const limb of limbs) this.limb(context, limb, theme.tones[limb.tone]);
  }

  limb(context, { p, q, rp, rq }, colour) {
    const angle = Math.atan2(q[1] - p[1], q[0] - p[0]), length = Math.hypot(q[0] - p[0], q[1] - p[1]);
    const outline = new Path2D();
    if (length <= Math.abs(rp - rq) + 1e-6) {
      const [c, r] = rp > rq ? [p, rp] : [q, rq];
      outline.arc(c[0], c[1], r, 0, 2 * Math.PI);
    } else {
      const lean = Math.acos((rp - rq) / length);
      outline.arc(p[0], p[1], rp, angle + lean, angle - lean + 2 * Math.PI);
      outline.arc(q[0], q[1], rq, angle - lean, angle + lean);
      outline.closePath();
    }
    context.fillStyle = colour;
    context.fill(outline);
    // Darker away from the light: a gradient across the limb.
    const r = Math.max(rp, rq), side = Math.sin(angle) > 0 ? 1 : -1, mx = (p[0] + q[0]) / 2, my = (p[1] + q[1]) / 2;
    const nx = Math.sin(angle) * side || 0.6, ny = -Math.cos(angle) * side || -0.6;
    const shade = context.createLinearGradient(mx + nx * r, my + ny * r, mx - nx * r, my - ny * r);
    shade.addColorStop(0, "rgba(255,255,255,.22)");
    shade.addColorStop(0.45, "rgba(0,0,0,0)");
    shade.addColorStop(1, "rgba(10,15,30,.42)");
    context.fillStyle = shade;
    context.fill(outline);
  }

  grid(context, width, height, motion, look, theme) {
    const step = motion.height / 1.7, reach = 9, cx = Math.round(look.target[0] / step), cz = Math.round(look.target[2] / step);
    const near = look.distance * 0.03;
    for (let i = -reach; i <= reach; i++) for (let k = -reach; k < reach; k++) for (const flip of [false, true]) {
      const a = flip ? [cx + k, cz + i] : [cx + i, cz + k], b = flip ? [cx + k + 1, cz + i] : [cx + i, cz + k + 1];
      const p = this.project([a[0] * step, motion.floor, a[1] * step], look, width, height);
      const q = this.project([b[0] * step, motion.floor, b[1] * step], look, width, height);
      if (p[3] < near || q[3] < near) continue;
      context.globalAlpha = Math.exp(-Math.pow(Math.hypot(i, k) / 5, 2));
      context.strokeStyle = theme.line;
      context.lineWidth = Math.max(1, width / 700);
      context.beginPath(); context.moveTo(p[0], p[1]); context.lineTo(q[0], q[1]); context.stroke();
    }
    context.globalAlpha = 1;
  }

  trail(context, width, height, motion, time, look, theme) {
    const now = Math.floor(motion.frameAt(time));
    for (const [from, to, alpha] of [[0, now, 0.95], [now, motion.frames - 1, 0.28]]) {
      context.beginPath();
      for (let f = from; f <= to; f++) {
        const p = this.project([motion.root[3 * f], motion.floor, motion.root[3 * f + 2]], look, width, height);
        if (p[3] > 0) context.lineTo(p[0], p[1]);
      }
      context.globalAlpha = alpha;
      context.strokeStyle = theme.trail;
      context.lineWidth = Math.max(2, width / 260);
      context.stroke();
    }
    context.globalAlpha = 1;
  }

  shadow(context, width, height, motion, look, theme) {
    const lean = [-0.44, -0.4];
    context.fillStyle = `rgba(10,14,24,${0.05 + 0.09 * theme.shadow})`;
    for (const [a, b, ra, rb] of motion.parts) for (let i = 0; i <= 4; i++) {
      const w = i / 4, p = [0, 1, 2].map((c) => motion.placed[3 * a + c] * (1 - w) + motion.placed[3 * b + c] * w);
      const rise = p[1] - motion.floor, spot = [p[0] + lean[0] * rise, motion.floor, p[2] + lean[1] * rise];
      const at = this.project(spot, look, width, height), r = (ra * (1 - w) + rb * w) * at[2];
      const flat = Math.max(0.08, Math.abs(look.eye[1] - motion.floor) / look.distance);
      context.beginPath();
      context.ellipse(at[0], at[1], r, r * flat, 0, 0, 2 * Math.PI);
      context.fill();
    }
  }
}
