"""The programs that the graphics card runs for the 3-D picture (GLSL 1.50): the same geometry and light as the plain painter.

A first pass writes colour and, beside it, normal and depth of what is nearest; a second pass lights them; a third lays the
translucent rectangles over. Depth is the distance along the view, in the scene's lengths, scaled to 0 … 1 for the depth test.
"""

from __future__ import annotations

HEAD = """#version 150
"""

_CLIP = """
uniform vec4 clip[3];
uniform int clips;
uniform vec2 range;
bool away(vec3 p) {
    if (clips == 0) return false;
    for (int k = 0; k < clips; k++) if (dot(clip[k].xyz, p) + clip[k].w <= 0.0) return false;
    return true;
}
"""

#: Corner `c` (-1 … 1) of the picture's rectangle that holds a sphere's outline; see _reach in raster.
SPHERE_VERTEX = """
in vec2 c;
in vec4 ball;
in float kind;
uniform mat3 turn;
uniform vec3 shift;
uniform vec4 view;
uniform vec3 palette[16];
out vec3 centre;
out vec3 tint;
out vec2 slope;
out float radius;
flat out float speck;
vec2 reach(float a, float z, float r) {
    float d = max(z * z - r * r, 1e-12), h = r * sqrt(a * a + d);
    return vec2(a * z - h, a * z + h) / d;
}
void main() {
    centre = turn * ball.xyz + shift;
    radius = ball.w;
    tint = palette[int(kind) % 16];
    vec2 x = reach(centre.x, centre.z, radius), y = reach(centre.y, centre.z, radius);
    // Never less than a pixel, or far spheres would sparkle.
    float least = 1.0 / view.x;
    speck = x.y - x.x < 1.5 * least ? 1.0 : 0.0;
    vec2 half_size = max(vec2(x.y - x.x, y.y - y.x) / 2.0, vec2(least * 0.55));
    slope = vec2(x.x + x.y, y.x + y.y) / 2.0 + c * half_size;
    vec2 at = slope * view.x / (view.yz / 2.0);
    bool hidden = centre.z - radius <= view.w;
    gl_Position = hidden ? vec4(2.0, 2.0, 2.0, 1.0) : vec4(at.x, -at.y, 0.0, 1.0);
}
"""

SPHERE_FRAGMENT = (
    _CLIP
    + """
in vec3 centre;
in vec3 tint;
in vec2 slope;
in float radius;
flat in float speck;
out vec4 colour;
out vec4 shape;
void main() {
    vec3 d = vec3(slope, 1.0);
    float a = dot(d, d), along = dot(d, centre) / a;
    vec3 beside = centre - along * d;
    float inside = radius * radius - dot(beside, beside);
    if (inside <= 0.0 && speck < 0.5) discard;
    float t = along - sqrt(max(inside, 0.0) / a);
    vec3 p = t * d;
    if (away(p)) discard;
    vec3 n = speck > 0.5 ? vec3(0.0, -0.5, -0.866) : (p - centre) / radius;
    colour = vec4(tint, 1.0);
    shape = vec4(n, t);
    gl_FragDepth = (t - range.x) / (range.y - range.x);
}
"""
)

MESH_VERTEX = """
in vec3 point;
in vec3 direction;
uniform mat3 turn;
uniform vec3 shift;
uniform vec4 view;
uniform vec2 range;
out vec3 place;
out vec3 slant;
void main() {
    place = turn * point + shift;
    slant = turn * direction;
    float far = range.y, near = max(range.x, view.w);
    gl_Position = vec4(place.x * view.x / (view.y / 2.0), -place.y * view.x / (view.z / 2.0),
        (far + near) / (far - near) * place.z - 2.0 * far * near / (far - near), place.z);
}
"""

MESH_FRAGMENT = (
    _CLIP
    + """
in vec3 place;
in vec3 slant;
uniform vec3 tint;
out vec4 colour;
out vec4 shape;
void main() {
    if (away(place)) discard;
    vec3 n = normalize(slant);
    if (dot(n, place) > 0.0) n = -n;
    colour = vec4(tint, 1.0);
    shape = vec4(n, place.z);
    gl_FragDepth = (place.z - range.x) / (range.y - range.x);
}
"""
)

#: One triangle that covers the picture: `slope` is the ray of a pixel, rows run down.
COVER_VERTEX = """
in vec2 c;
uniform vec4 view;
out vec2 slope;
void main() {
    slope = vec2(c.x * view.y, -c.y * view.z) / 2.0 / view.x;
    gl_Position = vec4(c, 0.0, 1.0);
}
"""

_PANEL = """
in vec2 slope;
uniform vec4 plane[3];
uniform vec2 frame;
uniform vec3 tint;
uniform vec4 view;
uniform vec2 range;
vec3 meets() {
    vec3 d = vec3(slope, 1.0);
    float t = plane[0].w / dot(plane[0].xyz, d);
    vec2 at = vec2(t * dot(plane[1].xyz, d) + plane[1].w, t * dot(plane[2].xyz, d) + plane[2].w);
    if (!(t > view.w) || any(lessThan(at, vec2(0.0))) || any(greaterThan(at, vec2(1.0)))) discard;
    return vec3(t, at);
}
bool edge(vec2 at) {
    vec2 inner = min(at, 1.0 - at);
    return inner.x < frame.x || inner.y < frame.y;
}
"""

PICTURE_FRAGMENT = (
    _PANEL
    + """
uniform sampler2D picture;
uniform int masked;
out vec4 colour;
out vec4 shape;
void main() {
    vec3 m = meets();
    bool rim = edge(m.yz);
    float level = texture(picture, vec2(m.z, m.y)).r;
    ivec2 size = textureSize(picture, 0);
    if (masked == 1 && !rim && texelFetch(picture, min(ivec2(m.zy * vec2(size)), size - 1), 0).r == 0.0) discard;
    colour = vec4(rim ? tint : vec3(level), 0.5);
    shape = vec4(0.0, 0.0, -1.0, m.x);
    gl_FragDepth = (m.x - range.x) / (range.y - range.x);
}
"""
)

GLASS_FRAGMENT = (
    _PANEL
    + """
uniform sampler2D shapes;
uniform float fill;
out vec4 colour;
void main() {
    vec3 m = meets();
    float there = texelFetch(shapes, ivec2(gl_FragCoord.xy), 0).w;
    if (there > 0.0 && m.x >= there) discard;
    float a = edge(m.yz) ? 1.0 : fill;
    colour = vec4(tint * a, a);
}
"""
)

#: See light: the same shadows, light, shine and haze.
LIGHT_FRAGMENT = """
in vec2 slope;
uniform sampler2D colours;
uniform sampler2D shapes;
uniform vec4 view;
uniform vec2 haze;
uniform vec3 fog;
uniform vec3 light;
uniform vec4 strength;
uniform float haziness;
uniform float reach;
uniform int samples;
out vec4 colour;
float sky(vec3 n, float z, ivec2 at, ivec2 size) {
    vec3 p = vec3(slope, 1.0) * z;
    float radius = min(reach * view.x / z, 0.25 * float(size.x));
    if (radius < 1.5) return 1.0;
    ivec2 parity = ivec2(at.x, size.y - 1 - at.y);
    float turn = 1.5707963 * float((parity.y & 1) * 2 + (parity.x & 1))
        + 0.7 * float(((parity.y >> 1) + (parity.x >> 1)) & 1);
    float taken = 0.0;
    for (int k = 0; k < samples; k++) {
        float far = radius * sqrt((float(k) + 0.6) / float(samples));
        ivec2 by = ivec2(floor(far * vec2(cos(turn), sin(turn)) + 0.5));
        turn += 2.399963;
        ivec2 there = at + ivec2(by.x, -by.y);
        if (any(lessThan(there, ivec2(0))) || any(greaterThanEqual(there, size))) continue;
        float zz = texelFetch(shapes, there, 0).w;
        if (zz <= 0.0) continue;
        vec3 v = vec3(slope + vec2(by) / view.x, 1.0) * zz - p;
        float square = dot(v, v);
        float rise = dot(n, v) * inversesqrt(square + 1e-30) - 0.08;
        if (rise > 0.0) taken += rise / (1.0 + square / (reach * reach));
    }
    return max(0.0, 1.0 - 2.2 * taken / float(samples));
}
void main() {
    ivec2 at = ivec2(gl_FragCoord.xy), size = textureSize(shapes, 0);
    vec4 base = texelFetch(colours, at, 0), shape = texelFetch(shapes, at, 0);
    if (base.a == 0.0) { colour = vec4(0.0); return; }
    if (base.a < 0.75) { colour = vec4(base.rgb, 1.0); return; }
    vec3 n = shape.xyz;
    float facing = max(0.0, dot(n, light));
    float half_way = max(0.0, dot(n, light + vec3(0.0, 0.0, -1.0)) / 1.83);
    float open = samples > 0 ? 1.0 - strength.w * (1.0 - sky(n, shape.w, at, size)) : 1.0;
    float lit = strength.x * (1.0 - 0.2 * n.y) * open + strength.y * facing * (0.35 + 0.65 * open);
    float shine = strength.z * pow(half_way, 24.0) * open;
    float share = clamp((shape.w - haze.x) / (haze.y - haze.x), 0.0, 1.0);
    share = haziness * share * share;
    colour = vec4(mix(min(vec3(1.0), base.rgb * lit + shine), fog, share), 1.0);
}
"""
