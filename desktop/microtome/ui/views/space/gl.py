"""The 3-D picture drawn by the graphics card, into a buffer of its own whose pixels are read back.

The window's surface is left alone: no widget has to become an OpenGL window (which rebuilds the whole window when the first
one appears), lines and words are painted in one way for both painters, and a card that gives up costs a picture, not the
window. Functions come from Qt, which knows the platform's own way to them.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QCoreApplication, QRect, QSize
from PySide6.QtGui import QImage, QMatrix3x3, QOffscreenSurface, QOpenGLContext, QSurfaceFormat, QVector3D, QVector4D
from PySide6.QtOpenGL import (
    QOpenGLBuffer,
    QOpenGLFramebufferObject,
    QOpenGLShader,
    QOpenGLShaderProgram,
    QOpenGLTexture,
    QOpenGLVertexArrayObject,
)
from shiboken6 import VoidPtr, isValid

from microtome.ui.views.space import shaders as glsl
from microtome.ui.views.space.camera import NEAR
from microtome.ui.views.space.frame import (
    SAMPLES,
    Frame,
    PainterLostError,
    clip_planes,
    far_to_near,
    flat,
    frame_shares,
    haze_of,
    shadow_reach,
)
from microtome.ui.views.space.scene import Mesh, Panel, Particles

_FLOAT, _UINT, _TRIANGLES, _STRIP = 0x1406, 0x1405, 0x0004, 0x0005
_DEPTH_TEST, _BLEND, _ONE, _ONE_MINUS_ALPHA = 0x0B71, 0x0BE2, 1, 0x0303
_TEXTURE_2D, _TEXTURE0, _COLOUR, _DEPTH, _LINEAR = 0x0DE1, 0x84C0, 0x4000, 0x0100, 0x2601
_ATTACHMENT0, _RGBA8, _RGBA32F, _RENDERER = 0x8CE0, 0x8058, 0x8814, 0x1F01
_KINDS = 16  # colours that the program holds
_SOFTWARE = ("llvmpipe", "softpipe", "swiftshader", "swrast", "gdi generic", "basic render")
Array = NDArray[Any]


class _Shape:
    """Arrays on the card that one program draws."""

    def __init__(self, count: int, instances: int = 0) -> None:
        self.count, self.instances = count, instances
        self.array = QOpenGLVertexArrayObject()
        self.array.create()
        self.buffers: list[QOpenGLBuffer] = []

    def add(self, data: Array, kind: QOpenGLBuffer.Type = QOpenGLBuffer.Type.VertexBuffer) -> None:
        """Copy an array to the card and bind it to the shape."""
        made = QOpenGLBuffer(kind)
        made.create()
        made.bind()
        made.allocate(np.ascontiguousarray(data).tobytes(), data.nbytes)
        self.buffers.append(made)

    def destroy(self) -> None:
        """Free the card's memory."""
        for made in self.buffers:
            made.destroy()
        self.array.destroy()


class GlPainter:
    """Draws frames with OpenGL 3.2; raises PainterLostError where there is none, or (unless `software`) an imitated one."""

    name = "opengl"
    quick = True

    def __init__(self, *, software: bool = False) -> None:
        wanted = QSurfaceFormat()
        wanted.setVersion(3, 2)
        wanted.setProfile(QSurfaceFormat.OpenGLContextProfile.CoreProfile)
        self._programs: dict[str, QOpenGLShaderProgram] = {}
        self._kept: dict[str, tuple[object, _Shape]] = {}
        self._textures: dict[int, tuple[object, QOpenGLTexture]] = {}
        self._targets: dict[tuple[int, int, bool], QOpenGLFramebufferObject] = {}
        self._context = QOpenGLContext()
        self._context.setFormat(wanted)
        self._surface = QOffscreenSurface()
        self._surface.setFormat(wanted)
        self._surface.create()
        if not self._context.create() or not self._context.makeCurrent(self._surface):
            raise PainterLostError("no context can be made")
        made = self._context.format()
        if (made.majorVersion(), made.minorVersion()) < (3, 2):
            raise PainterLostError(f"version {made.majorVersion()}.{made.minorVersion()} is too old")
        self._gl = self._context.extraFunctions()
        self.renderer = str(self._gl.glGetString(_RENDERER))
        self.software = any(word in self.renderer.lower() for word in _SOFTWARE)
        if self.software and not software:
            self.close()
            raise PainterLostError(f"{self.renderer} is no graphics card")
        self._programs = {
            "spheres": _program(glsl.SPHERE_VERTEX, glsl.SPHERE_FRAGMENT, ("c", "ball", "kind")),
            "mesh": _program(glsl.MESH_VERTEX, glsl.MESH_FRAGMENT, ("point", "direction")),
            "picture": _program(glsl.COVER_VERTEX, glsl.PICTURE_FRAGMENT, ("c",)),
            "light": _program(glsl.COVER_VERTEX, glsl.LIGHT_FRAGMENT, ("c",)),
            "glass": _program(glsl.COVER_VERTEX, glsl.GLASS_FRAGMENT, ("c",)),
        }
        self._cover = self._shape(3, np.array([[-1, -1], [3, -1], [-1, 3]], np.float32), (2,))
        self._context.doneCurrent()
        application = QCoreApplication.instance()
        if application is not None:
            # What outlives the application can no longer be freed.
            application.aboutToQuit.connect(self.close)

    def image(self, frame: Frame) -> QImage:
        """The picture; PainterLostError where the card has given up in the meantime."""
        if not self._programs or not self._context.makeCurrent(self._surface):
            raise PainterLostError("the context is lost")
        scale = 2 if frame.fine else 1
        width, height = frame.width * scale, frame.height * scale
        shapes, lit = self._target(width, height, deep=True), self._target(width, height, deep=False)
        self._draw_shapes(frame, shapes, scale)
        self._draw_light(frame, shapes, lit, scale)
        result = lit
        if scale > 1:
            result = self._target(frame.width, frame.height, deep=False)
            whole, part = QRect(0, 0, width, height), QRect(0, 0, frame.width, frame.height)
            QOpenGLFramebufferObject.blitFramebuffer(result, part, lit, whole, _COLOUR, _LINEAR)
        image = result.toImage().convertToFormat(QImage.Format.Format_RGBA8888_Premultiplied)
        self._forget(frame)
        self._context.doneCurrent()
        return image

    def close(self) -> None:
        """Free what the card holds; nothing can be drawn afterwards."""
        application = QCoreApplication.instance()
        if application is not None and self._programs:
            application.aboutToQuit.disconnect(self.close)
        if isValid(self._context) and self._context.isValid() and self._context.makeCurrent(self._surface):
            for _, shape in self._kept.values():
                shape.destroy()
            for _, texture in self._textures.values():
                texture.destroy()
            self._kept, self._textures, self._targets, self._programs = {}, {}, {}, {}
            self._context.doneCurrent()

    def _target(self, width: int, height: int, *, deep: bool) -> QOpenGLFramebufferObject:
        """A buffer to draw into, the last ones kept; a deep one has depth, and normals beside colours."""
        key = (width, height, deep)
        if key not in self._targets:
            if len(self._targets) >= 6:
                self._targets.clear()
            kind = QOpenGLFramebufferObject.Attachment.Depth if deep else QOpenGLFramebufferObject.Attachment.NoAttachment
            made = QOpenGLFramebufferObject(QSize(width, height), kind, _TEXTURE_2D, _RGBA8)
            if deep:
                made.addColorAttachment(QSize(width, height), _RGBA32F)
            if not made.isValid():
                raise PainterLostError(f"no buffer of {width} × {height} pixels can be made")
            self._targets[key] = made
        return self._targets[key]

    def _draw_shapes(self, frame: Frame, target: QOpenGLFramebufferObject, scale: int) -> None:
        gl, scene = self._gl, frame.scene
        target.bind()
        gl.glDrawBuffers(2, [_ATTACHMENT0, _ATTACHMENT0 + 1])
        gl.glViewport(0, 0, target.width(), target.height())
        gl.glDisable(_BLEND)
        gl.glEnable(_DEPTH_TEST)
        gl.glClearColor(0.0, 0.0, 0.0, 0.0)
        gl.glClear(_COLOUR | _DEPTH)
        if scene.particles is not None and len(scene.particles.radii):
            program = self._begin("spheres", frame, scale)
            palette = frame.look.palette(len(scene.particles.names)) / 255.0
            for i, rgb in enumerate(palette[:_KINDS]):
                program.setUniformValue(program.uniformLocation(f"palette[{i}]"), *(float(v) for v in rgb))
            self._run(program, self._of("particles", scene.particles))
        if scene.surface is not None and len(scene.surface.faces):
            program = self._begin("mesh", frame, scale)
            program.setUniformValue(program.uniformLocation("tint"), *_rgb(frame.look.surface))
            self._run(program, self._of("surface", scene.surface))
        for panel in scene.pictures:
            program = self._begin("picture", frame, scale)
            self._aim(program, panel, frame, scale)
            self._texture(panel).bind(0)
            program.setUniformValue1i(program.uniformLocation("picture"), 0)
            program.setUniformValue1i(program.uniformLocation("masked"), int(panel.masked))
            self._run(program, self._cover)

    def _draw_light(self, frame: Frame, shapes: QOpenGLFramebufferObject, lit: QOpenGLFramebufferObject, scale: int) -> None:
        from microtome.ui.views.space.light import AMBIENT, DIFFUSE, HAZE, LIGHT, SHADOW, SHINE

        gl, scene = self._gl, frame.scene
        lit.bind()
        gl.glViewport(0, 0, lit.width(), lit.height())
        gl.glDisable(_DEPTH_TEST)
        gl.glClear(_COLOUR)
        program = self._begin("light", frame, scale)
        for unit, name in ((1, "shapes"), (0, "colours")):
            gl.glActiveTexture(_TEXTURE0 + unit)
            gl.glBindTexture(_TEXTURE_2D, shapes.textures()[unit])
            program.setUniformValue1i(program.uniformLocation(name), unit)
        haze = haze_of(scene, frame.camera)
        program.setUniformValue(program.uniformLocation("haze"), float(haze[0]), float(haze[1]))
        program.setUniformValue(program.uniformLocation("fog"), *_rgb(frame.look.bottom))
        program.setUniformValue(program.uniformLocation("light"), *LIGHT)
        program.setUniformValue(program.uniformLocation("strength"), AMBIENT, DIFFUSE, SHINE, SHADOW)
        program.setUniformValue1f(program.uniformLocation("haziness"), HAZE)
        program.setUniformValue1f(program.uniformLocation("reach"), shadow_reach(scene))
        samples = SAMPLES if frame.fine else 0 if self.software else SAMPLES // 2
        program.setUniformValue1i(program.uniformLocation("samples"), samples)
        self._run(program, self._cover)
        gl.glEnable(_BLEND)
        gl.glBlendFunc(_ONE, _ONE_MINUS_ALPHA)
        for panel in far_to_near(scene.glass, frame.camera):
            program = self._begin("glass", frame, scale)
            self._aim(program, panel, frame, scale)
            program.setUniformValue1i(program.uniformLocation("shapes"), 1)
            program.setUniformValue1f(program.uniformLocation("fill"), panel.fill)
            self._run(program, self._cover)
        gl.glDisable(_BLEND)

    def _begin(self, name: str, frame: Frame, scale: int) -> QOpenGLShaderProgram:
        """Take a program in use and tell it where the camera is."""
        program, camera = self._programs[name], frame.camera
        width, height = frame.width * scale, frame.height * scale
        program.bind()
        axes, near = camera.axes(), NEAR * camera.fitting
        at = program.uniformLocation
        program.setUniformValue(at("turn"), QMatrix3x3([float(v) for v in axes.ravel()]))
        program.setUniformValue(at("shift"), QVector3D(*(float(v) for v in -(axes @ camera.eye()))))
        program.setUniformValue(at("view"), QVector4D(camera.focal(width, height), float(width), float(height), near))
        program.setUniformValue(at("range"), near, camera.distance + 3.0 * frame.scene.diagonal)
        clip = clip_planes(frame.scene, camera)
        program.setUniformValue1i(at("clips"), len(clip))
        for k, row in enumerate(clip):
            program.setUniformValue(at(f"clip[{k}]"), QVector4D(*(float(v) for v in row)))
        return program

    def _aim(self, program: QOpenGLShaderProgram, panel: Panel, frame: Frame, scale: int) -> None:
        """Tell a program where a panel is."""
        for k, row in enumerate(flat(panel, frame.camera)):
            program.setUniformValue(program.uniformLocation(f"plane[{k}]"), QVector4D(*(float(v) for v in row)))
        border = frame_shares(panel, frame.camera, frame.width * scale, frame.height * scale, scale)
        program.setUniformValue(program.uniformLocation("frame"), float(border[0]), float(border[1]))
        program.setUniformValue(program.uniformLocation("tint"), *_rgb(frame.look.rgb(panel.colour)))

    def _run(self, program: QOpenGLShaderProgram, shape: _Shape) -> None:
        shape.array.bind()
        if shape.instances:
            self._gl.glDrawArraysInstanced(_STRIP, 0, shape.count, shape.instances)
        elif len(shape.buffers) > 1:
            self._gl.glDrawElements(_TRIANGLES, shape.count, _UINT, VoidPtr(0))  # type: ignore[arg-type]
        else:
            self._gl.glDrawArrays(_TRIANGLES, 0, shape.count)
        shape.array.release()
        program.release()

    def _of(self, name: str, what: Particles | Mesh) -> _Shape:
        """The arrays of particles or a mesh, copied to the card once."""
        kept = self._kept.get(name)
        if kept is not None and kept[0] is what:
            return kept[1]
        if kept is not None:
            kept[1].destroy()
        made = self._spheres(what) if isinstance(what, Particles) else self._mesh(what)
        self._kept[name] = (what, made)
        return made

    def _spheres(self, found: Particles) -> _Shape:
        count = len(found.radii)
        kinds = np.zeros(count, np.float32) if found.kinds is None or len(found.names) < 2 else found.kinds % _KINDS
        data = np.column_stack([found.centres, found.radii, kinds]).astype(np.float32)
        corners = np.array([[-1, -1], [1, -1], [-1, 1], [1, 1]], np.float32)
        shape = self._shape(4, corners, (2,), instances=count)
        shape.array.bind()
        shape.add(data)
        self._attributes((4, 1), 5, first=1)
        for location in (1, 2):
            self._gl.glVertexAttribDivisor(location, 1)
        shape.array.release()
        return shape

    def _mesh(self, mesh: Mesh) -> _Shape:
        data = np.column_stack([mesh.vertices, mesh.normals]).astype(np.float32)
        shape = self._shape(mesh.faces.size, data, (3, 3))
        shape.array.bind()
        shape.add(mesh.faces.astype(np.uint32), QOpenGLBuffer.Type.IndexBuffer)
        shape.array.release()
        return shape

    def _shape(self, count: int, data: Array, parts: tuple[int, ...], *, instances: int = 0) -> _Shape:
        shape = _Shape(count, instances)
        shape.array.bind()
        shape.add(data)
        self._attributes(parts, sum(parts))
        shape.array.release()
        return shape

    def _attributes(self, parts: tuple[int, ...], stride: int, first: int = 0) -> None:
        """Say how a row of the array that is bound falls into attributes."""
        program, size, offset = next(iter(self._programs.values())), ctypes.sizeof(ctypes.c_float), 0
        for i, part in enumerate(parts):
            program.enableAttributeArray(first + i)
            program.setAttributeBuffer(first + i, _FLOAT, offset * size, part, stride * size)
            offset += part

    def _texture(self, panel: Panel) -> QOpenGLTexture:
        key = id(panel.picture)
        if key not in self._textures:
            self._textures[key] = (panel.picture, _texture_of(np.ascontiguousarray(panel.picture)))
        return self._textures[key][1]

    def _forget(self, frame: Frame) -> None:
        """Free the pictures that are no longer shown."""
        for key in set(self._textures) - {id(panel.picture) for panel in frame.scene.pictures}:
            self._textures.pop(key)[1].destroy()


def _texture_of(picture: Array) -> QOpenGLTexture:
    height, width = picture.shape
    image = QImage(picture.data, width, height, width, QImage.Format.Format_Grayscale8)
    made = QOpenGLTexture(image, QOpenGLTexture.MipMapGeneration.GenerateMipMaps)
    made.setMinMagFilters(QOpenGLTexture.Filter.LinearMipMapLinear, QOpenGLTexture.Filter.Linear)
    made.setWrapMode(QOpenGLTexture.WrapMode.ClampToEdge)
    return made


def _rgb(colour: tuple[int, int, int]) -> tuple[float, float, float]:
    return colour[0] / 255, colour[1] / 255, colour[2] / 255


def _program(vertex: str, fragment: str, attributes: tuple[str, ...]) -> QOpenGLShaderProgram:
    program = QOpenGLShaderProgram()
    kinds = QOpenGLShader.ShaderTypeBit
    for kind, text in ((kinds.Vertex, vertex), (kinds.Fragment, fragment)):
        if not program.addShaderFromSourceCode(kind, glsl.HEAD + text):
            raise PainterLostError(f"a program is refused: {program.log()}")
    for location, name in enumerate(attributes):
        program.bindAttributeLocation(name, location)
    program.bindAttributeLocation("colour", 0)
    if not program.link():
        raise PainterLostError(f"a program is refused: {program.log()}")
    return program
