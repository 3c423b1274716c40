#!/usr/bin/env python3
"""One model's latency beside ONNX Runtime and OpenVINO: medians at batch 1, all of them on one file, taking turns.

    peers.py MODEL... [--threads 1,2] [--w8a8 [--data DIR]] [--pare build/app/cli/pare] [--rounds 7] [--json]

Each runtime is measured in short turns of a process of its own, one after the other, so that what else the machine does hits all alike. A figure
is the median of its turns' medians; a ratio is the median of what it was in each turn, above 1 where we are faster. Peers are measured where this
Python (or the one that --ort or --openvino names) can import them, in float32 whatever else the CPU has. With --w8a8 also the file that
`pare optimize` exports, 8 bits for weights and activations; it needs samples (--data, or the material's own for its models)."""
import argparse, json, os, statistics, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
SHARED = os.environ.get("PARE_SHARED", os.path.join(HERE, "..", "..", "..", "shared"))


# --- one runtime in a process of its own: reads seconds, answers with the milliseconds of each run --------------------------------
def feed_of(model):
    """An input for each of the model's: small whole numbers, or floats of 0..1; extents that are open are 1."""
    import numpy as np
    import onnx
    graph = onnx.load(model, load_external_data=False).graph
    constants, feed = {i.name for i in graph.initializer}, {}
    for i in graph.input:
        if i.name not in constants:
            t = i.type.tensor_type
            shape = [d.dim_value if d.dim_value > 0 else 1 for d in t.shape.dim]
            dtype = onnx.helper.tensor_dtype_to_np_dtype(t.elem_type)
            values = np.arange(int(np.prod(shape)), dtype=np.int64) * 7919 % 1021
            feed[i.name] = (values / 1021 if np.issubdtype(dtype, np.floating) else values % 2).astype(dtype).reshape(shape)
    return feed


def ort(model, threads, feed):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads, options.log_severity_level = threads, 1, 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, feed)


def openvino(model, threads, feed):
    import openvino
    core = openvino.Core()
    network = core.read_model(model)
    network.reshape({port: list(feed[port.any_name].shape) for port in network.inputs})
    compiled = core.compile_model(network, "CPU", {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"})
    request = compiled.create_infer_request()
    for port in compiled.inputs:
        request.set_tensor(port, openvino.Tensor(feed[port.any_name]))
    return request.infer


def work(peer, model, threads):
    out = os.dup(1)
    os.dup2(2, 1)  # what a library prints is no answer
    run = {"ort": ort, "openvino": openvino}[peer](model, threads, feed_of(model))
    with os.fdopen(out, "w") as answers:
        for line in sys.stdin:
            seconds, times = float(line), []
            run(), run()
            end = time.perf_counter() + seconds
            while len(times) < 5 or time.perf_counter() < end:
                began = time.perf_counter()
                run()
                times.append(1e3 * (time.perf_counter() - began))
            print(json.dumps(times), file=answers, flush=True)


# --- taking turns ---------------------------------------------------------------------------------------------------------------
class Peer:
    def __init__(self, python, peer, model, threads, cpus):
        self.process = subprocess.Popen([python, __file__, "--work", peer, model, str(threads)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, preexec_fn=lambda: os.sched_setaffinity(0, cpus))

    def turn(self, seconds):
        try:
            self.process.stdin.write(f"{seconds}\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise RuntimeError((self.process.stderr.read().strip().splitlines() or ["it ended without a word"])[-1])
        return statistics.median(json.loads(line))

    def close(self):
        self.process.kill()
        self.process.communicate()


class Pare:
    def __init__(self, program, model, threads, cpus, shapes, options):
        self.command = [program, "bench", model, "--json", "--threads", str(threads), *options]
        for name, shape in shapes.items():
            self.command += ["--shape", f"{name}={','.join(map(str, shape))}"]
        self.cpus, self.ms = cpus, None

    def turn(self, seconds):
        repeat = max(5, min(5000, round(1e3 * seconds / self.ms))) if self.ms else 10
        p = subprocess.run(self.command + ["--repeat", str(repeat)], capture_output=True, text=True,
                           preexec_fn=lambda: os.sched_setaffinity(0, self.cpus))
        if p.returncode:
            raise RuntimeError((p.stderr.strip().splitlines() or ["exit " + str(p.returncode)])[-1])
        self.ms = json.loads(p.stdout)["median_ms"]
        return self.ms

    def close(self):
        pass


def race(title, model, threads, pythons, a):
    """Rows of one table: name, ms, ratio."""
    cpus = sorted(os.sched_getaffinity(0))
    cpus = set(cpus[-1:]) if threads == 1 and len(cpus) > 1 else set(cpus)  # one thread stays on one CPU
    shapes = json.loads(subprocess.check_output([next(iter(pythons.values())), __file__, "--shapes", model])) if pythons else {}
    runners = {"pare": Pare(a.pare, model, threads, cpus, shapes, a.pare_options)}
    for peer, python in pythons.items():
        runners[peer] = Peer(python, peer, model, threads, cpus)
    times, failed = {k: [] for k in runners}, {}
    for k in range(a.rounds + 1):
        for name, runner in runners.items():
            if name not in failed:
                try:
                    ms = runner.turn(a.seconds if k else 0.05)  # the first turn only warms up
                    times[name] += [ms] if k else []
                except RuntimeError as e:
                    failed[name] = str(e)
    for runner in runners.values():
        runner.close()
    rows = []
    for name in runners:
        if name in failed:
            rows.append(dict(model=title, threads=threads, runtime=name, error=failed[name]))
            continue
        row = dict(model=title, threads=threads, runtime=name, median_ms=statistics.median(times[name]), best_ms=min(times[name]))
        if name != "pare" and "pare" not in failed:
            row["ratio"] = statistics.median(t / o for t, o in zip(times[name], times["pare"]))
        rows.append(row)
    return rows


def data_of(model):
    """The samples of a model of the material."""
    cases = os.path.join(SHARED, "material", "cases.json")
    if os.path.exists(cases):
        every = json.load(open(cases))
        for case in every.values() if isinstance(every, dict) else every:
            if isinstance(case, dict) and os.path.basename(case.get("model", "")) == os.path.basename(model) and case.get("data"):
                return os.path.join(SHARED, "material", case["data"])
    return None


def can_import(python, module):
    return subprocess.run([python, "-c", f"import onnx, numpy, {module}"], capture_output=True).returncode == 0


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("models", nargs="*", metavar="MODEL")
    p.add_argument("--threads", default="1,2")
    p.add_argument("--w8a8", action="store_true")
    p.add_argument("--data")
    p.add_argument("--pare", default=os.path.join(HERE, "..", "..", "build", "app", "cli", "pare"))
    p.add_argument("--pare-options", type=str.split, default=[], metavar="OPTIONS", help="more options of `pare bench`, e.g. '--bf16'")
    p.add_argument("--ort", default=sys.executable, metavar="PYTHON", help="a Python that has onnxruntime and onnx")
    p.add_argument("--openvino", default=sys.executable, metavar="PYTHON", help="a Python that has openvino and onnx")
    p.add_argument("--rounds", type=int, default=7)
    p.add_argument("--seconds", type=float, default=0.4, help="of one turn")
    p.add_argument("--json", action="store_true")
    a = p.parse_args()
    if not a.models:
        p.print_usage()
        return 0
    if not os.access(a.pare, os.X_OK):
        p.error(f"no program {a.pare}: build it, or name it with --pare")
    names, pythons = {"pare": "Pare", "ort": "ONNX Runtime", "openvino": "OpenVINO"}, {}
    for peer, python, module in (("ort", a.ort, "onnxruntime"), ("openvino", a.openvino, "openvino")):
        if can_import(python, module):
            pythons[peer] = python
        else:
            print(f"{names[peer]} is not there: {python} cannot import {module} and onnx; not measured", file=sys.stderr)
    every = []
    if not a.json:
        print(f"{'model':34} {'threads':>7} {'runtime':14} {'median ms':>10} {'best ms':>10} {'to Pare':>8}")

    def show(title, model):
        for threads in map(int, a.threads.split(",")):
            rows = race(title, model, threads, pythons, a)
            every.extend(rows)
            for r in [] if a.json else rows:
                figures = f"{r['median_ms']:10.4f} {r['best_ms']:10.4f}" if "error" not in r else r["error"]
                ratio = f"{r['ratio']:7.2f}x" if "ratio" in r else ""
                print(f"{r['model']:34} {r['threads']:7} {names[r['runtime']]:14} {figures} {ratio}", flush=True)
    failed = 0
    for model in a.models:
        title = os.path.splitext(os.path.basename(model))[0]
        show(title, model)
        data = a.data or data_of(model)
        if a.w8a8 and not data:
            print(f"{title}: no samples to calibrate with, so no W8A8 file; name some with --data", file=sys.stderr)
            failed = 1
        elif a.w8a8:
            with tempfile.TemporaryDirectory() as tmp:
                recipe, out = os.path.join(tmp, "recipe.json"), os.path.join(tmp, "w8a8.onnx")
                with open(recipe, "w") as f:
                    json.dump({"pare_recipe": 1, "defaults": {"weights": {"bits": 8}, "activations": {"bits": 8}}}, f)
                subprocess.run([a.pare, "optimize", model, "--recipe", recipe, "--data", data, "--output", out], check=True, stdout=subprocess.DEVNULL)
                show(title + " W8A8", out)
    if a.json:
        json.dump(every, sys.stdout, indent=1)
        print()
    return failed or any("error" in r for r in every)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        work(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    elif sys.argv[1:2] == ["--shapes"]:
        print(json.dumps({k: v.shape for k, v in feed_of(sys.argv[2]).items()}))
    else:
        sys.exit(main())
