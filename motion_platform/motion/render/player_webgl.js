// The body, its shadow and the floor with WebGL 2.

const NEAR = 20;  // limbs that melt into one another, at most

const BODY_VERTEX = `#version 300 es
layout(location=0) in vec4 mesh;      // cos, sin around the limb; 0..1 along the cap; which end
layout(location=1) in vec4 start;     // position, radius
layout(location=2) in vec4 end;
layout(location=3) in vec3 paint;
uniform mat4 camera;
out vec3 place; out vec3 normal; out vec3 tint; flat out int limb;
invariant gl_Position;
void main() {
  limb = gl_InstanceID;
  vec3 axis = end.xyz - start.xyz;
  float size = length(axis);
  axis = size > 1e-6 ? axis / size : vec3(0., 1., 0.);
  // The cone touches both spheres along circles at the angle below, so the joined surface is smooth.
  float tilt = asin(clamp((start.w - end.w) / max(size, 1e-6), -1., 1.));
  float angle = mesh.w < .5 ? mix(-1.5707963, tilt, mesh.z) : mix(tilt, 1.5707963, mesh.z);
  vec3 across = abs(axis.y) < .9 ? normalize(cross(axis, vec3(0., 1., 0.))) : normalize(cross(axis, vec3(1., 0., 0.)));
  normal = cos(angle) * (mesh.x * across + mesh.y * cross(axis, across)) + sin(angle) * axis;
  place = mesh.w < .5 ? start.xyz + start.w * normal : end.xyz + end.w * normal;
  tint = paint;
  gl_Position = camera * vec4(place, 1.);
}`;

const SHADOW_LOOKUP = `
uniform highp sampler2DShadow shadow; uniform mat4 light; uniform float texel;
const int TAPS = 10;
float lit(vec3 p, float spread) {
  vec4 q = light * vec4(p, 1.);
  vec3 s = q.xyz / q.w * .5 + .5;
  if (any(lessThan(s, vec3(0.))) || any(greaterThan(s, vec3(1.)))) return 1.;
  float turn = fract(52.9829189 * fract(dot(gl_FragCoord.xy, vec2(.06711056, .00583715)))) * 6.2831853;
  float sum = 0.;
  for (int i = 0; i < TAPS; i++) {      // a spiral of samples, turned by a pixel's own angle
    float r = sqrt((float(i) + .5) / float(TAPS)) * spread, a = float(i) * 2.3999632 + turn;
    sum += texture(shadow, vec3(s.xy + texel * r * vec2(cos(a), sin(a)), s.z - .0012));
  }
  return sum / float(TAPS);
}`;

const BODY_FRAGMENT = `#version 300 es
precision highp float;
in vec3 place; in vec3 normal; in vec3 tint; flat in int limb;
uniform vec3 eye; uniform vec3 sun; uniform vec3 sky; uniform vec3 ground; uniform float sunlight; uniform float floorAt; uniform float size; uniform float grounded;
uniform highp sampler2D limbs;      // a row a limb: both ends with radii, colour, then the limbs near it (-1: none)
${SHADOW_LOOKUP}
const int NEAR = ${NEAR};
/** Signed distance to a limb, and the way out of it. */
float reach(vec4 a, vec4 b, vec3 p, out vec3 way) {
  vec3 axis = b.xyz - a.xyz;
  float t = clamp(dot(p - a.xyz, axis) / max(dot(axis, axis), 1e-9), 0., 1.);
  way = p - a.xyz - t * axis;
  float d = length(way);
  way /= max(d, 1e-6);
  return d - mix(a.w, b.w, t);
}
out vec4 pixel;
void main() {
  // Where limbs meet, their surfaces melt into each other: normals and colours are averaged over the limbs at hand.
  vec3 n = normalize(normal), soft = n, melted = tint;
  float total = 1., gap = 1e3;
  for (int i = 0; i < NEAR; i++) {
    int other = int(texelFetch(limbs, ivec2(3 + i / 4, limb), 0)[i % 4]);
    if (other < 0) break;
    vec4 a = texelFetch(limbs, ivec2(0, other), 0), b = texelFetch(limbs, ivec2(1, other), 0);
    vec3 way;
    float d = max(reach(a, b, place, way), 0.) / size;
    soft += way * exp(-d * 170.);
    float w = exp(-d * 750.);
    melted += w * texelFetch(limbs, ivec2(2, other), 0).rgb; total += w;
    gap = min(gap, reach(a, b, place + n * .075 * size, way) / size);
  }
  vec3 colour = melted / total;
  n = normalize(soft);
  float hollow = mix(.62, 1., clamp(gap / .065, 0., 1.));
  vec3 v = normalize(eye - place), h = normalize(sun + v);
  float facing = dot(n, sun);
  float open = lit(place + n * .012 * size, 3.5);
  float direct = smoothstep(-.12, 1., facing) * mix(.15, 1., open) * mix(.8, 1., hollow);
  float near = mix(1., mix(.55, 1., smoothstep(0., .22, (place.y - floorAt) / size + .35 * max(n.y, 0.))), grounded);
  vec3 around = mix(ground, sky, .5 + .5 * n.y) * near * hollow;
  float edge = pow(1. - max(dot(n, v), 0.), 3.);
  vec3 light = around + sunlight * direct * vec3(1., .965, .91);
  vec3 c = colour * light + edge * sky * .22 * (.4 + .6 * open) + pow(max(dot(n, h), 0.), 38.) * .10 * open * sunlight;
  c = c / (1. + max(c - .82, 0.) * .9);
  pixel = vec4(pow(c, vec3(1. / 2.2)), 1.);
}`;

const FLOOR_VERTEX = `#version 300 es
layout(location=0) in vec2 corner;
uniform mat4 camera; uniform vec3 centre; uniform float reach; uniform float floorAt;
out vec3 place;
void main() {
  place = vec3(centre.x + corner.x * reach, floorAt, centre.z + corner.y * reach);
  gl_Position = camera * vec4(place, 1.);
}`;

const FLOOR_FRAGMENT = `#version 300 es
precision highp float;
in vec3 place;
uniform vec3 centre; uniform vec3 far; uniform vec3 base; uniform vec3 line; uniform vec3 eye; uniform float fade; uniform float depth; uniform float size;
uniform vec4 contact[12]; uniform int contacts;
${SHADOW_LOOKUP}
out vec4 pixel;
float grid(vec2 p, float width) {
  vec2 d = fwidth(p), g = abs(fract(p - .5) - .5);
  vec2 l = (1. - smoothstep(d * width, d * (width + 1.), g)) * clamp(1.2 - d * 2.2, 0., 1.);
  return max(l.x, l.y);
}
void main() {
  float away = length(place.xz - centre.xz);
  float shown = exp(-pow(away / fade, 2.));
  vec2 p = place.xz / size * 1.7;
  float lines = max(grid(p * 2., .2) * .35, grid(p, .5));
  float dark = away < 3. * size ? (1. - lit(place, 5.)) * .55 : 0.;
  float touch = 0.;
  for (int i = 0; i < 12; i++) {
    if (i >= contacts) break;
    vec2 d = (place.xz - contact[i].xy) / contact[i].z;
    touch = max(touch, contact[i].w * exp(-dot(d, d)));
  }
  vec3 c = mix(base, line, lines);
  c *= (1. - depth * dark) * (1. - depth * .75 * touch);
  pixel = vec4(mix(far, c, shown), 1.);
}`;

const TRAIL_VERTEX = `#version 300 es
layout(location=0) in vec4 spot;      // x, z, frame, side
uniform mat4 camera; uniform float floorAt;
out float frame; out float side;
void main() { frame = spot.z; side = spot.w; gl_Position = camera * vec4(spot.x, floorAt, spot.y, 1.); }`;

const TRAIL_FRAGMENT = `#version 300 es
precision highp float;
in float frame; in float side; uniform float now; uniform vec3 colour; out vec4 pixel;
void main() {
  float a = (1. - smoothstep(.6, 1., abs(side))) * (frame <= now ? .95 : .28);
  pixel = vec4(colour * a, a);
}`;

/** Hex colour -> linear red, green, blue. */
const linear = (hex) => [1, 3, 5].map((i) => Math.pow(parseInt(hex.slice(i, i + 2), 16) / 255, 2.2));
const plain = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16) / 255);

class WebGLRenderer {
  constructor() {
    this.name = "webgl2";
    this.canvas = document.createElement("canvas");
    const gl = this.canvas.getContext("webgl2", { antialias: true, alpha: false, preserveDrawingBuffer: true });
    if (!gl) throw new Error("WebGL 2 is not available");
    this.gl = gl;
    // Without a graphics card the browser draws with the processor: then rounder limbs and softer shadows cost too much.
    const info = gl.getExtension("WEBGL_debug_renderer_info");
    this.economy = /swiftshader|llvmpipe|softpipe|software|basic render/i.test(String(gl.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : gl.RENDERER)));
    this.body = this.program(BODY_VERTEX, BODY_FRAGMENT);
    this.caster = this.program(BODY_VERTEX, `#version 300 es\nprecision highp float; out vec4 pixel; void main() { pixel = vec4(1.); }`);
    this.floor = this.program(FLOOR_VERTEX, FLOOR_FRAGMENT);
    this.path = this.program(TRAIL_VERTEX, TRAIL_FRAGMENT);
    this.buildLimb();
    this.corners = this.array(new Float32Array([-1, -1, 1, -1, -1, 1, 1, 1]), [[0, 2, 0]], 8);
    this.side = this.economy ? 512 : 1024;
    this.depth = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, this.depth);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.DEPTH_COMPONENT24, this.side, this.side, 0, gl.DEPTH_COMPONENT, gl.UNSIGNED_INT, null);
    for (const [key, value] of [[gl.TEXTURE_MIN_FILTER, gl.LINEAR], [gl.TEXTURE_MAG_FILTER, gl.LINEAR], [gl.TEXTURE_COMPARE_MODE, gl.COMPARE_REF_TO_TEXTURE],
      [gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE], [gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE]]) gl.texParameteri(gl.TEXTURE_2D, key, value);
    this.limbs = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, this.limbs);
    for (const key of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, key, gl.NEAREST);
    this.target = gl.createFramebuffer();
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.target);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.DEPTH_ATTACHMENT, gl.TEXTURE_2D, this.depth, 0);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    gl.enable(gl.DEPTH_TEST);
    gl.depthFunc(gl.LEQUAL);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    this.trails = new Map();
  }

  program(vertex, fragment) {
    const gl = this.gl, program = gl.createProgram();
    for (const [type, source] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]]) {
      const shader = gl.createShader(type);
      gl.shaderSource(shader, this.economy ? source.replace("TAPS = 10", "TAPS = 5") : source);
      gl.compileShader(shader);
      if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader));
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program));
    const at = {};
    for (let i = 0; i < gl.getProgramParameter(program, gl.ACTIVE_UNIFORMS); i++) {
      const name = gl.getActiveUniform(program, i).name.replace("[0]", "");
      at[name] = gl.getUniformLocation(program, name);
    }
    return { program, at };
  }

  /** A vertex array with one buffer; parts are [location, size, offset in bytes]. */
  array(data, parts, stride) {
    const gl = this.gl, array = gl.createVertexArray();
    gl.bindVertexArray(array);
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ARRAY_BUFFER, data, gl.STATIC_DRAW);
    for (const [location, size, offset] of parts) {
      gl.enableVertexAttribArray(location);
      gl.vertexAttribPointer(location, size, gl.FLOAT, false, stride, offset);
    }
    return array;
  }

  buildLimb() {
    const gl = this.gl, around = this.economy ? 18 : 28, cap = this.economy ? 5 : 9, mesh = [], index = [];
    for (let ring = 0; ring < 2 * cap; ring++) {
      const end = ring < cap ? 0 : 1, along = (ring % cap) / (cap - 1);
      for (let i = 0; i < around; i++) mesh.push(Math.cos(2 * Math.PI * i / around), Math.sin(2 * Math.PI * i / around), along, end);
    }
    for (let ring = 0; ring < 2 * cap - 1; ring++) for (let i = 0; i < around; i++) {
      const a = ring * around + i, b = ring * around + (i + 1) % around;
      index.push(a, b, a + around, b, b + around, a + around);
    }
    this.limb = this.array(new Float32Array(mesh), [[0, 4, 0]], 16);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, new Uint16Array(index), gl.STATIC_DRAW);
    this.indices = index.length;
    this.instances = gl.createBuffer();
    gl.bindBuffer(gl.ARRAY_BUFFER, this.instances);
    [[1, 4, 0], [2, 4, 16], [3, 3, 32]].forEach(([location, size, offset]) => {
      gl.enableVertexAttribArray(location);
      gl.vertexAttribPointer(location, size, gl.FLOAT, false, 44, offset);
      gl.vertexAttribDivisor(location, 1);
    });
  }

  trail(motion) {
    if (!this.trails.has(motion)) {
      const data = [], half = 0.011 * motion.height, at = (f) => [motion.root[3 * f], motion.root[3 * f + 2]];
      let across = [1, 0];
      for (let f = 0; f < motion.frames; f++) {
        const a = at(Math.max(0, f - 1)), b = at(Math.min(motion.frames - 1, f + 1)), d = [b[0] - a[0], b[1] - a[1]], n = Math.hypot(...d);
        if (n > 1e-5) across = [-d[1] / n, d[0] / n];
        for (const s of [-1, 1]) data.push(motion.root[3 * f] + s * half * across[0], motion.root[3 * f + 2] + s * half * across[1], f, s);
      }
      this.trails.set(motion, { array: this.array(new Float32Array(data), [[0, 4, 0]], 16), count: data.length / 4 });
    }
    return this.trails.get(motion);
  }

  drawLimbs(count) {
    const gl = this.gl;
    gl.bindVertexArray(this.limb);
    gl.drawElementsInstanced(gl.TRIANGLES, this.indices, gl.UNSIGNED_SHORT, 0, count);
  }

  /** Draws a posed motion into a 2-D canvas of another element. */
  draw(context, width, height, motion, time, look, theme, options) {
    const gl = this.gl, canvas = this.canvas, size = motion.height, N = motion.parts.length;
    if (canvas.width < width || canvas.height < height) {
      canvas.width = Math.max(canvas.width, width);
      canvas.height = Math.max(canvas.height, height);
    }
    const tones = theme.tones.map(linear), data = new Float32Array(N * 11);
    motion.parts.forEach(([a, b, ra, rb, tone], n) => {
      data.set(motion.placed.subarray(3 * a, 3 * a + 3), 11 * n); data[11 * n + 3] = ra;
      data.set(motion.placed.subarray(3 * b, 3 * b + 3), 11 * n + 4); data[11 * n + 7] = rb;
      data.set(tones[tone], 11 * n + 8);
    });
    gl.bindVertexArray(this.limb);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.instances);
    gl.bufferData(gl.ARRAY_BUFFER, data, gl.DYNAMIC_DRAW);

    const sun = unit(motion.flat ? [0.3, 0.5, 0.9] : [0.42, 0.95, 0.38]);
    const middle = motion.focus(time);
    middle[1] = motion.floor + size * 0.5;
    const light = multiply(orthographic(size * 1.15, 0.1 * size, 6 * size), lookAt(middle.map((v, c) => v + sun[c] * 3 * size), middle, [0, 0, 1]));
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.target);
    gl.viewport(0, 0, this.side, this.side);
    gl.clear(gl.DEPTH_BUFFER_BIT);
    gl.useProgram(this.caster.program);
    gl.uniformMatrix4fv(this.caster.at.camera, false, light);
    this.drawLimbs(N);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);

    gl.viewport(0, canvas.height - height, width, height);
    const back = plain(theme.back);
    gl.clearColor(...back, 1);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.bindTexture(gl.TEXTURE_2D, this.depth);
    const shade = (at) => { gl.uniformMatrix4fv(at.light, false, light); gl.uniform1f(at.texel, 1 / this.side); gl.uniform1i(at.shadow, 0); };

    if (!motion.flat && look.eye[1] > motion.floor) {
      const { program, at } = this.floor, touching = this.contacts(motion);
      gl.useProgram(program);
      shade(at);
      gl.uniformMatrix4fv(at.camera, false, look.both);
      gl.uniform3fv(at.centre, look.target); gl.uniform3fv(at.far, back); gl.uniform3fv(at.eye, look.eye);
      gl.uniform3fv(at.base, plain(theme.floor)); gl.uniform3fv(at.line, plain(theme.line));
      gl.uniform1f(at.reach, look.distance * 4); gl.uniform1f(at.floorAt, motion.floor); gl.uniform1f(at.fade, look.distance * 0.85);
      gl.uniform1f(at.depth, theme.shadow); gl.uniform1f(at.size, size);
      gl.uniform4fv(at.contact, touching); gl.uniform1i(at.contacts, touching.length / 4);
      gl.disable(gl.DEPTH_TEST);
      gl.bindVertexArray(this.corners);
      gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
      if (options.trail && motion.frames > 1) {
        const trail = this.trail(motion);
        gl.useProgram(this.path.program);
        gl.enable(gl.BLEND);
        gl.uniformMatrix4fv(this.path.at.camera, false, look.both);
        gl.uniform1f(this.path.at.floorAt, motion.floor); gl.uniform1f(this.path.at.now, motion.frameAt(time));
        gl.uniform3fv(this.path.at.colour, plain(theme.trail));
        gl.bindVertexArray(trail.array);
        gl.drawArrays(gl.TRIANGLE_STRIP, 0, trail.count);
        gl.disable(gl.BLEND);
      }
      gl.enable(gl.DEPTH_TEST);
    }
    const { program, at } = this.body;
    gl.useProgram(program);
    shade(at);
    gl.uniformMatrix4fv(at.camera, false, look.both);
    gl.uniform3fv(at.eye, look.eye); gl.uniform3fv(at.sun, sun); gl.uniform3fv(at.sky, theme.sky); gl.uniform3fv(at.ground, theme.bounce);
    gl.uniform1f(at.sunlight, theme.sun); gl.uniform1f(at.floorAt, motion.floor); gl.uniform1f(at.size, size); gl.uniform1f(at.grounded, motion.flat ? 0 : 1);
    this.describe(motion, data);
    gl.uniform1i(at.limbs, 1);
    // Depth first, so that each pixel is shaded once.
    gl.useProgram(this.caster.program);
    gl.uniformMatrix4fv(this.caster.at.camera, false, look.both);
    gl.colorMask(false, false, false, false);
    this.drawLimbs(N);
    gl.colorMask(true, true, true, true);
    gl.useProgram(program);
    this.drawLimbs(N);
    context.drawImage(canvas, 0, 0, width, height, 0, 0, width, height);
  }

  /** The texture from which the shader reads limbs and their neighbours. */
  describe(motion, data) {
    const gl = this.gl, N = motion.parts.length, wide = 3 + NEAR / 4, rows = new Float32Array(N * wide * 4).fill(-1);
    const middle = [], half = [];
    for (let n = 0; n < N; n++) {
      const d = data.subarray(11 * n, 11 * n + 11);
      middle.push([0, 1, 2].map((c) => (d[c] + d[4 + c]) / 2));
      half.push(Math.hypot(d[0] - d[4], d[1] - d[5], d[2] - d[6]) / 2 + Math.max(d[3], d[7]));
      rows.set(d, n * wide * 4);
    }
    for (let n = 0; n < N; n++) {
      const found = [];
      for (let m = 0; m < N; m++) {
        const gap = Math.hypot(...sub(middle[n], middle[m])) - half[n] - half[m];
        if (m !== n && gap < 0.05 * motion.height) found.push([gap, m]);
      }
      found.sort((a, b) => a[0] - b[0]);
      found.slice(0, NEAR).forEach(([, m], i) => { rows[n * wide * 4 + 12 + i] = m; });
    }
    gl.activeTexture(gl.TEXTURE1);
    gl.bindTexture(gl.TEXTURE_2D, this.limbs);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA32F, wide, N, 0, gl.RGBA, gl.FLOAT, rows);
    gl.activeTexture(gl.TEXTURE0);
  }

  /** The ends of limbs that are near the floor: x, z, radius and strength of their contact shadow. */
  contacts(motion) {
    const found = [];
    for (const [a, b, ra, rb] of motion.parts) for (const [k, r, w] of [[a, ra, 0], [b, rb, 0], [a, (ra + rb) / 2, 0.5]]) {
      const p = [0, 1, 2].map((c) => motion.placed[3 * k + c] * (1 - w) + motion.placed[3 * b + c] * w);
      const gap = Math.max(0, p[1] - r - motion.floor) / motion.height, strength = Math.exp(-gap * 18);
      if (strength > 0.05) found.push([p[0], p[2], r * (1.35 + gap * 14), strength * 0.8]);
    }
    found.sort((p, q) => q[3] - p[3]);
    return new Float32Array((found.length ? found : [[0, 0, 1, 0]]).slice(0, 12).flat());
  }
}
