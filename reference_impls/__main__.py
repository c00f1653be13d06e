"""Command line: `python -m reference_impls COMMAND`: list, parts, train, sweep, new and others.

What is asked for is read from the methods' files; torch is imported when a command needs it.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from functools import partial
from pathlib import Path

from . import exchange, hyperparameters
from .core.declarations import Declaration, declared
from .core.registry import method_file, method_files
from .modules import modules


def main(arguments: list[str] | None = None) -> int:
    """Run a command; 0 done, 2 bad input."""
    arguments = sys.argv[1:] if arguments is None else arguments
    known = method_files()
    parser = _parser(next((word for word in arguments[1:] if word in known), None))
    options = parser.parse_args(arguments)
    try:
        return options.run(options)
    except (ValueError, OSError) as error:
        print(f"reference_impls: {error}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "transformers", "safetensors"):
            raise
        print(
            f"reference_impls: this needs {error.name}: pip install 'fine-tuning-atlas[methods]'",
            file=sys.stderr,
        )
        return 2


def _parser(method: str | None) -> argparse.ArgumentParser:
    """The commands; `method` is the one whose options they take."""
    parser = argparse.ArgumentParser(prog=f"python -m {__package__}", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    declaration = declared(method) if method else Declaration()

    listing = commands.add_parser("list", help="every method, its leaf, paper and properties")
    listing.add_argument("--json", action="store_true")
    listing.set_defaults(run=_list)

    parts = commands.add_parser(
        "parts",
        help="what is found of an architecture, what it lacks, and which methods are refused on it",
        epilog="No weights are needed. A part that is there and was not found can be given by "
        "name: anatomy(model, query=…).",
    )
    parts.add_argument("--config", type=Path, required=True, help="a config.json or its folder")
    parts.add_argument("--json", action="store_true")
    parts.set_defaults(run=_parts)

    training = commands.add_parser("train", help="train a method in the lab")
    training.add_argument("method", metavar="METHOD")
    tasks = declaration.values.get("tasks", ())
    training.add_argument(
        "--task", default=next(iter(tasks), None), help=f"one of {', '.join(tasks) or 'its tasks'}"
    )
    training.add_argument("--backbone", help="default: the task's; 'encoder-random', a folder, …")
    training.add_argument("--seed", type=int, default=0)
    training.add_argument("--steps", type=int, help="default: those of the committed runs")
    hyperparameters.add(training, declaration, declaration.values.get("lab", {}))
    training.add_argument("--json", action="store_true")
    training.set_defaults(run=_train)

    counting = commands.add_parser(
        "count",
        help="count parameters of any architecture",
        epilog="The base is the model as it is released, without the head of a task; weights that "
        "it ties count once. The share is what is trained, of the base.",
    )
    counting.add_argument("method", metavar="METHOD")
    counting.add_argument("--config", type=Path, required=True, help="a config.json or its folder")
    hyperparameters.add(counting, declaration, {})
    counting.add_argument("--json", action="store_true")
    counting.set_defaults(run=_count)

    ledger = commands.add_parser(
        "ledger",
        help="the bytes that a training step keeps, by kind",
        epilog="Without --config: on the tasks of the lab, with the hyper-parameters of its runs.",
    )
    ledger.add_argument("method", metavar="METHOD", nargs="?", help="default: all")
    ledger.add_argument("--config", type=Path, help="a config.json or its folder")
    _add_batch(ledger, dtype="float32")
    hyperparameters.add(ledger, declaration, {})
    ledger.add_argument("--json", action="store_true")
    ledger.set_defaults(run=_ledger)

    peak = commands.add_parser(
        "peak",
        help="the most bytes that a training step takes at a time, on any architecture",
        epilog="Two steps run on tensors that have only shapes: no weights are needed, no memory "
        "and no card.",
    )
    peak.add_argument("method", metavar="METHOD")
    peak.add_argument("--config", type=Path, required=True, help="a config.json or its folder")
    _add_batch(peak, dtype="bfloat16")
    peak.add_argument("--eager", action="store_true", help="attention by its formula, not fused")
    peak.add_argument(
        "--checkpointing", action="store_true", help="keep layers' inputs, compute the rest again"
    )
    hyperparameters.add(peak, declaration, {})
    peak.add_argument("--json", action="store_true")
    peak.set_defaults(run=_peak)

    measuring = commands.add_parser(
        "measure", help="make or renew what is committed of methods: runs, ledger, forms"
    )
    measuring.add_argument("methods", metavar="METHOD", nargs="*", help="with --stale: default all")
    measuring.add_argument(
        "--stale", action="store_true", help="only what is missing or was made by other code"
    )
    measuring.add_argument(
        "--renew",
        action="store_true",
        help="keep what a sample repeats digit for digit: a change of the core moved nothing",
    )
    measuring.set_defaults(run=_measure)

    sweeping = commands.add_parser(
        "sweep", help="carry out a plan of runs on real weights; what is there is not done again"
    )
    sweeping.add_argument("plan", type=Path, metavar="PLAN.toml")
    sweeping.add_argument("--out", type=Path, help="a folder; default: beside the methods")
    sweeping.add_argument("--engine", choices=("local", "ray"), default="local")
    sweeping.add_argument("--address", help="of a Ray cluster; default: one of this machine")
    sweeping.add_argument("--workers", type=int, help="default: one a processor")
    sweeping.add_argument(
        "--again", type=int, metavar="N", help="do N of the runs that are there again, and compare"
    )
    sweeping.add_argument("--seed", type=int, default=0, help="which ones --again takes")
    sweeping.set_defaults(run=_sweep)

    exchange.add(commands)

    making = commands.add_parser("new", help="make a folder for a new method, to be filled")
    making.add_argument("name", metavar="NAME", help="small letters, digits and underscores")
    making.add_argument("--leaf", required=True, help="where it is in the taxonomy")
    making.add_argument("--like", required=True, metavar="METHOD", help="whose code to start from")
    making.add_argument("--paper", default="", help="the id of its paper in papers.yaml")
    making.add_argument("--title", default="", help="default: the name, with blanks")
    making.set_defaults(run=_new)
    return parser


def _add_batch(parser: argparse.ArgumentParser, dtype: str) -> None:
    """Add what a step on a configuration is a step of."""
    parser.add_argument("--batch", type=int, help="rows (default: 8)", default=8)
    parser.add_argument("--tokens", type=int, help="tokens of a row (default: 256)", default=256)
    parser.add_argument(
        "--dtype",
        choices=("float32", "bfloat16", "float16"),
        help=f"of the weights (default: {dtype})",
        default=dtype,
    )


def _demand_tokens(options: argparse.Namespace) -> None:
    if min(options.batch, options.tokens) < 1:
        raise ValueError("--batch and --tokens: at least one row of one token is needed")


def _list(options: argparse.Namespace) -> int:
    keys = ("name", "title", "leaf", "paper", "init_noop", "mergeable", "frozen_base", "tasks")
    found = [declared(name).values for name in method_files()]
    rows = [{key: values[key] for key in keys} for values in found]
    if options.json:
        print(json.dumps(rows, indent=1))
        return 0
    for row in rows:
        flags = [key.replace("_", " ") for key in keys[4:7] if row[key]]
        print(f"{row['name']:20} {row['leaf']:18} {row['paper']:26} {', '.join(flags)}")
    return 0


def _parts(options: argparse.Namespace) -> int:
    registry, counting, found = modules("core.registry", "core.counting", "measure.found_parts")
    config = counting.read_config(options.config)
    told = found.report(config, registry.load_methods().values())
    print(json.dumps(told, indent=1) if options.json else "\n".join(found.lines(told)))
    return 0


def _train(options: argparse.Namespace) -> int:
    method_file(options.method)
    if options.steps is not None and options.steps < 1:
        raise ValueError(f"--steps {options.steps}: at least one step is needed")
    registry, runs = modules("core.registry", "measure.runs")
    result = runs.one(
        registry.load_method(options.method),
        options.task,
        seed=options.seed,
        steps=options.steps or runs.STEPS,
        backbone=options.backbone,
        **hyperparameters.given(options),
    )
    if options.json:
        print(json.dumps(result, indent=1))
        return 0
    counts = result["counts"]
    for step, score in result["curve"]:
        print(f"step {step:5}  score {score:.3f}")
    print(
        f"{options.method} on {options.task}: score {result['score']:.3f} after "
        f"{result['seconds']:.1f} s; trained {counts['trained']:,}, stored {counts['stored']:,}, "
        f"head {counts['head']:,}, base {counts['base']:,}"
    )
    return 0


def _count(options: argparse.Namespace) -> int:
    method_file(options.method)
    registry, counting = modules("core.registry", "core.counting")
    method = registry.load_method(options.method)(**hyperparameters.given(options))
    result = counting.count(method, options.config)
    if options.json:
        print(json.dumps(result))
    else:
        share = result["trained"] / result["base"]
        print("\n".join(f"{key:8} {value:>15,}" for key, value in result.items()))
        print(f"{'share':8} {share:>15.4%}")
    return 0


def _ledger(options: argparse.Namespace) -> int:
    names = [options.method] if options.method else list(method_files())
    method_file(names[0])
    _demand_tokens(options)
    needed = ("core.registry", "measure.ledgers", "measure.reports", "core.counting")
    registry, ledgers, reports, counting = modules(*needed)
    dtype = getattr(sys.modules["torch"], options.dtype)
    found = {}
    for name in names:
        method = registry.load_method(name)
        if not options.config:
            for task in ledgers.tasks_of(method):
                found[name, task] = reports.on_task(method, task, **hyperparameters.given(options))
            continue
        measure = reports.on_config if options.method else reports.on_architecture
        found[name, options.config.name] = measure(
            method,
            counting.read_config(options.config),
            options.batch,
            options.tokens,
            dtype=dtype,
            **hyperparameters.given(options),
        )
    if options.json:
        print(json.dumps([{"method": n, "on": on, **r} for (n, on), r in found.items()]))
        return 0
    columns = ("weights", "gradients", "optimizer", "activations", "other")
    print(f"{'bytes':20} {'on':14}" + "".join(f"{column:>17}" for column in columns))
    for (name, on), report in found.items():
        numbers = (f"{report['ledger'][column]:17,}" for column in columns if "ledger" in report)
        print(f"{name:20} {on:14}" + ("".join(numbers) or f" {report['refused']}"))
    return 0


def _peak(options: argparse.Namespace) -> int:
    method_file(options.method)
    _demand_tokens(options)
    needed = ("core.registry", "core.counting", "measure.memory", "measure.polynomials")
    registry, counting, memory, polynomials = modules(*needed)
    dtype = getattr(sys.modules["torch"], options.dtype)
    attention = "eager" if options.eager else "sdpa"
    setting = memory.Setting(dtype, attention, options.checkpointing)
    config = counting.read_config(options.config)
    most = getattr(config, "max_position_embeddings", None) or options.tokens
    if options.tokens > most:
        raise ValueError(f"--tokens {options.tokens}: this architecture has {most} positions")
    method, given = registry.load_method(options.method), hyperparameters.given(options)
    told = memory.predicted(method, config, setting, **given)
    rows, tokens = options.batch, options.tokens
    peak = max(polynomials.value(form, rows, tokens) for form in told)
    if options.json:
        found = {"peak": peak, "rows": rows, "length": tokens, "terms": polynomials.TERMS}
        print(json.dumps({"method": options.method, **found, "polynomials": told}))
    else:
        print(f"{options.method}: {peak:,} bytes for {rows} rows of {tokens} tokens")
    return 0


def _measure(options: argparse.Namespace) -> int:
    if not options.methods and not options.stale:
        raise ValueError("name methods, or say --stale for all that is out of date")
    for name in (names := options.methods or [*method_files()]):
        method_file(name)
    (command,) = modules("measure.command")
    found = command.jobs(names, stale=options.stale, renew=options.renew)
    command.make(found, renew=options.renew)
    print(f"{len(found)} measurements made" if found else "every measurement is current")
    return 0


def _sweep(options: argparse.Namespace) -> int:
    sweeps, again = modules("real.sweep", "real.again")
    engine = partial(sweeps.engine, options.engine, options.address, options.workers)
    if options.again is not None:
        return again.main(options.plan, options.out, engine, options.again, options.seed)
    made, failed = sweeps.carry_out(options.plan, options.out, engine)
    for name, error in failed.items():
        print(f"reference_impls: {name}: {error}", file=sys.stderr)
    print(f"{made} runs made, {len(failed)} failed")
    return 1 if failed else 0


def _new(options: argparse.Namespace) -> int:
    scaffold = importlib.import_module(".scaffold", __package__)
    left = scaffold.new(
        options.name,
        leaf=options.leaf,
        like=options.like,
        paper=options.paper,
        title=options.title,
    )
    print("The folder is there. What is left to do, in order:", *left, sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
