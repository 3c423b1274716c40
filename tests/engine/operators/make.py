#!/usr/bin/env python3
"""Writes the models that test-operators runs: one node each, with what it is given and what comes out as constants.

Needs onnx and onnxruntime. Operators of com.microsoft are computed by ONNX Runtime, those of ONNX are its own backend tests."""
import os
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper
from onnx.backend.test.case.node import collect_testcases

HERE = os.path.dirname(os.path.abspath(__file__))
MS = "com.microsoft"
random = np.random.default_rng(0)

ONNX = """attention_4d attention_4d_gqa attention_4d_attn_mask_bool attention_4d_attn_mask_3d_causal attention_4d_attn_mask_bool_4d attention_3d_gqa_causal
attention_3d_gqa_attn_mask attention_4d_softcap attention_4d_with_past_and_present_qk_matmul_bias_4d_mask_causal
attention_4d_with_qk_matmul_softmax attention_3d_transpose_verification attention_4d_gqa_with_past_and_present attention_4d_diff_heads_mask4d_padded_kv
attention_4d_gqa_causal_nonpad_decode attention_local_window attention_3d_diff_heads_sizes_causal attention_local_window_with_past attention_local_window_ext_cache_rank3_head_mask
rotary_embedding rotary_embedding_interleaved rotary_embedding_with_rotary_dim rotary_embedding_3d_input rotary_embedding_no_position_ids_interleaved
rms_normalization_3d_axis_negative_1_epsilon rms_normalization_4d_axis1 causal_conv_with_state_silu swiglu_alpha swish layer_normalization_3d_axis1_epsilon
gridsample_bilinear_align_corners_0_additional_1 gridsample_bicubic_align_corners_1_additional_1 gridsample_nearest_align_corners_0_additional_1
gridsample_volumetric_bilinear_align_corners_0 lppool_1d_default
lppool_2d_strides bitshift_right_int8_negative_shift bitshift_right_int32_shift_ge_width bitshift_right_uint64 gridsample_reflection_padding gridsample_border_padding roialign_mode_max roialign_aligned_true""".split()


def save(name, model, given, want):
    graph = model.graph
    for value, array in given.items():
        graph.initializer.append(numpy_helper.from_array(np.require(array, requirements="C"), "given:" + value))
    for value, array in want.items():
        graph.initializer.append(numpy_helper.from_array(np.require(array, requirements="C"), "want:" + value))
    for kept in (model.metadata_props, graph.value_info):
        del kept[:]
    model.producer_name = model.doc_string = graph.doc_string = ""
    with open(os.path.join(HERE, name + ".onnx"), "wb") as file:
        file.write(model.SerializeToString())


def from_onnx():
    np.random.seed(0)
    cases = {case.name: case for case in collect_testcases(None)}
    for name in ONNX:
        case = cases.get("test_" + name)
        if case is None:
            sys.exit(f"this version of onnx has no test {name}")
        inputs, outputs = case.data_sets[0]
        graph = case.model.graph
        save(name, case.model, {v.name: a for v, a in zip(graph.input, inputs)}, {v.name: a for v, a in zip(graph.output, outputs)})


def computed(name, op, operands, outputs=1, constants=(), domain="", version=17, **attrs):
    """outputs: how many, or which of them (1 and 0); constants: which operands are; version: of ONNX's operators."""
    wanted = [1] * outputs if isinstance(outputs, int) else outputs
    names = ["" if a is None else f"x{i}" for i, a in enumerate(operands)]
    results = [f"y{i}" if wanted[i] else "" for i in range(len(wanted))]
    node = helper.make_node(op, names, results, domain=domain, name="node")
    for key, value in attrs.items():
        node.attribute.append(helper.make_attribute(key, value))
    inputs, constant, given = [], [], {}
    for i, array in enumerate(operands):
        if array is None:
            continue
        if isinstance(array, onnx.TensorProto):
            array.name = names[i]
            constant.append(array)
        elif i in constants:
            constant.append(numpy_helper.from_array(array, names[i]))
        else:
            inputs.append(helper.make_tensor_value_info(names[i], helper.np_dtype_to_tensor_dtype(array.dtype), array.shape))
            given[names[i]] = array
    model(name, [node], inputs, [r for r in results if r], constant, given, domain, version)


def model(name, nodes, inputs, results, constants, given, domain="", version=17):
    graph = helper.make_graph(nodes, "graph", inputs, [helper.make_empty_tensor_value_info(r) for r in results], constants)
    opsets = [helper.make_opsetid("", version)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    made = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    session = onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    want = dict(zip([o.name for o in session.get_outputs()], session.run(None, given)))
    for output in graph.output:
        array = want[output.name]
        output.CopyFrom(helper.make_tensor_value_info(output.name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape))
    save(name, helper.make_model(graph, opset_imports=opsets, ir_version=10), given, want)


def sequences():
    """Lists as exporters write them: parts of a tensor, and a list that grows."""
    x = f(5, 4)
    inputs = [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, x.shape)]
    numbers = {"two": np.array(2), "sizes": np.array([1, 3]), "last": np.array(-1), "first": np.array(0)}
    constants = [numpy_helper.from_array(a, n) for n, a in numbers.items()]
    node = helper.make_node
    parts = [node("SplitToSequence", ["x", "two"], ["pairs"]), node("SequenceAt", ["pairs", "last"], ["rest"]),
             node("SplitToSequence", ["x", "sizes"], ["columns"], axis=-1), node("ConcatFromSequence", ["columns"], ["again"], axis=1),
             node("SplitToSequence", ["x"], ["rows"], keepdims=0), node("ConcatFromSequence", ["rows"], ["stacked"], axis=1, new_axis=1),
             node("SequenceLength", ["rows"], ["count"])]
    model("sequence_parts", parts, inputs, ["rest", "again", "stacked", "count"], constants, {"x": x})
    grown = [node("Exp", ["x"], ["e"]), node("SequenceEmpty", [], ["none"]), node("SequenceInsert", ["none", "x"], ["one"]),
             node("SequenceInsert", ["one", "e", "first"], ["both"]), node("ConcatFromSequence", ["both"], ["y"], axis=0),
             node("SequenceErase", ["both", "last"], ["left"]), node("SequenceConstruct", ["e", "x"], ["made"]),
             node("SequenceAt", ["left", "first"], ["z"]), node("SequenceAt", ["made", "last"], ["u"])]
    model("sequence_grown", grown, inputs, ["y", "z", "u"], constants, {"x": x})


def lists_of_runs():
    """Lists whose members only the run knows: a loop appends to one, and one is cut as an input says and read by a loop."""
    node, tensor = helper.make_node, helper.make_tensor_value_info
    x, count = f(5, 4), np.array([2, 0, 1, 3, 1])
    flags = [tensor("turn", onnx.TensorProto.INT64, []), tensor("go", onnx.TensorProto.BOOL, [])]
    listed = lambda name: helper.make_tensor_sequence_value_info(name, onnx.TensorProto.FLOAT, None)
    body = helper.make_graph([node("Identity", ["go"], ["on"]), node("SequenceAt", ["rows", "turn"], ["row"]), node("Gather", ["count", "turn"], ["times"]),
                              node("Unsqueeze", ["times", "zero"], ["repeats"]), node("Concat", ["repeats", "one"], ["shape"], axis=0),
                              node("Unsqueeze", ["row", "zero"], ["line"]), node("Tile", ["line", "shape"], ["lines"]),
                              node("SequenceInsert", ["list", "lines"], ["longer"]), node("ReduceSum", ["row"], ["sum"], keepdims=0)],
                             "body", flags + [listed("list")], [tensor("on", onnx.TensorProto.BOOL, []), listed("longer"), tensor("sum", onnx.TensorProto.FLOAT, [])])
    nodes = [node("SplitToSequence", ["x"], ["rows"], keepdims=0), node("SequenceEmpty", [], ["none"]), node("Shape", ["count"], ["all"]),
             node("SequenceLength", ["rows"], ["turns"]), node("Loop", ["turns", "", "none"], ["repeated", "sums"], body=body),
             node("ConcatFromSequence", ["repeated"], ["y"], axis=0), node("SequenceLength", ["repeated"], ["n"]),
             node("SequenceErase", ["repeated", "zero0"], ["rest"]), node("SequenceAt", ["rest", "minus"], ["last"]),
             node("SplitToSequence", ["y", "count"], ["parts"]), node("SequenceAt", ["parts", "turn3"], ["part"]),
             node("SequenceConstruct", ["last", "last"], ["twice"]), node("SequenceInsert", ["twice", "part3", "zero0"], ["thrice"]),
             node("ConcatFromSequence", ["thrice"], ["stacked"], axis=-1, new_axis=1)]
    nodes.insert(12, node("Slice", ["part", "zero", "one"], ["part3"]))
    numbers = {"zero": np.array([0]), "one": np.array([1]), "zero0": np.array(0), "minus": np.array(-1), "turn3": np.array(3)}
    constants = [numpy_helper.from_array(a, n) for n, a in numbers.items()]
    inputs = [tensor("x", onnx.TensorProto.FLOAT, x.shape), tensor("count", onnx.TensorProto.INT64, count.shape)]
    model("sequence_of_runs", nodes, inputs, ["y", "sums", "n", "last", "part", "stacked"], constants, {"x": x, "count": count})


def long_tables():
    """What is a function of one code through chains of roundings, longer and longer ones, each joined with where it began."""
    codes = np.arange(256).astype(np.float32)
    numbers = {"scale": one(1 / 128), "zero": one(128, np.uint8)}
    constants = [numpy_helper.from_array(a, n) for n, a in numbers.items()]
    node, nodes = helper.make_node, []

    def round_to(x):
        nodes.extend([node("QuantizeLinear", [x, "scale", "zero"], [x + "q"]), node("DequantizeLinear", [x + "q", "scale", "zero"], [x + "r"])])
        return x + "r"

    begin, results = round_to("x"), []
    for n in (4, 7, 8, 9, 15, 16, 17):
        x = begin
        for i in range(n):
            nodes.append(node("Erf" if i % 2 else "Tanh", [x], [f"t{n}_{i}"]))
            x = round_to(f"t{n}_{i}")
        nodes.append(node("Mul", [begin, x], [f"m{n}"]))
        results.append(round_to(f"m{n}"))
    model("long_tables", nodes, [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, (2, 128))], results, constants, {"x": ((codes - 128) / 128).reshape(2, 128)})


def batch_statistics():
    """Normalized by what a batch is, and a weight by its own."""
    parameters = [f(3), f(3), f(3), abs(f(3))]
    computed("batch_norm_training", "BatchNormalization", [f(2, 3, 4, 5), *parameters], 3, version=15, training_mode=1, momentum=0.8, epsilon=1e-3)
    computed("batch_norm_training_constant", "BatchNormalization", [f(4, 3), *parameters], 3, (0, 1, 2, 3), version=15, training_mode=1)


def random_numbers():
    """What is drawn differs from runtime to runtime, what it is drawn from does not: means, deviations and bounds, rounded."""
    node, x = helper.make_node, np.zeros((100, 200), np.float32)
    nodes = [node("RandomNormalLike", ["x"], ["a"], mean=3.0, scale=2.0), node("RandomNormal", [], ["b"], shape=[20000], seed=7.0),
             node("RandomUniformLike", ["x"], ["c"], low=-1.0, high=3.0, dtype=onnx.TensorProto.DOUBLE), node("RandomUniform", [], ["d"], shape=[20000], high=2.0)]
    results = []
    for name in "abcd":
        nodes.append(node("Cast", [name], [name + "0"], to=onnx.TensorProto.FLOAT))
        nodes += [node("ReduceMean", [name + "0"], [name + "mean"], keepdims=0), node("Sub", [name + "0", name + "mean"], [name + "1"]),
                  node("Mul", [name + "1", name + "1"], [name + "2"]), node("ReduceMean", [name + "2"], [name + "var"], keepdims=0)]
        for part in ("mean", "var"):
            nodes += [node("Mul", [name + part, "three"], [name + part + "3"]), node("Round", [name + part + "3"], [name + part + "4"])]
            results.append(name + part + "4")
    nodes += [node("RandomNormal", [], ["again"], shape=[20000], seed=7.0), node("Sub", ["b", "again"], ["b-"]), node("ReduceSumSquare", ["b-"], ["same"], keepdims=0)]
    nodes += [node("Less", ["d", "nought"], ["low"]), node("Cast", ["low"], ["low1"], to=1), node("ReduceMax", ["low1"], ["below"], keepdims=0)]
    constants = [numpy_helper.from_array(np.array(v, np.float32), n) for n, v in {"three": 3, "nought": 0}.items()]
    model("random_numbers", nodes, [helper.make_tensor_value_info("x", 1, x.shape)], results + ["below", "same"], constants, {"x": x})


def ms(name, op, operands, outputs=1, constants=(), domain=MS, **attrs):
    computed("ms_" + name, op, operands, outputs, constants, domain, **attrs)


def f(*shape):
    return random.standard_normal(shape).astype(np.float32)


def u8(*shape):
    return random.integers(0, 255, shape).astype(np.uint8)


def i8(*shape):
    return random.integers(-127, 127, shape).astype(np.int8)


def one(value, dtype=np.float32):
    return np.array(value, dtype)


def from_runtime():
    b, s, h, d = 2, 5, 2, 4
    c = h * d
    i32 = np.int32
    words = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 0]], i32)
    for act, params in (("Relu", []), ("LeakyRelu", [0.2]), ("Clip", [0.1, 2.0]), ("HardSigmoid", [0.3, 0.4])):
        ms("fused_conv_" + act.lower(), "FusedConv", [f(1, 2, 5, 5), f(3, 2, 3, 3), f(3)], constants=(1, 2), activation=act, pads=[1, 1, 1, 1],
           **({"activation_params": params} if params else {}))
    ms("fused_conv_sum", "FusedConv", [f(1, 2, 5, 5), f(3, 2, 3, 3), f(3), f(1, 3, 5, 5)], constants=(1, 2), activation="Relu", pads=[1, 1, 1, 1])
    ms("fused_gemm", "FusedGemm", [f(4, 8), f(6, 8), f(6)], constants=(1, 2), activation="LeakyRelu", activation_alpha=0.3, transB=1)
    ms("fused_matmul", "FusedMatMul", [f(2, 3, 4, 5), f(2, 3, 6, 5)], transB=1, alpha=0.125)
    ms("fused_matmul_batch", "FusedMatMul", [f(4, 2, 5), f(2, 5, 3)], transBatchA=1)
    ms("gelu", "Gelu", [f(2, 8)])
    ms("fast_gelu", "FastGelu", [f(2, 8), f(8)], constants=(1,))
    ms("bias_gelu", "BiasGelu", [f(2, 8), f(8)], constants=(1,))
    ms("quick_gelu", "QuickGelu", [f(2, 8)])
    ms("skip_layer_norm", "SkipLayerNormalization", [f(2, 3, 8), f(2, 3, 8), f(8), f(8), f(8)], [1, 0, 0, 1], (2, 3, 4))
    ms("skip_rms_norm", "SkipSimplifiedLayerNormalization", [f(2, 3, 8), f(2, 3, 8), f(8)], [1, 0, 0, 1], (2,), epsilon=1e-5)
    ms("simplified_layer_norm", "SimplifiedLayerNormalization", [f(2, 3, 8), f(8)], constants=(1,), domain="", epsilon=1e-5)
    ids = random.integers(0, 9, (b, s)).astype(i32)
    ms("embed_layer_norm", "EmbedLayerNormalization", [ids, ids % 2, f(9, 8), f(6, 8), f(2, 8), f(8), f(8), words], 3, (2, 3, 4, 5, 6))
    weights = [f(c, 3 * c), f(3 * c)]
    ms("attention", "Attention", [f(b, s, c), *weights, words], constants=(1, 2), num_heads=h)
    ms("attention_lengths", "Attention", [f(b, s, c), *weights, np.array([3, 5], i32)], constants=(1, 2), num_heads=h)
    ms("attention_past", "Attention", [f(b, 1, c), *weights, None, f(2, b, h, 4, d)], 2, (1, 2), num_heads=h, unidirectional=1)
    ms("attention_bias", "Attention", [f(b, s, c), *weights, None, None, f(b, h, s, s)], constants=(1, 2), num_heads=h, unidirectional=1)
    ms("multi_head", "MultiHeadAttention", [f(b, 3, c), f(b, s, c), f(b, s, c), f(3 * c), words], constants=(3,), num_heads=h)
    ms("multi_head_past", "MultiHeadAttention", [f(b, 1, c), f(b, 1, c), f(b, 1, c), None, None, None, f(b, h, 4, d), f(b, h, 4, d)], 3, num_heads=h)
    ms("multi_head_cross", "MultiHeadAttention", [f(b, 3, c), f(b, h, s, d), f(b, h, s, d), None, None, f(1, h, 3, s)], num_heads=h)
    ms("q_attention", "QAttention", [u8(b, s, c), i8(c, 3 * c), f(3 * c), one(0.01), one(0.005), None, one(120, np.uint8), one(0, np.int8)],
       constants=(1, 2, 3, 4, 6, 7), num_heads=h)
    rows = np.arange(s)[None].repeat(b, 0)
    ms("rotary", "RotaryEmbedding", [f(b, s, c), rows, f(9, d // 2), f(9, d // 2)], constants=(2, 3))
    ms("rotary_from", "RotaryEmbedding", [f(b, h, s, d), np.array([3]), f(9, d // 2), f(9, d // 2)], constants=(2, 3), interleaved=1)
    ms("matmul_4_bits", "MatMulNBits", [f(5, 80), u8(6, 3, 16), f(18), u8(12)], constants=(1, 2, 3), K=80, N=6, bits=4, block_size=32)
    ms("matmul_8_bits", "MatMulNBits", [f(5, 64), u8(6, 2, 32), f(12)], constants=(1, 2), K=64, N=6, bits=8, block_size=32)
    ms("matmul_integer_to_float", "MatMulIntegerToFloat",
       [u8(4, 8), i8(8, 6), one([0.1]), one([0.02]), one([7], np.uint8), one([1], np.int8), f(6)], constants=(1, 2, 3, 4, 5, 6))
    scale, zero = [one(0.05)], [one(128, np.uint8)]
    ms("q_softmax", "QLinearSoftmax", [u8(4, 10), *scale, *zero, one(1 / 256), one(0, np.uint8)], constants=(1, 2, 3, 4), axis=-1, opset=13)
    ms("q_where", "QLinearWhere", [random.integers(0, 2, (4, 5)).astype(bool), u8(4, 5), *scale, *zero, u8(4, 5), *scale, *zero, *scale, *zero],
       constants=(2, 3, 5, 6, 7, 8))
    ms("dequantize", "DequantizeLinear", [u8(4, 5), *scale, *zero], constants=(1, 2))
    lstm = [i8(2, 5, 24), i8(2, 6, 24), f(2, 48), None, None, None, None]
    by_direction = [np.array([0.01, 0.02], np.float32), np.zeros(2, np.int8), np.array([0.015, 0.005], np.float32), np.zeros(2, np.int8)]
    by_column = [f(2, 24) ** 2 / 100, np.zeros((2, 24), np.int8)] * 2
    ms("dynamic_lstm", "DynamicQuantizeLSTM", [f(1, 3, 5), *lstm, *by_direction], 3, (1, 2, 3, 8, 9, 10, 11), hidden_size=6, direction="bidirectional")
    ms("dynamic_lstm_columns", "DynamicQuantizeLSTM", [f(1, 1, 5), *lstm, *by_column], 3, (1, 2, 3, 8, 9, 10, 11), hidden_size=6, direction="bidirectional")
    axis = np.array(1)
    computed("dft_complex", "DFT", [f(2, 10, 6, 2), None, axis], constants=(2,), version=20)
    computed("dft_longer_onesided", "DFT", [f(1, 10, 6, 1), np.array(16), np.array(-3)], constants=(1, 2), version=20, onesided=1)
    computed("dft_inverse", "DFT", [f(1, 10, 6, 2), None, axis], constants=(2,), version=20, inverse=1)
    computed("dft_inverse_onesided", "DFT", [f(1, 6, 7, 2), np.array(10), axis], constants=(1, 2), version=20, inverse=1, onesided=1)
    # as ONNX Runtime saves integer networks: channels last
    pool = [one(0.1), one(100, np.uint8), one(0.0713), one(3, np.uint8)] # no mean lies between two codes
    ms("q_conv_last", "QLinearConv",
       [u8(1, 5, 7, 8), one(0.05), one(120, np.uint8), i8(6, 8, 3, 3), f(6) ** 2 / 100, np.zeros(6, np.int8), one(0.5), one(99, np.uint8),
        random.integers(-900, 900, 6).astype(i32)], constants=range(1, 9), channels_last=1, pads=[1, 0, 1, 2], strides=[2, 1])
    ms("nhwc_max_pool", "NhwcMaxPool", [u8(2, 5, 7, 3)], kernel_shape=[3, 2], pads=[1, 1, 1, 0], strides=[2, 1])
    ms("q_average_pool_last", "QLinearAveragePool", [u8(2, 5, 7, 3), *pool], constants=range(1, 5), channels_last=1, kernel_shape=[3, 2], pads=[1, 0, 1, 1],
       strides=[2, 1])
    ms("q_global_average_pool_last", "QLinearGlobalAveragePool", [u8(2, 5, 7, 3), *pool], constants=range(1, 5), channels_last=1)

    for op in ("L1", "L2", "LogSum", "LogSumExp", "SumSquare"): # of no axes: each element on its own
        computed(f"reduce_none_{op.lower()}", f"Reduce{op}", [f(2, 3) ** 2 if op == "LogSum" else f(2, 3)], version=18, noop_with_empty_axes=1)
    # what ONNX Runtime makes of things that ONNX says little about
    for name, scale in (("down", [1, 1, 0.6, 0.45]), ("both", [1, 1, 2.3, 0.6])):
        computed(f"resize_10_nearest_{name}", "Resize", [f(1, 2, 7, 8), np.array(scale, np.float32)], constants=(1,), version=10, mode="nearest")
    computed("conv_transpose_output_shape", "ConvTranspose", [f(1, 2, 3, 4), f(2, 3, 3, 3)], constants=(1,), strides=[2, 1], output_shape=[6, 5])
    gates = [f(1, 18, 5), f(1, 18, 6)]
    computed("gru_activations", "GRU", [f(3, 2, 5), *gates], 2, (1, 2), activations=["Sigmoid", "HardSigmoid"], activation_alpha=[0.3],
             activation_beta=[0.7], hidden_size=6)
    computed("rnn_elu", "RNN", [f(3, 2, 5), f(1, 6, 5), f(1, 6, 6)], 2, (1, 2), activations=["Elu"], hidden_size=6)
    ms("q_gemm_alpha", "QGemm", [u8(4, 8), one(0.05), one(120, np.uint8), i8(8, 6), f(6) ** 2 / 100, np.zeros(6, np.int8),
                                 random.integers(-900, 900, 6).astype(i32)], constants=range(1, 7), alpha=0.5)
    # equations as people write them, and types that only some layers have
    computed("einsum_implicit", "Einsum", [f(3, 4), f(5, 3)], equation="ba,cb")
    computed("einsum_dots", "Einsum", [f(2, 3, 4, 5), f(2, 1, 5, 6)], equation="...ij,...jk->...ik")
    computed("einsum_dots_implicit", "Einsum", [f(3, 1, 4), f(4, 2)], equation="b...a,a...")
    computed("einsum_double", "Einsum", [f(3, 4).astype(np.float64), f(4, 5).astype(np.float64)], equation="ij,jk->ki")
    double = [f(2, 3, 4).astype(np.float64), f(4, 5).astype(np.float64), f(4).astype(np.float64)]
    computed("matmul_double", "MatMul", double[:2], constants=(1,))
    computed("matmul_int64", "MatMul", [random.integers(-2**40, 2**40, (2, 3, 4)), random.integers(-9, 9, (4, 5))])
    computed("softmax_double", "Softmax", double[:1])
    computed("layer_norm_double", "LayerNormalization", [double[0], double[2]], constants=(1,))
    computed("is_inf_double", "IsInf", [np.array([1e300, -np.inf, np.nan, np.inf])], detect_negative=0)
    computed("global_lp_pool", "GlobalLpPool", [f(2, 3, 4, 5)], p=3)
    for policy in ("not_larger", "not_smaller"):
        computed(f"resize_{policy}", "Resize", [f(1, 2, 5, 7), None, None, np.array([9, 8])], constants=(3,), version=18, mode="linear", axes=[2, 3],
                 keep_aspect_ratio_policy=policy)
    grid = random.uniform(-1.6, 1.6, (1, 3, 4, 2)).astype(np.float32)
    computed("gridsample_bicubic_border", "GridSample", [f(1, 2, 4, 5), grid], version=16, mode="bicubic", padding_mode="border")
    computed("prelu_int32", "PRelu", [random.integers(-9, 9, (3, 4)).astype(i32), random.integers(-9, 9, 4).astype(i32)])
    computed("softmax_11_empty", "Softmax", [f(0, 3, 7)], version=11, axis=1)
    for same in ("upper", "lower"):
        computed(f"conv_transpose_same_{same}_wide", "ConvTranspose", [f(1, 2, 5, 4), f(2, 3, 2, 3)], constants=(1,), strides=[3, 2],
                 auto_pad=f"SAME_{same.upper()}")
    # operands that mostly are constants, as the model computes them
    computed("clip_computed", "Clip", [f(3, 4), one(-0.5), one(0.7)])
    computed("clip_computed_upper", "Clip", [random.integers(-9, 9, (3, 4)), None, one(3, np.int64)])
    computed("reverse_sequence_computed", "ReverseSequence", [f(2, 5, 3), np.array([2, 5])], version=10, time_axis=1, batch_axis=0)
    computed("group_norm_18_computed", "GroupNormalization", [f(2, 6, 3, 4), f(3), f(3)], version=18, num_groups=3)
    # sequences of different lengths, one of none
    lengths = np.array([4, 0, 2, 5], i32)
    for op, gates, direction in (("LSTM", 4, "bidirectional"), ("GRU", 3, "reverse"), ("RNN", 1, "forward")):
        d = 2 if direction == "bidirectional" else 1
        states = [f(d, 4, 6), f(d, 4, 6), f(d, 18)] if op == "LSTM" else [f(d, 4, 6)]
        computed(f"{op.lower()}_lengths", op, [f(5, 4, 3), f(d, gates * 6, 3), f(d, gates * 6, 6), f(d, 2 * gates * 6), lengths, *states],
                 3 if op == "LSTM" else 2, (1, 2, 3), version=14, hidden_size=6, direction=direction)
    # windows in padding alone, and where the greatest stand
    computed("max_pool_padding_alone", "MaxPool", [f(1, 2, 2, 5)], version=12, kernel_shape=[2, 2], dilations=[3, 1], pads=[1, 0, 1, 0])
    computed("max_pool_places", "MaxPool", [np.round(f(2, 3, 7, 8))], 2, version=12, kernel_shape=[3, 2], strides=[2, 3], pads=[1, 0, 0, 1], ceil_mode=1)
    computed("max_pool_places_by_column", "MaxPool", [f(2, 3, 7, 8)], 2, version=12, kernel_shape=[2, 2], strides=[2, 2], storage_order=1)
    computed("max_unpool", "MaxUnpool", [f(1, 2, 2, 3), random.permutation(48)[:12].reshape(1, 2, 2, 3)], version=11, kernel_shape=[2, 2], strides=[2, 2])
    for mode, more in (("linear", {}), ("cubic", {"exclude_outside": 1, "cubic_coeff_a": -0.5})):
        computed(f"resize_antialias_{mode}", "Resize", [f(1, 2, 9, 11), None, None, np.array([1, 2, 4, 14])], constants=(3,), version=18, mode=mode,
                 antialias=1, **more)
    # images
    computed("col2im", "Col2Im", [f(2, 18, 12), np.array([6, 7]), np.array([3, 2])], constants=(1, 2), version=18, strides=[2, 2], pads=[1, 1, 1, 0])
    computed("center_crop_pad", "CenterCropPad", [f(2, 5, 4, 3), np.array([3, 7])], constants=(1,), version=18, axes=[1, -2])
    computed("affine_grid", "AffineGrid", [f(2, 2, 3), np.array([2, 3, 4, 1])], constants=(1,), version=20, align_corners=1)
    computed("affine_grid_volume", "AffineGrid", [f(1, 3, 4), np.array([1, 2, 3, 2, 4])], constants=(1,), version=20)
    computed("deform_conv", "DeformConv", [f(2, 4, 5, 6), f(6, 2, 3, 2), f(2, 24, 3, 5), f(6), f(2, 12, 3, 5)], constants=(1, 3), version=19,
             group=2, offset_group=2, strides=[2, 1], pads=[1, 0, 1, 0])
    # queries whose groups share keys and values
    tables = [f(9, 8), f(9, 8)]
    ms("group_query", "GroupQueryAttention", [f(2, 5, 64), f(2, 5, 32), f(2, 5, 32), None, None, np.array([4, 4], i32), one(5, i32), *tables], 3, (6, 7, 8),
       num_heads=4, kv_num_heads=2, do_rotary=1, local_window_size=3)
    ms("group_query_packed", "GroupQueryAttention", [f(1, 1, 128), None, None, f(1, 2, 3, 16), f(1, 2, 3, 16), np.array([3], i32), one(4, i32), *tables], 3,
       (6, 7, 8), num_heads=4, kv_num_heads=2, do_rotary=1, rotary_interleaved=1, softcap=2.0)
    ms("group_query_ragged", "GroupQueryAttention", [f(2, 1, 64), f(2, 1, 32), f(2, 1, 32), f(2, 2, 4, 16), f(2, 2, 4, 16), np.array([4, 2], i32), one(5, i32),
                                                     *tables], 3, (6, 7, 8), num_heads=4, kv_num_heads=2, do_rotary=1)
    computed("lp_pool_ceil", "LpPool", [f(1, 2, 7, 8)], version=18, kernel_shape=[3, 2], strides=[2, 3], pads=[1, 0, 1, 1], ceil_mode=1, p=3)
    computed("einsum_int64", "Einsum", [random.integers(-2**40, 2**40, (2, 3, 4)), random.integers(-9, 9, (4, 2)), random.integers(-9, 9, 5)],
             version=12, equation="bij,jb,k->kib")
    computed("resize_linear_codes", "Resize", [i8(1, 2, 5, 7), None, np.array([1, 1, 2, 1.5], np.float32)], constants=(2,), version=13, mode="linear")


def one_more():
    """1 added to codes of what Erf gives: each sum lies between two codes."""
    codes = np.arange(256).astype(np.float32)
    step = np.float32(1 / 255)
    numbers = {"scale": 2 * step, "zero": one(127, np.uint8), "half": step, "none": one(0, np.uint8), "b": one(255, np.uint8)}
    constants = [numpy_helper.from_array(np.asarray(a), n) for n, a in numbers.items()]
    inputs = [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, (2, 128))]
    nodes = [helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["q"]),
             helper.make_node("QLinearAdd", ["q", "scale", "zero", "b", "half", "none", "scale", "none"], ["sum"], domain=MS),
             helper.make_node("DequantizeLinear", ["sum", "scale", "none"], ["y"])]
    model("ms_q_add_number", nodes, inputs, ["y"], constants, {"x": ((codes - 127) * numbers["scale"]).reshape(2, 128)}, MS)


def mask_of_codes():
    """What hides words, as a code: times its scale it is beyond any float."""
    numbers = {"scale": one(1 / 255), "zero": one(-128, np.int8), "b": one(-127, np.int8), "large": one(2.6793887e36), "none": one(0, np.int8),
               "half": one(1.3344406e36), "last": one(127, np.int8)}
    constants = [numpy_helper.from_array(a, n) for n, a in numbers.items()]
    x = np.array([[0, 0, 1, 0], [1, 0.5, 0, 1]], np.float32)
    nodes = [helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["q"]),
             helper.make_node("QLinearMul", ["q", "scale", "zero", "b", "large", "none", "half", "last"], ["mask"], domain=MS),
             helper.make_node("DequantizeLinear", ["mask", "half", "last"], ["y"])]
    model("ms_q_mul_mask", nodes, [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, x.shape)], ["y"], constants, {"x": x}, MS)


def steps_on_codes():
    """LSTM whose states are laid on codes step by step; with a batch of one, for that of several ONNX Runtime lays as its threads share it."""
    def lstm(name, weights, scale, zero):
        ms(name, "DynamicQuantizeLSTM", [f(9, 1, 20), weights(2, 20, 280), weights(2, 70, 280), f(2, 560), None, f(2, 1, 70), f(2, 1, 70), None] + [scale, zero] * 2,
           3, (1, 2, 3, 8, 9, 10, 11), hidden_size=70, direction="bidirectional")
    lstm("dynamic_lstm_steps", i8, f(2, 280) ** 2 / 500, np.zeros((2, 280), np.int8))
    lstm("dynamic_lstm_zeros", u8, np.array([0.002, 0.001], np.float32), np.array([100, 140], np.uint8))


def from_scikit_learn():
    """What skl2onnx puts around a network."""
    ml = "ai.onnx.ml"
    rows = f(3, 5)
    computed("ml_scaler", "Scaler", [rows], domain=ml, offset=[0.5, -1.0, 0.0, 2.0, 1.0], scale=[1.0, 2.0, 0.25, -1.0, 3.0])
    computed("ml_scaler_ints", "Scaler", [random.integers(-9, 9, (3, 5))], domain=ml, offset=[0.5], scale=[0.3])
    missing = rows.copy()
    missing[0, 1] = missing[2, 4] = np.nan
    computed("ml_imputer", "Imputer", [missing], domain=ml, imputed_value_floats=[0.5, -1.0, 0.0, 2.0, 1.0], replaced_value_float=float("nan"))
    computed("ml_imputer_number", "Imputer", [np.round(rows)], domain=ml, imputed_value_floats=[7.5], replaced_value_float=1.0)
    zeros = np.concatenate([rows, np.zeros((1, 5), np.float32)])
    for norm in ("MAX", "L1", "L2"):
        computed(f"ml_normalizer_{norm.lower()}", "Normalizer", [zeros if norm != "MAX" else np.abs(zeros)], domain=ml, norm=norm)
    computed("ml_binarizer", "Binarizer", [rows], domain=ml, threshold=0.1)
    computed("ml_extractor", "ArrayFeatureExtractor", [rows, np.array([[4, 0]])], domain=ml)
    computed("ml_extractor_list", "ArrayFeatureExtractor", [f(7), np.array([2, 3, 3])], constants=(0,), domain=ml)
    computed("ml_linear_regressor", "LinearRegressor", [rows], domain=ml, coefficients=list(map(float, f(10))), intercepts=[0.5, -1.0], targets=2)


def from_tensorflow():
    """What tf2onnx writes and other exporters do not."""
    for nearest in ("floor", "ceil"):
        computed(f"resize_tf_half_pixel_{nearest}", "Resize", [f(1, 2, 7, 5), f(0), f(0), np.array([1, 2, 4, 8])], constants=(1, 2, 3), version=11, mode="nearest",
                 coordinate_transformation_mode="tf_half_pixel_for_nn", nearest_mode=nearest)
    computed("resize_scales_of_sizes", "Resize", [f(1, 2, 12, 14), None, np.array([1, 1, 5 / 12, 29 / 14], np.float32)], constants=(2,), version=13,
             mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    # means between two codes: of one grid for both, as TFLite has it
    step = one(0.00924675)
    for name, codes, zero in (("signed", i8(1, 16, 12, 10), np.int8(-77)), ("unsigned", u8(1, 16, 12, 10), np.uint8(51))):
        x = (codes.astype(np.float32) - np.float32(zero)) * step
        constants = [numpy_helper.from_array(step, "step"), numpy_helper.from_array(np.array(zero), "zero")]
        inputs = [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, x.shape)]
        for shape, attrs in (("", {"strides": [2, 2]}), ("_padded", {"pads": [1, 1, 0, 0]}), ("_whole", {"kernel_shape": [12, 10]})):
            nodes = [helper.make_node("QuantizeLinear", ["x", "step", "zero"], ["q"]),
                     helper.make_node("QLinearAveragePool", ["q", "step", "zero", "step", "zero"], ["p"], domain=MS, **({"kernel_shape": [2, 2]} | attrs)),
                     helper.make_node("DequantizeLinear", ["p", "step", "zero"], ["y"])]
            model(f"ms_q_average_pool_ties_{name}{shape}", nodes, inputs, ["y"], constants, {"x": x}, MS)
    # means and deviations of a preprocessing, of channels that come last
    pixels = f(2, 31, 29, 3)
    for op in ("Sub", "Div"):
        computed(f"{op.lower()}_channels_last", op, [pixels, f(3)], constants=(1,))
        computed(f"{op.lower()}_of_channels_last", op, [f(1, 1, 1, 3), pixels], constants=(0,))


def four(values, unsigned=True):
    """Codes of 4 bits as a constant."""
    values = np.asarray(values)
    return helper.make_tensor("", onnx.TensorProto.UINT4 if unsigned else onnx.TensorProto.INT4, values.shape, values.ravel().tolist())


def language_models():
    """What exporters of language models write: attention over pasts of every kind, weights of a few bits, experts."""
    i32 = np.int32
    tables = [f(33, 8), f(33, 8)]

    def grouped(name, rows, held, total, operands=(), batch=1, lengths=None, constant=True, **attrs):
        """held: positions of the past as an operand, of which total - rows are taken"""
        past = [f(batch, 2, held, 16), f(batch, 2, held, 16)] if held is not None else [None, None]
        seen = np.array(lengths if lengths else [total] * batch, i32) - 1
        ms(name, "GroupQueryAttention", [f(batch, rows, 64), f(batch, rows, 32), f(batch, rows, 32), *past, seen, one(total, i32), *tables, *operands], 3,
           (6, 7, 8) if constant else (7, 8), num_heads=4, kv_num_heads=2, do_rotary=1, **attrs)

    grouped("group_query_buffer", 1, 10, 7)
    grouped("group_query_buffer_ragged", 1, 10, 7, batch=2, lengths=[7, 4])
    grouped("group_query_prompt_in_buffer", 5, 8, 5, batch=2)
    grouped("group_query_total", 1, 6, 7, constant=False)
    grouped("group_query_window_cache", 3, 6, 12, local_window_size=4, sliding_window_cache=1)
    grouped("group_query_window_prompt", 9, 5, 9, local_window_size=4, sliding_window_cache=1, softcap=3.0)
    grouped("group_query_window_bias", 1, 6, 14, [None, f(1, 4, 1, 14)], local_window_size=5, sliding_window_cache=1)
    grouped("group_query_sink", 5, 0, 5, [None, None, f(4)], local_window_size=3)
    grouped("group_query_sink_ragged", 1, 8, 6, [None, None, f(4)], batch=2, lengths=[6, 3], local_window_size=4)
    grouped("group_query_smooth", 2, 3, 5, [None, f(1, 4, 2, 5)], smooth_softmax=1)
    grouped("group_query_both_ways", 4, None, 4, causal=0)
    bits = lambda name, *operands, n=6, **attrs: ms(name, "MatMulNBits", [f(5, 80), *operands], constants=range(1, 6), K=80, N=n, **attrs)
    bits("matmul_2_bits", u8(6, 3, 8), f(6, 3), u8(6, 1), None, f(6), bits=2, block_size=32)
    bits("matmul_4_bits_groups", u8(6, 5, 8), f(30), None, (random.permutation(80) // 16).astype(i32), bits=4, block_size=16)
    bits("matmul_8_bits_real_zeros", u8(6, 2, 64), f(6, 2), u8(6, 2), bits=8, block_size=64)
    for kind in (0, 1):
        ms(f"matmul_bnb_{kind}", "MatMulBnb4", [f(3, 40), u8(100), f(7) ** 2], constants=(1, 2), K=40, N=5, block_size=32, quant_type=kind)
    ids = random.integers(0, 9, (2, 3))
    rows = lambda name, data, *rest, **attrs: ms("gather_" + name, "GatherBlockQuantized", [data, ids, *rest], constants=(0, 2, 3), block_size=16, **attrs)
    rows("packed", u8(9, 32), f(9, 4), u8(9, 2), gather_axis=0, quantize_axis=1)
    rows("2_bits", u8(9, 16), f(9, 4), gather_axis=0, quantize_axis=1, bits=2)
    rows("8_bits", u8(9, 32), f(9, 2), u8(9, 2), gather_axis=0, quantize_axis=1, bits=8)
    rows("uint4", four(random.integers(0, 16, (9, 32))), f(9, 2), four(random.integers(0, 16, (9, 2))), gather_axis=0, quantize_axis=1)
    rows("int4_columns", four(random.integers(-8, 8, (32, 9)), False), f(2, 9), gather_axis=1, quantize_axis=0)
    rows("int4_part", four(random.integers(-8, 8, (9, 40)), False), f(9, 3), gather_axis=0, quantize_axis=1)
    rows("uint4_along", four(random.integers(0, 16, (3, 32))), f(3, 2), gather_axis=-1, quantize_axis=1)
    computed("dequantize_blocks", "DequantizeLinear", [four(random.integers(-8, 8, (64, 6)), False), f(4, 6)], constants=(1,), version=21, axis=0, block_size=16)
    computed("dequantize_blocks_zeros", "DequantizeLinear", [u8(6, 40), f(6, 3), u8(6, 3)], constants=(0, 1, 2), version=21, axis=-1, block_size=16)
    experts = [f(4, 16, 8), f(4, 16), f(4, 8, 16), f(4, 8)]
    ms("experts", "MoE", [f(6, 8), f(6, 4), *experts], constants=range(2, 6), k=2, activation_type="gelu")
    ms("experts_one", "MoE", [f(2, 3, 8), f(6, 4), *experts], constants=range(2, 6), k=1, activation_type="silu", normalize_routing_weights=1)
    ms("experts_swiglu", "MoE", [f(6, 8), f(6, 4), f(4, 32, 8) * 4, f(4, 32), f(4, 8, 16), f(4, 8)], constants=range(2, 6), k=2, activation_type="swiglu",
       swiglu_fusion=1, activation_alpha=1.702, activation_beta=1.0, swiglu_limit=3.0, normalize_routing_weights=1)
    codes = [u8(4, 16, 16), f(4, 16, 2), None, u8(4, 32, 8), f(4, 32, 1), None, None, None, None, u8(4, 16, 1), u8(4, 32, 1)]
    ms("experts_4_bits", "QMoE", [f(6, 32), f(6, 4), *codes], constants=range(2, 13), k=2, activation_type="relu", expert_weight_bits=4, block_size=16)
    codes = [u8(4, 16, 16), f(4, 16), None, u8(4, 32, 8), f(4, 32), None, None, None, None, u8(4, 8), u8(4, 16)]
    ms("experts_4_bits_rows", "QMoE", [f(6, 32), f(6, 4), *codes, None, abs(f(6, 4))], constants=range(2, 13), k=3, activation_type="silu",
       expert_weight_bits=4, normalize_routing_weights=1)


def attention_masks():
    """Masks that only com.microsoft has, and biases of what comes from elsewhere."""
    i32, weights = np.int32, [f(8, 24), f(24)]
    ms("attention_begin_end", "Attention", [f(2, 5, 8), *weights, np.array([5, 4, 2, 1], i32)], constants=(1, 2), num_heads=2)
    ms("attention_no_mask", "Attention", [f(2, 5, 8), *weights, np.zeros((2, 1), i32)], constants=(1, 2), num_heads=2)
    ms("multi_head_cross_bias", "MultiHeadAttention", [f(2, 3, 8), f(2, 2, 5, 4), f(2, 2, 5, 4), f(24)], constants=(3,), num_heads=2)
    ms("q_attention_past", "QAttention", [u8(2, 2, 8), i8(8, 24), f(24), one(0.01), one(0.005), None, one(120, np.uint8), one(0, np.int8), f(2, 2, 2, 3, 4)], 2,
       (1, 2, 3, 4, 6, 7), num_heads=2, unidirectional=1)


def codes_of_words():
    """Tables of codes, as quantize_dynamic makes them of a fused BERT."""
    ids, scale, zero = random.integers(0, 9, (2, 5)).astype(np.int32), [one(v) for v in (0.01, 0.02, 0.015, 0.03, 0.01)], [one(v, np.uint8) for v in (3, 9, 100, 50, 120)]
    words = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 0]], np.int32)
    tables = [u8(9, 8), u8(6, 8), u8(2, 8), u8(8), u8(8)]
    ms("q_embed_layer_norm", "QEmbedLayerNormalization", [ids, ids % 2, *tables, words, *scale, *zero], 2, [2, 3, 4, 5, 6, *range(8, 18)])


def old_operators():
    """As converters wrote them before ONNX had a word for it, and as ONNX has them lately."""
    i32 = np.int32
    boxes = np.array([[0.1, 0.1, 0.8, 0.9], [0.9, 0.2, 0.1, 0.6], [-0.2, 0, 1.2, 1], [0.25, 0.5, 0.75, 0.5]], np.float32)
    for mode, size in (("bilinear", [4, 5]), ("nearest", [5, 3]), ("bilinear", [1, 1])):
        ms(f"crop_{mode}_{size[0]}", "CropAndResize", [f(2, 3, 8, 9), boxes, np.array([0, 1, 1, 0], i32), np.array(size, i32)], constants=(3,), mode=mode,
           extrapolation_value=2.0)
    for metric in ("euclidean", "sqeuclidean"):
        ms("distances_" + metric, "CDist", [f(5, 3), f(4, 3)], metric=metric)
    ms("expand_dims", "ExpandDims", [f(3, 4), one(-1, i32)], constants=(1,))
    ms("grid_sample", "GridSample", [f(1, 2, 5, 6), random.uniform(-1.2, 1.2, (1, 3, 4, 2)).astype(np.float32)], align_corners=1, padding_mode="border")
    ms("unique", "Unique", [np.array([3, 1, 3, 2, 1], np.float32)], 3)
    ms("unfold", "UnfoldTensor", [f(2, 8, 3)], dim=1, size=3, step=2)
    words = lambda *shape: random.integers(-999, 999, shape).astype(np.int16)
    ms("matmul_words", "MatMulInteger16", [words(3, 4), words(4, 5)])
    computed("affine", "Affine", [f(3, 4)], version=1, alpha=2.0, beta=0.5)
    computed("scaled_tanh", "ScaledTanh", [f(3, 4)], version=1, alpha=2.0, beta=0.5)
    computed("parametric_softplus", "ParametricSoftplus", [f(3, 4)], version=1, alpha=2.0, beta=0.5)
    computed("image_scaler", "ImageScaler", [f(1, 3, 4, 4)], version=1, scale=2.0, bias=[0.1, 0.2, 0.3])
    for mode, at in (("linear", [1, 5]), ("circular", [1, 7])):
        computed("tensor_scatter_" + mode, "TensorScatter", [f(2, 3, 8, 4), f(2, 3, 2, 4), np.array(at)], version=24, mode=mode)
    for name, attrs in (("", {}), ("_reverse", {"reverse": 1}), ("_exclusive", {"exclusive": 1}), ("_exclusive_reverse", {"exclusive": 1, "reverse": 1})):
        computed("cum_prod" + name, "CumProd", [f(2, 7, 3), np.array(-2)], constants=(1,), version=26, **attrs)
    labels = np.array([[0, 2], [4, 1], [-1, 3]])
    computed("cross_entropy_ignored", "SoftmaxCrossEntropyLoss", [f(3, 5, 2), labels, abs(f(5))], 2, reduction="mean", ignore_index=-1)
    computed("likelihood_ignored", "NegativeLogLikelihoodLoss", [f(3, 5, 2), labels], reduction="mean", ignore_index=-1)


def draws():
    """Classes drawn, and coins: what they are drawn from, rounded. ONNX Runtime's Bernoulli gives 1 where it should give 0, so that is as ONNX defines it."""
    node, p = helper.make_node, np.array([[0.5, 0.25, 0.125, 0.125], [0.05, 0.05, 0.8, 0.1]], np.float32)
    numbers = {"depth": np.array(4), "ends": np.array([0, 1], np.float32), "one": np.array([1]), "ten": np.array(10, np.float32)}
    constants = [numpy_helper.from_array(v, n) for n, v in numbers.items()]
    rounded = [node("ReduceMean", ["drawn", "one"], ["share"], keepdims=0), node("Mul", ["share", "ten"], ["tenth"]), node("Round", ["tenth"], ["z"])]
    tensor = lambda name, array: helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, array.shape)
    classes = [node("Multinomial", ["x"], ["a"], sample_size=20000, seed=3.0, dtype=onnx.TensorProto.INT64), node("OneHot", ["a", "depth", "ends"], ["drawn"])]
    model("random_classes", classes + rounded, [tensor("x", p)], ["z"], constants, {"x": np.log(p)}, version=18)
    y, want = np.repeat(np.array([[0.3], [0.8]], np.float32), 4000, 1), np.array([3, 8], np.float32)
    graph = helper.make_graph([node("Bernoulli", ["x"], ["drawn"])] + rounded, "graph", [tensor("x", y)], [tensor("z", want)], constants[2:])
    save("random_coins", helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), {"x": y}, {"z": want})


if __name__ == "__main__":
    from_onnx()
    from_runtime()
    sequences()
    one_more()
    mask_of_codes()
    batch_statistics()
    lists_of_runs()
    random_numbers()
    long_tables()
    steps_on_codes()
    from_tensorflow()
    random = np.random.default_rng(1) # what is made above may grow
    language_models()
    attention_masks()
    old_operators()
    draws()
    codes_of_words()
    from_scikit_learn()
