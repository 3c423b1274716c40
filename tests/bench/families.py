#!/usr/bin/env python3
"""Models as the architectures of the field are built, with random weights: to see speed and answers on more than the material holds.

    families.py FOLDER [NAME...]     then: peers.py FOLDER/*.onnx

Needs numpy and onnx."""

import os
import sys

import numpy as np
import onnx
from onnx import TensorProto as T, helper as H, numpy_helper as N


class Model:
    """A graph that grows: each method adds nodes and gives the name of what they compute."""

    def __init__(self, seed=7):
        self.rng = np.random.default_rng(seed)
        self.nodes = []
        self.inits = []
        self.count = {}
        self.names = 0

    def const(self, v, name=None):
        self.names += 1
        name = name or f"c{self.names}"
        self.inits.append(N.from_array(np.array(v, order="C"), name))
        return name

    def op(self, kind, *x, n=1, **a):
        self.count[kind] = self.count.get(kind, 0) + 1
        nm = f"/{kind}_{self.count[kind]}"
        o = [f"{nm}_o{i}" for i in range(n)]
        self.nodes.append(H.make_node(kind, list(x), o, name=nm, **a))
        return o[0] if n == 1 else o

    def weight(self, *sh, fan=None):
        fan = fan or int(np.prod(sh[1:]))
        return self.const((self.rng.standard_normal(sh) * np.sqrt(2.0 / fan)).astype(np.float32))

    def number(self, v):
        return self.const(np.float32(v))

    def conv(self, x, ci, co, k, st=1, g=1, act=None, d=1, p=None, bias=True):
        k = (k, k) if isinstance(k, int) else k
        st = (st, st) if isinstance(st, int) else st
        p = p if p is not None else [d * (k[0] // 2), d * (k[1] // 2)] * 2
        i = [x, self.weight(co, ci // g, *k)]
        if bias:
            i.append(self.const((self.rng.standard_normal(co) * 0.05).astype(np.float32)))
        return self.activation(self.op("Conv", *i, kernel_shape=list(k), strides=list(st), pads=p, group=g, dilations=[d, d]), act)

    def activation(self, x, a):
        if a is None:
            return x
        if a == "relu":
            return self.op("Relu", x)
        if a == "relu6":
            return self.op("Clip", x, self.number(0), self.number(6))
        if a == "silu":
            return self.op("Mul", x, self.op("Sigmoid", x))
        if a == "hswish":
            return self.op("HardSwish", x)
        if a == "hsig":
            return self.op("HardSigmoid", x, alpha=1 / 6.0, beta=0.5)
        if a == "sigmoid":
            return self.op("Sigmoid", x)
        if a == "tanh":
            return self.op("Tanh", x)
        if a == "leaky":
            return self.op("LeakyRelu", x, alpha=0.1)
        if a == "prelu":
            return self.op("PRelu", x, self.number(0.25))
        if a == "elu":
            return self.op("Elu", x)
        if a == "mish":
            return self.op("Mul", x, self.op("Tanh", self.op("Softplus", x)))
        if a == "gelu":
            e = self.op("Erf", self.op("Div", x, self.number(2**0.5)))
            return self.op("Mul", self.op("Mul", x, self.op("Add", e, self.number(1))), self.number(0.5))
        if a == "geltanh":
            t = self.op(
                "Mul", self.op("Add", x, self.op("Mul", self.op("Mul", self.op("Mul", x, x), x), self.number(0.044715))), self.number(0.79788)
            )
            return self.op("Mul", self.op("Mul", x, self.number(0.5)), self.op("Add", self.op("Tanh", t), self.number(1)))

    def linear(self, x, ci, co, act=None):
        return self.activation(self.op("Add", self.op("MatMul", x, self.weight(ci, co, fan=2 * ci)), self.const(np.zeros(co, np.float32))), act)

    def layer_norm(self, x, d):
        return self.op("LayerNormalization", x, self.const(np.ones(d, np.float32)), self.const(np.zeros(d, np.float32)), axis=-1)

    def head(self, x, ci, n=1000):
        x = self.op("Flatten", self.op("GlobalAveragePool", x), axis=1)
        return self.op("Gemm", x, self.weight(n, ci), self.const(np.zeros(n, np.float32)), transB=1)

    def squeeze_excite(self, x, c, r, a1="relu", a2="sigmoid"):
        y = self.op("GlobalAveragePool", x)
        y = self.conv(y, c, r, 1, act=a1)
        y = self.conv(y, r, c, 1, act=a2)
        return self.op("Mul", x, y)

    def max_pool(self, x, k, st, p=0):
        return self.op("MaxPool", x, kernel_shape=[k, k], strides=[st, st], pads=[p] * 4)

    def save(self, path, output, shape):
        graph = H.make_graph(
            self.nodes,
            "model",
            [H.make_tensor_value_info("input", T.FLOAT, shape)],
            [H.make_tensor_value_info(output, T.FLOAT, None)],
            self.inits,
        )
        model = H.make_model(graph, opset_imports=[H.make_opsetid("", 17)], ir_version=8)
        onnx.save(onnx.shape_inference.infer_shapes(model), path)


FAMILIES = {}


def family(shape=(1, 3, 224, 224)):
    def add(make):
        FAMILIES[make.__name__] = make, shape
        return make

    return add


def batch_norm(m, x, c):
    return m.op(
        "BatchNormalization",
        x,
        m.const(np.ones(c, np.float32)),
        m.const(np.zeros(c, np.float32)),
        m.const(np.zeros(c, np.float32)),
        m.const(np.ones(c, np.float32)),
    )


@family()
def efficientnet():
    m = Model()
    x = m.conv("input", 3, 32, 3, 2, act="silu")
    ci = 32
    for t, c, n, st, k in [
        (1, 16, 1, 1, 3),
        (6, 24, 2, 2, 3),
        (6, 40, 2, 2, 5),
        (6, 80, 3, 2, 3),
        (6, 112, 3, 1, 5),
        (6, 192, 4, 2, 5),
        (6, 320, 1, 1, 3),
    ]:
        for i in range(n):
            h = ci * t
            s2 = st if i == 0 else 1
            y = x if t == 1 else m.conv(x, ci, h, 1, act="silu")
            y = m.conv(y, h, h, k, s2, g=h, act="silu")
            y = m.squeeze_excite(y, h, max(1, ci // 4), "silu")
            y = m.conv(y, h, c, 1)
            x = m.op("Add", x, y) if s2 == 1 and ci == c else y
            ci = c
    return m, m.head(m.conv(x, 320, 1280, 1, act="silu"), 1280)


@family()
def mobilenetv3():
    m = Model()
    x = m.conv("input", 3, 16, 3, 2, act="hswish")
    ci = 16
    for k, h, c, se, a, st in [
        (3, 16, 16, 0, "relu", 1),
        (3, 64, 24, 0, "relu", 2),
        (3, 72, 24, 0, "relu", 1),
        (5, 72, 40, 1, "relu", 2),
        (5, 120, 40, 1, "relu", 1),
        (5, 120, 40, 1, "relu", 1),
        (3, 240, 80, 0, "hswish", 2),
        (3, 200, 80, 0, "hswish", 1),
        (3, 184, 80, 0, "hswish", 1),
        (3, 184, 80, 0, "hswish", 1),
        (3, 480, 112, 1, "hswish", 1),
        (3, 672, 112, 1, "hswish", 1),
        (5, 672, 160, 1, "hswish", 2),
        (5, 960, 160, 1, "hswish", 1),
        (5, 960, 160, 1, "hswish", 1),
    ]:
        y = m.conv(x, ci, h, 1, act=a) if h != ci else x
        y = m.conv(y, h, h, k, st, g=h, act=a)
        if se:
            y = m.squeeze_excite(y, h, max(8, (h // 4 + 4) // 8 * 8), "relu", "hsig")
        y = m.conv(y, h, c, 1)
        x = m.op("Add", x, y) if st == 1 and ci == c else y
        ci = c
    x = m.conv(x, 160, 960, 1, act="hswish")
    x = m.op("GlobalAveragePool", x)
    x = m.conv(x, 960, 1280, 1, act="hswish")
    return m, m.head(x, 1280)


@family()
def shufflenetv2():
    m = Model()
    x = m.max_pool(m.conv("input", 3, 24, 3, 2, act="relu"), 3, 2, 1)
    ci = 24
    hw = 56
    for c, n in [(116, 4), (232, 8), (464, 4)]:
        hw //= 2
        for i in range(n):
            h = c // 2
            if i == 0:
                l = m.conv(m.conv(x, ci, ci, 3, 2, g=ci), ci, h, 1, act="relu")
                r = x
                s2 = 2
                cr = ci
            else:
                l, r = m.op("Split", x, m.const(np.array([h, h], np.int64)), n=2, axis=1)
                s2 = 1
                cr = h
            r = m.conv(m.conv(m.conv(r, cr, h, 1, act="relu"), h, h, 3, s2, g=h), h, h, 1, act="relu")
            x = m.op("Concat", l, r, axis=1)
            x = m.op("Reshape", x, m.const(np.array([1, 2, h, hw, hw], np.int64)))
            x = m.op("Transpose", x, perm=[0, 2, 1, 3, 4])
            x = m.op("Reshape", x, m.const(np.array([1, c, hw, hw], np.int64)))
            ci = c
    return m, m.head(m.conv(x, 464, 1024, 1, act="relu"), 1024)


@family()
def densenet():
    m = Model()
    x = m.max_pool(m.conv("input", 3, 64, 7, 2, act="relu"), 3, 2, 1)
    c = 64
    for s, n in enumerate([6, 12, 24, 16]):
        for i in range(n):
            y = m.op("Relu", batch_norm(m, x, c))
            y = m.conv(y, c, 128, 1, bias=False)
            y = m.op("Relu", batch_norm(m, y, 128))
            y = m.conv(y, 128, 32, 3, bias=False)
            x = m.op("Concat", x, y, axis=1)
            c += 32
        if s < 3:
            x = m.conv(m.op("Relu", batch_norm(m, x, c)), c, c // 2, 1, bias=False)
            x = m.op("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
            c //= 2
    return m, m.head(m.op("Relu", batch_norm(m, x, c)), c)


@family()
def regnety():
    m = Model()
    x = m.conv("input", 3, 32, 3, 2, act="relu")
    ci = 32
    for c, n in [(48, 2), (104, 6), (208, 10), (440, 2)]:
        for i in range(n):
            s2 = 2 if i == 0 else 1
            y = m.conv(m.conv(x, ci, c, 1, act="relu"), c, c, 3, s2, g=c // 8, act="relu")
            y = m.squeeze_excite(y, c, max(8, ci // 4))
            y = m.conv(y, c, c, 1)
            if s2 == 2:
                x = m.conv(x, ci, c, 1, 2)
            x = m.op("Relu", m.op("Add", x, y))
            ci = c
    return m, m.head(x, ci)


@family()
def resnext():
    m = Model()
    x = m.max_pool(m.conv("input", 3, 64, 7, 2, act="relu"), 3, 2, 1)
    ci = 64
    for s, n in enumerate([2, 2, 2, 2]):
        mid = 128 << s
        c = 256 << s
        for i in range(n):
            s2 = 2 if s and (not i) else 1
            y = m.conv(m.conv(m.conv(x, ci, mid, 1, act="relu"), mid, mid, 3, s2, g=32, act="relu"), mid, c, 1)
            if i == 0:
                x = m.conv(x, ci, c, 1, s2)
            x = m.op("Relu", m.op("Add", x, y))
            ci = c
    return m, m.head(x, ci)


@family()
def convnext():
    m = Model()
    d = [40, 80, 160, 320]
    x = m.conv("input", 3, d[0], 4, 4, p=[0] * 4)

    def cl(x, c, ci=None):
        x = m.op("Transpose", x, perm=[0, 2, 3, 1])
        return m.op("Transpose", m.layer_norm(x, c), perm=[0, 3, 1, 2])

    x = cl(x, d[0])
    for s, n in enumerate([2, 2, 6, 2]):
        if s:
            x = m.conv(cl(x, d[s - 1]), d[s - 1], d[s], 2, 2, p=[0] * 4)
        for i in range(n):
            y = m.conv(x, d[s], d[s], 7, g=d[s])
            y = m.op("Transpose", y, perm=[0, 2, 3, 1])
            y = m.layer_norm(y, d[s])
            y = m.linear(y, d[s], 4 * d[s], "gelu")
            y = m.linear(y, 4 * d[s], d[s])
            y = m.op("Mul", y, m.const(np.full(d[s], 0.1, np.float32)))
            y = m.op("Transpose", y, perm=[0, 3, 1, 2])
            x = m.op("Add", x, y)
    x = m.op("ReduceMean", x, axes=[2, 3], keepdims=0)
    return m, m.linear(m.layer_norm(x, d[3]), d[3], 1000)


@family((1, 3, 128, 128))
def unet():
    m = Model()
    x = "input"
    sk = []
    c = [16, 32, 64, 128]
    ci = 3
    for i, k in enumerate(c):
        x = m.conv(m.conv(x, ci, k, 3, act="relu"), k, k, 3, act="relu")
        ci = k
        if i < 3:
            sk.append(x)
            x = m.max_pool(x, 2, 2)
    for k in (64, 32, 16):
        x = m.op("ConvTranspose", x, m.weight(ci, k, 2, 2), m.const(np.zeros(k, np.float32)), kernel_shape=[2, 2], strides=[2, 2])
        x = m.op("Concat", sk.pop(), x, axis=1)
        x = m.conv(m.conv(x, 2 * k, k, 3, act="relu"), k, k, 3, act="relu")
        ci = k
    return m, m.conv(x, 16, 1, 1, act="sigmoid")


@family((1, 3, 320, 320))
def yolov8n():
    m = Model()
    A = "silu"

    def c2f(x, ci, co, n, sh):
        y = m.conv(x, ci, co, 1, act=A)
        h = co // 2
        p, q = m.op("Split", y, m.const(np.array([h, h], np.int64)), n=2, axis=1)
        l = [p, q]
        for i in range(n):
            z = m.conv(m.conv(l[-1], h, h, 3, act=A), h, h, 3, act=A)
            l.append(m.op("Add", l[-1], z) if sh else z)
        return m.conv(m.op("Concat", *l, axis=1), (2 + n) * h, co, 1, act=A)

    x = m.conv("input", 3, 16, 3, 2, act=A)
    x = m.conv(x, 16, 32, 3, 2, act=A)
    x = c2f(x, 32, 32, 1, 1)
    x = m.conv(x, 32, 64, 3, 2, act=A)
    p3 = c2f(x, 64, 64, 2, 1)
    x = m.conv(p3, 64, 128, 3, 2, act=A)
    p4 = c2f(x, 128, 128, 2, 1)
    x = m.conv(p4, 128, 256, 3, 2, act=A)
    x = c2f(x, 256, 256, 1, 1)
    y = m.conv(x, 256, 128, 1, act=A)
    l = [y]
    for i in range(3):
        l.append(m.max_pool(l[-1], 5, 1, 2))
    p5 = m.conv(m.op("Concat", *l, axis=1), 512, 256, 1, act=A)
    up = lambda t: m.op(
        "Resize",
        t,
        "",
        m.const(np.array([1, 1, 2, 2], np.float32)),
        mode="nearest",
        nearest_mode="floor",
        coordinate_transformation_mode="asymmetric",
    )
    n4 = c2f(m.op("Concat", up(p5), p4, axis=1), 384, 128, 1, 0)
    n3 = c2f(m.op("Concat", up(n4), p3, axis=1), 192, 64, 1, 0)
    m4 = c2f(m.op("Concat", m.conv(n3, 64, 64, 3, 2, act=A), n4, axis=1), 192, 128, 1, 0)
    m5 = c2f(m.op("Concat", m.conv(m4, 128, 128, 3, 2, act=A), p5, axis=1), 384, 256, 1, 0)
    o = []
    for t, c, hw in ((n3, 64, 40), (m4, 128, 20), (m5, 256, 10)):
        bx = m.conv(m.conv(m.conv(t, c, 64, 3, act=A), 64, 64, 3, act=A), 64, 64, 1)
        cl = m.conv(m.conv(m.conv(t, c, 80, 3, act=A), 80, 80, 3, act=A), 80, 80, 1)
        o.append(m.op("Reshape", m.op("Concat", bx, cl, axis=1), m.const(np.array([1, 144, hw * hw], np.int64))))
    x = m.op("Concat", *o, axis=2)
    bx, cl = m.op("Split", x, m.const(np.array([64, 80], np.int64)), n=2, axis=1)
    bx = m.op("Reshape", bx, m.const(np.array([1, 4, 16, 2100], np.int64)))
    bx = m.op("Softmax", m.op("Transpose", bx, perm=[0, 2, 1, 3]), axis=1)
    bx = m.op("Conv", bx, m.const(np.arange(16, dtype=np.float32).reshape(1, 16, 1, 1)), kernel_shape=[1, 1])
    bx = m.op("Reshape", bx, m.const(np.array([1, 4, 2100], np.int64)))
    return m, m.op("Concat", bx, m.op("Sigmoid", cl), axis=1)


@family()
def googlenet():
    m = Model()
    x = m.max_pool(m.conv("input", 3, 64, 7, 2, act="relu"), 3, 2, 1)
    x = m.max_pool(m.conv(m.conv(x, 64, 64, 1, act="relu"), 64, 192, 3, act="relu"), 3, 2, 1)
    ci = 192
    for v in [
        (64, 96, 128, 16, 32, 32),
        (128, 128, 192, 32, 96, 64),
        None,
        (192, 96, 208, 16, 48, 64),
        (160, 112, 224, 24, 64, 64),
        (128, 128, 256, 24, 64, 64),
        (112, 144, 288, 32, 64, 64),
        (256, 160, 320, 32, 128, 128),
        None,
        (256, 160, 320, 32, 128, 128),
        (384, 192, 384, 48, 128, 128),
    ]:
        if v is None:
            x = m.max_pool(x, 3, 2, 1)
            continue
        a, c, d, e, f, g = v
        x = m.op(
            "Concat",
            m.conv(x, ci, a, 1, act="relu"),
            m.conv(m.conv(x, ci, c, 1, act="relu"), c, d, 3, act="relu"),
            m.conv(m.conv(x, ci, e, 1, act="relu"), e, f, 5, act="relu"),
            m.conv(m.max_pool(x, 3, 1, 1), ci, g, 1, act="relu"),
            axis=1,
        )
        ci = a + d + f + g
    return m, m.head(x, ci)


@family()
def vgg():
    m = Model()
    x = "input"
    ci = 3
    for v in [64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"]:
        if v == "M":
            x = m.max_pool(x, 2, 2)
        else:
            x = m.conv(x, ci, v, 3, act="relu")
            ci = v
    x = m.op("Flatten", x, axis=1)
    x = m.op("Relu", m.op("Gemm", x, m.weight(1024, 512 * 49), m.const(np.zeros(1024, np.float32)), transB=1))
    return m, m.op("Gemm", x, m.weight(1000, 1024), m.const(np.zeros(1000, np.float32)), transB=1)


@family()
def deeplab():
    m = Model()
    x = m.conv("input", 3, 32, 3, 2, act="relu")
    x = m.conv(x, 32, 64, 3, 2, act="relu")
    x = m.conv(x, 64, 128, 3, 2, act="relu")
    for d in (1, 2, 4):
        x = m.op("Relu", m.op("Add", x, m.conv(m.conv(x, 128, 128, 3, d=d, act="relu"), 128, 128, 3, d=d)))
    y = [m.conv(x, 128, 64, 1, act="relu")] + [m.conv(x, 128, 64, 3, d=d, act="relu") for d in (6, 12, 18)]
    g = m.conv(m.op("GlobalAveragePool", x), 128, 64, 1, act="relu")
    y.append(m.op("Resize", g, "", m.const(np.array([1, 1, 28, 28], np.float32)), mode="linear", coordinate_transformation_mode="half_pixel"))
    x = m.conv(m.op("Concat", *y, axis=1), 320, 64, 1, act="relu")
    x = m.conv(x, 64, 21, 1)
    return m, m.op("Resize", x, "", m.const(np.array([1, 1, 8, 8], np.float32)), mode="linear", coordinate_transformation_mode="half_pixel")


@family()
def mixer():
    m = Model()
    d = 192
    n = 196
    x = m.conv("input", 3, d, 16, 16, p=[0] * 4)
    x = m.op("Transpose", m.op("Reshape", x, m.const(np.array([1, d, n], np.int64))), perm=[0, 2, 1])
    for i in range(8):
        y = m.op("Transpose", m.layer_norm(x, d), perm=[0, 2, 1])
        y = m.linear(m.linear(y, n, 96, "gelu"), 96, n)
        x = m.op("Add", x, m.op("Transpose", y, perm=[0, 2, 1]))
        x = m.op("Add", x, m.linear(m.linear(m.layer_norm(x, d), d, 4 * d, "geltanh"), 4 * d, d))
    return m, m.linear(m.op("ReduceMean", m.layer_norm(x, d), axes=[1], keepdims=0), d, 1000)


@family((1, 16, 1024))
def tcn():
    m = Model()
    x = m.op("Reshape", "input", m.const(np.array([1, 16, 1024], np.int64)))
    ci = 16

    def c1(x, ci, co, k, d=1, g=1, act=None, pad=None):
        p = [(k - 1) * d, 0] if pad is None else pad
        return m.activation(
            m.op("Conv", x, m.weight(co, ci // g, k), m.const(np.zeros(co, np.float32)), kernel_shape=[k], dilations=[d], pads=p, group=g), act
        )

    for d in (1, 2, 4, 8, 16, 32):
        y = c1(c1(x, ci, 64, 3, d, act="relu"), 64, 64, 3, d, act="relu")
        x = m.op("Relu", m.op("Add", y, x if ci == 64 else c1(x, ci, 64, 1)))
        ci = 64
    return m, c1(x, 64, 10, 1)


@family()
def swin():
    m = Model()
    d = 96
    hw = 28
    nh = 3
    ws = 7
    x = m.conv("input", 3, d, 8, 8, p=[0] * 4)
    x = m.op("Transpose", m.op("Reshape", x, m.const(np.array([1, d, hw * hw], np.int64))), perm=[0, 2, 1])

    def i64(*v):
        return m.const(np.array(v, np.int64))

    def roll(x, s):
        for ax in (1, 2):
            x = m.op("Concat", m.op("Slice", x, i64(s), i64(99999), i64(ax)), m.op("Slice", x, i64(0), i64(s), i64(ax)), axis=ax)
        return x

    for blk in range(4):
        h = m.op("Reshape", m.layer_norm(x, d), i64(1, hw, hw, d))
        if blk % 2:
            h = roll(h, 3)
        h = m.op(
            "Reshape", m.op("Transpose", m.op("Reshape", h, i64(1, hw // ws, ws, hw // ws, ws, d)), perm=[0, 1, 3, 2, 4, 5]), i64(-1, ws * ws, d)
        )
        qkv = m.op("Transpose", m.op("Reshape", m.linear(h, d, 3 * d), i64((hw // ws) ** 2, ws * ws, 3, nh, d // nh)), perm=[2, 0, 3, 1, 4])
        q, k, v = [m.op("Gather", qkv, m.const(np.int64(i)), axis=0) for i in range(3)]
        a = m.op("MatMul", m.op("Mul", q, m.number((d // nh) ** (-0.5))), m.op("Transpose", k, perm=[0, 1, 3, 2]))
        a = m.op("Add", a, m.const((m.rng.standard_normal((1, nh, 49, 49)) * 0.1).astype(np.float32)))
        h = m.op("Reshape", m.op("Transpose", m.op("MatMul", m.op("Softmax", a, axis=-1), v), perm=[0, 2, 1, 3]), i64(-1, ws * ws, d))
        h = m.linear(h, d, d)
        h = m.op("Reshape", m.op("Transpose", m.op("Reshape", h, i64(1, hw // ws, hw // ws, ws, ws, d)), perm=[0, 1, 3, 2, 4, 5]), i64(1, hw, hw, d))
        if blk % 2:
            h = roll(h, hw - 3)
        x = m.op("Add", x, m.op("Reshape", h, i64(1, hw * hw, d)))
        x = m.op("Add", x, m.linear(m.linear(m.layer_norm(x, d), d, 4 * d, "gelu"), 4 * d, d))
    return m, m.linear(m.op("ReduceMean", x, axes=[1], keepdims=0), d, 10)


@family()
def ghost():
    m = Model()
    x = m.conv("input", 3, 16, 3, 2, act="relu")
    ci = 16
    for c, n in [(24, 2), (40, 2), (80, 4), (160, 3)]:
        for i in range(n):
            h = ci * 3 if i else ci * 2
            s2 = 2 if i == 0 else 1

            def gm(x, ci, co, a):
                p = m.conv(x, ci, co // 2, 1, act=a)
                return m.op("Concat", p, m.conv(p, co // 2, co // 2, 3, g=co // 2, act=a), axis=1)

            y = gm(x, ci, h, "relu")
            if s2 == 2:
                y = m.conv(y, h, h, 3, 2, g=h)
            y = m.squeeze_excite(y, h, h // 4, "relu", "hsig")
            y = gm(y, h, c, None)
            if s2 == 2 or ci != c:
                x = m.conv(m.conv(x, ci, ci, 3, s2, g=ci), ci, c, 1)
            x = m.op("Add", x, y)
            ci = c
    return m, m.head(x, ci)


@family()
def darkmish():
    m = Model()
    x = m.conv("input", 3, 16, 3, act="mish")
    ci = 16
    for c in (32, 64, 128, 256):
        x = m.conv(x, ci, c, 3, 2, act="mish")
        for i in range(2):
            x = m.op("Add", x, m.conv(m.conv(x, c, c // 2, 1, act="leaky"), c // 2, c, 3, act="mish"))
        ci = c
    return m, m.head(x, ci)


@family((1, 100, 80))
def lstm():
    m = Model()
    x = m.op("Reshape", "input", m.const(np.array([100, 1, 80], np.int64)))
    ci = 80
    for l in range(2):
        h = 128
        r = lambda *s: m.const((m.rng.standard_normal(s) * 0.1).astype(np.float32))
        y = m.op("LSTM", x, r(2, 4 * h, ci), r(2, 4 * h, h), r(2, 8 * h), hidden_size=h, direction="bidirectional", n=3)[0]
        x = m.op("Reshape", m.op("Transpose", y, perm=[0, 2, 1, 3]), m.const(np.array([100, 1, 2 * h], np.int64)))
        ci = 2 * h
    return m, m.op("Softmax", m.linear(x, 256, 40), axis=-1)


@family((1, 32, 2000))
def wavenet():
    m = Model()
    x = m.op("Reshape", "input", m.const(np.array([1, 32, 2000], np.int64)))
    skip = None
    c1 = lambda x, ci, co, k, d=1: m.op(
        "Conv", x, m.weight(co, ci, k), m.const(np.zeros(co, np.float32)), kernel_shape=[k], dilations=[d], pads=[d * (k // 2)] * 2
    )
    for d in (1, 2, 4, 8, 16, 32):
        y = c1(x, 32, 64, 3, d)
        a, g = m.op("Split", y, m.const(np.array([32, 32], np.int64)), n=2, axis=1)
        z = m.op("Mul", m.op("Tanh", a), m.op("Sigmoid", g))
        s = c1(z, 32, 32, 1)
        skip = s if skip is None else m.op("Add", skip, s)
        x = m.op("Add", x, c1(z, 32, 32, 1))
    return m, c1(m.op("Relu", skip), 32, 16, 1)


@family((1, 50, 64))
def gru():
    m = Model()
    x = m.op("Reshape", "input", m.const(np.array([50, 1, 64], np.int64)))
    r = lambda *s: m.const((m.rng.standard_normal(s) * 0.1).astype(np.float32))
    y = m.op("GRU", x, r(1, 384, 64), r(1, 384, 128), r(1, 768), hidden_size=128, linear_before_reset=1, n=2)[0]
    x = m.op("Reshape", y, m.const(np.array([50, 128], np.int64)))
    return m, m.linear(x, 128, 12)


@family()
def mobilevit():
    m = Model()
    x = m.conv("input", 3, 16, 3, 2, act="silu")
    x = m.conv(x, 16, 32, 3, 2, act="silu")
    x = m.conv(x, 32, 64, 3, 2, act="silu")
    d = 96
    hw = 28
    n = hw * hw // 4
    i64 = lambda *v: m.const(np.array(v, np.int64))
    y = m.conv(m.conv(x, 64, 64, 3, act="silu"), 64, d, 1)
    y = m.op("Reshape", m.op("Transpose", m.op("Reshape", y, i64(d * 14, 2, 14, 2)), perm=[0, 2, 1, 3]), i64(1, d, n, 4))
    y = m.op("Reshape", m.op("Transpose", y, perm=[0, 3, 2, 1]), i64(4, n, d))
    for l in range(2):
        h = m.layer_norm(y, d)
        q, k, v = [m.op("Transpose", m.op("Reshape", m.linear(h, d, d), i64(4, n, 4, 24)), perm=[0, 2, 1, 3]) for _ in range(3)]
        a = m.op("Softmax", m.op("Mul", m.op("MatMul", q, m.op("Transpose", k, perm=[0, 1, 3, 2])), m.number(24 ** (-0.5))), axis=-1)
        y = m.op("Add", y, m.linear(m.op("Reshape", m.op("Transpose", m.op("MatMul", a, v), perm=[0, 2, 1, 3]), i64(4, n, d)), d, d))
        y = m.op("Add", y, m.linear(m.linear(m.layer_norm(y, d), d, 2 * d, "silu"), 2 * d, d))
    y = m.op(
        "Reshape",
        m.op("Transpose", m.op("Reshape", m.op("Reshape", m.op("Transpose", y, perm=[0, 2, 1]), i64(4, d, n)), i64(1, 4, d, n)), perm=[0, 2, 3, 1]),
        i64(1 * d * 14, 14, 2, 2),
    )
    y = m.op("Reshape", m.op("Transpose", y, perm=[0, 2, 1, 3]), i64(1, d, 28, 28))
    y = m.conv(y, d, 64, 1, act="silu")
    x = m.conv(m.op("Concat", x, y, axis=1), 128, 64, 3, act="silu")
    return m, m.head(x, 64, 10)


@family((1, 3, 128, 128))
def styletransfer():
    m = Model()

    def inn(x, c):
        return m.op("InstanceNormalization", x, m.const(np.ones(c, np.float32)), m.const(np.zeros(c, np.float32)))

    def rp(x, p):
        return m.op("Pad", x, m.const(np.array([0, 0, p, p, 0, 0, p, p], np.int64)), mode="reflect")

    x = m.op("Relu", inn(m.conv(rp("input", 4), 3, 16, 9, p=[0] * 4), 16))
    x = m.op("Relu", inn(m.conv(rp(x, 1), 16, 32, 3, 2, p=[0] * 4), 32))
    x = m.op("Relu", inn(m.conv(rp(x, 1), 32, 64, 3, 2, p=[0] * 4), 64))
    for i in range(3):
        x = m.op("Add", x, inn(m.conv(rp(m.op("Relu", inn(m.conv(rp(x, 1), 64, 64, 3, p=[0] * 4), 64)), 1), 64, 64, 3, p=[0] * 4), 64))
    up = lambda t: m.op(
        "Resize",
        t,
        "",
        m.const(np.array([1, 1, 2, 2], np.float32)),
        mode="nearest",
        nearest_mode="floor",
        coordinate_transformation_mode="asymmetric",
    )
    x = m.op("Relu", inn(m.conv(rp(up(x), 1), 64, 32, 3, p=[0] * 4), 32))
    x = m.op("Relu", inn(m.conv(rp(up(x), 1), 32, 16, 3, p=[0] * 4), 16))
    return m, m.conv(rp(x, 4), 16, 3, 9, p=[0] * 4)


@family()
def asymmetric():
    m = Model()
    x = m.conv("input", 3, 32, 3, 2, act="prelu")
    for i in range(3):
        x = m.op("Concat", m.conv(x, 32, 16, (1, 7), act="elu"), m.conv(x, 32, 16, (7, 1), act="elu"), m.conv(x, 32, 32, (1, 3), act="relu"), axis=1)
        x = m.conv(x, 64, 32, 1, act="relu")
        x = m.op("AveragePool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    return m, m.head(x, 32, 10)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    os.makedirs(sys.argv[1], exist_ok=True)
    for name in sys.argv[2:] or FAMILIES:
        make, shape = FAMILIES[name]
        model, output = make()
        model.save(os.path.join(sys.argv[1], name + ".onnx"), output, shape)
